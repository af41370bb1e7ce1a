// What may be filtered on, asked once for all places and again at most once a minute.
import { shared } from '../messages/shared';
import { api } from './api';
import { cityName, countryName, decisionName, resolutionName, typeName } from './names';
import { withValues, type ListName } from './filter';
import type { LocationsRow, PopularRow } from './queries.gen';
import { texts } from './text';
import type { Choices } from './types';

const t = texts(shared);
const OLD_MS = 60_000;

export interface Choice { value: string; label: string }

class ChoiceStore {
  all = $state.raw<Choices | null>(null);
  isFailed = $state(false);
  // Names of titles and places, which have no list: they come into the address by a click.
  named = $state<Record<string, string>>({});
  #askedAt = 0;
  #asked = new Set<string>();

  async ask(): Promise<void> {
    if (Date.now() - this.#askedAt < OLD_MS) return;
    this.#askedAt = Date.now();
    try {
      this.all = await api.choices();
      this.isFailed = false;
    } catch {
      this.isFailed = true;
      this.#askedAt = 0;
    }
  }

  askTitles(ids: readonly string[]): Promise<void> {
    return this.#askNames('titles', ids, async (query) => {
      query.set('limit', String(ids.length));
      const { data } = await api.analytics<PopularRow>('popular', query);
      return data.map((row) => [row.title_id, row.title]);
    });
  }

  askPlaces(ids: readonly string[]): Promise<void> {
    return this.#askNames('places', ids, async (query) => {
      const { data } = await api.analytics<LocationsRow>('locations', query);
      return data.map((row) => [row.place_id, cityName(row.city, row.country_code, row.country)]);
    });
  }

  async #askNames(
    list: 'titles' | 'places', ids: readonly string[],
    ask: (query: URLSearchParams) => Promise<[number | null, string | null][]>,
  ): Promise<void> {
    const missing = ids.filter((id) => id !== 'unknown' && !this.#asked.has(`${list} ${id}`));
    if (!missing.length) return;
    for (const id of missing) this.#asked.add(`${list} ${id}`);
    try {
      const rows = await ask(withValues(new URLSearchParams(), list, missing));
      for (const [id, name] of rows) if (name) this.named[`${list} ${String(id)}`] = name;
    } catch {
      // The number stays in its place; a later address asks again.
      for (const id of missing) this.#asked.delete(`${list} ${id}`);
    }
  }
}
export const choices = new ChoiceStore();

const ids = (all: { id: number; name: string | null }[]): Choice[] =>
  all.map((one) => ({ value: String(one.id), label: one.name ?? t('unnamed', { id: String(one.id) }) }));

// Libraries of the same name on different servers are told apart by the server's.
function libraries({ libraries: all, servers }: Choices): Choice[] {
  const named = ids(all);
  return named.map((one, i) => {
    const server = servers.find((s) => s.id === all[i]?.server_id)?.name;
    const isAlone = named.filter((other) => other.label === one.label).length === 1;
    return isAlone || !server ? one : { ...one, label: `${one.label} · ${server}` };
  });
}
const words = (all: string[], name: (word: string) => string = (word) => word): Choice[] =>
  all.map((value) => ({ value, label: name(value) }));

// The values to choose from; none for what has no list (titles, places: they come from a click).
export function choicesOf(name: ListName, all: Choices): Choice[] {
  switch (name) {
    case 'users': return ids(all.people);
    case 'server_ids': return ids(all.servers);
    case 'libraries': return libraries(all);
    case 'media_types': return words(all.media_types, typeName);
    case 'platforms': return words(all.platforms);
    case 'transcode_decisions': return words(all.transcode_decisions, decisionName);
    case 'video_resolutions': return words(all.video_resolutions, resolutionName);
    case 'countries': return words(all.countries, countryName);
    default: return [];
  }
}

// What one value is called, even before the choices are here or when it is none of them.
export function choiceName(name: ListName, value: string): string {
  if (name === 'titles' || name === 'places') return choices.named[`${name} ${value}`] ?? value;
  const known = choices.all && choicesOf(name, choices.all).find((choice) => choice.value === value);
  if (known) return known.label;
  switch (name) {
    case 'media_types': return typeName(value);
    case 'transcode_decisions': return decisionName(value);
    case 'video_resolutions': return resolutionName(value);
    case 'countries': return countryName(value);
    default: return value;
  }
}
