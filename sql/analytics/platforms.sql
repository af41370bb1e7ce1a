-- title: What people watch with
-- question: Which platforms, players and programs are used?
-- row: one platform, or with `of` one player, program or device
-- param: of = platform (platform, player, product, device): what is told apart
-- param: limit = 50 (1..1000): most rows
-- column: value text?: name as the server says it; null: not known
-- column: device_id int?: with of=device
-- column: plays int: plays that start in the period and were watched so, at least in part
-- column: people int: people who watched so
-- column: watch_ms int: watch time
-- column: share double?: of the watch time whose value is known; null for the row of the unknown
-- column: last_seen time?: when last in the period
-- behind: platforms={_platforms}&players={_players}&devices={_devices} for of = platform, player, device: the filter knows no products
-- about: They belong to segments: watch time is split by them, a play counts once under each that it
-- about: has. Unknown is a row of its own, backfilled views are in it. Devices are told apart by the
-- about: identity that the player gives, and named by the player. Ordered by watch time, then plays.
-- about: The plays behind a row can not be told by product.
with named as (
  select device_id, case $of when 'platform' then platform when 'product' then product
      else player end as value, case when $of = 'device' then device_id end as device
  from device
),
seen as (
  select value, device, person_id,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays, 0 as watch_ms,
    max(ended) as last_seen
  from filtered_part left join named using (device_id)
  group by all
  union all
  select value, device, person_id, 0, sum(window_ms), max(ended)
  from filtered_segment left join named using (device_id)
  group by all
  union all
  select null, null, person_id, count(*), 0, max(ended)
  from filtered_play where segments = 0
  group by person_id
),
counted as (
  select value, device, sum(plays)::bigint as plays, count(distinct person_id) as people,
    sum(watch_ms)::bigint as watch_ms, least(max(last_seen), any_value(to_at)) as last_seen,
    case when $of = 'device' then device is not null else value is not null end as is_known
  from seen, filter_window
  group by all
)
select value, device as device_id, plays, people, watch_ms,
  case when is_known then watch_ms / nullif(sum(watch_ms) filter (is_known) over (), 0) end as share,
  last_seen,
  case $of when 'platform' then coalesce(replace(replace(value, '\', '\\'), ',', '\,'), 'unknown')
    else '' end as _platforms,
  case $of when 'player' then coalesce(replace(replace(value, '\', '\\'), ',', '\,'), 'unknown')
    else '' end as _players,
  case $of when 'device' then coalesce(device::varchar, 'unknown') else '' end as _devices
from counted
order by watch_ms desc, plays desc, value nulls last, device
limit $limit
