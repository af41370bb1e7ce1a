-- title: From one device to another
-- question: Who has gone over to another platform or version?
-- row: the first time in the period that a person used one after having used another
-- param: of = platform (platform, version): platforms of a person, or versions of one program
-- param: limit = 200 (1..5000): most rows
-- column: started time: when
-- column: person_id int: id
-- column: person text?: name
-- column: client text?: the program, with of=version
-- column: from_value text: what was used last before
-- column: to_value text: what was used for the first time
-- column: is_permanent bool: whether from_value was not used again since
-- column: sessions int: sessions with to_value since then
-- column: last_seen time: the newest of them
-- behind: among: users={person_id}: all plays of the person are told, whatever they were played on
-- about: Only what the period shows is known: what was used in it first has nothing before it and is no
-- about: row. Sessions whose platform or version is not known, and accounts that belong to nobody, are
-- about: left out. Ordered by the newest.
with used as (
  select person_id, case when $of = 'version' then product end as client,
    case $of when 'version' then product_version else platform end as value, started, segment_id
  from filtered_part join device using (device_id)
  where person_id is not null
    and case $of when 'version' then product is not null and product_version is not null
      else platform is not null end
),
followed as (
  select *, lag(value) over (partition by person_id, client order by started, segment_id) as before,
    row_number() over (partition by person_id, client, value order by started, segment_id) as nth
  from used
),
spans as (
  select person_id, client, value, count(*) as sessions, max(started) as last_seen
  from used
  group by all
)
select f.started, f.person_id, name as person, f.client, before as from_value, f.value as to_value,
  coalesce(b.last_seen < f.started, true) as is_permanent, s.sessions, s.last_seen
from followed f
  join spans s on s.person_id = f.person_id and s.client is not distinct from f.client
    and s.value = f.value
  join spans b on b.person_id = f.person_id and b.client is not distinct from f.client
    and b.value = f.before
  left join person on person.person_id = f.person_id
where nth = 1 and before is not null
order by started desc, f.person_id, f.client, to_value
limit $limit
