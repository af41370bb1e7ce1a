-- about: A party is plays of one title by two people or more, each starting at most 15 minutes after the
-- about: one before and while one of them still goes on; each counts once. Accounts that belong to
-- about: nobody and backfilled views are in none.
-- party_play: a play that is in a party; party: its number, the id of its first play.
party_start as (
  select play_id, title_id, person_id, started, ended, watch_ms,
    coalesce(started - lag(started) over near > interval 15 minute, true) as is_first,
    coalesce(lead(started) over near - started > interval 15 minute, true) as is_last
  from filtered_play
  where kind = 'play' and person_id is not null
  window near as (partition by title_id order by started, play_id)
),
party_near as ( -- those that nobody is near are most and go at once
  select *, sum(is_first::integer) over (partition by title_id order by started, play_id
      rows unbounded preceding) as near
  from party_start
  where not (is_first and is_last)
),
party_close as (
  select * from party_near
  qualify count(*) over (partition by title_id, near) > 1
),
party_group as (
  select * exclude (is_first, is_last), sum(is_begun::integer) over (partition by title_id, near order by started, play_id
      rows unbounded preceding) as own
  from (select *, coalesce(started >= max(ended) over (partition by title_id, near
          order by started, play_id rows between unbounded preceding and 1 preceding), true)
        as is_begun
      from party_close)
),
party_play as (
  select *, first_value(play_id) over (partition by title_id, near, own
      order by started, play_id) as party
  from party_group
  qualify min(person_id) over (partition by title_id, near, own)
    <> max(person_id) over (partition by title_id, near, own)
)
