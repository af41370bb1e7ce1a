/* What happens now: sync and sessions. */
#include "api/servers_now.h"

#include <stdatomic.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ingest/ingest.h"
#include "live/live.h"
#include "sources/collector.h"
#include "store/cursor.h"
#include "store/rows.h"

#include "base/banned.h"

static void write_servers(const struct request *r, struct json_writer *w, const struct servers_now *now)
{
    enum role reader = r->is_logged_in ? r->user.role : ROLE_NOBODY;
    jw_kv_array(w, "servers");
    for (size_t i = 0; i < now->list->count; i++) {
        const struct server_now *s = &now->all[i];
        jw_object(w);
        server_write(w, s, i + 1, reader);
        if (reader >= ROLE_ADMIN) {
            struct server_facts facts;
            server_facts(r->conn, s->status.key, &facts);
            server_write_counts(w, s, &facts);
        }
        jw_object_end(w);
    }
    jw_array_end(w);
}

void handle_sync_status(struct request *r)
{
    auto_servers_now struct servers_now now = servers_now_get(r->api);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "state", servers_now_is_syncing(&now) ? "running" : "idle");
    write_servers(r, &w, &now);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

static void write_frame(const struct servers_now *now, enum role reader, struct buf *frame)
{
    struct json_writer w;
    jw_begin(&w, frame);
    jw_object(&w);
    jw_kv_text(&w, "type", "sync");
    jw_kv_object(&w, "data");
    jw_kv_text(&w, "state", servers_now_is_syncing(now) ? "running" : "idle");
    jw_kv_array(&w, "servers");
    for (size_t i = 0; i < now->list->count; i++) {
        jw_object(&w);
        server_write(&w, &now->all[i], i + 1, reader);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    jw_object_end(&w);
}

void sync_tell(struct api *a)
{
    auto_servers_now struct servers_now now = servers_now_get(a);
    auto_buf struct buf frame = {0}, less = {0};
    write_frame(&now, ROLE_ADMIN, &frame);
    bool is_news = a->told_sync ? !streq(a->told_sync, buf_text(&frame)) : now.list->count > 0;
    if (!is_news)
        return;
    write_frame(&now, ROLE_VIEWER, &less);
    watchers_tell(a, buf_str(&frame), ROLE_ADMIN, NULL);
    watchers_tell(a, buf_str(&less), ROLE_VIEWER, NULL);
    free(a->told_sync);
    a->told_sync = xstrdup(buf_text(&frame));
}

/* What only a page or a proxy sends. */
static bool is_no_tell(void *ctx, const char *name, const char *value)
{
    static const char *const tells[] = {"Origin", "Referer", "Cookie", "Forwarded", "X-Real-IP", "Via"};
    static const char *const beginnings[] = {"Sec-Fetch-", "X-Forwarded-"};
    bool *is_bare = ctx;
    for (size_t i = 0; i < ARRAY_LEN(tells); i++)
        *is_bare = *is_bare && strcasecmp(name, tells[i]) != 0;
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
        *is_bare = *is_bare && strncasecmp(name, beginnings[i], strlen(beginnings[i])) != 0;
    return *is_bare;
}

/* Host is this very machine with our own port: one that a proxy passes on has the proxy's. */
static bool is_own_host(const struct api *a, const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    char port[24];
    snprintf(port, sizeof port, ":%lld", (long long)a->config.config->http_port);
    for (size_t i = 0; host != NULL && i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);
        if (strncasecmp(host, names[i], n) == 0 &&
            (streq(host + n, port) || (host[n] == '\0' && streq(port, ":80"))))
            return true;
    }
    return false;
}

/* Somebody at this very machine, by curl: no page, no proxy. */
static bool is_local_hand(const struct request *r)
{
    static const struct address_range loopback[] = {
        {{{[10] = 0xff, [11] = 0xff, [12] = 127}}, 104}, {{{[15] = 1}}, 128}};
    struct address peer;
    if (!r->api->config.config->trust_loopback || !address_of_socket(http_peer(r->x), &peer) ||
        !(address_range_has(&loopback[0], &peer) || address_range_has(&loopback[1], &peer)))
        return false;
    bool is_bare = true;
    http_header_each(r->x, is_no_tell, &is_bare);
    return is_bare && is_own_host(r->api, http_header(r->x, "Host"));
}

