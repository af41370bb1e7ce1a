#include "api/plays.h"

#include <inttypes.h>
#include <stdio.h>

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

const char plays_columns[] =
    "p.play_id as id, p.started, p.ended, shown_ms as watch_ms, p.watch_low_ms, p.watch_high_ms,"
    " p.paused_ms, p.percent, p.is_watched, p.is_short, p.is_open, coalesce(p.hidden_by, '') = 'deleted' as"
    " is_deleted, p.kind, p.origin, p.server_id, server, server_kind, person_id, person,"
    " p.media_type, p.title_id, t.title, t.parent_title, t.grandparent_title, t.full_title,"
    " t.season, t.episode, t.year, p.duration_ms, p.segments, platform, player,"
    " transcode_decision, video_resolution, place, library";
/* Small tables are joined with narrow rows, apart: every join hands on all columns of its rows. */
const char plays_relations[] =
    "page_title as materialized (\n  select * from title"
    "\n  where title_id in (select title_id from page_key)),"
    "\npage_name as (\n  select k.play_id, v.name as server, v.kind as server_kind,"
    " o.name as person, b.name as library\n  from page_key k"
    "\n    left join server v on v.server_id = k.server_id"
    "\n    left join person o on o.person_id = k.person_id"
    "\n    left join library b on b.library_id = k.library_id),"
    "\npage_main as (\n  select distinct on (play_id) play_id, device_id, quality_id, address_id"
    "\n  from segment where play_id in (select play_id from page_key)"
    "\n  order by play_id, watch_ms desc, segment_id),"
    "\npage_how as (\n  select m.play_id, d.platform, d.player, q.transcode_decision,"
    " q.video_resolution,"
    "\n    nullif(concat_ws(', ', l.city, coalesce(l.country, l.country_code)), '') as place"
    "\n  from page_main m"
    "\n    left join device d on d.device_id = m.device_id"
    "\n    left join quality q on q.quality_id = m.quality_id"
    "\n    left join address e on e.address_id = m.address_id"
    "\n    left join place l on l.place_id = e.place_id)";
const char plays_joins[] =
    "\nfrom page_key k join play p on p.play_id = k.play_id"
    "\n  left join page_name n on n.play_id = k.play_id"
    "\n  left join page_how h on h.play_id = k.play_id"
    "\n  left join page_title t on t.title_id = k.title_id";

/* The same of many plays: each small table is joined once, and nearly all plays have one segment. */
static const char export_main[] =
    "page_main as (\n  select play_id, device_id, quality_id, address_id from segment"
    "\n  where play_id in (select play_id from page_key where segments = 1)"
    "\n  union all (\n  select distinct on (play_id) play_id, device_id, quality_id, address_id"
    "\n  from segment where play_id in (select play_id from page_key where segments > 1)"
    "\n  order by play_id, watch_ms desc, segment_id))";
static const char export_joins[] =
    "\nfrom page_key p"
    "\n  left join title t on t.title_id = p.title_id"
    "\n  left join (select server_id as v_id, name as server, kind as server_kind from server)"
    " on v_id = p.server_id"
    "\n  left join (select person_id as o_id, name as person from person) on o_id = p.person_id"
    "\n  left join (select library_id as b_id, name as library from library) on b_id = p.library_id"
    "\n  left join page_main m on m.play_id = p.play_id"
    "\n  left join (select device_id as d_id, platform, player from device) on d_id = m.device_id"
    "\n  left join (select quality_id as q_id, transcode_decision, video_resolution from quality)"
    " on q_id = m.quality_id"
    "\n  left join (select address_id as e_id, latitude as _latitude, longitude as _longitude,"
    "\n    nullif(concat_ws(', ', city, coalesce(country, country_code)), '') as place"
    "\n    from address left join place using (place_id)) on e_id = m.address_id";

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

/* Orders `f` (or `k`, which has the key as a column of its own). */
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

/*
 * First the few rows of the page by what they are sorted by, then all columns of those, else every
 * match would be read in full. By their id and not by rowid, which would be faster: a checkpoint
 * between the two scans of a statement moves rows, and other ones would come.
 */
