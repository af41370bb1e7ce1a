// Buckets are local texts ("2025-03-01", "2025-03-01T14:00"): here they are reckoned with as if they
// were UTC, so that no zone of the browser's own gets in.
import type { Meta } from '../lib/types';
import type { Params } from './spec';

export const DAY_MS = 86_400_000;

export const naive = (bucket: string): number => Date.parse(bucket.length === 10 ? bucket : `${bucket.slice(0, 16).replace(' ', 'T')}Z`);
// Whether it is a bucket of time, rather than an hour of the day or a name.
export const isBucket = (value: unknown): boolean => /^\d{4}-\d\d-\d\d/.test(String(value));
const dateText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

// An instant as the same kind of number, in a zone.
export function naiveIn(instant: string, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit',
  }).formatToParts(new Date(instant));
  const part = (type: string): number => Number(parts.find((p) => p.type === type)?.value);
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'));
}

// The filter that leaves a bucket: whole days, so an hour opens its day.
export function bucketSpan(bucket: string, step: Step): Params {
  const start = naive(dateText(naive(bucket)));
  const month = new Date(start);
  const next = step === 'month' ? Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 1) : start + stepMs[step];
  return { start_date: dateText(start), end_date: dateText(Math.max(next - DAY_MS, start)) };
}

export type Step = 'hour' | 'day' | 'week' | 'month';

export function stepOf(buckets: string[]): Step {
  const [a, b] = buckets;
  if (a === undefined || b === undefined) return a !== undefined && a.length > 10 ? 'hour' : 'day';
  const gap = naive(b) - naive(a);
  if (gap < DAY_MS) return 'hour';
  if (gap < 7 * DAY_MS) return 'day';
  return gap < 28 * DAY_MS ? 'week' : 'month';
}

export const stepMs: Record<Step, number> = { hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS };

// Spans in which no server was seen, in the chart's own units: `at` says where bucket i begins.
export function gapsAcross(meta: Meta, buckets: string[], step: Step, at: (i: number) => number): { from: number; to: number }[] {
  const starts = buckets.map(naive);
  const across = (ms: number): number => {
    const i = starts.findLastIndex((start) => start <= ms);
    const start = starts[i];
    if (start === undefined) return at(0);
    const length = (starts[i + 1] ?? start + stepMs[step]) - start;
    return at(i + Math.min((ms - start) / length, 1));
  };
  return meta.coverage_gaps
    .map((gap) => ({ from: across(naiveIn(gap.from, meta.tz)), to: across(naiveIn(gap.to ?? new Date().toISOString(), meta.tz)) }))
    .filter((gap) => gap.to > gap.from);
}

const axisFormats: Record<Step, Intl.DateTimeFormatOptions> = {
  hour: { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
  day: { day: 'numeric', month: 'short' },
  week: { day: 'numeric', month: 'short' },
  month: { month: 'short', year: 'numeric' },
};

export const axisText = (bucket: string, step: Step): string =>
  new Intl.DateTimeFormat(undefined, { timeZone: 'UTC', ...axisFormats[step] }).format(naive(bucket));

export const monthText = (bucket: string): string =>
  new Intl.DateTimeFormat(undefined, { timeZone: 'UTC', month: 'short', ...(bucket.slice(5, 7) === '01' ? { year: 'numeric' } : {}) }).format(naive(bucket));

export function bucketText(bucket: string): string {
  const hasHour = bucket.length > 10 && !bucket.startsWith('00:00', 11);
  return new Intl.DateTimeFormat(undefined, {
    timeZone: 'UTC', dateStyle: 'medium', ...(hasHour ? { timeStyle: 'short' } : {}),
  }).format(naive(bucket));
}
