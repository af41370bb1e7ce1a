-- title: Streams at once
-- question: How many streams go on at the same time?
-- row: one bucket of time and decision, and one of all together
-- shared: buckets
-- column: bucket text: its first local hour (2026-01-31T13:00) or day (2026-01-31)
-- column: decision text?: all, direct play, copy, transcode or what the server said; null: unknown
-- column: peak int: most streams at once
-- column: peak_at time?: the first instant at which there were as many; null where there were none
-- column: mean double: streams on the average of the bucket's time
-- column: stream_ms int: time of all streams together
-- behind: none: what goes on at once is of no play alone
-- about: A stream lasts from the beginning of its segment to its end, pauses too, and is half open: one
-- about: that ends as the next begins is not beside it. The peak is exact. The peaks of decisions do
-- about: not add up to the peak of all, as they may be at other times; their means do. The mean is
-- about: over the part of the bucket that lies in the period (open: from the first play asked about)
-- about: and between the first and the last known play. Backfilled views have no length and are not streams.
with levels as (
  select case when is_all = 1 then 'all' else decision end as decision, quarter, peak, peak_at,
    stream_us
  from (select decision, grouping(decision) as is_all,
      unnest(stream_quarters(started, ended, from_at, to_at), recursive := true)
    from (select started, ended, transcode_decision as decision, from_at, to_at
      from filtered_segment left join quality using (quality_id), filter_window)
    group by grouping sets ((decision), ()))
),
counted as (
  select bucket, decision, max({'peak': peak, 'at': -peak_at}) as most,
    sum(stream_us)::bigint as stream_us
  from levels join time_quarter using (quarter)
  group by all
),
decisions as (
  select distinct decision from levels
)
select name as bucket, d.decision, coalesce(most.peak, 0) as peak,
  make_timestamp(-most.at) as peak_at,
  coalesce(stream_us / (epoch_us(ends) - epoch_us(begins)), 0) as mean,
  coalesce(stream_us, 0) // 1000 as stream_ms
from time_bucket t cross join decisions d
  left join counted c on c.bucket = t.bucket and c.decision is not distinct from d.decision
order by t.bucket, d.decision = 'all' desc, d.decision nulls last
