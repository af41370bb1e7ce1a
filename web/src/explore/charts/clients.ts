import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 130,
  query: 'clients',
  columns: {
    client: 'text', version: 'text', sessions: 'count', people: 'count', watch_ms: 'duration', early: 'count', early_share: 'share',
    previous_version: 'text', previous_early_share: 'share', last_seen: 'instant',
  },
  measures: [
    { name: 'sessions', column: 'sessions' },
    { name: 'early', column: 'early_share' },
  ],
  mark: { kind: 'bars', label: 'client', filters: [], more: 'version', beside: ['early_share', 'previous_early_share', 'previous_version', 'people'] },
  isWide: true,
  isMore: true,
} satisfies ChartOf<'clients'>;
