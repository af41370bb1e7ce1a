// What the guide says of a server that runs: each row by its number, on the real binary with a
// simulated Plex, Jellyfin and Emby. Most rows share one program with default settings, but for limits
// that are reached sooner.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { newFolder, startIdle, startProgram } from '../integration/program.mjs';
import { binary as simulator, Children, startSimulator, until } from '../integration/simulator.mjs';
import { kinds, run, type, wait } from './commands.mjs';

const children = new Children();
const running = []; // programs to stop at the end
let sim, program, cookie, folder;

const started = async (...args) => {
  const one = await startProgram(...args);
  running.push(one);
  return one;
};
const stopped = async (one) => {
  running.splice(running.indexOf(one), 1);
  await one.stop();
};
const json = async (one, route, options) => (await fetch(one.url(`/api/v1${route}`), options)).json();
const get = (route) => json(program, route, { headers: { cookie } });
const status = (one = program) => json(one, '/sync/status');
const isRead = (one) => until('every server is read', async () => {
  const value = await status(one);
  return { is: value.servers.length > 0 && value.servers.every((s) => s.percent === 100), value };
}, 60000);
// The guide's command, but for the port.
const typed = (line, one = program) => type(line.replace('localhost:3857', `localhost:${one.port}`));
async function watch(one, its) {
  const socket = new WebSocket(`ws://127.0.0.1:${one.port}/api/v1/ws`, { headers: { cookie: its }, origin: one.url('') });
  const frames = [];
  socket.on('message', (text) => frames.push({ at: performance.now(), ...JSON.parse(text) }));
  const closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })));
  await once(socket, 'open');
  return { socket, frames, closed };
}
// What a server was asked since request number `from`.
async function requests(of, kind, pattern, from = 0) {
  const server = of.servers.findIndex((s) => s.kind === kind);
  return (await of.requests()).filter((r) => r.number >= from && r.server === server && pattern.test(r.request));
}
const now = async (of) => ((await of.requests()).at(-1)?.number ?? -1) + 1;
const sessionsPath = { plex: /^GET \/status\/sessions$/, jellyfin: /^GET \/Sessions$/, emby: /^GET \/emby\/Sessions$/ };
const socketPath = { plex: /websockets/, jellyfin: /^GET \/socket/, emby: /embywebsocket/ };
const firstOfSync = { plex: /^GET \/accounts/, jellyfin: /^GET \/Users(\?|$)/, emby: /^GET \/emby\/Users/ };
const realtime = { plex: 'ENABLE_PLEX_REALTIME', jellyfin: 'JELLYFIN_REALTIME_ENABLED', emby: 'EMBY_REALTIME_ENABLED' };
const polling = (kind) => `${kind.toUpperCase()}_SESSION_POLLING_ENABLED`;

// What only takes time is measured beside the rest, and asked for by its row.
const measured = new Map();
async function result(measure) {
  const { value, error } = await measured.get(measure);
  if (error) throw error;
  return value;
}
async function pollingAsSet() {
  const other = await startSimulator(children, 1, 1);
  const one = await started({ ...other.environment(), PLEX_SESSION_POLLING_INTERVAL: '1s', JELLYFIN_SESSION_POLLING_INTERVAL: '2s', EMBY_SESSION_POLLING_INTERVAL: '30s' });
  await isRead(one);
  await wait(500);
  const from = await now(other);
  await wait(6200);
  const counts = await Promise.all(kinds.map(async (kind) => (await requests(other, kind, sessionsPath[kind], from)).length));
  await stopped(one);
  return counts;
}
// How often each kind has been synced again, with 10 s, by the time that it has with 30 s.
async function syncingAgain() {
  const again = {};
  const watched = await Promise.all(['10s', '30s'].map(async (interval) => {
    const other = await startSimulator(children, 1, 1);
    const one = await started({ ...other.environment(), SYNC_INTERVAL: interval });
    await isRead(one);
    return { other, one, from: await now(other) };
  }));
  const counts = (kind) => Promise.all(watched.map(async ({ other, from }) => (await requests(other, kind, firstOfSync[kind], from)).length));
  await until('every kind is synced again', async () => {
    for (const kind of kinds) {
      const [often, seldom] = await counts(kind);
      if (!again[kind] && seldom) again[kind] = { often, seldom };
    }
    return { is: kinds.every((kind) => again[kind]), value: again };
  }, 120000);
  for (const { one } of watched) await stopped(one);
  return again;
}

