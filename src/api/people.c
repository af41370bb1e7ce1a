/* People: the list, and a profile. */
#include "api/people.h"

#include <stdio.h>

#include "api/listing.h"
#include "api/request.h"
#include "base/mem.h"
#include "store/rows.h"

#include "base/banned.h"

void people_relations(const struct filter *f, struct buf *sql)
{
    buf_puts(sql, "with ");
    filter_sql(f, sql);
    buf_puts(sql,
             ",\nstarted as (\n  select person_id, count(*) as plays, count(distinct title_id) as titles,"
             "\n    avg(is_watched::integer) filter (kind = 'play' and not is_open and percent is not null)"
             " as finished_share,"
             "\n    min(started) as first_play, max(coalesce(ended, started)) as last_play"
             "\n  from filtered_play group by person_id),"
             "\nwatched as (\n  select person_id, sum(window_ms)::bigint as watch_ms,"
             " count(distinct device_id) as devices,\n    count(distinct place_id) as places"
             "\n  from filtered_segment left join address using (address_id) group by person_id),"
             "\nperson_plays as (\n  select person_id, coalesce(plays, 0) as plays,"
             " coalesce(watch_ms, 0) as watch_ms,\n    coalesce(titles, 0) as titles, finished_share,"
             " coalesce(devices, 0) as devices,\n    coalesce(places, 0) as places,"
             " first_play as first_seen, last_play as last_seen"
             "\n  from started full join watched using (person_id)),"
             "\nreason as (\n  select account_id, list(distinct why order by why) as whys from"
             " (select account_id, why from person_pair where is_joined"
             "\n    union all select other_id, why from person_pair where is_joined)"
             "\n  group by account_id),"
             "\nseen_account as (\n  select a.account_id, a.person_id, a.sure_id, a.key, a.name, a.email,"
             " a.is_owner, a.server_id,\n    coalesce(s.name, s.key) as server, s.kind as server_kind,"
             " coalesce(r.whys, []) as whys"
             "\n  from (select * from account where ");
    if (filter_is_scoped(f))
        filter_scope_sql(f, sql);
    else
        buf_puts(sql, "true");
    buf_puts(sql, ") a left join server s using (server_id)"
                  " left join reason r on r.account_id = a.account_id)");
}

/* --- the list -------------------------------------------------------------------------------- */

static const struct {
    const char *word, *order;
} orders[] = {{"watch_ms", "watch_ms desc, plays desc"}, {"plays", "plays desc, watch_ms desc"},
              {"last_seen", "last_seen desc nulls last"},
              {"name", "lower(strip_accents(p.name))"}};

struct listing {
    struct request *r;
    struct filter *filter;
    const char *find;
    const char *order;
    int64_t limit, from;
    enum status status;
    struct error err;
};

/* What is right instead, or NULL. */
static const char *read_own(struct listing *g, const char *name, const char *value,
                            bool *ret_is_known)
{
    const char *right = listing_page(g->r, name, value, &g->limit, &g->from, ret_is_known);
    if (*ret_is_known)
        return right;
    *ret_is_known = true;
    if (streq(name, "find")) {
        g->find = value;
        return listing_find(value);
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
    bool is_known;
    g->status = filter_take(g->filter, name, value, &is_known, &g->err);
    if (g->status != STATUS_OK || is_known || !*value)
        return g->status == STATUS_OK;
    const char *right = read_own(g, name, value, &is_known);
    if (right || !is_known)
        g->status = listing_fail(name, value, right, &g->err);
    return g->status == STATUS_OK;
}

static const char people_sql[] =
    PEOPLE_ACCOUNTS
    "\nselect p.person_id as id, p.name, coalesce(plays, 0) as plays, coalesce(watch_ms, 0) as watch_ms,"
    " first_seen, last_seen, is_by_name, accounts, count(*) over () as _total"
    "\nfrom person_accounts join person p using (person_id)"
    " left join person_plays q on q.person_id = p.person_id"
    "\nwhere $find = '' or contains(strip_accents(lower(p.name)), strip_accents(lower($find)))"
    " or exists (select 1 from seen_account a where a.person_id = p.person_id and ("
    "contains(strip_accents(lower(coalesce(a.name, ''))), strip_accents(lower($find)))"
    " or contains(lower(coalesce(a.email, '')), lower($find))))";

static enum status write_people(struct listing *g, struct buf *out)
{
    TRY(filter_finish(g->filter, g->r->conn, &g->err));
    auto_buf struct buf sql = {0};
    people_relations(g->filter, &sql);
    buf_printf(&sql, "%s\norder by %s, p.person_id limit $page_limit offset $page_from", people_sql,
               g->order);
    const struct store_named own[] = {{"find", {.kind = SV_TEXT, .s = str_of(g->find)}},
                                      {"page_limit", {.kind = SV_INT, .i = g->limit}},
                                      {"page_from", {.kind = SV_INT, .i = g->from}}};
    struct json_writer w;
    int64_t count, total;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "people");
    TRY(listing_rows_total(g->r->conn, g->filter, buf_text(&sql), own, ARRAY_LEN(own), out, &count, &total,
                           &g->err));
    jw_array_end(&w);
    listing_end(&w, g->from + count, total);
    return STATUS_OK;
}

