import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 50,
  query: 'genres',
  columns: { value: 'text', plays: 'count', people: 'count', titles: 'count', watch_ms: 'duration', share: 'share' },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'plays', column: 'plays' },
  ],
  mark: { kind: 'bars', label: 'value', filters: [['genres', 'value']] },
} satisfies ChartOf<'genres'>;
