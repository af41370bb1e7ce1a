#include "api/api.h"

#include <sodium.h>

#include "analytics/analytics.h"
#include "api/pool.h"
#include "api/request.h"
#include "auth/basic.h"
#include "auth/oidc.h"
#include "auth/origin.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "net/ws_hub.h"

#include "base/banned.h"

#define PREFIX "/api/v1"
enum { WATCHERS_TICKS = 25, BODY_MOST = 64 * 1024, ANSWERS_MOST = 32 * 1024 * 1024 };

/* --- answering ------------------------------------------------------------------------------- */

static void add_security_headers(struct http_exchange *x)
{
    http_add_header(x, "X-Content-Type-Options", "nosniff");
    http_add_header(x, "Referrer-Policy", "same-origin");
    http_add_header(x, "X-Frame-Options", "DENY");
    http_add_header(x, "Cross-Origin-Opener-Policy", "same-origin");
    http_add_header(x, "Content-Security-Policy",
                    "default-src 'self'; worker-src 'self' blob:; img-src 'self' data: blob:; "
                    "object-src 'none'; base-uri 'none'; "
                    "form-action 'self'; frame-ancestors 'none'");
}

void request_release(struct request *r, int http_status)
{
    pool_forget(r);
    int64_t took_us = clock_monotonic_us() - r->started_us;
    enum log_level level = http_status >= 500 ? LOG_WARN : LOG_DEBUG;
    log_at(level, "http", "request", LF_TEXT("request_id", http_request_id(r->x)),
           LF_TEXT("client", r->asker.address), LF_TEXT("method", http_method(r->x)),
           LF_TEXT("path", http_path(r->x)), LF_INT("status", http_status), LF_INT("took_us", took_us));
    scope_done(&r->scope);
    free(r);
}

void request_release_no_store(struct request *r, int http_status)
{
    http_add_header(r->x, "Cache-Control", "no-store");
    request_release(r, http_status);
}

/* The last line of defence: rows for a viewer that nobody has scoped are not sent. */
static bool is_scope_forgotten(const struct request *r, int http_status)
{
    return http_status < 300 && r->route != NULL && r->route->scoped == SCOPED_FILTER && !r->scope.sees_all &&
           !r->is_scope_asked;
}

void request_reply(struct request *r, int http_status, struct buf *json)
{
    struct http_exchange *x = r->x;
    if (is_scope_forgotten(r, http_status)) {
        buf_done(json);
        request_failf(r, STATUS_INTERNAL, "", "this answer is not limited to what you may see");
        return;
    }
    if (json->is_overflowed) {
        buf_done(json);
        request_failf(r, STATUS_TOO_LARGE, "", "the answer is too large");
        return;
    }
    request_release_no_store(r, http_status);
    size_t len = json->len;
    http_reply_take(x, http_status, "application/json; charset=utf-8", buf_steal(json), len);
}

void request_no_content(struct request *r)
{
    struct http_exchange *x = r->x;
    request_release_no_store(r, 204);
    http_reply_static(x, 204, NULL, STR(""));
}

void request_retry_after(struct request *r, int64_t seconds)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)seconds);
    if (seconds > 0)
        http_add_header(r->x, "Retry-After", text);
}

void request_redirect(struct request *r, const char *to)
{
    struct http_exchange *x = r->x;
    http_add_header(x, "Location", to);
    request_release_no_store(r, 303);
    http_reply_static(x, 303, NULL, STR(""));
}

void request_redirect_to_page(struct request *r)
{
    auto_free char *to = xasprintf("%s/", r->api->config.config->base_path);
    request_redirect(r, to);
}

/* `code` where the closed list of statuses has none for it. */
static void reply_error(struct request *r, int http_status, const char *code,
                        const struct error *err)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_object(&w, "error");
    jw_kv_text(&w, "code", code);
    jw_kv_text(&w, "message", err->text);
    jw_kv_text(&w, "field", err->field);
    jw_kv_text(&w, "request_id", http_request_id(r->x));
    jw_object_end(&w);
    jw_object_end(&w);
    request_reply(r, http_status, &out);
}

void request_fail(struct request *r, const struct error *err)
{
    struct error late;
    if (r->is_timed_out) {
        (void)fail(&late, STATUS_TIMEOUT, "the query took too long and was stopped");
        err = &late;
    }
    if (status_http(err->status) >= 500)
        log_warn("api", "failed", LF_TEXT("request_id", http_request_id(r->x)),
                 LF_TEXT("path", http_path(r->x)), LF_ERROR(err));
    reply_error(r, status_http(err->status), status_code(err->status), err);
}

void request_failf(struct request *r, enum status s, const char *field, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct error err = {0};
    (void)fail_field(&err, s, field, "%s", text);
    request_fail(r, &err);
}

void request_fail_upgrade(struct request *r)
{
    struct error err = {0};
    (void)fail_field(&err, STATUS_INVALID, "Upgrade", "this is the address of a WebSocket");
    http_add_header(r->x, "Upgrade", "websocket");
    http_add_header(r->x, "Sec-WebSocket-Version", "13");
    reply_error(r, 426, "UPGRADE_REQUIRED", &err);
}

