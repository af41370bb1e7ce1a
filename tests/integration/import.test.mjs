// The real binary takes in a Tautulli database: totals as sqlite3 counts them, twice adds nothing,
// killed wherever it is it ends with the rows of an undisturbed run.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { freePort, leaveIdle, password, startIdle, startProgram } from './program.mjs';
import { build, Children, startSimulator, until } from './simulator.mjs';

const KILLS = 25;
const binary = path.resolve(build, 'cartographus');
let folder, program, cookie, small;

const tautulli = (rows) => {
  const file = path.join(folder, `${rows}.db`);
  execFileSync(path.join(build, 'sim', 'cartographus-sim'),
    ['tautulli', '--out', file, '--seed', '3', '--rows', String(rows)], { stdio: ['ignore', 'ignore', 'inherit'] });
  return file;
};
const sqlite = (file, sql) => JSON.parse(execFileSync('sqlite3', ['-json', file, sql], { encoding: 'utf8' }) || '[]');
// Rows of a store that nobody has open.
const rowsOf = (data, ...queries) => {
  const copy = path.join(folder, 'copy.duckdb');
  for (const name of readdirSync(data).filter((n) => n.startsWith('cartographus.duckdb')))
    copyFileSync(path.join(data, name), path.join(folder, name.replace('cartographus', 'copy')));
  return execFileSync(path.join(build, 'tests', 'store', 'store_rows'), [copy, ...queries], { encoding: 'utf8' })
    .trim().split('\n').map((line) => JSON.parse(line));
};

const ask = (method, route, body, headers = { cookie }) =>
  fetch(program.url(`/api/v1${route}`), { method, headers, body });
const get = async (route) => (await ask('GET', route)).json();
async function begin(file, query = '') {
  const answer = await ask('POST', `/import?name=tautulli.db${query}`, readFileSync(file));
  assert.equal(answer.status, 202, await answer.clone().text());
  return (await answer.json()).import;
}
const ended = ({ id }) => until(`import ${id} ends`, async () => {
  const value = (await get(`/import/${id}`)).import;
  return { is: !['counting', 'running'].includes(value.state), value };
}, 120000);

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-import-'));
  program = await startIdle();
  cookie = await program.login();
  small = tautulli(6000);
});
after(async () => {
  await program?.stop();
  await rm(folder, { recursive: true });
});

test('a dry run counts, and leaves no trace', async () => {
  const dry = await ended(await begin(small, '&dry_run=1'));
  assert.equal(dry.state, 'done');
  assert.ok(dry.id < 0 && dry.is_dry_run);
  assert.equal(dry.rows_added, sqlite(small, 'select count(*) n from session_history')[0].n);
  assert.deepEqual(await get('/import'), { imports: [] });
  assert.equal((await get('/plays')).total, 0);
});

test('the totals of each person are those that sqlite3 counts', async () => {
  const frames = [];
  const socket = new WebSocket(program.url('/api/v1/ws'), { headers: { cookie }, origin: program.url('') });
  socket.on('message', (text) => frames.push(JSON.parse(text)));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const done = await ended(await begin(small));
  assert.equal(done.state, 'done');
  assert.equal(done.percent, 100);
  await until('a frame tells of the end', async () => ({
    is: frames.some((f) => f.type === 'import' && f.data.id === done.id && f.data.state === 'done'), value: frames }));
  socket.terminate();
  const theirs = sqlite(small, `select coalesce(nullif(u.friendly_name, ''), u.username) person,
    sum(max(0, h.stopped - h.started - coalesce(h.paused_counter, 0))) seconds, count(*) rows
    from session_history h join users u using (user_id) group by 1`);
  const { data: ours } = await get('/analytics/users?short=include');
  assert.equal(ours.length, theirs.length);
  for (const { person, seconds } of theirs)
    assert.equal(ours.find((o) => o.person === person)?.watch_ms, seconds * 1000, person);
  assert.equal(done.people, theirs.length);
  assert.equal(done.rows_added, theirs.reduce((sum, t) => sum + t.rows, 0));
});

test('a second time adds nothing', async () => {
  const before = await get('/plays?limit=200');
  const again = await ended(await begin(small));
  assert.equal(again.rows_added, 0);
  assert.equal(again.rows_skipped, again.rows_read);
  assert.equal(again.skips[0].reason, 'is there already');
  assert.deepEqual(await get('/plays?limit=200'), before);
});