void handle_sync_trigger(struct request *r)
{
    struct api *a = r->api;
    if (r->is_logged_in && r->user.role < ROLE_ADMIN) {
        request_failf(r, STATUS_DENIED, "", "this needs an administrator");
        return;
    }
    if (!r->is_logged_in) {
        if (!is_local_hand(r)) {
            request_failf(r, STATUS_UNAUTHORIZED, "",
                          "login required: POST /api/v1/auth/login with username and password");
            return;
        }
        int64_t now = clock_monotonic_us();
        int64_t last = a->anonymous_trigger_us;
        if ((last != 0 && now - last < 10 * US_PER_S) ||
            !atomic_compare_exchange_strong(&a->anonymous_trigger_us, &last, now)) {
            http_add_header(r->x, "Retry-After", "10");
            request_failf(r, STATUS_RATE_LIMITED, "", "once in 10 seconds without a login");
            return;
        }
    }
    auto_servers_now struct servers_now now = servers_now_get(a);
    bool was_running = servers_now_is_syncing(&now);
    struct error err = {0};
    enum status s;
    pthread_mutex_lock(&a->mutex);
    if (a->collector == NULL || now.list->count == 0)
        s = fail(&err, STATUS_CONFLICT, "no media server is watched");
    else
        s = collector_sync_now(a->collector, NULL, &err);
    pthread_mutex_unlock(&a->mutex);
    if (s == STATUS_OK)
        ingest_match_people(a->config.ingest); /* what the servers tell anew is matched as it comes */
    if (s != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    request_sync_asked(r, was_running);
}

struct today {
    int64_t plays, watch_ms, people;
};

/* What the asker may see of it. */
static enum status read_today(struct request *r, const struct filter *f, struct today *ret,
                              struct error *err)
{
    auto_buf struct buf sql = {0};
    buf_puts(&sql, "with ");
    filter_sql(f, &sql);
    buf_puts(&sql, "\nselect count(*), coalesce(sum(watch_ms), 0)::bigint, count(distinct person_id)"
                   " from filtered_play where kind = 'play'");
    size_t count;
    const struct store_named *values = filter_values(f, &count);
    auto_cursor struct cursor c = {0};
    TRY(store_query_named(r->conn, buf_text(&sql), values, count, &c.result, err));
    if (cursor_next(&c))
        *ret = (struct today){cursor_int(&c, 0, 0), cursor_int(&c, 1, 0), cursor_int(&c, 2, 0)};
    return STATUS_OK;
}

/* Whose plays a viewer sees, so that a page without any can say why; of an administrator null. */
static enum status write_accounts(struct request *r, const struct filter *f, struct json_writer *w,
                                  struct error *err)
{
    if (!filter_is_scoped(f)) {
        jw_kv_null(w, "accounts");
        return STATUS_OK;
    }
    auto_buf struct buf sql = {0};
    buf_puts(&sql, "select coalesce(v.name, v.key) as server, v.kind as server_kind, a.name as account"
                   " from account a join server v using (server_id) where ");
    filter_scope_sql(f, &sql);
    buf_puts(&sql, " order by 1, 3");
    size_t count;
    const struct store_named *values = filter_values(f, &count);
    auto_result duckdb_result result = {0};
    TRY(store_query_named(r->conn, buf_text(&sql), values, count, &result, err));
    auto_rows struct rows rows = {0};
    TRY(rows_begin(&rows, result, ROWS_JSON, err));
    jw_kv_array(w, "accounts");
    while (rows_next(&rows, w->out)) {
    }
    jw_array_end(w);
    return STATUS_OK;
}

/* What was played today, and whose plays these are. */
static enum status write_own(struct request *r, struct json_writer *w, struct error *err)
{
    struct filter_config config = request_filter_config(r);
    auto_filter struct filter *f = filter_new(&config);
    struct today today = {0};
    bool is_known;
    TRY(filter_take(f, "days", "1", &is_known, err));
    TRY(filter_take(f, "short", "include", &is_known, err));
    TRY(filter_finish(f, r->conn, err));
    TRY(write_accounts(r, f, w, err));
    TRY(read_today(r, f, &today, err));
    jw_kv_object(w, "today");
    jw_kv_int(w, "plays", today.plays);
    jw_kv_int(w, "watch_ms", today.watch_ms);
    jw_kv_int(w, "people", today.people);
    jw_object_end(w);
    return STATUS_OK;
}

void handle_sessions(struct request *r)
{
    struct error err = {0};
    auto_servers_now struct servers_now now = servers_now_get(r->api);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_key(&w, "sessions");
    live_write(r->api->config.live, &r->scope, &w);
    write_servers(r, &w, &now);
    if (write_own(r, &w, &err) != STATUS_OK) {
        buf_done(&out);
        request_fail(r, &err);
        return;
    }
    jw_kv_time(&w, "at", clock_now_us());
    jw_object_end(&w);
    request_reply(r, 200, &out);
}