/* --- routing --------------------------------------------------------------------------------- */

static bool match(const char *pattern, const char *path, struct request *r)
{
    struct str want = str_of(pattern), have = str_of(path), a, b;
    unsigned params = 0;
    while (true) {
        bool has_a = str_next(&want, '/', &a);
        bool has_b = str_next(&have, '/', &b);
        if (!has_a || !has_b)
            return has_a == has_b;
        if (a.len > 0 && a.ptr[0] == '{') {
            if (b.len == 0 || b.len >= REQUEST_PARAM_MAX || params == REQUEST_PARAMS_MAX)
                return false;
            memcpy(r->params[params], b.ptr, b.len);
            r->params[params++][b.len] = '\0';
        } else if (!str_eq(a, b)) {
            return false;
        }
    }
}

static bool is_change(const char *method)
{
    return !streq(method, "GET");
}

/* Finds the route; false after having answered. */
static bool find_route(struct request *r)
{
    const char *path = http_path(r->x);
    const char *found = NULL;
    auto_buf struct buf allowed = {0};
    const char *below = str_has_prefix(str_of(path), STR(PREFIX "/")) ? path + sizeof PREFIX - 1 : NULL;
    /* Providers know us by addresses without the version. */
    if (str_has_prefix(str_of(path), STR("/api/auth/oidc/")))
        below = path + sizeof "/api" - 1;
    if (below != NULL) {
        for (size_t i = 0; i < api_route_count; i++) {
            const char *method = api_routes[i].method;
            /* A word of its own ("/people/history") stands before {id} in the table, and wins. */
            if (found != NULL && !streq(found, api_routes[i].pattern))
                continue;
            if (!match(api_routes[i].pattern, below, r))
                continue;
            found = api_routes[i].pattern;
            buf_printf(&allowed, "%s%s", allowed.len ? ", " : "",
                       streq(method, "GET") ? "GET, HEAD" : method);
            if (streq(method, http_method(r->x))) {
                r->route = &api_routes[i];
                return true;
            }
        }
    }
    struct error err = {0};
    if (allowed.len) {
        http_add_header(r->x, "Allow", allowed.data);
        (void)fail(&err, STATUS_INVALID, "%.16s is not possible here", http_method(r->x));
        reply_error(r, 405, "METHOD_NOT_ALLOWED", &err);
    } else {
        request_failf(r, STATUS_NOT_FOUND, "", "no such path");
    }
    return false;
}

static bool has_role(const struct request *r)
{
    if (r->route->role == ROLE_NOBODY)
        return true;
    return r->is_logged_in && r->user.role >= r->route->role;
}

/* Who asks: by the cookie; over the control socket the command line, which is the administrator.
 * By HTTP Basic see verify(). */
