-- title: Why it is transcoded
-- question: What causes the most transcoding, and what would avoid it?
-- row: one cause, or with `by` one title or program
-- param: by = cause (cause, title, client): what is told apart
-- param: limit = 20 (1..1000): most rows
-- column: value text?: the cause, title or program; null: not known
-- column: title_id int?: with by=title
-- column: cause text?: the cause of most of its transcoded time; null: not known
-- column: plays int: plays that start in the period and were transcoded so, at least in part
-- column: people int: people who watched so
-- column: watch_ms int: transcoded watch time
-- column: share double?: of the transcoded watch time whose value is known
-- column: avoided_by text?: what would have avoided it
-- behind: none: there is no filter on causes
-- about: Only segments that were transcoded, in picture or sound, count. Jellyfin and Emby tell reasons;
-- about: where none is told (Plex), the cause is seen from what was changed: burnt-in subtitles, a
-- about: lower resolution, HDR turned to SDR, another video codec, another audio codec. One segment
-- about: may have several causes and counts under each; their shares may add up to more than the
-- about: whole. Programs are the players' products. Ordered by watch time, then plays, then value.
with lines(name, height) as (
  values ('sd', 480), ('480', 480), ('576', 576), ('720', 720), ('1080', 1080), ('1440', 1440),
    ('4k', 2160), ('8k', 4320)
),
told as (
  select quality_id, case when contains(word, 'Bitrate') then 'bitrate'
      when starts_with(word, 'Container') then 'container'
      when starts_with(word, 'Subtitle') then 'subtitles'
      when contains(word, 'Audio') then 'audio codec'
      when starts_with(word, 'VideoRange') then 'dynamic range'
      when starts_with(word, 'VideoResolution') then 'resolution'
      when starts_with(word, 'Video') or word in ('RefFramesNotSupported',
        'AnamorphicVideoNotSupported', 'InterlacedVideoNotSupported') then 'video codec'
      else 'other' end as cause
  from (select quality_id, unnest(string_split(transcode_reasons, ' ')) as word
      from quality
      where transcode_decision = 'transcode' and transcode_reasons is not null)
),
changed as (
  select quality_id, unnest(list_filter([
      case when subtitle_decision = 'burn' then 'subtitles' end,
      case when video_decision = 'transcode' and d.height < s.height then 'resolution' end,
      case when video_decision = 'transcode' and video_dynamic_range <> 'SDR'
        and stream_video_dynamic_range = 'SDR' then 'dynamic range' end,
      case when video_decision = 'transcode' and video_codec <> stream_video_codec
        then 'video codec' end,
      case when audio_decision = 'transcode' and audio_codec <> stream_audio_codec
        then 'audio codec' end], lambda one: one is not null)) as cause
  from quality left join lines s on s.name = video_resolution
    left join lines d on d.name = stream_video_resolution
  where transcode_decision = 'transcode' and transcode_reasons is null
),
causes as (
  select distinct * from (from told union all from changed)
),
transcoded as (
  select quality_id, cause
  from quality left join causes using (quality_id)
  where transcode_decision = 'transcode'
),
part as (
  select case when $by = 'client' then product end as product,
    case when $by = 'title' then title_id end as title, quality_id, person_id, play_id, is_alone,
    0 as watch_ms, true as is_start
  from filtered_part left join device using (device_id)
  where quality_id in (select quality_id from transcoded)
  union all
  select case when $by = 'client' then product end, case when $by = 'title' then title_id end,
    quality_id, person_id, null, null, window_ms, false
  from filtered_segment left join device using (device_id)
  where quality_id in (select quality_id from transcoded)
),
counted as (
  select product, title, case when $by = 'cause' then cause end as own_cause,
    count(*) filter (is_start and is_alone)
      + count(distinct play_id) filter (is_start and not is_alone) as plays,
    count(distinct person_id) as people, sum(watch_ms)::bigint as watch_ms
  from part join (select distinct quality_id, case when $by = 'cause' then cause end as cause
    from transcoded) using (quality_id)
  group by all
),
by_cause as (
  select product, title, cause, sum(watch_ms) as watch_ms
  from part join transcoded using (quality_id)
  where $by <> 'cause' and cause is not null
  group by all
),
main_cause as (
  select product, title, max({'ms': watch_ms, 'cause': cause}).cause as cause
  from by_cause
  group by all
),
joined as (
  select case $by when 'client' then c.product when 'title' then full_title else own_cause end as value,
    c.title as title_id, coalesce(own_cause, m.cause) as cause, plays, people, watch_ms,
    case $by when 'client' then c.product is not null when 'title' then c.title is not null
      else own_cause is not null end as is_known
  from counted c left join main_cause m on m.product is not distinct from c.product
      and m.title is not distinct from c.title and $by <> 'cause'
    left join title on title.title_id = c.title
)
select value, title_id, cause, plays, people, watch_ms,
  case when is_known then watch_ms / nullif(sum(watch_ms) filter (is_known) over (), 0) end as share,
  case cause when 'bitrate' then 'a higher bitrate limit in the player, or a smaller version'
    when 'container' then 'a file in a container that the player takes, such as MP4'
    when 'subtitles' then 'text subtitles (SRT), or a player that shows this kind'
    when 'audio codec' then 'an audio track that the player takes, such as AAC'
    when 'video codec' then 'a version in a codec that the player takes, such as H.264'
    when 'resolution' then 'original quality in the settings of the player'
    when 'dynamic range' then 'an SDR version, or a screen that shows HDR' end as avoided_by
from joined
order by watch_ms desc, plays desc, value nulls last, title_id
limit $limit
