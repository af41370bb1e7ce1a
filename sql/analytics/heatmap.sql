-- title: Hours of the week
-- question: At which hours of which days is watched?
-- row: one hour of one day of the week; all 168 are there
-- column: weekday int: 0 Monday to 6 Sunday
-- column: hour int: 0 to 23, local
-- column: watch_ms int: watch time inside these hours
-- column: starts int: plays that start in them
-- behind: none: there is no filter on weekdays and hours
-- about: Watch time is counted in the hours it happened in, not in the one a play starts in. Hours
-- about: are of the time zone; a local hour that occurs twice on one day counts twice as long.
with quarters as (
  select epoch_us(started) // 900000000 as quarter, count(*) as starts, 0 as watch_us
  from filtered_play
  group by all
  union all
  select quarter, 0, watch_us
  from (select unnest(watch_quarters(started, ended, watch_ms, spans, from_at, to_at), recursive := true)
    from filtered_segment, filter_window)
),
placed as (
  select make_timestamptz(quarter * 900000000) at time zone $tz as local, sum(starts) as starts,
    sum(watch_us) as watch_us
  from quarters
  group by quarter
),
filled as (
  select isodow(local) - 1 as weekday, hour(local) as hour, starts, watch_us from placed
  union all
  select slot // 24, slot % 24, 0, 0 from range(168) slots(slot)
)
select weekday, hour, sum(watch_us)::bigint // 1000 as watch_ms, sum(starts)::bigint as starts
from filled
group by all
order by weekday, hour