test('undone it is gone, imported again it is as it was', async () => {
  const [first] = (await get('/import')).imports.filter((i) => i.rows_added > 0);
  const before = await get('/plays?limit=200');
  assert.equal((await ask('DELETE', `/import/${first.id}`)).status, 200);
  assert.equal((await get('/plays')).total, 0);
  assert.equal((await get(`/import/${first.id}`)).import.state, 'undone');
  assert.equal((await ask('DELETE', `/import/${first.id}`)).status, 409);
  assert.equal((await ended(await begin(small))).rows_added, first.rows_added);
  assert.deepEqual(await get('/plays?limit=200'), before);
});

test('what cannot be imported is refused, and told why', async () => {
  const empty = path.join(folder, 'empty.db');
  execFileSync('sqlite3', [empty, 'create table other(a)']);
  for (const [query, body, status, pattern] of [
    ['', 'hello, I am no database', 400, /neither a Tautulli database/],
    ['', undefined, 400, /body must be the file/],
    ['?dry_run=maybe', 'x', 400, /dry_run|0 or 1/],
    ['?server=plex-9', 'x', 400, /no media server 'plex-9'/],
    ['?colour=red', 'x', 400, /no parameter 'colour'/],
  ]) {
    const answer = await ask('POST', `/import${query}`, body);
    assert.equal(answer.status, status, query);
    assert.match((await answer.json()).error.message, pattern);
  }
  // Few bytes: a long upload is cut off with the answer, and what a client then sees is chance.
  const nobody = await ask('POST', '/import', 'SQLite format 3', {});
  assert.equal(nobody.status, 401);
  // A database of another kind looks right until it is opened.
  const other = await ended(await begin(empty));
  assert.equal(other.state, 'failed');
  assert.match(other.error, /no table 'session_history'/);
  assert.equal((await ask('GET', '/import/999')).status, 404);
  assert.equal((await ask('DELETE', '/import/999')).status, 404);
  assert.equal((await ask('POST', '/import/1/cancel')).status, 409);
  assert.deepEqual(readdirSync(path.join(program.folder, 'imports')), []);
});

test('cancelled it counts for nothing; meanwhile another one waits', async () => {
  const file = tautulli(60000);
  const running = await begin(file);
  const second = await ask('POST', '/import', readFileSync(small));
  assert.equal(second.status, 409);
  assert.match((await second.json()).error.message, /one at a time/);
  const before = (await get('/plays')).total;
  await ask('POST', `/import/${running.id}/cancel`);
  const stopped = await ended(running);
  if (stopped.state === 'cancelled') assert.equal((await get('/plays')).total, before);
  else assert.equal(stopped.state, 'done');
});

// --- killed --------------------------------------------------------------------------------------

const prints = ['segment_in', 'segment', 'play', 'title', 'title_key', 'account', 'person', 'device', 'quality',
  'address', 'place', 'library', 'server'].map((table) =>
  `select '${table}' t, count(*) n, bit_xor(hash(x))::varchar h, sum(hash(x)::hugeint)::varchar s from ${table} x`);

async function serve(data, port) {
  leaveIdle(data);
  const child = spawn(binary, ['serve'], { env: { PATH: process.env.PATH, DATA_DIR: data, HTTP_HOST: '127.0.0.1',
    HTTP_PORT: String(port), JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password,
  }, stdio: ['ignore', 'ignore', 'pipe'] });
  child.text = '';
  child.stderr.on('data', (chunk) => { child.text += chunk; });
  child.gone = new Promise((resolve) => child.once('exit', resolve));
  return child;
}
const healthy = (child, port) => until('the server answers', async () => ({
  is: await fetch(`http://127.0.0.1:${port}/api/v1/health`).then((r) => r.ok, () => false), value: child.text }), 60000);

