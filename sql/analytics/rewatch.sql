-- title: Watched again
-- question: What is watched more than once?
-- row: one title that somebody has finished more than once in the period
-- param: limit = 10 (1..1000): most rows
-- column: title_id int: identity of the title
-- column: title text: full title
-- column: media_type text: movie, episode, track or live
-- column: year int?: of the title
-- column: people int: people who have finished it more than once
-- column: plays int: plays that those people have finished
-- behind: among: titles={title_id}: all plays of the title are told, not only those to the end by people who have more than one
-- about: A play is finished when it is watched (85 % of the title, or its first credits marker);
-- about: what Plex itself notes as watched counts, too. Resuming is not watching again: a title taken
-- about: up again within a day is the same play. Accounts that belong to nobody are left out, since
-- about: it cannot be told whether two of their plays are one person's. Ordered by people, then plays,
-- about: then title.
with finished as (
  select title_id, person_id, count(*) as plays
  from filtered_play
  where is_watched and person_id is not null
  group by title_id, person_id
),
again as (
  select title_id, count(*) as people, sum(plays)::bigint as plays
  from finished
  where plays > 1
  group by title_id
)
select title_id, full_title as title, media_type, year, people, plays
from again join title using (title_id)
order by people desc, plays desc, title, title_id
limit $limit
