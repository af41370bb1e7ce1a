import type { ChartOf } from '../spec';

export default {
  section: 'activity',
  order: 30,
  query: 'concurrent-streams',
  choices: [{ param: 'bucket', values: ['auto', 'day', 'week', 'month'] }],
  columns: { bucket: 'bucket', decision: 'decision', peak: 'count', peak_at: 'instant', mean: 'mean' },
  measures: [
    { name: 'peak', column: 'peak' },
    { name: 'mean', column: 'mean' },
  ],
  mark: { kind: 'lines', x: 'bucket', series: 'decision', filter: 'transcode_decisions' },
  isComparable: true,
} satisfies ChartOf<'concurrent-streams'>;
