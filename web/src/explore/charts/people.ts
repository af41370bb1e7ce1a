import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 10,
  query: 'users',
  columns: {
    person: 'text', plays: 'count', watch_ms: 'duration', titles: 'count', finished_share: 'share', devices: 'count', last_seen: 'instant',
  },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'plays', column: 'plays' },
    { name: 'titles', column: 'titles' },
    { name: 'finished', column: 'finished_share' },
  ],
  mark: { kind: 'bars', label: 'person', filters: [['users', 'person_id']] },
} satisfies ChartOf<'users'>;
