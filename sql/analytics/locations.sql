-- title: Places
-- question: Where is watched?
-- row: one place, or one kind of address that has no place
-- shared: places
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
-- column: percent double?: mean of how far into the title a segment there came, each to a millionth
-- column: first_seen time?: first time in the period
-- column: last_seen time?: last time in the period
-- behind: places={place_id}
-- about: Addresses of the own network, relays and the like have no place and are rows of
-- about: their own by class; so are public addresses that no database knows. Plays without any
-- about: address, backfilled views among them, are the row without a class. The plays behind a row can be
-- about: told where it has a place.
select place_id, country_code, country, city, latitude, longitude, class, plays, people, watch_ms,
  percent, first_seen, last_seen, place_id is not null as _has_behind
from place_use left join place using (place_id)
order by watch_ms desc, plays desc, place_id nulls last, class nulls last
