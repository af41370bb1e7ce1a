-- title: Countries, regions and cities
-- question: In which countries and cities is watched?
-- row: one country, region or city
-- param: of = country (country, region, city): what is told apart
-- param: limit = 500 (1..10000): most rows
-- also: countries = country (Countries): In which countries is watched?
-- also: cities = city (Cities): In which cities is watched?
-- column: country_code text?: two letters
-- column: country text?: name; null: not known
-- column: region text?: name, for regions and cities
-- column: city text?: name, for cities; null: not known
-- column: latitude double?: mean of the places of this name, for cities
-- column: longitude double?: mean of the places of this name, for cities
-- column: plays int: plays that start in the period and were seen there
-- column: people int: people who watched there
-- column: watch_ms int: watch time there
-- column: share double?: of the watch time whose country (region, city) is known
-- behind: countries={_countries}&places={_places}
-- about: A play that went on in two counts once in each; watch time is counted where it happened. Cities
-- about: are told apart by region and country. Addresses that have no place, of the own network for
-- about: example, are under unknown, with the plays of no address. Ordered by watch time, then plays.
with named as (
  select address_id, country_code, country, case when $of <> 'country' then region end as region,
    case when $of = 'city' then city end as city
  from address join place using (place_id)
),
seen as (
  select country_code, country, region, city, person_id,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays, 0 as watch_ms
  from filtered_part left join named using (address_id)
  group by all
  union all
  select country_code, country, region, city, person_id, 0, sum(window_ms)
  from filtered_segment left join named using (address_id)
  group by all
  union all
  select null, null, null, null, person_id, count(*), 0
  from filtered_play
  where segments = 0
  group by person_id
),
counted as (
  select country_code, country, region, city, sum(plays)::bigint as plays,
    count(distinct person_id) as people, sum(watch_ms)::bigint as watch_ms,
    case $of when 'country' then coalesce(country, country_code) is not null
      when 'region' then region is not null else city is not null end as is_known
  from seen
  group by country_code, country, region, city
),
-- The places of a region or city, as the filter takes them.
within as (
  select country_code, country, region, case when $of = 'city' then city end as city,
    avg(latitude) as latitude, avg(longitude) as longitude, count(*) as places,
    string_agg(place_id::varchar, ',' order by place_id) as ids
  from place
  where $of <> 'country'
  group by all
)
select c.country_code, c.country, c.region, c.city, case when c.city is not null then latitude end as latitude,
  case when c.city is not null then longitude end as longitude, plays, people, watch_ms,
  case when is_known then watch_ms / nullif(sum(watch_ms) filter (is_known) over (), 0) end as share,
  case when $of <> 'country' then ''
    else coalesce(replace(replace(coalesce(c.country, c.country_code), '\', '\\'), ',', '\,'), 'unknown') end
    as _countries,
  case when $of = 'country' then '' when coalesce(c.country_code, c.country, c.region, c.city) is null
    then concat_ws(',', ids, 'unknown') else ids end as _places,
  coalesce(places, 0) <= 200 as _has_behind -- a list of the filter has no more
from counted c left join within w on w.city is not distinct from c.city
  and w.country_code is not distinct from c.country_code
  and w.country is not distinct from c.country and w.region is not distinct from c.region
order by watch_ms desc, plays desc, c.country_code nulls last, c.region nulls last, c.city nulls last
limit $limit
