/* What happens now: sync, sessions, the WebSocket. */
#include "api/request.h"

#include <stdatomic.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "live/live.h"
#include "net/ws_hub.h"
#include "sources/collector.h"

#include "base/banned.h"

enum { SERVERS_MOST = 64 };

static size_t statuses(struct api *a, struct source_status *ret)
{
    size_t n = 0;
    pthread_mutex_lock(&a->mutex);
    if (a->collector != NULL)
        n = collector_status(a->collector, ret, SERVERS_MOST);
    pthread_mutex_unlock(&a->mutex);
    return n < SERVERS_MOST ? n : SERVERS_MOST;
}

/* Members every one may see; those of a login follow it. */
static void write_state(struct json_writer *w, const struct server_config *server, size_t i,
                        const struct source_status *now)
{
    jw_kv_int(w, "ordinal", (int64_t)i + 1);
    jw_kv_text(w, "kind", server_kind_name(server->kind));
    jw_kv_text(w, "state", source_state_name(now->state));
    if (now->percent < 0)
        jw_kv_null(w, "percent");
    else
        jw_kv_int(w, "percent", now->percent);
}

static void write_identity(struct json_writer *w, const struct server_config *server,
                           const struct source_status *now)
{
    jw_kv_text(w, "key", server->key);
    jw_kv_text(w, "name", now->name);
    jw_kv_text(w, "url", server->url);
    jw_kv_text(w, "error", now->error[0] != '\0' ? now->error : NULL);
    jw_kv_text(w, "history_error", now->history_error[0] != '\0' ? now->history_error : NULL);
}

static void write_servers(const struct request *r, struct json_writer *w,
                          const struct source_status *all, size_t count)
{
    const struct config *c = r->api->config.config;
    jw_kv_array(w, "servers");
    for (size_t i = 0; i < count && i < c->server_count; i++) {
        const struct server_config *server = &c->servers[i];
        jw_object(w);
        write_state(w, server, i, &all[i]);
        if (r->is_logged_in) {
            write_identity(w, server, &all[i]);
            jw_kv_time(w, "last_event_at", all[i].last_event_us);
            struct store_value key = {.kind = SV_TEXT, .s = str_of(server->key)};
            int64_t plays = 0;
            struct error err = {0};
            if (store_query_int(r->conn,
                                "select count(*) from play join server using (server_id)"
                                " where key = $1 and not is_hidden",
                                &key, 1, 0, &plays, &err) == STATUS_OK)
                jw_kv_int(w, "plays", plays);
            else
                jw_kv_null(w, "plays");
        }
        jw_object_end(w);
    }
    jw_array_end(w);
}

static bool is_running(const struct source_status *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (all[i].percent >= 0 && all[i].percent < 100 && all[i].history_error[0] == '\0')
            return true;
    }
    return false;
}

void handle_sync_status(struct request *r)
{
    struct source_status all[SERVERS_MOST];
    size_t count = statuses(r->api, all);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "state", is_running(all, count) ? "running" : "idle");
    write_servers(r, &w, all, count);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

