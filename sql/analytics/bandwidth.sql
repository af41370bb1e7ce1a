-- title: Bandwidth
-- question: How much is sent, and how much at once?
-- row: one bucket of time (or hour of the day) and network, and one of all networks together
-- shared: buckets
-- param: by = bucket (bucket, hour): buckets of time, or hours of the day
-- column: slot text: the bucket's first local hour or day, or the hour from 00 to 23
-- column: network text?: all, lan or wan; null: not known
-- column: bytes int: sent in it
-- column: p50_kbps double?: half of its quarters of an hour had no more, in kbit/s; null: it has none
-- column: p95_kbps double?: nineteen of twenty of its quarters had no more
-- column: peak_kbps double?: the most of a quarter
-- column: unknown_ms int: watch time in it whose bitrate is not known, and which is not in the other figures
-- behind: none: what all streams need together is of no play alone
-- about: What was sent is the measured bitrate of each stream times its watch time, where that
-- about: happened; none is guessed from a resolution. A quarter of an hour has the mean of its 15
-- about: minutes; quarters in which nothing was sent count, as zero, from the first to the last play
-- about: known. The p95s of networks do not add up to that of all. Network: as the server said, else by
-- about: the address (home, loopback and link-local addresses are lan; public ones, relays and
-- about: tunnels wan).
with routed as not materialized (
  select started, ended, s.watch_ms, spans, from_at, to_at, stream_bitrate_kbps as kbps,
    case when location = 'lan' then 'lan' when location is not null then 'wan'
      when class in ('lan', 'loopback', 'link-local', 'ula') then 'lan'
      when class <> 'unknown' then 'wan' end as network
  from filtered_segment s left join address using (address_id), filter_window
),
sent as (
  select network, unnest(sent_quarters(started, ended, watch_ms, spans, from_at, to_at, kbps),
    recursive := true)
  from routed
  where kbps is not null
  group by network
),
unmeasured as (
  select network, unnest(watch_quarters(started, ended, watch_ms, spans, from_at, to_at),
    recursive := true)
  from routed
  where kbps is null
  group by network
),
loads as (
  select network, quarter, millibits, 0 as unknown_us from sent
  union all
  select 'all', quarter, sum(millibits), 0 from sent group by quarter
  union all
  select network, quarter, 0, watch_us from unmeasured
  union all
  select 'all', quarter, 0, sum(watch_us) from unmeasured group by quarter
),
slots as (
  select quarter, case $by when 'hour'
      then strftime(local, '%H') else name end as slot
  from time_quarter join time_bucket using (bucket)
),
networks as (
  select distinct network from loads
),
filled as (
  select slot, network, sum(millibits)::double as millibits, sum(unknown_us) as unknown_us
  from (select quarter, network, millibits, unknown_us from loads
      union all
      select quarter, network, 0, 0 from slots cross join networks) join slots using (quarter)
  group by slot, quarter, network
),
counted as (
  select slot, network, ((sum(millibits::hugeint) + 4000) // 8000)::bigint as bytes,
    quantile_disc(millibits, [0.5, 0.95]) as shares, max(millibits) as most,
    sum(unknown_us)::bigint // 1000 as unknown_ms
  from filled
  group by slot, network
),
all_slots as (
  select name as slot from time_bucket where $by = 'bucket'
  union all
  select lpad(hour::varchar, 2, '0') from range(24) hours(hour) where $by = 'hour'
)
select a.slot, n.network, coalesce(bytes, 0) as bytes, shares[1] / 900000000 as p50_kbps,
  shares[2] / 900000000 as p95_kbps, most / 900000000 as peak_kbps,
  coalesce(unknown_ms, 0) as unknown_ms
from all_slots a cross join networks n
  left join counted c on c.slot = a.slot and c.network is not distinct from n.network
order by a.slot, n.network = 'all' desc, n.network nulls last
