// Names of the values that the server knows by a word.
import { shared } from '../messages/shared';
import { texts } from './text';

const t = texts(shared);
// Safari 14.0 names none.
const countries = 'DisplayNames' in Intl ? new Intl.DisplayNames(undefined, { type: 'region', fallback: 'code' }) : null;

export const isKey = <T extends object>(all: T, key: string): key is Extract<keyof T, string> => Object.hasOwn(all, key);

function named(group: string, value: string): string {
  const key = `${group}.${value}`;
  return isKey(shared, key) ? t(key) : value;
}

export const typeName = (type: string): string => named('type', type);
export const decisionName = (decision: string): string => named('decision', decision);

// 1080 is 1080p; 4k, sd and whatever else stay what they are.
export const resolutionName = (r: string): string =>
  /^\d+$/.test(r) ? `${r}p` : r.toUpperCase();

export const countryName = (code: string): string =>
  /^[A-Z]{2}$/.test(code) ? (countries?.of(code) ?? code) : code;

// "Berlin, Germany", or as much of it as is known; null: nothing.
export function cityName(city: string | null, code: string | null, country: string | null): string | null {
  return [city, code ? countryName(code) : country].filter(Boolean).join(', ') || null;
}

// The colour that stands for a decision everywhere.
export function decisionColour(decision: string | null): string {
  switch (decision) {
    case 'all': return 'var(--text)';
    case 'direct play': return 'var(--direct)';
    case 'copy': return 'var(--copy)';
    case 'transcode': return 'var(--transcode)';
    default: return 'var(--unknown)';
  }
}
