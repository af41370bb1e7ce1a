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
-- column: percent double?: mean of how much of the title was seen
-- column: first_seen time?: first time in the period
-- column: last_seen time?: last time in the period
-- about: A play that went on at two places counts once at each; watch time is counted where it
-- about: happened. Addresses of the own network, relays and the like have no place and are rows of
-- about: their own by class; so are public addresses that no database knows. Plays without any
-- about: address, backfilled views among them, are the row without a class.
with seen as (
  select play_id, person_id, place_id, class, sum(window_ms)::bigint as watch_ms,
    min(started) as first_seen, max(ended) as last_seen
  from filtered_segment left join address using (address_id)
  group by all
),
all_seen as (
  select * from seen
  union all by name
  select play_id, person_id, null as place_id, null as class, 0 as watch_ms, started as first_seen,
    ended as last_seen
  from filtered_play where segments = 0
),
counted as (
  select s.place_id, case when s.place_id is null then s.class else 'public' end as class,
    count(distinct p.play_id) as plays, count(distinct s.person_id) as people,
    sum(s.watch_ms)::bigint as watch_ms, avg(p.percent) as percent,
    greatest(min(s.first_seen), any_value(from_at)) as first_seen,
    least(max(s.last_seen), any_value(to_at)) as last_seen
  from all_seen s left join filtered_play p using (play_id), filter_window
  group by all
)
select place_id, country_code, country, city, latitude, longitude, class, plays, people, watch_ms,
  percent, first_seen, last_seen
from counted left join place using (place_id)
order by watch_ms desc, plays desc, place_id nulls last, class nulls last
