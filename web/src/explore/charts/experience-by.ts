import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 100,
  query: 'qoe',
  choices: [{ param: 'by', values: ['platform', 'server'] }],
  columns: {
    slot: 'text', score: 'score', plays: 'count', exits: 'count', exit_share: 'share', lowered_share: 'share', paused_share: 'share', finished_share: 'share',
  },
  measures: [
    { name: 'score', column: 'score' },
    { name: 'finished', column: 'finished_share' },
    { name: 'lowered', column: 'lowered_share' },
    { name: 'exits', column: 'exit_share' },
  ],
  mark: { kind: 'bars', label: 'slot', filters: [['platforms', 'slot', 'platform']] },
  isMore: true,
} satisfies ChartOf<'qoe'>;
