import type { ChartOf } from '../spec';

export default {
  section: 'activity',
  order: 30,
  query: 'concurrent-streams',
  params: { bucket: 'auto' },
  columns: { bucket: 'bucket', decision: 'decision', peak: 'count', peak_at: 'instant', mean: 'count' },
  measures: [
    { name: 'peak', column: 'peak' },
    { name: 'mean', column: 'mean' },
  ],
  mark: { kind: 'columns', x: 'bucket', series: 'decision', only: ['decision', 'all'] },
  isComparable: true,
  isWide: true,
} satisfies ChartOf<'concurrent-streams'>;
