/* The history: plays by pages, newest first. */
#include "api/request.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

enum { SEARCH_MAX = 200, LIST_MAX = 200 };

/* What a page is asked for; NULL is not asked for. */
struct page_query {
    const char *search, *server_ids, *users, *media_types;
    bool has_cursor, with_short;
    int64_t limit, before_us, before_id;
};

struct reading {
    struct request *r;
    struct page_query q;
    enum status status;
    struct error err;
};

/* A comma separated list of numbers (or words of letters), at most LIST_MAX. */
static bool is_list(const char *text, bool of_numbers)
{
    struct str rest = str_of(text), piece;
    int count = 0;
    while (str_next(&rest, ',', &piece)) {
        int64_t n;
        if (!piece.len || ++count > LIST_MAX || (of_numbers && !str_to_i64(piece, &n)))
            return false;
        for (size_t i = 0; !of_numbers && i < piece.len; i++)
            if (piece.ptr[i] < 'a' || piece.ptr[i] > 'z')
                return false;
    }
    return true;
}

/* "<started, microseconds>.<play id>": where the page before ended. */
static bool read_cursor(const char *text, struct page_query *q)
{
    struct str rest = str_of(text), at, id;
    return str_next(&rest, '.', &at) && str_next(&rest, '.', &id) && !rest.ptr &&
           str_to_i64(at, &q->before_us) && str_to_i64(id, &q->before_id) &&
           (q->has_cursor = true);
}

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct reading *g = ctx;
    struct page_query *q = &g->q;
    int64_t most = g->r->api->config.config->api_max_page_size;
    const char *right = NULL;
    if (!*value)
        return true;
    if (!str_is_utf8(str_of(value)))
        right = "UTF-8 text";
    else if (streq(name, "limit"))
        right = str_to_i64(str_of(value), &q->limit) && q->limit >= 1 && q->limit <= most
                    ? NULL
                    : "a whole number from 1 to API_MAX_PAGE_SIZE";
    else if (streq(name, "cursor"))
        right = read_cursor(value, q) ? NULL : "a next_cursor of an earlier answer";
    else if (streq(name, "search"))
        right = strlen(q->search = value) <= SEARCH_MAX ? NULL : "at most 200 bytes of text";
    else if (streq(name, "server_ids"))
        right = is_list(q->server_ids = value, true) ? NULL : "numbers with commas between";
    else if (streq(name, "users"))
        right = is_list(q->users = value, true) ? NULL : "numbers with commas between";
    else if (streq(name, "media_types"))
        right = is_list(q->media_types = value, false) ? NULL : "words with commas between";
    else if (streq(name, "short"))
        right = (q->with_short = streq(value, "include")) ? NULL : "include";
    else
        g->status = fail_field(&g->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    if (right)
        g->status = fail_field(&g->err, STATUS_INVALID, name, "'%.60s' is not right; it must be %s",
                               value, right);
    return g->status == STATUS_OK;
}

/* Bound: $1 search, $2 server ids, $3 people, $4 media types, $5 with short ones. */
#define WHERE                                                                                     \
    " where not p.is_hidden and p.kind <> 'extra' and ($5 or not p.is_short)"                     \
    " and ($1 is null or contains(strip_accents(lower(t.full_title)), strip_accents(lower($1)))"  \
    "  or contains(strip_accents(lower(n.name)), strip_accents(lower($1))))"                      \
    " and ($2 is null or p.server_id in (select unnest(string_split($2, ','))::integer))"         \
    " and ($3 is null or n.person_id in (select unnest(string_split($3, ','))::integer))"         \
    " and ($4 is null or p.media_type in (select unnest(string_split($4, ','))))"
#define FROM                                                                                      \
    " from play p join title t using (title_id) join server v using (server_id)"                  \
    " left join account a on a.account_id = p.account_id left join person n using (person_id)"

static const char total_sql[] = "select count(*)" FROM WHERE;

/* $6, $7: start and id of the last row seen before, or NULL; $8: rows. The device is that of the
 * segment with most watch time. */
