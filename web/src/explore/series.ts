// The colours of values, and the order in which they are stacked: known ones as listed, then others,
// unknown last (it is drawn hatched, so it has no colour here).
import { decisionColour } from '../lib/names';
import type { Format, Value } from './spec';

const types: Record<string, string> = {
  movie: 'var(--series-1)', episode: 'var(--series-2)', show: 'var(--series-2)', season: 'var(--series-2)',
  track: 'var(--series-3)', artist: 'var(--series-3)', album: 'var(--series-3)', live: 'var(--series-4)',
  regular: 'var(--series-1)', new: 'var(--series-3)', returned: 'var(--series-6)', away: 'var(--ramp-3)', lapsed: 'var(--series-8)',
  p50_kbps: 'var(--series-3)', p95_kbps: 'var(--series-1)', peak_kbps: 'var(--series-2)',
};
const order = [
  'all', 'movie', 'episode', 'track', 'live', 'direct play', 'copy', 'transcode', 'regular', 'new', 'returned', 'away', 'lapsed',
];

const others = ['var(--series-1)', 'var(--series-2)', 'var(--series-3)', 'var(--series-4)', 'var(--series-6)', 'var(--series-5)', 'var(--series-7)'];

// Of a value that has no colour of its own: by its place `among` the others of the chart.
export function tintOf(value: Value | undefined, format: Format | undefined, among: readonly Value[] = []): string {
  if (format === 'decision') return decisionColour(String(value));
  const own = types[String(value)];
  if (own) return own;
  const rest = among.filter((one) => one !== null && !types[String(one)]);
  return others[rest.indexOf(value ?? null)] ?? 'var(--series-8)';
}

const rank = (value: Value): number => {
  if (value === null) return order.length + 1;
  const at = order.indexOf(String(value));
  return at < 0 ? order.length : at;
};

export const inOrder = (values: Iterable<Value>): Value[] => [...new Set(values)].sort((a, b) => rank(a) - rank(b));
