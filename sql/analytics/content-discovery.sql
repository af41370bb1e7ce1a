-- title: Found by somebody
-- question: How long does what is added wait until somebody plays it?
-- row: one title that came in the period
-- shared: discovery
-- param: limit = 100 (1..10000): most rows
-- column: title_id int: identity of the title
-- column: title text: full title
-- column: media_type text: movie, episode or track
-- column: year int?: of the title
-- column: added_at time: when it came, on the server where it came first
-- column: first_play time?: when it was first played; null: not yet
-- column: days double: from coming to its first play, or for which it has been there without
-- column: is_waiting bool: not played yet: it may be at any time, so that days are at least as many
-- behind: among: titles={title_id}: only the first of them is told, at whatever time it was
-- about: A title that nobody has played is not left out, nor is it one that took as many days as it has
-- about: waited: it is censored, and marked so. The share played within so many days, which counts both
-- about: rightly (Kaplan-Meier), is the query discovery-curve. Waiting ends where a title is gone from
-- about: all servers. What was played before it came is left out: it was known already. Plays count at
-- about: any time, the period is that of coming; of the filter, what belongs to plays alone (people,
-- about: devices, quality, places) says whose first play it is. Newest first.
select title_id, full_title as title, media_type, year, added_at, first_play, days,
  first_play is null as is_waiting
from discovery join title using (title_id)
order by added_at desc, title_id
limit $limit
