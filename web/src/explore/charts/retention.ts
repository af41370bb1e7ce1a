import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 60,
  query: 'cohort-retention',
  columns: { cohort: 'bucket', week: 'count', size: 'count', people: 'count', share: 'share' },
  measures: [
    { name: 'share', column: 'share' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'grid', row: 'cohort', column: 'week', most: 30 },
  isWide: true,
  isMore: true,
} satisfies ChartOf<'cohort-retention'>;
