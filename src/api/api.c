#include "api/api.h"

#include "analytics/analytics.h"
#include "api/identify.h"
#include "api/metrics.h"
#include "api/openapi.h"
#include "api/pool.h"
#include "api/request.h"
#include "api/restores.h"
#include "auth/basic.h"
#include "auth/oidc.h"
#include "auth/origin.h"
#include "auth/plex_login.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "net/ws_hub.h"
#include "servers/servers.h"
#include "sources/prober.h"
#include "sql/sql.h"

#include "base/banned.h"

#define PREFIX "/api/v1"
#define METRICS_PATH "/metrics"
enum { WATCHERS_TICKS = 25, METRICS_TICKS = 150, BODY_MOST_OF_NONE = 4096, ANSWERS_MOST = 32 * 1024 * 1024 };

/* --- routing --------------------------------------------------------------------------------- */

/* {name} takes all that is left: a query's name may have a slash in it. */
static bool match(const char *pattern, const char *path, char params[][REQUEST_PARAM_MAX])
{
    struct str want = str_of(pattern), have = str_of(path), a, b;
    unsigned count = 0;
    while (true) {
        bool has_a = str_next(&want, '/', &a);
        bool has_b = str_next(&have, '/', &b);
        if (!has_a || !has_b)
            return has_a == has_b;
        if (str_eq(a, STR("{name}")) && have.ptr) {
            b.len += 1 + have.len;
            have = (struct str){0};
        }
        if (a.len > 0 && a.ptr[0] == '{') {
            if (b.len == 0 || b.len >= REQUEST_PARAM_MAX || count == REQUEST_PARAMS_MAX)
                return false;
            memcpy(params[count], b.ptr, b.len);
            params[count++][b.len] = '\0';
        } else if (!str_eq(a, b)) {
            return false;
        }
    }
}

/* The row for what is asked; NULL: there is none, and `allowed` has the path's methods, if it has any. */
static const struct route *route_of(const struct http_exchange *x, char params[][REQUEST_PARAM_MAX],
                                    struct buf *allowed)
{
    const char *path = http_path(x);
    const char *pattern = NULL;
    const char *below = str_has_prefix(str_of(path), STR(PREFIX "/")) ? path + sizeof PREFIX - 1 : NULL;
    /* Providers know us by addresses without the version. */
    if (str_has_prefix(str_of(path), STR("/api/auth/oidc/")))
        below = path + sizeof "/api" - 1;
    if (streq(path, METRICS_PATH)) /* where Prometheus looks by itself */
        below = path;
    /* The queries of the search answer there, too. */
    auto_free char *query = NULL;
    if (below != NULL && str_has_prefix(str_of(below), STR("/search/")))
        below = query = xasprintf("/analytics%s", below);
    if (below != NULL && str_is_utf8(str_of(path))) {
        for (size_t i = 0; i < api_route_count; i++) {
            const char *method = api_routes[i].method;
            /* The first pattern that fits is meant: /servers/test is no server's key. */
            if ((pattern != NULL && !streq(pattern, api_routes[i].pattern)) ||
                !match(api_routes[i].pattern, below, params))
                continue;
            pattern = api_routes[i].pattern;
            buf_printf(allowed, "%s%s", allowed->len ? ", " : "",
                       streq(method, "GET") ? "GET, HEAD" : method);
            if (streq(method, http_method(x)))
                return &api_routes[i];
        }
    }
    return NULL;
}

/* False after having answered. */
static bool find_route(struct request *r)
{
    struct error err = {0};
    auto_buf struct buf allowed = {0};
    r->route = route_of(r->x, r->params, &allowed);
    if (r->route)
        return true;
    if (allowed.len) {
        http_add_header(r->x, "Allow", allowed.data);
        (void)fail(&err, STATUS_INVALID, "%.16s is not possible here", http_method(r->x));
        request_fail_as(r, 405, "METHOD_NOT_ALLOWED", &err);
    } else {
        request_failf(r, STATUS_NOT_FOUND, "", "no such path");
    }
    return false;
}

void request_to_worker(struct request *r)
{
    http_keep(r->x);
    if (pool_submit(r->api->pool, r))
        return;
    http_add_header(r->x, "Retry-After", "1");
    request_failf(r, STATUS_UNAVAILABLE, "", "too many requests wait: try again");
}

