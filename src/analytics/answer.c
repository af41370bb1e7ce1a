#include "analytics/answer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/cursor.h"
#include "store/rows.h"

#include "base/banned.h"

enum { GAPS_MOST = 200, BODY_MOST = 64 * 1024 * 1024 };

/* Beside the filter's relations: the servers asked about, with or without plays. */
static void add_relations(const struct filter *f, struct buf *out)
{
    filter_sql(f, out);
    buf_puts(out, ",\nfiltered_server as (\n  select * from server where $servers::varchar is null"
                  "\n    or server_id::varchar in (select unnest(string_split($servers, ','))))");
}

/* "with <relations> <the query>"; explained, each row also tells what is behind it. */
static void add_sql(const struct query *q, const struct filter *f, bool is_explained,
                    struct buf *out)
{
    bool has_behind = is_explained && *q->behind_sql;
    const char *with = str_has_prefix(str_of(q->sql), STR("with recursive")) ? "with recursive" : "with";
    buf_printf(out, "%s ", with);
    add_relations(f, out);
    if (has_behind) {
        buf_printf(out, "\nselect answer.*, %s as behind from (\n%s) answer", q->behind_sql,
                   q->sql);
    } else if (str_has_prefix(str_of(q->sql), str_of(with))) {
        buf_puts(out, ",");
        buf_puts(out, q->sql + strlen(with));
    } else {
        buf_putc(out, '\n');
        buf_puts(out, q->sql);
    }
}

/* The filter's values, those that every query has, and the query's own. The caller frees it. */
static struct store_named *all_values(const struct question *q, const struct filter *f,
                                      size_t *ret_count)
{
    size_t of_filter, own;
    const struct store_named *a = filter_values(f, &of_filter);
    const struct store_named *b = question_values(q, &own);
    const char *servers = question_given(q, "server_ids");
    const struct store_named every[] = {
        {"tz", {.kind = SV_TEXT, .s = str_of(filter_time_zone(f))}},
        {"now", {.kind = SV_TIME, .i = question_now_us(q)}},
        {"servers", {.kind = servers ? SV_TEXT : SV_NULL, .s = str_of(servers)}},
        {"sees_all", {.kind = SV_BOOL, .i = question_sees_all(q)}},
    };
    struct store_named *all = xcalloc(of_filter + ARRAY_LEN(every) + own, sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < of_filter; i++)
        all[n++] = a[i];
    for (size_t i = 0; i < ARRAY_LEN(every); i++)
        all[n++] = every[i];
    for (size_t i = 0; i < own; i++)
        all[n++] = b[i];
    *ret_count = n;
    return all;
}

static enum status write_all(duckdb_result result, enum rows_format format, struct buf *out,
                             struct error *err)
{
    auto_rows struct rows r = {0};
    TRY(rows_begin(&r, result, format, err));
    while (rows_next(&r, out)) {
    }
    if (out->is_overflowed)
        return fail(err, STATUS_TOO_LARGE, "the answer is too large; ask for less at once");
    return STATUS_OK;
}

static enum status ask(const struct question *q, const struct filter *f, struct store_conn *c,
                       duckdb_result *ret, struct error *err)
{
    auto_buf struct buf sql = {0};
    add_sql(question_query(q), f, question_is_explained(q), &sql);
    size_t count;
    auto_free struct store_named *values = all_values(q, f, &count);
    return store_query_named(c, buf_text(&sql), values, count, ret, err);
}

static enum status run(const struct question *q, const struct filter *f, struct store_conn *c,
                       enum rows_format format, struct buf *out, struct error *err)
{
    auto_result duckdb_result result = {0};
    TRY(ask(q, f, c, &result, err));
    return write_all(result, format, out, err);
}

enum status answer_discard(const struct question *q, struct store_conn *c, struct error *err)
{
    auto_result duckdb_result result = {0};
    return ask(q, question_filter(q), c, &result, err);
}

enum status answer_count(const struct filter *f, struct store_conn *c, int64_t *ret,
                         struct error *err)
{
    auto_buf struct buf sql = {0};
    buf_puts(&sql, "with ");
    filter_sql(f, &sql);
    buf_puts(&sql, "\nselect count(*) from filtered_play");
    size_t count;
    const struct store_named *values = filter_values(f, &count);
    auto_result duckdb_result result = {0};
    TRY(store_query_named(c, buf_text(&sql), values, count, &result, err));
    *ret = 0;
    auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (chunk && duckdb_data_chunk_get_size(chunk) > 0)
        *ret = *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    return STATUS_OK;
}

/* Without what is only there to be read here, and with times that say that they are of UTC. */
static void add_parquet_columns(const struct question *q, struct buf *out)
{
    const struct query *query = question_query(q);
    for (size_t i = 0; i < query->column_count; i++) {
        const struct query_column *column = &query->columns[i];
        buf_puts(out, i ? ", " : "");
        if (column->type == QUERY_TIME)
            buf_printf(out, "timezone('UTC', \"%s\") as ", column->name);
        buf_printf(out, "\"%s\"", column->name);
    }
    if (question_is_explained(q) && *query->behind_sql)
        buf_puts(out, ", behind");
}

