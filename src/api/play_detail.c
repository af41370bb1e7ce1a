/* One play with everything known of it; deleting it and taking that back. */
#include "api/plays.h"

#include <stdio.h>

#include "api/request.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/decide.h"

#include "base/banned.h"

/* Each is bound to $play; an error's text and the name of an imported file are for $sees_all only. */
static const char segments_sql[] =
    "with here as (select * from segment where play_id = $play),"
    " seen as (select segment_id, list({'state': state, 'from': first_at, 'to': last_at,"
    "  'from_position_ms': first_position_ms, 'to_position_ms': last_position_ms,"
    "  'blind_ms': blind_ms} order by observation_id) as states"
    "  from observation where segment_id in (select segment_id from here) group by segment_id)"
    " select s.segment_id as id, s.started, s.ended, s.watch_ms, s.watch_low_ms, s.watch_high_ms,"
    "  s.paused_ms, s.start_position_ms, s.position_ms, s.duration_ms, s.credits_ms, s.is_open,"
    "  s.is_interrupted, s.origin, c.name as account, b.name as library, d.player, d.product,"
    "  d.product_version, d.platform, d.platform_version, a.address, a.class as address_class,"
    "  nullif(concat_ws(', ', l.city, coalesce(l.country, l.country_code)), '') as place,"
    "  s.location, s.secure, s.relayed, s.bandwidth_kbps, s.bitrate_kbps, s.stream_bitrate_kbps,"
    "  q.* exclude (quality_id), n.session, i.import_id, m.source as import_source,"
    "  case when $sees_all then m.file end as import_file, i.source_row as import_row,"
    "  coalesce(e.states, []) as states"
    " from here s left join account c on c.account_id = s.account_id"
    "  left join library b on b.library_id = s.library_id"
    "  left join device d on d.device_id = s.device_id"
    "  left join quality q on q.quality_id = s.quality_id"
    "  left join address a on a.address_id = s.address_id"
    "  left join place l on l.place_id = a.place_id"
    "  left join session_in n on n.segment_id = s.segment_id"
    "  left join segment_in i on i.segment_in_id = s.segment_id"
    "  left join import m on m.import_id = i.import_id"
    "  left join seen e on e.segment_id = s.segment_id"
    " order by s.started, s.segment_id";

/* When the server was not fully watched while an observed segment went on. */
static const char coverage_sql[] =
    "select distinct c.started as \"from\", c.ended as \"to\", c.state,"
    " case when $sees_all then c.why end as why from coverage c"
    " join segment s on s.server_id = c.server_id and c.started < s.ended"
    "  and (c.ended is null or c.ended > s.started)"
    " where s.play_id = $play and s.origin = 'live' and c.state <> 'connected'"
    " order by 1 limit 200";

static const char decisions_sql[] =
    "select distinct decided_at as \"at\", who, kind from decision"
    " where kind in ('delete_play', 'restore_play') and (subject = $play or subject in"
    "  (select segment_id from segment where play_id = $play)) order by 1 limit 200";

static const char views_sql[] =
    "select source_id, viewed_at, ended from view_in where view_in_id = $play";

static enum status add_rows(struct store_conn *c, const char *sql, const struct store_named *values,
                            size_t count, struct buf *out, int64_t *ret_count, struct error *err)
{
    auto_result duckdb_result result = {0};
    TRY(store_query_named(c, sql, values, count, &result, err));
    auto_rows struct rows rows = {0};
    TRY(rows_begin(&rows, result, ROWS_JSON, err));
    while (rows_next(&rows, out)) {
    }
    *ret_count = rows.count;
    return STATUS_OK;
}

