#include "config/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "config/yaml_file.h"

#include "base/banned.h"

extern char **environ;

enum { SECRET_FILE_MAX = 64 * 1024, SERVERS_MAX = 64, SERVER_LIST_MAX = 64 * 1024 };

enum option_type { TYPE_TEXT, TYPE_LIST, TYPE_BOOL, TYPE_INT, TYPE_SIZE, TYPE_DURATION, TYPE_DOUBLE };

struct option {
    const char *env;
    const char *yaml;
    enum option_type type;
    const char *fallback;
    double least, most;
    bool is_secret;
    const char *help;
    size_t offset;
};

static const struct option options[] = {
#define OPTION(member, env, yaml, type, fallback, least, most, is_secret, help) \
    {env, yaml, TYPE_##type, fallback, least, most, is_secret, help, offsetof(struct config, member)},
#include "config/options.def"
#undef OPTION
};

static const char *const list_env[SERVER_KINDS] = {"PLEX_SERVERS", "JELLYFIN_SERVERS",
                                                   "EMBY_SERVERS"};
static const char *const list_yaml[SERVER_KINDS] = {"plex_servers", "jellyfin_servers",
                                                    "emby_servers"};
static const char *const default_port[SERVER_KINDS] = {"32400", "8096", "8096"};

/* Everything one load needs. */
struct loading {
    const struct config_origin *origin;
    const char *const *environment;
    json_t *yaml; /* flat: "section.name" -> text; lists as JSON arrays of objects */
    struct config *out;
    struct buf faults;
};

static void fault(struct loading *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct loading *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&l->faults, fmt, ap);
    va_end(ap);
    buf_putc(&l->faults, '\n');
}

/* Value of NAME in a "NAME=value" list; empty counts as not set. */
static const char *list_value(const char *const *list, const char *name)
{
    size_t n = strlen(name);
    for (; list && *list; list++)
        if (strncmp(*list, name, n) == 0 && (*list)[n] == '=' && (*list)[n + 1])
            return *list + n + 1;
    return NULL;
}

static const char *env_value(const struct loading *l, const char *name)
{
    const char *v = list_value(l->origin->overrides, name);
    return v ? v : list_value(l->environment, name);
}

static const char *yaml_value(const struct loading *l, const char *path)
{
    const char *v = json_string_value(json_object_get(l->yaml, path));
    return v && *v ? v : NULL;
}

/* Contents of the file that NAME_FILE points at, trimmed; NULL when there is none. */
static char *secret_from_file(struct loading *l, const struct option *o)
{
    char name[80];
    snprintf(name, sizeof name, "%s_FILE", o->env);
    const char *path = env_value(l, name);
    if (!path)
        return NULL;
    auto_file FILE *f = fopen(path, "re");
    if (!f) {
        fault(l, "%s: cannot read '%s'; it must be a file this user may read", name, path);
        return NULL;
    }
    auto_buf struct buf text = BUF_INIT(SECRET_FILE_MAX);
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(&text, chunk, n);
    if (text.is_overflowed) {
        fault(l, "%s: '%s' is larger than 64 kB, which no secret is", name, path);
        return NULL;
    }
    struct str s = str_trim(buf_str(&text));
    char *copy = xstrndup(s.ptr, s.len);
    secret_wipe(chunk, sizeof chunk);
    secret_wipe(text.data, text.len);
    return copy;
}

static bool parse_bool(struct str s, bool *ret)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(s, str_of(yes[i]))) {
            *ret = true;
            return true;
        }
        if (str_eq_nocase(s, str_of(no[i]))) {
            *ret = false;
            return true;
        }
    }
    return false;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* One or more "<number><unit>" parts, such as 1h30m; units from a table. */
static bool parse_units(struct str s, const struct unit *units, size_t count, int64_t *ret)
{
    int64_t total = 0;
    if (!s.len)
        return false;
    while (s.len) {
        size_t digits = 0;
        while (digits < s.len && isdigit((unsigned char)s.ptr[digits]))
            digits++;
        size_t end = digits;
        while (end < s.len && !isdigit((unsigned char)s.ptr[end]))
            end++;
        int64_t n;
        if (!str_to_i64((struct str){s.ptr, digits}, &n))
            return false;
        struct str name = str_trim((struct str){s.ptr + digits, end - digits});
        const struct unit *u = NULL;
        for (size_t i = 0; i < count && !u; i++)
            if (str_eq_nocase(name, str_of(units[i].name)))
                u = &units[i];
        if (!u || __builtin_mul_overflow(n, u->factor, &n) ||
            __builtin_add_overflow(total, n, &total))
            return false;
        s.ptr += end;
        s.len -= end;
    }
    *ret = total;
    return true;
}

