#include "config/loading.h"

#include <stdio.h>

#include "base/json_read.h"
#include "base/logger.h"
#include "config/server_url.h"

#include "base/banned.h"

enum { SERVER_LIST_MAX = 64 * 1024 };

/* Checks a server's URL and gives it in its plain form; NULL after saying what is wrong. */
static char *check_url(struct loading *l, enum server_kind kind, const char *option,
                       const char *value)
{
    config_tell_trimmed(option, str_trim(str_of(value)), value);
    struct error err = {0};
    char *url = server_url_check(kind, value, NULL, &err);
    if (!url)
        config_fault(l, "%s: %s", option, err.text);
    return url;
}

/* --- one server ----------------------------------------------------------------------------- */

/* The key under which a server's plays are kept: its own id where it has one, else kind and
 * place in the order. NULL after a fault. */
static char *key_of(struct loading *l, enum server_kind kind, const char *option, const char *id)
{
    const struct config *c = l->out;
    unsigned ordinal = 1;
    for (unsigned i = 0; i < c->server_count; i++)
        ordinal += c->servers[i].kind == kind;
    auto_free char *key = *id ? xstrdup(id) : xasprintf("%s-%u", server_kind_name(kind), ordinal);
    if (strlen(key) > SERVER_KEY_MAX ||
        key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")]) {
        config_fault(l, "%s: '%s' is not right; it must be at most %d letters, digits or any of -_.",
                     option, id, SERVER_KEY_MAX);
        return NULL;
    }
    for (unsigned i = 0; i < c->server_count; i++)
        if (streq(c->servers[i].key, key)) {
            config_fault(l, "%s: two servers go by '%s'; give each an id of its own", option, key);
            return NULL;
        }
    return steal_ptr(&key);
}

/* Without either of them nothing would tell what plays. */
static void check_watching(struct loading *l, const struct server_config *server)
{
    static const char *const names[SERVER_KINDS][2] = {
        {"ENABLE_PLEX_REALTIME", "PLEX_SESSION_POLLING_ENABLED"},
        {"JELLYFIN_REALTIME_ENABLED", "JELLYFIN_SESSION_POLLING_ENABLED"},
        {"EMBY_REALTIME_ENABLED", "EMBY_SESSION_POLLING_ENABLED"}};
    if (!server->is_realtime && !server->is_polling)
        config_fault(l, "%s: live updates and polling are both off for %s, so nothing would tell what "
                        "plays; switch one on (%s or %s)", names[server->kind][1], server->key,
                     names[server->kind][0], names[server->kind][1]);
}

/* Takes over the texts of `from` (but for the key, which it makes from `id`), or frees them. */
static void add_server(struct loading *l, const char *option, const char *id,
                       struct server_config from)
{
    struct config *c = l->out;
    from.key = c->server_count < SERVERS_MAX ? key_of(l, from.kind, option, id) : NULL;
    if (c->server_count >= SERVERS_MAX)
        config_fault(l, "%s: more than %d servers", option, SERVERS_MAX);
    if (!from.key) {
        free(from.url);
        free(from.token);
        free(from.name);
        return;
    }
    check_watching(l, &from);
    c->servers = xreallocarray(c->servers, c->server_count + 1, sizeof *c->servers);
    c->servers[c->server_count++] = from;
}

/* The options of one kind's single server. */
struct single {
    bool is_on;
    const char *switch_name, *url_name, *token_name, *id_name;
    const char *url, *token, *id;
    bool is_tls_verified;
    struct server_config rest;
};

