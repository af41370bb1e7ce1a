import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 20,
  query: 'users',
  columns: { person: 'text', finished_share: 'share', plays: 'count', last_seen: 'instant' },
  measures: [{ name: 'finished', column: 'finished_share' }],
  mark: { kind: 'bars', label: 'person', filters: [['users', 'person_id']] },
} satisfies ChartOf<'users'>;
