-- title: Sketches beside exact figures
-- question: How far off are sketches, and what do they save?
-- row: one figure, or one percentile of one
-- param: of = all (all, people, accounts, titles, devices, platforms, players, addresses, watch_ms, paused_ms, percent): which figure
-- param: method = both (both, sketch, exact): what is worked out; the other column is null
-- also: approximate/distinct = people, accounts, titles, devices, platforms, players, addresses (Sketched counts): How many different ones are there, by sketch and exactly?
-- also: approximate/percentile = watch_ms, paused_ms, percent (Sketched percentiles): How are plays spread, by sketch and exactly?
-- column: figure text: what is counted, or whose percentile it is: as the choices of `of`
-- column: percentile double?: 0.5 to 0.99; null: a count of different ones
-- column: sketch double?: by approx_count_distinct or approx_quantile
-- column: exact double?: by count(distinct) or quantile_cont
-- column: difference double?: of the sketch, as a share of what is exact
-- behind: none: a figure is of all plays that pass, not of some
-- about: Each query of this catalogue counts exactly. This one shows what DuckDB's sketches would say of
-- about: the same plays. Its HyperLogLog for different values has a standard error of some 13 %, its
-- about: t-digest for percentiles is close at the ends and within a percentile or two in the middle. What
-- about: either costs is told by `took_ms` with method=sketch and method=exact. Different ones are of
-- about: plays that start in the period (devices to addresses: of their segments), what is not known not
-- about: counted. Watch time (ms), paused time (ms, where there is a pause) and progress (percent, where
-- about: known) are of the same plays, without backfilled views.
with counted as (
  select 'people' as figure, approx_count_distinct(person_id) filter ($method <> 'exact') as sketch,
    count(distinct person_id) filter ($method <> 'sketch') as exact
  from filtered_play where $of in ('all', 'people')
  union all
  select 'accounts', approx_count_distinct(account_id) filter ($method <> 'exact'),
    count(distinct account_id) filter ($method <> 'sketch')
  from filtered_play where $of in ('all', 'accounts')
  union all
  select 'titles', approx_count_distinct(title_id) filter ($method <> 'exact'),
    count(distinct title_id) filter ($method <> 'sketch')
  from filtered_play where $of in ('all', 'titles')
  union all
  select 'devices', approx_count_distinct(device_id) filter ($method <> 'exact'),
    count(distinct device_id) filter ($method <> 'sketch')
  from filtered_part where $of in ('all', 'devices')
  union all
  select 'platforms', approx_count_distinct(platform) filter ($method <> 'exact'),
    count(distinct platform) filter ($method <> 'sketch')
  from filtered_part left join device using (device_id) where $of in ('all', 'platforms')
  union all
  select 'players', approx_count_distinct(player) filter ($method <> 'exact'),
    count(distinct player) filter ($method <> 'sketch')
  from filtered_part left join device using (device_id) where $of in ('all', 'players')
  union all
  select 'addresses', approx_count_distinct(address_id) filter ($method <> 'exact'),
    count(distinct address_id) filter ($method <> 'sketch')
  from filtered_part where $of in ('all', 'addresses')
),
measured as (
  select 'watch_ms' as figure, watch_ms::double as amount
  from filtered_play where kind = 'play' and $of in ('all', 'watch_ms')
  union all
  select 'paused_ms', paused_ms
  from filtered_play where kind = 'play' and paused_ms > 0 and $of in ('all', 'paused_ms')
  union all
  select 'percent', percent
  from filtered_play where kind = 'play' and percent is not null and $of in ('all', 'percent')
),
figures as (
  select figure, null as percentile, if($method <> 'exact', sketch, null)::double as sketch,
    if($method <> 'sketch', exact, null)::double as exact
  from counted
  where $of in ('all', figure)
  union all
  select figure, unnest([0.5, 0.75, 0.9, 0.95, 0.99]),
    unnest(approx_quantile(amount, [0.5, 0.75, 0.9, 0.95, 0.99]) filter ($method <> 'exact')),
    unnest(quantile_cont(amount, [0.5, 0.75, 0.9, 0.95, 0.99]) filter ($method <> 'sketch'))
  from measured
  group by figure
)
select figure, percentile::double as percentile, sketch, exact, sketch / nullif(exact, 0) - 1 as difference
from figures
order by list_position(['people', 'accounts', 'titles', 'devices', 'platforms', 'players', 'addresses',
  'watch_ms', 'paused_ms', 'percent'], figure), percentile
