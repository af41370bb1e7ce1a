/* Deriving all plays anew, and how far that is. */
#include "api/request.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "ingest/ingest.h"

#include "base/banned.h"

/* The answer comes when it is done; the query worker only waits meanwhile. */
void handle_rederive(struct request *r)
{
    struct api *a = r->api;
    struct rederive_report report;
    struct error err = {0};
    if (atomic_exchange(&a->is_rederiving, true)) {
        request_failf(r, STATUS_CONFLICT, "", "all plays are being derived anew already");
        return;
    }
    int64_t started_us = clock_monotonic_us();
    enum status s = ingest_rederive(a->config.ingest, &report, &err);
    a->is_rederiving = false;
    if (s != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_int(&w, "plays_before", report.plays_before);
    jw_kv_int(&w, "plays_after", report.plays_after);
    jw_kv_int(&w, "segments_before", report.segments_before);
    jw_kv_int(&w, "segments_after", report.segments_after);
    jw_kv_bool(&w, "is_changed", report.is_changed);
    jw_kv_int(&w, "took_ms", (clock_monotonic_us() - started_us) / US_PER_MS);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

void handle_rederive_status(struct request *r)
{
    struct api *a = r->api;
    int percent = ingest_rederive_percent(a->config.ingest);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "state", a->is_rederiving || percent >= 0 ? "running" : "idle");
    if (percent < 0)
        jw_kv_null(&w, "percent");
    else
        jw_kv_int(&w, "percent", percent);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}
