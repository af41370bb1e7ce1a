import type { ChartOf } from '../spec';

export default {
  section: 'people',
  order: 30,
  query: 'engagement-by-week',
  columns: { bucket: 'bucket', state: 'word', people: 'count' },
  measures: [{ name: 'people', column: 'people' }],
  mark: { kind: 'columns', x: 'bucket', series: 'state' },
  isWide: true,
} satisfies ChartOf<'engagement-by-week'>;
