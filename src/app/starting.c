#include "app/starting.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/logger.h"
#include "base/mem.h"
#include "net/http_server.h"

#include "base/banned.h"

#define PREFIX "/api/v1"
enum { RETRY_AFTER_S = 5 };

struct starting {
    const char *version;
    int64_t records, started_us;
    struct http_server *http;
};

static void reply(struct http_exchange *x, int status, struct buf *json)
{
    size_t len = json->len;
    http_reply_take(x, status, "application/json; charset=utf-8", buf_steal(json), len);
}

static void reply_status(struct http_exchange *x, int status, const char *text)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "status", text);
    jw_object_end(&w);
    reply(x, status, &out);
}

static void reply_health(const struct starting *s, struct http_exchange *x)
{
    char uptime[DURATION_TEXT_MAX];
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "status", "starting");
    jw_kv_text(&w, "version", s->version);
    jw_kv_text(&w, "database", "connected");
    jw_kv_text(&w, "uptime", duration_format(clock_monotonic_us() - s->started_us, uptime));
    jw_object_end(&w);
    reply(x, 503, &out);
}

static void refuse(struct http_exchange *x, const char *message, bool is_api)
{
    struct buf out = {0};
    if (!is_api) {
        buf_printf(&out, "%s\n", message);
        http_reply(x, 503, "text/plain; charset=utf-8", buf_str(&out));
        buf_done(&out);
        return;
    }
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_object(&w, "error");
    jw_kv_text(&w, "code", "UNAVAILABLE");
    jw_kv_text(&w, "message", message);
    jw_kv_text(&w, "field", "");
    jw_kv_text(&w, "request_id", http_request_id(x));
    jw_object_end(&w);
    jw_object_end(&w);
    reply(x, 503, &out);
}

static void answer(void *ctx, struct http_exchange *x)
{
    const struct starting *s = ctx;
    const char *path = http_path(x);
    char message[160], seconds[8];
    if (streq(path, PREFIX "/health/live")) {
        reply_status(x, 200, "alive");
        return;
    }
    snprintf(seconds, sizeof seconds, "%d", RETRY_AFTER_S);
    http_add_header(x, "Retry-After", seconds);
    http_add_header(x, "Cache-Control", "no-store");
    snprintf(message, sizeof message, "Cartographus starts: %" PRId64 " records of its log are applied"
             " first. Try again in a moment.", s->records);
    if (streq(path, PREFIX "/health"))
        reply_health(s, x);
    else if (streq(path, PREFIX "/health/ready"))
        reply_status(x, 503, "not ready");
    else
        refuse(x, message, str_has_prefix(str_of(path), STR("/api/")));
}

enum status starting_begin(const struct config *c, const char *version, int64_t records,
                           struct starting **ret, struct error *err)
{
    struct starting *s = xcalloc(1, sizeof *s);
    *s = (struct starting){.version = version, .records = records,
                           .started_us = clock_monotonic_us()};
    struct http_server_config http = {.host = c->http_host, .port = (uint16_t)c->http_port,
                                      .base_path = c->base_path, .threads = 1, .ctx = s,
                                      .handle = answer};
    enum status status = http_server_start(&http, &s->http, err);
    if (status != STATUS_OK) {
        free(s);
        return status;
    }
    log_info("app", "the log is applied first; meanwhile HTTP says that the program starts",
             LF_INT("records", records), LF_INT("port", http_server_port(s->http)));
    *ret = s;
    return STATUS_OK;
}

void starting_end(struct starting *s)
{
    if (!s)
        return;
    http_server_stop(s->http);
    free(s);
}