void handle_people(struct request *r)
{
    struct filter_config config = request_filter_config(r);
    struct listing g = {.r = r,
                        .filter = filter_new(&config),
                        .find = "",
                        .order = orders[0].order,
                        .limit = r->api->config.config->api_default_page_size};
    struct buf out = {0};
    http_query_each(r->x, read_parameter, &g);
    if (g.status == STATUS_OK)
        g.status = write_people(&g, &out);
    request_end(r, g.status, &out, &g.err);
    filter_free(g.filter);
}

/* --- a profile ------------------------------------------------------------------------------- */

static const char person_sql[] =
    PEOPLE_ACCOUNTS
    "\nselect p.person_id as id, p.name, is_by_name, coalesce(plays, 0) as plays,"
    " coalesce(watch_ms, 0) as watch_ms, coalesce(titles, 0) as titles, finished_share,"
    " coalesce(devices, 0) as devices, coalesce(places, 0) as places, first_seen, last_seen, accounts"
    "\nfrom person_accounts join person p using (person_id)"
    " left join person_plays q on q.person_id = p.person_id\nwhere p.person_id = $person";

/* By watch time; a title of a show goes by the show. */
static const char titles_sql[] =
    ",\nof_title as (\n  select title_id, sum(window_ms)::bigint as watch_ms, max(ended) as last_seen"
    "\n  from filtered_segment where person_id = $person group by title_id)"
    "\nselect coalesce(t.grandparent_title, t.title) as title, any_value(t.media_type) as media_type,"
    " count(*) as titles, sum(o.watch_ms)::bigint as watch_ms, max(o.last_seen) as last_seen"
    "\nfrom of_title o join title t using (title_id)"
    "\ngroup by coalesce(t.grandparent_title, t.title), t.grandparent_title is null"
    "\norder by watch_ms desc, title limit 10";

static const char devices_sql[] =
    "\nselect d.player, d.product, d.platform, sum(window_ms)::bigint as watch_ms,"
    " max(ended) as last_seen\nfrom filtered_segment s join device d using (device_id)"
    "\nwhere person_id = $person\ngroup by all order by watch_ms desc, player nulls last,"
    " product nulls last, platform nulls last limit 10";

static const char places_sql[] =
    "\nselect nullif(concat_ws(', ', l.city, coalesce(l.country, l.country_code)), '') as place,"
    " a.class as address_class, sum(window_ms)::bigint as watch_ms, max(ended) as last_seen"
    "\nfrom filtered_segment s join address a using (address_id) left join place l using (place_id)"
    "\nwhere person_id = $person\ngroup by all order by watch_ms desc, place nulls last,"
    " address_class limit 10";

static const char recent_sql[] =
    "\nselect play_id as id, p.started, p.watch_ms, p.percent, p.is_open, t.media_type, t.title,"
    " t.grandparent_title, t.season, t.episode, coalesce(s.name, s.key) as server"
    "\nfrom filtered_play p left join title t using (title_id) left join server s using (server_id)"
    "\nwhere person_id = $person order by p.started desc, play_id desc limit 10";

