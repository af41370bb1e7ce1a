#include "api/plays.h"

#include <inttypes.h>
#include <stdio.h>

#include "analytics/answer.h"
#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

/* What a sort goes by. Names are compared with accents and case folded. A cursor is the asker's text: with a
 * scope it must name something of their own, else what comes after it would tell of others' names. */
struct sorting {
    const char *name;
    const char *key;   /* of the row */
    const char *value; /* of the last row of the page before, from $page_key */
    const char *mark;  /* what is kept of the row to find the value again */
    const char *join;
};

static const struct sorting sortings[PLAYS_SORTS] = {
    [PLAYS_BY_STARTED] = {.name = "started", .mark = "''", .join = ""},
    [PLAYS_BY_WATCH] = {"watch_ms", "f.watch_ms", "$page_key::bigint", "f.watch_ms", ""},
    [PLAYS_BY_PERCENT] = {"percent", "f.percent", "$page_key::double", "f.percent", ""},
    [PLAYS_BY_PERSON] = {"person", "n.folded",
                         "(select lower(strip_accents(name)) from person"
                         " where person_id = $page_key::integer and (not $page_scoped or person_id in"
                         " (select person_id from filtered_play)))",
                         "f.person_id",
                         " left join (select person_id, lower(strip_accents(name)) as folded"
                         " from person) n on n.person_id = f.person_id"},
    [PLAYS_BY_TITLE] = {"title", "n.folded",
                        "(select lower(strip_accents(full_title)) from title"
                        " where title_id = $page_key::integer and (not $page_scoped or title_id in"
                        " (select title_id from filtered_play)))",
                        "f.title_id",
                        " left join (select title_id, lower(strip_accents(full_title)) as folded"
                        " from title) n on n.title_id = f.title_id"},
};
const char plays_sort_words[] = "one of started, watch_ms, person, title, percent";

bool plays_sort_parse(const char *word, enum plays_sort *ret)
{
    for (size_t i = 0; i < PLAYS_SORTS; i++) {
        if (streq(sortings[i].name, word)) {
            *ret = (enum plays_sort)i;
            return true;
        }
    }
    return false;
}

/* --- the cursor ------------------------------------------------------------------------------ */

static const char *direction(const struct plays_query *q)
{
    return q->is_ascending ? "asc" : "desc";
}

void plays_cursor_format(const struct plays_query *q, char dst[static PLAYS_CURSOR_MAX])
{
    snprintf(dst, PLAYS_CURSOR_MAX, "%s.%s.%" PRId64 ".%" PRId64 ".%s", sortings[q->sort].name,
             direction(q), q->after.started_us, q->after.play_id, q->after.key);
}

static bool is_key(enum plays_sort sort, struct str key)
{
    int64_t n;
    double d;
    if (!key.len)
        return true;
    if (key.len >= sizeof((struct plays_place *)0)->key || sort == PLAYS_BY_STARTED)
        return false;
    if (sort == PLAYS_BY_PERCENT)
        return str_to_double(key, &d);
    return str_to_i64(key, &n) && (sort == PLAYS_BY_WATCH || (n > 0 && n <= INT32_MAX));
}

bool plays_cursor_parse(struct plays_query *q, const char *text)
{
    struct str rest = str_of(text), sort, dir, started, id;
    struct plays_place *p = &q->after;
    if (!str_next(&rest, '.', &sort) || !str_next(&rest, '.', &dir) ||
        !str_next(&rest, '.', &started) || !str_next(&rest, '.', &id) || !rest.ptr)
        return false;
    if (!str_eq(sort, str_of(sortings[q->sort].name)) || !str_eq(dir, str_of(direction(q))) ||
        !str_to_i64(started, &p->started_us) || !str_to_i64(id, &p->play_id) ||
        !is_key(q->sort, rest))
        return false;
    memcpy(p->key, rest.ptr, rest.len);
    p->key[rest.len] = '\0';
    p->is_there = true;
    return true;
}

/* --- one page -------------------------------------------------------------------------------- */

#define LAST_STARTED "make_timestamp($page_started)"

/* The rows behind the last one of the page before. Unknown comes last in either direction; equal
 * keys are newest first. */
