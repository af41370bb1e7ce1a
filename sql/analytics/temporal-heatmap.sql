-- title: Places over time
-- question: Where is watched, and when?
-- row: one bucket of time and place in which something was watched
-- shared: buckets
-- column: bucket text: its first local hour (2026-01-31T13:00) or day (2026-01-31)
-- column: place_id int: id
-- column: city text?: name
-- column: country_code text?: two letters
-- column: latitude double: degrees
-- column: longitude double: degrees
-- column: plays int: plays that start in the bucket and were seen there
-- column: people int: people who watched there then
-- column: watch_ms int: watch time there and then
-- behind: none: the filter knows places by the names of their cities only, and several may have one
-- about: Only places with coordinates. Plays are counted where they start, watch time where it happens.
-- about: Every place is there in every bucket in which it has any; none is cut off, nor filled in.
with placed as (
  select place_id, person_id, started, ended, watch_ms, window_ms, spans, from_at, to_at
  from filtered_segment join address using (address_id), filter_window
  where place_id is not null
),
slots as (
  select quarter, bucket, max(quarter) over (partition by bucket) as last_quarter from time_quarter
),
bounded as not materialized (
  select p.*, bucket as first_bucket, last_quarter,
    greatest(epoch_us(greatest(started, coalesce(from_at, started))),
      epoch_us(least(ended, coalesce(to_at, ended))) - 1) // 900000000 as ends_in
  from placed p left join slots
    on quarter = epoch_us(greatest(started, coalesce(from_at, started))) // 900000000
  where bucket is not null
),
crossing as (
  select p.*, a.bucket as last_bucket
  from (select * from bounded where ends_in > last_quarter) p join time_quarter a on a.quarter = ends_in
),
cut as (
  select t.bucket, place_id, person_id, watch_ms, started, ended, spans,
    greatest(epoch_us(begins), epoch_us(started)) as cut_from,
    least(epoch_us(ends), epoch_us(ended)) as cut_to
  from crossing join time_bucket t on t.bucket between first_bucket and last_bucket
),
seen as (
  select first_bucket as bucket, place_id, person_id, 0 as plays, sum(window_ms)::double as watch_ms
  from bounded
  where ends_in <= last_quarter and window_ms > 0
  group by all
  union all
  select bucket, place_id, person_id, 0, case
      when spans is null then watch_ms * greatest(cut_to - cut_from, 0)
        / (epoch_us(ended) - epoch_us(started))
      else list_sum(list_transform(range(1, len(spans), 2), lambda i:
        greatest(least(spans[i + 1], cut_to) - greatest(spans[i], cut_from), 0))) / 1000 end as part
  from cut
  where part > 0
  union all
  select bucket, place_id, person_id,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone), 0
  from filtered_part left join address using (address_id)
    left join time_quarter on quarter = epoch_us(play_started) // 900000000
  where place_id is not null and bucket is not null
  group by all
),
counted as (
  select bucket, place_id, sum(plays)::bigint as plays, count(distinct person_id) as people,
    sum(watch_ms)::bigint as watch_ms
  from seen
  group by all
)
select name as bucket, place_id, city, country_code, latitude, longitude, plays, people, watch_ms
from counted join time_bucket using (bucket) join place using (place_id)
where latitude is not null and longitude is not null
order by time_bucket.bucket, watch_ms desc, place_id
