-- title: A person
-- question: What is there to say of a person?
-- row: one person with a play that starts in the period
-- shared: buckets bucket=day
-- column: person_id int: id
-- column: person text?: name
-- column: plays int: plays that start in it
-- column: watch_ms int: watch time inside it
-- column: movies int: plays of movies
-- column: episodes int: plays of episodes
-- column: tracks int: plays of tracks
-- column: titles int: different titles
-- column: series int: different shows, by name
-- column: active_days int: days on which a play starts
-- column: streak int: most such days in a row
-- column: finished_share double?: share of plays watched to their end, of those where it can be told
-- column: transcoded_share double?: share of the watch time that was transcoded, of that whose decision is known
-- column: bytes int: data sent, where the stream's bitrate is known
-- column: top_title text?: the title with the most watch time
-- column: top_series text?: the show with the most watch time
-- column: platform text?: the one with the most watch time
-- column: hour int?: the local hour in which most plays start
-- column: first_seen time: start of the first play
-- column: last_seen time: start of the newest play
-- behind: users={person_id}
-- about: Where two have as much, the first in the alphabet (or the earlier hour) is named. Days and hours
-- about: are of the time zone. Accounts that belong to nobody are left out. Ordered by watch time.
with started as (
  select person_id, count(*) as plays, count(*) filter (p.media_type = 'movie') as movies,
    count(*) filter (p.media_type = 'episode') as episodes,
    count(*) filter (p.media_type = 'track') as tracks, count(distinct title_id) as titles,
    count(distinct grandparent_title) filter (p.media_type = 'episode') as series,
    avg(is_watched::integer) filter (kind = 'play' and not is_open and percent is not null)
      as finished_share,
    min(started) as first_seen, max(started) as last_seen
  from filtered_play p left join title using (title_id)
  where person_id is not null
  group by person_id
),
placed as (
  select person_id, bucket, hour(make_timestamptz(quarter * 900000000) at time zone $tz) as hour, plays
  from (select person_id, epoch_us(started) // 900000000 as quarter, count(*) as plays
      from filtered_play
      group by all) join time_quarter using (quarter)
),
hours as (
  select person_id, min({'plays': -plays, 'hour': hour}).hour as hour
  from (select person_id, hour, sum(plays)::bigint as plays from placed group by all)
  group by person_id
),
days as (
  select person_id, bucket,
    date_diff('day', timestamp '1970-01-01', bucket)
      - row_number() over (partition by person_id order by bucket) as island
  from (select distinct person_id, bucket from placed)
),
streaks as (
  select person_id, sum(days)::bigint as active_days, max(days) as streak
  from (select person_id, count(*) as days from days group by person_id, island)
  group by person_id
),
watched as (
  select person_id, sum(window_ms)::bigint as watch_ms,
    coalesce(sum(window_ms) filter (transcode_decision = 'transcode'), 0)
      / nullif(sum(window_ms) filter (transcode_decision is not null), 0) as transcoded_share,
    coalesce(sum(window_ms * stream_bitrate_kbps // 8), 0)::bigint as bytes
  from filtered_segment left join quality using (quality_id)
  group by person_id
),
by_title as (
  select person_id, title_id, sum(window_ms)::bigint as watch_ms from filtered_segment group by all
),
tops as (
  select person_id, min({'ms': -watch_ms, 'name': full_title}).name as top_title
  from by_title left join title using (title_id)
  group by person_id
),
top_series as (
  select person_id, min({'ms': -watch_ms, 'name': series}).name as top_series
  from (select person_id, grandparent_title as series, sum(watch_ms)::bigint as watch_ms
      from by_title join title using (title_id)
      where media_type = 'episode' and grandparent_title is not null
      group by all)
  group by person_id
),
top_platform as (
  select person_id, min({'ms': -watch_ms, 'name': platform}).name as platform
  from (select person_id, platform, sum(window_ms)::bigint as watch_ms
      from filtered_segment join device using (device_id)
      where platform is not null
      group by all)
  group by person_id
)
select person_id, name as person, plays, coalesce(watch_ms, 0) as watch_ms, movies, episodes, tracks,
  titles, series, active_days, streak, finished_share, transcoded_share,
  coalesce(bytes, 0) as bytes, top_title, top_series, platform, hour, first_seen, last_seen
from started left join person using (person_id) left join streaks using (person_id)
  left join hours using (person_id) left join watched using (person_id)
  left join tops using (person_id) left join top_series using (person_id)
  left join top_platform using (person_id)
order by watch_ms desc, plays desc, person_id
