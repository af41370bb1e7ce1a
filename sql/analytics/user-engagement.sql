-- title: Engagement
-- question: Who watches regularly?
-- row: one person with a play that starts in the period
-- shared: buckets bucket=day
-- column: person_id int: id
-- column: person text?: name
-- column: score double: 0 to 100, of the three parts below
-- column: active_share double: active days in all days
-- column: finished_share double?: share of plays watched to their end, of those where it can be told
-- column: freshness double: 1 for a play on the last day, 0 for none in the 30 days before it
-- column: plays int: plays that start in it
-- column: watch_ms int: watch time inside it
-- column: active_days int: days on which a play starts
-- column: days int: from the first of them to the last day of the period, or today
-- column: last_seen time: start of the newest play
-- behind: users={person_id}
-- about: The score is 50 x active share + 30 x finished share + 20 x freshness; where the finished share
-- about: can not be told, it counts nothing. Freshness falls by a thirtieth a day from the last active
-- about: day. Days are of the time zone. Accounts that belong to nobody are left out. Ordered by score,
-- about: then watch time, then person.
with edge as (
  select date_trunc('day', make_timestamptz(last * 900000000) at time zone $tz) as today
  from time_edge
),
started as (
  select person_id, count(*) as plays, max(started) as last_seen,
    avg(is_watched::integer) filter (kind = 'play' and not is_open and percent is not null)
      as finished_share
  from filtered_play
  where person_id is not null
  group by person_id
),
active as (
  select person_id, count(distinct bucket) as active_days, min(bucket) as first_day,
    max(bucket) as last_day
  from filtered_play join time_quarter on quarter = epoch_us(started) // 900000000
  group by person_id
),
watched as (
  select person_id, sum(window_ms)::bigint as watch_ms from filtered_segment group by person_id
),
measured as (
  select person_id, plays, coalesce(watch_ms, 0) as watch_ms, active_days, last_seen,
    date_diff('day', first_day, today) + 1 as days, finished_share,
    greatest(0, 1 - date_diff('day', last_day, today) / 30) as freshness
  from started join active using (person_id) left join watched using (person_id), edge
)
select person_id, name as person, 50 * active_days / days + 30 * coalesce(finished_share, 0)
    + 20 * freshness as score, active_days / days as active_share, finished_share, freshness, plays,
  watch_ms, active_days, days, last_seen
from measured left join person using (person_id)
order by score desc, watch_ms desc, person_id
