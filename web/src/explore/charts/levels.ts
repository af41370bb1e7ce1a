import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 110,
  query: 'stream-levels',
  choices: [{ param: 'of', values: ['all', 'transcode'] }],
  columns: { streams: 'count', duration_ms: 'duration', share: 'share', reached_share: 'share' },
  measures: [
    { name: 'share', column: 'share' },
    { name: 'as_many', column: 'reached_share' },
  ],
  mark: { kind: 'steps', x: 'streams' },
  isMore: true,
} satisfies ChartOf<'stream-levels'>;
