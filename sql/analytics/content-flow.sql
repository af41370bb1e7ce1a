-- title: From season to season
-- question: How many people go on with the next season?
-- row: one season of one show that somebody has played
-- param: limit = 200 (1..5000): most rows
-- column: series text: the show
-- column: season int: its number
-- column: next_season int?: number of the next one that somebody has played; null: there is none
-- column: people int: people with a play of the season that starts in the period
-- column: went_on int?: of them with a play of the next season
-- column: went_on_share double?: share of people
-- column: plays int: plays of the season
-- behind: none: there is no filter on seasons
-- about: Shows are told apart by name. Season 0 (specials) and episodes without a season are left out, and
-- about: so are accounts that belong to nobody. The order in which the seasons are watched does not
-- about: matter. Shows are ordered by the people of their most watched season.
with played as (
  select grandparent_title as series, season, person_id, count(*) as plays
  from filtered_play join title using (title_id)
  where title.media_type = 'episode' and grandparent_title is not null and season > 0
    and person_id is not null
  group by all
),
seasons as (
  select series, season, count(*) as people, sum(plays)::bigint as plays,
    lead(season) over (partition by series order by season) as next_season
  from played
  group by series, season
),
flow as (
  select s.series, s.season, count(n.person_id) as went_on
  from seasons s join played p on p.series = s.series and p.season = s.season
    join played n on n.series = s.series and n.season = s.next_season and n.person_id = p.person_id
  group by all
)
select series, season, next_season, people,
  case when next_season is not null then coalesce(went_on, 0) end as went_on,
  case when next_season is not null then coalesce(went_on, 0) / people end as went_on_share, plays
from seasons left join flow using (series, season)
order by max(people) over (partition by series) desc, series, season
limit $limit
