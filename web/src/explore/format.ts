// How values are written on Explore and Map.
import { bitrate, bytes, compact, day, number, percent, unit } from '../lib/format';
import { decisionName, isKey, resolutionName, typeName } from '../lib/names';
import { texts } from '../lib/text';
import { explore } from '../messages/explore';
import type { ColumnName, Format, Value } from './spec';
import { bucketText, isBucket } from './time';

const t = texts(explore);
const HOUR_MS = 3_600_000;
const hours = unit('hour', 0, 'narrow');
const tenths = unit('hour', 1, 'narrow');
const minutes = unit('minute', 0, 'narrow');
const tenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const changes = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' });

// Weekday 0 is Monday; 5 January 1970 was one.
export const weekday = (n: number, style: 'long' | 'short' | 'narrow' = 'long'): string =>
  new Intl.DateTimeFormat(undefined, { weekday: style, timeZone: 'UTC' }).format((4 + n) * 24 * HOUR_MS);

// One figure, so that amounts can be compared at a glance.
export function duration(ms: number): string {
  if (ms < HOUR_MS) return minutes.format(ms > 0 ? Math.max(1, Math.round(ms / 60_000)) : 0);
  return (ms < 10 * HOUR_MS ? tenths : hours).format(ms / HOUR_MS);
}

// From ten times as much on, how many times.
const growth = (share: number): string =>
  share < 9 ? changes.format(share) : t('times', { n: Math.round(share + 1) });

// A word that a query uses for a state or a kind; names of other things are as they are.
function word(value: string): string {
  const key = `word.${value}`;
  if (isKey(explore, key)) return t(key as 'word.none');
  return /^\d{3,4}$/.test(value) ? resolutionName(value) : value;
}

export function show(value: Value | undefined, format: Format): string {
  if (value === null || value === undefined) return t(format === 'engine' ? 'unknown.engine' : format === 'change' ? 'unknown.change' : 'unknown');
  switch (format) {
    case 'count': return number(Number(value));
    case 'duration': return duration(Number(value));
    case 'share': return percent(Number(value));
    case 'instant': return day(String(value));
    case 'bucket': return bucketText(String(value));
    case 'weekday': return weekday(Number(value));
    case 'hour': return `${String(value).padStart(2, '0')}:00`;
    case 'type': return typeName(String(value));
    case 'decision': return decisionName(String(value));
    case 'resolution': return resolutionName(String(value));
    case 'rate': return bitrate(Number(value));
    case 'bytes': return bytes(Number(value));
    case 'twentieth': return `${value}–${percent((Number(value) + 5) / 100)}`;
    case 'word': return word(String(value));
    case 'engine': return word(String(value));
    case 'column': return t(`column.${value as ColumnName}`);
    case 'mean': return tenth.format(Number(value));
    case 'change': return growth(Number(value));
    case 'percent': return percent(Number(value) / 100);
    case 'score': return number(Math.round(Number(value)));
    case 'slot': return isBucket(value) ? bucketText(String(value)) : show(value, 'hour');
    case 'text':
    case 'year': return String(value);
  }
}

export const isAmount = (format: Format): boolean =>
  ['count', 'mean', 'duration', 'share', 'change', 'percent', 'score', 'rate', 'bytes'].includes(format);

// Short, for an axis.
export const short = (value: number, format: Format): string =>
  format === 'count' ? compact(value) : show(value, format);

export const change = (now: number, before: number): string => growth((now - before) / before);
