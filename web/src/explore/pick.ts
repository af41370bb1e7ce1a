// From a row of an answer to the filter that leaves its plays, and from there to an address.
import { rangeOf, withRange, withValues, type ListName } from '../lib/filter';
import { filterValue, type ColumnName, type Mark, type MarkOf, type Params, type Row } from './spec';
import { bucketSpan, isBucket, type Step } from './time';

const isKnown = (row: Row, name: string): boolean => (row[name] ?? null) !== null;

export const labelsOf = (mark: MarkOf<'bars'>): readonly ColumnName[] => (typeof mark.label === 'string' ? [mark.label] : mark.label);

// A bar without a name, of nothing that the filter could tell.
export const isUnknownBar = (mark: MarkOf<'bars'>, row: Row): boolean =>
  ![...labelsOf(mark), ...mark.filters.map(([, name]) => name)].some((name) => isKnown(row, name));

// Of a bar: by the first of its columns whose value is known; of the unknown one by unknown. null: the
// filter has no word for it.
export function filterOfBar(mark: MarkOf<'bars'>, row: Row): Params | null {
  const found = isUnknownBar(mark, row) ? mark.filters[0] : mark.filters.find(([, name]) => isKnown(row, name));
  return found ? { [found[0]]: filterValue(row[found[1]]) } : null;
}

// The mark with those filters only that fit what was chosen.
export function markWith(mark: Mark, params: Params): Mark {
  if (mark.kind !== 'bars') return mark;
  const chosen = Object.values(params);
  return { ...mark, filters: mark.filters.filter(([, , value]) => value === undefined || chosen.includes(value)) };
}

// The filter of a row; null where the filter has no word for it (an hour of the week).
export function filterOfRow(mark: Mark, row: Row, step: Step): Params | null {
  switch (mark.kind) {
    case 'columns':
      return { ...bucketSpan(String(row[mark.x]), step), ...(mark.filter && { [mark.filter]: filterValue(row[mark.series]) }) };
    case 'lines': {
      if (!isBucket(row[mark.x])) return null;
      const series = 'series' in mark && mark.filter && row[mark.series] !== 'all' ? { [mark.filter]: filterValue(row[mark.series]) } : {};
      return { ...bucketSpan(String(row[mark.x]), step), ...series };
    }
    case 'bars': return filterOfBar(mark, row);
    case 'grid': return mark.filter ? { [mark.filter]: filterValue(row[mark.row]) } : null;
    case 'calendar': return bucketSpan(String(row[mark.x]), 'day');
    case 'steps':
    case 'flow': return null;
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
