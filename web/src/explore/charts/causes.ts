import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 30,
  query: 'transcode-causes',
  columns: { value: 'word', watch_ms: 'duration', share: 'share', plays: 'count', people: 'count', avoided_by: 'text' },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'bars', label: 'value', filters: [] },
} satisfies ChartOf<'transcode-causes'>;