/* Which accounts are joined, and why. */
static const char pairs_sql[] =
    "\nselect x.account_id, x.other_id, why from person_pair x"
    "\n  join seen_account a on a.account_id = x.account_id"
    "\n  join seen_account b on b.account_id = x.other_id"
    "\nwhere is_joined and a.person_id = $person order by x.account_id, x.other_id limit 1000";

struct part {
    const char *name, *sql;
};
static const struct part parts[] = {{"pairs", pairs_sql},   {"top_titles", titles_sql},
                                    {"top_devices", devices_sql}, {"top_places", places_sql},
                                    {"recent", recent_sql}};

static bool only_filter(void *ctx, const char *name, const char *value)
{
    struct listing *g = ctx;
    bool is_known;
    g->status = filter_take(g->filter, name, value, &is_known, &g->err);
    if (g->status == STATUS_OK && !is_known && *value)
        g->status = listing_fail(name, value, NULL, &g->err);
    return g->status == STATUS_OK;
}

static enum status write_part(struct listing *g, const char *relations, const struct part *part,
                              const struct store_named *person, struct buf *out)
{
    auto_free char *sql = xasprintf("%s%s", relations, part->sql);
    buf_printf(out, ",\"%s\":[", part->name);
    TRY(listing_rows(g->r->conn, g->filter, sql, person, 1, out, NULL, &g->err));
    buf_putc(out, ']');
    return STATUS_OK;
}

static enum status write_history_of(struct listing *g, int64_t id, struct buf *out)
{
    const struct store_named own[] = {{"person", {.kind = SV_INT, .i = id}},
                                      {"page_limit", {.kind = SV_INT, .i = 100}},
                                      {"page_from", {.kind = SV_INT, .i = 0}}};
    buf_puts(out, ",\"history\":[");
    if (g->r->user.role >= ROLE_ADMIN)
        TRY(listing_rows(g->r->conn, NULL, people_history_sql, own, ARRAY_LEN(own), out, NULL, &g->err));
    buf_putc(out, ']');
    return STATUS_OK;
}

/* Links to somebody who was joined with another lead there. */
static const char follow_sql[] =
    "select person_id from account where home_person_id = $1"
    " and not exists (select 1 from account where person_id = $1)";

static enum status write_person(struct listing *g, int64_t id, struct buf *out)
{
    TRY(filter_finish(g->filter, g->r->conn, &g->err));
    TRY(store_query_int(g->r->conn, follow_sql, &(struct store_value){.kind = SV_INT, .i = id}, 1, id, &id,
                        &g->err));
    const struct store_named person = {"person", {.kind = SV_INT, .i = id}};
    auto_buf struct buf relations = {0};
    people_relations(g->filter, &relations);
    auto_free char *sql = xasprintf("%s%s", buf_text(&relations), person_sql);
    int64_t found;
    TRY(listing_rows(g->r->conn, g->filter, sql, &person, 1, out, &found, &g->err));
    if (!found)
        return fail_field(&g->err, STATUS_NOT_FOUND, "id", "there is no person %lld", (long long)id);
    out->len--; /* its closing brace: more members follow */
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        TRY(write_part(g, buf_text(&relations), &parts[i], &person, out));
    TRY(write_history_of(g, id, out));
    buf_putc(out, '}');
    return STATUS_OK;
}

void handle_person(struct request *r)
{
    int64_t id;
    if (!str_to_i64(str_of(r->params[0]), &id)) {
        request_failf(r, STATUS_NOT_FOUND, "id", "there is no person '%s'", r->params[0]);
        return;
    }
    struct filter_config config = request_filter_config(r);
    struct listing g = {.r = r, .filter = filter_new(&config)};
    struct buf out = {0};
    http_query_each(r->x, only_filter, &g);
    if (g.status == STATUS_OK)
        g.status = write_person(&g, id, &out);
    request_end(r, g.status, &out, &g.err);
    filter_free(g.filter);
}
