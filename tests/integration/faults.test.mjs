// Faults at the media servers, over real sockets: how many plays, how long they were watched, and
// what is said about the time when nobody could know. What is expected comes from the simulator.
//
// Every kind of server meets every fault at the same time, on a server of its own. Six people watch
// one title each: A pauses and goes on, B pauses before the fault and goes on within it, C begins
// within it, D stops within it, E stops within it and takes the title up again after it, F comes
// and goes before it and G after it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { newFolder, startProgram } from './program.mjs';
import { Children, kinds, startSimulator, until } from './simulator.mjs';
import { storeRows } from './store.mjs';

const faultMs = 12000;
// Exact: nothing is in doubt. Blind: stated as such. Polling: seen now and then only.
const faults = [
  { name: 'no fault', is: 'exact' },
  { name: 'duplicated messages', is: 'exact', kind: 'duplicate' },
  { name: 'messages out of order', is: 'exact', kind: 'reorder' },
  { name: 'garbage between the answers', is: 'exact', kind: 'garbage', every: 2 },
  { name: 'a clock that is an hour ahead', is: 'exact', kind: 'skew', ms: 3600000 },
  { name: 'a clock that is a day behind', is: 'exact', kind: 'skew', ms: -86400000 },
  { name: 'a socket that is cut', is: 'exact', kind: 'drop', ms: 100 },
  { name: 'a socket that stays down', is: 'polling', kind: 'drop' },
  { name: 'a stall', is: 'blind', kind: 'stall', ms: 8000 },
  { name: 'a stall past every patience', is: 'blind', kind: 'stall' },
  { name: 'a restart', is: 'blind', kind: 'restart' },
  { name: 'a token that is refused for a while', is: 'blind', kind: 'unauthorized' },
  { name: 'nothing but garbage', is: 'blind', kind: 'garbage' },
];
// A server tells of a change at most this late; between two looks a little more passes.
const pushMs = 500;

const children = new Children();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let folder, sim, program, truth, plays, views, coverage;
const times = {};
// How long this machine let the disk or a server wait that has no fault. Beyond the program's own
// patience it is blind, rightly, where the test meant no fault.
let slowestMs = 0;
const patienceMs = 1000;

const serverOf = (fault, kind) => kinds.indexOf(kind) * faults.length + faults.indexOf(fault);
const keyOf = (fault, kind) => `${kind}-${faults.indexOf(fault) + 1}`;

// One playback on every server, at 92 %: enough for the server's own history.
const titles = { A: 1, B: 2, C: 3, D: 4, E: 5, F: 6, G: 7 };
const start = (letter) => Promise.all(sim.servers.map((_, server) => sim.control('/sessions',
  { server, person: titles[letter], item: titles[letter], position_percent: 92 })));
const act = (sessions, verb) => Promise.all(sessions.map((s) => sim.act(s, verb)));

const begin = (which) => Promise.all(faults.filter(which).flatMap((fault) =>
  kinds.map((kind) => sim.control('/fault', { server: serverOf(fault, kind), kind: fault.kind,
    ms: fault.ms ?? faultMs, every: fault.every ?? 1 }))));

const allConnected = () => until('every server is connected and read', async () => {
  const value = await (await fetch(program.url('/api/v1/sync/status'))).json();
  return { is: value.servers.length === sim.servers.length &&
    value.servers.every((s) => s.state === 'connected' && s.percent === 100), value };
}, 180000);

async function watchTheMachine() {
  const file = await open(path.join(folder, 'probe'), 'w');
  while (!times.end) {
    const from = Date.now();
    await file.write('x', 0);
    await file.sync();
    await fetch(sim.servers[0].url + '/identity').then((r) => r.text());
    slowestMs = Math.max(slowestMs, Date.now() - from);
    await wait(100);
  }
  await file.close();
}

async function script() {
  const f = await start('F');
  const [a, b, d, e] = [await start('A'), await start('B'), await start('D'), await start('E')];
  await wait(3000);
  await act(b, 'pause');
  await wait(1000);
  await act(f, 'stop');
  await wait(2000);
  times.from = Date.now();
  await begin((fault) => fault.kind && fault.kind !== 'skew');
  await wait(1000);
  const c = await start('C');
  await wait(1000);
  await act(b, 'resume');
  await act(e, 'stop');
  await wait(1500);
  await act(d, 'stop');
  await wait(500);
  await act(a, 'pause');
  await wait(2000);
  await act(a, 'resume');
  await wait(times.from + faultMs - Date.now());
  times.to = Date.now();
  await allConnected();
  await wait(1000);
  const [e2, g] = [await start('E'), await start('G')];
  await wait(5000);
  for (const sessions of [a, b, c, e2, g]) await act(sessions, 'stop');
  await wait(4000);
}

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, faults.length, 1);
  await begin((fault) => fault.kind === 'skew'); // a clock is wrong from the beginning
  program = await startProgram({ ...sim.environment(), SYNC_INTERVAL: '10s' }, folder);
  await allConnected();
  const probe = watchTheMachine();
  await script();
  truth = await sim.truth();
  // The servers' own histories tell of the same plays now.
  const login = { cookie: await program.login() };
  assert.equal((await fetch(program.url('/api/v1/sync/trigger'),
    { method: 'POST', headers: login })).status, 202);
  await wait(500);
  await allConnected();
  times.end = Date.now();
  await probe;
  if (slowestMs > patienceMs) console.log(`# the machine let wait for ${slowestMs} ms`);
  await program.stop();
  plays = await storeRows(folder, `select v.key as server, a.name as name, a.key as username, t.title,
    p.watch_ms, p.watch_low_ms, p.watch_high_ms, p.is_open, p.segments, p.kind, p.origin,
    epoch_ms(p.started) - ${times.from} as started, epoch_ms(p.ended) - ${times.from} as ended
    from play p join server v using (server_id) join account a using (account_id)
    join title t using (title_id) where not p.is_hidden and p.started > make_timestamp(${times.from - 600000}000)`);
  views = await storeRows(folder, `select v.key as server, a.key as username, t.title, p.is_hidden
    from play p join server v using (server_id) join account a using (account_id)
    join title t using (title_id) where p.origin = 'view'
    and p.started > make_timestamp(${times.from - 600000}000)`);
  coverage = await storeRows(folder, `select v.key as server, c.state, c.why,
    epoch_ms(c.started) as started, epoch_ms(c.ended) as ended
    from coverage c join server v using (server_id) order by c.started`);
});
after(async () => {
  if (program?.child.exitCode === null) await program.kill();
  await children.end();
  await rm(folder, { recursive: true });
});

