import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 40,
  query: 'abandonment',
  choices: [{ param: 'by', values: ['title', 'first-episode', 'genre', 'type'] }],
  columns: {
    value: 'type', people: 'count', finished: 'count', resumed: 'count', abandoned: 'count', undecided: 'count',
    abandoned_share: 'share', median_percent: 'percent',
  },
  measures: [
    { name: 'abandoned', column: 'abandoned' },
    { name: 'share', column: 'abandoned_share' },
  ],
  mark: {
    kind: 'bars', label: 'value',
    filters: [['titles', 'title_id', 'title'], ['shows', 'value', 'first-episode'], ['genres', 'value', 'genre'], ['media_types', 'value', 'type']],
  },
} satisfies ChartOf<'abandonment'>;
