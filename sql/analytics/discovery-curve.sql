-- title: How soon new titles are played
-- question: What share of what is added has been played within so many days?
-- row: one number of days (1, 3, 7, 14, 30, 60, 90, 180, 365, 730), as far as there are titles that have been there so long
-- shared: discovery
-- column: within_days int: since the title came
-- column: titles int: that came in the period
-- column: discovered int: of them, played within so many days
-- column: observed int: of them, there for so many days without being played
-- column: share double: the share that is played within so many days
-- behind: none: it counts titles, those that nobody has played among them
-- about: By Kaplan and Meier: of the titles that had been there for a day count without a play, the part
-- about: that was played then, multiplied up day by day. So a title that came last week, or is gone,
-- about: counts for as long as it was there, and not as one that nobody wants. Where the share passes
-- about: 50 % is the median.
with titles as (
  select floor(days)::bigint as day, first_play is not null as is_found from discovery
),
by_day as (
  select day, count(*) filter (is_found) as found, sum(count(*)) over (order by day desc) as at_risk
  from titles
  group by day
),
horizon as (
  select unnest([1, 3, 7, 14, 30, 60, 90, 180, 365, 730])::bigint as days
),
met as (
  select h.days, (select count(*) from titles) as titles,
    coalesce((select sum(found) from by_day where day < h.days), 0)::bigint as discovered,
    coalesce((select count(*) from titles where day >= h.days), 0) as observed,
    coalesce((select product(1 - found / at_risk) from by_day where day < h.days), 1) as unseen
  from horizon h
)
select days as within_days, titles, discovered, observed, 1 - unseen as share
from met
where titles > 0 and (observed > 0 or unseen = 0)
order by days
