-- title: Places on a part of the map
-- question: Who watches within these edges?
-- row: one place between the edges
-- shared: places
-- param: west = -180 (-180.0..180.0): in degrees; greater than east where the part crosses the 180th meridian
-- param: south = -90 (-90.0..90.0): in degrees
-- param: east = 180 (-180.0..180.0): in degrees
-- param: north = 90 (-90.0..90.0): in degrees
-- param: limit = 5000 (1..50000): most rows
-- column: place_id int: id
-- column: country_code text?: two letters
-- column: country text?: name
-- column: city text?: name
-- column: latitude double: degrees
-- column: longitude double: degrees
-- column: plays int: plays that start in the period and were seen there
-- column: people int: people who watched there
-- column: watch_ms int: watch time there
-- behind: places={place_id}
-- about: Only places with coordinates; a place on an edge is inside. Ordered by watch time, then plays.
select place_id, country_code, country, city, p.latitude, p.longitude, plays, people, watch_ms
from place_use join place p using (place_id)
where p.latitude between $south and $north
  and case when $west <= $east then p.longitude between $west and $east
    else p.longitude >= $west or p.longitude <= $east end
order by watch_ms desc, plays desc, place_id
limit $limit
