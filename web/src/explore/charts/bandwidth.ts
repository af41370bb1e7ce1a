import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 40,
  query: 'bandwidth',
  params: { by: 'hour' },
  columns: { slot: 'hour', network: 'word', p50_kbps: 'rate', p95_kbps: 'rate', peak_kbps: 'rate' },
  measures: [
    { name: 'p95', column: 'p95_kbps' },
    { name: 'peak', column: 'peak_kbps' },
  ],
  mark: { kind: 'steps', x: 'slot', only: ['network', 'all'] },
} satisfies ChartOf<'bandwidth'>;
