-- title: Programs and their versions
-- question: Which programs are used, and is a new version worse?
-- row: one version of one program
-- short: include
-- param: limit = 100 (1..1000): most rows
-- column: client text?: the program, as the server says it; null: not known
-- column: version text?: its version; null: not known
-- column: sessions int: sessions that begin in the period; short ones count here
-- column: people int: people who used it
-- column: watch_ms int: watch time in the period
-- column: early int: of the sessions ended within two minutes
-- column: early_share double?: share of those that have ended
-- column: previous_version text?: the version of the program that was first seen before this one
-- column: previous_early_share double?: its share
-- column: first_seen time?: first session in the period
-- column: last_seen time?: last session in the period
-- behind: none: sessions of a version are counted, and there is no filter on versions
-- about: A session is one continuous playback on one device. Versions follow each other as they were
-- about: first seen in the period; one that is not known has none before it and is before none. Music
-- about: is left out. Errors of players are told by no server. Ordered by sessions, then client.
with begun as (
  select product, product_version, count(*) as sessions, count(distinct person_id) as people,
    count(*) filter (not is_open and ended < started + interval 2 minute) as early,
    count(*) filter (not is_open) as told, min(started) as first_seen, max(started) as last_seen
  from filtered_part left join device using (device_id)
  where media_type <> 'track'
  group by all
),
watched as (
  select product, product_version, sum(window_ms)::bigint as watch_ms
  from filtered_segment left join device using (device_id)
  where media_type <> 'track'
  group by all
),
merged as (
  select coalesce(b.product, w.product) as client,
    coalesce(b.product_version, w.product_version) as version, coalesce(sessions, 0) as sessions,
    coalesce(people, 0) as people, coalesce(watch_ms, 0) as watch_ms, coalesce(early, 0) as early,
    early / nullif(told, 0) as early_share, first_seen, last_seen
  from begun b full join watched w on b.product is not distinct from w.product
    and b.product_version is not distinct from w.product_version
),
followed as (
  select *, lag(version) over versions as previous_version,
    lag(early_share) over versions as previous_early_share
  from merged
  where client is not null and version is not null and first_seen is not null
  window versions as (partition by client order by first_seen, version)
)
select client, version, sessions, people, watch_ms, early, early_share, previous_version,
  previous_early_share, first_seen, last_seen
from (from followed
    union all by name
    select *, null as previous_version, null as previous_early_share from merged
    where client is null or version is null or first_seen is null)
order by sessions desc, client nulls last, version nulls last
limit $limit