static bool parse_duration(struct str s, int64_t *ret_us)
{
    static const struct unit units[] = {{"ms", US_PER_MS}, {"s", US_PER_S},   {"m", US_PER_MIN},
                                        {"h", US_PER_HOUR}, {"d", US_PER_DAY}};
    return parse_units(s, units, ARRAY_LEN(units), ret_us);
}

static bool parse_size(struct str s, int64_t *ret)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"KB", INT64_C(1) << 10},
                                        {"MB", INT64_C(1) << 20},
                                        {"GB", INT64_C(1) << 30},
                                        {"TB", INT64_C(1) << 40},
                                        {"KiB", INT64_C(1) << 10},
                                        {"MiB", INT64_C(1) << 20},
                                        {"GiB", INT64_C(1) << 30}};
    return parse_units(s, units, ARRAY_LEN(units), ret);
}

static void set_number(struct loading *l, const struct option *o, const char *from, struct str s)
{
    char *slot = (char *)l->out + o->offset;
    int64_t i = 0;
    double d = 0;
    const char *shape = NULL;
    if (o->type == TYPE_INT && !str_to_i64(s, &i))
        shape = "a whole number";
    else if (o->type == TYPE_SIZE && !parse_size(s, &i))
        shape = "a size such as 512MB, 4GB or a number of bytes";
    else if (o->type == TYPE_DURATION && !parse_duration(s, &i))
        shape = "a duration such as 30s, 5m, 24h or 7d";
    else if (o->type == TYPE_DOUBLE && !str_to_double(s, &d))
        shape = "a number";
    if (shape) {
        fault(l, "%s: '%.*s' is not right; it must be %s, such as the default %s", from,
              (int)s.len, s.ptr, shape, *o->fallback ? o->fallback : "(none)");
        return;
    }
    double v = o->type == TYPE_DOUBLE ? d : (double)i;
    if (o->type == TYPE_DURATION)
        v /= (double)US_PER_S;
    if (v < o->least || v > o->most) {
        fault(l, "%s: %.*s is out of range; it must be between %.15g and %.15g%s", from,
              (int)s.len, s.ptr, o->least, o->most,
              o->type == TYPE_DURATION ? " seconds"
              : o->type == TYPE_SIZE   ? " bytes"
                                       : "");
        return;
    }
    if (o->type == TYPE_DOUBLE)
        memcpy(slot, &d, sizeof d);
    else
        memcpy(slot, &i, sizeof i);
}

/* Checks and stores one value; `from` is the name it came under. */
static void set_option(struct loading *l, const struct option *o, const char *from,
                       const char *value)
{
    char *slot = (char *)l->out + o->offset;
    struct str s = str_trim(str_of(value));
    switch (o->type) {
    case TYPE_TEXT:
    case TYPE_LIST: {
        if (!str_is_utf8(s)) {
            fault(l, "%s: is not UTF-8 text", from);
            return;
        }
        if (s.len && o->most > 0 && (double)s.len > o->most) {
            fault(l, "%s: has %zu characters; at most %.0f are allowed", from, s.len, o->most);
            return;
        }
        char **text = (char **)(void *)slot;
        free(*text);
        *text = xstrndup(s.ptr, s.len);
        if (o->is_secret)
            logger_add_secret(*text);
        return;
    }
    case TYPE_BOOL: {
        bool b;
        if (!parse_bool(s, &b))
            fault(l, "%s: '%.*s' is not right; it must be true or false", from, (int)s.len, s.ptr);
        else
            memcpy(slot, &b, sizeof b);
        return;
    }
    case TYPE_INT:
    case TYPE_SIZE:
    case TYPE_DURATION:
    case TYPE_DOUBLE:
        set_number(l, o, from, s);
        return;
    }
}

