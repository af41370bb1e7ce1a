-- title: Binges
-- question: Who watches episode after episode, and of what?
-- row: one run of episodes, or with `by` the runs of one person or one show
-- param: by = run (run, person, show): what is told apart
-- param: least = 3 (2..50): episodes that a run has at least
-- param: gap_hours = 6 (1..48): most hours from the end of one to the start of the next
-- param: limit = 100 (1..1000): most rows
-- column: started time: when the first run began
-- column: person_id int?: id; null with by=show
-- column: person text?: name
-- column: series text?: the show; null with by=person
-- column: runs int: how many
-- column: people int: who had them
-- column: episodes int: different ones, in all runs
-- column: longest int: different ones of the longest run
-- column: plays int: how many
-- column: watch_ms int: their watch time
-- column: ended time: when the last one ended
-- behind: users={_users}&shows={_shows}&media_types={_media_types}&start_date={_from}&end_date={_to} for by = run: of several runs no filter is made
-- about: A run is plays of episodes of one show by one person, each starting at most so many hours after
-- about: the one before ended, with at least so many different episodes; watching one twice does not
-- about: make it longer. Shows are told apart by name. Accounts that belong to nobody are left out.
-- about: Runs are ordered by the newest; people and shows by runs, then watch time. The plays behind
-- about: a row can be told by run only.
with shows as (
  select title_id, min(title_id) over (partition by grandparent_title) as show_id
  from title
  where media_type = 'episode' and grandparent_title is not null
),
episodes as (
  select person_id, show_id, title_id, play_id, started, ended, watch_ms
  from filtered_play join shows using (title_id)
  where person_id is not null
),
followed as (
  select *, coalesce(started - max(ended) over (own rows between unbounded preceding and 1 preceding)
      > to_hours($gap_hours), true) as is_first,
    coalesce(lead(started) over own - max(ended) over (own rows unbounded preceding)
      > to_hours($gap_hours), true) as is_last
  from episodes
  window own as (partition by person_id, show_id order by started, play_id)
),
numbered as ( -- single ones are most and go at once
  select *, sum(is_first::integer) over (partition by person_id, show_id order by started, play_id
      rows unbounded preceding) as run
  from followed
  where not (is_first and is_last)
),
long_runs as (
  select person_id, show_id, run
  from numbered
  group by all
  having count(*) >= $least
),
runs as (
  select person_id, show_id, count(distinct title_id) as episodes, count(*) as plays,
    sum(watch_ms)::bigint as watch_ms, min(started) as started, max(ended) as ended,
    max(started) as last
  from numbered join long_runs using (person_id, show_id, run)
  group by person_id, show_id, run
  having count(distinct title_id) >= $least
),
named as (
  select runs.*, grandparent_title as series from runs join title on title.title_id = show_id
),
told as (
  select case when $by <> 'show' then person_id end as person_id,
    case when $by <> 'person' then series end as series,
    case when $by = 'run' then started end as own, count(*) as runs,
    count(distinct person_id) as people, sum(episodes)::bigint as episodes,
    max(episodes) as longest, sum(plays)::bigint as plays, sum(watch_ms)::bigint as watch_ms,
    min(started) as started, max(ended) as ended, max(last) as last
  from named
  group by all
)
select started, person_id, name as person, series, runs, people, episodes, longest, plays, watch_ms, ended,
  person_id::varchar as _users,
  replace(replace(series, '\', '\\'), ',', '\,') as _shows, 'episode' as _media_types,
  strftime(started, '%Y-%m-%dT%H:%M:%S.%fZ') as _from,
  strftime(last + interval 1 microsecond, '%Y-%m-%dT%H:%M:%S.%fZ') as _to
from told left join person using (person_id)
order by case when $by = 'run' then own end desc, runs desc, watch_ms desc, person_id, series
limit $limit
