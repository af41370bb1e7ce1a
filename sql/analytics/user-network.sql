-- title: Who watches alike
-- question: Which people watch the same things, and together?
-- row: one pair of people who share a title
-- shared: parties
-- param: people = 50 (2..100): the people with the most plays, of whom pairs are made
-- param: least_overlap = 0.2 (0.0..1.0): from which overlap on two people are linked
-- param: limit = 200 (1..5000): most rows
-- column: person_id int: id
-- column: person text?: name
-- column: other_id int: id of the other; the greater one
-- column: other text?: name of the other
-- column: shared_titles int: titles that both have played
-- column: overlap double: shared titles in all that either has played
-- column: parties int: parties that both were in
-- column: is_linked bool: whether the overlap is large enough, or there was a party
-- column: cluster int?: number of the group of linked people that both are in; null: they are not in one
-- behind: among: users={_users}: all plays of the two are told, not only those of titles that they share
-- about: The overlap is the Jaccard index of their titles in the period. People who are linked, directly
-- about: or through others, are one group; groups are numbered from the one with the least id on.
-- about: Accounts that belong to nobody are left out. Ordered by overlap, then shared titles. The plays
-- about: behind a row are all of the two.
with recursive chosen as (
  select person_id, count(*) as plays
  from filtered_play
  where person_id is not null
  group by person_id
  order by plays desc, person_id
  limit $people
),
seen as (
  select distinct person_id, title_id from filtered_play semi join chosen using (person_id)
),
sizes as (
  select person_id, count(*) as titles from seen group by person_id
),
shared as (
  select a.person_id as a, b.person_id as b, count(*) as titles
  from seen a join seen b on a.title_id = b.title_id and a.person_id < b.person_id
  group by all
),
together as (
  select p.person_id as a, q.person_id as b, count(distinct p.party) as parties
  from party_play p join party_play q on p.party = q.party and p.person_id < q.person_id
  group by all
),
pairs as (
  select s.a, s.b, s.titles, s.titles / (x.titles + y.titles - s.titles) as overlap,
    coalesce(parties, 0) as parties
  from shared s join sizes x on x.person_id = s.a join sizes y on y.person_id = s.b
    left join together t on t.a = s.a and t.b = s.b
),
links as (
  select unnest([{'a': a, 'b': b}, {'a': b, 'b': a}], recursive := true)
  from pairs
  where overlap >= $least_overlap or parties > 0
),
reached as (
  select person_id, person_id as other from chosen
  union
  select r.person_id, l.b from reached r join links l on l.a = r.other
),
groups as (
  select person_id, dense_rank() over (order by first) as number
  from (select person_id, min(other) as first from reached group by person_id)
)
select a as person_id, p.name as person, b as other_id, q.name as other, titles as shared_titles, overlap,
  parties, overlap >= $least_overlap or parties > 0 as is_linked,
  case when x.number = y.number then x.number end as cluster, a || ',' || b as _users
from pairs left join person p on p.person_id = a left join person q on q.person_id = b
  join groups x on x.person_id = a join groups y on y.person_id = b
order by overlap desc, titles desc, a, b
limit $limit
