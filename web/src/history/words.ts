// How a play is put in words. Unknown is never said as zero.
import { clock, percent } from '../lib/format';
import { texts } from '../lib/text';
import type { Play } from '../lib/types';
import { history } from '../messages/history';
import { shared } from '../messages/shared';

const t = texts(history, shared);

export const headingOf = (p: Play): string => p.grandparent_title ?? p.title ?? p.full_title ?? t('unknown');

export function detailOf(p: Play): string {
  if (p.media_type === 'episode') {
    const numbered = p.season !== null && p.episode !== null ? t('history.episode', { season: p.season, episode: p.episode }) : '';
    return [numbered, p.title].filter(Boolean).join(' · ');
  }
  if (p.grandparent_title) return [p.title, p.parent_title].filter(Boolean).join(' · ');
  return p.year ? String(p.year) : '';
}

// Doubt of less than a minute is not worth a sign.
const DOUBT_MS = 60_000;
export const isDoubtful = (p: Play): boolean => p.kind === 'play' && p.watch_high_ms - p.watch_low_ms >= DOUBT_MS;

export function watchedOf(p: Play): string {
  if (p.kind === 'play') return clock(p.watch_ms);
  return p.watch_high_ms ? t('history.at_most', { time: clock(p.watch_high_ms) }) : t('history.not_known');
}

// Why the number is what it is, in a sentence.
export function whyWatched(p: Play): string {
  if (p.kind === 'view') return p.watch_high_ms ? t('why.pair') : t('why.view');
  if (p.is_open) return t('why.open');
  if (p.origin === 'import') return t('why.import');
  if (p.watch_low_ms !== p.watch_high_ms) return t('why.between', { low: clock(p.watch_low_ms), high: clock(p.watch_high_ms) });
  return t('why.observed');
}

export const progressOf = (p: Play): string => (p.percent === null ? '' : percent(Math.min(p.percent, 100) / 100));
