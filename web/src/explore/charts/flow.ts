import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 20,
  query: 'resolution-mismatch',
  columns: {
    source: 'resolution', delivered: 'resolution', change: 'word', plays: 'count', people: 'count', watch_ms: 'duration', share: 'share',
  },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'plays', column: 'plays' },
  ],
  mark: { kind: 'flow', from: 'source', to: 'delivered' },
} satisfies ChartOf<'resolution-mismatch'>;