const seen = []; // answers of sync/status from the first moment on
before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 60);
  program = await started({ ...sim.environment(), API_MAX_PAGE_SIZE: '60', WS_MAX_SUBSCRIBERS: '3', SYNC_BATCH_SIZE: '20' });
  while (!seen.at(-1)?.servers.length || seen.at(-1).servers.some((s) => s.percent !== 100)) {
    seen.push(await status());
    assert.ok(seen.length < 5000, JSON.stringify(seen.at(-1)));
  }
  cookie = await program.login();
  for (const measure of [pollingAsSet, syncingAgain]) measured.set(measure, measure().then((value) => ({ value }), (error) => ({ error })));
});
after(async () => {
  for (const one of running) await one.kill();
  await children.end();
  await rm(folder, { recursive: true });
});

test('row 1: curl health answers without a login as the guide shows', async () => {
  const { code, out } = await typed('curl http://localhost:3857/api/v1/health');
  assert.equal(code, 0);
  const health = JSON.parse(out);
  assert.equal(health.status, 'healthy');
  assert.equal(health.database, 'connected');
  for (const name of ['version', 'uptime']) assert.ok(typeof health[name] === 'string' && health[name] !== '', name);
});

test('row 1: a store that is broken is not connected, and the status not healthy', async () => {
  const data = path.join(folder, 'broken');
  const one = await started({ SETUP: 'true' }, data);
  const file = path.join(data, 'cartographus.duckdb');
  const ill = async (what) => {
    const answer = await fetch(one.url('/api/v1/health'));
    assert.equal(answer.status, 503, what);
    const health = await answer.json();
    assert.deepEqual([health.status, health.database], ['unhealthy', 'failing'], what);
  };
  const well = async () => assert.equal((await json(one, '/health')).database, 'connected');
  await well();
  await rename(file, `${file}.away`);
  await ill('its file is gone');
  execFileSync('cp', [`${file}.away`, file]);
  await ill('another file is in its place');
  await rename(`${file}.away`, file);
  await well();
  execFileSync('truncate', ['-s', '0', file]);
  await ill('its file is emptied');
  await one.kill();
});

test('row 2: the version is the real build\'s, with its commit', async () => {
  const { version } = await json(program, '/health');
  assert.match(version, /^\d+\.\d+\.\d+\+[0-9a-f]{7,}$/);
  assert.ok((await run(['version'])).out.includes(version));
  const commit = version.split('+')[1];
  const known = await type(`git rev-parse --verify --quiet ${commit}^{commit}`, { cwd: path.dirname(new URL(import.meta.url).pathname) });
  assert.equal(known.code, 0, `${commit} is a commit of ours`);
});

test('row 3: curl sync/status answers without a login what is no secret', async () => {
  const { code, out } = await typed('curl http://localhost:3857/api/v1/sync/status');
  assert.equal(code, 0);
  const open = JSON.parse(out);
  assert.deepEqual(Object.keys(open), ['state', 'servers']);
  assert.match(open.state, /^(idle|running)$/);
  assert.deepEqual(open.servers.map((s) => s.kind), kinds);
  for (const [i, server] of open.servers.entries()) {
    assert.deepEqual(Object.keys(server).sort(), ['kind', 'ordinal', 'percent', 'state']);
    assert.equal(server.ordinal, i + 1);
    assert.equal(server.state, 'connected');
    assert.equal(server.percent, 100);
  }
  const whole = await until('all are counted', async () => {
    const value = await get('/sync/status');
    return { is: value.servers.length > 0 && value.servers.every((s) => s.plays > 0), value };
  }, 60000);
  for (const server of whole.servers)
    for (const name of ['key', 'name', 'url', 'error']) assert.ok(name in server, name);
});

