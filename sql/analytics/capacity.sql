-- title: What the server must bear
-- question: How much goes on at once, at each hour of the week?
-- row: one hour of one day of the week; all 168 are there
-- shared: buckets bucket=day
-- column: weekday int: 0 Monday to 6 Sunday
-- column: hour int: 0 to 23, local
-- column: quarters int: quarters of an hour of the period that lie in it
-- column: streams_p95 int?: nineteen of twenty of them had no more streams at once; null: there are none
-- column: streams_peak int?: the most
-- column: transcodes_p95 int?: the same of transcoded streams
-- column: transcodes_peak int?: the most
-- column: upload_p95_kbps double?: the same of what was sent out of the own network, in kbit/s
-- column: upload_peak_kbps double?: the most
-- behind: none: what goes on at once is of no play alone
-- about: Of a quarter of an hour count the most streams at once in it (pauses too), and the mean bitrate
-- about: of what was sent; streams whose bitrate is not known count nothing there. Quarters without any
-- about: count as zero, from the first to the last play known. Out of the own network: as the server
-- about: said, else by the address (as in bandwidth). How it grows month by month is told by
-- about: concurrent-streams and bandwidth with bucket=month.
with levels as (
  select is_transcode, quarter, peak
  from (select is_transcode, grouping(is_transcode) as is_all,
      unnest(stream_quarters(started, ended, from_at, to_at), recursive := true)
    from (select started, ended, coalesce(transcode_decision = 'transcode', false) as is_transcode,
        from_at, to_at
      from filtered_segment left join quality using (quality_id), filter_window)
    group by grouping sets ((is_transcode), ()))
  where is_all = 1 or is_transcode
),
streams as (
  select quarter, max(peak) filter (is_transcode is null) as streams,
    max(peak) filter (is_transcode) as transcodes
  from levels
  group by quarter
),
sent as (
  select unnest(sent_quarters(started, ended, s.watch_ms, spans, from_at, to_at,
    stream_bitrate_kbps), recursive := true)
  from filtered_segment s left join address using (address_id), filter_window
  where case when location is not null then location <> 'lan'
    else class not in ('lan', 'loopback', 'link-local', 'ula', 'unknown') end
),
filled as (
  select local,
    coalesce(streams, 0) as streams, coalesce(transcodes, 0) as transcodes,
    coalesce(millibits, 0)::double / 900000000 as kbps
  from time_quarter q left join streams using (quarter) left join sent using (quarter)
),
counted as (
  select isodow(local) - 1 as weekday, hour(local) as hour, count(*) as quarters,
    quantile_disc(streams, 0.95) as streams_p95, max(streams) as streams_peak,
    quantile_disc(transcodes, 0.95) as transcodes_p95, max(transcodes) as transcodes_peak,
    quantile_disc(kbps, 0.95) as upload_p95_kbps, max(kbps) as upload_peak_kbps
  from filled
  group by all
)
select slot // 24 as weekday, slot % 24 as hour, coalesce(quarters, 0) as quarters, streams_p95,
  streams_peak, transcodes_p95, transcodes_peak, upload_p95_kbps, upload_peak_kbps
from range(168) slots(slot)
  left join counted on counted.weekday = slot // 24 and counted.hour = slot % 24
order by slot