static void add_after(const struct plays_query *q, struct buf *out)
{
    if (!q->after.is_there)
        return;
    const char *beyond = q->is_ascending ? ">" : "<";
    if (q->sort == PLAYS_BY_STARTED) {
        buf_printf(out, "\n    and f.started %s= " LAST_STARTED
                        " and (f.started <> " LAST_STARTED " or f.play_id %s $page_id)",
                   beyond, beyond);
        return;
    }
    const char *key = sortings[q->sort].key, *value = sortings[q->sort].value;
    if (*q->after.key)
        buf_printf(out, "\n    and (%s %s %s or %s is null or (%s = %s", key, beyond, value, key,
                   key, value);
    else
        buf_printf(out, "\n    and ((%s is null", key);
    buf_puts(out, " and (f.started < " LAST_STARTED
                  " or (f.started = " LAST_STARTED " and f.play_id < $page_id))))");
}

/* Orders `f` (or `p`, which has the key as a column of its own). */
static void add_order(const struct plays_query *q, const char *alias, const char *key,
                      struct buf *out)
{
    if (q->sort == PLAYS_BY_STARTED)
        buf_printf(out, "\n  order by %s.started %s, %s.play_id %s", alias, direction(q), alias,
                   direction(q));
    else
        buf_printf(out, "\n  order by %s %s nulls last, %s.started desc, %s.play_id desc", key,
                   direction(q), alias, alias);
}

/* What is found of it: all that P is made of. */
static const char key_columns[] = "f.* exclude (account_id, position_ms, is_hidden)";

/* What has no order yet: rows behind the last one. */
static void add_rows_behind(const struct plays_query *q, bool has_edge, const char *columns,
                            struct buf *out)
{
    const struct sorting *s = &sortings[q->sort];
    buf_printf(out, "select %s, %s as folded, %s as mark\n  from filtered_play f%s\n  where true", columns,
               s->key ? s->key : "null", s->mark, s->join);
    if (has_edge)
        buf_puts(out, "\n    and f.started >= make_timestamp($page_edge)");
    add_after(q, out);
}

/*
 * The next rows. Where the period to look into is narrow, all of it is taken and sorted once, at the end.
 * Else the rows are chosen first, by what they are sorted by alone, and read in full then. By their id and
 * not by rowid, which would be faster: a checkpoint between the two scans of a statement moves rows, and
 * other ones would come. In place of what they point at they have numbers, or names where it `is_joined`.
 */
static void add_page(const struct plays_query *q, bool has_edge, struct buf *out)
{
    const struct sorting *s = &sortings[q->sort];
    bool is_chosen = q->limit && !has_edge;
    buf_puts(out, "with ");
    filter_sql(q->filter, out);
    if (is_chosen && !q->is_export) {
        buf_puts(out, ",\npage_choice as materialized (\n  ");
        add_rows_behind(q, has_edge, "f.play_id, f.started, f.watch_ms, f.person_id", out);
        add_order(q, "f", s->key, out);
        buf_puts(out, "\n  limit $page_limit),\npage_key as materialized (\n  select p.* exclude"
                      " (account_id, position_ms, is_hidden) replace (f.watch_ms as watch_ms), f.person_id,"
                      " folded, mark\n  from page_choice f join play p on p.play_id = f.play_id");
    } else {
        buf_printf(out, ",\npage_key as %s (\n  ", q->limit ? "materialized" : "not materialized");
        add_rows_behind(q, has_edge, key_columns, out);
        if (is_chosen) {
            add_order(q, "f", s->key, out);
            buf_puts(out, "\n  limit $page_limit");
        }
    }
    buf_puts(out, "),\n");
    plays_select(q->is_joined, "epoch_us(p.started) as _started, p.play_id as _play_id,"
                            " coalesce(p.mark::varchar, '') as _key", out);
    if (q->is_ordered || q->limit)
        add_order(q, "p", "p.folded", out);
    if (q->limit)
        buf_puts(out, "\n  limit $page_limit");
}

