/* The history: plays filtered and sorted, by pages, or all of them as a file. */
#include "api/plays.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>

#include "api/pool.h"
#include "api/request.h"
#include "base/mem.h"

#include "base/banned.h"

enum { EXPORT_BATCH = 10000 };

struct reading {
    struct request *r;
    struct plays_query q;
    const char *cursor, *format;
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
    if (streq(name, "sort"))
        return plays_sort_parse(value, &q->sort) ? NULL : plays_sort_words;
    if (streq(name, "dir")) {
        q->is_ascending = streq(value, "asc");
        return q->is_ascending || streq(value, "desc") ? NULL : "asc or desc";
    }
    if (streq(name, "format")) {
        g->format = value;
        return streq(value, "json") || streq(value, "csv") || streq(value, "ndjson")
                   ? NULL
                   : "json, csv or ndjson";
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
    bool is_file = g->format && !streq(g->format, "json");
    if (is_file && (g->has_limit || g->cursor))
        return fail_field(&g->err, STATUS_INVALID, g->cursor ? "cursor" : "limit",
                          "a file has all rows: %s is for format=json",
                          g->cursor ? "cursor" : "limit");
    if (g->cursor && !plays_cursor_parse(&g->q, g->cursor))
        return fail_field(&g->err, STATUS_INVALID, "cursor", "'%.60s' in cursor is not right; it"
                          " must be a next_cursor of an answer to the same sort and dir",
                          g->cursor);
    return STATUS_OK;
}

static enum status write_page(struct request *r, struct plays_query *q, struct buf *out,
                              struct error *err)
{
    int64_t count;
    TRY(plays_total(r->conn, q->filter, &q->total, err));
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "rows");
    TRY(plays_read(r->conn, q, ROWS_JSON, false, out, &count, err));
    jw_array_end(&w);
    if (count == q->limit) {
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

static enum status write_all(int fd, struct str text, struct error *err)
{
    while (text.len) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, errno, "write the export to the data folder");
        text.ptr += n;
        text.len -= (size_t)n;
    }
    return STATUS_OK;
}

/* All rows into a file without a name, a batch at a time: a failure is still an error then, not a
 * file cut short, and a slow reader keeps no query worker. */
static enum status export_rows(struct request *r, struct plays_query *q, enum rows_format format,
                               int fd, uint64_t *ret_size, struct error *err)
{
    auto_buf struct buf out = {0};
    *ret_size = 0;
    q->limit = EXPORT_BATCH;
    TRY(plays_total(r->conn, q->filter, &q->total, err));
    for (int64_t count = q->limit; count == q->limit;) {
        pool_extend(r);
        TRY(plays_read(r->conn, q, format, *ret_size == 0, &out, &count, err));
        if (out.is_overflowed)
            return fail(err, STATUS_TOO_LARGE, "a batch of rows is too large");
        TRY(write_all(fd, buf_str(&out), err));
        *ret_size += out.len;
        buf_clear(&out);
    }
    return STATUS_OK;
}

static void reply_file(struct request *r, struct plays_query *q, const char *format)
{
    bool is_csv = streq(format, "csv");
    struct error err = {0};
    uint64_t size = 0;
    if (atomic_exchange(&r->api->is_exporting, true)) {
        http_add_header(r->x, "Retry-After", "5");
        request_failf(r, STATUS_UNAVAILABLE, "", "another export is being made: try again");
        return;
    }
    int fd = open(r->api->config.config->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    enum status s = fd < 0 ? fail_errno(&err, errno, "make a file for the export")
                           : export_rows(r, q, is_csv ? ROWS_CSV : ROWS_NDJSON, fd, &size, &err);
    r->api->is_exporting = false;
    if (s != STATUS_OK) {
        if (fd >= 0)
            close(fd);
        request_fail(r, &err);
        return;
    }
    struct http_exchange *x = r->x;
    request_add_attachment(r, is_csv ? "plays.csv" : "plays.ndjson");
    request_release_no_store(r, 200);
    http_reply_fd(x, 200, is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson", fd, size);
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
    bool is_file = s == STATUS_OK && g.format && !streq(g.format, "json");
    if (s == STATUS_OK && !is_file)
        s = write_page(r, &g.q, &out, &g.err);
    if (is_file)
        reply_file(r, &g.q, g.format);
    else
        request_end(r, s, &out, &g.err);
    filter_free(g.q.filter);
}
