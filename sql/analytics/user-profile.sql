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
with known as (
  select title_id, media_type = 'episode' as is_episode, case when grandparent_title is not null
      then min(title_id) over (partition by grandparent_title) end as show_id
  from title
),
platforms as (
  select device_id, min(device_id) over (partition by platform) as platform_id
  from device
  where platform is not null
),
slots as (
  select quarter, day, hour(local)::integer as hour
  from time_quarter join (select bucket, (row_number() over (order by bucket))::integer as day
      from time_bucket) using (bucket)
),
started as (
  select person_id, count(*) as plays, count(*) filter (media_type = 'movie') as movies,
    count(*) filter (media_type = 'episode') as episodes,
    count(*) filter (media_type = 'track') as tracks, distinct_ids(title_id) as titles,
    distinct_ids(show_id) filter (media_type = 'episode') as series,
    distinct_ids(day) as active_days, longest_run(day) as streak, heaviest_ids(hour, 1)[1] as hour,
    avg(is_watched::integer) filter (kind = 'play' and not is_open and percent is not null)
      as finished_share,
    min(started) as first_seen, max(started) as last_seen
  from filtered_play left join known using (title_id)
    left join slots on quarter = epoch_us(started) // 900000000
  where person_id is not null
  group by person_id
),
watched as (
  select person_id, sum(window_ms)::bigint as watch_ms,
    coalesce(sum(window_ms) filter (transcode_decision = 'transcode'), 0)
      / nullif(sum(window_ms) filter (transcode_decision is not null), 0) as transcoded_share,
    coalesce(sum(window_ms * stream_bitrate_kbps // 8), 0)::bigint as bytes,
    heaviest_ids(coalesce(title_id, 0), window_ms) as titles,
    heaviest_ids(show_id, window_ms) filter (is_episode) as shows,
    heaviest_ids(platform_id, window_ms) as platforms
  from filtered_segment left join quality using (quality_id) left join known using (title_id)
    left join platforms using (device_id)
  group by person_id
),
top_title as (
  select person_id, min(full_title) as top_title
  from (select person_id, unnest(titles) as title_id from watched) join title using (title_id)
  group by person_id
),
top_series as (
  select person_id, min(grandparent_title) as top_series
  from (select person_id, unnest(shows) as title_id from watched) join title using (title_id)
  group by person_id
),
top_platform as (
  select person_id, min(platform) as platform
  from (select person_id, unnest(platforms) as device_id from watched) join device using (device_id)
  group by person_id
)
select person_id, name as person, plays, coalesce(watch_ms, 0) as watch_ms, movies, episodes, tracks,
  started.titles, series, active_days, streak, finished_share, transcoded_share,
  coalesce(bytes, 0) as bytes, top_title, top_series, platform, hour, first_seen, last_seen
from started left join person using (person_id) left join watched using (person_id)
  left join top_title using (person_id) left join top_series using (person_id)
  left join top_platform using (person_id)
order by watch_ms desc, plays desc, person_id