/* P, if the filter lets it through. */
static enum status add_play(struct store_conn *c, const struct filter *f, int64_t id,
                            struct buf *out, struct error *err)
{
    size_t count;
    const struct store_named *filters = filter_values(f, &count);
    auto_free struct store_named *values = xcalloc(count + 1, sizeof *values);
    memcpy(values, filters, count * sizeof *values);
    values[count] = (struct store_named){"play", {.kind = SV_INT, .i = id}};
    auto_buf struct buf sql = {0};
    buf_puts(&sql, "select * exclude (segments) from (with ");
    filter_sql(f, &sql);
    buf_puts(&sql, ",\npage_key as materialized (\n  select * from filtered_play where play_id = $play),\n");
    plays_select(true, "p.play_id as _play_id", &sql);
    buf_putc(&sql, ')');
    int64_t found;
    TRY(add_rows(c, buf_text(&sql), values, count + 1, out, &found, err));
    return found ? STATUS_OK
                 : fail_field(err, STATUS_NOT_FOUND, "id", "there is no play %lld", (long long)id);
}

static enum status add_list(struct request *r, const char *name, const char *sql, int64_t id,
                            struct buf *out, struct error *err)
{
    const struct store_named values[] = {{"play", {.kind = SV_INT, .i = id}},
                                         {"sees_all", {.kind = SV_BOOL, .i = r->scope.sees_all}}};
    int64_t count;
    buf_printf(out, ",\"%s\":[", name);
    TRY(add_rows(r->conn, sql, values, ARRAY_LEN(values), out, &count, err));
    buf_putc(out, ']');
    return STATUS_OK;
}

static enum status write_detail(struct request *r, const struct filter *f, int64_t id,
                                struct buf *out, struct error *err)
{
    TRY(add_play(r->conn, f, id, out, err));
    out->len--; /* its closing brace: more members follow */
    TRY(add_list(r, "segments", segments_sql, id, out, err));
    TRY(add_list(r, "views", views_sql, id, out, err));
    TRY(add_list(r, "coverage", coverage_sql, id, out, err));
    if (r->user.role >= ROLE_ADMIN)
        TRY(add_list(r, "decisions", decisions_sql, id, out, err));
    else
        buf_puts(out, ",\"decisions\":[]");
    buf_putc(out, '}');
    return STATUS_OK;
}

/* The number in the path; false after having answered. */
static bool read_id(struct request *r, int64_t *ret)
{
    if (str_to_i64(str_of(r->params[0]), ret))
        return true;
    request_failf(r, STATUS_NOT_FOUND, "id", "there is no play '%s'", r->params[0]);
    return false;
}

/* Short plays too: a link to one is good. Deleted ones for who may restore them. */
static enum status make_filter(struct request *r, struct filter **ret, struct error *err)
{
    struct filter_config config = request_filter_config(r);
    config.takes_deleted = r->user.role >= ROLE_ADMIN;
    bool is_known;
    struct filter *f = *ret = filter_new(&config);
    TRY(filter_take(f, "short", "include", &is_known, err));
    if (config.takes_deleted)
        TRY(filter_take(f, "deleted", "include", &is_known, err));
    return filter_finish(f, r->conn, err);
}

void handle_play(struct request *r)
{
    int64_t id;
    if (!read_id(r, &id))
        return;
    struct error err = {0};
    struct buf out = {0};
    auto_filter struct filter *f = NULL;
    enum status s = make_filter(r, &f, &err);
    if (s == STATUS_OK)
        s = write_detail(r, f, id, &out, &err);
    request_end(r, s, &out, &err);
}

/* --- decisions ------------------------------------------------------------------------------- */

/* It waits for the writer, and so must not while the writer is at it for minutes. */
static void decide(struct request *r, bool is_deleted)
{
    struct ingest *ingest = r->api->config.ingest;
    int64_t id;
    if (!read_id(r, &id))
        return;
    if (ingest_rederive_percent(ingest) >= 0) {
        http_add_header(r->x, "Retry-After", "10");
        request_failf(r, STATUS_UNAVAILABLE, "", "all plays are being derived anew: try again");
        return;
    }
    struct error err = {0};
    if (decide_deleted(ingest, id, is_deleted, r->user.name, &err) == STATUS_OK)
        request_no_content(r);
    else
        request_fail(r, &err);
}

void handle_play_delete(struct request *r)
{
    decide(r, true);
}

void handle_play_restore(struct request *r)
{
    decide(r, false);
}
