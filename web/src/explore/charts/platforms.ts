import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 70,
  query: 'platforms',
  choices: [{ param: 'of', values: ['platform', 'player', 'product', 'device'] }],
  columns: { value: 'text', watch_ms: 'duration', share: 'share', plays: 'count', people: 'count', last_seen: 'instant' },
  measures: [
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'plays', column: 'plays' },
    { name: 'people', column: 'people' },
  ],
  mark: { kind: 'bars', label: 'value', filters: [['platforms', 'value', 'platform'], ['players', 'value', 'player']] },
  isMore: true,
} satisfies ChartOf<'platforms'>;
