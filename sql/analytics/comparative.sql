-- title: Against the period before
-- question: What has risen and what has fallen?
-- row: one figure, or with `by` one title, show or person played in one of the two periods
-- param: by = figure (figure, title, show, person): what is compared
-- param: limit = 50 (1..1000): most rows
-- column: value text?: name of the figure, title, show or person
-- column: title_id int?: with by=title
-- column: person_id int?: with by=person
-- column: plays int?: in the period: the figure, or plays that start in it
-- column: previous int?: in the period before
-- column: change double?: share by which it grew; null: there was none before
-- column: rank int?: place by plays in the period; equal ones have the same; null: none in it
-- column: previous_rank int?: place in the period before; null: none in it
-- behind: titles={_titles}&shows={_shows}&users={_users}&media_types={_media_types}
-- about: The period before is as long, by the clock of the time zone, and ends where the period begins; it
-- about: needs a period with a beginning, else there is no row. An open end is now. Figures: plays,
-- about: people, titles, finished (plays watched to their end). Plays are counted where they start; for
-- about: watch time ask summary with compare=previous. From nothing there is no share of growth: it is
-- about: new. Accounts that belong to nobody are left out with by=person. Ordered by plays, then by
-- about: plays before, then name.
with edges as (
  select from_at, until, timezone('UTC', timezone($tz, local_from - (local_until - local_from)))
      as before_at
  from (select from_at, until, timezone($tz, timezone('UTC', from_at)) as local_from,
      timezone($tz, timezone('UTC', until)) as local_until
    from (select from_at, coalesce(to_at, $now::timestamp) as until from filter_window))
),
placed as (
  select p.*, started >= from_at as is_now
  from filtered_ever p, edges
  where started >= before_at and started < until
),
figures as (
  select unnest([
    {'value': 'plays', 'plays': count(*) filter (is_now), 'previous': count(*) filter (not is_now),
      'place': 1},
    {'value': 'people', 'plays': count(distinct person_id) filter (is_now),
      'previous': count(distinct person_id) filter (not is_now), 'place': 2},
    {'value': 'titles', 'plays': count(distinct title_id) filter (is_now),
      'previous': count(distinct title_id) filter (not is_now), 'place': 3},
    {'value': 'finished', 'plays': count(*) filter (is_now and is_watched),
      'previous': count(*) filter (not is_now and is_watched), 'place': 4}], recursive := true)
  from placed
  having count(*) > 0
),
counted as (
  select case when $by = 'title' then title_id end as title_id,
    case when $by = 'person' then person_id end as person_id,
    case when $by = 'show' then grandparent_title end as series,
    count(*) filter (is_now) as plays, count(*) filter (not is_now) as previous
  from placed left join title using (title_id)
  where case $by when 'person' then person_id is not null
    when 'show' then title.media_type = 'episode' and grandparent_title is not null
    else $by = 'title' end
  group by all
),
ranked as (
  select *, case when plays > 0 then rank() over (order by plays desc) end as rank,
    case when previous > 0 then rank() over (order by previous desc) end as previous_rank
  from counted
)
select value, title_id, person_id, plays, previous, plays / nullif(previous, 0) - 1 as change, rank,
  previous_rank,
  case when $by = 'title' then title_id::varchar else '' end as _titles,
  case when $by = 'person' then person_id::varchar else '' end as _users,
  case when $by = 'show' then replace(replace(value, '\', '\\'), ',', '\,') else '' end as _shows,
  case when $by = 'show' then 'episode' else '' end as _media_types,
  $by <> 'figure' or value = 'plays' as _has_behind
from (select value, null as title_id, null as person_id, plays, previous, null as rank,
      null as previous_rank, place
    from figures
    where $by = 'figure'
    union all
    select case $by when 'title' then full_title when 'person' then person.name else series end,
      r.title_id, r.person_id, plays, previous, rank, previous_rank, null
    from ranked r left join title on title.title_id = r.title_id
      left join person on person.person_id = r.person_id
    where $by <> 'figure')
order by place, plays desc, previous desc, value, title_id
limit $limit
