-- title: Not watched to the end
-- question: What do people give up?
-- row: one title, or with `by` one genre, type or show (of which people saw the first episode)
-- param: by = title (title, genre, type, first-episode): what is told apart
-- param: least = 3 (1..1000): plays that a row has at least
-- param: limit = 50 (1..1000): most rows
-- column: value text?: full title, genre, type or show; null: not known
-- column: title_id int?: with by=title
-- column: plays int: plays that start in the period; with by=first-episode people
-- column: people int: whose they are
-- column: finished int: watched to the end
-- column: resumed int: not, but played again within 14 days; with by=first-episode another episode was
-- column: abandoned int: neither
-- column: undecided int: not watched to the end, and the 14 days are not over
-- column: abandoned_share double?: abandoned in finished, resumed and abandoned
-- column: median_percent double?: how far half of the abandoned plays came at most
-- behind: none: only plays of known people that have ended and whose position is known are judged, which no filter says
-- about: Of plays that have ended, of known people, whose position is known; backfilled views are none.
-- about: The same play taken up again within a day is one play anyhow. With by=first-episode it is the
-- about: first time each person played season 1, episode 1 of a show, and whether another episode of it
-- about: followed within 14 days; how far it was watched does not matter there. Genres of a title each
-- about: count. Ordered by abandoned plays, then share.
with judgeable as not materialized (
  select *
  from filtered_ever, filter_window
  where $by <> 'first-episode' and person_id is not null and kind = 'play' and not is_open
    and percent is not null and coalesce(started >= from_at, true) and coalesce(started < to_at, true)
),
unfinished as (
  select play_id, person_id, title_id from judgeable where not is_watched
),
played as ( -- all that may follow an unfinished one, and it
  select play_id, person_id, title_id, started, ended, percent,
    lead(started) over (partition by person_id, title_id order by started, play_id) as next_start
  from filtered_ever e semi join unfinished u on u.person_id = e.person_id
    and u.title_id is not distinct from e.title_id
),
episodes as (
  select person_id, show_id, play_id, e.started, e.ended, percent,
    coalesce(season = 1 and episode = 1, false) as is_first
  from filtered_ever e join (select title_id, season, episode,
      min(title_id) over (partition by grandparent_title) as show_id
    from title
    where media_type = 'episode' and grandparent_title is not null) using (title_id)
  where $by = 'first-episode' and person_id is not null and kind = 'play'
),
beginnings as (
  select person_id, show_id, unnest(min({'started': started, 'play_id': play_id, 'ended': ended,
    'percent': percent}))
  from episodes
  where is_first
  group by person_id, show_id
),
subjects as (
  select person_id, title_id, true as is_watched, percent, ended, null::timestamp as next_start
  from judgeable
  where is_watched
  union all
  select person_id, title_id, false, percent, ended, next_start
  from played semi join unfinished using (play_id)
  union all
  select person_id, show_id, false, b.percent, b.ended,
    min(e.started) filter (not e.is_first and e.started > b.started)
  from beginnings b join episodes e using (person_id, show_id), filter_window
  where coalesce(b.started >= from_at, true) and coalesce(b.started < to_at, true)
  group by all
),
named as ( -- a title's values, and a number for each
  select title_id, own, case when $by = 'title' then title_id
      else (dense_rank() over (order by own))::integer end as own_id
  from (select title_id, unnest(case $by when 'title' then [title_id::varchar] when 'type' then [media_type]
        when 'genre' then case when len(genres) > 0 then genres else [null] end
        else [grandparent_title] end) as own
    from title)
),
judged as (
  select case when $by = 'title' then coalesce(own_id, s.title_id) when own is not null then own_id end as own_id,
    person_id, percent, case when is_watched then 'finished'
      when next_start <= ended + interval 14 day then 'resumed'
      when ended + interval 14 day > $now::timestamp then 'undecided' else 'abandoned' end as fate
  from subjects s left join named using (title_id)
),
counted as (
  select own_id, count(*) as plays, distinct_ids(person_id) as people,
    count(*) filter (fate = 'finished') as finished, count(*) filter (fate = 'resumed') as resumed,
    count(*) filter (fate = 'abandoned') as abandoned,
    count(*) filter (fate = 'undecided') as undecided,
    quantile_disc(percent, 0.5) filter (fate = 'abandoned') as median_percent
  from judged
  group by own_id
  having count(*) >= $least
)
select case when $by = 'title' then full_title else own end as value,
  case when $by = 'title' then title.title_id end as title_id, plays, people, finished,
  resumed, abandoned, undecided,
  abandoned / nullif(finished + resumed + abandoned, 0) as abandoned_share, median_percent
from counted left join title on title.title_id = own_id
  left join (select distinct own_id, own from named where own is not null) using (own_id)
order by abandoned desc, abandoned_share desc, value nulls last, title_id
limit $limit
