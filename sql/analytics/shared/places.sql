-- about: A play that went on at two places counts once at each; watch time is counted where it
-- about: happened.
-- place_use: one row a place, or a kind of address that has none, with what was watched there.
place_seen as (
  select place_id, class, person_id,
    count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone) as plays,
    0 as watch_ms,
    -- In whole millionths: sums of fractions depend on the order in which threads come to them.
    sum(round(least(1e6 * position_ms / duration_ms, 1e6))::bigint)
      filter (position_ms >= 0 and duration_ms > 0) as told_ppm,
    count(*) filter (position_ms >= 0 and duration_ms > 0) as told,
    min(started) as first_seen, max(ended) as last_seen
  from filtered_part left join address using (address_id)
  group by all
  union all
  select place_id, class, person_id, 0, sum(window_ms), null, 0,
    greatest(min(started), any_value(from_at)), max(ended)
  from filtered_segment left join address using (address_id), filter_window
  group by all
  union all
  select null, null, person_id, count(*), 0, null, 0, min(started), max(ended)
  from filtered_play where segments = 0
  group by person_id
),
place_use as (
  select place_id, case when place_id is null then class else 'public' end as class,
    sum(plays)::bigint as plays, count(distinct person_id) as people,
    sum(watch_ms)::bigint as watch_ms, sum(told_ppm) / 1e4 / nullif(sum(told), 0) as percent,
    min(first_seen) as first_seen, least(max(last_seen), any_value(to_at)) as last_seen
  from place_seen, filter_window
  group by all
)
