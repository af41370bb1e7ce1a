// The demo with a history that has watch time, devices and places: backfill alone has none, so a
// Tautulli database of the simulator is imported first.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { binary } from '../integration/simulator.mjs';
import { startDemo, until } from './browser.mjs';

export async function startDemoWithPlaces() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
  const file = path.join(folder, 'tautulli.db');
  const [demo] = await Promise.all([
    startDemo({ SERVER_LATITUDE: '52.37', SERVER_LONGITUDE: '4.9' }),
    promisify(execFile)(binary, ['tautulli', '--out', file, '--rows', '4000', '--days', '60']),
  ]);
  try {
    const { import: begun } = await demo.ask('/import?name=tautulli.db', { method: 'POST', body: await readFile(file) });
    await until('the history is imported', async () => {
      const { import: value } = await demo.ask(`/import/${begun.id}`);
      assert.notEqual(value.state, 'failed', value.error);
      return { is: value.state === 'done', value };
    }, 60000);
  } catch (error) {
    await demo.end();
    throw error;
  }
  await rm(folder, { recursive: true });
  return demo;
}
