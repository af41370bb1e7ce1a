import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 52,
  query: 'library',
  columns: {
    library: 'text', server: 'text', items: 'count', size_bytes: 'bytes', added: 'count', removed: 'count',
    share_played: 'share', plays: 'count', watch_ms: 'duration',
  },
  measures: [
    { name: 'size_bytes', column: 'size_bytes' },
    { name: 'items', column: 'items' },
    { name: 'added', column: 'added' },
    { name: 'plays', column: 'plays' },
    { name: 'watch_ms', column: 'watch_ms' },
  ],
  mark: { kind: 'bars', label: 'library', filters: [['libraries', 'library_id']], more: 'server' },
} satisfies ChartOf<'library'>;
