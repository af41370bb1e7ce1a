-- title: How far it is watched
-- question: Where do people stop?
-- row: one twentieth of the title; all are there
-- column: from_percent int?: 0 to 95: where it begins; null: how far they came is not known
-- column: plays int: plays that start in the period and stopped in it
-- column: people int: people who stopped there
-- column: finished int: of the plays that count as watched to the end
-- column: reached int?: plays that came at least to its beginning
-- column: reached_share double?: share of those of which it is known
-- behind: none: there is no filter on how far a play came
-- about: How far a play came is its greatest position. Plays that still go on and backfilled views are
-- about: left out; what came past the end is in the last twentieth. With titles or shows in the filter it
-- about: is where people stop in these.
with stopped as (
  select case when percent is not null then least(floor(percent / 5), 19)::integer * 5 end
      as from_percent, count(*) as plays,
    count(distinct person_id) as people, count(*) filter (is_watched) as finished
  from filtered_play
  where kind = 'play' and not is_open
  group by all
),
steps as (
  select (step * 5)::integer as from_percent from range(20) steps(step)
  union all
  select null
),
filled as (
  select s.from_percent, coalesce(plays, 0) as plays, coalesce(people, 0) as people,
    coalesce(finished, 0) as finished
  from steps s left join stopped t on t.from_percent is not distinct from s.from_percent
),
counted as (
  select *, case when from_percent is not null then sum(plays) filter (from_percent is not null)
      over (order by from_percent desc nulls last) end as reached,
    sum(plays) filter (from_percent is not null) over () as known
  from filled
)
select from_percent, plays, people, finished, reached::bigint as reached,
  reached / nullif(known, 0) as reached_share
from counted
order by from_percent nulls last