// By hand, so that Host and all else are as given.
const trigger = (one, headers = {}) => new Promise((resolve, reject) => {
  http.request(one.url('/api/v1/sync/trigger'), { method: 'POST', headers, agent: false }, (answer) => {
    let text = '';
    answer.on('data', (chunk) => { text += chunk; });
    answer.on('end', () => resolve({ status: answer.statusCode, retry: answer.headers['retry-after'], body: JSON.parse(text) }));
  }).on('error', reject).end();
});
const isRefused = (answer, what) => {
  assert.equal(answer.status, 401, what);
  assert.match(answer.body.error.message, /POST \/api\/v1\/auth\/login/, what);
};
test('row 4: curl -X POST sync/trigger, typed at this machine, once in 10 seconds', async () => {
  for (const headers of [
    { origin: program.url('') }, { origin: 'http://evil.example' }, { referer: program.url('/') }, { cookie: 'a=b' },
    { 'sec-fetch-site': 'none' }, { 'sec-fetch-storage-access': 'none' }, { forwarded: 'for=1.2.3.4' }, { 'x-forwarded-for': '127.0.0.1' },
    { 'x-forwarded-prefix': '/' }, { 'x-real-ip': '127.0.0.1' }, { via: '1.1 proxy' },
    { host: 'localhost' }, { host: 'localhost:1' }, { host: `evil.example:${program.port}` }, { host: `localhost.evil.example:${program.port}` }, { host: `127.0.0.2:${program.port}` },
  ]) isRefused(await trigger(program, headers), JSON.stringify(headers));
  const from = await now(sim);
  const { out } = await typed('curl -X POST http://localhost:3857/api/v1/sync/trigger');
  assert.match(JSON.parse(out).state, /^(started|running)$/);
  assert.deepEqual(Object.keys(JSON.parse(out)), ['state']);
  for (const kind of kinds)
    await until(`${kind} is asked`, async () => {
      const value = await requests(sim, kind, firstOfSync[kind], from);
      return { is: value.length > 0, value };
    });
  for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
    const again = await trigger(program, { host: `${host}:${program.port}` });
    assert.equal(again.status, 429, host);
    assert.ok(Number(again.retry) > 0);
  }
  const closed = await started({ ...sim.environment(), TRUST_LOOPBACK: 'false' });
  isRefused(await trigger(closed), 'TRUST_LOOPBACK=false');
  for (const host of ['127.0.0.1', '[::1]', 'localhost']) isRefused(await trigger(closed, { host: `${host}:${closed.port}` }), host);
  await stopped(closed);
});

test('row 4, 50: a trigger joins the sync that runs, and says so', async () => {
  await isRead(program);
  await sim.fault('plex', 'stall', 1500);
  const from = await now(sim);
  const ask = async () => (await fetch(program.url('/api/v1/sync/trigger'), { method: 'POST', headers: { cookie } })).json();
  assert.deepEqual(await ask(), { state: 'started' });
  await until('it runs', async () => { const value = await status(); return { is: value.state === 'running', value }; });
  assert.deepEqual(await ask(), { state: 'running' });
  await isRead(program);
  assert.equal((await requests(sim, 'plex', firstOfSync.plex, from)).length, 1, 'one sync at a time');
});

test('row 50: one import at a time, said when refused', async () => {
  const file = path.join(folder, 'tautulli.db');
  execFileSync(simulator, ['tautulli', '--out', file, '--seed', '3', '--rows', '20000'], { stdio: 'ignore' });
  const one = await startIdle();
  running.push(one);
  const its = await one.login();
  const begin = () => fetch(one.url('/api/v1/import?name=tautulli.db'), { method: 'POST', headers: { cookie: its }, body: readFileSync(file) });
  const [first, second] = await Promise.all([begin(), begin()]);
  const refused = first.status === 202 ? second : first;
  assert.deepEqual([first.status, second.status].sort(), [202, 409]);
  assert.match((await refused.json()).error.message, /another import is running: one at a time; wait for its end/);
  await one.kill();
  running.splice(running.indexOf(one), 1);
});

test('row 16: each switch is that of its own kind\'s socket', async () => {
  const other = await startSimulator(children, 1, 0);
  for (const off of kinds) {
    const from = await now(other);
    const one = await started({ ...other.environment(), [realtime[off]]: 'false' });
    await until('all are watched', async () => {
      const { servers: value } = await status(one);
      return { is: value.length === kinds.length && value.every((s) => s.state === (s.kind === off ? 'polling' : 'connected')), value };
    });
    for (const kind of kinds)
      assert.equal((await requests(other, kind, socketPath[kind], from)).length, kind === off ? 0 : 1, `${off} off: ${kind}`);
    await stopped(one);
  }
});

test('row 17: polling as set', async () => {
  assert.match((await run(['config', 'show'])).out, /^PLEX_SESSION_POLLING_ENABLED=true\nPLEX_SESSION_POLLING_INTERVAL=30s$/m);
  const counts = await result(pollingAsSet);
  assert.ok(counts[0] >= 5 && counts[0] <= 7, `plex every second: ${counts}`);
  assert.ok(counts[1] >= 2 && counts[1] <= 4, `jellyfin every other second: ${counts}`);
  assert.ok(counts[2] <= 1, `emby every 30 s: ${counts}`);
});

