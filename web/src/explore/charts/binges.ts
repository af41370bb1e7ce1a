import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 40,
  query: 'binge',
  params: { by: 'show', limit: 10 },
  columns: { series: 'text', runs: 'count', people: 'count', episodes: 'count', longest: 'count', watch_ms: 'duration' },
  measures: [
    { name: 'runs', column: 'runs' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'bars', label: 'series', filters: [['shows', 'series']] },
} satisfies ChartOf<'binge'>;