// What the simulator knows of a server: by person and title, which is what a play is here.
function expected(server) {
  const all = new Map(); // by account and title
  for (const s of truth.sessions.filter((one) => one.server === server)) {
    const key = `${s.user_id} ${s.title}`;
    const sum = all.get(key) ?? { name: s.username, watch: 0, changes: 0, started: Infinity, stopped: 0 };
    sum.watch += s.wall_playing_ms;
    sum.changes += s.changes;
    sum.started = Math.min(sum.started, Date.parse(s.started));
    sum.stopped = Math.max(sum.stopped, Date.parse(s.stopped));
    all.set(key, sum);
  }
  return all;
}

function check(fault, kind) {
  const want = expected(serverOf(fault, kind));
  const key = keyOf(fault, kind);
  const got = plays.filter((p) => p.server === key &&
    (p.origin === 'live' || want.has(`${p.username} ${p.title}`)));
  const spans = coverage.filter((c) => c.server === key);
  const spansText = spans.map((c) => `${c.state} ${c.started - times.from}..${c.ended - times.from}`
    + ` ${c.why ?? ''}`).join(', ');
  const blind = spans.filter((c) => c.state === 'blind' && c.started < times.end - 2000);
  assert.equal(want.size, Object.keys(titles).length);
  assert.deepEqual(got.map((p) => `${p.username} ${p.title}`).sort(), [...want.keys()].sort(),
    `one play for each title that somebody watched: ${JSON.stringify(got)}`);
  assert.ok(got.every((p) => p.kind === 'play' && p.origin === 'live' && !p.is_open), JSON.stringify(got));
  const lengthOf = (some) => some.reduce((sum, c) => sum + c.ended - c.started, 0);
  const blindMs = lengthOf(blind), polledMs = lengthOf(spans.filter((c) => c.state === 'polling'));
  const isSlow = slowestMs > patienceMs;
  if (fault.is !== 'blind') assert.ok(isSlow || blind.length === 0, spansText);
  else {
    assert.ok(isSlow ? blind.length > 0 : blind.length === 1, spansText);
    const span = blind.find((c) => c.ended > times.from + 3000);
    const to = times.from + (fault.ms ?? faultMs);
    assert.ok(span.started < times.from + 1000 && span.started > times.from - 11000,
      `blind from ${span.started - times.from} ms after the fault began: ${spansText}`);
    assert.ok(span.ended >= to - 1000 && span.ended < to + 12000,
      `blind until ${span.ended - to} ms after the fault ended: ${spansText}`);
  }
  if (fault.is === 'polling') assert.ok(spans.some((c) => c.state === 'polling' &&
    c.started < times.from + 1000 && c.ended > times.to - 1000), spansText);
  for (const play of got) {
    const { name, watch, changes, started, stopped } = want.get(`${play.username} ${play.title}`);
    assert.equal(play.name, name);
    const near = pushMs * changes;
    const text = `${play.title}: watched ${watch}, stated ${play.watch_ms} `
      + `(${play.watch_low_ms} to ${play.watch_high_ms}), ${changes} changes`;
    assert.ok(play.watch_low_ms <= play.watch_ms && play.watch_ms <= play.watch_high_ms, text);
    assert.ok(watch >= play.watch_low_ms - near && watch <= play.watch_high_ms + near, text);
    const isOutside = fault.is === 'exact' ? !blind.length
      : stopped < times.from || started > times.to;
    if (isOutside) {
      assert.equal(play.watch_low_ms, play.watch_high_ms, text);
      assert.ok(Math.abs(play.watch_ms - watch) <= near, text);
    } else if (fault.is !== 'polling') {
      // Between two looks nobody announces what changes.
      assert.ok(play.watch_high_ms - play.watch_low_ms <= blindMs + polledMs + near,
        `${text}; blind for ${blindMs}, only polled for ${polledMs}`);
    }
  }
  const told = views.filter((v) => v.server === key && want.has(`${v.username} ${v.title}`));
  assert.ok(told.length >= want.size, `the server's own history told of ${told.length} plays`);
  assert.deepEqual(told.filter((v) => !v.is_hidden), []);
}

for (const fault of faults)
  for (const kind of kinds)
    test(`${kind}, ${fault.name}`, () => check(fault, kind));
