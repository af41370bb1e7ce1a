// What a program that is not running left in its store, read from a copy.
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from './simulator.mjs';

const binary = path.join(build, 'tests', 'store', 'store_rows');

// The rows of one query, or of several in their order. withoutWal: as at the last checkpoint.
export async function storeRows(folder, sql, { withoutWal = false } = {}) {
  const copy = await mkdtemp(path.join(os.tmpdir(), 'cartographus-store-'));
  try {
    const file = path.join(copy, 'store.duckdb');
    await cp(path.join(folder, 'cartographus.duckdb'), file);
    const wal = path.join(folder, 'cartographus.duckdb.wal');
    if (!withoutWal && existsSync(wal)) await cp(wal, `${file}.wal`);
    const text = execFileSync(binary, [file, ...[sql].flat()], { maxBuffer: 1 << 28 }).toString();
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  } finally {
    await rm(copy, { recursive: true });
  }
}
