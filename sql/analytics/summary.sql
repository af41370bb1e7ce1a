-- title: In short
-- question: How much is watched here, by how many people?
-- row: the totals of the whole period
-- column: plays int: plays that start in it, backfilled views among them
-- column: watch_ms int: watch time inside it
-- column: people int: people with a play that starts in it
-- column: titles int: different titles of those plays
-- column: finished_share double?: share of plays that were watched to their end
-- column: views int: plays known from backfill only: one instant, no watch time
-- column: bytes int: data sent, where the stream's bitrate is known
-- column: first time?: start of the earliest play
-- column: last time?: start of the newest play
-- behind: all
-- about: Plays are counted where they start, watch time where it happens. A play is finished when
-- about: its position passed the watched threshold; the share is of plays that have ended and
-- about: whose position is known, without backfilled views. Data sent is the measured bitrate of
-- about: each stream times its watch time; streams without one count nothing.
with totals as (
  select count(*) as plays, count(distinct person_id) as people,
    count(distinct title_id) as titles,
    avg(is_watched::integer) filter (kind = 'play' and not is_open and percent is not null)
      as finished_share,
    count(*) filter (kind = 'view') as views, min(started) as first, max(started) as last
  from filtered_play
),
watched as (
  select coalesce(sum(window_ms), 0)::bigint as watch_ms,
    coalesce(sum(window_ms * stream_bitrate_kbps // 8), 0)::bigint as bytes
  from filtered_segment
)
select plays, watch_ms, people, titles, finished_share, views, bytes, first, last
from totals, watched
