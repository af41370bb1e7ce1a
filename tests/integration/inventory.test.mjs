// What the libraries of media servers hold: read once, then what is new; what is gone is found; all of it
// is what the simulated servers have.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { newFolder, startProgram } from './program.mjs';
import { build, Children, kinds, startSimulator, until } from './simulator.mjs';
import { storeRows } from './store.mjs';

const children = new Children();
let folder, sim, program, cookie;
let seen = 0; // requests before the step at hand
const pages = { plex: /\/library\/sections\/\d+\/all/, jellyfin: /\/Items\?ParentId/, emby: /\/Items\?ParentId/ };
const first = { plex: /Container-Start=0(&|$)/, jellyfin: /StartIndex=0(&|$)/, emby: /StartIndex=0(&|$)/ };

const status = async () => (await (await fetch(program.url('/api/v1/sync/status'), { headers: { cookie } })).json()).servers;
const query = async (name, params = '') => {
  const answer = await fetch(program.url(`/api/v1/analytics/${name}${params}`), { headers: { cookie } });
  assert.equal(answer.status, 200, `${name}${params}`);
  return (await answer.json()).data;
};
const start = async (more = {}) => {
  seen = (await sim.requests()).length ? (await sim.requests()).at(-1).number + 1 : 0;
  program = await startProgram({ ...sim.environment(), SYNC_INTERVAL: '24h', SYNC_BATCH_SIZE: '200', ...more }, folder);
  cookie = await program.login();
  await until('every server is read', async () => {
    const value = await status();
    return { is: value.length === kinds.length && value.every((s) => s.percent === 100), value };
  }, 120000);
};
const sync = async () => {
  seen = (await sim.requests()).at(-1).number + 1;
  const answer = await fetch(program.url('/api/v1/sync/trigger'), { method: 'POST', headers: { cookie } });
  assert.equal(answer.status, 202);
};
async function asked(kind) {
  const server = sim.servers.findIndex((s) => s.kind === kind);
  return (await sim.requests()).filter((r) => r.number >= seen && r.server === server && pages[kind].test(r.request));
}
const shelve = (kind, item, there) => sim.control('/items', { server: sim.servers.findIndex((s) => s.kind === kind), item, there });
// The items that each server is known to have now, by its own count and by the rows that are kept.
const known = () => until('the rows are as many as the servers count', async () => {
  const counted = Object.fromEntries((await status()).map((s) => [s.name.split(' ')[0], s.items]));
  const rows = await query('library');
  const kept = Object.fromEntries(kinds.map((kind) =>
    [kind, rows.filter((r) => r.server.startsWith(kind)).reduce((sum, r) => sum + r.items, 0)]));
  return { is: kinds.every((kind) => counted[kind] > 0 && counted[kind] === kept[kind]), value: kept, counted };
}, 60000);

const LATER = 148, GONE = 9; // films; nobody has played the first
let before_all;

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 60);
  for (const kind of kinds) await shelve(kind, LATER, false);
  await start();
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

test('every library is read whole, page by page, and is what the server has', async () => {
  before_all = await known();
  const counts = Object.values(before_all);
  assert.ok(counts[0] > 1000 && counts.every((n) => n === counts[0]), JSON.stringify(before_all));
  const libraries = await query('library');
  for (const kind of kinds) {
    const of = libraries.filter((r) => r.server.startsWith(kind) && r.library_id !== null);
    assert.deepEqual(of.map((r) => r.library).sort(), ['Films', 'Music', 'Series'], kind);
    assert.ok(of.every((r) => r.items > 0 && r.size_bytes > 1e9 && r.added === r.items && r.removed === 0), kind);
    assert.ok(of.every((r) => r.plays > 0 && r.share_played > 0 && r.share_played <= 1), JSON.stringify(of));
    const sizes = { plex: /Container-Size=200(&|$)/, jellyfin: /Limit=200(&|$)/, emby: /Limit=200(&|$)/ };
    const requests = await asked(kind);
    assert.ok(requests.length > counts[0] / 200 && requests.length < counts[0] / 200 + 4, `${kind}: ${requests.length}`);
    assert.deepEqual(requests.filter((r) => !sizes[kind].test(r.request)), []);
  }
});

test('titles that nobody has played are told of', async () => {
  const stale = await query('stale', '?days_unwatched=1&limit=10000');
  const never = stale.filter((r) => r.is_never);
  assert.ok(never.length > 50 && never.every((r) => r.last_played === null && r.items === 3 && r.size_bytes > 0));
  assert.ok(stale.some((r) => !r.is_never && r.last_played));
  const found = await query('content-discovery', '?limit=10000');
  assert.ok(found.some((r) => r.is_waiting) && found.some((r) => !r.is_waiting && r.days > 0));
  const curve = await query('discovery-curve');
  assert.ok(curve.length > 5);
  for (let i = 1; i < curve.length; i++) assert.ok(curve[i].share >= curve[i - 1].share);
  const films = await query('stale', '?days_unwatched=1&limit=10000&media_types=movie&server_ids=1');
  assert.ok(films.length > 0 && films.length < stale.length && films.every((r) => r.media_type === 'movie' && r.items === 1));
});

test('what is new comes with the next look, without reading all again', async () => {
  let title;
  for (const kind of kinds) ({ title } = await shelve(kind, LATER, true));
  await sync();
  const now = await until('it is there', async () => {
    const value = await known();
    return { is: kinds.every((kind) => value[kind] === before_all[kind] + 1), value };
  }, 60000);
  assert.equal(Object.keys(now).length, kinds.length);
  const newest = (await query('content-discovery', '?limit=1'))[0];
  assert.deepEqual([newest.title, newest.first_play, newest.is_waiting], [title, null, true]);
  for (const kind of kinds) {
    const requests = await asked(kind);
    assert.deepEqual([requests.length, requests.every((r) => first[kind].test(r.request))], [3, true], kind);
  }
});

test('what is gone is found, and is kept as gone', async () => {
  const id = {};
  for (const kind of kinds) id[kind] = (await shelve(kind, GONE, false)).item_id;
  await sync();
  await until('it is gone', async () => {
    const value = await known();
    return { is: kinds.every((kind) => value[kind] === before_all[kind]), value };
  }, 60000);
  const libraries = (await query('library')).filter((r) => r.library === 'Films');
  assert.deepEqual(libraries.map((r) => r.removed), kinds.map(() => 1));
  // Only the library whose count was another one was read whole: one page each of the others, and its own twice.
  for (const kind of kinds) assert.equal((await asked(kind)).length, 4, kind);
  assert.match(execFileSync(path.join(build, 'cartographus'), ['query', 'library', '--data', folder],
    { env: { PATH: process.env.PATH }, encoding: 'utf8' }), /Films/);
  await program.stop();
  const rows = await storeRows(folder, 'select s.kind as kind, i.key as key, i.removed_at is not null as gone,'
    + ' i.file_key as file_key from item i join server s using (server_id) where removed_at is not null order by s.kind');
  assert.deepEqual(rows.map((r) => [r.kind, r.key, r.gone, /^[0-9a-f]{32}$/.test(r.file_key)]),
    [...kinds].sort().map((kind) => [kind, id[kind], true, true]));
});

test('a restart goes on where the last look ended', async () => {
  await start();
  assert.deepEqual(await known(), before_all);
  for (const kind of kinds) {
    const requests = await asked(kind);
    assert.deepEqual([requests.length, requests.every((r) => first[kind].test(r.request))], [3, true], kind);
  }
});
