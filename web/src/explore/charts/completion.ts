import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 30,
  query: 'completion',
  columns: { from_percent: 'twentieth', plays: 'count', people: 'count', finished: 'count', reached: 'count', reached_share: 'share' },
  measures: [
    { name: 'stopped', column: 'plays', less: 'finished' },
    { name: 'reached', column: 'reached_share' },
  ],
  mark: { kind: 'steps', x: 'from_percent' },
} satisfies ChartOf<'completion'>;
