/* What may be one person, and what has happened to people. */
#include "api/people.h"

#include <stdio.h>

#include "api/listing.h"
#include "api/request.h"
#include "base/mem.h"

#include "base/banned.h"

/* --- suggestions ----------------------------------------------------------------------------- */

static const char suggestions_sql[] =
    PEOPLE_ACCOUNTS
    ",\nasked as (\n  select least(a.person_id, b.person_id) as one, greatest(a.person_id, b.person_id)"
    " as other,\n    list({'account_id': x.account_id, 'other_id': x.other_id, 'why': x.why,"
    " 'against': nullif(x.against, '')}\n      order by x.account_id, x.other_id) as reasons,"
    "\n    min(case x.why when 'issuer' then 1 when 'email' then 2 when 'name' then 3"
    " when 'similar_name' then 4 else 5 end) as strength"
    "\n  from person_pair x join account a on a.account_id = x.account_id"
    " join account b on b.account_id = x.other_id"
    "\n  where not x.is_joined and a.person_id <> b.person_id group by all),"
    "\nuses as (\n  select distinct a.person_id, s.device_id, s.address_id from segment s"
    " join account a using (account_id)"
    "\n  where a.person_id in (select one from asked union select other from asked)),"
    "\nmachine as (select distinct person_id, machine_id from uses join device using (device_id)"
    " where machine_id is not null),"
    "\nline as (select distinct person_id, address_id from uses join address using (address_id)"
    " where class = 'public'),"
    "\nsame_machine as (select q.one, q.other, count(*) as n from asked q"
    " join machine x on x.person_id = q.one join machine y on y.person_id = q.other"
    " and y.machine_id = x.machine_id group by all),"
    "\nsame_line as (select q.one, q.other, count(*) as n from asked q"
    " join line x on x.person_id = q.one join line y on y.person_id = q.other"
    " and y.address_id = x.address_id group by all),"
    "\nside as (select a.person_id, {'id': a.person_id, 'name': p.name, 'plays': coalesce(plays, 0),"
    " 'watch_ms': coalesce(watch_ms, 0), 'last_seen': last_seen, 'accounts': accounts} as person"
    "\n  from person_accounts a join person p using (person_id)"
    " left join person_plays q on q.person_id = a.person_id)"
    "\nselect [x.person, y.person] as people, reasons, coalesce(m.n, 0) as shared_devices,"
    " coalesce(l.n, 0) as shared_addresses"
    "\nfrom asked q join side x on x.person_id = q.one join side y on y.person_id = q.other"
    " left join same_machine m on m.one = q.one and m.other = q.other"
    " left join same_line l on l.one = q.one and l.other = q.other"
    "\norder by strength, shared_devices desc, q.one, q.other limit 200";

void handle_people_suggestions(struct request *r)
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
    people_relations(f, &sql);
    buf_puts(&sql, suggestions_sql);
    if (s == STATUS_OK)
        s = listing_rows(r->conn, f, buf_text(&sql), NULL, 0, &out, NULL, &err);
    if (s != STATUS_OK) {
        buf_done(&out);
        request_fail(r, &err);
        return;
    }
    jw_array_end(&w);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

/* --- history --------------------------------------------------------------------------------- */

/* What somebody decided, and what came by itself. */
const char people_history_sql[] =
    "with decided as (select decision_id, decided_at, who, kind, subject, from_json(detail,"
    "   '{\"groups\":[[\"BIGINT\"]],\"why\":\"VARCHAR\",\"name\":\"VARCHAR\"}') as d"
    "  from decision where kind in ('people_merge', 'people_part', 'people_rename', 'people_undo')),"
    " grouped as (select decision_id, n, unnest(d.groups[n]) as account_id"
    "  from (select decision_id, d, unnest(range(1, coalesce(len(d.groups), 0) + 1)) as n from decided)),"
    " named as (select a.account_id, a.person_id, coalesce(a.name, a.key) as name,"
    "   coalesce(s.name, s.key) as server from account a left join server s using (server_id)),"
    " touched as (select decision_id, list({'id': account_id, 'name': name, 'server': server, 'side': n,"
    "    'person_id': person_id} order by n, account_id) as accounts"
    "  from grouped join named using (account_id) group by decision_id),"
    " event as (select decided_at as \"at\", who, replace(kind, 'people_', '') as kind,"
    "   case when kind <> 'people_undo' then decision_id end as decision,"
    "   case when kind = 'people_undo' then subject end as undoes,"
    "   decision_id in (select subject from decision where kind = 'people_undo') as is_undone,"
    "   case when kind = 'people_rename' then subject end as from_id, null as to_id, d.why as why,"
    "   d.name as name, coalesce(t.accounts, []) as accounts, decision_id as n"
    "  from decided left join touched t using (decision_id)"
    "  union all select changed_at, null, case when why = 'parted' then 'parted' else 'joined' end,"
    "   null, null, false, from_person_id, to_person_id, nullif(why, 'parted'), null,"
    "   [{'id': account_id, 'name': coalesce(name, ''), 'server': coalesce(server, ''), 'side': 1::bigint,"
    "     'person_id': person_id}], account_id"
    "  from person_change left join named using (account_id) where decision_id is null)"
    " select e.\"at\", e.who, e.kind, e.decision, e.undoes, e.is_undone, e.from_id as from_person_id,"
    "  x.name as from_person, e.to_id as to_person_id, y.name as to_person, e.why, e.name, e.accounts"
    " from event e left join person x on x.person_id = e.from_id"
    "  left join person y on y.person_id = e.to_id"
    " where $person = 0 or e.from_id = $person or e.to_id = $person"
    "  or len(list_filter(e.accounts, lambda a: a.person_id = $person)) > 0"
    "  or e.undoes in (select decision from event o where o.from_id = $person"
    "   or len(list_filter(o.accounts, lambda a: a.person_id = $person)) > 0)"
    " order by e.\"at\" desc, e.n desc limit $page_limit offset $page_from";

void handle_people_history(struct request *r)
{
    listing_history(r, people_history_sql, "person");
}
