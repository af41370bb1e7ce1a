import type { ChartOf } from '../spec';

export default {
  section: 'activity',
  order: 40,
  query: 'calendar',
  columns: { bucket: 'bucket', weekday: 'weekday', plays: 'count', watch_ms: 'duration', people: 'count', streak: 'count' },
  measures: [
    { name: 'plays', column: 'plays' },
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'calendar', x: 'bucket', streak: 'streak' },
} satisfies ChartOf<'calendar'>;
