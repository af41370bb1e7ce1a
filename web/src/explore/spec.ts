// What a chart is: one query of the catalogue, and how its columns become marks. Each chart is one
// file in charts/; nothing else names it but its title in messages/explore.ts.
import type { ListName } from '../lib/filter';
import type { QueryName, QueryParams, QueryRows } from '../lib/queries.gen';
import type { Meta } from '../lib/types';
import type { explore } from '../messages/explore';

export type Value = string | number | boolean | null;
export type Row = Record<string, Value>;
export type Params = Record<string, string>;
type Given = Record<string, string | number>;

// How a column is written.
export type Format =
  | 'text' | 'word' | 'type' | 'decision' | 'engine' | 'resolution' | 'column' | 'count' | 'mean' | 'duration' | 'share'
  | 'change' | 'percent' | 'score' | 'rate' | 'bytes' | 'twentieth' | 'instant' | 'bucket' | 'slot' | 'weekday' | 'hour' | 'year';

type Named<Prefix extends string, Key = keyof typeof explore> = Key extends `${Prefix}${infer Name}` ? Name : never;
export type ColumnName = Named<'column.'>;
export type ChartName = Named<'chart.'>;

// What may be counted: a column, and what the query is asked for it.
export interface Measure<Column extends string = ColumnName, Asked = Given> {
  name: Named<'by.'>;
  column: Column & ColumnName;
  params?: Asked;
  // Drawn as shares of each bucket rather than as amounts.
  isShare?: boolean;
  // Without the amount of this column (steps).
  less?: Column & ColumnName;
}

// What the reader may choose besides: a parameter of the query, and which of its values; the first is
// asked for at the start.
type ChoiceOf<Asked> = {
  [Name in keyof Asked & string]: {
    param: Name & Named<'choice.'>;
    values: readonly (Extract<Asked[Name], string> & Named<`choice.${Name}.`>)[];
    // There only while this is chosen of another one.
    when?: string;
  }
}[keyof Asked & string];
export interface Choice {
  param: string;
  values: readonly string[];
  when?: string;
}

// Which filter takes which column's value, and, where that depends on it, for which chosen value.
export type Pick<Column> = [ListName, Column, string?];

// `filter` is what a click on a mark sets.
export type Mark<Column extends string = ColumnName> =
  // Columns over time, stacked by the values of `series`; a click on a column sets the dates.
  // `only`: of rows with this value.
  | { kind: 'columns'; x: Column & ColumnName; series: Column & ColumnName; filter?: ListName; only?: [Column, string] }
  // One line a value of `series`, or one a column of `lines`, over time or in the rows' order; where
  // it is not known the line is broken.
  | { kind: 'lines'; x: Column & ColumnName; series: Column & ColumnName; filter?: ListName; only?: [Column, string] }
  | { kind: 'lines'; x: Column & ColumnName; lines: readonly (Column & ColumnName)[]; only?: [Column, string] }
  // One bar a row, the greatest first. `label`: the first column that is known. `filters`: the first
  // whose value is known counts; none: a click does nothing. `tint` is the column that colours, `more`
  // one that tells namesakes apart; `beside` stand as figures beside the bar, where there is room.
  | {
      kind: 'bars'; label: (Column & ColumnName) | readonly (Column & ColumnName)[]; filters: Pick<Column>[];
      tint?: Column & ColumnName; more?: Column & ColumnName; beside?: readonly (Column & ColumnName)[];
    }
  // One column a row, in the order of the rows; the unknown last. `only`: rows with this value.
  | { kind: 'steps'; x: Column & ColumnName; only?: [Column, string] }
  // Bands from the values of one column to those of another.
  | { kind: 'flow'; from: Column & ColumnName; to: Column & ColumnName }
  // The values of one column by those of another, in the order of the rows. `most`: rows of cells;
  // `needs`: no cell where this column is not known; `filter` takes the row's value.
  | {
      kind: 'grid'; row: Column & ColumnName; column: Column & ColumnName; most?: number; needs?: Column; filter?: ListName;
    }
  // A square a day, a column a week. `streak`: the column that counts the days in a row.
  | { kind: 'calendar'; x: Column & ColumnName; streak: Column };
export type MarkOf<Kind extends Mark['kind']> = Extract<Mark, { kind: Kind }>;

interface Spec<Query extends string, Column extends string, Asked> {
  section: 'activity' | 'people' | 'titles' | 'quality';
  order: number;
  query: Query;
  params?: Asked;
  choices?: readonly (string extends Query ? Choice : ChoiceOf<Asked>)[];
  // The columns of the table, in their order.
  columns: Partial<Record<Column & ColumnName, Format>>;
  measures: [Measure<Column, Asked>, ...Measure<Column, Asked>[]];
  mark: Mark<Column>;
  // Whether the same query over the period before is drawn under it.
  isComparable?: boolean;
  // Takes the width of two.
  isWide?: boolean;
  // Stands behind "more" of its section.
  isMore?: boolean;
}

// A chart of one query, whose columns and parameters are held against the query's own.
export type ChartOf<Query extends QueryName> = Spec<Query, Extract<keyof QueryRows[Query], string>, QueryParams[Query]>;
// Any chart.
export type ChartSpec = Spec<string, ColumnName, Given>;

// What a mark component is given.
export interface MarkProps<M extends Mark> {
  title: string;
  mark: M;
  rows: Row[];
  // The rows of the period before, when it is compared with.
  previous: Row[];
  meta: Meta;
  measure: Measure;
  columns: ChartSpec['columns'];
  pick: (filter: Params) => void;
}

// The filter's word for a value: unknown is a value, too.
export const filterValue = (value: Value | undefined): string =>
  value === null || value === undefined ? 'unknown' : String(value);
