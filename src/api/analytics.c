/* The queries: what there is, and their answers. What was asked before is answered at once. */
#include "analytics/analytics.h"

#include <sodium.h>

#include "api/pool.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

void handle_queries(struct request *r)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_array(&w, "queries");
    for (size_t i = 0; i < query_count; i++)
        if (r->user.role >= query_catalogue[i].role)
            query_write(&query_catalogue[i], &w);
    jw_array_end(&w);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

/* --- one question ---------------------------------------------------------------------------- */

struct reading {
    struct question *question;
    enum status status;
    struct error err;
};

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct reading *g = ctx;
    g->status = question_take(g->question, name, value, &g->err);
    return g->status == STATUS_OK;
}

static void free_question(void *q)
{
    question_free(q);
}

/* Reads and checks what is asked; it stays with the exchange. NULL after having answered. */
static struct question *read_question(struct request *r)
{
    const struct query *query = query_find(r->params[0]);
    if (!query || r->user.role < query->role) {
        request_failf(r, STATUS_NOT_FOUND, "", "there is no query '%.60s'; GET /api/v1/analytics "
                      "lists them", r->params[0]);
        return NULL;
    }
    struct filter_config config = request_filter_config(r);
    struct reading g = {.question = question_new(query, &config)};
    http_set_user(r->x, g.question, free_question);
    http_query_each(r->x, read_parameter, &g);
    if (g.status == STATUS_OK)
        g.status = question_finish(g.question, &g.err);
    if (g.status == STATUS_OK)
        return g.question;
    request_fail(r, &g.err);
    return NULL;
}

enum { ETAG_MAX = 48 };

/* Weak: the same rows, though what is said about the time they took may differ. */
static void make_etag(const struct buf *key, char dst[static ETAG_MAX])
{
    unsigned char hash[16];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)buf_text(key), key->len, NULL, 0);
    memcpy(dst, "W/\"", 3);
    sodium_bin2hex(dst + 3, 2 * sizeof hash + 1, hash, sizeof hash);
    memcpy(dst + 3 + 2 * sizeof hash, "\"", 2);
}

static bool has_already(const struct request *r, const char *etag)
{
    const char *held = http_header(r->x, "If-None-Match");
    return held && (streq(held, "*") || strstr(held, etag + 2));
}

static const char *content_type(const struct question *q)
{
    switch (question_format(q)) {
    case FORMAT_CSV:
        return "text/csv; charset=utf-8";
    case FORMAT_NDJSON:
        return "application/x-ndjson; charset=utf-8";
    case FORMAT_JSON:
        break;
    }
    return "application/json; charset=utf-8";
}

static void add_cache_headers(struct request *r, const char *etag)
{
    http_add_header(r->x, "ETag", etag);
    http_add_header(r->x, "Cache-Control", "private, no-cache");
}

static void reply(struct request *r, const struct question *q, const char *etag, struct buf *body)
{
    struct http_exchange *x = r->x;
    add_cache_headers(r, etag);
    if (question_format(q) != FORMAT_JSON) {
        auto_free char *name = xasprintf("%s.%s", question_query(q)->name,
                                         question_format(q) == FORMAT_CSV ? "csv" : "ndjson");
        for (char *slash = name; (slash = strchr(slash, '/'));)
            *slash = '-';
        request_add_attachment(r, name);
    }
    const char *type = content_type(q);
    request_release(r, 200);
    size_t len = body->len;
    http_reply_take(x, 200, type, buf_steal(body), len);
}

static void reply_not_modified(struct request *r, const char *etag)
{
    struct http_exchange *x = r->x;
    add_cache_headers(r, etag);
    request_release(r, 304);
    http_reply_static(x, 304, NULL, STR(""));
}

/* In the http thread: what the asker or the cache has already; else a worker works it out. */
static void answer_at_once(struct request *r)
{
    struct analytics *a = r->api->analytics;
    struct question *q = read_question(r);
    if (!q)
        return;
    auto_buf struct buf key = {0}, body = {0};
    char etag[ETAG_MAX];
    analytics_key(a, q, &key);
    make_etag(&key, etag);
    if (has_already(r, etag))
        reply_not_modified(r, etag);
    else if (analytics_remembered(a, q, buf_text(&key), &body))
        reply(r, q, etag, &body);
    else
        request_to_worker(r);
}

static void answer_in_worker(struct request *r)
{
    struct analytics *a = r->api->analytics;
    struct question *q = http_user(r->x);
    auto_buf struct buf key = {0}, body = {0};
    struct error err = {0};
    char etag[ETAG_MAX];
    analytics_key(a, q, &key);
    make_etag(&key, etag);
    if (analytics_answer(a, q, buf_text(&key), r->conn, &body, &err) == STATUS_OK)
        reply(r, q, etag, &body);
    else
        request_fail(r, &err);
}

void handle_query(struct request *r)
{
    if (r->conn)
        answer_in_worker(r);
    else
        answer_at_once(r);
}

/* --- the self-test --------------------------------------------------------------------------- */

static void check_queries(void *ctx, struct store_conn *c)
{
    struct error err = {0};
    int64_t started_us = clock_monotonic_us();
    if (analytics_check(c, &err) != STATUS_OK)
        log_error("analytics", "a query does not fit the store", LF_ERROR(&err));
    else
        log_debug("analytics", "every query fits the store",
                  LF_INT("queries", (int64_t)query_count),
                  LF_INT("took_us", clock_monotonic_us() - started_us));
}

void api_check_queries(struct api *a)
{
    (void)pool_call(a->pool, check_queries, NULL);
}
