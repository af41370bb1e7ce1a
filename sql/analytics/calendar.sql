-- title: Day by day
-- question: On which days is watched?
-- row: one day; days without anything are there
-- shared: buckets bucket=day
-- column: bucket text: the day
-- column: weekday int: 0 Monday to 6 Sunday
-- column: plays int: plays that start in it
-- column: watch_ms int: watch time inside it
-- column: people int: people with a play that starts in it
-- column: streak int: days in a row up to it with a play that starts in them; 0: none in it
-- behind: start_date={_from}&end_date={_to}
-- about: The longest streak of the period is the greatest of the column.
with started as (
  select bucket, count(*) as plays, distinct_ids(person_id) as people
  from filtered_play join time_quarter on quarter = epoch_us(started) // 900000000
  group by bucket
),
watched as (
  select bucket, sum(watch_us)::bigint // 1000 as watch_ms
  from (select unnest(watch_quarters(started, ended, watch_ms, spans, from_at, to_at),
        recursive := true)
      from filtered_segment, filter_window) join time_quarter using (quarter)
  group by bucket
),
filled as (
  select bucket, name, coalesce(plays, 0) as plays, coalesce(watch_ms, 0) as watch_ms,
    coalesce(people, 0) as people, from_text, to_text
  from time_bucket left join started using (bucket) left join watched using (bucket)
),
islands as (
  select *, count(*) filter (plays = 0) over (order by bucket) as island from filled
)
select name as bucket, isodow(bucket) - 1 as weekday, plays, watch_ms, people,
  count(*) filter (plays > 0) over (partition by island order by islands.bucket) as streak,
  from_text as _from, to_text as _to
from islands
order by islands.bucket