test(`killed ${KILLS} times at random instants, it ends with the rows of an undisturbed run`, async () => {
  const file = tautulli(165000); // more than a row group
  const port = await freePort();
  const url = (route) => `http://127.0.0.1:${port}/api/v1${route}`;
  const enter = async () => ({ cookie: (await fetch(url('/auth/login'), { method: 'POST',
    body: JSON.stringify({ username: 'admin', password }) })).headers.get('set-cookie').split(';')[0] });
  const state = async (headers) => (await (await fetch(url('/import/1'), { headers })).json()).import;
  const start = async (data) => {
    const child = await serve(data, port);
    await healthy(child, port);
    const headers = await enter();
    return { child, headers };
  };
  const post = async (headers) => {
    const answer = await fetch(url('/import?name=t.db'), { method: 'POST', headers, body: readFileSync(file) });
    assert.equal(answer.status, 202);
  };
  const finish = async ({ child, headers }) => {
    const last = await until('the import ends', async () => {
      const value = await state(headers);
      return { is: value.state !== 'running' && value.state !== 'counting', value };
    }, 300000);
    assert.equal(last.state, 'done', JSON.stringify(last));
    child.kill('SIGTERM');
    await child.gone;
    return last;
  };

  const calm = path.join(folder, 'calm');
  mkdirSync(calm, { mode: 0o700 });
  let run = await start(calm);
  const from = Date.now();
  await post(run.headers);
  const { rows_added: added } = await finish(run);
  const took = Date.now() - from;
  const expected = rowsOf(calm, ...prints);
  assert.equal(expected.find((e) => e.t === 'segment_in').n, added);

  let kills = 0, amid = 0;
  for (let round = 0; kills < KILLS; round++) {
    const data = path.join(folder, `killed-${round}`);
    mkdirSync(data, { mode: 0o700 });
    run = await start(data);
    await post(run.headers);
    for (let life = 0; life < 8 && kills < KILLS; life++) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * took * 0.6));
      const now = await state(run.headers).catch(() => undefined);
      run.child.kill('SIGKILL');
      await run.child.gone;
      kills++;
      if (now?.state === 'running' || now?.state === 'counting') amid++;
      run = await start(data);
      if ((await state(run.headers)).state === 'done') break;
    }
    await finish(run);
    const rows = rowsOf(data, ...prints);
    for (const [i, row] of rows.entries())
      assert.deepEqual(row, expected[i], `round ${round}, ${row.t}`);
    assert.deepEqual(readdirSync(path.join(data, 'imports')), []);
    await rm(data, { recursive: true });
  }
  assert.ok(amid > 0, 'no kill met the import at work');
});

test('imported before its server is known or after: the same plays, once', async () => {
  const children = new Children();
  const until_s = Math.floor(Date.now() / 1000);
  const sim = await startSimulator(children, 1, 60, ['--until', String(until_s)]);
  const file = path.join(folder, 'past.db');
  execFileSync(path.join(build, 'sim', 'cartographus-sim'), ['tautulli', '--out', file, '--seed', '1',
    '--servers', '3', '--days', '60', '--until', String(until_s)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const { url, token } = sim.server('plex');
  const plex = { ENABLE_PLEX_SYNC: 'true', PLEX_URL: url, PLEX_TOKEN: token };
  const before = program;
  const run = async (data, environment, act) => {
    mkdirSync(data, { recursive: true });
    if (environment !== plex) leaveIdle(data);
    program = await startProgram(environment, data);
    cookie = await program.login();
    if (environment === plex)
      await until('the past of the server is known', async () => {
        const value = await get('/sync/status');
        return { is: value.servers.some((s) => s.kind === 'plex' && s.percent === 100), value };
      }, 30000);
    await act();
    await program.stop();
  };
  const take = async () => assert.equal((await ended(await begin(file))).state, 'done');
  const outcome = {};
  try {
    // Somebody watches when the server is first heard of: their account is told with what they watch.
    const watched = await sim.play('plex', { person: 1, kind: 'movie' });
    await run(path.join(folder, 'watched'), {}, take);
    await run(path.join(folder, 'watched'), plex, async () => {
      const { servers } = await get('/filters');
      assert.deepEqual([servers.length, (await get('/sessions')).sessions.length], [1, 1]);
    });
    await sim.act(watched, 'stop');
    for (const [name, steps] of [['before', [[{}, take], [plex, () => {}]]], ['after', [[plex, take]]]]) {
      const data = path.join(folder, name);
      for (const [environment, act] of steps) await run(data, environment, act);
      await run(data, plex, async () => {
        const { servers } = await get('/filters');
        // Backfilled rows are applied behind the answer that says that all have come.
        await until('nothing waits to be applied', async () => {
          const { rows_behind, data_version } = (await get('/analytics/summary')).meta;
          await new Promise((resolve) => setTimeout(resolve, 1000));
          const { meta } = await get('/analytics/summary');
          return { is: meta.data_version === data_version && rows_behind > 0, value: meta };
        }, 30000);
        outcome[name] = { servers: servers.length, summary: (await get('/analytics/summary')).data,
          people: (await get('/analytics/users')).data.map(({ person, plays, watch_ms }) => [person, plays, watch_ms]).sort() };
      });
    }
  } finally {
    program = before;
    cookie = await program.login();
    await children.end();
  }
  assert.equal(outcome.before.servers, 1);
  assert.ok(outcome.before.summary[0].plays > 500);
  assert.deepEqual(outcome.before, outcome.after);
});
