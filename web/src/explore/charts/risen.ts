import type { ChartOf } from '../spec';

export default {
  section: 'titles',
  order: 90,
  query: 'comparative',
  choices: [{ param: 'by', values: ['show', 'title'] }],
  columns: { value: 'text', plays: 'count', previous: 'count', change: 'change', rank: 'count', previous_rank: 'count' },
  measures: [
    { name: 'plays', column: 'plays' },
    { name: 'previous', column: 'previous' },
  ],
  mark: {
    kind: 'bars', label: 'value', filters: [['titles', 'title_id', 'title'], ['shows', 'value', 'show']], beside: ['change', 'previous', 'rank', 'previous_rank'],
  },
  isWide: true,
  isMore: true,
} satisfies ChartOf<'comparative'>;
