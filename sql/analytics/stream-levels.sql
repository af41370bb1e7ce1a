-- title: How often so many at once
-- question: How much of the time do how many streams go on at once?
-- row: one number of streams at once, from none to the most there were; all between are there
-- shared: buckets bucket=day
-- param: of = all (all, transcode): all streams, or transcoded ones only
-- column: streams int: most streams at once in a quarter of an hour
-- column: duration_ms int: how long the quarters that had just so many last together
-- column: share double: of all the time
-- column: reached_share double: share of the quarters that had as many or more
-- behind: none: what goes on at once is of no play alone
-- about: Of a quarter of an hour counts the most streams at once in it (pauses too), as in capacity.
-- about: Quarters without any count as zero, from the first to the last play known.
with levels as (
  select unnest(stream_quarters(started, ended, from_at, to_at), recursive := true)
  from filtered_segment left join quality using (quality_id), filter_window
  where $of = 'all' or transcode_decision = 'transcode'
),
counted as (
  select coalesce(peak, 0) as streams, count(*) as quarters
  from time_quarter left join levels using (quarter)
  group by all
),
filled as (
  select level as streams, coalesce(quarters, 0) as quarters
  from (select unnest(range((select max(streams) from counted) + 1)) as level)
    left join counted on streams = level
)
select streams, (quarters * 900000)::bigint as duration_ms, quarters / sum(quarters) over () as share,
  sum(quarters) over (order by streams desc) / sum(quarters) over () as reached_share
from filled
order by streams
