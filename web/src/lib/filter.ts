// The filter is the address (docs/internals/api.md, "Filter"): these read it and make the next one.
// Nothing here keeps state. A query may hold other parameters (sort, an open play); they stay.

// What a list parameter can hold values of, in the order in which the bar shows them.
export const listNames = [
  'users', 'server_ids', 'media_types', 'libraries', 'platforms', 'transcode_decisions',
  'video_resolutions', 'countries', 'titles', 'shows', 'players', 'video_codecs', 'audio_codecs',
  'content_ratings', 'years', 'genres', 'location_types', 'cities', 'places',
] as const;
export type ListName = (typeof listNames)[number];

// What a place can say its endpoints apply.
export type FilterName = ListName | 'dates' | 'search';
const others = ['days', 'start_date', 'end_date', 'search'] as const;
const all: readonly string[] = [...others, ...listNames];

export type Range =
  | { kind: 'all' }
  | { kind: 'days'; days: number }
  | { kind: 'dates'; from: string | null; to: string | null };

export function rangeOf(query: URLSearchParams): Range {
  const days = Number(query.get('days'));
  if (Number.isInteger(days) && days > 0) return { kind: 'days', days };
  const from = query.get('start_date');
  const to = query.get('end_date');
  return from || to ? { kind: 'dates', from, to } : { kind: 'all' };
}

// Values stand between commas; a comma or backslash inside one has a backslash before it.
export const valuesOf = (query: URLSearchParams, name: ListName): string[] =>
  ((query.get(name) ?? '').match(/(?:\\.|[^\\,])+/g) ?? []).map((value) => value.replace(/\\(.)/g, '$1'));
const listed = (values: readonly string[]): string => values.map((value) => value.replace(/[\\,]/g, '\\$&')).join(',');

export const searchOf = (query: URLSearchParams): string => query.get('search') ?? '';

// Only the filter's own parameters, in one order, so that the same filter is the same request.
export function filterOf(query: URLSearchParams): URLSearchParams {
  const filter = new URLSearchParams();
  for (const name of all) {
    const value = query.get(name);
    if (value) filter.set(name, value);
  }
  return filter;
}

export const isFiltered = (query: URLSearchParams): boolean => filterOf(query).size > 0;

function change(query: URLSearchParams, values: Record<string, string | null>): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return next;
}

export const withValues = (query: URLSearchParams, name: ListName, values: readonly string[]): URLSearchParams =>
  change(query, { [name]: listed(values) });

// Adds the value, or takes it out if it is there.
export function withToggled(query: URLSearchParams, name: ListName, value: string): URLSearchParams {
  const values = valuesOf(query, name);
  return withValues(query, name, values.includes(value) ? values.filter((v) => v !== value) : [...values, value]);
}

export const withSearch = (query: URLSearchParams, search: string): URLSearchParams =>
  change(query, { search: search.trim() });

export const withRange = (query: URLSearchParams, range: Range): URLSearchParams =>
  change(query, {
    days: range.kind === 'days' ? String(range.days) : null,
    start_date: range.kind === 'dates' ? range.from : null,
    end_date: range.kind === 'dates' ? range.to : null,
  });

export const withoutFilter = (query: URLSearchParams): URLSearchParams =>
  change(query, Object.fromEntries(all.map((name) => [name, null])));
