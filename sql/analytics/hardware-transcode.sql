-- title: Who transcodes
-- question: How much of the transcoding does hardware do?
-- row: one bucket of time and engine
-- shared: buckets
-- param: of = pipeline (pipeline, decoder, encoder): what is told apart: how far hardware does it, or by which hardware
-- column: bucket text: its first local hour (2026-01-31T13:00) or day (2026-01-31)
-- column: engine text?: full, encode or decode (of hardware), or the hardware's name; null: none is told
-- column: plays int: plays that start in it and whose video was transcoded so, at least in part
-- column: watch_ms int: watch time inside it whose video was transcoded so
-- behind: none: there is no filter on engines
-- about: Only transcoded video counts. full: hardware decodes and encodes; encode, decode: one of
-- about: both. Servers name the hardware and are silent where there is none, so null is software, or
-- about: not told. Decisions belong to segments: watch time is split by them, a play counts once
-- about: under each that it has. Whether a transcode was throttled is not kept.
with engines as (
  select quality_id, case $of when 'decoder' then hw_decode when 'encoder' then hw_encode
      else case when hw_decode is not null and hw_encode is not null then 'full'
        when hw_encode is not null then 'encode' when hw_decode is not null then 'decode' end
      end as engine
  from quality
  where video_decision = 'transcode'
),
started as (
  select bucket, engine,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays
  from filtered_part join engines using (quality_id)
    join time_quarter on quarter = epoch_us(play_started) // 900000000
  group by all
),
watched as (
  select bucket, engine, sum(watch_us)::bigint // 1000 as watch_ms
  from (select engine, unnest(watch_quarters(started, ended, watch_ms, spans, from_at, to_at),
        recursive := true)
      from filtered_segment join engines using (quality_id), filter_window
      group by engine) join time_quarter using (quarter)
  group by all
),
found as (
  select engine from started union select engine from watched
)
select name as bucket, e.engine, coalesce(plays, 0) as plays, coalesce(watch_ms, 0) as watch_ms
from time_bucket t cross join found e
  left join started s on s.bucket = t.bucket and s.engine is not distinct from e.engine
  left join watched w on w.bucket = t.bucket and w.engine is not distinct from e.engine
order by t.bucket, e.engine nulls last