test('row 17: polling off means once after each connect, on a hint, and while a session is open', async () => {
  const other = await startSimulator(children, 1, 1);
  const off = Object.fromEntries(kinds.map((kind) => [polling(kind), 'false']));
  const from = await now(other);
  // An interval that would be seen at once, were polling on.
  const one = await started({ ...other.environment(), ...off, ...Object.fromEntries(kinds.map((kind) => [`${kind.toUpperCase()}_SESSION_POLLING_INTERVAL`, '1s'])) });
  const its = await one.login();
  const asked = (kind, since) => requests(other, kind, sessionsPath[kind], since).then((all) => all.length);
  await isRead(one);
  await wait(3000);
  for (const kind of kinds) assert.equal(await asked(kind, from), 1, `${kind}: once after the connect`);
  for (const kind of kinds) {
    const before = await now(other);
    const session = await other.play(kind, { person: 1, kind: 'movie' });
    await until(`${kind}: the hint shows the session`, async () => {
      const { sessions: value } = await json(one, '/sessions', { headers: { cookie: its } });
      return { is: value.some((s) => s.server_kind === kind && s.title === session.title), value };
    });
    assert.ok(await asked(kind, before) >= 1, `${kind}: asked on a hint`);
    const open = await now(other);
    await until(`${kind}: asked again while it is open`, async () => ({ is: await asked(kind, open) > 0, value: 'not' }), 8000);
    await other.act(session, 'stop');
    await until(`${kind}: the stop is seen`, async () => {
      const { sessions: value } = await json(one, '/sessions', { headers: { cookie: its } });
      return { is: !value.some((s) => s.server_kind === kind), value };
    });
  }
  await wait(2500); // what was hinted last is looked at once more
  const idle = await now(other);
  await wait(4000);
  for (const kind of kinds) assert.equal(await asked(kind, idle), 0, `${kind}: not asked while nothing plays`);
  await other.fault('emby', 'drop', 200);
  await until('emby is connected again', async () => {
    const value = await requests(other, 'emby', socketPath.emby, idle);
    return { is: value.length > 0, value };
  }, 20000);
  await wait(2000);
  assert.equal(await asked('emby', idle), 1, 'emby: once after the next connect');
  await stopped(one);
});

test('row 19: the first sync of every kind has a percent and an end', async () => {
  assert.ok(seen.some((s) => s.state === 'running'), 'running is said');
  assert.equal((await isRead(program)).state, 'idle');
  for (const kind of kinds) {
    const percents = seen.map((s) => s.servers.find((one) => one.kind === kind)?.percent).filter((n) => n !== null && n !== undefined);
    assert.ok(percents.some((n) => n > 0 && n < 100), `${kind}: ${[...new Set(percents)]}`);
    assert.deepEqual(percents, percents.toSorted((a, b) => a - b), `${kind} never goes back`);
    assert.equal(percents.at(-1), 100);
  }
});

test('row 22: SYNC_INTERVAL is 5 minutes by default, and as set for all kinds of servers', async () => {
  assert.match((await run(['config', 'show'])).out, /^SYNC_INTERVAL=5m$/m);
  const again = await result(syncingAgain);
  for (const kind of kinds) assert.ok(again[kind].often > again[kind].seldom, `${kind}: ${JSON.stringify(again[kind])}`);
});

test('row 23: start, pause, resume and stop reach the browser within a second, by the median, of each kind', async (t) => {
  const { socket, frames } = await watch(program, cookie);
  const took = Object.fromEntries(kinds.map((kind) => [kind, []]));
  const arrival = (kind, what, from, is) => until(`${kind}: ${what}`, async () => {
    const value = frames.find((f) => f.at >= from && f.data?.server_kind !== undefined ? is(f) && f.data.server_kind === kind : f.at >= from && is(f));
    return { is: value !== undefined, value };
  }, 8000);
  const follow = async (kind) => {
    for (const person of [2, 3, 4]) {
      let from = performance.now();
      const session = await sim.play(kind, { person, kind: 'movie' });
      const start = await arrival(kind, 'start', from, (f) => f.type === 'session_start' && f.data.title === session.title);
      took[kind].push(start.at - from);
      const { id } = start.data;
      for (const [verb, is] of [
        ['pause', (f) => f.type === 'session_progress' && f.data.id === id && f.data.state === 'paused'],
        ['resume', (f) => f.type === 'session_progress' && f.data.id === id && f.data.state === 'playing'],
        ['stop', (f) => f.type === 'session_stop' && f.data.id === id],
      ]) {
        await wait(300);
        from = performance.now();
        await sim.act(session, verb);
        took[kind].push((await arrival(kind, verb, from, is)).at - from);
      }
    }
  };
  await Promise.all(kinds.map(follow));
  socket.terminate();
  for (const kind of kinds) {
    const sorted = took[kind].toSorted((a, b) => a - b).map(Math.round);
    t.diagnostic(`${kind}: ${sorted.join(' ')} ms`);
    assert.ok(sorted[Math.floor(sorted.length / 2)] < 1000, `${kind}: ${sorted}`);
  }
});