/* All values of a page's text; the caller frees it. */
static struct store_named *page_values(const struct plays_query *q, int64_t edge_us, size_t *ret_count)
{
    const struct store_named own[] = {
        {"page_limit", {.kind = SV_INT, .i = q->limit}},
        {"page_started", {.kind = SV_INT, .i = q->after.started_us}},
        {"page_id", {.kind = SV_INT, .i = q->after.play_id}},
        {"page_key", {.kind = SV_TEXT, .s = str_of(q->after.key)}},
        {"page_edge", {.kind = SV_INT, .i = edge_us}},
        {"page_scoped", {.kind = SV_BOOL, .i = filter_is_scoped(q->filter)}},
    };
    size_t count;
    const struct store_named *filters = filter_values(q->filter, &count);
    struct store_named *all = xcalloc(count + ARRAY_LEN(own), sizeof *all);
    memcpy(all, filters, count * sizeof *all);
    memcpy(all + count, own, sizeof own);
    *ret_count = count + ARRAY_LEN(own);
    return all;
}

static enum status run_page(struct store_conn *c, const struct plays_query *q, int64_t edge_us,
                            duckdb_result *ret, struct error *err)
{
    auto_buf struct buf sql = {0};
    add_page(q, edge_us != TIME_NONE, &sql);
    size_t count;
    auto_free struct store_named *values = page_values(q, edge_us, &count);
    return store_query_named(c, buf_text(&sql), values, count, ret, err);
}

static enum status read_bounds(struct store_conn *c, int64_t *ret_oldest, int64_t *ret_newest,
                               struct error *err)
{
    TRY(store_query_int(c, "select min(started) from play", NULL, 0, 0, ret_oldest, err));
    return store_query_int(c, "select max(started) from play", NULL, 0, 0, ret_newest, err);
}

/* The next batch of an export is about as dense as the one before. */
#define BATCH_MARGIN 1.25

/*
 * Newest first, the rows are nearly always among the newest: looking there first spares all others
 * their look at the small tables. The span is a guess by how many rows there are in all, or by how far the
 * batch before went.
 */
static enum status run_newest(struct store_conn *c, const struct plays_query *q,
                              duckdb_result *ret, struct error *err)
{
    int64_t oldest_us, newest_us, to_us = filter_to_us(q->filter), from_us = filter_from_us(q->filter);
    TRY(read_bounds(c, &oldest_us, &newest_us, err));
    double margin = q->is_export ? 2 : 8;
    double share = q->total > 0 ? margin * (double)q->limit / (double)q->total : 1;
    double all_us = (double)(newest_us - oldest_us);
    double span_us = q->batch_span_us ? BATCH_MARGIN * (double)q->batch_span_us : share * all_us;
    if (q->after.is_there && q->after.started_us < newest_us)
        newest_us = q->after.started_us;
    if (to_us != TIME_NONE && to_us < newest_us)
        newest_us = to_us;
    if (oldest_us > from_us)
        from_us = oldest_us;
    for (; share < 0.5 && span_us < all_us; share *= margin, span_us *= margin) {
        int64_t edge_us = newest_us - (int64_t)span_us;
        if (edge_us <= from_us)
            break;
        TRY(run_page(c, q, edge_us, ret, err));
        if ((int64_t)duckdb_row_count(ret) == q->limit)
            return STATUS_OK;
        duckdb_destroy_result(ret);
    }
    return run_page(c, q, TIME_NONE, ret, err);
}

static enum status run(struct store_conn *c, const struct plays_query *q, duckdb_result *ret,
                       struct error *err)
{
    return q->sort == PLAYS_BY_STARTED && !q->is_ascending ? run_newest(c, q, ret, err)
                                                           : run_page(c, q, TIME_NONE, ret, err);
}

/* The next page begins behind the last of the rows. */
static enum status move_on(struct plays_query *q, const struct rows *rows, struct error *err)
{
    if (!rows->count)
        return STATUS_OK;
    struct plays_place *p = &q->after;
    p->is_there = true;
    p->started_us = rows_last_int(rows, "_started", 0);
    p->play_id = rows_last_int(rows, "_play_id", 0);
    struct str key = rows_last_text(rows, "_key");
    if (key.len >= sizeof p->key)
        return fail(err, STATUS_INTERNAL, "a sort key is too long");
    memcpy(p->key, key.ptr, key.len);
    p->key[key.len] = '\0';
    return STATUS_OK;
}

