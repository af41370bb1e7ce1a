// Dates, spans and numbers by Intl, in the reader's language and time zone.

// Sent with every question whose answer depends on what a day is (api.ts).
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const dateTimes = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const days = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const times = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });
const whole = new Intl.NumberFormat();
const compacts = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const shares = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 });
// Safari 14.0 knows no units: the number, and the unit's own name.
export function unit(name: string, digits = 0, unitDisplay: 'short' | 'narrow' = 'short'): { format: (n: number) => string } {
  try {
    return new Intl.NumberFormat(undefined, { style: 'unit', unit: name, unitDisplay, maximumFractionDigits: digits });
  } catch {
    const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: digits });
    return { format: (n) => `${plain.format(n)} ${name}` };
  }
}
const hours = unit('hour', 0, 'narrow');
const minutes = unit('minute', 0, 'narrow');
const seconds = unit('second', 0, 'narrow');
const megabits = unit('megabit-per-second', 1);
const kilobits = unit('kilobit-per-second');
const terabytes = unit('terabyte', 1);
const gigabytes = unit('gigabyte', 1);
const wholeGigabytes = unit('gigabyte');
const megabytes = unit('megabyte', 1);
const kilobytes = unit('kilobyte');

export const number = (n: number): string => whole.format(n);
export const compact = (n: number): string => compacts.format(n);
export const percent = (share: number): string => shares.format(share);
export const dateTime = (at: string | number): string => dateTimes.format(new Date(at));
export const day = (at: string | number): string => days.format(new Date(at));
export const time = (at: string | number): string => times.format(new Date(at));

// A local date "YYYY-MM-DD" is a day, not an instant of UTC.
export function localDay(date: string): string {
  const noon = new Date(`${date}T12:00:00`);
  return Number.isNaN(noon.getTime()) ? date : days.format(noon);
}

// 1:02:03 or 4:05.
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(s / 60) % 60, s % 60].map((n) => String(n).padStart(2, '0'));
  const h = Math.floor(s / 3600);
  return h ? `${h}:${parts.join(':')}` : `${Number(parts[0])}:${parts[1]}`;
}

// "3h 12m", "12m", "40s".
export function span(ms: number): string {
  const s = Math.round(Math.max(0, ms) / 1000);
  if (s < 60) return seconds.format(s);
  const m = Math.round(s / 60);
  if (m < 60) return minutes.format(m);
  const rest = m % 60;
  const h = hours.format(Math.floor(m / 60));
  return rest && m < 6000 ? `${h} ${minutes.format(rest)}` : h;
}

// "5 min. ago", seen from `now`.
export function ago(at: string | number, now: number): string {
  const s = Math.min(0, (new Date(at).getTime() - now) / 1000);
  const steps = [['second', 60], ['minute', 60], ['hour', 24], ['day', 30], ['month', 12]] as const;
  let value = s;
  for (const [name, most] of steps) {
    if (Math.abs(value) < most) return relative.format(Math.round(value), name);
    value /= most;
  }
  return relative.format(Math.round(value), 'year');
}

export const bitrate = (kbps: number): string =>
  kbps >= 1000 ? megabits.format(kbps / 1000) : kilobits.format(kbps);

export const bytes = (n: number): string =>
  n >= 1e12 ? terabytes.format(n / 1e12) : n >= 1e11 ? wholeGigabytes.format(n / 1e9) : n >= 1e9 ? gigabytes.format(n / 1e9) : n >= 1e6 ? megabytes.format(n / 1e6) : kilobytes.format(Math.ceil(n / 1e3));
