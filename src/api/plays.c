/* The history: plays filtered and sorted, by pages, or all of them as a file. */
#include "api/plays.h"

#include <stdio.h>

#include "analytics/analytics.h"
#include "api/pool.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

struct reading {
    struct request *r;
    struct plays_query q;
    const char *cursor;
    bool is_file;
    enum export_format format; /* of a file */
    bool has_limit;
    char limit_words[64]; /* what is right for it */
    enum status status;
    struct error err;
};

/* What is right instead, or NULL; the paging's own parameters. */
static const char *read_own(struct reading *g, const char *name, const char *value,
                            bool *ret_is_known)
{
    struct plays_query *q = &g->q;
    int64_t most = g->r->api->config.config->api_max_page_size;
    *ret_is_known = true;
    if (streq(name, "limit")) {
        g->has_limit = true;
        snprintf(g->limit_words, sizeof g->limit_words,
                 "a whole number from 1 to %lld (API_MAX_PAGE_SIZE)", (long long)most);
        return str_to_i64(str_of(value), &q->limit) && q->limit >= 1 && q->limit <= most
                   ? NULL
                   : g->limit_words;
    }
    if (streq(name, "cursor")) {
        g->cursor = value; /* read once the sort is known */
        return NULL;
    }
    q->is_ordered |= streq(name, "sort") || streq(name, "dir");
    if (streq(name, "sort"))
        return plays_sort_parse(value, &q->sort) ? NULL : plays_sort_words;
    if (streq(name, "dir")) {
        q->is_ascending = streq(value, "asc");
        return q->is_ascending || streq(value, "desc") ? NULL : "asc or desc";
    }
    if (streq(name, "format")) {
        g->is_file = export_parse(value, &g->format);
        return g->is_file || streq(value, "json") ? NULL : "json, csv, ndjson, parquet or geojson";
    }
    *ret_is_known = false;
    return NULL;
}

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct reading *g = ctx;
    bool is_known;
    g->status = filter_take(g->q.filter, name, value, &is_known, &g->err);
    if (g->status != STATUS_OK || is_known)
        return g->status == STATUS_OK;
    const char *right = *value ? read_own(g, name, value, &is_known) : NULL;
    if (right)
        g->status = fail_field(&g->err, STATUS_INVALID, name, "'%.60s' in %s is not right; it must"
                               " be %s", value, name, right);
    else if (*value && !is_known)
        g->status = fail_field(&g->err, STATUS_INVALID, name, "there is no parameter '%.60s'",
                               name);
    return g->status == STATUS_OK;
}

static enum status read_query(struct reading *g)
{
    struct request *r = g->r;
    http_query_each(r->x, read_parameter, g);
    TRY(g->status);
    TRY(filter_finish(g->q.filter, r->conn, &g->err));
    if (g->is_file && (g->has_limit || g->cursor))
        return fail_field(&g->err, STATUS_INVALID, g->cursor ? "cursor" : "limit",
                          "a file has all rows: %s is for format=json",
                          g->cursor ? "cursor" : "limit");
    if (g->cursor && !plays_cursor_parse(&g->q, g->cursor))
        return fail_field(&g->err, STATUS_INVALID, "cursor", "'%.60s' in cursor is not right; it"
                          " must be a next_cursor of an answer to the same sort and dir",
                          g->cursor);
    return STATUS_OK;
}

struct reading_page {
    struct plays_query *q;
    struct buf *out;
    int64_t count;
};

static enum status read_page(void *ctx, struct store_conn *c, struct error *err)
{
    struct reading_page *p = ctx;
    return plays_read(c, p->q, ROWS_JSON, p->out, &p->count, err);
}

static enum status write_page(struct request *r, struct plays_query *q, struct buf *out,
                              struct error *err)
{
    struct reading_page page = {q, out, 0};
    TRY(analytics_count(r->api->analytics, q->filter, r->conn, &q->total, err));
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "rows");
    /* Of one instant: names are read by statements of their own. */
    TRY(store_transaction(r->conn, read_page, &page, err));
    jw_array_end(&w);
    if (page.count == q->limit) {
        char cursor[PLAYS_CURSOR_MAX];
        plays_cursor_format(q, cursor);
        jw_kv_text(&w, "next_cursor", cursor);
    } else {
        jw_kv_null(&w, "next_cursor");
    }
    jw_kv_int(&w, "total", q->total);
    jw_object_end(&w);
    return STATUS_OK;
}

/* --- a file ---------------------------------------------------------------------------------- */

/* Longer than that nobody waits; it keeps a query worker meanwhile. */
#define EXPORT_MOST_US (60 * US_PER_MIN)

static bool is_wanted(void *ctx)
{
    const struct request *r = ctx;
    return !http_is_gone(r->x) && !r->is_timed_out;
}

/* All rows into a file without a name, then that: a failure is still an error then, not a file cut
 * short, and a slow reader keeps no query worker. */
static void reply_file(struct request *r, struct plays_query *q, enum export_format format)
{
    auto_export struct export e = {.fd = -1};
    struct error err = {0};
    if (!request_begin_export(r))
        return;
    pool_allow(r, EXPORT_MOST_US);
    enum status s = export_open(r->api->config.config->data_dir, format, &e, &err);
    if (s == STATUS_OK)
        s = plays_export(r->conn, q, &e, is_wanted, r, &err);
    r->api->is_exporting = false;
    if (s != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    request_note(r, "%lld plays", (long long)q->total);
    http_add_header(r->x, "Cache-Control", "no-store");
    request_end_export(r, &e, "plays");
}

void handle_plays(struct request *r)
{
    struct filter_config config = request_filter_config(r);
    config.takes_deleted = r->user.role >= ROLE_ADMIN;
    struct reading g = {.r = r,
                        .q = {.filter = filter_new(&config),
                              .limit = r->api->config.config->api_default_page_size}};
    struct buf out = {0};
    enum status s = read_query(&g);
    if (s == STATUS_OK && !g.is_file)
        s = write_page(r, &g.q, &out, &g.err);
    if (s == STATUS_OK && g.is_file)
        reply_file(r, &g.q, g.format);
    else
        request_end(r, s, &out, &g.err);
    filter_free(g.q.filter);
}
