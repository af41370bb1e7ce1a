// Every query of the catalogue answers on each kind of store that there is: a demo's, one that only an
// import filled, and one that was filled by watching the three media servers. What has no rows there is
// named here, with the reason.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { allIsWritten, newFolder, startIdle, startProgram } from './program.mjs';
import { build, Children, kinds, startSimulator, until } from './simulator.mjs';

const children = new Children();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let folder;
before(async () => { folder = await newFolder(); });
after(async () => { await children.end(); await rm(folder, { recursive: true }); });

const reader = (program, cookie) => async (route) => {
  const answer = await fetch(program.url(`/api/v1${route}`), { headers: { cookie } });
  assert.equal(answer.status, 200, `${route}: ${await answer.clone().text()}`);
  return answer.json();
};
// What a query needs to be asked for, beside its defaults.
const asked = {
  comparative: () => 'days=365', // a period before that of all time there is none
  nearby: async (get) => {
    const { data } = await get('/analytics/locations?short=include');
    const place = data.find((row) => row.latitude !== null);
    return place ? `latitude=${place.latitude}&longitude=${place.longitude}` : '';
  },
  abandonment: () => 'least=1',
  'search/fuzzy': async (get) => `q=${encodeURIComponent((await get('/analytics/popular?group=show&short=include')).data[0].title)}`,
  'search/users': async (get) => `q=${encodeURIComponent((await get('/filters')).people[0].name)}`,
  stale: () => 'days_unwatched=1',
};
// Names of the queries that answer with no row.
async function empty(get) {
  const { queries } = await get('/analytics');
  assert.ok(queries.length > 50, 'the whole catalogue');
  const names = [];
  for (const { name } of queries) {
    const { data, meta } = await get(`/analytics/${name}?short=include&${await asked[name]?.(get) ?? ''}`);
    assert.equal(meta.query, name);
    if (data.length === 0) names.push(name);
  }
  return names;
}

async function demo() {
  const program = await startProgram({ DEMO: 'true' });
  after(program.stop);
  const get = reader(program, await program.login());
  await until('the history is imported', async () => {
    const { imports } = await get('/import');
    return { is: imports[0]?.state === 'done', value: imports };
  }, 180000);
  await allIsWritten(get, kinds.length);
  return get;
}

async function imported() {
  const file = path.join(folder, 'tautulli.db');
  execFileSync(path.join(build, 'sim', 'cartographus-sim'), ['tautulli', '--out', file, '--seed', '3', '--rows', '6000'],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  const program = await startIdle();
  after(program.stop);
  const cookie = await program.login();
  const get = reader(program, cookie);
  const answer = await fetch(program.url('/api/v1/import?name=tautulli.db'), { method: 'POST', headers: { cookie }, body: readFileSync(file) });
  assert.equal(answer.status, 202);
  await until('the import is done', async () => {
    const { imports } = await get('/import');
    return { is: imports[0]?.state === 'done', value: imports };
  }, 120000);
  return get;
}

async function watched() {
  const sim = await startSimulator(children, 1, 400);
  const program = await startProgram({ ...sim.environment(), SERVER_LATITUDE: '52.5', SERVER_LONGITUDE: '13.4' });
  after(program.stop);
  const get = reader(program, await program.login());
  await allIsWritten(get, kinds.length);
  // What the servers' own history does not know is seen: two people at one title, one with two devices.
  const playing = [];
  for (const kind of kinds)
    for (const person of [0, 1, 2, 3, 4, 5]) playing.push(await sim.play(kind, { person, item: person < 2 ? 1 : person }));
  await wait(3000);
  for (const session of playing) await sim.act(session, 'stop');
  const others = [];
  for (const kind of kinds) others.push(await sim.play(kind, { person: 0, item: 7, device: 1 }));
  await wait(2000);
  for (const session of others) await sim.act(session, 'stop');
  await until('what was played is in the store', async () => {
    const { rows } = await get('/plays?short=include&limit=200');
    const value = rows.filter((row) => row.origin === 'live' && !row.is_open).length;
    return { is: value === playing.length + others.length, value };
  }, 30000);
  return get;
}

// Nobody watched a server whose plays were imported only, nor did anybody say where it is or what it holds.
const without = { demo: [], imported: ['arcs', 'content-discovery', 'coverage', 'discovery-curve', 'stale'], watched: [] };
for (const [name, fill] of Object.entries({ demo, imported, watched }))
  test(`every query has rows: ${name}`, async () => assert.deepEqual(await empty(await fill()), without[name]));
