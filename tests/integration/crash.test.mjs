// kill -9 at 50 random instants while people watch on a server of each kind, and what the store holds
// after it: everything that was in the log, once; the same as from the same log at one go; each
// playback one play; and what is said about the time when we were dead.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, newFolder, password, startIdle, startProgram } from './program.mjs';
import { build, Children, startSimulator, until } from './simulator.mjs';
import { storeRows } from './store.mjs';

const kills = Number(process.env.CRASHES ?? 50);
const seed = Number(process.env.SEED ?? Date.now() % 1000000);
const pushMs = 500;
const people = [1, 2, 3, 4, 5];
const tables = ['server', 'person', 'account', 'library', 'title', 'title_key', 'device', 'quality',
  'place', 'address', 'setting', 'observation', 'session_in', 'view_in', 'coverage', 'segment', 'play'];

// The same numbers for the same seed (mulberry32).
let state = seed;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const between = (from, to) => from + random() * (to - from);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const children = new Children();
const dead = []; // [from, to]: no process
let root, folder, port, sim, truth, isWatching = true;

const sqlite = (file, sql) => execFileSync('sqlite3', [file, sql], { maxBuffer: 1 << 28 }).toString();
const logFile = (data) => path.join(data, 'log.sqlite');

// --- who watches what --------------------------------------------------------------------------

// Each person on each server watches one title after the other, and pauses now and then.
async function watch(server, person) {
  for (let n = 0; isWatching && n < 25; n++) {
    const session = await sim.control('/sessions',
      { server, person, item: person * 25 + n, position_percent: 10 });
    const end = Date.now() + between(1000, 25000);
    while (isWatching && Date.now() < end) {
      await wait(between(300, 5000));
      if (random() < 0.4) {
        await sim.act(session, 'pause');
        await wait(between(300, 3000));
        await sim.act(session, 'resume');
      }
    }
    await sim.act(session, 'stop');
    await wait(between(0, 2000));
  }
}

// --- lives ---------------------------------------------------------------------------------------

function live() {
  if (dead.length) dead.at(-1)[1] = Date.now();
  const child = children.spawn(path.join(build, 'cartographus'), ['serve'], { env: {
    PATH: process.env.PATH, DATA_DIR: folder, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port),
    JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password,
    ...sim.environment(), SYNC_INTERVAL: '10s' } });
  return child;
}
const ended = (child) => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
  else child.once('exit', resolve);
});
async function end(child, signal) {
  assert.equal(child.exitCode, null, child.text);
  child.kill(signal);
  const code = await ended(child);
  dead.push([Date.now(), Infinity]);
  return code;
}

// What the log forgets is kept beside it, for the second run.
const keepLog = () => existsSync(logFile(folder)) &&
  sqlite(logFile(folder), "select 1 from sqlite_master where name = 'record'") &&
  sqlite(logFile(folder), `create table if not exists kept as select * from record limit 0;
  create trigger if not exists keep after delete on record begin
    insert into kept values (old.seq, old.kind, old.appended_us, old.payload); end`);

// A run without media servers on a copy of the folder: it applies the log and stops.
async function settle(data) {
  const program = await startIdle({}, data);
  await program.stop();
}

const rowsOf = (data) => storeRows(data, tables.map((table) =>
  `select '${table}' as "table", r as row from (select * from ${table} order by all) r`));

async function damageWal() {
  const [whole, damaged] = ['whole', 'damaged'].map((name) => path.join(root, name));
  for (const copy of [whole, damaged]) 
    await cp(folder, copy, { recursive: true, filter: (from) => !from.endsWith('.sock') });
  const wal = path.join(damaged, 'cartographus.duckdb.wal');
  const bytes = await readFile(wal);
  bytes[Math.floor(bytes.length / 2)] ^= 0xff;
  await writeFile(wal, bytes);
}

