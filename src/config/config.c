#include "config/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "config/loading.h"
#include "config/yaml_file.h"

#include "base/banned.h"

extern char **environ;

enum { SECRET_FILE_MAX = 64 * 1024 };

const struct option config_options[] = {
#define OPTION(member, env, yaml, type, fallback, least, most, is_secret, help) \
    {env, yaml, TYPE_##type, fallback, least, most, is_secret, help, offsetof(struct config, member)},
#include "config/options.def"
#undef OPTION
};
const size_t config_option_count = ARRAY_LEN(config_options);

void config_fault(struct loading *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&l->faults, fmt, ap);
    va_end(ap);
    buf_putc(&l->faults, '\n');
}

void config_tell_trimmed(const char *option, struct str trimmed, const char *value)
{
    if (trimmed.len != strlen(value))
        log_info("config", "white space around a value was taken off", LF_TEXT("option", option));
}

static bool is_marked(const bool *marks, const char *env)
{
    for (size_t i = 0; i < config_option_count; i++)
        if (streq(config_options[i].env, env))
            return marks[i];
    return false;
}

bool config_has_fault(const struct loading *l, const char *env)
{
    return is_marked(l->has_fault, env);
}

bool config_is_given(const struct loading *l, const char *env)
{
    return is_marked(l->is_given, env);
}

/* --- where values come from ------------------------------------------------------------------ */

static bool is_blank(const char *s)
{
    return str_trim(str_of(s)).len == 0;
}

/* Value of NAME in a "NAME=value" list; blank counts as not set. */
static const char *list_value(const char *const *list, const char *name)
{
    size_t n = strlen(name);
    for (; list && *list; list++)
        if (strncmp(*list, name, n) == 0 && (*list)[n] == '=' && !is_blank(*list + n + 1))
            return *list + n + 1;
    return NULL;
}

const char *config_env(const struct loading *l, const char *name)
{
    const char *v = list_value(l->origin->overrides, name);
    return v ? v : list_value(l->environment, name);
}

bool config_alias(const struct option *o, char dst[static 64])
{
    static const char ending[] = "_API_KEY";
    size_t n = strlen(o->env), keep = n - (sizeof ending - 1);
    if (!o->is_secret || n < sizeof ending || !streq(o->env + keep, ending))
        return false;
    snprintf(dst, 64, "%.*s_TOKEN", (int)keep, o->env);
    return true;
}

char *config_secret_file(struct loading *l, const char *from, const char *path)
{
    auto_file FILE *f = fopen(path, "re");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        config_fault(l, "%s: cannot read '%s' (%s); it must be a file that this user may read", from,
                     path, strerrordesc_np(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
        config_fault(l, "%s: '%s' is no file", from, path);
        return NULL;
    }
    auto_buf struct buf text = BUF_INIT(SECRET_FILE_MAX);
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && !text.is_overflowed)
        buf_add(&text, chunk, n);
    struct str s = str_trim(buf_str(&text));
    char *copy = NULL;
    if (text.is_overflowed)
        config_fault(l, "%s: '%s' is larger than 64 kB, which no secret is", from, path);
    else if (!s.len)
        config_fault(l, "%s: '%s' is empty", from, path);
    else
        copy = xstrndup(s.ptr, s.len);
    secret_wipe(chunk, sizeof chunk);
    if (text.data)
        secret_wipe(text.data, text.len);
    return copy;
}

/* --- one value ------------------------------------------------------------------------------- */

