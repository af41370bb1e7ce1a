-- title: When we were watching
-- question: When was each server really seen?
-- row: one stretch of one server in one state, cut to the period
-- column: server_id int: id
-- column: server text?: name
-- column: state text: connected, polling or blind
-- column: started time: when it began, or the period does
-- column: ended time?: when it ended, or the period does; null: still
-- column: duration_ms int: how long
-- column: why text?: what was said about it (administrators)
-- column: plays int: plays of this server that start in it
-- behind: server_ids={server_id}&start_date={_from}&end_date={_to}
-- about: connected: the server's own messages and polling; polling: asked regularly; blind: not seen,
-- about: so that what was watched in it is known only from the server's history, if at all. A
-- about: stretch that goes on counts up to now. Only the filter's period, servers and, for the plays,
-- about: everything else of it matter.
with cut as (
  select c.server_id, state, why, greatest(started, coalesce(from_at, started)) as started,
    case when ended is null and coalesce(to_at > $now::timestamp, true) then null
      else least(coalesce(ended, to_at), coalesce(to_at, ended)) end as ended
  from coverage c join filtered_server using (server_id), filter_window
  where coalesce(c.started < to_at, true) and coalesce(c.ended > from_at, true)
),
bounded as (
  select *, coalesce(ended, $now::timestamp) as until from cut
)
select server_id, v.name as server, state, started, ended,
  greatest(epoch_us(until) - epoch_us(started), 0) // 1000 as duration_ms,
  case when $sees_all then why end as why,
  strftime(b.started, '%Y-%m-%dT%H:%M:%S.%fZ') as _from,
  coalesce(strftime(b.ended, '%Y-%m-%dT%H:%M:%S.%fZ'), '') as _to,
  (select count(*) from filtered_play p where p.server_id = b.server_id and p.started >= b.started
    and p.started < b.until) as plays
from bounded b join server v using (server_id)
order by started, server_id
