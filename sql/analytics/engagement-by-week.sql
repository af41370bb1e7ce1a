-- title: Who comes, stays and goes
-- question: How many people are new, regular, back again, away or gone?
-- row: one week and state; all weeks and states are there
-- shared: buckets bucket=week
-- column: bucket text: Monday of the week
-- column: state text: new, regular, returned, away or lapsed
-- column: people int: how many are in it
-- behind: none: people are counted, not plays
-- about: Each person who has ever played something that the filter lets through is in one state in
-- about: each week from their first on. new: the first play ever is in this week. regular: a play in
-- about: it, and one in the four weeks before. returned: a play in it, but none in the four before.
-- about: away: none in it, but in the four before. lapsed: none in all five. What was played before the
-- about: period counts for this; a week at the edge of the period counts whole. Accounts that belong
-- about: to nobody are left out.
with quarters as (
  select quarter, date_trunc('week', make_timestamptz(quarter * 900000000) at time zone $tz) as week
  from (select distinct epoch_us(started) // 900000000 as quarter from filtered_ever)
),
active as (
  select distinct person_id, week
  from filtered_ever join quarters on quarter = epoch_us(started) // 900000000
  where person_id is not null
),
followed as (
  select *, lag(week) over (partition by person_id order by week) as before from active
),
people as (
  select person_id, min(week) as first from active group by person_id
),
placed as (
  select b.bucket, case
      when week = b.bucket then case when before is null then 'new'
        when before >= b.bucket - interval 28 day then 'regular' else 'returned' end
      when week >= b.bucket - interval 28 day then 'away' else 'lapsed' end as state
  from (select bucket, person_id from time_bucket cross join people where first <= bucket) b
    asof join followed f on f.person_id = b.person_id and f.week <= b.bucket
)
select name as bucket, state, count(placed.state) as people
from time_bucket cross join
  (values ('regular', 1), ('new', 2), ('returned', 3), ('away', 4), ('lapsed', 5)) s(state, place)
  left join placed using (bucket, state)
group by time_bucket.bucket, name, state, place
order by time_bucket.bucket, place
