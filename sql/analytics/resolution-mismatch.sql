-- title: From the file to the screen
-- question: Which resolutions are delivered as which?
-- row: one resolution of the file and the one it was delivered in
-- column: source text?: resolution of the file; null: not known
-- column: delivered text?: resolution of what was sent; null: not known
-- column: change text?: same, lower or higher; null: not known
-- column: plays int: plays that start in the period and were delivered so, at least in part
-- column: people int: people who watched so
-- column: watch_ms int: watch time
-- column: share double?: of the watch time of which both are known
-- behind: among: video_resolutions={_resolutions}: the filter knows the resolution of the file, not that of what was sent
-- about: Resolutions belong to segments: watch time is split by them, a play counts once under each
-- about: pair that it has. SD is taken as 480 lines. Music is left out. Backfilled views are under
-- about: unknown. Ordered by watch time, then plays.
with lines(name, height) as (
  values ('sd', 480), ('480', 480), ('576', 576), ('720', 720), ('1080', 1080), ('1440', 1440),
    ('4k', 2160), ('8k', 4320)
),
seen as (
  select video_resolution as source, stream_video_resolution as delivered, person_id,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays,
    0 as watch_ms
  from filtered_part left join quality using (quality_id)
  where media_type <> 'track'
  group by all
  union all
  select video_resolution, stream_video_resolution, person_id, 0, sum(window_ms)
  from filtered_segment left join quality using (quality_id)
  where media_type <> 'track'
  group by all
  union all
  select null, null, person_id, count(*), 0
  from filtered_play
  where segments = 0 and media_type <> 'track'
  group by person_id
),
counted as (
  select source, delivered, sum(plays)::bigint as plays, count(distinct person_id) as people,
    sum(watch_ms)::bigint as watch_ms, source is not null and delivered is not null as is_known
  from seen
  group by source, delivered
)
select source, delivered, case when source = delivered or s.height = d.height then 'same'
    when d.height < s.height then 'lower' when d.height > s.height then 'higher' end as change,
  plays, people, watch_ms,
  case when is_known then watch_ms / nullif(sum(watch_ms) filter (is_known) over (), 0) end as share,
  replace(replace(source, '\', '\\'), ',', '\,') as _resolutions
from counted left join lines s on s.name = source left join lines d on d.name = delivered
order by watch_ms desc, plays desc, source nulls last, delivered nulls last
