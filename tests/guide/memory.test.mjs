// Rows 24 and 28 of the guide: what its options do to the memory of the real program, as the kernel
// counts it (VmHWM: the most that was ever in memory).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newFolder, startIdle, startProgram } from '../integration/program.mjs';
import { binary as simulator, Children, startSimulator, until } from '../integration/simulator.mjs';
import { run } from './commands.mjs';

const children = new Children();
let folder;
before(async () => { folder = await newFolder(); });
after(async () => { await children.end(); await rm(folder, { recursive: true }); });

const peakMb = (one) => Number(readFileSync(`/proc/${one.child.pid}/status`, 'utf8').match(/VmHWM:\s+(\d+)/)[1]) / 1024;

test('row 24: DUCKDB_MAX_MEMORY, 2 GB by default, bounds what a heavy query takes', async (t) => {
  assert.match((await run(['config', 'show'], { cwd: folder })).out, /^DUCKDB_MAX_MEMORY=2GB$/m);
  const file = path.join(folder, 'tautulli.db'), data = path.join(folder, 'data');
  execFileSync(simulator, ['tautulli', '--out', file, '--seed', '3', '--rows', '800000'], { stdio: 'ignore' });
  const filling = await startIdle({}, data);
  const cookie = await filling.login();
  const begun = await fetch(filling.url('/api/v1/import?name=tautulli.db'), { method: 'POST', headers: { cookie }, body: createReadStream(file), duplex: 'half' });
  const { id } = (await begun.json()).import;
  await until('the history is in', async () => {
    const value = (await (await fetch(filling.url(`/api/v1/import/${id}`), { headers: { cookie } })).json()).import;
    return { is: value.state === 'done', value };
  }, 120000);
  await filling.stop();
  // All plays sorted by a text, and the queries whose rows do not fit into little memory.
  const heavy = ['plays?sort=title&limit=200', ...['codecs', 'connection-security', 'frame-rate', 'hdr',
    'container', 'qoe', 'audio', 'approximate'].map((name) => `analytics/${name}`)];
  const peak = async (most) => {
    const one = await startIdle({ DUCKDB_MAX_MEMORY: most, DUCKDB_THREADS: '2', QUERY_TIMEOUT: '10m' }, data);
    const headers = { cookie: await one.login() };
    for (const what of heavy) {
      const answer = await fetch(one.url(`/api/v1/${what}`), { headers });
      const text = await answer.text();
      // What does not fit is refused, in words.
      assert.ok(answer.ok || /DUCKDB_MAX_MEMORY/.test(text), `${what}: ${answer.status} ${text.slice(0, 300)}`);
    }
    const mb = peakMb(one);
    await one.stop();
    return mb;
  };
  const little = await peak('64MB'), much = await peak('4GB');
  t.diagnostic(`peak with 64MB: ${little.toFixed()} MB, with 4GB: ${much.toFixed()} MB`);
  assert.ok(little + 20 < much, `${little} MB with 64MB, ${much} MB with 4GB`);
});

test('row 28: a smaller SYNC_BATCH_SIZE takes less memory', async (t) => {
  const sim = await startSimulator(children, 1, 1000);
  const { url, token } = sim.server('plex');
  const peak = async (rows) => {
    const one = await startProgram({ ENABLE_PLEX_SYNC: 'true', PLEX_URL: url, PLEX_TOKEN: token, SYNC_BATCH_SIZE: String(rows) });
    await until('the history is read', async () => {
      const value = await (await fetch(one.url('/api/v1/sync/status'))).json();
      return { is: value.servers[0]?.percent === 100, value };
    }, 60000);
    const mb = peakMb(one);
    await one.stop();
    return mb;
  };
  const large = await peak(10000), usual = await peak(200);
  t.diagnostic(`peak with 10000 rows: ${large.toFixed()} MB, with 200: ${usual.toFixed()} MB`);
  assert.ok(usual + 10 < large, `${usual} MB with 200 rows, ${large} MB with 10000`);
});
