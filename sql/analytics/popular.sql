-- title: Most watched
-- question: What is watched most?
-- row: one title, or with group=show one show, artist or film
-- param: by = people (people, plays, watch_time): what counts first
-- param: group = title (title, show): show: episodes are counted with their show, tracks with their artist
-- param: limit = 10 (1..1000): most rows
-- column: title_id int?: null with group=show for shows and artists
-- column: title text?: full title
-- column: media_type text: movie, episode, track or live
-- column: year int?: of the title; null for shows
-- column: people int: people with a play that starts in the period
-- column: plays int: plays that start in it
-- column: watch_ms int: watch time inside it
-- behind: titles={_titles}&shows={_shows}&media_types={media_type}
-- about: Titles are told apart by identity, not by name; shows and artists by name within their
-- about: media type. Where the chosen measure is equal, the other two decide, then the name.
with named as (
  select title_id, case when $group = 'show' and media_type in ('episode', 'track')
      and grandparent_title is not null then -min(title_id) over (partition by grandparent_title,
        media_type in ('episode', 'track')) else title_id end as own
  from title
),
started as (
  select coalesce(own, title_id) as own, media_type, count(*) as plays, distinct_ids(person_id) as people
  from filtered_play left join named using (title_id)
  group by all
),
watched as (
  select coalesce(own, title_id) as own, media_type, sum(window_ms)::bigint as watch_ms
  from filtered_segment left join named using (title_id)
  group by all
),
merged as (
  select abs(coalesce(s.own, w.own)) as known_id, coalesce(s.own, w.own) < 0 as is_series,
    coalesce(s.media_type, w.media_type) as media_type, coalesce(people, 0) as people,
    coalesce(plays, 0) as plays, coalesce(watch_ms, 0) as watch_ms
  from started s full join watched w on s.own is not distinct from w.own
    and s.media_type = w.media_type
),
told as (
  select case when not is_series then known_id end as title_id,
    case when is_series then grandparent_title end as series,
    case when is_series then grandparent_title else full_title end as title, m.media_type,
    case when not is_series then year end as year, people, plays, watch_ms
  from merged m left join title t on t.title_id = known_id
)
select title_id, title, media_type, year, people, plays, watch_ms,
  coalesce(title_id::varchar, '') as _titles, coalesce(replace(replace(series, '\', '\\'), ',', '\,'), '') as _shows
from told
order by case $by when 'people' then people when 'plays' then plays else watch_ms end desc,
  people desc, plays desc, watch_ms desc, title, title_id
limit $limit