static enum status write_rows(struct plays_query *q, duckdb_result result, struct lookup *const *names,
                              enum rows_format format, struct buf *out, int64_t *ret_count,
                              struct error *err)
{
    auto_rows struct rows rows = {0};
    TRY(rows_begin(&rows, result, format, err));
    TRY(rows_look_up(&rows, names, PLAYS_NAMES, err));
    while (rows_next(&rows, out)) {
    }
    if (rows.status != STATUS_OK)
        return fail(err, rows.status, "%s", rows.error.text);
    *ret_count = rows.count;
    return move_on(q, &rows, err);
}

enum status plays_read(struct store_conn *c, struct plays_query *q, enum rows_format format,
                       struct buf *out, int64_t *ret_count, struct error *err)
{
    auto_result duckdb_result result = {0};
    auto_plays_names struct plays_names names = {0};
    TRY(run(c, q, &result, err));
    plays_names_begin(q->filter, c, &names);
    return write_rows(q, result, names.list, format, out, ret_count, err);
}

/* --- all of them -------------------------------------------------------------------------------- */

/* A batch costs a look at all plays of the filter, and memory for its rows. */
enum { EXPORT_BATCH = 100000 };

static enum status export_batch(struct store_conn *c, struct plays_query *q, struct export *e,
                                int64_t *ret_count, struct error *err)
{
    auto_result duckdb_result result = {0};
    TRY(run(c, q, &result, err));
    auto_rows struct rows rows = {0};
    TRY(export_rows(e, result, &rows, err));
    *ret_count = rows.count;
    bool is_first = !q->after.is_there;
    int64_t began_us = q->after.started_us;
    TRY(move_on(q, &rows, err));
    q->batch_span_us = is_first ? 0 : began_us - q->after.started_us;
    return STATUS_OK;
}

static enum status export_parquet(struct store_conn *c, struct plays_query *q, struct export *e,
                                  struct error *err)
{
    auto_buf struct buf sql = {0};
    q->limit = 0;
    buf_puts(&sql, "select * exclude (_latitude, _longitude, _started, _play_id, _key) replace"
                   " (timezone('UTC', started) as started, timezone('UTC', ended) as ended) from (\n");
    add_page(q, false, &sql);
    buf_putc(&sql, ')');
    size_t count;
    auto_free struct store_named *values = page_values(q, TIME_NONE, &count);
    TRY(export_need_room(e, (uint64_t)q->total * PLAYS_PARQUET_BYTES, err));
    return export_query(e, c, buf_text(&sql), values, count, err);
}

/* In one transaction, so that all batches see the same plays. */
struct export_run {
    struct plays_query *q;
    struct export *e;
    bool (*go_on)(void *ctx);
    void *ctx;
};

static enum status export_all(void *ctx, struct store_conn *c, struct error *err)
{
    struct export_run *run = ctx;
    struct plays_query *q = run->q;
    TRY(answer_count(q->filter, c, &q->total, err));
    /* DuckDB writes Parquet itself; GeoJSON has to see the place of each. */
    q->is_joined = run->e->format == EXPORT_PARQUET || run->e->format == EXPORT_GEOJSON;
    if (run->e->format == EXPORT_PARQUET)
        return export_parquet(c, q, run->e, err);
    q->limit = EXPORT_BATCH;
    auto_plays_names struct plays_names names = {0};
    if (!q->is_joined) {
        plays_names_begin(q->filter, c, &names);
        run->e->names = names.list;
        run->e->name_count = PLAYS_NAMES;
    }
    for (int64_t count = q->limit; count == q->limit;) {
        if (!run->go_on(run->ctx))
            return fail(err, STATUS_CANCELLED, "the client has gone");
        TRY(export_batch(c, q, run->e, &count, err));
    }
    return export_end(run->e, err);
}

enum status plays_export(struct store_conn *c, struct plays_query *q, struct export *e,
                         bool (*go_on)(void *ctx), void *ctx, struct error *err)
{
    struct export_run run = {q, e, go_on, ctx};
    q->is_export = true;
    return store_transaction(c, export_all, &run, err);
}