enum status answer_file(const struct question *q, struct store_conn *c, struct export *e,
                        struct error *err)
{
    auto_buf struct buf sql = {0};
    bool is_parquet = e->format == EXPORT_PARQUET;
    if (is_parquet) {
        buf_puts(&sql, "select ");
        add_parquet_columns(q, &sql);
        buf_puts(&sql, " from (\n");
    }
    add_sql(question_query(q), question_filter(q), question_is_explained(q), &sql);
    buf_puts(&sql, is_parquet ? ")" : "");
    size_t count;
    auto_free struct store_named *values = all_values(q, question_filter(q), &count);
    TRY(export_query(e, c, buf_text(&sql), values, count, err));
    return export_end(e, err);
}

/* --- what stands beside the rows ------------------------------------------------------------- */

static void write_value(const struct store_value *v, struct json_writer *w)
{
    switch (v->kind) {
    case SV_NULL:
        jw_null(w);
        break;
    case SV_INT:
        jw_int(w, v->i);
        break;
    case SV_DOUBLE:
        jw_double(w, v->d);
        break;
    case SV_TEXT:
        jw_str(w, v->s);
        break;
    case SV_TIME:
        jw_time(w, v->i);
        break;
    case SV_BOOL:
        jw_bool(w, v->i != 0);
        break;
    }
}

static void write_explanation(const struct question *q, struct json_writer *w)
{
    const struct query *query = question_query(q);
    auto_buf struct buf sql = {0};
    add_sql(query, question_filter(q), true, &sql);
    jw_kv_object(w, "explain");
    jw_kv_text(w, "definition", query->about);
    jw_kv_str(w, "sql", buf_str(&sql));
    jw_kv_array(w, "values");
    size_t count;
    auto_free struct store_named *values = all_values(q, question_filter(q), &count);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        jw_kv_text(w, "name", values[i].name);
        jw_key(w, "value");
        write_value(&values[i].value, w);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static struct store_value time_or_null(int64_t us)
{
    return us == TIME_NONE ? (struct store_value){.kind = SV_NULL}
                           : (struct store_value){.kind = SV_TIME, .i = us};
}

/* Stretches of the window in which a server was not seen, of the servers asked about. */
static enum status write_gaps(const struct question *q, struct store_conn *c, struct json_writer *w,
                              struct error *err)
{
    static const char sql[] =
        "select server_id, started as \"from\", ended as \"to\" from coverage"
        " where state = 'blind' and ($1 is null or ended is null or ended > $1::timestamp)"
        " and ($2 is null or started < $2::timestamp)"
        " and ($3 is null or list_contains(string_split($3::varchar, ','), server_id::varchar))"
        " order by started desc limit $4";
    const char *servers = question_given(q, "server_ids");
    const struct store_value values[] = {
        time_or_null(filter_from_us(question_filter(q))),
        time_or_null(filter_to_us(question_filter(q))),
        servers ? (struct store_value){.kind = SV_TEXT, .s = str_of(servers)}
                : (struct store_value){.kind = SV_NULL},
        {.kind = SV_INT, .i = GAPS_MOST}};
    auto_result duckdb_result result = {0};
    TRY(store_query(c, sql, values, ARRAY_LEN(values), &result, err));
    jw_kv_array(w, "coverage_gaps");
    TRY(write_all(result, ROWS_JSON, w->out, err));
    jw_array_end(w);
    return STATUS_OK;
}

/* The window that is compared with: as long by the zone's clock and ending where this one begins,
 * or the same a year before. */
static enum status compared_window(const struct question *q, struct store_conn *c,
                                   int64_t *ret_from, int64_t *ret_to, struct error *err)
{
#define IN_ZONE(v) "timezone($3, timezone('UTC', " v "))"
#define OF_ZONE(v) "epoch_us(timezone($3, " v "))"
    static const char previous[] =
        "select " OF_ZONE("f - (t - f)") " from (select " IN_ZONE("$1::timestamp") " f, "
        IN_ZONE("$2::timestamp") " t)";
    static const char year[] = "select " OF_ZONE(IN_ZONE("$1::timestamp") " - interval 1 year")
                               " where $2::timestamp is not null";
    const struct filter *f = question_filter(q);
    int64_t from = filter_from_us(f);
    int64_t to = filter_to_us(f) == TIME_NONE ? question_now_us(q) : filter_to_us(f);
    struct store_value v[] = {{.kind = SV_TIME, .i = from},
                              {.kind = SV_TIME, .i = to},
                              {.kind = SV_TEXT, .s = str_of(filter_time_zone(f))}};
    if (question_compare(q) == COMPARE_PREVIOUS) {
        *ret_to = from;
        return store_query_int(c, previous, v, ARRAY_LEN(v), from, ret_from, err);
    }
    TRY(store_query_int(c, year, v, ARRAY_LEN(v), from, ret_from, err));
    v[0].i = to;
    return store_query_int(c, year, v, ARRAY_LEN(v), to, ret_to, err);
}

static enum status write_comparison(const struct question *q, struct store_conn *c,
                                    struct json_writer *w, struct error *err)
{
    int64_t from, to;
    TRY(compared_window(q, c, &from, &to, err));
    struct filter *f = NULL;
    TRY(question_filter_of(q, from, to, c, &f, err));
    jw_kv_object(w, "compare");
    jw_kv_time(w, "from", from);
    jw_kv_time(w, "to", to);
    jw_kv_array(w, "data");
    enum status s = run(q, f, c, ROWS_JSON, w->out, err);
    filter_free(f);
    jw_array_end(w);
    jw_object_end(w);
    return s;
}

static enum status write_meta(const struct question *q, struct store_conn *c,
                              const struct answer_facts *facts, int64_t started_us,
                              struct json_writer *w, struct error *err)
{
    const struct query *query = question_query(q);
    const struct filter *f = question_filter(q);
    jw_kv_object(w, "meta");
    jw_kv_text(w, "query", query->name);
    jw_kv_text(w, "title", query->title);
    jw_kv_text(w, "row", query->row);
    jw_kv_text(w, "tz", filter_time_zone(f));
    jw_kv_int(w, "data_version", facts->data_version);
    jw_kv_time(w, "from", filter_from_us(f));
    jw_kv_time(w, "to", filter_to_us(f));
    jw_kv_int(w, "rows_behind", facts->plays);
    TRY(write_gaps(q, c, w, err));
    jw_kv_double(w, "took_ms", (double)(clock_monotonic_us() - started_us) / (double)US_PER_MS);
    jw_key(w, "is_cached");
    return STATUS_OK;
}

enum status answer_json(const struct question *q, struct store_conn *c,
                        const struct answer_facts *facts, int64_t started_us, struct buf *out,
                        struct error *err)
{
    out->cap = BODY_MOST;
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "data");
    TRY(run(q, question_filter(q), c, ROWS_JSON, out, err));
    jw_array_end(&w);
    if (question_is_explained(q))
        write_explanation(q, &w);
    if (question_compare(q) != COMPARE_NOTHING)
        TRY(write_comparison(q, c, &w, err));
    return write_meta(q, c, facts, started_us, &w, err);
}

