#include "sql/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "sql/order.h"
#include "sql/sandbox.h"
#include "store/rows.h"
#include "store/sealed.h"

#include "base/banned.h"

/* The address space beyond DuckDB's own limit: what it takes for values while it makes them. */
#define MEMORY_BESIDE (INT64_C(256) << 20)

struct answering {
    struct sql_order order;
    char sql[SQL_TEXT_MAX + 1];
    struct sealed *db;
    struct sql_report report;
};

static enum status read_order(struct answering *a, struct error *err)
{
    size_t have = 0;
    char all[sizeof a->order + SQL_TEXT_MAX];
    ssize_t n;
    while (have < sizeof all && (n = read(SQL_ORDER_FD, all + have, sizeof all - have)) > 0)
        have += (size_t)n;
    if (have >= sizeof a->order)
        memcpy(&a->order, all, sizeof a->order);
    if (a->order.magic != SQL_MAGIC)
        return fail(err, STATUS_PROTOCOL, "this subcommand is for the program itself");
    memcpy(a->sql, all + sizeof a->order, have - sizeof a->order);
    return STATUS_OK;
}

/* --- the answer -------------------------------------------------------------------------------- */

static enum status write_all(struct answering *a, struct buf *out, struct error *err)
{
    const char *at = buf_text(out);
    a->report.bytes += (int64_t)out->len;
    if (out->is_overflowed || a->report.bytes > a->order.most_bytes)
        return fail(err, STATUS_TOO_LARGE, "the answer has more than %lld MB; ask for less",
                    (long long)(a->order.most_bytes >> 20));
    for (size_t left = out->len; left > 0;) {
        ssize_t n = write(SQL_ANSWER_FD, at, left);
        if (n < 0 && errno != EINTR)
            return fail_errno(err, errno, "write the answer");
        at += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    buf_clear(out);
    return STATUS_OK;
}

static const char *type_name(duckdb_type t)
{
    static const struct {
        duckdb_type type;
        const char *name;
    } names[] = {
        {DUCKDB_TYPE_BOOLEAN, "boolean"}, {DUCKDB_TYPE_TINYINT, "integer"}, {DUCKDB_TYPE_SMALLINT, "integer"},
        {DUCKDB_TYPE_INTEGER, "integer"}, {DUCKDB_TYPE_BIGINT, "integer"}, {DUCKDB_TYPE_HUGEINT, "integer"},
        {DUCKDB_TYPE_UTINYINT, "integer"}, {DUCKDB_TYPE_USMALLINT, "integer"},
        {DUCKDB_TYPE_UINTEGER, "integer"}, {DUCKDB_TYPE_UBIGINT, "integer"},
        {DUCKDB_TYPE_FLOAT, "number"}, {DUCKDB_TYPE_DOUBLE, "number"}, {DUCKDB_TYPE_DECIMAL, "number"},
        {DUCKDB_TYPE_TIMESTAMP_TZ, "instant"}, {DUCKDB_TYPE_TIMESTAMP, "time"},
        {DUCKDB_TYPE_TIMESTAMP_S, "time"}, {DUCKDB_TYPE_TIMESTAMP_MS, "time"},
        {DUCKDB_TYPE_TIMESTAMP_NS, "time"}, {DUCKDB_TYPE_DATE, "date"},
        {DUCKDB_TYPE_LIST, "list"}, {DUCKDB_TYPE_MAP, "list"},
        {DUCKDB_TYPE_STRUCT, "object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].type == t)
            return names[i].name;
    return "text";
}

/* Of JSON: {"columns":[...],"rows":[ */
static void begin_json(const struct rows *r, struct buf *out)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "columns");
    for (size_t i = 0; i < r->column_count; i++) {
        jw_object(&w);
        jw_kv_text(&w, "name", rows_name(r, i));
        jw_kv_text(&w, "type", type_name(rows_type(r, i)));
        jw_object_end(&w);
    }
    jw_array_end(&w);
    buf_puts(out, ",\"rows\":[");
}

static void end_json(const struct answering *a, struct buf *out)
{
    struct json_writer w;
    buf_puts(out, "],\"about\":");
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_int(&w, "rows", a->report.rows);
    jw_kv_bool(&w, "has_more", a->report.has_more);
    jw_kv_double(&w, "took_ms", (double)a->report.took_us / (double)US_PER_MS);
    jw_kv_time(&w, "as_of", a->order.as_of_us);
    jw_object_end(&w);
    buf_putc(out, '}');
}

static enum status check_columns(duckdb_result result, struct error *err)
{
    idx_t columns = duckdb_column_count(&result);
    if (columns > SQL_COLUMNS_MAX)
        return fail_field(err, STATUS_INVALID, "sql", "it has %d columns; at most %d are possible",
                          (int)columns, SQL_COLUMNS_MAX);
    return STATUS_OK;
}

static enum status write_answer(struct answering *a, duckdb_result result, struct error *err)
{
    auto_rows struct rows r = {0};
    auto_buf struct buf out = BUF_INIT((size_t)a->order.most_bytes);
    enum rows_format as = a->order.format == SQL_JSON     ? ROWS_JSON
                          : a->order.format == SQL_NDJSON ? ROWS_NDJSON
                                                          : ROWS_CSV;
    TRY(check_columns(result, err));
    struct error why;
    if (rows_begin_foreign(&r, result, as, a->order.most_rows, &why) != STATUS_OK)
        return fail_field(err, STATUS_INVALID, "sql", "%s; make a text of it (::varchar)", why.text);
    if (as == ROWS_JSON)
        begin_json(&r, &out);
    for (bool goes_on = true; goes_on;) {
        goes_on = rows_next(&r, &out);
        TRY(write_all(a, &out, err));
    }
    const char *late = duckdb_result_error(&result);
    if (late)
        return sealed_fail(late, err);
    a->report.rows = r.count;
    a->report.has_more = r.has_more;
    if (r.has_more && !a->order.is_cut)
        return fail_field(err, STATUS_TOO_LARGE, "sql", "the answer has more than %lld rows (SQL_MAX_ROWS)",
                          (long long)a->order.most_rows);
    return STATUS_OK;
}

/* --- the process ------------------------------------------------------------------------------- */

static enum status answer(struct answering *a, struct error *err)
{
    const struct sandbox_limits limits = {.most_memory = a->order.max_memory + MEMORY_BESIDE,
                                          .most_cpu_s = a->order.most_cpu_s,
                                          .most_file_bytes = a->order.most_bytes};
    const struct sealed_config c = {.fd = SQL_EXTRACT_FD, .max_memory = a->order.max_memory,
                                    .time_zone = a->order.time_zone};
    auto_result duckdb_result result = {0};
    TRY(sealed_open(&c, &a->db, err));
    TRY(sandbox_close(&limits, err));
    int64_t started_us = clock_monotonic_us();
    TRY(sealed_ask(a->db, a->sql, &result, err));
    TRY(write_answer(a, result, err));
    a->report.took_us = clock_monotonic_us() - started_us;
    auto_buf struct buf out = {0};
    if (a->order.format == SQL_JSON)
        end_json(a, &out);
    return write_all(a, &out, err);
}

int sql_child(void)
{
    static struct answering a;
    struct error err = {0};
    enum status s = read_order(&a, &err);
    if (s == STATUS_PROTOCOL) {
        fprintf(stderr, "cartographus: %s\n", err.text);
        return 2;
    }
    s = sandbox_follow(a.order.parent, &err);
    if (s == STATUS_OK)
        s = answer(&a, &err);
    a.report.magic = SQL_MAGIC;
    a.report.status = (int32_t)s;
    if (s != STATUS_OK) {
        snprintf(a.report.field, sizeof a.report.field, "%s", err.field);
        snprintf(a.report.text, sizeof a.report.text, "%s", err.text);
    }
    bool is_told = write(SQL_REPORT_FD, &a.report, sizeof a.report) == (ssize_t)sizeof a.report;
    _exit(is_told ? 0 : 1); /* nothing is put in order: the kernel does that */
}
