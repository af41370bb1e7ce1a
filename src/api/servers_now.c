#include "api/servers_now.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "store/cursor.h"

#include "base/banned.h"

static const char *state_of(const struct server_now *s)
{
    if (!s->entry->is_enabled)
        return "disabled";
    return s->entry->config.token ? source_state_name(s->status.state) : "needs_token";
}

struct servers_now servers_now_get(struct api *a)
{
    struct servers_now n = {.list = servers_get(a->config.servers)};
    n.all = xcalloc(n.list->count + 1, sizeof *n.all);
    pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < n.list->count; i++) {
        struct server_now *s = &n.all[i];
        s->entry = &n.list->entries[i];
        const struct server_config *c = &s->entry->config;
        if (!a->collector || !collector_status(a->collector, c->key, &s->status)) {
            s->status = (struct source_status){
                .state = SOURCE_CONNECTING, .percent = -1, .items = -1, .last_event_us = TIME_NONE};
            snprintf(s->status.key, sizeof s->status.key, "%s", c->key);
            snprintf(s->status.name, sizeof s->status.name, "%s", c->name ? c->name : c->key);
        }
        s->state = state_of(s);
    }
    pthread_mutex_unlock(&a->mutex);
    return n;
}

void servers_now_done(struct servers_now *n)
{
    server_list_unref(n->list);
    free(n->all);
}

bool server_is_watched(const struct server_now *s)
{
    return streq(s->state, source_state_name(SOURCE_CONNECTED)) ||
           streq(s->state, source_state_name(SOURCE_POLLING));
}

bool server_is_syncing(const struct server_now *s)
{
    return s->status.percent >= 0 && s->status.percent < 100 && s->status.history_error[0] == '\0';
}

bool servers_now_is_syncing(const struct servers_now *n)
{
    for (size_t i = 0; i < n->list->count; i++)
        if (server_is_syncing(&n->all[i]))
            return true;
    return false;
}

void request_sync_asked(struct request *r, bool was_syncing)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "state", was_syncing ? "running" : "started");
    jw_object_end(&w);
    request_reply(r, 202, &out);
}

void server_write(struct json_writer *w, const struct server_now *s, size_t ordinal, enum role reader)
{
    jw_kv_int(w, "ordinal", (int64_t)ordinal);
    jw_kv_text(w, "kind", server_kind_name(s->entry->config.kind));
    jw_kv_text(w, "state", s->state);
    if (s->status.percent < 0)
        jw_kv_null(w, "percent");
    else
        jw_kv_int(w, "percent", s->status.percent);
    if (reader >= ROLE_VIEWER)
        jw_kv_text(w, "name", s->status.name);
    if (reader < ROLE_ADMIN)
        return;
    jw_kv_text(w, "key", s->entry->config.key);
    jw_kv_text(w, "url", s->entry->config.url);
    jw_kv_text(w, "error", s->status.error[0] != '\0' ? s->status.error : NULL);
    jw_kv_text(w, "history_error", s->status.history_error[0] != '\0' ? s->status.history_error : NULL);
    if (s->status.items >= 0)
        jw_kv_int(w, "items", s->status.items);
    else
        jw_kv_null(w, "items");
    jw_kv_text(w, "items_error", s->status.items_error[0] != '\0' ? s->status.items_error : NULL);
}

void server_write_counts(struct json_writer *w, const struct server_now *s, const struct server_facts *f)
{
    jw_kv_time(w, "last_event_at", s->status.last_event_us);
    if (f->plays >= 0)
        jw_kv_int(w, "plays", f->plays);
    else
        jw_kv_null(w, "plays");
}

static void keep(char *dst, size_t size, struct str text)
{
    snprintf(dst, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

void server_facts(struct store_conn *c, const char *key, struct server_facts *ret)
{
    *ret = (struct server_facts){.plays = -1};
    struct store_value v[] = {{.kind = SV_TEXT, .s = str_of(key)}};
    struct error err = {0};
    auto_cursor struct cursor q = {0};
    if (cursor_open(c, "select (select count(*) from play p where p.server_id = s.server_id and not"
                       " is_hidden), version, name, machine_id from server s where key = $1", v, 1, &q,
                    &err) != STATUS_OK) {
        log_warn("api", "the store does not tell about a server", LF_TEXT("server", key), LF_ERROR(&err));
        return;
    }
    ret->plays = 0;
    if (!cursor_next(&q))
        return;
    ret->plays = cursor_int(&q, 0, 0);
    keep(ret->version, sizeof ret->version, cursor_text(&q, 1));
    keep(ret->name, sizeof ret->name, cursor_text(&q, 2));
    keep(ret->machine_id, sizeof ret->machine_id, cursor_text(&q, 3));
}
