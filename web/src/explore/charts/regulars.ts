import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 50,
  query: 'user-engagement',
  columns: {
    person: 'text', score: 'score', active_share: 'share', active_days: 'count', days: 'count', finished_share: 'share', freshness: 'share', last_seen: 'instant',
  },
  measures: [
    { name: 'score', column: 'score' },
    { name: 'active', column: 'active_share' },
  ],
  mark: { kind: 'bars', label: 'person', filters: [['users', 'person_id']] },
  isMore: true,
} satisfies ChartOf<'user-engagement'>;
