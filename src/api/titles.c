/* Titles: the list, and one of them. */
#include "api/titles.h"

#include "api/listing.h"
#include "api/request.h"
#include "base/mem.h"
#include "store/rows.h"

#include "base/banned.h"

void titles_relations(const struct filter *f, struct buf *sql)
{
    buf_puts(sql, "with ");
    filter_sql(f, sql);
    buf_puts(
        sql,
        ",\ntitle_row as (\n  select t.title_id as row_id, coalesce(j.root_id, t.title_id) as title_id,"
        " j.why\n  from title t left join title_join j using (title_id)),"
        "\ninput as (\n  select title_id as row_id, server_id, ended as ended_at from segment_in"
        "\n  union all select s.title_id, s.server_id, g.ended from session_in s"
        " join segment g using (segment_id)"
        "\n  union all select title_id, server_id, viewed_at from view_in),"
        "\ntitle_at as (\n  select k.title_id as row_id, coalesce(s.name, s.key) as server"
        " from title_key k join server s on s.key = split_part(k.key, ':', 2)"
        "\n  where starts_with(k.key, 'item:')"
        "\n  union select row_id, coalesce(s.name, s.key) from input join server s using (server_id)),"
        "\nstarted as (\n  select title_id, count(*) as plays, count(distinct person_id) as people,"
        "\n    min(started) as first_seen, max(coalesce(ended, started)) as last_seen"
        "\n  from filtered_play group by title_id),"
        "\nwatched as (\n  select title_id, sum(window_ms)::bigint as watch_ms"
        " from filtered_segment group by title_id),"
        "\nwhole as (\n  select title_id, count(*) as items from title_row group by title_id),"
        "\nplace_of as (\n  select r.title_id, list(distinct a.server order by a.server) as servers"
        " from title_row r join title_at a using (row_id) group by r.title_id),"
        "\ntitle_count as (\n  select t.title_id, t.media_type, t.title, t.parent_title,"
        " t.grandparent_title, t.full_title, t.season,\n    t.episode, t.year, coalesce(plays, 0) as plays,"
        " coalesce(people, 0) as people, coalesce(watch_ms, 0) as watch_ms,"
        "\n    first_seen, last_seen, coalesce(servers, []) as servers, items"
        "\n  from title t join whole using (title_id) left join started using (title_id)"
        " left join watched using (title_id)\n    left join place_of using (title_id))");
}

/* --- the list -------------------------------------------------------------------------------- */

static const struct {
    const char *word, *order;
} orders[] = {{"watch_ms", "x.watch_ms desc, x.plays desc"}, {"plays", "x.plays desc, x.watch_ms desc"},
              {"last_seen", "x.last_seen desc nulls last"},
              {"name", "lower(strip_accents(x.full_title)), x.season, x.episode"}};

static const char *const media_types[] = {"movie", "episode", "track", "live", "clip", "extra", "photo"};

struct listing {
    struct request *r;
    const char *find, *media_type, *order;
    bool is_joined;
    int64_t limit, from;
    enum status status;
    struct error err;
};

/* What is right instead, or NULL. */
static const char *read_own(struct listing *g, const char *name, const char *value, bool *ret_is_known)
{
    const char *right = listing_page(g->r, name, value, &g->limit, &g->from, ret_is_known);
    if (*ret_is_known)
        return right;
    *ret_is_known = true;
    if (streq(name, "find")) {
        g->find = value;
        return listing_find(value);
    }
    if (streq(name, "joined")) {
        g->is_joined = streq(value, "1");
        return g->is_joined || streq(value, "0") ? NULL : "0 or 1";
    }
    if (streq(name, "media_type")) {
        for (size_t i = 0; i < ARRAY_LEN(media_types); i++)
            if (streq(media_types[i], value))
                g->media_type = value;
        return *g->media_type ? NULL : "one of movie, episode, track, live, clip, extra, photo";
    }
    if (streq(name, "order")) {
        for (size_t i = 0; i < ARRAY_LEN(orders); i++)
            if (streq(orders[i].word, value)) {
                g->order = orders[i].order;
                return NULL;
            }
        return "one of watch_ms, plays, last_seen, name";
    }
    *ret_is_known = false;
    return NULL;
}

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct listing *g = ctx;
    bool is_known = false;
    const char *right = *value ? read_own(g, name, value, &is_known) : NULL;
    if (*value && (right || !is_known))
        g->status = listing_fail(name, value, right, &g->err);
    return g->status == STATUS_OK;
}

static const char list_sql[] =
    "\nselect x.title_id as id, x.media_type, x.title, x.parent_title, x.grandparent_title, x.season,"
    " x.episode, x.year, x.plays, x.people, x.watch_ms, x.first_seen, x.last_seen, x.servers, x.items,"
    " count(*) over () as _total\nfrom title_count x"
    "\nwhere ($media_type = '' or x.media_type = $media_type) and (not $joined or x.items > 1)"
    " and ($find = '' or x.title_id in (select r.title_id from title_row r join title t"
    " on t.title_id = r.row_id\n  where contains(strip_accents(lower(coalesce(t.full_title, t.title, ''))),"
    " strip_accents(lower($find)))))";

static enum status write_titles(struct listing *g, const struct filter *f, struct buf *out)
{
    auto_buf struct buf sql = {0};
    titles_relations(f, &sql);
    buf_printf(&sql, "%s\norder by %s, x.title_id limit $page_limit offset $page_from", list_sql,
               g->order);
    const struct store_named own[] = {{"find", {.kind = SV_TEXT, .s = str_of(g->find)}},
                                      {"media_type", {.kind = SV_TEXT, .s = str_of(g->media_type)}},
                                      {"joined", {.kind = SV_BOOL, .i = g->is_joined}},
                                      {"page_limit", {.kind = SV_INT, .i = g->limit}},
                                      {"page_from", {.kind = SV_INT, .i = g->from}}};
    struct json_writer w;
    int64_t count, total;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "titles");
    TRY(listing_rows_total(g->r->conn, f, buf_text(&sql), own, ARRAY_LEN(own), out, &count, &total,
                           &g->err));
    jw_array_end(&w);
    listing_end(&w, g->from + count, total);
    return STATUS_OK;
}

