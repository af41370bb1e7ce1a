-- title: Libraries
-- question: What do the libraries hold, how do they grow, and how much of it is watched?
-- row: one library of one server; one more for what is in no library that is known
-- column: server_id int: id
-- column: server text?: name
-- column: library_id int?: id; null: not known
-- column: library text?: name
-- column: items int: films, episodes and tracks that are there now
-- column: size_bytes int: of their files, where the server tells
-- column: duration_ms int: of all of them
-- column: added int: items that came in the period
-- column: added_bytes int: the size of those
-- column: removed int: items found to be gone in the period
-- column: played_items int: items there now whose title was played on this server in the period
-- column: share_played double?: the share of them
-- column: plays int: plays that start in the period
-- column: watch_ms int: watch time in the period
-- behind: server_ids={server_id}&libraries={library_id}
-- about: What there is comes from the servers' own lists, read whole once a day; an item that is no
-- about: longer in them is gone. Where a server does not say which library a play was from (Jellyfin,
-- about: Emby), it is the one that its title is in. Of the filter, what belongs to plays alone
-- about: (people, devices, quality, places) narrows plays and watch time, not what there is. Who sees
-- about: some accounts only, sees of the libraries only what those have played.
with shelf as (
  select i.*, coalesce(added_at >= from_at, true) and coalesce(added_at < to_at, true)
      and added_at is not null as is_added,
    coalesce(removed_at >= from_at, true) and coalesce(removed_at < to_at, true)
      and removed_at is not null as is_removed
  from filtered_item i, filter_window
),
played as (
  select distinct server_id, title_id, true as is_played from filtered_play
),
held as (
  select server_id, library_id, count(*) filter (removed_at is null) as items,
    coalesce(sum(size_bytes) filter (removed_at is null), 0)::bigint as size_bytes,
    coalesce(sum(duration_ms) filter (removed_at is null), 0)::bigint as duration_ms,
    count(*) filter (is_added) as added,
    coalesce(sum(size_bytes) filter (is_added), 0)::bigint as added_bytes,
    count(*) filter (is_removed) as removed,
    count(*) filter (removed_at is null and is_played) as played_items
  from shelf left join played using (server_id, title_id)
  group by server_id, library_id
),
home as (
  select server_id, title_id, min(library_id) as home_id from shelf group by server_id, title_id
),
starts as (
  select p.server_id, coalesce(p.library_id, home_id) as library_id, count(*) as plays
  from filtered_play p left join home h on h.server_id = p.server_id and h.title_id = p.title_id
  group by all
),
time as (
  select s.server_id, coalesce(s.library_id, home_id) as library_id, sum(window_ms)::bigint as watch_ms
  from filtered_segment s left join home h on h.server_id = s.server_id and h.title_id = s.title_id
  group by all
),
summed as (
  select server_id, library_id, sum(items) as items, sum(size_bytes) as size_bytes,
    sum(duration_ms) as duration_ms, sum(added) as added, sum(added_bytes) as added_bytes,
    sum(removed) as removed, sum(played_items) as played_items, sum(plays) as plays,
    sum(watch_ms) as watch_ms
  from (from held union all by name from starts union all by name from time)
  where server_id is not null
  group by server_id, library_id
)
select server_id, v.name as server, library_id, l.name as library,
  coalesce(items, 0)::bigint as items, coalesce(size_bytes, 0)::bigint as size_bytes,
  coalesce(duration_ms, 0)::bigint as duration_ms, coalesce(added, 0)::bigint as added,
  coalesce(added_bytes, 0)::bigint as added_bytes, coalesce(removed, 0)::bigint as removed,
  coalesce(played_items, 0)::bigint as played_items, played_items / nullif(items, 0) as share_played,
  coalesce(plays, 0)::bigint as plays, coalesce(watch_ms, 0)::bigint as watch_ms
from summed left join server v using (server_id) left join (select library_id, name from library) l
  using (library_id)
order by size_bytes desc, server_id, library_id nulls last
