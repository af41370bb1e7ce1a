-- title: People
-- question: Who watches how much?
-- row: one person with a play or watch time in the period
-- column: person_id int?: null: accounts that belong to nobody
-- column: person text?: name
-- column: plays int: plays that start in it
-- column: watch_ms int: watch time inside it
-- column: titles int: different titles
-- column: finished_share double?: share of plays watched to their end, of those where it can be told
-- column: devices int: different devices
-- column: places int: different places, unknown ones not counted
-- column: last_seen time?: when they last watched in the period
-- behind: users={person_id}
-- about: People are merged from accounts. Plays are counted where they start, watch time where it
-- about: happens. The finished share is of plays that have ended and whose position is known,
-- about: without backfilled views. Ordered by watch time, then plays, then person.
with started as (
  select person_id, count(*) as plays, distinct_ids(title_id) as titles,
    avg(is_watched::integer) filter (kind = 'play' and not is_open and percent is not null)
      as finished_share,
    max(coalesce(ended, started)) as last_play
  from filtered_play
  group by person_id
),
watched as (
  select person_id, sum(window_ms)::bigint as watch_ms, distinct_ids(device_id) as devices,
    distinct_ids(place_id) as places,
    max(least(ended, coalesce(to_at, ended))) filter (window_ms > 0) as last_watch
  from filtered_segment left join address using (address_id), filter_window
  group by person_id
)
select person_id, name as person, coalesce(plays, 0) as plays, coalesce(watch_ms, 0) as watch_ms,
  coalesce(titles, 0) as titles, finished_share, coalesce(devices, 0) as devices,
  coalesce(places, 0) as places, greatest(last_play, last_watch) as last_seen
from (select coalesce(s.person_id, w.person_id) as person_id, s.* exclude (person_id),
    w.* exclude (person_id)
  from started s full join watched w on s.person_id is not distinct from w.person_id) merged
  left join person using (person_id)
order by watch_ms desc, plays desc, person_id nulls last
