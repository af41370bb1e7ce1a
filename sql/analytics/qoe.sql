-- title: How well it plays
-- question: How often does watching go wrong?
-- row: one bucket of time, or with `by` one platform or server
-- shared: buckets
-- short: include
-- param: by = bucket (bucket, platform, server): what is told apart
-- column: slot text?: the bucket's first local hour or day, the platform or the server's name; null: not known
-- column: plays int: plays that start in the period; short ones count here
-- column: exits int: of them ended within ten seconds of watch time
-- column: exit_share double?: share of those that have ended
-- column: lowered int: of them delivered in a lower resolution than the file's, at least in part
-- column: lowered_share double?: share of those of which both resolutions are known
-- column: paused int: of them paused at least once
-- column: paused_share double?: share of all
-- column: finished_share double?: share of plays watched to their end, of those where it can be told
-- column: score double?: 0 to 100, of these four
-- behind: none: music and backfilled views are left out, which no filter does
-- about: The score is 100 - 3 x exits - 0.5 x lowered - 0.2 x paused - 0.3 x (not finished), each in
-- about: percent, and at least 0; a part that is not known takes nothing off. Music is left out, and
-- about: so are backfilled views. A play counts once under each platform that it has; of it only the
-- about: part on that platform is looked at for resolution and pauses.
with lines(name, height) as (
  values ('sd', 480), ('480', 480), ('576', 576), ('720', 720), ('1080', 1080), ('1440', 1440),
    ('4k', 2160), ('8k', 4320)
),
lowered as (
  select quality_id, d.height < s.height as is_lowered
  from quality left join lines s on s.name = video_resolution
    left join lines d on d.name = stream_video_resolution
),
part as (
  select play_id, is_alone, case when $by = 'platform' then platform end as platform, is_lowered,
    coalesce(paused_ms, 0) > 0 as is_paused
  from filtered_part left join lowered using (quality_id) left join device using (device_id)
  where media_type <> 'track'
),
of_plays as (
  select play_id, platform, is_lowered, is_paused from part where is_alone
  union all
  select play_id, platform, bool_or(is_lowered), bool_or(is_paused)
  from part
  where not is_alone
  group by play_id, platform
),
slotted as (
  select case $by when 'platform' then platform when 'server' then server_id::varchar
      else t.name end as slot,
    case when not is_open then watch_ms < 10000 end as is_exit, is_lowered, is_paused,
    case when not is_open and percent is not null then is_watched end as is_finished
  from filtered_play join of_plays using (play_id)
    join time_quarter on quarter = epoch_us(started) // 900000000
    join time_bucket t using (bucket)
),
counted as (
  select slot, count(*) as plays, count(*) filter (is_exit) as exits,
    avg(is_exit::integer) as exit_share, count(*) filter (is_lowered) as lowered,
    avg(is_lowered::integer) as lowered_share, count(*) filter (is_paused) as paused,
    avg(is_paused::integer) as paused_share, avg(is_finished::integer) as finished_share
  from slotted
  group by slot
),
filled as (
  from counted
  union all by name
  select name as slot, 0 as plays, 0 as exits, 0 as lowered, 0 as paused
  from time_bucket
  where $by = 'bucket' and name not in (select slot from counted)
)
select case $by when 'server' then server.name else slot end as slot, plays, exits, exit_share,
  lowered, lowered_share, paused, paused_share, finished_share,
  case when plays > 0 then greatest(0, 100 - 300 * coalesce(exit_share, 0)
    - 50 * coalesce(lowered_share, 0) - 20 * coalesce(paused_share, 0)
    - 30 * (1 - coalesce(finished_share, 1))) end as score
from filled left join server on $by = 'server' and server_id::varchar = slot
order by case when $by = 'bucket' then slot end, plays desc, slot nulls last
