-- title: What kind of titles
-- question: Which genres, decades and ratings are watched?
-- row: one value of what `of` tells
-- param: of = genre (genre, decade, rating): what is told apart
-- also: genres = genre (Genres): Which genres are watched?
-- also: decades = decade (Decades): From which decades is what is watched?
-- also: ratings = rating (Ratings): Which content ratings are watched?
-- column: value text?: its name, such as Drama, 1990s or PG-13; null: not known
-- column: plays int: plays that start in the period
-- column: people int: people with such a play
-- column: titles int: different titles of those plays
-- column: watch_ms int: watch time inside it
-- column: share double?: of the watch time whose value is known; null for the row of the unknown
-- behind: genres={_genres}&content_ratings={_ratings}&years={_years}
-- about: A title has one decade and one rating, and these add up to all; it may have several genres and
-- about: counts under each, so the shares of genres add up to more than the whole. Episodes and tracks
-- about: seldom have a year of their own. Ordered by watch time, then plays, then value.
with valued as (
  select title_id, unnest(case $of
      when 'genre' then case when len(genres) > 0 then list_distinct(genres) else [null] end
      when 'decade' then [year // 10 * 10 || 's'] else [content_rating] end) as value
  from title
),
started as (
  select value, count(*) as plays, count(distinct person_id) as people,
    count(distinct title_id) as titles
  from filtered_play left join valued using (title_id)
  group by value
),
watched as (
  select title_id, sum(window_ms)::bigint as watch_ms from filtered_segment group by title_id
),
by_value as (
  select value, sum(watch_ms)::bigint as watch_ms
  from watched left join valued using (title_id)
  group by value
),
known as (
  select sum(watch_ms) as watch_ms
  from watched
  where title_id in (select title_id from valued where value is not null)
),
merged as (
  select coalesce(s.value, w.value) as value, coalesce(plays, 0) as plays,
    coalesce(people, 0) as people, coalesce(titles, 0) as titles, coalesce(watch_ms, 0) as watch_ms
  from started s full join by_value w on s.value is not distinct from w.value
),
escaped as (
  select *, replace(replace(value, '\', '\\'), ',', '\,') as word from merged
)
select value, plays, people, titles, e.watch_ms,
  case when value is not null then e.watch_ms / nullif(known.watch_ms, 0) end as share,
  case $of when 'genre' then coalesce(word, 'unknown') else '' end as _genres,
  case $of when 'rating' then coalesce(word, 'unknown') else '' end as _ratings,
  case $of when 'decade' then coalesce(array_to_string(range(try_cast(value[:-2] as integer),
    try_cast(value[:-2] as integer) + 10), ','), 'unknown') else '' end as _years
from escaped e, known
order by e.watch_ms desc, plays desc, value nulls last
