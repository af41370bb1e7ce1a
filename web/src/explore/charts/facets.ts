import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 50,
  query: 'facets',
  choices: [{ param: 'of', values: ['genre', 'decade', 'rating'] }],
  columns: { value: 'text', plays: 'count', people: 'count', titles: 'count', watch_ms: 'duration', share: 'share' },
  measures: [
    { name: 'share', column: 'share' },
    { name: 'plays', column: 'plays' },
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'bars', label: 'value', filters: [['genres', 'value', 'genre'], ['content_ratings', 'value', 'rating']] },
} satisfies ChartOf<'facets'>;
