-- title: Ways of the streams
-- question: Which server reaches which places, and how far?
-- row: one place that one server sent to
-- column: server_id int: id
-- column: server text?: name
-- column: server_latitude double: degrees
-- column: server_longitude double: degrees
-- column: place_id int: id
-- column: city text?: name
-- column: country_code text?: two letters
-- column: country text?: name
-- column: latitude double: degrees
-- column: longitude double: degrees
-- column: km double: length of the great circle
-- column: plays int: plays that start in the period and were seen there
-- column: people int: people who watched there
-- column: watch_ms int: watch time there
-- behind: server_ids={server_id}&places={place_id}
-- about: Only servers whose place is known (SERVER_LATITUDE and SERVER_LONGITUDE, or their public
-- about: address) and places with coordinates. The earth is taken as a ball of 6371.0088 km.
with seen as (
  select server_id, place_id, person_id,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays, 0 as watch_ms
  from filtered_part join address using (address_id)
  where place_id is not null
  group by all
  union all
  select server_id, place_id, person_id, 0, sum(window_ms)
  from filtered_segment join address using (address_id)
  where place_id is not null
  group by all
),
counted as (
  select server_id, place_id, sum(plays)::bigint as plays, count(distinct person_id) as people,
    sum(watch_ms)::bigint as watch_ms
  from seen
  group by all
)
select server_id, v.name as server, v.latitude as server_latitude,
  v.longitude as server_longitude, place_id, city, country_code, country, p.latitude, p.longitude,
  2 * 6371.0088 * asin(sqrt(least(1, pow(sin(radians(p.latitude - v.latitude) / 2), 2)
    + cos(radians(v.latitude)) * cos(radians(p.latitude))
      * pow(sin(radians(p.longitude - v.longitude) / 2), 2)))) as km,
  plays, people, watch_ms
from counted join server v using (server_id) join place p using (place_id)
where v.latitude is not null and v.longitude is not null and p.latitude is not null
  and p.longitude is not null
order by watch_ms desc, plays desc, server_id, place_id
