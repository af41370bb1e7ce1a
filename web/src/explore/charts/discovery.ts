import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 54,
  query: 'discovery-curve',
  columns: { within_days: 'days', share: 'share', discovered: 'count', observed: 'count', titles: 'count' },
  measures: [{ name: 'share', column: 'share' }],
  mark: { kind: 'steps', x: 'within_days' },
} satisfies ChartOf<'discovery-curve'>;
