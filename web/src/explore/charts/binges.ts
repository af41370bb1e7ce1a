import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 20,
  query: 'binge',
  params: { limit: 10 },
  choices: [{ param: 'by', values: ['show', 'person'] }],
  columns: { series: 'text', person: 'text', runs: 'count', people: 'count', episodes: 'count', longest: 'count', watch_ms: 'duration' },
  measures: [
    { name: 'runs', column: 'runs' },
    { name: 'longest', column: 'longest' },
    { name: 'watch_ms', column: 'watch_ms' },
  ],
  mark: { kind: 'bars', label: ['series', 'person'], filters: [['shows', 'series'], ['users', 'person_id']] },
} satisfies ChartOf<'binge'>;
