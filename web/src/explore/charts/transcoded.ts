import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 60,
  query: 'transcode-causes',
  params: { limit: 20 },
  choices: [{ param: 'by', values: ['title', 'client'] }],
  columns: { value: 'text', cause: 'word', watch_ms: 'duration', plays: 'count', people: 'count', avoided_by: 'text' },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'bars', label: 'value', filters: [['titles', 'title_id', 'title']] },
} satisfies ChartOf<'transcode-causes'>;
