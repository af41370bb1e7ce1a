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
with kinds as (
  select *, min(device_id) over (partition by client) as client_id,
    min(device_id) over (partition by client, value) as value_id
  from (select device_id, case when $of = 'version' then product end as client,
      case $of when 'version' then product_version else platform end as value
    from device
    where case $of when 'version' then product is not null and product_version is not null
      else platform is not null end)
),
used as (
  select person_id, client_id, value_id, started, segment_id
  from filtered_part join kinds using (device_id)
  where person_id is not null
),
spans as (
  select person_id, client_id, value_id, count(*) as sessions, max(started) as last_seen,
    min({'started': started, 'segment_id': segment_id}).segment_id as first_id
  from used
  group by all
),
followed as (
  select person_id, client_id, started, segment_id, lag(value_id) over (partition by person_id, client_id
      order by started, segment_id) as before_id
  from used
)
select f.started, f.person_id, name as person, k.client, l.value as from_value, k.value as to_value,
  coalesce(b.last_seen < f.started, true) as is_permanent, s.sessions, s.last_seen
from spans s join followed f on f.segment_id = s.first_id and f.person_id = s.person_id
  join spans b on b.person_id = f.person_id and b.client_id = f.client_id and b.value_id = before_id
  join kinds k on k.device_id = s.value_id
  join kinds l on l.device_id = before_id
  left join person on person.person_id = f.person_id
order by f.started desc, f.person_id, k.client, to_value
limit $limit