struct filter_config request_filter_config(struct request *r)
{
    r->is_scope_asked = true;
    return (struct filter_config){.time_zone = r->api->config.config->time_zone,
                                  .now_us = clock_now_us(),
                                  .sees_all = r->scope.sees_all,
                                  .scope = &r->scope};
}

static struct request *request_new(struct api *a, struct http_exchange *x)
{
    struct request *r = xcalloc(1, sizeof *r);
    r->api = a;
    r->x = x;
    r->started_us = clock_monotonic_us();
    request_find_asker(r);
    return r;
}

/* By a login that is known. Any thread. */
static void run(struct request *r)
{
    struct error err = {0};
    request_find_scope(r);
    if (!request_is_allowed(r))
        request_refuse(r);
    else if (!r->route->is_for_setup && !http_is_control(r->x) && setup_is_due(r->api))
        request_failf(r, STATUS_CONFLICT, "", "there is no media server yet: log in and add the first one");
    else if (request_check_parameters(r, &err) != STATUS_OK || request_read_body(r, &err) != STATUS_OK)
        request_fail(r, &err);
    else if (r->route->run_in == RUN_QUERY)
        request_to_worker(r);
    else
        r->route->handle(r);
}

/* The auth worker. Where nobody need log in, wrong credentials are in nobody's way. */
static void verified(void *ctx, const struct auth_login_result *result)
{
    struct request *r = ctx;
    logger_set_request(http_request_id(r->x));
    r->is_logged_in = result->status == STATUS_OK;
    r->via = "basic";
    r->user = result->user;
    if (r->is_logged_in || r->route->role == ROLE_NOBODY) {
        run(r);
    } else {
        if (result->status == STATUS_UNAUTHORIZED)
            request_challenge(r);
        request_fail(r, &result->error);
    }
    logger_set_request(NULL);
}

/* HTTP Basic: known, or to be checked by the auth worker, which goes on with the request. False:
 * there is nothing of the kind. */
static bool verify(struct request *r)
{
    const char *header = http_header(r->x, "Authorization");
    if (r->is_logged_in || header == NULL ||
        !config_has_auth_mode(r->api->config.config, "basic"))
        return false;
    struct auth *auth = r->api->config.auth;
    struct basic_credentials given;
    struct auth_login_result refused = {.status = STATUS_UNAUTHORIZED};
    bool is_read = basic_parse(header, &given), is_under_way = false;
    if (!is_read) {
        (void)fail_field(&refused.error, STATUS_UNAUTHORIZED, "Authorization",
                         "this is no HTTP Basic with user name and password");
    } else if (auth_remembers(auth, given.name, given.password, &r->user)) {
        r->is_logged_in = true;
        r->via = "basic";
    } else {
        struct auth_try try = {given.name, given.password, r->asker.address, NULL};
        int64_t retry_after_s = 0;
        http_keep(r->x);
        refused.status = auth_verify(auth, &try, verified, r, &retry_after_s, &refused.error);
        is_under_way = refused.status == STATUS_OK;
        if (!is_under_way)
            request_retry_after(r, retry_after_s);
    }
    secret_wipe(&given, sizeof given);
    if (r->is_logged_in)
        return false;
    if (!is_under_way)
        verified(r, &refused);
    return true;
}

