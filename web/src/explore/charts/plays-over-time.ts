import type { ChartOf } from '../spec';

export default {
  section: 'activity',
  order: 10,
  query: 'trends',
  choices: [{ param: 'bucket', values: ['auto', 'day', 'week', 'month'] }],
  columns: { bucket: 'bucket', media_type: 'type', plays: 'count', watch_ms: 'duration', people: 'count' },
  measures: [
    { name: 'plays', column: 'plays' },
    { name: 'watch_ms', column: 'watch_ms' },
  ],
  mark: { kind: 'columns', x: 'bucket', series: 'media_type', filter: 'media_types' },
  isComparable: true,
  isWide: true,
} satisfies ChartOf<'trends'>;
