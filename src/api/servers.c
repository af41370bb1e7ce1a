/* The media servers: how they stand, and those that were added tried, added, changed, removed. */
#include "api/server_try.h"
#include "api/servers_now.h"

#include <stdio.h>

#include "base/logger.h"
#include "base/mem.h"
#include "ingest/decide.h"
#include "store/cursor.h"

#include "base/banned.h"

/* --- answers ------------------------------------------------------------------------------------- */

static void write_text_or_null(struct json_writer *w, const char *name, const char *text)
{
    jw_kv_text(w, name, text && *text ? text : NULL);
}

/* Never a token, or any part of one. */
static void write_server(struct json_writer *w, struct store_conn *conn, struct server_now *s,
                         size_t ordinal)
{
    const struct server_config *c = &s->entry->config;
    struct server_facts facts;
    server_facts(conn, c->key, &facts);
    if (!c->name && *facts.name && streq(s->status.name, c->key))
        snprintf(s->status.name, sizeof s->status.name, "%s", facts.name); /* as it said before */
    jw_object(w);
    server_write(w, s, ordinal, ROLE_ADMIN);
    server_write_counts(w, s, &facts);
    write_text_or_null(w, "version", facts.version);
    write_text_or_null(w, "own_name", c->name);
    jw_kv_bool(w, "is_stored", s->entry->is_stored);
    jw_kv_bool(w, "is_enabled", s->entry->is_enabled);
    jw_kv_bool(w, "has_token", c->token != NULL);
    jw_kv_bool(w, "tls_verify", !c->is_tls_unverified);
    jw_object_end(w);
}

static enum status write_former(struct json_writer *w, struct store_conn *conn,
                                const struct server_list *l, struct error *err)
{
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(conn, "select key, kind, name, plays from (select key, kind, name, (select count(*) from"
                          " play p where p.server_id = s.server_id and not is_hidden) as plays"
                          " from server s) where plays > 0 order by key", NULL, 0, &q, err));
    jw_kv_array(w, "former");
    while (cursor_next(&q)) {
        struct str key = cursor_text(&q, 0);
        auto_free char *text = xstrndup(key.len ? key.ptr : "", key.len);
        if (server_list_find(l, text))
            continue;
        jw_object(w);
        jw_kv_text(w, "key", text);
        jw_kv_str(w, "kind", cursor_text(&q, 1));
        jw_kv_str(w, "name", cursor_text(&q, 2));
        jw_kv_int(w, "plays", cursor_int(&q, 3, 0));
        jw_object_end(w);
    }
    jw_array_end(w);
    return STATUS_OK;
}

