import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 120,
  query: 'capacity',
  columns: {
    weekday: 'weekday', hour: 'hour', streams_p95: 'count', streams_peak: 'count', transcodes_p95: 'count', transcodes_peak: 'count',
    upload_p95_kbps: 'rate', upload_peak_kbps: 'rate',
  },
  measures: [
    { name: 'streams_p95', column: 'streams_p95' },
    { name: 'transcodes_p95', column: 'transcodes_p95' },
    { name: 'upload_p95', column: 'upload_p95_kbps' },
  ],
  mark: { kind: 'grid', row: 'weekday', column: 'hour' },
  isWide: true,
  isMore: true,
} satisfies ChartOf<'capacity'>;