void handle_titles(struct request *r)
{
    struct filter_config config = request_filter_config(r);
    auto_filter struct filter *f = filter_new(&config);
    struct listing g = {.r = r,
                        .find = "",
                        .media_type = "",
                        .order = orders[0].order,
                        .limit = r->api->config.config->api_default_page_size};
    struct buf out = {0};
    http_query_each(r->x, read_parameter, &g);
    if (g.status == STATUS_OK)
        g.status = filter_finish(f, r->conn, &g.err);
    if (g.status == STATUS_OK)
        g.status = write_titles(&g, f, &out);
    request_end(r, g.status, &out, &g.err);
}

/* --- one of them ----------------------------------------------------------------------------- */

static const char title_sql[] =
    "\nselect x.title_id as id, x.media_type, x.title, x.parent_title, x.grandparent_title, x.season,"
    " x.episode, x.year, x.plays, x.people, x.watch_ms, x.first_seen, x.last_seen, x.servers"
    "\nfrom title_count x where x.title_id = $title";

#define KIND_OF_KEY                                                                                     \
    "case when starts_with(key, 'plex://') then 'guid' when regexp_matches(key, '^(file|item|text|name):')" \
    " then split_part(key, ':', 1) else 'id' end"

static const char items_sql[] =
    ",\nkeyed as (\n  select title_id as row_id, list({'key': key, 'kind': " KIND_OF_KEY "} order by"
    " list_position(['guid', 'id', 'file', 'item', 'text', 'name'], " KIND_OF_KEY "), key) as keys"
    "\n  from title_key where title_id in (select row_id from title_row where title_id = $title)"
    " group by title_id),"
    "\nused as (\n  select row_id, count(*) as plays, max(ended_at) as last_seen from input group by row_id),"
    "\nseen_at as (\n  select row_id, list(server order by server) as servers from title_at group by row_id)"
    "\nselect r.row_id as id, t.media_type, t.title, t.parent_title, t.grandparent_title, t.season,"
    " t.episode, t.year, r.why, coalesce(servers, []) as servers, coalesce(keys, []) as keys,"
    " coalesce(plays, 0) as plays, last_seen"
    "\nfrom title_row r join title t on t.title_id = r.row_id left join keyed using (row_id)"
    " left join used using (row_id) left join seen_at using (row_id)"
    "\nwhere r.title_id = $title order by r.row_id limit 1000";

static const char recent_sql[] =
    "\nselect p.play_id as id, p.started, p.watch_ms, p.percent, p.is_open, person.name as person,"
    " p.person_id, coalesce(s.name, s.key) as server, coalesce(i.title_id, n.title_id, v.title_id) as item_id"
    "\nfrom filtered_play p left join person using (person_id) left join server s using (server_id)"
    "\n  left join segment_in i on i.segment_in_id = p.play_id"
    "\n  left join session_in n on n.segment_id = p.play_id left join view_in v on v.view_in_id = p.play_id"
    "\nwhere p.title_id = $title order by p.started desc, p.play_id desc limit 10";

static const struct {
    const char *name, *sql;
} parts[] = {{"items", items_sql}, {"recent", recent_sql}};

/* Links to one that was joined with another lead there. */
static const char follow_sql[] = "select root_id from title_join where title_id = $1";

static enum status write_title(struct request *r, const struct filter *f, int64_t id, struct buf *out,
                               struct error *err)
{
    TRY(store_query_int(r->conn, follow_sql, &(struct store_value){.kind = SV_INT, .i = id}, 1, id, &id,
                        err));
    const struct store_named own[] = {{"title", {.kind = SV_INT, .i = id}},
                                      {"page_limit", {.kind = SV_INT, .i = 100}},
                                      {"page_from", {.kind = SV_INT, .i = 0}}};
    auto_buf struct buf relations = {0};
    titles_relations(f, &relations);
    auto_free char *sql = xasprintf("%s%s", buf_text(&relations), title_sql);
    int64_t found;
    TRY(listing_rows(r->conn, f, sql, own, 1, out, &found, err));
    if (!found)
        return fail_field(err, STATUS_NOT_FOUND, "id", "there is no title %lld", (long long)id);
    out->len--; /* its closing brace: more members follow */
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        auto_free char *part = xasprintf("%s%s", buf_text(&relations), parts[i].sql);
        buf_printf(out, ",\"%s\":[", parts[i].name);
        TRY(listing_rows(r->conn, f, part, own, 1, out, NULL, err));
        buf_putc(out, ']');
    }
    buf_puts(out, ",\"history\":[");
    TRY(listing_rows(r->conn, NULL, titles_history_sql, own, ARRAY_LEN(own), out, NULL, err));
    buf_puts(out, "]}");
    return STATUS_OK;
}

void handle_title(struct request *r)
{
    int64_t id;
    if (!str_to_i64(str_of(r->params[0]), &id)) {
        request_failf(r, STATUS_NOT_FOUND, "id", "there is no title '%s'", r->params[0]);
        return;
    }
    struct filter_config config = request_filter_config(r);
    auto_filter struct filter *f = filter_new(&config);
    struct error err = {0};
    struct buf out = {0};
    enum status s = filter_finish(f, r->conn, &err);
    if (s == STATUS_OK)
        s = write_title(r, f, id, &out, &err);
    request_end(r, s, &out, &err);
}
