// What a title is called in a line, and what it is.
import type { IconName } from '../lib/Icon.svelte';
import { isKey } from '../lib/names';
import { texts } from '../lib/text';
import { shared } from '../messages/shared';
import { titles } from '../messages/titles';
import type { Title, TitleEvent } from '../lib/types';

type Named = Pick<Title, 'id' | 'media_type' | 'title' | 'parent_title' | 'grandparent_title' | 'season' | 'episode' | 'year'>;

const t = texts(titles, shared);

export const nameOf = (one: Named): string => one.title ?? t('unnamed', { id: one.id });

// The show or artist, which episode, the year.
export function detailOf(one: Named): string {
  const number = one.media_type === 'episode' && one.season !== null && one.episode !== null
    ? t('episode', { season: one.season, episode: one.episode }) : '';
  return [one.grandparent_title, number, one.media_type === 'track' ? one.parent_title : null, one.media_type === 'movie' ? one.year : null]
    .filter(Boolean).join(' · ');
}
// All of it: two titles may have one name.
export const wholeName = (one: Named): string => [nameOf(one), detailOf(one)].filter(Boolean).join(' · ');

const icons: Record<string, IconName> = { movie: 'film', episode: 'episode', track: 'track', live: 'live' };
export const iconOf = (one: Named): IconName => icons[one.media_type ?? ''] ?? 'file';

export function whyOf(why: string): string {
  const key = `why.${why}`;
  return isKey(titles, key) ? t(key) : why;
}

export function sentence(e: TitleEvent): string {
  const items = e.items.map(({ title, servers }) => (servers.length ? t('item', { title, servers: servers.join(', ') }) : title)).join(', ');
  return t(`event.${e.kind}`, { who: e.who ?? '', items, from: e.from_title ?? '', to: e.to_title ?? '' });
}
