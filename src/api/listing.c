#include "api/listing.h"

#include <stdio.h>

#include "api/request.h"
#include "base/mem.h"
#include "store/rows.h"

#include "base/banned.h"

enum { FIND_MOST = 200 };

enum status listing_rows_total(struct store_conn *c, const struct filter *f, const char *sql,
                               const struct store_named *own, size_t own_count, struct buf *out,
                               int64_t *ret_count, int64_t *ret_total, struct error *err)
{
    size_t count = 0;
    const struct store_named *filters = f ? filter_values(f, &count) : NULL;
    auto_free struct store_named *all = xcalloc(count + own_count + 1, sizeof *all);
    if (count)
        memcpy(all, filters, count * sizeof *all);
    if (own_count)
        memcpy(all + count, own, own_count * sizeof *all);
    auto_result duckdb_result result = {0};
    TRY(store_query_named(c, sql, all, count + own_count, &result, err));
    auto_rows struct rows rows = {0};
    TRY(rows_begin(&rows, result, ROWS_JSON, err));
    while (rows_next(&rows, out)) {
    }
    if (ret_count)
        *ret_count = rows.count;
    if (ret_total)
        *ret_total = rows_last_int(&rows, "_total", 0);
    return STATUS_OK;
}

enum status listing_rows(struct store_conn *c, const struct filter *f, const char *sql,
                         const struct store_named *own, size_t own_count, struct buf *out,
                         int64_t *ret_count, struct error *err)
{
    return listing_rows_total(c, f, sql, own, own_count, out, ret_count, NULL, err);
}

const char *listing_page(const struct request *r, const char *name, const char *value, int64_t *limit,
                        int64_t *from, bool *ret_is_known)
{
    bool is_limit = streq(name, "limit");
    *ret_is_known = is_limit || streq(name, "cursor");
    if (!*value || !*ret_is_known)
        return NULL;
    if (is_limit)
        return str_to_i64(str_of(value), limit) && *limit >= 1 &&
                       *limit <= r->api->config.config->api_max_page_size
                   ? NULL
                   : "a whole number from 1 to API_MAX_PAGE_SIZE";
    return str_to_i64(str_of(value), from) && *from >= 0 && *from <= INT32_MAX
               ? NULL
               : "a next_cursor of the answer before";
}

enum status listing_fail(const char *name, const char *value, const char *right, struct error *err)
{
    if (!right)
        return fail_field(err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    return fail_field(err, STATUS_INVALID, name, "'%.60s' in %s is not right; it must be %s", value,
                      name, right);
}

const char *listing_find(const char *value)
{
    return strlen(value) <= FIND_MOST && str_is_utf8(str_of(value))
               ? NULL
               : "a text of at most 200 bytes in UTF-8";
}

void listing_end(struct json_writer *w, int64_t to, int64_t total)
{
    char next[24];
    snprintf(next, sizeof next, "%lld", (long long)to);
    jw_kv_text(w, "next_cursor", to < total ? next : NULL);
    jw_kv_int(w, "total", total);
    jw_object_end(w);
}

struct paging {
    struct request *r;
    int64_t limit, from;
    enum status status;
    struct error err;
};

static bool read_page(void *ctx, const char *name, const char *value)
{
    struct paging *g = ctx;
    bool is_known;
    const char *right = listing_page(g->r, name, value, &g->limit, &g->from, &is_known);
    if (*value && (!is_known || right))
        g->status = listing_fail(name, value, right, &g->err);
    return g->status == STATUS_OK;
}

void listing_history(struct request *r, const char *sql, const char *about)
{
    struct paging g = {.r = r, .limit = r->api->config.config->api_default_page_size};
    struct buf out = {0};
    struct json_writer w;
    int64_t count = 0;
    http_query_each(r->x, read_page, &g);
    const struct store_named own[] = {{about, {.kind = SV_INT, .i = 0}},
                                      {"page_limit", {.kind = SV_INT, .i = g.limit}},
                                      {"page_from", {.kind = SV_INT, .i = g.from}}};
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_array(&w, "events");
    if (g.status == STATUS_OK)
        g.status = listing_rows(r->conn, NULL, sql, own, ARRAY_LEN(own), &out, &count, &g.err);
    jw_array_end(&w);
    char next[24];
    snprintf(next, sizeof next, "%lld", (long long)(g.from + count));
    jw_kv_text(&w, "next_cursor", count == g.limit ? next : NULL);
    jw_object_end(&w);
    request_end(r, g.status, &out, &g.err);
}
