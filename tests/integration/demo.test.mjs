// Demo mode: its history comes in by the real import, and is of the same people, titles and plays as
// its simulated Plex server's own; once; in a folder of its own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from './program.mjs';
import { build, Children, until } from './simulator.mjs';

const binary = path.resolve(build, 'cartographus');
const children = new Children();
const began = new Date().toISOString();
let folder, data, demo, truth;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-demo-'));
  data = path.join(folder, 'data');
  demo = path.join(data, 'demo');
});
after(async () => { await children.end(); await rm(folder, { recursive: true }); });

async function start(where, env) {
  const child = children.spawn(binary, ['--data', where], {
    cwd: folder,
    env: {
      PATH: process.env.PATH, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(await freePort()),
      JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: 'correct horse battery', ...env,
    },
  });
  child.ended = new Promise((resolve) => child.once('close', resolve));
  return child;
}
const stop = async (child) => {
  child.kill('SIGTERM');
  assert.equal(await child.ended, 0, child.text);
};
const ask = (target) => new Promise((resolve, reject) => {
  http.get({ socketPath: path.join(demo, 'control.sock'), path: `/api/v1${target}` }, (answer) => {
    let text = '';
    answer.on('data', (chunk) => { text += chunk; });
    answer.on('end', () => {
      if (answer.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`${target}: ${answer.statusCode} ${text}`));
    });
  }).on('error', reject);
});
const imports = async () => (await ask('/import').catch(() => ({ imports: [] }))).imports;
const imported = (child) => until('the history is imported', async () => (
  { is: (await imports())[0]?.state === 'done', value: child.text }), 180000);

// Every play of the Plex server, by pages.
async function plexPlays() {
  const { data: coverage } = await ask('/analytics/coverage');
  const { server_id: id } = coverage.find((c) => c.server === 'Demo plex');
  const plays = [];
  let cursor = '';
  do {
    const page = await ask(`/plays?server_ids=${id}&limit=200&short=include&cursor=${cursor}`);
    plays.push(...page.rows);
    cursor = page.next_cursor;
  } while (cursor);
  return plays;
}

test('the start waits for no history; it comes in by an import', async () => {
  const child = await start(data, { DEMO: 'true' });
  await until('the first answer', async () => (
    { is: await ask('/health/ready').then(() => true, () => false), value: child.text }), 30000);
  await imported(child);
  const until_s = (await readFile(path.join(demo, 'demo-until'), 'utf8')).trim();
  truth = JSON.parse(execFileSync(path.join(build, 'sim', 'cartographus-sim'), ['tautulli', '--out',
    path.join(folder, 'again.db'), '--servers', '3', '--until', until_s], { maxBuffer: 1 << 24 }));
  const [report] = await imports();
  assert.equal(report.rows_added, truth.rows);
  assert.equal(report.server, 'plex-1');
  assert.equal(report.people, truth.people.length);
  await until('the servers\' own history is in', async () => {
    const { servers } = await ask('/sync/status');
    return { is: servers.length > 0 && servers.every((s) => s.percent === 100 && s.plays > 0), value: servers };
  }, 180000);
  await stop(child);
});

test('rows that were imported and the server\'s own are of the same people, titles and plays', async () => {
  const child = await start(data, { DEMO: 'true' });
  await until('sessions', async () => (
    { is: (await ask('/sessions').catch(() => ({}))).sessions?.length > 0, value: child.text }), 30000);
  const users = (await ask('/analytics/users?days=400')).data;
  assert.equal(users.length, truth.people.length, 'nobody is there twice');
  for (const { account } of (await ask('/sessions')).sessions)
    assert.ok(truth.people.some((p) => p.username === account), `${account}, who watches now, is known`);
  const plays = await plexPlays();
  // What somebody now goes on with is live, and began before.
  const past = plays.filter((p) => p.origin !== 'live' || p.started < began);
  const views = past.filter((p) => p.origin === 'view');
  const sql = (text) => execFileSync('sqlite3', [path.join(folder, 'again.db'), text]).toString().trim();
  // A row whose end was never written matches no view: nobody knows when it was seen to the end.
  const endless = sql('select full_title from session_history_metadata m join session_history h using (id)'
    + ' where coalesce(stopped, 0) = 0').split('\n');
  for (const view of views)
    assert.ok(endless.includes(view.full_title), `${view.full_title} was imported, and is there as a view, too`);
  // Every row is in exactly one play, be it one that somebody now goes on with.
  let rows = 0;
  for (const play of past.filter((p) => p.origin !== 'view')) {
    if (play.origin === 'import') rows += play.segments;
    else rows += (await ask(`/plays/${play.id}`)).segments.filter((g) => g.origin === 'import').length;
  }
  assert.equal(rows, truth.rows);
  assert.equal((await imports()).length, 1, 'a second start imports nothing');
  await stop(child);
});

test('a demo and real data never share a folder', async () => {
  const over = await start(demo, { SETUP: 'true' });
  assert.equal(await over.ended, 1);
  assert.match(over.text, /DATA_DIR: '.*demo' holds the demo's invented data/);
  const real = path.join(folder, 'real');
  await mkdir(path.join(real, 'demo'), { recursive: true });
  await writeFile(path.join(real, 'demo', 'cartographus.duckdb'), 'somebody\'s');
  const onto = await start(real, { DEMO: 'true' });
  assert.equal(await onto.ended, 1);
  assert.match(onto.text, /DEMO=true: '.*real\/demo' holds a store that is not the demo's/);
  assert.equal(await readFile(path.join(real, 'demo', 'cartographus.duckdb'), 'utf8'), 'somebody\'s');
  const both = await start(path.join(folder, 'both'), {
    DEMO: 'true', ENABLE_PLEX_SYNC: 'true', PLEX_URL: 'http://127.0.0.1:9', PLEX_TOKEN: 'a-token-of-a-test' });
  assert.equal(await both.ended, 1);
  assert.match(both.text, /does not go together with media servers of your own/);
});
