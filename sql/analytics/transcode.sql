-- title: How it was delivered
-- question: How much is transcoded, and of what?
-- row: one bucket of time and decision
-- shared: buckets
-- param: of = stream (stream, video, audio, subtitle, container): whose decision
-- column: bucket text: its first local hour (2026-01-31T13:00) or day (2026-01-31)
-- column: decision text?: direct play, copy, transcode or what the server said; null: unknown
-- column: plays int: plays that start in it and were delivered so, at least in part
-- column: watch_ms int: watch time inside it that was delivered so
-- behind: start_date={_from}&end_date={_to}&transcode_decisions={_decision} for of = stream: the filter knows only that of the whole stream
-- about: Decisions belong to segments: watch time is split by them, a play counts once under each
-- about: that it has. Of the container: transcode where the delivered one is another than the
-- about: file's. Backfilled views are under unknown. The plays behind a row can be told for
-- about: of=stream only.
with decided as (
  select quality_id, case $of when 'stream' then transcode_decision when 'video' then video_decision
      when 'audio' then audio_decision when 'subtitle' then subtitle_decision
      else case when transcode_decision = 'direct play' then 'direct play'
        when container is null or stream_container is null then null
        when container = stream_container then 'copy' else 'transcode' end end as decision
  from quality
),
started as (
  select bucket, decision,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays
  from (select play_started, play_id, quality_id, is_alone from filtered_part
      union all
      select started, play_id, null, true from filtered_play where segments = 0)
    left join decided using (quality_id)
    join time_quarter on quarter = epoch_us(play_started) // 900000000
  group by all
),
watched as (
  select bucket, decision, sum(watch_us)::bigint // 1000 as watch_ms
  from (select decision, unnest(watch_quarters(started, ended, watch_ms, spans, from_at, to_at),
        recursive := true)
      from filtered_segment left join decided using (quality_id), filter_window
      group by decision) join time_quarter using (quarter)
  group by all
),
decisions as (
  select decision from started union select decision from watched
)
select name as bucket, d.decision, coalesce(plays, 0) as plays, coalesce(watch_ms, 0) as watch_ms,
  case $of when 'stream' then coalesce(d.decision, 'unknown') else '' end as _decision,
  from_text as _from, to_text as _to
from time_bucket t cross join decisions d
  left join started s on s.bucket = t.bucket and s.decision is not distinct from d.decision
  left join watched w on w.bucket = t.bucket and w.decision is not distinct from d.decision
order by t.bucket, d.decision nulls last