static void add_single(struct loading *l, const struct single *s)
{
    enum server_kind kind = s->rest.kind;
    if (!s->is_on && (*s->url || *s->token)) {
        log_warn("config", "a server has an address or a token, but is not switched on",
                 LF_TEXT("switch", s->switch_name), LF_TEXT("kind", server_kind_name(kind)));
        return;
    }
    if (!s->is_on)
        return;
    if (!*s->url)
        config_fault(l, "%s: is missing; give the server's address, such as http://192.168.1.100:%s",
                     s->url_name, server_kinds[kind].port);
    if (!*s->token)
        config_fault(l, "%s: is missing; give %s", s->token_name, server_kinds[kind].token);
    auto_free char *url = *s->url ? check_url(l, kind, s->url_name, s->url) : NULL;
    if (!url || !*s->token)
        return;
    struct server_config server = s->rest;
    server.url = steal_ptr(&url);
    server.token = xstrdup(s->token);
    server.is_tls_unverified = !s->is_tls_verified;
    add_server(l, s->id_name, s->id, server);
}

/* --- lists ----------------------------------------------------------------------------------- */

static const char *const item_names[] = {
    "url",  "token",   "api_key",          "token_file",              "name",
    "id",   "enabled", "realtime_enabled", "session_polling_enabled", "session_polling_interval",
    "tls_verify"};

