import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 10,
  query: 'popular',
  params: { group: 'show', limit: 10 },
  columns: { title: 'text', media_type: 'type', year: 'year', people: 'count', plays: 'count', watch_ms: 'duration' },
  measures: [
    { name: 'people', column: 'people', params: { by: 'people' } },
    { name: 'plays', column: 'plays', params: { by: 'plays' } },
    { name: 'watch_ms', column: 'watch_ms', params: { by: 'watch_time' } },
  ],
  mark: { kind: 'bars', label: 'title', filters: [['titles', 'title_id'], ['shows', 'title']], tint: 'media_type', more: 'year' },
} satisfies ChartOf<'popular'>;