static void set_number(struct loading *l, const struct option *o, const char *from, struct str s)
{
    char *slot = (char *)l->out + o->offset;
    int64_t i = 0;
    double d = 0;
    const char *shape = NULL;
    if (o->type == TYPE_INT && !str_to_i64(s, &i))
        shape = "a whole number";
    else if (o->type == TYPE_SIZE && !config_parse_size(s, &i))
        shape = "a size such as 512MB, 4GB or a number of bytes";
    else if (o->type == TYPE_DURATION && !config_parse_duration(s, &i))
        shape = "a duration such as 30s, 5m, 24h or 7d";
    else if (o->type == TYPE_DOUBLE && !(str_to_double(s, &d) && isfinite(d)))
        shape = "a number";
    if (shape) {
        config_fault(l, "%s: '%.*s' is not right; it must be %s%s%s", from, (int)s.len, s.ptr, shape,
                     *o->fallback ? ", such as the default " : "", o->fallback);
        return;
    }
    double v = o->type == TYPE_DOUBLE ? d : (double)i;
    if (o->type == TYPE_DURATION)
        v /= (double)US_PER_S;
    if (v < o->least || v > o->most) {
        config_fault(l, "%s: %.*s is out of range; it must be between %.15g and %.15g%s", from,
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

static void set_text(struct loading *l, const struct option *o, const char *from, struct str s)
{
    if (!str_is_utf8(s)) {
        config_fault(l, "%s: is not UTF-8 text", from);
        return;
    }
    if (s.len && o->most > 0 && (double)s.len > o->most) {
        config_fault(l, "%s: has %zu characters; at most %.0f are allowed", from, s.len, o->most);
        return;
    }
    char **text = (char **)(void *)((char *)l->out + o->offset);
    free(*text);
    *text = xstrndup(s.ptr, s.len);
    if (o->is_secret)
        logger_add_secret(*text);
}

/* Checks and stores one value; `from` is the name it came under. */
static void set_option(struct loading *l, const struct option *o, const char *from,
                       const char *value)
{
    struct str s = str_trim(str_of(value));
    config_tell_trimmed(from, s, value);
    if (o->type == TYPE_BOOL) {
        bool b;
        if (config_parse_bool(s, &b))
            memcpy((char *)l->out + o->offset, &b, sizeof b);
        else
            config_fault(l, "%s: '%.*s' is not right; it must be true or false", from, (int)s.len,
                         s.ptr);
    } else if (o->type == TYPE_TEXT || o->type == TYPE_LIST) {
        set_text(l, o, from, s);
    } else {
        set_number(l, o, from, s);
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

/* Reads one of an option's names in the environment, or the file that NAME_FILE names. True: it is
 * set, rightly or not. */
static bool load_name(struct loading *l, const struct option *o, const char *name,
                      const char *set_before)
{
    char file_name[80];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    const char *value = config_env(l, name);
    const char *path = o->is_secret ? config_env(l, file_name) : NULL;
    if (!value && !path)
        return false;
    if ((value && path) || set_before) {
        config_fault(l, "%s: is set, and so is %s; take one of them out",
                     set_before ? (value ? name : file_name) : name,
                     set_before ? set_before : file_name);
    } else if (value) {
        set_option(l, o, name, value);
    } else {
        auto_free char *secret = config_secret_file(l, file_name, path);
        if (secret) {
            set_option(l, o, file_name, secret);
            secret_wipe(secret, strlen(secret));
        }
    }
    return true;
}

/* True: it has a value of its own. */
static bool load_option(struct loading *l, const struct option *o)
{
    char alias[64];
    set_default(l, o);
    bool is_set = load_name(l, o, o->env, NULL);
    if (config_alias(o, alias))
        is_set = load_name(l, o, alias, is_set ? o->env : NULL) || is_set;
    const json_t *yaml = json_object_get(l->yaml, o->yaml);
    const char *text = json_string_value(yaml);
    if (is_set || !yaml || (text && is_blank(text)))
        return is_set;
    if (text)
        set_option(l, o, o->yaml, text);
    else
        config_fault(l, "%s: must be a single value", o->yaml);
    return true;
}

/* --- files ----------------------------------------------------------------------------------- */

/* What an earlier file says goes over what this one says. */
static void load_file(struct loading *l, const char *path)
{
    struct config *c = l->out;
    size_t n = 0;
    while (c->files[n])
        n++;
    c->files[n] = xstrdup(path);
    auto_json json_t *flat = NULL;
    struct error err;
    if (yaml_file_read(path, &flat, &err) != STATUS_OK) {
        config_fault(l, "%s", err.text);
        return;
    }
    config_check_yaml_names(l, flat, path);
    json_object_update_missing(l->yaml, flat);
    struct stat st;
    for (size_t i = 0; i < config_option_count; i++)
        if (config_options[i].is_secret && json_object_get(flat, config_options[i].yaml) &&
            stat(path, &st) == 0 && (st.st_mode & 0077)) {
            log_warn("config", "a file with a secret can be read by others; chmod 600 helps",
                     LF_TEXT("file", path));
            break;
        }
}

/* The file that was named (it must exist) or the first of the usual places; below it the one that
 * `init` writes. */
static void load_files(struct loading *l)
{
    const char *named = l->origin->file ? l->origin->file : config_env(l, "CONFIG_PATH");
    if (named && access(named, R_OK) != 0)
        config_fault(l, "%s: cannot read '%s' (%s)", l->origin->file ? "--config" : "CONFIG_PATH",
                     named, strerrordesc_np(errno));
    else if (named)
        load_file(l, named);
    static const char *const places[] = {"./config.yaml", "./config.yml",
                                         "/etc/cartographus/config.yaml"};
    for (size_t i = 0; i < ARRAY_LEN(places) && !named; i++)
        if (access(places[i], R_OK) == 0)
            load_file(l, named = places[i]);
    const char *data = config_env(l, "DATA_DIR");
    auto_free char *own = xasprintf("%s/cartographus.yaml", data ? data : "./data");
    bool is_same = named && streq(named, own);
    if (!is_same && access(own, R_OK) == 0)
        load_file(l, own);
    else if (!is_same && access(own, F_OK) == 0)
        config_fault(l, "'%s' cannot be read by this user", own);
}

/* --- life ------------------------------------------------------------------------------------ */

enum status config_load(const struct config_origin *origin, bool is_serving, struct config *ret,
                        char **ret_faults)
{
    *ret = (struct config){0};
    auto_json json_t *yaml = json_object();
    bool has_fault[ARRAY_LEN(config_options)] = {0}, is_given[ARRAY_LEN(config_options)] = {0};
    struct loading l = {.origin = origin,
                        .environment = origin->environment ? origin->environment
                                                          : (const char *const *)environ,
                        .yaml = yaml,
                        .out = ret,
                        .has_fault = has_fault,
                        .is_given = is_given};
    load_files(&l);
    config_check_environment(&l);
    for (size_t i = 0; i < config_option_count; i++) {
        size_t said = l.faults.len;
        is_given[i] = load_option(&l, &config_options[i]);
        has_fault[i] = l.faults.len > said;
    }
    config_check_values(&l);
    config_load_servers(&l);
    if (is_serving)
        config_check_for_serving(&l);
    bool has_faults = l.faults.len > 0;
    *ret_faults = buf_steal(&l.faults);
    return has_faults ? STATUS_INVALID : STATUS_OK;
}

void config_done(struct config *c)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *o = &config_options[i];
        if (o->type != TYPE_TEXT && o->type != TYPE_LIST)
            continue;
        char **text = (char **)(void *)((char *)c + o->offset);
        if (*text && o->is_secret)
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
    for (size_t i = 0; i < CONFIG_FILES_MAX; i++)
        free(c->files[i]);
    *c = (struct config){0};
}