void handle_servers(struct request *r)
{
    auto_servers_now struct servers_now now = servers_now_get(r->api);
    auto_buf struct buf out = {0};
    struct json_writer w;
    struct error err = {0};
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_int(&w, "most", SERVERS_MAX);
    jw_kv_array(&w, "servers");
    for (size_t i = 0; i < now.list->count; i++)
        write_server(&w, r->conn, &now.all[i], i + 1);
    jw_array_end(&w);
    if (write_former(&w, r->conn, now.list, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    jw_object_end(&w);
    struct buf whole = out;
    out = (struct buf){0};
    request_reply(r, 200, &whole);
}

static void reply_server(struct request *r, int http_status, const char *key)
{
    auto_servers_now struct servers_now now = servers_now_get(r->api);
    size_t i = 0;
    while (i < now.list->count && !streq(now.list->entries[i].config.key, key))
        i++;
    if (i == now.list->count) {
        request_failf(r, STATUS_NOT_FOUND, "", "the media server '%s' was removed meanwhile", key);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_key(&w, "server");
    write_server(&w, r->conn, &now.all[i], i + 1);
    jw_object_end(&w);
    request_reply(r, http_status, &out);
}

/* --- who it is ----------------------------------------------------------------------------------- */

/* What we know of the machine that answered: *ret_key is what its plays are kept under, "" when there
 * are none. One that is in the list goes before others. */
static enum status find_machine(struct store_conn *conn, const struct server_list *l,
                                const struct probe_result *p, char ret_key[static SERVER_KEY_MAX + 1],
                                struct error *err)
{
    *ret_key = '\0';
    if (!*p->machine_id)
        return STATUS_OK;
    for (size_t i = 0; i < l->count; i++)
        if (l->entries[i].config.kind == p->kind && streq(l->entries[i].machine_id, p->machine_id)) {
            snprintf(ret_key, SERVER_KEY_MAX + 1, "%s", l->entries[i].config.key);
            return STATUS_OK;
        }
    struct store_value v[] = {{.kind = SV_TEXT, .s = str_of(p->machine_id)},
                              {.kind = SV_TEXT, .s = str_of(server_kind_name(p->kind))}};
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(conn, "select key from server where machine_id = $1 and kind = $2 order by server_id",
                    v, 2, &q, err));
    while (cursor_next(&q)) {
        struct str key = cursor_text(&q, 0);
        auto_free char *text = xstrndup(key.len ? key.ptr : "", key.len);
        bool is_listed = server_list_find(l, text) != NULL;
        if (key.len <= SERVER_KEY_MAX && (is_listed || !*ret_key))
            snprintf(ret_key, SERVER_KEY_MAX + 1, "%s", text);
        if (is_listed)
            break;
    }
    return STATUS_OK;
}

static const char *name_of(const struct server_list *l, const char *key)
{
    const struct server_entry *e = server_list_find(l, key);
    return e && e->config.name ? e->config.name : key;
}

/* --- trying ---------------------------------------------------------------------------------------- */

static void write_test(struct json_writer *w, struct request *r, const struct server_list *l,
                       const char *known)
{
    const struct server_try *t = r->server_try;
    const struct probe_result *p = &t->result;
    bool has_address = t->address.text[0] == '\0';
    bool is_other = *known && server_list_find(l, known) && !(t->key && streq(t->key, known));
    struct server_facts facts = {0};
    if (*known && !server_list_find(l, known))
        server_facts(r->conn, known, &facts);
    jw_object(w);
    jw_kv_text(w, "verdict", has_address ? probe_verdict_name(p->verdict) : "address");
    jw_kv_text(w, "text", has_address ? p->text : t->address.text);
    jw_kv_text(w, "likely_url", t->likely_url);
    jw_kv_text(w, "kind", has_address && p->kind < SERVER_KINDS ? server_kind_name(p->kind) : NULL);
    write_text_or_null(w, "name", p->name);
    write_text_or_null(w, "version", p->version);
    jw_kv_text(w, "known_as", is_other ? name_of(l, known) : NULL);
    jw_kv_int(w, "kept_plays", facts.plays > 0 ? facts.plays : 0);
    jw_object_end(w);
}

void handle_server_test(struct request *r)
{
    if (!r->conn) {
        (void)server_try_begin(r, SERVER_WISH_TEST);
        return;
    }
    auto_server_list struct server_list *l = servers_get(r->api->config.servers);
    char known[SERVER_KEY_MAX + 1];
    struct error err = {0};
    if (find_machine(r->conn, l, &r->server_try->result, known, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    write_test(&w, r, l, known);
    request_reply(r, 200, &out);
}

/* --- changing -------------------------------------------------------------------------------------- */

static enum status check_result(const struct server_try *t, struct error *err)
{
    const struct probe_result *p = &t->result;
    if (!t->is_probed || p->verdict == PROBE_FINE)
        return STATUS_OK;
    bool is_token = p->verdict == PROBE_UNAUTHORIZED || p->verdict == PROBE_FORBIDDEN;
    return fail_field(err, STATUS_INVALID, is_token ? "token" : "url", "%s: %s",
                      probe_verdict_name(p->verdict), p->text);
}

static struct server_change change_of(const struct server_try *t)
{
    struct server_change c = SERVER_CHANGE_NOTHING;
    c.url = t->url;
    c.token = t->token;
    c.name = t->name;
    c.machine_id = t->is_probed && *t->result.machine_id ? t->result.machine_id : NULL;
    c.is_enabled = t->is_enabled;
    c.is_tls_verified = t->is_tls_verified;
    return c;
}

/* The same machine goes on under the key that its plays have. */
static enum status add(struct request *r, char ret_key[static SERVER_KEY_MAX + 1], struct error *err)
{
    const struct server_try *t = r->server_try;
    struct servers *servers = r->api->config.servers;
    auto_server_list struct server_list *l = servers_get(servers);
    char known[SERVER_KEY_MAX + 1];
    TRY(check_result(t, err));
    TRY(find_machine(r->conn, l, &t->result, known, err));
    if (*known && server_list_find(l, known))
        return fail_field(err, STATUS_CONFLICT, "url", "this server is watched already, as '%s'",
                          name_of(l, known));
    struct server_change c = change_of(t);
    return servers_add(servers, t->kind, *known ? known : NULL, &c, ret_key, err);
}

void handle_server_add(struct request *r)
{
    if (!r->conn) {
        (void)server_try_begin(r, SERVER_WISH_ADD);
        return;
    }
    char key[SERVER_KEY_MAX + 1];
    struct error err = {0};
    if (add(r, key, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    log_info("servers", "a media server was added", LF_TEXT("server", key), LF_TEXT("by", r->user.name));
    reply_server(r, 201, key);
}

/* Another machine's plays are not put to these. */
static enum status check_machine(struct request *r, const struct server_entry *e, struct error *err)
{
    const struct server_try *t = r->server_try;
    struct server_facts facts;
    server_facts(r->conn, e->config.key, &facts);
    const char *known = *e->machine_id ? e->machine_id : facts.machine_id;
    if (!t->is_probed || !*known || !*t->result.machine_id || streq(known, t->result.machine_id))
        return STATUS_OK;
    return fail_field(err, STATUS_CONFLICT, "url",
                      "another server answers there than the one whose plays these are; add it as a server "
                      "of its own");
}

static enum status edit(struct request *r, struct error *err)
{
    const struct server_try *t = r->server_try;
    struct servers *servers = r->api->config.servers;
    auto_server_list struct server_list *l = servers_get(servers);
    const struct server_entry *e = server_list_find(l, t->key);
    TRY(check_result(t, err));
    if (e)
        TRY(check_machine(r, e, err));
    struct server_change c = change_of(t);
    return servers_edit(servers, t->key, &c, err);
}

void handle_server_edit(struct request *r)
{
    if (!r->conn) {
        (void)server_try_begin(r, SERVER_WISH_EDIT);
        return;
    }
    struct error err = {0};
    if (edit(r, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    log_info("servers", "a media server was changed", LF_TEXT("server", r->server_try->key),
             LF_TEXT("by", r->user.name));
    reply_server(r, 200, r->server_try->key);
}

struct removing {
    bool is_deleting; /* its plays, too */
    enum status status;
    struct error err;
};

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct removing *d = ctx;
    if (!streq(name, "plays"))
        d->status = fail_field(&d->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    else if (streq(value, "keep") || streq(value, "delete"))
        d->is_deleting = streq(value, "delete");
    else
        d->status = fail_field(&d->err, STATUS_INVALID, name, "must be keep or delete");
    return d->status == STATUS_OK;
}

void handle_server_remove(struct request *r)
{
    struct removing d = {.status = STATUS_OK};
    const char *key = r->params[0];
    int64_t deleted = 0;
    http_query_each(r->x, read_parameter, &d);
    if (d.status == STATUS_OK)
        d.status = servers_remove(r->api->config.servers, key, &d.err);
    if (d.status == STATUS_OK && d.is_deleting)
        d.status = decide_server_deleted(r->api->config.ingest, key, r->user.name, &deleted, &d.err);
    if (d.status != STATUS_OK) {
        request_fail(r, &d.err);
        return;
    }
    log_info("servers", "a media server was removed", LF_TEXT("server", key), LF_TEXT("by", r->user.name),
             LF_INT("plays_deleted", deleted));
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_int(&w, "plays_deleted", deleted);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

void handle_server_sync(struct request *r)
{
    struct api *a = r->api;
    auto_servers_now struct servers_now now = servers_now_get(a);
    const struct server_now *s = NULL;
    for (size_t i = 0; i < now.list->count; i++)
        if (streq(now.list->entries[i].config.key, r->params[0]))
            s = &now.all[i];
    if (!s) {
        request_failf(r, STATUS_NOT_FOUND, "", "there is no media server '%.60s'", r->params[0]);
        return;
    }
    bool was_running = server_is_syncing(s);
    struct error err = {0};
    enum status status;
    pthread_mutex_lock(&a->mutex);
    status = a->collector ? collector_sync_now(a->collector, r->params[0], &err) : STATUS_NOT_FOUND;
    pthread_mutex_unlock(&a->mutex);
    if (status != STATUS_OK) {
        request_failf(r, STATUS_CONFLICT, "", "'%s' is not watched now (%s)", s->status.name, s->state);
        return;
    }
    request_sync_asked(r, was_running);
}