static void set_default(struct loading *l, const struct option *o)
{
    if (o->type == TYPE_DOUBLE && !*o->fallback) {
        double none = NAN;
        memcpy((char *)l->out + o->offset, &none, sizeof none);
        return;
    }
    set_option(l, o, o->env, o->fallback);
}

/* Options that only their file form, `X_FILE`, and server lists add to the table's names. */
static bool is_known_yaml(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (streq(options[i].yaml, path))
            return true;
    for (size_t i = 0; i < SERVER_KINDS; i++)
        if (streq(list_yaml[i], path))
            return true;
    return false;
}

static void check_yaml_names(struct loading *l)
{
    const char *path;
    json_t *value;
    json_object_foreach(l->yaml, path, value) {
        if (is_known_yaml(path))
            continue;
        const char *nearest = NULL;
        size_t best = 4;
        for (size_t i = 0; i < ARRAY_LEN(options); i++) {
            size_t d = str_distance(str_of(path), str_of(options[i].yaml), 3);
            if (d < best) {
                best = d;
                nearest = options[i].yaml;
            }
        }
        if (nearest)
            fault(l, "%s: no such option in '%s'; did you mean %s?", path, l->out->file, nearest);
        else
            fault(l, "%s: no such option in '%s'", path, l->out->file);
    }
}

/* A name in the environment that is one slip away from one of ours: said, not guessed. */
static void check_environment_names(struct loading *l)
{
    for (const char *const *e = l->environment; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq || eq - *e < 8)
            continue;
        struct str name = {*e, (size_t)(eq - *e)};
        const struct option *near = NULL;
        bool is_exact = false;
        for (size_t i = 0; i < ARRAY_LEN(options) && !is_exact; i++) {
            struct str own = str_of(options[i].env);
            is_exact = str_eq(name, own);
            if (!near && str_distance(name, own, 1) == 1)
                near = &options[i];
        }
        for (size_t i = 0; i < SERVER_KINDS; i++)
            is_exact = is_exact || str_eq(name, str_of(list_env[i]));
        if (near && !is_exact)
            log_warn("config", "unknown name in the environment; did you mean another?",
                     LF_TEXT("known", near->env));
    }
}

/* Checks a server's URL and gives it in its plain form; NULL after saying what is wrong. */
static char *check_url(struct loading *l, enum server_kind kind, const char *option,
                       const char *value)
{
    struct str s = str_trim(str_of(value));
    const char *port = default_port[kind];
    if (!str_has_prefix(s, STR("http://")) && !str_has_prefix(s, STR("https://"))) {
        fault(l, "%s: '%.*s' has no http:// or https://; did you mean http://%.*s%s%s ?", option,
              (int)s.len, s.ptr, (int)s.len, s.ptr, memchr(s.ptr, ':', s.len) ? "" : ":",
              memchr(s.ptr, ':', s.len) ? "" : port);
        return NULL;
    }
    bool is_tls = s.ptr[4] == 's';
    struct str rest = {s.ptr + (is_tls ? 8 : 7), s.len - (is_tls ? 8 : 7)};
    if (memchr(rest.ptr, '@', rest.len)) {
        fault(l, "%s: user and password do not belong into the address", option);
        return NULL;
    }
    if (memchr(rest.ptr, '?', rest.len) || memchr(rest.ptr, '#', rest.len)) {
        fault(l, "%s: an address ends before '?' or '#'", option);
        return NULL;
    }
    const char *slash = memchr(rest.ptr, '/', rest.len);
    struct str host = {rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len};
    const char *bracket = host.len ? memrchr(host.ptr, ']', host.len) : NULL;
    const char *colon = bracket
                            ? memchr(bracket, ':', host.len - (size_t)(bracket - host.ptr))
                            : (host.len ? memchr(host.ptr, ':', host.len) : NULL);
    if (!host.len || colon == host.ptr) {
        fault(l, "%s: '%.*s' names no host", option, (int)s.len, s.ptr);
        return NULL;
    }
    int64_t number;
    if (colon) {
        struct str digits = {colon + 1, host.len - (size_t)(colon + 1 - host.ptr)};
        if (!str_to_i64(digits, &number) || number < 1 || number > 65535) {
            fault(l, "%s: '%.*s' is no port", option, (int)digits.len, digits.ptr);
            return NULL;
        }
    } else if (!is_tls) {
        fault(l, "%s: '%.*s' has no port; did you mean http://%.*s:%s%.*s ? (port 80 must be "
                 "typed)",
              option, (int)s.len, s.ptr, (int)host.len, host.ptr, port,
              (int)(rest.len - host.len), rest.ptr + host.len);
        return NULL;
    }
    while (s.len && s.ptr[s.len - 1] == '/')
        s.len--;
    return xstrndup(s.ptr, s.len);
}

