-- title: Bitrates
-- question: How large are the streams?
-- row: one step of bitrate, of the file or of what was sent; all steps are there
-- column: of text: source (the file) or delivered (what was sent)
-- column: from_kbps int?: least of the step, in kbit/s; null: not known
-- column: to_kbps int?: below which it stays; null: open, or not known
-- column: plays int: plays that start in the period and had it, at least in part
-- column: people int: people who watched so
-- column: watch_ms int: watch time
-- column: share double?: of the watch time whose bitrate is known
-- behind: none: there is no filter on bitrates
-- about: Bitrates are those that the server told of the segment; none is guessed from a resolution.
-- about: They belong to segments: watch time is split by them, a play counts once under each step
-- about: that it has. Unknown is a row of its own, with the backfilled views.
with sizes as (
  select 'source' as of, play_id, person_id, is_alone, bitrate_kbps as kbps, 0 as watch_ms,
    true as is_start
  from filtered_part
  union all
  select 'delivered', play_id, person_id, is_alone, stream_bitrate_kbps, 0, true from filtered_part
  union all
  select unnest(['source', 'delivered']), play_id, person_id, true, null, 0, true
  from filtered_play
  where segments = 0
  union all
  select 'source', null, person_id, null, bitrate_kbps, window_ms, false from filtered_segment
  union all
  select 'delivered', null, person_id, null, stream_bitrate_kbps, window_ms, false
  from filtered_segment
),
steps(from_kbps, to_kbps) as (
  values (null, null), (0, 1000), (1000, 2000), (2000, 4000), (4000, 8000), (8000, 12000),
    (12000, 20000), (20000, 40000), (40000, 80000), (80000, null)
),
counted as (
  select of, case when kbps < 1000 then 0 when kbps < 2000 then 1000 when kbps < 4000 then 2000
      when kbps < 8000 then 4000 when kbps < 12000 then 8000 when kbps < 20000 then 12000
      when kbps < 40000 then 20000 when kbps < 80000 then 40000 when kbps is not null then 80000 end
      as from_kbps,
    count(*) filter (is_start and is_alone)
      + count(distinct play_id) filter (is_start and not is_alone) as plays,
    count(distinct person_id) as people, sum(watch_ms)::bigint as watch_ms
  from sizes
  group by all
)
select o.of, s.from_kbps, s.to_kbps, coalesce(plays, 0) as plays, coalesce(people, 0) as people,
  coalesce(watch_ms, 0) as watch_ms,
  case when s.from_kbps is not null then coalesce(watch_ms, 0)
    / nullif(sum(watch_ms) filter (s.from_kbps is not null) over (partition by o.of), 0) end as share
from (values ('source'), ('delivered')) o(of) cross join steps s
  left join counted c on c.of = o.of and c.from_kbps is not distinct from s.from_kbps
order by o.of desc, s.from_kbps nulls last
