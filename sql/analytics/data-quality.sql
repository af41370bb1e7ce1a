-- title: How good the data is
-- question: What do we not know, or not believe?
-- row: one field of one server's plays
-- short: include
-- column: server_id int: id
-- column: server text?: name
-- column: field text: what is looked at
-- column: rows int: plays or segments looked at
-- column: missing int: without a value
-- column: invalid int: with a value that cannot be
-- column: duplicate int: there more than once
-- column: orphaned int: that point at something that is not there
-- column: missing_share double?: share without a value
-- behind: among: server_ids={server_id}&short=include: all plays of the server are told, not only those with the fault
-- about: Each figure is counted, none estimated. Fields of the play: person, library, year, duration,
-- about: position, time (an end before its start, or more watch time than time), play (the same
-- about: account, title and start twice). Fields of the segment: player, platform, decision,
-- about: resolution, bandwidth, address, place (missing only where the address is public).
-- about: Backfilled views have no segments and are counted with the play's fields only. Short plays
-- about: count, too.
with plays as (
  select p.*, a.account_id is null and p.account_id is not null as has_no_account,
    t.title_id is null as has_no_title, t.year,
    l.library_id is null and p.library_id is not null as has_no_library
  from filtered_play p left join account a using (account_id) left join title t using (title_id)
    left join library l on l.library_id = p.library_id
),
of_plays as (
  select server_id, unnest([
    {'field': 'person', 'rows': count(*), 'missing': count(*) filter (person_id is null),
      'invalid': 0, 'duplicate': 0, 'orphaned': count(*) filter (has_no_account)},
    {'field': 'title', 'rows': count(*), 'missing': count(*) filter (title_id is null),
      'invalid': 0, 'duplicate': 0,
      'orphaned': count(*) filter (has_no_title and title_id is not null)},
    {'field': 'library', 'rows': count(*), 'missing': count(*) filter (library_id is null),
      'invalid': 0, 'duplicate': 0, 'orphaned': count(*) filter (has_no_library)},
    {'field': 'year', 'rows': count(*) filter (media_type = 'movie'),
      'missing': count(*) filter (media_type = 'movie' and year is null),
      'invalid': count(*) filter (media_type = 'movie' and year not between 1870 and 2200),
      'duplicate': 0, 'orphaned': 0},
    {'field': 'duration', 'rows': count(*), 'missing': count(*) filter (duration_ms is null),
      'invalid': count(*) filter (duration_ms <= 0), 'duplicate': 0, 'orphaned': 0},
    {'field': 'position', 'rows': count(*), 'missing': count(*) filter (position_ms is null),
      'invalid': count(*) filter (position_ms < 0 or percent > 101), 'duplicate': 0, 'orphaned': 0},
    {'field': 'time', 'rows': count(*), 'missing': count(*) filter (started is null or ended is null),
      'invalid': count(*) filter (ended < started
        or watch_ms > (epoch_us(ended) - epoch_us(started)) // 1000 + 1000),
      'duplicate': 0, 'orphaned': 0},
    {'field': 'play', 'rows': count(*), 'missing': 0, 'invalid': 0,
      'duplicate': count(*) - count(distinct hash(account_id, title_id, started)), 'orphaned': 0}], recursive := true)
  from plays
  group by server_id
),
segments as (
  select s.*, d.device_id is null and s.device_id is not null as has_no_device, player, platform,
    q.quality_id is null and s.quality_id is not null as has_no_quality, transcode_decision,
    video_resolution, x.address_id is null and s.address_id is not null as has_no_address, class,
    place_id, play_id not in (select play_id from play) as has_no_play
  from filtered_segment s left join device d using (device_id) left join quality q using (quality_id)
    left join address x on x.address_id = s.address_id
),
of_segments as (
  select server_id, unnest([
    {'field': 'segment', 'rows': count(*), 'missing': count(*) filter (play_id is null),
      'invalid': count(*) filter (ended < started), 'duplicate': 0,
      'orphaned': count(*) filter (has_no_play)},
    {'field': 'player', 'rows': count(*), 'missing': count(*) filter (player is null),
      'invalid': 0, 'duplicate': 0, 'orphaned': count(*) filter (has_no_device)},
    {'field': 'platform', 'rows': count(*), 'missing': count(*) filter (platform is null),
      'invalid': 0, 'duplicate': 0, 'orphaned': count(*) filter (has_no_device)},
    {'field': 'decision', 'rows': count(*), 'missing': count(*) filter (transcode_decision is null),
      'invalid': count(*) filter (transcode_decision not in ('direct play', 'copy', 'transcode')),
      'duplicate': 0, 'orphaned': count(*) filter (has_no_quality)},
    {'field': 'resolution', 'rows': count(*) filter (media_type <> 'track'),
      'missing': count(*) filter (media_type <> 'track' and video_resolution is null), 'invalid': 0,
      'duplicate': 0, 'orphaned': count(*) filter (media_type <> 'track' and has_no_quality)},
    {'field': 'bandwidth', 'rows': count(*), 'missing': count(*) filter (bandwidth_kbps is null),
      'invalid': count(*) filter (bandwidth_kbps <= 0), 'duplicate': 0, 'orphaned': 0},
    {'field': 'address', 'rows': count(*), 'missing': count(*) filter (address_id is null),
      'invalid': count(*) filter (class = 'unknown'), 'duplicate': 0,
      'orphaned': count(*) filter (has_no_address)},
    {'field': 'place', 'rows': count(*) filter (class = 'public'),
      'missing': count(*) filter (class = 'public' and place_id is null), 'invalid': 0,
      'duplicate': 0, 'orphaned': 0}], recursive := true)
  from segments
  group by server_id
)
select server_id, v.name as server, field, rows, missing, invalid, duplicate, orphaned,
  missing / nullif(rows, 0) as missing_share
from (from of_plays union all from of_segments) left join server v using (server_id)
order by server_id, field
