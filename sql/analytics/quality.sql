-- title: What is played
-- question: Which codecs, resolutions, dynamic ranges, languages and containers are played?
-- row: one value of what `of` tells
-- param: of = resolution (resolution, video-codec, audio-codec, range, frame-rate, audio-channels, audio-language, subtitle-language, subtitle-codec, subtitle-decision, container, stream-resolution, stream-video-codec, stream-audio-codec, stream-range, stream-audio-channels, stream-container, secure, relayed, location): what is told apart; with stream: as delivered, else as in the file
-- also: codecs = video-codec, audio-codec, stream-video-codec, stream-audio-codec (Codecs): Which codecs are played?
-- also: hdr = range, stream-range (Dynamic range): How much of it is HDR?
-- also: audio = audio-channels, audio-language, audio-codec, stream-audio-channels, stream-audio-codec (Audio): Which sound is played?
-- also: subtitles = subtitle-language, subtitle-codec, subtitle-decision (Subtitles): Which subtitles are shown?
-- also: frame-rate = frame-rate (Frame rates): At which frame rates is it played?
-- also: container = container, stream-container (Containers): Which containers are played?
-- also: connection-security = secure, relayed, location (Connections): How secure are the connections, and how direct?
-- column: value text?: its name; null: not known
-- column: plays int: plays that start in the period and have it, at least in part
-- column: people int: people who watched so
-- column: watch_ms int: watch time
-- column: share double?: of the watch time whose value is known; null for the row of the unknown
-- column: finished_share double?: share of those plays that were watched to their end, of those where it can be told
-- behind: video_resolutions={_resolutions}&video_codecs={_video_codecs}&audio_codecs={_audio_codecs}&media_types={_media_types} for of = resolution, video-codec, audio-codec: the filter knows only these, of the file
-- about: Values belong to segments: watch time is split by them, a play counts once under each that
-- about: it has. Unknown is a row of its own, with the backfilled views. Music is left out of what
-- about: only video has: resolution, video codec, range, frame rate, subtitles. Codecs that are one
-- about: thing under several names count together, under the name in use; PAL is 25p and NTSC 30p.
-- about: Subtitles: none, where the streams are known and no subtitle is among them. The servers do not
-- about: tell Dolby Atmos, nor the profile of Dolby Vision. The plays behind a row can be told for the
-- about: file's resolution and codecs. Ordered by watch time, then plays, then value.
with codec_name(raw, name) as (
  values ('h264', 'H.264'), ('avc', 'H.264'), ('avc1', 'H.264'), ('hevc', 'HEVC'), ('h265', 'HEVC'),
    ('av1', 'AV1'), ('vp9', 'VP9'), ('mpeg2video', 'MPEG-2'), ('mpeg4', 'MPEG-4'), ('vc1', 'VC-1'),
    ('aac', 'AAC'), ('ac3', 'Dolby Digital'), ('eac3', 'Dolby Digital Plus'),
    ('truehd', 'Dolby TrueHD'), ('dca', 'DTS'), ('dts', 'DTS'), ('dca-ma', 'DTS-HD MA'),
    ('dts-hd ma', 'DTS-HD MA'), ('flac', 'FLAC'), ('alac', 'ALAC'), ('mp3', 'MP3'),
    ('opus', 'Opus'), ('vorbis', 'Vorbis'), ('pcm', 'PCM')
),
valued as (
  select quality_id, raw, case
      when $of in ('video-codec', 'audio-codec', 'stream-video-codec', 'stream-audio-codec')
        then coalesce(name, raw)
      when $of = 'frame-rate'
        then case upper(raw) when 'PAL' then '25p' when 'NTSC' then '30p' else raw end
      when $of in ('audio-channels', 'stream-audio-channels')
        then case raw when '1' then 'mono' when '2' then 'stereo' when '6' then '5.1'
          when '8' then '7.1' else raw || ' channels' end
      when $of in ('subtitle-language', 'subtitle-codec', 'subtitle-decision') then
        case when coalesce(subtitle_decision, subtitle_codec, subtitle_language) is not null
            then raw when video_decision is not null then 'none' end
      else raw end as value
  from (select *, case $of when 'resolution' then video_resolution
        when 'video-codec' then video_codec when 'audio-codec' then audio_codec
        when 'range' then video_dynamic_range when 'frame-rate' then video_framerate
        when 'audio-channels' then audio_channels::varchar
        when 'audio-language' then audio_language
        when 'subtitle-language' then subtitle_language when 'subtitle-codec' then subtitle_codec
        when 'subtitle-decision' then subtitle_decision when 'container' then container
        when 'stream-resolution' then stream_video_resolution
        when 'stream-video-codec' then stream_video_codec
        when 'stream-audio-codec' then stream_audio_codec
        when 'stream-range' then stream_video_dynamic_range
        when 'stream-audio-channels' then stream_audio_channels::varchar
        when 'stream-container' then stream_container end as raw
      from quality)
    left join codec_name using (raw)
),
asked as (
  select $of in ('secure', 'relayed', 'location') as is_of_segment,
    $of in ('audio-codec', 'audio-channels', 'audio-language', 'container', 'stream-audio-codec',
      'stream-audio-channels', 'stream-container', 'secure', 'relayed', 'location') as has_music
),
part as (
  select play_id, person_id, is_alone, case $of
      when 'secure' then case secure when true then 'secure' when false then 'not secure' end
      when 'relayed' then case relayed when true then 'relayed' when false then 'direct' end
      when 'location' then location else value end as value
  from filtered_part left join valued using (quality_id), asked
  where has_music or media_type <> 'track'
),
undone as ( -- the fewer: what is not in it was watched to its end
  select play_id, is_told
  from (select play_id, is_watched, coalesce(kind = 'play' and not is_open and percent is not null, false)
        as is_told
      from filtered_play)
  where (is_told and is_watched) is not true
),
seen as (
  select value, person_id, 1 as plays, 0 as watch_ms, play_id is not null and coalesce(is_told, true) as is_told,
    play_id is not null and is_told is null as is_finished
  from (select value, person_id, play_id from part where is_alone
      union all
      select distinct value, person_id, play_id from part where not is_alone
      union all
      select null, person_id, null from filtered_play, asked
      where segments = 0 and (has_music or media_type <> 'track'))
    left join undone using (play_id)
  union all
  select case $of
      when 'secure' then case secure when true then 'secure' when false then 'not secure' end
      when 'relayed' then case relayed when true then 'relayed' when false then 'direct' end
      when 'location' then location else value end as own, person_id, 0, window_ms, false, false
  from filtered_segment left join valued using (quality_id), asked
  where has_music or media_type <> 'track'
),
counted as (
  select value, sum(plays)::bigint as plays, distinct_ids(person_id) as people,
    sum(watch_ms)::bigint as watch_ms,
    count(*) filter (is_finished) / nullif(count(*) filter (is_told), 0) as finished_share
  from seen
  group by value
),
raws as (
  select value, string_agg(distinct replace(replace(raw, '\', '\\'), ',', '\,'), ',') as words
  from valued
  where value is not null
  group by value
),
types as (
  select coalesce(string_agg(media_type, ',' order by media_type), '') as words
  from (select distinct media_type from filtered_play), asked
  where has_music or media_type <> 'track'
)
select value, plays, people, watch_ms,
  case when value is not null
    then watch_ms / nullif(sum(watch_ms) filter (value is not null) over (), 0) end as share,
  finished_share,
  case $of when 'resolution' then coalesce(raws.words, 'unknown') else '' end as _resolutions,
  case $of when 'video-codec' then coalesce(raws.words, 'unknown') else '' end as _video_codecs,
  case $of when 'audio-codec' then coalesce(raws.words, 'unknown') else '' end as _audio_codecs,
  types.words as _media_types
from counted left join raws using (value), types
order by watch_ms desc, plays desc, value nulls last
