import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 70,
  query: 'rewatch',
  params: { limit: 10 },
  columns: { title: 'text', media_type: 'type', year: 'year', people: 'count', plays: 'count' },
  measures: [
    { name: 'people', column: 'people' },
    { name: 'plays', column: 'plays' },
  ],
  mark: { kind: 'bars', label: 'title', filters: [['titles', 'title_id']], tint: 'media_type', more: 'year' },
  isMore: true,
} satisfies ChartOf<'rewatch'>;
