import type { ChartOf } from '../spec';

export default {
  section: 'activity',
  order: 20,
  query: 'heatmap',
  columns: { weekday: 'weekday', hour: 'hour', watch_ms: 'duration', starts: 'count' },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'plays', column: 'starts' },
  ],
  mark: { kind: 'grid', row: 'weekday', column: 'hour' },
  isWide: true,
} satisfies ChartOf<'heatmap'>;