static void add_page(const struct plays_query *q, bool has_edge, struct buf *out)
{
    const struct sorting *s = &sortings[q->sort];
    buf_puts(out, "with ");
    filter_sql(q->filter, out);
    buf_printf(out, ",\npage_key as materialized (\n  select f.play_id, f.started,"
                    " f.watch_ms as shown_ms, f.person_id, f.title_id, f.server_id, f.library_id,"
                    "\n    %s as folded, %s as mark\n  from filtered_play f%s\n  where true",
               s->key ? s->key : "null", s->mark, s->join);
    if (has_edge)
        buf_puts(out, "\n    and f.started >= make_timestamp($page_edge)");
    add_after(q, out);
    add_order(q, "f", s->key, out);
    buf_printf(out, "\n  limit $page_limit),\n%s\nselect %s, epoch_us(k.started) as _started,"
                    " k.play_id as _play_id, coalesce(k.mark::varchar, '') as _key%s",
               plays_relations, plays_columns, plays_joins);
    add_order(q, "k", "k.folded", out);
}

/* The same for a file: all columns at once, as most rows are wanted. */
static void add_export(const struct plays_query *q, bool has_edge, struct buf *out)
{
    const struct sorting *s = &sortings[q->sort];
    buf_puts(out, "with ");
    filter_sql(q->filter, out);
    buf_printf(out, ",\npage_key as %s (\n  select f.*, f.watch_ms as shown_ms, %s as folded,"
                    " %s as mark\n  from filtered_play f%s\n  where true",
               q->limit ? "materialized" : "not materialized", s->key ? s->key : "null", s->mark,
               s->join);
    if (has_edge)
        buf_puts(out, "\n    and f.started >= make_timestamp($page_edge)");
    add_after(q, out);
    if (q->limit) {
        add_order(q, "f", s->key, out);
        buf_puts(out, "\n  limit $page_limit");
    }
    buf_printf(out, "),\n%s\nselect %s, _latitude, _longitude, epoch_us(p.started) as _started,"
                    " p.play_id as _play_id, coalesce(p.mark::varchar, '') as _key%s",
               export_main, plays_columns, export_joins);
    if (q->is_ordered || q->limit)
        add_order(q, "p", "p.folded", out);
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
    (q->is_export ? add_export : add_page)(q, edge_us != TIME_NONE, &sql);
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

/*
 * Newest first, the rows are nearly always among the newest: looking there first spares all others
 * their look at the small tables. The span is a guess by how many rows there are in all.
 */
static enum status run_newest(struct store_conn *c, const struct plays_query *q,
                              duckdb_result *ret, struct error *err)
{
    int64_t oldest_us, newest_us, to_us = filter_to_us(q->filter);
    TRY(read_bounds(c, &oldest_us, &newest_us, err));
    double margin = q->is_export ? 2 : 8;
    double share = q->total > 0 ? margin * (double)q->limit / (double)q->total : 1;
    double span_us = share * (double)(newest_us - oldest_us);
    if (q->after.is_there && q->after.started_us < newest_us)
        newest_us = q->after.started_us;
    if (to_us != TIME_NONE && to_us < newest_us)
        newest_us = to_us;
    for (; share < 0.5; share *= margin, span_us *= margin) {
        int64_t edge_us = newest_us - (int64_t)span_us;
        if (edge_us <= filter_from_us(q->filter))
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

enum status plays_read(struct store_conn *c, struct plays_query *q, enum rows_format format,
                       struct buf *out, int64_t *ret_count, struct error *err)
{
    auto_result duckdb_result result = {0};
    TRY(run(c, q, &result, err));
    auto_rows struct rows rows = {0};
    TRY(rows_begin(&rows, result, format, err));
    while (rows_next(&rows, out)) {
    }
    *ret_count = rows.count;
    return move_on(q, &rows, err);
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
    return move_on(q, &rows, err);
}

static enum status export_parquet(struct store_conn *c, struct plays_query *q, struct export *e,
                                  struct error *err)
{
    auto_buf struct buf sql = {0};
    q->limit = 0;
    buf_puts(&sql, "select * exclude (_latitude, _longitude, _started, _play_id, _key) replace"
                   " (timezone('UTC', started) as started, timezone('UTC', ended) as ended) from (\n");
    add_export(q, false, &sql);
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
    TRY(plays_total(c, q->filter, &q->total, err));
    if (run->e->format == EXPORT_PARQUET)
        return export_parquet(c, q, run->e, err);
    q->limit = EXPORT_BATCH;
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

enum status plays_total(struct store_conn *c, const struct filter *f, int64_t *ret,
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
    auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    *ret = *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    return STATUS_OK;
}
