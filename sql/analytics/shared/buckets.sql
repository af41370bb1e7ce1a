-- param: bucket = auto (auto, hour, day, week, month): size of a bucket; auto: by the length of the period
-- about: Buckets are of the time zone: a local hour that occurs twice is one bucket, one that is
-- about: skipped is empty. Weeks are ISO weeks and named by their Monday. Buckets without anything
-- about: are there too, from the first of the period (or of the data, where the period is open) to
-- about: now.
-- time_quarter: a quarter of an hour in which there may be something, its bucket, and when it begins in
-- the zone. Converting is slow; where the zone is as far from UTC at both ends of a day, it is in between.
-- time_bucket: every bucket, its name, and the instants it begins and ends at.
time_edge as (
  select *, (epoch_us(coalesce(from_at, data_first)) // 900000000) as first,
    greatest((epoch_us(data_last) - 1) // 900000000,
      least(epoch_us(to_at) - 1, epoch_us($now::timestamp)) // 900000000) as last
  from filter_window, filtered_edge, (
    select epoch_us(min(started)) // 900000000 as store_first,
      epoch_us(max(ended)) // 900000000 as store_last
    from play)
),
time_unit as (
  select case when $bucket <> 'auto' then $bucket when last - first <= 2 * 96 then 'hour'
      when last - first <= 93 * 96 then 'day' when last - first <= 731 * 96 then 'week'
      else 'month' end as unit
  from time_edge
),
time_range as (
  select unit, greatest(first, store_first) as first, least(last, store_last) as last
  from time_edge, time_unit
),
time_shift as (
  select day, shift, lead(shift) over (order by day) as next_shift
  from (select day, epoch_us(make_timestamptz(day * 86400000000) at time zone $tz) - day * 86400000000
        as shift
      from (select unnest(range((first + 96000000) // 96 - 1000000, (last + 96000000) // 96 - 999998))
          as day
        from time_range))
),
time_quarter as (
  select quarter, date_trunc(unit, local) as bucket, local
  from (select unit, quarter, case when shift = next_shift then make_timestamp(quarter * 900000000 + shift)
        else make_timestamptz(quarter * 900000000) at time zone $tz end as local
      from (select unit, unnest(range(first, last + 1)) as quarter from time_range)
        join time_shift on day = (quarter + 96000000) // 96 - 1000000)
),
time_bucket as (
  select bucket, case unit when 'hour' then strftime(bucket, '%Y-%m-%dT%H:%M')
      else strftime(bucket, '%Y-%m-%d') end as name,
    coalesce(greatest(make_timestamp(first * 900000000), from_at),
      timezone('UTC', timezone($tz, bucket))) as begins,
    coalesce(least(make_timestamp(last * 900000000), to_at),
      timezone('UTC', timezone($tz, bucket + step))) as ends,
    strftime(begins, '%Y-%m-%dT%H:%M:%S.%fZ') as from_text,
    strftime(ends, '%Y-%m-%dT%H:%M:%S.%fZ') as to_text
  from (select unit, ('1 ' || unit)::interval as step, unnest(generate_series(
        date_trunc(unit, make_timestamptz(first * 900000000) at time zone $tz),
        date_trunc(unit, make_timestamptz(last * 900000000) at time zone $tz),
        ('1 ' || unit)::interval)) as bucket
      from time_edge, time_unit)
    left join (select bucket, min(quarter) as first, max(quarter) + 1 as last from time_quarter
      group by bucket) using (bucket),
    filter_window
)
