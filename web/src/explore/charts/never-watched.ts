import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 56,
  query: 'stale',
  params: { days_unwatched: 365, limit: 10 },
  columns: { title: 'text', media_type: 'type', year: 'year', size_bytes: 'bytes', added_at: 'instant', last_played: 'instant', idle_days: 'days' },
  measures: [
    { name: 'size_bytes', column: 'size_bytes' },
    { name: 'idle_days', column: 'idle_days' },
  ],
  mark: { kind: 'bars', label: 'title', filters: [], tint: 'media_type', more: 'year' },
} satisfies ChartOf<'stale'>;