test('row 26: page sizes have limits, with a clear answer beyond them', async () => {
  const page = async (limit) => fetch(program.url(`/api/v1/plays${limit === null ? '' : `?limit=${limit}`}`), { headers: { cookie } });
  for (const [limit, rows] of [[null, 50], [1, 1], [60, 60]]) {
    const answer = await page(limit);
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).rows.length, rows);
  }
  for (const limit of [61, 0, -1, 1.5, 'all']) {
    const answer = await page(limit);
    assert.equal(answer.status, 400, limit);
    const { error } = await answer.json();
    assert.equal(error.field, 'limit');
    assert.match(error.message, /1.*60/, error.message);
  }
});

test('row 29: WS_MAX_SUBSCRIBERS, and the next one is refused with a reason', async () => {
  const open = await Promise.all([1, 2, 3].map(() => watch(program, cookie)));
  const { closed } = await watch(program, cookie);
  assert.deepEqual(await closed, { code: 1013, reason: 'all 3 live connections are taken; try again later' });
  for (const one of open) assert.equal(one.socket.readyState, WebSocket.OPEN);
  open[0].socket.close();
  await open[0].closed;
  const next = await watch(program, cookie);
  await wait(300);
  assert.equal(next.socket.readyState, WebSocket.OPEN);
  for (const one of [...open, next]) one.socket.terminate();
});

test('row 31: every kind\'s plays get a place; what has none is counted with the reason', async () => {
  const { servers } = await get('/filters');
  await Promise.all(kinds.map(async (kind) => {
    const on = async () => (await get('/sessions')).sessions.filter((s) => s.server_kind === kind);
    const sessions = await Promise.all([...Array(12).keys()].map((person) => sim.play(kind, { person, kind: 'movie' })));
    const all = await until(`${kind} shows them`, async () => { const value = await on(); return { is: value.length === sessions.length, value }; });
    const away = all.filter((s) => s.address_class === 'public'), home = all.filter((s) => s.address_class === 'lan');
    assert.ok(away.length > 0 && home.length > 0, `${kind}: ${all.map((s) => s.address_class)}`);
    const unknown = away.filter((s) => s.place === null); // a public address that no database has
    assert.ok(unknown.length < away.length, `${kind}: ${away.map((s) => s.place)}`);
    for (const one of home) assert.equal(one.place, null, kind);
    await Promise.all(sessions.map((session) => sim.act(session, 'stop')));
    await until(`${kind} is done with them`, async () => { const value = await on(); return { is: value.length === 0, value }; });
    const only = `short=include&server_ids=${servers.find((s) => s.kind === kind).id}`;
    await until(`${kind}: places and the rest add up to all plays`, async () => {
      const [{ data }, { total }] = await Promise.all([get(`/analytics/locations?${only}`), get(`/plays?${only}`)]);
      const by = (is) => data.filter(is).reduce((sum, row) => sum + row.plays, 0);
      const nowhere = (kind) => by((r) => r.place_id === null && r.class === kind);
      const value = { placed: by((r) => r.place_id !== null), lan: nowhere('lan'), unknown: nowhere('public'), all: by(() => true), total };
      return { is: value.placed >= away.length - unknown.length && value.lan >= home.length && value.unknown >= unknown.length && value.all === total, value };
    }, 20000);
    const { data } = await get(`/analytics/data-quality?${only}`);
    const row = data.find((r) => r.field === 'place');
    assert.ok(row.rows >= away.length && row.missing >= unknown.length && row.missing < row.rows, `${kind}: ${JSON.stringify(row)}`);
  }));
});

test('row 49: a server without plays is told apart from one whose history cannot be read', async () => {
  const other = await startSimulator(children, 1, 0);
  const one = await started({ ...other.environment() });
  const its = await one.login();
  await isRead(one);
  const servers = async () => (await json(one, '/sync/status', { headers: { cookie: its } })).servers;
  await wait(1500); // any view would be counted by now
  for (const server of await servers()) assert.deepEqual([server.plays, server.history_error], [0, null], server.kind);
  for (const kind of kinds) await other.fault(kind, 'forbidden', 60000);
  await fetch(one.url('/api/v1/sync/trigger'), { method: 'POST', headers: { cookie: its } });
  await until('it is said', async () => {
    const value = await servers();
    return { is: value.length > 0 && value.every((s) => /refuses the token \(HTTP 403\)/.test(s.history_error ?? '')), value };
  }, 20000);
  assert.equal((await status(one)).state, 'idle', 'a sync that failed does not run for ever');
  await stopped(one);
});
