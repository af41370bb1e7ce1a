import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 60,
  query: 'content-flow',
  columns: {
    series: 'text', season: 'count', people: 'count', next_season: 'count', went_on: 'count', went_on_share: 'share', plays: 'count',
  },
  measures: [
    { name: 'people', column: 'people' },
    { name: 'went_on', column: 'went_on_share' },
  ],
  mark: { kind: 'grid', row: 'series', column: 'season', most: 10, filter: 'shows' },
} satisfies ChartOf<'content-flow'>;