static const char page_sql[] =
    "with page as (select p.*, t.full_title, t.title, t.parent_title, t.grandparent_title,"
    "   t.season, t.episode, t.year, v.name as server, v.kind as server_kind, n.person_id,"
    "   n.name as person" FROM WHERE
    "   and ($6 is null or (p.started, p.play_id) < ($6::timestamp, $7))"
    "  order by p.started desc, p.play_id desc limit $8),"
    " main as (select s.play_id, arg_max(s.device_id, s.watch_ms) device_id,"
    "   arg_max(s.quality_id, s.watch_ms) quality_id from segment s"
    "  where s.play_id in (select play_id from page) group by s.play_id)"
    " select json_object('id', p.play_id, 'started', strftime(p.started, '%Y-%m-%dT%H:%M:%S.%gZ'), 'ended',"
    "  strftime(p.ended, '%Y-%m-%dT%H:%M:%S.%gZ'), 'watch_ms', p.watch_ms, 'watch_low_ms', p.watch_low_ms, 'watch_high_ms',"
    "  p.watch_high_ms, 'paused_ms', p.paused_ms, 'percent', p.percent, 'is_watched', p.is_watched,"
    "  'is_short', p.is_short, 'is_open', p.is_open, 'kind', p.kind, 'origin', p.origin,"
    "  'server_id', p.server_id, 'server', p.server, 'server_kind', p.server_kind, 'person_id',"
    "  p.person_id, 'person', p.person, 'media_type', p.media_type, 'title_id', p.title_id, 'title',"
    "  p.title, 'parent_title', p.parent_title, 'grandparent_title', p.grandparent_title,"
    "  'full_title', p.full_title, 'season', p.season, 'episode', p.episode, 'year', p.year,"
    "  'duration_ms', p.duration_ms, 'segments', p.segments, 'platform', d.platform, 'player',"
    "  d.player, 'transcode_decision', q.transcode_decision, 'video_resolution',"
    "  q.video_resolution)::varchar, epoch_us(p.started), p.play_id"
    " from page p left join main m using (play_id) left join device d using (device_id)"
    " left join quality q using (quality_id) order by p.started desc, p.play_id desc";

static struct store_value text_or_null(const char *s)
{
    return s ? (struct store_value){.kind = SV_TEXT, .s = str_of(s)}
             : (struct store_value){.kind = SV_NULL};
}

static enum status write_page(struct request *r, const struct page_query *q, struct buf *out,
                              struct error *err)
{
    struct store_value v[] = {
        text_or_null(q->search), text_or_null(q->server_ids), text_or_null(q->users),
        text_or_null(q->media_types), {.kind = SV_BOOL, .i = q->with_short},
        {.kind = q->has_cursor ? SV_TIME : SV_NULL, .i = q->before_us},
        {.kind = SV_INT, .i = q->before_id}, {.kind = SV_INT, .i = q->limit}};
    int64_t total;
    TRY(store_query_int(r->conn, total_sql, v, 5, 0, &total, err));
    auto_result duckdb_result result = {0};
    TRY(store_query(r->conn, page_sql, v, ARRAY_LEN(v), &result, err));
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "rows");
    int64_t rows = 0, last_us = 0, last_id = 0;
    for (;;) {
        auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (!chunk)
            break;
        idx_t n = duckdb_data_chunk_get_size(chunk);
        duckdb_string_t *json = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        const int64_t *at = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
        const int64_t *id = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
        for (idx_t i = 0; i < n; i++, rows++) {
            jw_raw(&w, (struct str){duckdb_string_t_data(&json[i]),
                                    duckdb_string_t_length(json[i])});
            last_us = at[i];
            last_id = id[i];
        }
    }
    jw_array_end(&w);
    if (rows == q->limit) {
        char cursor[48];
        snprintf(cursor, sizeof cursor, "%" PRId64 ".%" PRId64, last_us, last_id);
        jw_kv_text(&w, "next_cursor", cursor);
    } else {
        jw_kv_null(&w, "next_cursor");
    }
    jw_kv_int(&w, "total", total);
    jw_object_end(&w);
    return STATUS_OK;
}

void handle_plays(struct request *r)
{
    struct reading g = {.r = r, .q = {.limit = r->api->config.config->api_default_page_size}};
    http_query_each(r->x, read_parameter, &g);
    struct buf out = {0};
    if (g.status == STATUS_OK)
        g.status = write_page(r, &g.q, &out, &g.err);
    if (g.status == STATUS_OK) {
        request_reply(r, 200, &out);
    } else {
        buf_done(&out);
        request_fail(r, &g.err);
    }
}
