// From a row of an answer to the filter that leaves its plays, and from there to an address.
import { rangeOf, withRange, withValues, type ListName } from '../lib/filter';
import { filterValue, type Mark, type MarkOf, type Params, type Row } from './spec';
import { bucketSpan, type Step } from './time';

// Of a bar: by the first of its columns whose value is known, else by unknown.
export function filterOfBar(mark: MarkOf<'bars'>, row: Row): Params {
  const found = mark.filters.find(([, name]) => (row[name] ?? null) !== null) ?? mark.filters[0];
  return found ? { [found[0]]: filterValue(row[found[1]]) } : {};
}

export const isUnknownBar = (mark: MarkOf<'bars'>, row: Row): boolean =>
  [...mark.filters.map(([, name]) => name), ...(mark.filters.length ? [] : [mark.label])].every((name) => (row[name] ?? null) === null);

// The filter of a row; null where the filter has no word for it (an hour of the week).
export function filterOfRow(mark: Mark, row: Row, step: Step): Params | null {
  switch (mark.kind) {
    case 'columns':
      return { ...bucketSpan(String(row[mark.x]), step), ...(mark.filter && { [mark.filter]: filterValue(row[mark.series]) }) };
    case 'bars': return mark.filters.length ? filterOfBar(mark, row) : null;
    case 'steps':
    case 'flow':
    case 'grid': return null;
  }
}

// The query with these filters set; dates take the place of whatever range there was.
export function narrowed(query: URLSearchParams, filter: Params): URLSearchParams {
  const { start_date, end_date, ...lists } = filter;
  let next = query;
  if (start_date !== undefined || end_date !== undefined) {
    next = withRange(next, { kind: 'dates', from: start_date ?? null, to: end_date ?? null });
  }
  for (const [name, value] of Object.entries(lists)) next = withValues(next, name as ListName, [value]);
  return next;
}

// Whether the window has two ends, so that there is a period before it.
export function isBounded(query: URLSearchParams): boolean {
  const range = rangeOf(query);
  return range.kind === 'days' || (range.kind === 'dates' && range.from !== null);
}
