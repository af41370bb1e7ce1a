// A long list that the server gives out by cursor, of which only a window is in memory. Pages are
// learned in order; far ones are dropped and, since their cursors are known, fetched again when
// they are scrolled back to. One request is under way at a time.
import { ApiError } from './api';

export interface PageOf<Row> {
  rows: Row[];
  next_cursor: string | null;
  total: number;
}
export type Fetch<Row> = (cursor: string | null, signal: AbortSignal) => Promise<PageOf<Row>>;

interface Slot<Row> {
  start: number;
  length: number;
  cursor: string | null;
  next: string | null;
  rows: Row[] | null;
}

// Rows fetched before they are seen, and kept after.
const AHEAD = 60;
const KEPT = 1500;

export class Paged<Row> {
  slots = $state.raw<Slot<Row>[]>([]);
  total = $state<number | null>(null);
  error = $state.raw<ApiError | null>(null);
  isBusy = $state(false);
  #fetch: Fetch<Row> | null = null;
  #current = new AbortController();
  #isFirst = true;
  #from = 0;
  #to = 0;

  // Rows whose place is known.
  get known(): number {
    const last = this.slots.at(-1);
    return last ? last.start + last.length : 0;
  }
  get hasMore(): boolean {
    return (this.slots.at(-1)?.next ?? null) !== null;
  }

  at(index: number): Row | undefined {
    const slot = this.#slotAt(index);
    return slot?.rows?.[index - slot.start];
  }

  // The first row in memory that is what is looked for.
  find(is: (row: Row) => boolean): { index: number; row: Row } | undefined {
    for (const slot of this.slots) {
      const at = slot.rows?.findIndex(is) ?? -1;
      const row = slot.rows?.[at];
      if (row !== undefined) return { index: slot.start + at, row };
    }
    return undefined;
  }

  // Begins again from the first page. What was shown stays until that has come.
  async start(fetch: Fetch<Row>): Promise<void> {
    this.#current.abort();
    this.#current = new AbortController();
    this.#fetch = fetch;
    this.isBusy = false;
    await this.#load(null);
  }

  stop(): void {
    this.#current.abort();
  }

  // The first page as it is now, without touching the list.
  peek(): Promise<PageOf<Row>> | undefined {
    return this.#fetch?.(null, this.#current.signal);
  }

  // The list is looked at from one row to another.
  need(from: number, to: number): void {
    this.#from = from;
    this.#to = to;
    this.#fill();
  }

  retry = (): void => {
    this.error = null;
    if (this.slots.length) this.#fill();
    else void this.#load(null);
  };

  // Takes a row out; gives its index, for insert(), or -1.
  remove(is: (row: Row) => boolean): number {
    let index = -1;
    this.#rearrange((slot) => {
      const at = index < 0 ? (slot.rows?.findIndex(is) ?? -1) : -1;
      if (at < 0) return slot.rows;
      index = slot.start + at;
      return slot.rows?.toSpliced(at, 1) ?? null;
    });
    if (index >= 0 && this.total !== null) this.total--;
    this.#askAgain();
    return index;
  }

  insert(index: number, row: Row): void {
    const into = this.#slotAt(index) ?? this.slots.at(-1);
    this.#rearrange((slot) => (slot === into ? (slot.rows?.toSpliced(index - slot.start, 0, row) ?? null) : slot.rows));
    if (this.total !== null) this.total++;
    this.#askAgain();
  }

  // An answer that is under way may not know of the change yet.
  #askAgain(): void {
    if (!this.isBusy) return;
    this.#current.abort();
    this.#current = new AbortController();
    this.isBusy = false;
    if (this.#isFirst) void this.#load(null);
    else this.#fill();
  }

  #rearrange(rowsOf: (slot: Slot<Row>) => Row[] | null): void {
    let start = 0;
    this.slots = this.slots.map((slot) => {
      const rows = rowsOf(slot);
      const next = { ...slot, start, rows, length: rows?.length ?? slot.length };
      start += next.length;
      return next;
    });
  }

  #slotAt(index: number): Slot<Row> | undefined {
    let low = 0;
    let high = this.slots.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const slot = this.slots[middle];
      if (!slot) return undefined;
      if (index < slot.start) high = middle - 1;
      else if (index >= slot.start + slot.length) low = middle + 1;
      else return slot;
    }
    return undefined;
  }

  #fill(): void {
    if (this.isBusy || this.error || !this.slots.length) return;
    const from = Math.max(0, this.#from - AHEAD);
    const to = this.#to + AHEAD;
    const dropped = this.slots.find((s) => s.rows === null && s.start < to && s.start + s.length > from);
    if (dropped) void this.#load(dropped.cursor, dropped);
    else if (this.hasMore && to > this.known) void this.#load(this.slots.at(-1)?.next ?? null);
  }

  async #load(cursor: string | null, dropped?: Slot<Row>): Promise<void> {
    if (!this.#fetch) return;
    this.#isFirst = cursor === null;
    const { signal } = this.#current;
    this.isBusy = true;
    try {
      const page = await this.#fetch(cursor, signal);
      if (signal.aborted) return;
      this.error = null;
      this.total = page.total;
      this.#place(cursor, page, dropped);
      this.isBusy = false;
      this.#fill();
    } catch (error) {
      if (signal.aborted) return;
      this.error = error instanceof ApiError ? error : new ApiError(0, 'INTERNAL', String(error));
      this.isBusy = false;
    }
  }

  #place(cursor: string | null, page: PageOf<Row>, dropped?: Slot<Row>): void {
    const slot: Slot<Row> = {
      start: dropped?.start ?? (cursor === null ? 0 : this.known),
      // A dropped page keeps its place, whatever has become of its rows.
      length: dropped?.length ?? page.rows.length,
      cursor,
      next: page.next_cursor,
      rows: page.rows,
    };
    const others = dropped
      ? this.slots.map((s) => (s === dropped ? slot : s))
      : cursor === null ? [slot] : [...this.slots, slot];
    this.slots = others.map((s) =>
      s.rows && (s.start + s.length < this.#from - KEPT || s.start > this.#to + KEPT) && s !== slot
        ? { ...s, rows: null }
        : s,
    );
  }
}
