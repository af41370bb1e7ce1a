-- title: Never watched, or long ago
-- question: What takes up space that nobody has watched for long, or ever?
-- row: one title that is there, was not played in the last days, and did not come in them
-- param: days_unwatched = 365 (1..36500): for how many days nobody has played it
-- param: limit = 100 (1..10000): most rows
-- column: title_id int: identity of the title
-- column: title text: full title
-- column: media_type text: movie, episode or track
-- column: year int?: of the title
-- column: items int: how often it is there: on several servers, in several libraries
-- column: size_bytes int?: of all its files
-- column: added_at time?: when it came, on the server where it came first
-- column: last_played time?: when it was last played; null: never
-- column: idle_days int?: whole days since then, or since it came
-- column: is_never bool: nobody has played it
-- behind: among: titles={title_id}: those at any time count, whatever the period
-- about: What has gone from the servers is left out. Plays count at any time, whatever the period; of
-- about: the filter, what belongs to plays alone (people, devices, quality, places) says whose plays
-- about: count. Plays from before we watched count where the server's history or an import tells of
-- about: them. Largest first.
with kept as (
  select title_id, count(*) as items, sum(size_bytes)::bigint as size_bytes, min(added_at) as added_at
  from filtered_item
  where removed_at is null
  group by title_id
),
played as (
  select title_id, max(started) as last_played from filtered_ever group by title_id
),
stale as (
  select *, $now::timestamp - to_days($days_unwatched::integer) as since
  from kept left join played using (title_id)
)
select title_id, full_title as title, media_type, year, items, size_bytes, added_at, last_played,
  greatest(0, epoch_us($now::timestamp) - epoch_us(coalesce(last_played, added_at))) // 86400000000 as idle_days,
  last_played is null as is_never
from stale join title using (title_id)
where coalesce(last_played < since, true) and coalesce(added_at < since, true)
order by size_bytes desc nulls last, title, title_id
limit $limit
