-- title: Watching together
-- question: What do people watch at the same time?
-- row: one party, or with by=title the parties of one title
-- shared: parties
-- param: by = party (party, title): what is told apart
-- param: limit = 100 (1..1000): most rows
-- column: started time: when the first one began
-- column: title_id int: identity of the title
-- column: title text?: full title
-- column: media_type text?: movie, episode, track or live
-- column: names text?: who, by name, with commas between
-- column: parties int: how many
-- column: people int: how many different people
-- column: plays int: how many plays
-- column: watch_ms int: their watch time
-- column: same_address bool?: whether all were at one address; null: not known of somebody
-- column: ended time: when the last one ended
-- behind: among: titles={title_id}: all plays of the title are told, also those of no party
-- about: The address is that of each play's first segment; with by=title it is one address when each of
-- about: its parties was at one. Parties are ordered by the newest; titles by parties, then people.
with addressed as (
  select p.*, s.address_id
  from party_play p left join segment s on s.play_id = p.play_id and s.started = p.started
),
parties as (
  select party, title_id, count(distinct play_id) as plays, min(started) as started,
    max(ended) as ended, case when count(*) = count(address_id)
      then count(distinct address_id) = 1 end as same_address
  from addressed
  group by party, title_id
),
people as (
  select party, title_id, person_id, sum(watch_ms)::bigint as watch_ms
  from party_play
  group by all
),
told as (
  select title_id, case when $by = 'party' then party end as own, count(*) as parties,
    sum(plays)::bigint as plays, min(started) as started, max(ended) as ended,
    case when count(same_address) = count(*) then bool_and(same_address) end as same_address
  from parties
  group by all
),
present as (
  select title_id, case when $by = 'party' then party end as own,
    string_agg(distinct name, ', ' order by name) as names, count(distinct person_id) as people,
    sum(watch_ms)::bigint as watch_ms
  from people left join person using (person_id)
  group by all
)
select started, t.title_id, full_title as title, media_type, names, parties, people, plays, watch_ms,
  same_address, ended
from told t join present p on p.title_id = t.title_id and p.own is not distinct from t.own
  left join title on title.title_id = t.title_id
order by case when $by = 'party' then started end desc, parties desc, people desc, title, t.title_id,
  t.own
limit $limit
