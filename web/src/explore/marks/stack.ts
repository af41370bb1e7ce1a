// From rows of (x, series, amount) to columns of stacked parts.
import type { Row, Value } from '../spec';

export interface Part {
  value: Value;
  amount: number;
  from: number;
  to: number;
}
export interface Column {
  bucket: string;
  parts: Part[];
  total: number;
  // The total of the bucket at the same place in the period before; null: not compared.
  before: number | null;
}

interface Names {
  x: string;
  series: string;
  amount: string;
}

export function totalsOf(rows: Row[], names: Names): Map<string, number> {
  const sums = new Map<string, number>();
  for (const row of rows) {
    const bucket = String(row[names.x]);
    sums.set(bucket, (sums.get(bucket) ?? 0) + Number(row[names.amount] ?? 0));
  }
  return sums;
}

// Stacks the values in their given order; as shares, each column is 1 high (0 when it is empty).
export function stack(rows: Row[], previous: Row[], values: Value[], names: Names, isShare: boolean): Column[] {
  const amounts = new Map<string, Map<Value, number>>();
  for (const row of rows) {
    const bucket = String(row[names.x]);
    const value = row[names.series] ?? null;
    const own = amounts.get(bucket) ?? new Map<Value, number>();
    own.set(value, (own.get(value) ?? 0) + Number(row[names.amount] ?? 0));
    amounts.set(bucket, own);
  }
  const before = [...totalsOf(previous, names).values()];
  return [...totalsOf(rows, names)].map(([bucket, total], i) => {
    const scale = isShare ? 1 / (total || 1) : 1;
    let to = 0;
    const parts = values.flatMap((value): Part[] => {
      const amount = (amounts.get(bucket)?.get(value) ?? 0) * scale;
      const from = to;
      to += amount;
      return amount > 0 ? [{ value, amount, from, to }] : [];
    });
    return { bucket, parts, total, before: isShare ? null : (before[i] ?? null) };
  });
}