void sync_tell(struct api *a)
{
    const struct config *c = a->config.config;
    struct source_status all[SERVERS_MOST];
    size_t count = statuses(a, all);
    auto_buf struct buf frame = {0};
    struct json_writer w;
    jw_begin(&w, &frame);
    jw_object(&w);
    jw_kv_text(&w, "type", "sync");
    jw_kv_object(&w, "data");
    jw_kv_text(&w, "state", is_running(all, count) ? "running" : "idle");
    jw_kv_array(&w, "servers");
    for (size_t i = 0; i < count && i < c->server_count; i++) {
        jw_object(&w);
        write_state(&w, &c->servers[i], i, &all[i]);
        write_identity(&w, &c->servers[i], &all[i]);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    jw_object_end(&w);
    if (count == 0 || (a->told_sync && streq(a->told_sync, buf_text(&frame))))
        return;
    api_broadcast(a, buf_str(&frame));
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
    struct source_status all[SERVERS_MOST];
    bool was_running = is_running(all, statuses(a, all));
    struct error err = {0};
    enum status s;
    pthread_mutex_lock(&a->mutex);
    if (a->collector == NULL)
        s = fail(&err, STATUS_CONFLICT, "no media server is watched");
    else
        s = collector_sync_now(a->collector, NULL, &err);
    pthread_mutex_unlock(&a->mutex);
    if (s != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "state", was_running ? "running" : "started");
    jw_object_end(&w);
    request_reply(r, 202, &out);
}

void handle_sessions(struct request *r)
{
    static const char plays[] = "select count(*) from play where not is_hidden and kind = 'play'"
                                " and started >= $1";
    static const char watch[] = "select coalesce(sum(watch_ms), 0)::bigint from play"
                                " where not is_hidden and kind = 'play' and started >= $1";
    static const char people[] =
        "select count(distinct person_id) from play join account using (account_id)"
        " where not is_hidden and kind = 'play' and started >= $1";
    static const char midnight[] =
        "select epoch_us(date_trunc('day', now() at time zone $1) at time zone $1)";
    struct error err = {0};
    int64_t since_us = 0, counts[3] = {0};
    struct store_value zone = {.kind = SV_TEXT, .s = str_of(r->api->config.config->time_zone)};
    enum status s = store_query_int(r->conn, midnight, &zone, 1, 0, &since_us, &err);
    struct store_value since = {.kind = SV_TIME, .i = since_us};
    const char *const queries[] = {plays, watch, people};
    for (size_t i = 0; i < ARRAY_LEN(queries) && s == STATUS_OK; i++)
        s = store_query_int(r->conn, queries[i], &since, 1, 0, &counts[i], &err);
    if (s != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct source_status all[SERVERS_MOST];
    size_t count = statuses(r->api, all);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_key(&w, "sessions");
    live_write(r->api->config.live, &w);
    write_servers(r, &w, all, count);
    jw_kv_object(&w, "today");
    jw_kv_int(&w, "plays", counts[0]);
    jw_kv_int(&w, "watch_ms", counts[1]);
    jw_kv_int(&w, "people", counts[2]);
    jw_object_end(&w);
    jw_kv_time(&w, "at", clock_now_us());
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

/* --- the WebSocket --------------------------------------------------------------------------- */

/* Whose socket it is: it must not outlive the login. */
struct watcher {
    struct api *api;
    char token[AUTH_TOKEN_MAX]; /* "": the command line */
};

static void watcher_free(void *user)
{
    struct watcher *w = user;
    if (w == NULL)
        return;
    secret_wipe(w, sizeof *w);
    free(w);
}

void watcher_closed(void *ctx, uint64_t client, void *user)
{
    watcher_free(user);
}

static bool is_logged_in_still(void *ctx, void *user)
{
    const struct watcher *w = user;
    struct auth_user ignored;
    return w->token[0] == '\0' || auth_session(w->api->config.auth, w->token, &ignored);
}

void watchers_check(struct api *a)
{
    ws_hub_sweep(a->hub, 1008, is_logged_in_still);
}

static void upgraded(void *ctx, int fd, char *leftover, size_t leftover_len)
{
    struct watcher *w = ctx;
    if (!ws_hub_add(w->api->hub, fd, leftover, leftover_len, w))
        watcher_free(w);
}

void handle_ws(struct request *r)
{
    struct api *a = r->api;
    struct http_exchange *x = r->x;
    if (!http_wants_upgrade(x)) {
        request_fail_upgrade(r);
        return;
    }
    struct watcher *w = xcalloc(1, sizeof *w);
    w->api = a;
    if (!r->has_session || !http_cookie(x, AUTH_COOKIE, w->token, sizeof w->token))
        w->token[0] = '\0';
    request_release(r, 101);
    http_upgrade(x, upgraded, w);
}
