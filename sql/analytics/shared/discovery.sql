-- `discovery`: one row a title that came in the period: title_id, added_at, first_play (null: never),
-- and days until it was first played, or for which it was there without being so. A title that was
-- played before it came is no discovery: it was known, and its file was put there anew.
came as (
  select title_id, min(added_at) as added_at,
    case when bool_and(removed_at is not null) then max(removed_at) end as gone_at
  from filtered_item
  where added_at is not null
  group by title_id
),
opened as (
  select title_id, min(started) as first_play from filtered_ever group by title_id
),
discovery as (
  select title_id, added_at, first_play, greatest(0, epoch_us(coalesce(first_play,
    least(gone_at, $now::timestamp), $now::timestamp)) - epoch_us(added_at)) / 86400000000 as days
  from came left join opened using (title_id), filter_window
  where coalesce(added_at >= from_at, true) and coalesce(added_at < to_at, true)
    and coalesce(first_play >= added_at, true)
)
