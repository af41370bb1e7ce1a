#include "api/request.h"

#include <stdatomic.h>

#include "api/metrics.h"
#include "api/pool.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

void request_release(struct request *r, int http_status)
{
    pool_forget(r);
    int64_t took_us = clock_monotonic_us() - r->started_us;
    audit_request(r, http_status);
    if (r->route != NULL)
        metrics_count(r->api->metrics, (size_t)(r->route - api_routes), http_status, took_us);
    enum log_level level = http_status >= 500 ? LOG_WARN : LOG_DEBUG;
    log_at(level, "http", "request", LF_TEXT("request_id", http_request_id(r->x)),
           LF_TEXT("client", r->asker.address), LF_TEXT("method", http_method(r->x)),
           LF_TEXT("path", http_path(r->x)), LF_INT("status", http_status), LF_INT("took_us", took_us));
    scope_done(&r->scope);
    server_try_free(r->server_try);
    json_free_wiped(r->body);
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

bool request_begin_export(struct request *r)
{
    if (!atomic_exchange(&r->api->is_exporting, true))
        return true;
    request_retry_after(r, 5);
    request_failf(r, STATUS_UNAVAILABLE, "", "another export is being made: try again");
    return false;
}

void request_end_export(struct request *r, struct export *e, const char *name)
{
    struct http_exchange *x = r->x;
    if (is_scope_forgotten(r, 200)) {
        request_failf(r, STATUS_INTERNAL, "", "this file is not limited to what you may see");
        return;
    }
    auto_free char *file = xasprintf("%s.%s", name, export_word(e->format));
    for (char *slash = file; (slash = strchr(slash, '/'));) /* of a query's name */
        *slash = '-';
    request_add_attachment(r, file);
    request_release(r, 200);
    http_reply_fd(x, 200, export_media_type(e->format), steal_fd(&e->fd), e->size);
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

void request_fail_as(struct request *r, int http_status, const char *code, const struct error *err)
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
    request_fail_as(r, status_http(err->status), status_code(err->status), err);
}

void request_end(struct request *r, enum status s, struct buf *json, const struct error *err)
{
    if (s == STATUS_OK) {
        request_reply(r, 200, json);
    } else {
        buf_done(json);
        request_fail(r, err);
    }
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
    request_fail_as(r, 426, "UPGRADE_REQUIRED", &err);
}