static void identify(struct request *r)
{
    if (http_is_control(r->x)) {
        r->is_logged_in = true;
        r->user = (struct auth_user){.name = "command line", .role = ROLE_ADMIN};
        return;
    }
    char token[AUTH_TOKEN_MAX];
    if (http_cookie(r->x, AUTH_COOKIE, token, sizeof token))
        r->has_session = auth_session(r->api->config.auth, token, &r->user);
    secret_wipe(token, sizeof token);
    r->is_logged_in = r->has_session;
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

/* A browser that is told so asks for name and password by itself, over the page: so only where it
 * goes to log in, not where a page fetches something, which Referer or Origin tell. */
static void challenge(struct request *r)
{
    bool is_page = http_header(r->x, "Referer") != NULL || http_header(r->x, "Origin") != NULL;
    if (config_has_auth_mode(r->api->config.config, "basic") &&
        (!is_page || (r->route != NULL && r->route->handle == handle_login_basic)))
        http_add_header(r->x, "WWW-Authenticate", "Basic realm=\"Cartographus\", charset=\"UTF-8\"");
}

/* Says in what way one can log in. */
static void refuse_unknown(struct request *r)
{
    const struct config *c = r->api->config.config;
    const char *way = "in a browser, at /api/v1/auth/oidc/login";
    if (config_has_auth_mode(c, "jwt"))
        way = "POST /api/v1/auth/login with username and password";
    else if (config_has_auth_mode(c, "basic"))
        way = "HTTP Basic with user name and password (before sending a file, with GET /api/v1/auth/basic)";
    challenge(r);
    request_failf(r, STATUS_UNAUTHORIZED, "", "login required: %s", way);
}

static void refuse_role(struct request *r)
{
    if (r->is_logged_in)
        request_failf(r, STATUS_DENIED, "", "this needs an administrator");
    else
        refuse_unknown(r);
}

static const char *const forwarded_names[] = {"X-Forwarded-For", "X-Forwarded-Proto",
                                              "X-Forwarded-Host"};
struct forwarded {
    struct buf values[ARRAY_LEN(forwarded_names)];
};

/* A header that is there twice says both. */
static bool add_forwarded(void *ctx, const char *name, const char *value)
{
    struct forwarded *f = ctx;
    for (size_t i = 0; i < ARRAY_LEN(forwarded_names); i++)
        if (str_eq_nocase(str_of(name), str_of(forwarded_names[i])))
            buf_printf(&f->values[i], "%s%s", f->values[i].len ? "," : "", value);
    return true;
}

static void find_asker(struct request *r)
{
    struct forwarded f = {0};
    http_header_each(r->x, add_forwarded, &f);
    struct request_origin said = {.peer = http_peer(r->x),
                                  .host = http_header(r->x, "Host"),
                                  .forwarded_for = f.values[0].data,
                                  .forwarded_proto = f.values[1].data,
                                  .forwarded_host = f.values[2].data};
    asker_find(&r->api->proxies, &said, &r->asker);
    for (size_t i = 0; i < ARRAY_LEN(f.values); i++)
        buf_done(&f.values[i]);
}

static struct request *request_new(struct api *a, struct http_exchange *x)
{
    struct request *r = xcalloc(1, sizeof *r);
    r->api = a;
    r->x = x;
    r->started_us = clock_monotonic_us();
    find_asker(r);
    return r;
}

/* What they may see is as of now, whenever they logged in. */
static void find_scope(struct request *r)
{
    if (http_is_control(r->x))
        r->scope.sees_all = true;
    else if (r->is_logged_in)
        auth_scope(r->api->config.auth, r->user.id, &r->scope);
}

/* By a login that is known. Any thread. */
static void run(struct request *r)
{
    find_scope(r);
    if (!has_role(r))
        refuse_role(r);
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
    r->user = result->user;
    if (r->is_logged_in || r->route->role == ROLE_NOBODY) {
        run(r);
    } else {
        if (result->status == STATUS_UNAUTHORIZED)
            challenge(r);
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
    identify(r);
    /* Without a login the trigger takes nothing from any page, and says how to log in. */
    bool is_open_trigger = r->route->handle == handle_sync_trigger && !r->is_logged_in &&
                           http_header(x, "Authorization") == NULL;
    bool is_page_checked = !http_is_control(x) && !is_open_trigger &&
                           (is_change(http_method(x)) || r->route->handle == handle_ws);
    if (is_page_checked &&
        !auth_is_same_origin(http_header(x, "Origin"), r->asker.scheme, r->asker.host,
                             http_header(x, "Sec-Fetch-Site")))
        request_failf(r, STATUS_DENIED, "Origin", "this request comes from another site");
    else if (!verify(r))
        run(r);
}

void api_handle(void *ctx, struct http_exchange *x)
{
    add_security_headers(x);
    const char *path = http_path(x);
    if (str_has_prefix(str_of(path), STR("/api/")) || streq(path, "/api")) {
        handle_api(ctx, x);
    } else if (is_change(http_method(x))) {
        http_reply_static(x, 405, "text/plain; charset=utf-8", STR("only GET is possible here\n"));
    } else {
        assets_reply(&((struct api *)ctx)->page, x);
    }
}

/* Files are taken from an administrator only, who is asked for before the first byte is read. No
 * password is checked then, as that takes a thread's time: HTTP Basic must be known already. */
struct http_body_policy api_body_policy(void *ctx, struct http_exchange *x)
{
    struct api *a = ctx;
    struct http_body_policy policy = {.most_bytes = BODY_MOST};
    if (!streq(http_method(x), "POST") || !streq(http_path(x), "/api/v1/import"))
        return policy;
    struct request *r = request_new(a, x);
    identify(r);
    const char *header = http_header(x, "Authorization");
    struct basic_credentials given;
    if (!r->is_logged_in && header != NULL && config_has_auth_mode(a->config.config, "basic") &&
        basic_parse(header, &given))
        r->is_logged_in = auth_remembers(a->config.auth, given.name, given.password, &r->user);
    secret_wipe(&given, sizeof given);
    if (r->is_logged_in && r->user.role >= ROLE_ADMIN) {
        policy.most_bytes = (size_t)a->config.config->import_max_size;
        policy.into_folder = a->config.import_folder;
        free(r);
    } else {
        http_add_header(x, "Connection", "close");
        refuse_role(r);
    }
    return policy;
}

/* --- life ------------------------------------------------------------------------------------ */

static void tick(void *ctx)
{
    struct api *a = ctx;
    if (++a->ticks % WATCHERS_TICKS == 0) /* logins run out, too */
        watchers_check(a);
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
    pool_close(a->pool);
    oidc_stop(a->config.oidc);
    auth_stop(a->config.auth);
}

void api_free(struct api *a)
{
    if (a == NULL)
        return;
    pool_stop(a->pool);
    ws_hub_stop(a->hub);
    analytics_free(a->analytics);
    pthread_mutex_destroy(&a->mutex);
    page_done(&a->page);
    free(a->told_sync);
    free(a->proxies.ranges);
    free(a);
}
