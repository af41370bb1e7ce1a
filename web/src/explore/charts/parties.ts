import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 40,
  query: 'watch-parties',
  params: { by: 'title', limit: 10 },
  columns: { title: 'text', media_type: 'type', parties: 'count', people: 'count', plays: 'count', watch_ms: 'duration' },
  measures: [
    { name: 'parties', column: 'parties' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'bars', label: 'title', filters: [['titles', 'title_id']], tint: 'media_type' },
  isMore: true,
} satisfies ChartOf<'watch-parties'>;
