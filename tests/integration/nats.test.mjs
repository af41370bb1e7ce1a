// The log in NATS JetStream, on the real nats-server: one that is killed again and again while people
// watch, and so is the program; one of the program's own; and a log that moves and comes back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, newFolder, startProgram } from './program.mjs';
import { build, Children, startSimulator, until } from './simulator.mjs';
import { storeRows } from './store.mjs';

const children = new Children();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const between = (from, to) => from + Math.random() * (to - from);
const pushMs = 1500;
const people = [1, 2, 3];
let root, sim;

before(async () => {
  root = await newFolder();
  sim = await startSimulator(children, 1, 2);
});
after(async () => {
  await children.end();
  await rm(root, { recursive: true });
});

async function newData(name) {
  const folder = path.join(root, name);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}
const ended = (child) => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) resolve();
  else child.once('exit', resolve);
});

// --- a server of somebody else's ------------------------------------------------------------------

async function externalServer(name, token) {
  const port = await freePort();
  const conf = path.join(root, `${name}.conf`);
  await writeFile(conf, `listen: "127.0.0.1:${port}"\nauthorization { token: "${token}" }\n`
    + `jetstream { store_dir: "${path.join(root, name)}" }\n`);
  let child;
  const start = () => {
    child = children.spawn('nats-server', ['-c', conf], { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
  };
  start();
  return {
    environment: { NATS_URL: `nats://127.0.0.1:${port}`, NATS_TOKEN: token },
    start,
    kill: async () => { child.kill('SIGKILL'); await ended(child); },
  };
}

const keyOf = (server) => `${sim.servers[server].kind}-1`;
let isWatching = false;
const seen = new Map(); // by server and person: how many titles

// Each person on each server watches one title after the other.
function audience() {
  isWatching = true;
  return Promise.all(sim.servers.flatMap((_, server) => people.map(async (person) => {
    const who = `${server} ${person}`;
    while (isWatching) {
      const n = seen.get(who) ?? 0;
      seen.set(who, n + 1);
      const session = await sim.control('/sessions',
        { server, person, item: (person - 1) * 40 + n, position_percent: 10 });
      for (let n = 0; n < 4 && isWatching; n++) {
        await wait(between(300, 2000));
        await sim.act(session, 'pause');
        await wait(between(300, 1500));
        await sim.act(session, 'resume');
      }
      await sim.act(session, 'stop');
    }
  })));
}
const connected = (program) => until('every server is connected and read', async () => {
  const value = await fetch(program.url('/api/v1/sync/status')).then((r) => r.json());
  return { is: value.servers.length === 3 &&
    value.servers.every((s) => s.state === 'connected' && s.percent === 100), value };
}, 60000);

// Every playback since `since` is one play, watched as long as the simulator says.
async function checkPlays(folder, sessions, blind) {
  const plays = await storeRows(folder, `select v.key as server, a.key as account, t.title, p.watch_ms,
    p.watch_low_ms, p.watch_high_ms, p.is_open, p.segments from play p join server v using (server_id)
    join account a using (account_id) join title t using (title_id)
    where p.kind = 'play' and not p.is_hidden`);
  const name = (p) => `${p.server} ${p.account} ${p.title}`;
  const got = new Map(plays.map((p) => [name(p), p]));
  assert.equal(got.size, plays.length, 'no title of a person is two plays');
  assert.ok(sessions.length >= 9, `${sessions.length} playbacks`);
  for (const s of sessions) {
    const key = name({ server: keyOf(s.server), account: s.user_id, title: s.title });
    const play = got.get(key);
    const [started, stopped] = [Date.parse(s.started), Date.parse(s.stopped)];
    if (!play && blind.some(([from, to]) => from <= started + pushMs && to >= stopped - pushMs)) continue;
    assert.ok(play, `${key} is no play`);
    const near = pushMs * s.changes;
    const text = `${key}: watched ${s.wall_playing_ms}, stated ${play.watch_ms} `
      + `(${play.watch_low_ms} to ${play.watch_high_ms}), ${s.changes} changes`;
    assert.equal(play.is_open, false, text);
    assert.ok(s.wall_playing_ms >= play.watch_low_ms - near, text);
    assert.ok(s.wall_playing_ms <= play.watch_high_ms + near, text);
  }
}

test('a nats-server that is killed and comes back: what people watched is there, once', async () => {
  const folder = await newData('killed');
  const nats = await externalServer('killed-nats', 'a token that nobody sees');
  const env = { ...sim.environment(), ...nats.environment, SYNC_INTERVAL: '10s' };
  let program = await startProgram(env, folder);
  let text = '';
  await connected(program);
  const before = (await sim.truth()).sessions.length;
  const watching = audience();
  const blind = [];
  for (let i = 0; i < 8; i++) {
    await wait(between(500, 2500));
    await nats.kill();
    await wait(between(0, 1500));
    nats.start();
    if (i % 3 === 2) {
      // And so is the program, with the server there again.
      await wait(2500);
      const from = Date.now();
      await program.kill();
      text += program.child.text;
      program = await startProgram(env, folder);
      await connected(program);
      blind.push([from, Date.now()]);
    }
  }
  await wait(1500);
  isWatching = false;
  await watching;
  await wait(4000);
  const { sessions } = await sim.truth();
  await program.stop();
  text += program.child.text;
  assert.match(text, /the log takes nothing; trying again/);
  assert.doesNotMatch(text, /losing records|a token that nobody sees|makes no sense|cannot be applied/);
  await checkPlays(folder, sessions.slice(before), blind);
  const [{ home, position }] = await storeRows(folder, 'select home, position from applied');
  assert.match(home, /^nats CARTOGRAPHUS /);
  assert.ok(position > 50, `${position} records`);
});

// --- one of the program's own ----------------------------------------------------------------------

// The process whose command line has the folder's configuration file.
async function childOf(folder) {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(`-c\0${folder}/nats/server.conf`)) return Number(pid);
  }
  return undefined;
}
const theChild = (folder, besides) => until('nats-server runs', async () => {
  const value = await childOf(folder);
  return { is: value && value !== besides, value };
}, 15000);
const noChild = (folder) => until('no nats-server is left', async () => {
  const value = await childOf(folder);
  return { is: !value, value };
}, 15000);

