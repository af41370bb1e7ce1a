import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 90,
  query: 'qoe',
  choices: [{ param: 'bucket', values: ['auto', 'day', 'week', 'month'] }],
  columns: {
    slot: 'slot', score: 'score', plays: 'count', exits: 'count', exit_share: 'share', lowered_share: 'share', paused_share: 'share', finished_share: 'share',
  },
  measures: [{ name: 'score', column: 'score' }],
  mark: { kind: 'lines', x: 'slot', lines: ['score'] },
  isWide: true,
  isMore: true,
} satisfies ChartOf<'qoe'>;