static struct server_config *add_server(struct loading *l, enum server_kind kind)
{
    struct config *c = l->out;
    unsigned ordinal = 1;
    for (unsigned i = 0; i < c->server_count; i++)
        ordinal += c->servers[i].kind == kind;
    c->servers = xreallocarray(c->servers, c->server_count + 1, sizeof *c->servers);
    struct server_config *s = &c->servers[c->server_count++];
    *s = (struct server_config){.kind = kind, .is_realtime = true, .is_polling = true};
    s->key = xasprintf("%s-%u", server_kind_name(kind), ordinal);
    return s;
}

static void add_configured(struct loading *l, enum server_kind kind, bool is_on, const char *names[2],
                           const char *url, const char *token, bool realtime, bool polling,
                           int64_t interval)
{
    if (!is_on)
        return;
    if (!*url)
        fault(l, "%s: is missing; give the server's address", names[0]);
    if (!*token)
        fault(l, "%s: is missing; %s", names[1],
              kind == SERVER_PLEX ? "give the server's X-Plex-Token"
                                  : "make an API key in the server's dashboard");
    auto_free char *clean = *url ? check_url(l, kind, names[0], url) : NULL;
    if (!clean || !*token)
        return;
    struct server_config *s = add_server(l, kind);
    s->url = steal_ptr(&clean);
    s->token = xstrdup(token);
    s->name = xstrdup(s->key);
    s->is_realtime = realtime;
    s->is_polling = polling;
    s->polling_interval_us = interval;
}

static void add_listed(struct loading *l, enum server_kind kind, const json_t *list,
                       const char *from, int64_t interval)
{
    if (!json_is_array(list)) {
        fault(l, "%s: must be a list of servers, each with url, token and name", from);
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        char option[64];
        snprintf(option, sizeof option, "%s[%zu].url", from, i);
        const char *token = jstr(item, "token");
        if (!*token)
            token = jstr(item, "api_key");
        if (jbool(item, "enabled") == 0)
            continue;
        auto_free char *url = check_url(l, kind, option, jstr(item, "url"));
        if (!*token)
            fault(l, "%s[%zu].token: is missing", from, i);
        if (!url || !*token)
            continue;
        if (l->out->server_count >= SERVERS_MAX) {
            fault(l, "%s: more than %d servers", from, SERVERS_MAX);
            return;
        }
        logger_add_secret(token);
        struct server_config *s = add_server(l, kind);
        s->url = steal_ptr(&url);
        s->token = xstrdup(token);
        s->name = xstrdup(*jstr(item, "name") ? jstr(item, "name") : s->key);
        s->is_realtime = jbool(item, "realtime_enabled") != 0;
        s->is_polling = jbool(item, "session_polling_enabled") != 0;
        s->is_tls_unverified = jbool(item, "tls_verify") == 0;
        s->polling_interval_us = interval;
    }
}

static void add_servers(struct loading *l)
{
    struct config *c = l->out;
    add_configured(l, SERVER_PLEX, c->plex_enabled, (const char *[]){"PLEX_URL", "PLEX_TOKEN"},
                   c->plex_url, c->plex_token, c->plex_realtime, c->plex_polling,
                   c->plex_polling_interval);
    add_configured(l, SERVER_JELLYFIN, c->jellyfin_enabled,
                   (const char *[]){"JELLYFIN_URL", "JELLYFIN_API_KEY"}, c->jellyfin_url,
                   c->jellyfin_token, c->jellyfin_realtime, c->jellyfin_polling,
                   c->jellyfin_polling_interval);
    add_configured(l, SERVER_EMBY, c->emby_enabled, (const char *[]){"EMBY_URL", "EMBY_API_KEY"},
                   c->emby_url, c->emby_token, c->emby_realtime, c->emby_polling,
                   c->emby_polling_interval);
    const int64_t intervals[SERVER_KINDS] = {c->plex_polling_interval, c->jellyfin_polling_interval,
                                             c->emby_polling_interval};
    for (unsigned k = 0; k < SERVER_KINDS; k++) {
        const char *text = env_value(l, list_env[k]);
        const json_t *from_yaml = json_object_get(l->yaml, list_yaml[k]);
        if (text) {
            auto_json json_t *list = NULL;
            struct error err;
            if (json_parse(str_of(text), SERVER_LIST_MAX, 4, &list, &err) != STATUS_OK)
                fault(l, "%s: %s; it must be like [{\"url\":\"...\",\"token\":\"...\"}]",
                      list_env[k], err.text);
            else
                add_listed(l, (enum server_kind)k, list, list_env[k], intervals[k]);
        } else if (from_yaml) {
            add_listed(l, (enum server_kind)k, from_yaml, list_yaml[k], intervals[k]);
        }
    }
}

