import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 50,
  query: 'bandwidth',
  choices: [
    { param: 'by', values: ['hour', 'bucket'] },
    { param: 'bucket', values: ['auto', 'day', 'week', 'month'], when: 'bucket' },
  ],
  columns: {
    slot: 'slot', network: 'word', p50_kbps: 'rate', p95_kbps: 'rate', peak_kbps: 'rate', bytes: 'bytes', unknown_ms: 'duration',
  },
  measures: [{ name: 'p95', column: 'p95_kbps' }],
  mark: { kind: 'lines', x: 'slot', lines: ['p95_kbps', 'p50_kbps', 'peak_kbps'], only: ['network', 'all'] },
} satisfies ChartOf<'bandwidth'>;