/* --- the self-test --------------------------------------------------------------------------- */

static bool is_of_type(struct str sql_type, enum query_type t)
{
    switch (t) {
    case QUERY_INT:
        return str_eq(sql_type, STR("BIGINT")) || str_eq(sql_type, STR("INTEGER"));
    case QUERY_DOUBLE:
        return str_eq(sql_type, STR("DOUBLE"));
    case QUERY_TEXT:
        return str_eq(sql_type, STR("VARCHAR"));
    case QUERY_BOOL:
        return str_eq(sql_type, STR("BOOLEAN"));
    case QUERY_TIME:
        return str_eq(sql_type, STR("TIMESTAMP"));
    }
    return false;
}

/* The columns that the statement would give, by DESCRIBE: name, type. */
static enum status check_columns(duckdb_result result, const struct query *q, struct error *err)
{
    struct cursor r = {.result = result};
    size_t at = 0;
    enum status s = STATUS_OK;
    while (s == STATUS_OK && cursor_next(&r)) {
        struct str name = cursor_text(&r, 0), type = cursor_text(&r, 1);
        if (name.len && name.ptr[0] == '_')
            continue;
        const struct query_column *c = at < q->column_count ? &q->columns[at] : NULL;
        if (!c || !str_eq(name, str_of(c->name)))
            s = fail(err, STATUS_INTERNAL, "column %zu of its text is '%.*s', of its header '%s'",
                     at + 1, (int)name.len, name.ptr, c ? c->name : "(none)");
        else if (!is_of_type(type, c->type))
            s = fail(err, STATUS_INTERNAL, "column '%s' is %.*s, which is no %s", c->name,
                     (int)type.len, type.ptr, query_type_name(c->type));
        at++;
    }
    duckdb_destroy_data_chunk(&r.chunk);
    if (s == STATUS_OK && at < q->column_count)
        return fail(err, STATUS_INTERNAL, "its text has no column '%s'", q->columns[at].name);
    return s;
}

static enum status describe(const struct question *q, bool is_explained, struct store_conn *c,
                            duckdb_result *ret, struct error *err)
{
    auto_buf struct buf sql = {0};
    buf_puts(&sql, "describe ");
    add_sql(question_query(q), question_filter(q), is_explained, &sql);
    size_t count;
    auto_free struct store_named *values = all_values(q, question_filter(q), &count);
    return store_query_named(c, buf_text(&sql), values, count, ret, err);
}

enum status answer_check(const struct question *q, struct store_conn *c, struct error *err)
{
    auto_result duckdb_result plain = {0}, explained = {0};
    TRY(describe(q, false, c, &plain, err));
    TRY(check_columns(plain, question_query(q), err));
    return *question_query(q)->behind_sql ? describe(q, true, c, &explained, err) : STATUS_OK;
}
