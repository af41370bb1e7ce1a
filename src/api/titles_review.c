/* What may be one title, and what has happened to titles. */
#include <stdio.h>

#include "api/listing.h"
#include "api/request.h"
#include "api/titles.h"
#include "base/mem.h"

#include "base/banned.h"

/* --- suggestions ----------------------------------------------------------------------------- */

/* What shares a key and was not joined; then films whose names differ in nothing but signs and accents,
 * where the years are at most one apart, or one is not known. Whoever was parted by hand is not asked about
 * again. */
static const char suggestions_sql[] =
    ",\nparted as (\n  select distinct least(x.title_id, y.title_id) as a,"
    " greatest(x.title_id, y.title_id) as b"
    "\n  from (select from_json(detail, '{\"groups\":[[\"BIGINT\"]]}').groups as g from decision"
    " where kind = 'titles_part' and decision_id not in (select subject from decision"
    " where kind = 'titles_undo')) d,"
    "\n    unnest(range(1, len(d.g) + 1)) i(i), unnest(range(1, len(d.g) + 1)) k(k),"
    "\n    unnest(d.g[i.i]) p(p), unnest(d.g[k.k]) q(q)"
    "\n    join title_row x on x.row_id = p.p join title_row y on y.row_id = q.q"
    "\n  where i.i < k.k and x.title_id <> y.title_id),"
    "\nfilm as (\n  select title_id, year, regexp_replace(strip_accents(lower(title)), '[^\\p{L}\\p{N}]', '',"
    " 'g') as loose\n  from title_count where media_type = 'movie'),"
    "\nlike_each_other as (\n  select least(x.title_id, y.title_id) as a,"
    " greatest(x.title_id, y.title_id) as b"
    "\n  from film x join film y on x.loose = y.loose and x.title_id < y.title_id"
    "\n  where x.loose <> '' and (x.year is null or y.year is null or abs(x.year - y.year) <= 1)),"
    "\nasked as (\n  select title_id as a, other_id as b, why, against,"
    " list_position(['id', 'file', 'text'], why) as strength from title_pair"
    "\n  union all select a, b, 'name', 'likeness', 9 from like_each_other),"
    "\nbest as (\n  select a, b, arg_min(why, strength) as why, arg_min(against, strength) as against,"
    " min(strength) as strength\n  from asked where (a, b) not in (select (a, b) from parted) group by a, b)"
    "\nselect [" TITLE_STRUCT("x") ", " TITLE_STRUCT("y") "] as titles, q.why, q.against"
    "\nfrom best q join title_count x on x.title_id = q.a join title_count y on y.title_id = q.b"
    "\norder by q.strength, x.plays + y.plays desc, q.a, q.b limit 200";

void handle_titles_suggestions(struct request *r)
{
    struct filter_config config = request_filter_config(r);
    auto_filter struct filter *f = filter_new(&config);
    struct error err = {0};
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_array(&w, "suggestions");
    enum status s = filter_finish(f, r->conn, &err);
    auto_buf struct buf sql = {0};
    if (s == STATUS_OK) {
        titles_relations(f, &sql);
        buf_puts(&sql, suggestions_sql);
        s = listing_rows(r->conn, f, buf_text(&sql), NULL, 0, &out, NULL, &err);
    }
    if (s == STATUS_OK) {
        jw_array_end(&w);
        jw_object_end(&w);
    }
    request_end(r, s, &out, &err);
}

/* --- history --------------------------------------------------------------------------------- */

/* What somebody decided, and what came by itself. */
const char titles_history_sql[] =
    "with decided as (select decision_id, decided_at, who, kind, subject, from_json(detail,"
    "   '{\"groups\":[[\"BIGINT\"]],\"why\":\"VARCHAR\"}') as d"
    "  from decision where kind in ('titles_merge', 'titles_part', 'titles_undo')),"
    " grouped as (select decision_id, n, unnest(d.groups[n]) as row_id"
    "  from (select decision_id, d, unnest(range(1, coalesce(len(d.groups), 0) + 1)) as n from decided)),"
    " changed as (select * from title_change where decision_id is null),"
    " concerned as (select row_id from grouped union select title_id from changed),"
    " place as (select k.title_id as row_id, list(distinct coalesce(s.name, s.key)) as servers"
    "  from title_key k join server s on s.key = split_part(k.key, ':', 2)"
    "  where starts_with(k.key, 'item:') and k.title_id in (select row_id from concerned)"
    "  group by k.title_id),"
    " named as (select t.title_id as row_id, coalesce(t.full_title, t.title, '') as title,"
    "   coalesce(p.servers, []) as servers, coalesce(j.root_id, t.title_id) as title_id"
    "  from title t left join title_join j using (title_id) left join place p on p.row_id = t.title_id"
    "  where t.title_id in (select row_id from concerned)),"
    " touched as (select decision_id, list({'id': row_id, 'title': title, 'servers': servers, 'side': n,"
    "    'title_id': title_id} order by n, row_id) as items"
    "  from grouped join named using (row_id) group by decision_id),"
    " event as (select decided_at as \"at\", who, replace(kind, 'titles_', '') as kind,"
    "   case when kind <> 'titles_undo' then decision_id end as decision,"
    "   case when kind = 'titles_undo' then subject end as undoes,"
    "   decision_id in (select subject from decision where kind = 'titles_undo') as is_undone,"
    "   null as from_id, null as to_id, d.why as why, coalesce(t.items, []) as items, decision_id as n"
    "  from decided left join touched t using (decision_id)"
    "  union all select changed_at, null, case when why = 'parted' then 'parted' else 'joined' end,"
    "   null, null, false, from_root_id, to_root_id, nullif(why, 'parted'),"
    "   [{'id': row_id, 'title': title, 'servers': servers, 'side': 1::bigint, 'title_id': named.title_id}],"
    "   row_id"
    "  from changed join named on named.row_id = changed.title_id)"
    " select e.\"at\", e.who, e.kind, e.decision, e.undoes, e.is_undone, e.from_id as from_title_id,"
    "  coalesce(x.full_title, x.title) as from_title, e.to_id as to_title_id,"
    "  coalesce(y.full_title, y.title) as to_title, e.why, e.items"
    " from event e left join title x on x.title_id = e.from_id left join title y on y.title_id = e.to_id"
    " where $title = 0 or e.from_id = $title or e.to_id = $title"
    "  or len(list_filter(e.items, lambda a: a.title_id = $title)) > 0"
    "  or e.undoes in (select decision from event o"
    "   where len(list_filter(o.items, lambda a: a.title_id = $title)) > 0)"
    " order by e.\"at\" desc, e.n desc limit $page_limit offset $page_from";

void handle_titles_history(struct request *r)
{
    listing_history(r, titles_history_sql, "title");
}
