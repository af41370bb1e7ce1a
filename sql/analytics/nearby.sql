-- title: Places around a point
-- question: Who watches near here?
-- row: one place within the radius
-- shared: places
-- param: latitude = 0 (-90.0..90.0): of the point, in degrees
-- param: longitude = 0 (-180.0..180.0): of the point, in degrees
-- param: km = 100 (0.1..20100.0): radius
-- param: limit = 200 (1..10000): most rows
-- column: place_id int: id
-- column: country_code text?: two letters
-- column: country text?: name
-- column: city text?: name
-- column: latitude double: degrees
-- column: longitude double: degrees
-- column: km double: from the point, on the great circle
-- column: plays int: plays that start in the period and were seen there
-- column: people int: people who watched there
-- column: watch_ms int: watch time there
-- behind: places={place_id}
-- about: Only places with coordinates; those of an address are of its city, not of a house. The earth is
-- about: taken as a ball of 6371.0088 km. Ordered by distance.
with distant as (
  select place_id, country_code, country, city, p.latitude, p.longitude, plays, people, watch_ms,
    2 * 6371.0088 * asin(sqrt(least(1, pow(sin(radians(p.latitude - $latitude) / 2), 2)
      + cos(radians($latitude)) * cos(radians(p.latitude))
        * pow(sin(radians(p.longitude - $longitude) / 2), 2)))) as away
  from place_use join place p using (place_id)
  where p.latitude is not null and p.longitude is not null
)
select place_id, country_code, country, city, latitude, longitude, away as km, plays, people, watch_ms
from distant
where away <= $km
order by away, place_id
limit $limit
