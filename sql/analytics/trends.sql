-- title: Watching over time
-- question: How much is watched, and when?
-- row: one bucket of time and media type
-- shared: buckets
-- column: bucket text: its first local hour (2026-01-31T13:00) or day (2026-01-31)
-- column: media_type text: movie, episode, track or live
-- column: plays int: plays that start in it
-- column: watch_ms int: watch time inside it
-- column: people int: people with a play that starts in it
-- behind: start_date={_from}&end_date={_to}&media_types={media_type}
-- about: Plays are counted where they start, watch time where it happens, so a film that runs over
-- about: midnight is one play of the first day and watch time of both. Every media type that occurs
-- about: in the period has a row in every bucket.
with started as (
  select bucket, media_type, count(*) as plays, distinct_ids(person_id) as people
  from filtered_play join time_quarter on quarter = epoch_us(started) // 900000000
  group by all
),
watched as (
  select bucket, media_type, sum(watch_us)::bigint // 1000 as watch_ms
  from (select media_type, unnest(watch_quarters(started, ended, watch_ms, spans, from_at, to_at),
        recursive := true)
      from filtered_segment, filter_window
      group by media_type) join time_quarter using (quarter)
  group by all
),
types as (
  select media_type from started union select media_type from watched
)
select name as bucket, media_type, coalesce(plays, 0) as plays, coalesce(watch_ms, 0) as watch_ms,
  coalesce(people, 0) as people, from_text as _from, to_text as _to
from time_bucket cross join types
  left join started using (bucket, media_type)
  left join watched using (bucket, media_type)
order by time_bucket.bucket, media_type
