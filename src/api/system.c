/* Health, and what the page needs first. */
#include "api/request.h"

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

static bool is_store_well(struct request *r)
{
    struct error err = {0};
    if (store_check(r->conn, &err) == STATUS_OK)
        return true;
    log_error("api", "the store is not well", LF_ERROR(&err));
    return false;
}

void handle_health(struct request *r)
{
    bool is_well = is_store_well(r);
    char uptime[DURATION_TEXT_MAX];
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "status", is_well ? "healthy" : "unhealthy");
    jw_kv_text(&w, "version", r->api->config.version);
    jw_kv_text(&w, "database", is_well ? "connected" : "failing");
    jw_kv_text(&w, "uptime",
               duration_format(clock_monotonic_us() - r->api->started_us, uptime));
    jw_object_end(&w);
    request_reply(r, is_well ? 200 : 503, &out);
}

static void reply_status(struct request *r, int http_status, const char *text)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "status", text);
    jw_object_end(&w);
    request_reply(r, http_status, &out);
}

void handle_live(struct request *r)
{
    reply_status(r, 200, "alive");
}

void handle_ready(struct request *r)
{
    bool is_well = is_store_well(r);
    reply_status(r, is_well ? 200 : 503, is_well ? "ready" : "not ready");
}

void handle_app(struct request *r)
{
    const struct config *c = r->api->config.config;
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "version", r->api->config.version);
    jw_kv_bool(&w, "demo", c->is_demo);
    jw_kv_bool(&w, "setup", setup_is_due(r->api));
    if (r->is_logged_in) {
        jw_kv_object(&w, "user");
        jw_kv_text(&w, "name", r->user.name);
        jw_kv_text(&w, "role", role_name(r->user.role));
        jw_object_end(&w);
    } else {
        jw_kv_null(&w, "user");
    }
    jw_kv_text(&w, "time_zone", c->time_zone);
    jw_kv_array(&w, "auth_modes");
    struct str rest = str_of(c->auth_mode), mode;
    while (str_next(&rest, ',', &mode))
        jw_str(&w, str_trim(mode));
    jw_array_end(&w);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}