static void handle_api(struct api *a, struct http_exchange *x)
{
    struct request *r = request_new(a, x);
    if (!find_route(r))
        return;
    struct error err = {0};
    if (request_identify(r, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    /* Without a login the trigger takes nothing from any page, and says how to log in. */
    bool is_open_trigger = r->route->handle == handle_sync_trigger && !r->is_logged_in &&
                           http_header(x, "Authorization") == NULL;
    /* No page of another site can have a browser send a token. */
    bool is_page_checked = !http_is_control(x) && !is_open_trigger && !r->is_by_token &&
                           (is_change(http_method(x)) || r->route->handle == handle_ws);
    if (is_page_checked &&
        !auth_is_same_origin(http_header(x, "Origin"), r->asker.scheme, r->asker.host,
                             http_header(x, "Sec-Fetch-Site")))
        request_failf(r, STATUS_DENIED, "Origin", "this request comes from another site");
    else if (!verify(r))
        run(r);
}

static void add_security_headers(struct http_exchange *x)
{
    http_add_header(x, "X-Content-Type-Options", "nosniff");
    http_add_header(x, "Referrer-Policy", "same-origin");
    http_add_header(x, "X-Frame-Options", "DENY");
    http_add_header(x, "Cross-Origin-Opener-Policy", "same-origin-allow-popups"); /* plex.tv's login */
    http_add_header(x, "Content-Security-Policy",
                    "default-src 'self'; worker-src 'self' blob:; img-src 'self' data: blob:; "
                    "object-src 'none'; base-uri 'none'; "
                    "form-action 'self'; frame-ancestors 'none'");
}

void api_handle(void *ctx, struct http_exchange *x)
{
    add_security_headers(x);
    const char *path = http_path(x);
    if (str_has_prefix(str_of(path), STR("/api/")) || streq(path, "/api") || streq(path, METRICS_PATH)) {
        handle_api(ctx, x);
    } else if (is_change(http_method(x))) {
        http_reply_static(x, 405, "text/plain; charset=utf-8", STR("only GET is possible here\n"));
    } else {
        assets_reply(&((struct api *)ctx)->page, x);
    }
}

/* An administrator, who is asked for before the first byte is read; false after having answered. No
 * password is checked then, as that takes a thread's time: HTTP Basic must be known already. */
static bool may_send(struct request *r)
{
    const struct api *a = r->api;
    struct error err = {0};
    if (request_identify(r, &err) != STATUS_OK) {
        http_add_header(r->x, "Connection", "close");
        request_fail(r, &err);
        return false;
    }
    const char *header = http_header(r->x, "Authorization");
    struct basic_credentials given;
    if (!r->is_logged_in && header != NULL && config_has_auth_mode(a->config.config, "basic") &&
        basic_parse(header, &given))
        r->is_logged_in = auth_remembers(a->config.auth, given.name, given.password, &r->user);
    secret_wipe(&given, sizeof given);
    if (r->is_logged_in && !r->is_read_only && r->user.role >= ROLE_ADMIN)
        return true; /* handle_api() refuses it in set-up; here only who may send a file matters */
    http_add_header(r->x, "Connection", "close");
    request_refuse(r);
    return false;
}

static void release_upload(void *ctx)
{
    const struct api *a = ctx;
    a->config.restores->release(a->config.restores->ctx);
}

/* One upload at a time; false after having answered. */
static bool claim_upload(struct request *r)
{
    const struct api_restores *restores = r->api->config.restores;
    const char *length = http_header(r->x, "Content-Length");
    int64_t bytes = -1;
    struct error err = {0};
    if (length && !str_to_i64(str_of(length), &bytes))
        bytes = -1;
    if (restores->claim(restores->ctx, bytes, &err) != STATUS_OK) {
        http_add_header(r->x, "Connection", "close");
        request_fail(r, &err);
        return false;
    }
    http_set_user(r->x, r->api, release_upload);
    return true;
}

/* As large as the route's row of the description says, or a file: a history to import, a backup to
 * restore. */
struct http_body_policy api_body_policy(void *ctx, struct http_exchange *x)
{
    struct api *a = ctx;
    struct http_body_policy policy = {.most_bytes = BODY_MOST_OF_NONE};
    auto_buf struct buf allowed = {0};
    char params[REQUEST_PARAMS_MAX][REQUEST_PARAM_MAX];
    const struct route *route = is_change(http_method(x)) ? route_of(x, params, &allowed) : NULL;
    if (route == NULL)
        return policy;
    policy.most_bytes = api_bodies[route - api_routes].most_bytes;
    bool is_import = route->handle == handle_import_begin;
    bool is_backup = route->handle == handle_restore_begin && http_query(x, "backup") == NULL;
    if (!is_import && !is_backup)
        return policy;
    struct request *r = request_new(a, x);
    if (!may_send(r) || (is_backup && !claim_upload(r)))
        return policy;
    policy.most_bytes = (size_t)(is_import ? a->config.config->import_max_size
                                           : a->config.restores->most_bytes);
    policy.into_folder = is_import ? a->config.import_folder : a->config.restores->upload_folder;
    free(r);
    return policy;
}

/* --- life ------------------------------------------------------------------------------------ */

static void tick(void *ctx)
{
    struct api *a = ctx;
    if (++a->ticks % WATCHERS_TICKS == 0) /* logins run out, too */
        watchers_check(a);
    if (a->ticks % METRICS_TICKS == 1)
        metrics_refresh(a);
    sync_tell(a);
    int64_t version = store_data_version(a->config.store);
    if (version == a->told_version)
        return;
    a->told_version = version;
    char text[96];
    int n = snprintf(text, sizeof text, "{\"type\":\"data_changed\",\"data\":{\"data_version\":%lld}}",
                     (long long)version);
    watchers_tell(a, (struct str){text, (size_t)n}, ROLE_NOBODY, NULL);
}

void api_broadcast(void *ctx, struct str frame)
{
    watchers_tell(ctx, frame, ROLE_ADMIN, NULL);
}

void api_tell_session(struct api *a, const struct scope_account *whose, struct str frame)
{
    watchers_tell(a, frame, whose ? ROLE_VIEWER : ROLE_ADMIN, whose);
}

/* A server that was removed leaves its plays, which are to be seen. */
static bool has_history(struct store *s)
{
    struct store_conn *conn = NULL;
    struct error err = {0};
    int64_t servers = 0;
    if (store_connect(s, &conn, &err) == STATUS_OK)
        (void)!store_query_int(conn, "select count(*) from server", NULL, 0, 0, &servers, &err);
    store_disconnect(conn);
    return servers > 0;
}

bool setup_is_due(struct api *a)
{
    if (a->is_set_up)
        return false;
    auto_server_list struct server_list *l = servers_get(a->config.servers);
    if (l->count)
        a->is_set_up = true;
    return l->count == 0;
}

enum status api_new(const struct api_config *c, struct api **ret, struct error *err)
{
    struct api *a = xcalloc(1, sizeof *a);
    a->config = *c;
    a->proxies = trusted_proxies_parse(c->config->trusted_proxies);
    a->started_us = clock_monotonic_us();
    page_init(&a->page, c->config->base_path);
    pthread_mutex_init(&a->mutex, NULL);
    a->analytics = analytics_new(c->store, ANSWERS_MOST);
    a->told_version = store_data_version(c->store);
    a->metrics = metrics_new(api_route_count);
    a->is_set_up = !c->config->is_setup || c->config->is_demo || has_history(c->store);
    struct ws_hub_config hub = {.most_clients = (unsigned)c->config->ws_max_subscribers,
                                .ping_interval_ms = c->config->ws_ping_interval / US_PER_MS,
                                .resync_message = "{\"type\":\"resync\",\"data\":{}}",
                                .ctx = a,
                                .closed = watcher_closed};
    enum status s = ws_hub_start(&hub, &a->hub, err);
    struct pool_config pool = {.store = c->store,
                               .most_us = c->config->query_timeout,
                               .tick = tick,
                               .ctx = a};
    if (s == STATUS_OK)
        s = pool_start(&pool, &a->pool, err);
    if (s == STATUS_OK)
        s = prober_start(&a->prober, err);
    struct sql_config sql = {.store = c->store,
                             .folder = c->config->data_dir,
                             .time_zone = c->config->time_zone,
                             .timeout_us = c->config->query_timeout,
                             .max_memory = c->config->sql_max_memory,
                             .most_rows = c->config->sql_max_rows};
    if (s == STATUS_OK)
        s = sql_start(&sql, &a->sql, err);
    if (s != STATUS_OK) {
        api_free(a);
        return s;
    }
    api_check_queries(a);
    *ret = a;
    return STATUS_OK;
}

void api_set_collector(struct api *a, struct collector *collector)
{
    pthread_mutex_lock(&a->mutex);
    a->collector = collector;
    pthread_mutex_unlock(&a->mutex);
}

void api_stop(struct api *a)
{
    if (a == NULL)
        return;
    prober_stop(a->prober); /* what it answers goes to the pool */
    sql_stop(a->sql);
    pool_close(a->pool);
    ws_hub_close(a->hub);
    oidc_stop(a->config.oidc);
    plex_login_stop(a->config.plex);
    auth_stop(a->config.auth);
}

void api_free(struct api *a)
{
    if (a == NULL)
        return;
    prober_free(a->prober);
    sql_free(a->sql);
    pool_stop(a->pool);
    ws_hub_stop(a->hub);
    analytics_free(a->analytics);
    metrics_free(a->metrics);
    pthread_mutex_destroy(&a->mutex);
    page_done(&a->page);
    free(a->told_sync);
    free(a->proxies.ranges);
    free(a);
}