/* Values that come from samples and are no secrets: matched whole, so that no output of
 * `openssl rand` is ever refused. */
static bool is_placeholder(const char *s)
{
    static const char *const known[] = {"changeme", "change-me", "secret", "password", "your-secret",
                                        "replace-me", "your_jwt_secret_here", "changeme123456"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq_nocase(str_of(s), str_of(known[i])))
            return true;
    return false;
}

static void check_jwt_secret(struct loading *l)
{
    size_t n = strlen(l->out->jwt_secret);
    if (n < 32)
        fault(l, "JWT_SECRET: JWT secret too short: %zu characters found, at least 32 are needed; "
                 "make one with: openssl rand -base64 48", n);
}

static void check_for_serving(struct loading *l)
{
    const struct config *c = l->out;
    if (!*c->jwt_secret)
        check_jwt_secret(l);
    if (!*c->admin_username)
        fault(l, "ADMIN_USERNAME: is missing; choose the administrator's name");
    size_t n = strlen(c->admin_password);
    if (n < 12 || is_placeholder(c->admin_password))
        fault(l, "ADMIN_PASSWORD: %zu characters found, at least 12 are needed (and no sample "
                 "text); make one with: openssl rand -base64 18", n);
    if (!streq(c->auth_mode, "jwt"))
        fault(l, "AUTH_MODE: '%s' is not known; it must be jwt", c->auth_mode);
    if (!c->server_count && !c->is_demo && !c->is_setup && !c->plex_enabled &&
        !c->jellyfin_enabled && !c->emby_enabled)
        fault(l, "no media server is configured; either set ENABLE_PLEX_SYNC=true with PLEX_URL "
                 "and PLEX_TOKEN (or JELLYFIN_ENABLED, EMBY_ENABLED), or SETUP=true to add one on "
                 "the page, or DEMO=true to look around with invented data");
}

static void check_values(struct loading *l)
{
    const struct config *c = l->out;
    struct error err;
    if (*c->jwt_secret)
        check_jwt_secret(l);
    if (c->log_level && logger_set_levels(c->log_level, &err) != STATUS_OK)
        fault(l, "LOG_LEVEL: %s", err.text);
    if (!streq(c->log_format, "logfmt") && !streq(c->log_format, "json"))
        fault(l, "LOG_FORMAT: '%s' is not known; it must be logfmt or json", c->log_format);
    if (isnan(c->server_latitude) != isnan(c->server_longitude))
        fault(l, "SERVER_LATITUDE: goes together with SERVER_LONGITUDE; one of them is missing");
}

/* The first file that exists: --config or CONFIG_PATH (must exist), else the usual places. */
static void find_file(struct loading *l)
{
    const char *named = l->origin->file ? l->origin->file : env_value(l, "CONFIG_PATH");
    if (named) {
        if (access(named, R_OK) != 0)
            fault(l, "CONFIG_PATH: cannot read '%s'", named);
        else
            l->out->file = xstrdup(named);
        return;
    }
    const char *data = env_value(l, "DATA_DIR");
    auto_free char *in_data = xasprintf("%s/cartographus.yaml", data ? data : "./data");
    const char *const places[] = {"./config.yaml", "./config.yml", in_data,
                                  "/etc/cartographus/config.yaml"};
    for (size_t i = 0; i < ARRAY_LEN(places) && !l->out->file; i++)
        if (access(places[i], R_OK) == 0)
            l->out->file = xstrdup(places[i]);
}

