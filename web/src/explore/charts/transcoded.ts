import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 60,
  query: 'transcode-causes',
  params: { by: 'title', limit: 20 },
  columns: { value: 'text', cause: 'word', watch_ms: 'duration', plays: 'count', people: 'count', avoided_by: 'text' },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'bars', label: 'value', filters: [['titles', 'title_id']] },
} satisfies ChartOf<'transcode-causes'>;