test('NATS_EMBEDDED: started, restarted when it dies, stopped; it never outlives the program', async () => {
  const folder = await newData('own');
  const env = { ...sim.environment(), NATS_EMBEDDED: 'true' };
  let program = await startProgram(env, folder);
  await connected(program);
  const first = await theChild(folder);
  const conf = path.join(folder, 'nats', 'server.conf');
  assert.equal((await stat(conf)).mode & 0o777, 0o600);
  const settings = await readFile(conf, 'utf8');
  assert.match(settings, /listen: "127\.0\.0\.1:\d+"/);
  const [, token] = settings.match(/token: "(\w{48})"/);
  const environment = (await readFile(`/proc/${first}/environ`, 'utf8')).split('\0').filter(Boolean);
  assert.deepEqual(environment, ['GOMEMLIMIT=1073741824']);
  const before = (await sim.truth()).sessions.length;
  const watching = audience();
  await wait(2000);
  process.kill(first, 'SIGKILL');
  const second = await theChild(folder, first);
  await wait(5000);
  isWatching = false;
  await watching;
  await wait(3000);
  const { sessions } = await sim.truth();
  assert.match(program.child.text, /level=warn module=nats msg="nats-server was killed; starting it again"/);
  await program.kill();
  await noChild(folder);
  program = await startProgram(env, folder);
  assert.notEqual(await theChild(folder), second);
  await program.stop();
  assert.equal(await childOf(folder), undefined);
  assert.ok(!program.child.text.includes(token));
  assert.notEqual((await readFile(conf, 'utf8')).match(/token: "(\w{48})"/)[1], token);
  await checkPlays(folder, sessions.slice(before), []);

  // What is not there any more is told; what is, goes on.
  program = await startProgram({ SETUP: 'true' }, folder);
  assert.match(program.child.text, /"the log has moved" from="nats CARTOGRAPHUS [^"]*" to=sqlite/);
  assert.doesNotMatch(program.child.text, /may not be applied/);
  await program.stop();
  await checkPlays(folder, sessions.slice(before), []);
});

test('a log that moves to NATS is applied first; after a kill, the way back says what to do', async () => {
  const folder = await newData('moves');
  let program = await startProgram(sim.environment(), folder);
  await connected(program);
  const session = await sim.play('plex', { person: 4, item: 130 });
  await wait(1500);
  await program.kill();
  program = await startProgram({ ...sim.environment(), NATS_EMBEDDED: 'true' }, folder);
  assert.match(program.child.text, /"the log has moved" from=sqlite to="nats CARTOGRAPHUS /);
  await connected(program);
  await sim.act(session, 'stop');
  await wait(1500);
  await program.kill();
  await noChild(folder);
  program = await startProgram(sim.environment(), folder);
  assert.match(program.child.text, /may not be applied: to have them, start and stop once with NATS as it was/);
  await program.stop();
  program = await startProgram({ ...sim.environment(), NATS_EMBEDDED: 'true' }, folder);
  await program.stop();
  const plays = await storeRows(folder, `select p.segments, p.is_open from play p join title t using (title_id)
    where p.kind = 'play' and t.title = '${session.title}' and not p.is_hidden`);
  assert.deepEqual(plays.map((p) => p.is_open), [false], 'what was going on has ended, and is one play');
});

test('a backup is restored where its stream is not: the start says what to do, and goes on', async () => {
  const folder = await newData('restored');
  let program = await startProgram({ ...sim.environment(), NATS_EMBEDDED: 'true' }, folder);
  await connected(program);
  const session = await sim.play('plex', { person: 3, item: 128 });
  await wait(1500);
  const run = (args, to = folder) => execFileSync(path.resolve(build, 'cartographus'), args,
    { cwd: folder, encoding: 'utf8', env: { PATH: process.env.PATH, DATA_DIR: to } });
  const file = run(['backup']).match(/^(\S+): /)[1];
  await sim.act(session, 'stop');
  await wait(1000);
  await program.kill();
  await noChild(folder);
  const elsewhere = await newData('restored-elsewhere');
  run(['restore', file], elsewhere);
  program = await startProgram({ ...sim.environment(), NATS_EMBEDDED: 'true' }, elsewhere);
  assert.match(program.child.text, /restored from a backup whose log was in another NATS stream; all that the backup held is applied/);
  assert.match(program.child.text, /start and stop once with NATS as it was/);
  await connected(program);
  await program.stop();
  program = await startProgram({ ...sim.environment(), NATS_EMBEDDED: 'true' }, elsewhere);
  assert.doesNotMatch(program.child.text, /in another NATS stream|may not be applied/, 'it is said once');
  await program.stop();
  const plays = await storeRows(elsewhere, `select p.is_open from play p join title t using (title_id)
    where p.kind = 'play' and t.title = '${session.title}' and not p.is_hidden`);
  assert.deepEqual(plays.map((p) => p.is_open), [false], 'what was going on has ended, and is one play');

  // In the same folder, with its stream: what came after the backup and is still in it comes back.
  run(['restore', file]);
  program = await startProgram({ ...sim.environment(), NATS_EMBEDDED: 'true' }, folder);
  assert.doesNotMatch(program.child.text, /in another NATS stream|may not be applied/);
  await connected(program);
  await program.stop();
});
