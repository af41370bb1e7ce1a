// The words for a range of dates.
import { filter } from '../messages/filter';
import type { Range } from './filter';
import { day, localDay } from './format';
import { texts } from './text';

const t = texts(filter);

// A bare date is a day; anything else an instant, or a mistake, which the server will name.
function dated(text: string): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return localDay(text);
  return Number.isNaN(Date.parse(text)) ? text : day(text);
}

export function rangeName(range: Range): string {
  if (range.kind === 'all') return t('range.all');
  if (range.kind === 'days') return range.days === 365 ? t('range.365') : t('range.days', { n: range.days });
  const { from, to } = range;
  if (from && to) return from === to ? dated(from) : t('range.between', { from: dated(from), to: dated(to) });
  return from ? t('range.since', { from: dated(from) }) : t('range.until', { to: dated(to ?? '') });
}
