-- title: Places
-- question: Where is watched?
-- row: one place, or one kind of address that has no place
-- column: place_id int?: null: no place is known
-- column: country_code text?: two letters
-- column: country text?: name
-- column: city text?: name
-- column: latitude double?: degrees
-- column: longitude double?: degrees
-- column: class text?: public, lan, relay and so on; null: no address is known
-- column: plays int: plays that start in the period and were seen there
-- column: people int: people who watched there
-- column: watch_ms int: watch time there
-- column: percent double?: mean of how far into the title a segment there came
-- column: first_seen time?: first time in the period
-- column: last_seen time?: last time in the period
-- about: A play that went on at two places counts once at each; watch time is counted where it
-- about: happened. Addresses of the own network, relays and the like have no place and are rows of
-- about: their own by class; so are public addresses that no database knows. Plays without any
-- about: address, backfilled views among them, are the row without a class.
with seen as (
  select place_id, class, person_id,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays,
    0 as watch_ms,
    avg(least(100.0 * position_ms / duration_ms, 100)) filter (position_ms >= 0 and duration_ms > 0)
      as percent,
    count(*) filter (position_ms >= 0 and duration_ms > 0) as told,
    min(started) as first_seen, max(ended) as last_seen
  from filtered_part left join address using (address_id)
  group by all
  union all
  select place_id, class, person_id, 0, sum(window_ms), null, 0,
    greatest(min(started), any_value(from_at)), max(ended)
  from filtered_segment left join address using (address_id), filter_window
  group by all
  union all
  select null, null, person_id, count(*), 0, null, 0, min(started), max(ended)
  from filtered_play where segments = 0
  group by person_id
),
counted as (
  select place_id, case when place_id is null then class else 'public' end as class,
    sum(plays)::bigint as plays, count(distinct person_id) as people,
    sum(watch_ms)::bigint as watch_ms, sum(percent * told) / nullif(sum(told), 0) as percent,
    min(first_seen) as first_seen, least(max(last_seen), any_value(to_at)) as last_seen
  from seen, filter_window
  group by all
)
select place_id, country_code, country, city, latitude, longitude, class, plays, people, watch_ms,
  percent, first_seen, last_seen
from counted left join place using (place_id)
order by watch_ms desc, plays desc, place_id nulls last, class nulls last
