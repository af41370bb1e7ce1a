import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 10,
  query: 'transcode',
  choices: [
    { param: 'of', values: ['stream', 'video', 'audio', 'subtitle', 'container'] },
    { param: 'bucket', values: ['auto', 'day', 'week', 'month'] },
  ],
  columns: { bucket: 'bucket', decision: 'decision', plays: 'count', watch_ms: 'duration' },
  measures: [
    { name: 'share', column: 'watch_ms', isShare: true },
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'plays', column: 'plays' },
  ],
  mark: { kind: 'columns', x: 'bucket', series: 'decision', filter: 'transcode_decisions' },
  isWide: true,
} satisfies ChartOf<'transcode'>;
