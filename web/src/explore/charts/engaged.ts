import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 25,
  query: 'user-engagement',
  columns: {
    person: 'text', score: 'count', active_share: 'share', finished_share: 'share', active_days: 'count', plays: 'count',
    watch_ms: 'duration', last_seen: 'instant',
  },
  measures: [
    { name: 'active', column: 'active_share' },
    { name: 'score', column: 'score' },
  ],
  mark: { kind: 'bars', label: 'person', filters: [['users', 'person_id']] },
} satisfies ChartOf<'user-engagement'>;