static void check_item_names(struct loading *l, const char *from, size_t i, json_t *item)
{
    const char *given;
    json_t *value;
    json_object_foreach(item, given, value) {
        const char *near = NULL;
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_LEN(item_names) && !is_known; k++) {
            is_known = streq(item_names[k], given);
            if (str_distance(str_of(given), str_of(item_names[k]), 2) <= 2)
                near = item_names[k];
        }
        if (!is_known)
            config_fault(l, "%s[%zu].%s: no such option of a server%s%s%s", from, i, given,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
}

/* true, false, or `fallback` when absent. */
static bool item_bool(struct loading *l, const char *from, size_t i, const json_t *item,
                      const char *name, bool fallback)
{
    const json_t *v = jget(item, name);
    bool b = fallback;
    if (json_is_boolean(v))
        return json_is_true(v);
    if (v && !(json_is_string(v) && config_parse_bool(str_trim(str_of(json_string_value(v))), &b)))
        config_fault(l, "%s[%zu].%s: must be true or false", from, i, name);
    return b;
}

static int64_t item_interval(struct loading *l, const char *from, size_t i, const json_t *item,
                             int64_t fallback)
{
    const char *text = jstr(item, "session_polling_interval");
    int64_t us = fallback;
    if (*text && (!config_parse_duration(str_trim(str_of(text)), &us) || us < 1000000))
        config_fault(l, "%s[%zu].session_polling_interval: '%s' is not right; it must be a duration "
                        "such as 30s or 5m, at least 1s", from, i, text);
    return us;
}

/* The caller frees; NULL: missing or a fault. */
static char *item_token(struct loading *l, const char *from, size_t i, const json_t *item)
{
    char option[96];
    snprintf(option, sizeof option, "%s[%zu].token_file", from, i);
    if (*jstr(item, "token_file"))
        return config_secret_file(l, option, jstr(item, "token_file"));
    const char *given = *jstr(item, "token") ? jstr(item, "token") : jstr(item, "api_key");
    struct str token = str_trim(str_of(given));
    snprintf(option, sizeof option, "%s[%zu].token", from, i);
    config_tell_trimmed(option, token, given);
    if (!token.len) {
        config_fault(l, "%s[%zu].token: is missing", from, i);
        return NULL;
    }
    return xstrndup(token.ptr, token.len);
}

/* What an item does not say is as the kind's own options say (`rest`). */
static void add_item(struct loading *l, const char *from, size_t i, json_t *item,
                     const struct server_config *rest)
{
    enum server_kind kind = rest->kind;
    char option[96];
    snprintf(option, sizeof option, "%s[%zu].url", from, i);
    check_item_names(l, from, i, item);
    if (!item_bool(l, from, i, item, "enabled", true))
        return;
    auto_free char *token = item_token(l, from, i, item);
    auto_free char *url = NULL;
    if (*jstr(item, "url"))
        url = check_url(l, kind, option, jstr(item, "url"));
    else
        config_fault(l, "%s: is missing; give the server's address", option);
    if (token)
        logger_add_secret(token);
    if (!url || !token)
        return;
    const char *name = jstr(item, "name");
    snprintf(option, sizeof option, "%s[%zu].id", from, i);
    add_server(l, option, jstr(item, "id"),
               (struct server_config){
                   .kind = kind,
                   .url = steal_ptr(&url),
                   .token = steal_ptr(&token),
                   .name = *name ? xstrdup(name) : NULL,
                   .is_realtime = item_bool(l, from, i, item, "realtime_enabled", rest->is_realtime),
                   .is_polling =
                       item_bool(l, from, i, item, "session_polling_enabled", rest->is_polling),
                   .is_tls_unverified = !item_bool(l, from, i, item, "tls_verify", true),
                   .polling_interval_us = item_interval(l, from, i, item, rest->polling_interval_us)});
}

static void add_list(struct loading *l, const json_t *list, const char *from,
                     const struct server_config *rest)
{
    size_t i;
    json_t *item;
    if (!json_is_array(list)) {
        config_fault(l, "%s: must be a list of servers, each with url and token", from);
        return;
    }
    json_array_foreach(list, i, item) {
        if (json_is_object(item))
            add_item(l, from, i, item, rest);
        else
            config_fault(l, "%s[%zu]: must be a server with url and token", from, i);
    }
}

/* The list from NAME, or from the file that NAME_FILE names; NULL: neither. */
static char *list_text(struct loading *l, enum server_kind kind, char from[static 64])
{
    snprintf(from, 64, "%s", server_kinds[kind].list_env);
    const char *text = config_env(l, from);
    if (text)
        return xstrdup(text);
    snprintf(from, 64, "%s_FILE", server_kinds[kind].list_env);
    const char *path = config_env(l, from);
    return path ? config_secret_file(l, from, path) : NULL;
}

static void add_lists(struct loading *l, const struct server_config *rest)
{
    enum server_kind kind = rest->kind;
    char from[64];
    auto_free char *text = list_text(l, kind, from);
    const json_t *from_yaml = json_object_get(l->yaml, server_kinds[kind].list_yaml);
    if (text) {
        auto_json json_t *list = NULL;
        struct error err;
        if (json_parse(str_of(text), SERVER_LIST_MAX, 4, &list, &err) != STATUS_OK)
            config_fault(l, "%s: %s; it must be like [{\"url\":\"...\",\"token\":\"...\"}]", from,
                         err.text);
        else
            add_list(l, list, from, rest);
        secret_wipe(text, strlen(text));
    } else if (from_yaml) {
        add_list(l, from_yaml, server_kinds[kind].list_yaml, rest);
    }
}

/* A row of options for each kind. */
static void read_singles(const struct config *c, struct single ret[SERVER_KINDS])
{
    const struct single singles[SERVER_KINDS] = {
#define SERVER_KIND(NAME, word, article, label, port, switch_env, realtime_env, token_env, ...)  \
    {c->word##_enabled, switch_env, #NAME "_URL", token_env, #NAME "_SERVER_ID", c->word##_url,  \
     c->word##_token, c->word##_server_id, c->word##_tls_verify,                                 \
     {.kind = SERVER_##NAME, .is_realtime = c->word##_realtime, .is_polling = c->word##_polling, \
      .polling_interval_us = c->word##_polling_interval}},
#include "model/server_kinds.def"
#undef SERVER_KIND
    };
    memcpy(ret, singles, sizeof singles);
}

void config_usual_servers(const struct config *c, struct server_config ret[SERVER_KINDS])
{
    struct single singles[SERVER_KINDS];
    read_singles(c, singles);
    for (unsigned k = 0; k < SERVER_KINDS; k++)
        ret[k] = singles[k].rest;
}

void config_load_servers(struct loading *l)
{
    struct single singles[SERVER_KINDS];
    read_singles(l->out, singles);
    for (unsigned k = 0; k < SERVER_KINDS; k++)
        add_single(l, &singles[k]);
    for (unsigned k = 0; k < SERVER_KINDS; k++)
        add_lists(l, &singles[k].rest);
}
