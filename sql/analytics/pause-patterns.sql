-- title: Where people pause
-- question: At which point of a title do people pause, and for how long?
-- row: one twentieth of the title; all are there
-- column: from_percent int?: 0 to 95: where it begins; null: the position is not known
-- column: pauses int: pauses that begin in the period and in it
-- column: people int: people who paused there
-- column: paused_ms int: how long in all
-- column: median_ms double?: how long half of them were at most; null: there were none
-- behind: none: pauses are counted, and there is no filter on where a play was paused
-- about: Pauses are known of plays that we saw ourselves; an import tells how long was paused in all,
-- about: not when. A pause lasts to the next state seen, or to the end of its segment. It may be that
-- about: somebody stops for good: the last pause of a title counts like any other.
with states as (
  select o.segment_id, o.observation_id, o.first_at, o.first_position_ms, state = 'paused' as is_paused,
    s.ended, s.duration_ms, s.person_id
  from observation o join filtered_segment s using (segment_id)
),
turns as (
  select *
  from (select *, lag(is_paused) over of_segment as was_paused,
        arg_min(first_at, observation_id) filter (is_paused is distinct from true) over (of_segment
          rows between 1 following and unbounded following) as until
      from states
      window of_segment as (partition by segment_id order by observation_id))
  where is_paused and was_paused is distinct from true
),
pauses as (
  select case when first_position_ms >= 0 and duration_ms > 0
      then least(first_position_ms * 20 // duration_ms, 19) * 5 end as from_percent, person_id,
    greatest(epoch_us(coalesce(until, ended)) - epoch_us(first_at), 0) // 1000 as paused_ms
  from turns, filter_window
  where coalesce(first_at >= from_at, true) and coalesce(first_at < to_at, true)
),
steps as (
  select step * 5 as from_percent from range(20) steps(step)
  union all
  select null
)
select s.from_percent, count(p.paused_ms) as pauses, count(distinct person_id) as people,
  coalesce(sum(p.paused_ms), 0)::bigint as paused_ms,
  quantile_disc(p.paused_ms, 0.5)::double as median_ms
from steps s left join pauses p on p.from_percent is not distinct from s.from_percent
group by s.from_percent
order by s.from_percent nulls last