before(async () => {
  console.log(`# SEED=${seed}`);
  root = await newFolder();
  folder = path.join(root, 'data');
  await mkdir(folder);
  port = await freePort();
  sim = await startSimulator(children, 1, 2);
  const audience = sim.servers.flatMap((_, server) => people.map((person) =>
    watch(server, person).catch((error) => { if (isWatching) throw error; })));
  let checkpoints = 0;
  for (let i = 0; i < kills; i++) {
    const child = live();
    const isLong = i >= kills / 2 && !existsSync(path.join(root, 'whole')); // long enough to write
    await wait(isLong ? 5000 : random() < 0.2 ? between(0, 500) : between(500, 2800));
    await end(child, 'SIGKILL');
    keepLog();
    // Now and then a whole life: its end is a checkpoint, after which the log is trimmed.
    if (i === Math.floor(kills / 3)) {
      const whole = live();
      await wait(4000);
      assert.equal(await end(whole, 'SIGTERM'), 0, whole.text);
      checkpoints++;
    }
    if (isLong && existsSync(path.join(folder, 'cartographus.duckdb.wal'))) await damageWal();
    await wait(between(0, 300));
  }
  assert.equal(checkpoints, 1);
  const last = live();
  await until('every server is connected and read', async () => {
    const value = await fetch(`http://127.0.0.1:${port}/api/v1/sync/status`).then((r) => r.json(),
      () => ({ servers: [] }));
    return { is: value.servers.length === 3 &&
      value.servers.every((s) => s.state === 'connected' && s.percent === 100), value };
  }, 60000);
  await wait(3000);
  isWatching = false;
  await Promise.all(audience);
  await wait(4000);
  truth = await sim.truth();
  assert.equal(await end(last, 'SIGTERM'), 0, last.text);
});
after(async () => {
  isWatching = false;
  await children.end();
  await rm(root, { recursive: true });
});

// --- the log and the store -----------------------------------------------------------------------

const wholeLog = () => JSON.parse(sqlite(logFile(folder), `select json_group_array(json_object('seq', seq,
  'kind', kind, 'payload', json(payload))) from (select * from record union all
  select * from kept order by seq)`));

test('the log is gapless and trimmed no further than the last checkpoint', async () => {
  const log = wholeLog();
  assert.ok(log.length > 200, `${log.length} records`);
  log.forEach((record, i) => assert.equal(record.seq, i + 1));
  for (const data of [path.join(root, 'whole'), path.join(root, 'damaged')]) {
    const first = Number(sqlite(logFile(data), 'select coalesce(min(seq), 0) from record'));
    const [{ position }] = await storeRows(path.join(root, 'whole'), 'select position from applied',
      { withoutWal: true });
    assert.ok(first > 1 && first <= position + 1, `log from ${first}, checkpoint at ${position}`);
  }
});
test('every session and view of the log is in the store once', async () => {
  const log = wholeLog();
  const last = new Map();
  for (const { kind, payload } of log)
    if (kind === 1) last.set(`${payload.server} ${payload.session}`, payload);
  const sessions = await storeRows(folder, `select v.key || ' ' || s.session as name, s.is_ended,
    (select epoch_us(max(o.last_at)) from observation o where o.segment_id = s.segment_id) as last_us
    from session_in s join server v using (server_id) order by 1`);
  assert.deepEqual(sessions.map((s) => s.name), [...last.keys()].sort());
  for (const s of sessions) {
    assert.equal(s.last_us, last.get(s.name).observed_us, s.name);
    assert.equal(s.is_ended, last.get(s.name).state === 'stopped', s.name);
  }
  const ids = new Set(log.filter((r) => r.kind === 5).flatMap(({ payload }) =>
    payload.views.map((v) => `${payload.server} ${v.source_id}`)));
  const views = await storeRows(folder, `select v.key || ' ' || i.source_id as id
    from view_in i join server v using (server_id) order by 1`);
  assert.deepEqual(views.map((v) => v.id), [...ids].sort());
});
test('the same log at one go gives the same rows', async () => {
  const again = path.join(root, 'again');
  await mkdir(again);
  sqlite(logFile(folder), `vacuum into '${logFile(again)}'`);
  sqlite(logFile(again), 'drop trigger keep; insert into record select * from kept; drop table kept');
  await settle(again);
  assert.deepEqual(await rowsOf(again), await rowsOf(folder));
});
test('a damaged write-ahead log is set aside and replayed from the log', async () => {
  const [whole, damaged] = ['whole', 'damaged'].map((name) => path.join(root, name));
  const program = await startProgram({ SETUP: 'true' }, damaged);
  await program.stop();
  assert.match(program.child.text, /WAL was damaged|was damaged and is set aside/);
  await settle(whole);
  assert.deepEqual(await rowsOf(damaged), await rowsOf(whole));
});