enum status config_load(const struct config_origin *origin, bool is_serving, struct config *ret,
                        char **ret_faults)
{
    *ret = (struct config){0};
    struct loading l = {.origin = origin,
                        .environment = origin->environment ? origin->environment
                                                          : (const char *const *)environ,
                        .out = ret};
    find_file(&l);
    struct error err;
    if (ret->file && yaml_file_read(ret->file, &l.yaml, &err) != STATUS_OK)
        fault(&l, "%s", err.text);
    check_yaml_names(&l);
    check_environment_names(&l);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];
        set_default(&l, o);
        auto_free char *from_file = o->is_secret ? secret_from_file(&l, o) : NULL;
        const char *value = env_value(&l, o->env);
        if (value)
            set_option(&l, o, o->env, value);
        else if (from_file)
            set_option(&l, o, o->env, from_file);
        else if (yaml_value(&l, o->yaml))
            set_option(&l, o, o->yaml, yaml_value(&l, o->yaml));
    }
    check_values(&l);
    add_servers(&l);
    if (is_serving)
        check_for_serving(&l);
    json_decref(l.yaml);
    bool has_faults = l.faults.len > 0;
    *ret_faults = buf_steal(&l.faults);
    if (has_faults)
        return STATUS_INVALID;
    return STATUS_OK;
}

void config_done(struct config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i].type != TYPE_TEXT && options[i].type != TYPE_LIST)
            continue;
        char **text = (char **)(void *)((char *)c + options[i].offset);
        if (*text && options[i].is_secret)
            secret_wipe(*text, strlen(*text));
        free(*text);
    }
    for (unsigned i = 0; i < c->server_count; i++) {
        struct server_config *s = &c->servers[i];
        secret_wipe(s->token, strlen(s->token));
        free(s->key);
        free(s->name);
        free(s->url);
        free(s->token);
    }
    free(c->servers);
    free(c->file);
    *c = (struct config){0};
}

static void add_value(const struct config *c, const struct option *o, struct buf *out)
{
    const char *slot = (const char *)c + o->offset;
    int64_t i;
    double d;
    bool b;
    switch (o->type) {
    case TYPE_TEXT:
    case TYPE_LIST: {
        const char *text = *(char *const *)(const void *)slot;
        buf_puts(out, o->is_secret && *text ? "***" : text);
        return;
    }
    case TYPE_BOOL:
        memcpy(&b, slot, sizeof b);
        buf_puts(out, b ? "true" : "false");
        return;
    case TYPE_DOUBLE:
        memcpy(&d, slot, sizeof d);
        if (!isnan(d))
            buf_printf(out, "%g", d);
        return;
    case TYPE_DURATION:
        memcpy(&i, slot, sizeof i);
        if (i % US_PER_S)
            buf_printf(out, "%" PRId64 "ms", i / US_PER_MS);
        else
            buf_printf(out, "%" PRId64 "s", i / US_PER_S);
        return;
    case TYPE_INT:
    case TYPE_SIZE:
        memcpy(&i, slot, sizeof i);
        buf_printf(out, "%" PRId64, i);
        return;
    }
}

void config_show(const struct config *c, struct buf *out)
{
    if (c->file)
        buf_printf(out, "# file: %s\n", c->file);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        buf_printf(out, "%s=", options[i].env);
        add_value(c, &options[i], out);
        buf_putc(out, '\n');
    }
    for (unsigned i = 0; i < c->server_count; i++)
        buf_printf(out, "# server %s: %s, token ***\n", c->servers[i].key, c->servers[i].url);
}

void config_help(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        buf_printf(out, "  %-34s %s%s%s%s\n", options[i].env, options[i].help,
                   *options[i].fallback ? " (default " : "", options[i].fallback,
                   *options[i].fallback ? ")" : "");
}

void config_docs(struct buf *out)
{
    buf_puts(out, "| Environment | YAML | Default | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        buf_printf(out, "| `%s`%s | `%s` | %s%s%s | %s |\n", options[i].env,
                   options[i].is_secret ? " or `_FILE`" : "", options[i].yaml,
                   *options[i].fallback ? "`" : "", options[i].fallback,
                   *options[i].fallback ? "`" : "", options[i].help);
}
