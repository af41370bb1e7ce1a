// One value of an answer as text.
import type { SqlType } from '../lib/types';

// "2026-01-02 03:04:05" in that zone, as DuckDB counts days and hours.
export function clockOf(tz: string): (at: string) => string {
  const parts = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('sv-SE', { ...parts, timeZone: tz });
  } catch {
    format = new Intl.DateTimeFormat('sv-SE', { ...parts, timeZone: 'UTC' });
  }
  return (at) => {
    const date = new Date(at);
    return Number.isNaN(date.getTime()) ? at : format.format(date);
  };
}

export const isAmount = (type: SqlType): boolean => type === 'integer' || type === 'number';

export function show(value: unknown, type: SqlType, clock: (at: string) => string): string {
  if (value === null || value === undefined) return '–';
  if (type === 'instant') return clock(String(value));
  if (type === 'time') return String(value).replace('T', ' ').replace(/\.000$/, '');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// 35 ms, 1.2 s
export const took = (ms: number): string => (ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`);
