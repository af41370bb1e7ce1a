// What the search finds, in groups, each with its address.
import { below } from '../lib/base';
import { withSearch, withValues } from '../lib/filter';
import type { IconName } from '../lib/Icon.svelte';
import type { SearchFuzzyRow } from '../lib/queries.gen';
import { addressOf } from '../lib/route.svelte';
import { texts } from '../lib/text';
import { search as messages } from '../messages/search';

const t = texts(messages);
const kinds = ['movie', 'show', 'episode', 'artist', 'track', 'live', 'person'] as const;
type Kind = (typeof kinds)[number];
const isKind = (kind: string): kind is Kind => (kinds as readonly string[]).includes(kind);
const icons: Record<Kind, IconName> = {
  movie: 'film', show: 'episode', episode: 'episode', artist: 'track', track: 'track', live: 'live', person: 'person',
};
const MOST_OF_A_KIND = 8;

export interface Option { id: string; icon: IconName; name: string; detail: string; plays: number | null; href: string }
export interface Group { key: Kind | 'more'; options: Option[] }

const nothing = new URLSearchParams();

// Which filter chooses the plays of a hit.
export function filterOfHit(hit: SearchFuzzyRow): URLSearchParams {
  if (hit.title_id !== null) return withValues(nothing, 'titles', [String(hit.title_id)]);
  if (hit.person_id !== null) return withValues(nothing, 'users', [String(hit.person_id)]);
  return withValues(withValues(nothing, 'shows', [hit.series ?? hit.name]), 'media_types', [hit.kind === 'artist' ? 'track' : 'episode']);
}

export function detailOfHit(hit: SearchFuzzyRow): string {
  const isPart = hit.kind === 'episode' || hit.kind === 'track';
  const numbered = hit.kind === 'episode' && hit.season !== null && hit.episode !== null
    ? t('search.episode', { season: String(hit.season), episode: String(hit.episode) }) : '';
  return [isPart ? hit.series : '', numbered, hit.kind === 'movie' && hit.year !== null ? String(hit.year) : ''].filter(Boolean).join(' · ');
}

function optionOf(hit: SearchFuzzyRow, kind: Kind, id: string): Option {
  const isProfile = kind === 'person';
  return {
    id, icon: icons[kind], name: hit.name, detail: detailOfHit(hit), plays: hit.plays,
    href: isProfile ? below(`/people/${hit.person_id}`) : addressOf(filterOfHit(hit), '/history'),
  };
}

// The kind of the best hit first; in each the best first, as the server has them. People have pages that
// only administrators see; a viewer is the only one they find.
export function groupsOf(hits: readonly SearchFuzzyRow[], words: string, withPeople: boolean): Group[] {
  const groups: Group[] = [];
  for (const hit of hits) {
    const kind = hit.kind;
    if (!isKind(kind) || (kind === 'person' && !withPeople)) continue;
    let group = groups.find((one) => one.key === kind);
    if (!group) groups.push((group = { key: kind, options: [] }));
    if (group.options.length < MOST_OF_A_KIND) group.options.push(optionOf(hit, kind, `hit-${kind}-${group.options.length}`));
  }
  if (words)
    groups.push({ key: 'more', options: [{
      id: 'hit-more', icon: 'history', name: t('search.in_history', { words }), detail: '', plays: null,
      href: addressOf(withSearch(nothing, words), '/history'),
    }] });
  return groups;
}
