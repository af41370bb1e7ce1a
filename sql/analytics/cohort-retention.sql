-- title: Who stays
-- question: Of those who came in one week, how many still watch later?
-- row: one week in which people came, and one of the weeks after it
-- shared: buckets bucket=week
-- param: weeks = 12 (1..104): how many weeks after
-- column: cohort text: Monday of the week of their first play
-- column: week int: weeks since then, from 0
-- column: size int: people who came in the cohort's week
-- column: people int: of them with a play in this week
-- column: share double: people in size
-- behind: none: people are counted, not plays
-- about: People come with their first play ever, of whatever kind and however the filter narrows what
-- about: is asked about; only its users and accounts count for that. A cohort is there when its week
-- about: is in the period. Whether they still watch is told by the plays that the filter lets through.
-- about: Weeks in which nobody of a cohort watched are zero; weeks that have not begun are not there.
with quarters as (
  select quarter, date_trunc('week', make_timestamptz(quarter * 900000000) at time zone $tz) as week
  from (select epoch_us(first) // 900000000 as quarter
      from (select min(started) as first from known_play group by person_id)
      union
      select epoch_us(started) // 900000000 from filtered_play)
),
came as (
  select person_id, week as cohort
  from (select person_id, min(started) as first
      from known_play
      where person_id is not null
      group by person_id)
    join quarters on quarter = epoch_us(first) // 900000000
  where week in (select bucket from time_bucket)
),
active as (
  select distinct person_id, week
  from filtered_play join quarters on quarter = epoch_us(started) // 900000000
),
sizes as (
  select cohort, count(*) as size from came group by cohort
),
cells as (
  select cohort, size, week
  from sizes cross join range(0, $weeks + 1) weeks(week)
  where cohort + to_days((7 * week)::integer) <= (select max(bucket) from time_bucket)
)
select strftime(s.cohort, '%Y-%m-%d') as cohort, s.week, any_value(size) as size,
  count(a.person_id) as people, count(a.person_id) / any_value(size) as share
from cells s left join came c on c.cohort = s.cohort
  left join active a on a.person_id = c.person_id
    and a.week = s.cohort + to_days((7 * s.week)::integer)
group by s.cohort, s.week
order by s.cohort, s.week
