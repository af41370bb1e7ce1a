import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 80,
  query: 'pause-patterns',
  columns: { from_percent: 'twentieth', pauses: 'count', people: 'count', paused_ms: 'duration', median_ms: 'duration' },
  measures: [
    { name: 'pauses', column: 'pauses' },
    { name: 'paused', column: 'paused_ms' },
  ],
  mark: { kind: 'steps', x: 'from_percent' },
  isMore: true,
} satisfies ChartOf<'pause-patterns'>;
