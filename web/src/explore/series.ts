// The colours of values, and the order in which they are stacked: known ones as listed, then others,
// unknown last (it is drawn hatched, so it has no colour here).
import { decisionColour } from '../lib/names';
import type { Format, Value } from './spec';

const types: Record<string, string> = {
  movie: 'var(--series-1)', episode: 'var(--series-2)', show: 'var(--series-2)', season: 'var(--series-2)',
  track: 'var(--series-3)', artist: 'var(--series-3)', album: 'var(--series-3)', live: 'var(--series-4)',
  regular: 'var(--series-1)', new: 'var(--series-3)', returned: 'var(--series-6)', away: 'var(--ramp-3)', lapsed: 'var(--series-8)',
};
const order = [
  'movie', 'episode', 'track', 'live', 'direct play', 'copy', 'transcode', 'regular', 'new', 'returned', 'away', 'lapsed',
];

export function tintOf(value: Value | undefined, format: Format | undefined): string {
  if (format === 'decision') return decisionColour(String(value));
  return types[String(value)] ?? 'var(--series-8)';
}

const rank = (value: Value): number => {
  if (value === null) return order.length + 1;
  const at = order.indexOf(String(value));
  return at < 0 ? order.length : at;
};

export const inOrder = (values: Iterable<Value>): Value[] => [...new Set(values)].sort((a, b) => rank(a) - rank(b));