// --- plays and the time when we were dead ----------------------------------------------------------

const keyOf = (server) => `${sim.servers[server].kind}-1`;

test('the time when we were dead is blind in coverage, and nothing of it is anything else', async () => {
  const rows = await storeRows(folder, `select v.key as server, c.state, epoch_ms(c.started) as started,
    epoch_ms(coalesce(c.ended, timestamp '2200-01-01')) as ended from coverage c
    join server v using (server_id) order by c.started`);
  for (const server of sim.servers.keys()) {
    const spans = rows.filter((c) => c.server === keyOf(server));
    const first = spans.find((c) => c.state !== 'blind').started;
    for (const [from, to] of dead.filter(([, end]) => end > first)) {
      const over = spans.filter((c) => c.started < to && c.ended > from);
      assert.deepEqual(over.filter((c) => c.state !== 'blind'), [],
        `${keyOf(server)} was watched while dead from ${from} to ${to}`);
      assert.ok(over.length && over[0].started <= from && over.at(-1).ended >= Math.min(to, Date.now()),
        `${keyOf(server)}: dead from ${from} to ${to}: ${JSON.stringify(over)}`);
      over.slice(1).forEach((c, i) => assert.equal(c.started, over[i].ended));
    }
  }
});
test('a playback is one play, watched as long as the simulator says, within the bounds', async () => {
  const plays = await storeRows(folder, `select v.key as server, a.key as account, t.title, p.watch_ms,
    p.watch_low_ms, p.watch_high_ms, p.is_open, p.segments from play p join server v using (server_id)
    join account a using (account_id) join title t using (title_id)
    where p.kind = 'play' and not p.is_hidden`);
  const spans = await storeRows(folder, `select v.key as server, c.state, epoch_ms(c.started) as started,
    epoch_ms(coalesce(c.ended, timestamp '2200-01-01')) as ended from coverage c
    join server v using (server_id) order by c.started`);
  const blind = spans.filter((c) => c.state === 'blind');
  const name = (p) => `${p.server} ${p.account} ${p.title}`;
  const got = new Map(plays.map((p) => [name(p), p]));
  const first = (server) => Math.min(...spans.filter((c) => c.server === server &&
    c.state !== 'blind').map((c) => c.started));
  assert.equal(got.size, plays.length, 'no title of a person is two plays');
  let across = 0;
  for (const s of truth.sessions) {
    const key = name({ server: keyOf(s.server), account: s.user_id, title: s.title });
    const play = got.get(key);
    const [started, stopped] = [Date.parse(s.started), Date.parse(s.stopped)];
    if (!play) {
      const server = keyOf(s.server);
      assert.ok(stopped < first(server) || blind.some((c) => c.server === server &&
        c.started <= started + pushMs && c.ended >= stopped - pushMs),
      `${key}: from ${started} to ${stopped}, not seen; ${JSON.stringify(spans)}`);
      continue;
    }
    got.delete(key);
    const near = pushMs * s.changes;
    const text = `${key}: watched ${s.wall_playing_ms}, stated ${play.watch_ms} `
      + `(${play.watch_low_ms} to ${play.watch_high_ms}), ${s.changes} changes`;
    assert.equal(play.is_open, false, text);
    assert.ok(play.watch_low_ms <= play.watch_ms && play.watch_ms <= play.watch_high_ms, text);
    assert.ok(s.wall_playing_ms >= play.watch_low_ms - near, text);
    assert.ok(s.wall_playing_ms <= play.watch_high_ms + near, text);
    if (dead.some(([from, to]) => from > started && to < stopped)) across++;
  }
  assert.deepEqual([...got.keys()], [], 'no play that nobody watched');
  assert.ok(across > 10, `${across} playbacks went on across a kill`);
});
