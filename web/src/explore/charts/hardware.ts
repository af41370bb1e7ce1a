import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 80,
  query: 'hardware-transcode',
  choices: [{ param: 'of', values: ['pipeline', 'decoder', 'encoder'] }],
  columns: { bucket: 'bucket', engine: 'engine', plays: 'count', watch_ms: 'duration' },
  measures: [
    { name: 'share', column: 'watch_ms', isShare: true },
    { name: 'watch_ms', column: 'watch_ms' },
  ],
  mark: { kind: 'columns', x: 'bucket', series: 'engine' },
  isMore: true,
} satisfies ChartOf<'hardware-transcode'>;
