// What can be configured about watching is seen at the media servers, and a backfill goes on where
// the last one ended, also after kill -9.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { newFolder, startProgram } from './program.mjs';
import { Children, kinds, startSimulator, until } from './simulator.mjs';

const children = new Children();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let folder, sim, program;
let seen = 0; // requests before the run at hand
const whole = {}; // pages of the first backfill

const environment = { SYNC_BATCH_SIZE: '10', PLEX_SESSION_POLLING_INTERVAL: '1s',
  JELLYFIN_SESSION_POLLING_ENABLED: 'false', EMBY_REALTIME_ENABLED: 'false', EMBY_SESSION_POLLING_INTERVAL: '1s' };
const start = async () => { program = await startProgram({ ...sim.environment(), ...environment }, folder); };
const read = () => until('every server is read', async () => {
  const value = await (await fetch(program.url('/api/v1/sync/status'))).json();
  return { is: value.servers.length === kinds.length && value.servers.every((s) => s.percent === 100), value };
}, 60000);
// What a server was asked for since the run at hand began.
async function requests(kind, pattern) {
  const server = sim.servers.findIndex((s) => s.kind === kind);
  return (await sim.requests()).filter((r) => r.number >= seen && r.server === server && pattern.test(r.request));
}
const startRun = async () => {
  seen = (await sim.requests()).at(-1).number + 1;
  await start();
  await read();
};
const pagesOf = { plex: /history\/all/, jellyfin: /ActivityLog/, emby: /ActivityLog/ };

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 20);
  await start();
  await read();
});
after(async () => {
  await program?.kill();
  await children.end();
  await rm(folder, { recursive: true });
});

test('SYNC_BATCH_SIZE is how many rows are asked for at once', async () => {
  const sizes = { plex: /X-Plex-Container-Size=10(&|$)/, jellyfin: /Limit=10(&|$)/, emby: /Limit=10(&|$)/ };
  for (const kind of kinds) {
    const pages = await requests(kind, pagesOf[kind]);
    whole[kind] = pages.length;
    assert.ok(pages.length > 9, `${kind}: ${pages.length} pages`);
    assert.deepEqual(pages.filter((r) => !sizes[kind].test(r.request)), []);
  }
});
test('polling and sockets are as configured', async () => {
  const sessions = { plex: /^GET \/status\/sessions$/, jellyfin: /^GET \/Sessions$/, emby: /^GET \/emby\/Sessions$/ };
  const sockets = { plex: /websockets/, jellyfin: /^GET \/socket/, emby: /embywebsocket/ };
  const count = () => Promise.all(kinds.map(async (kind) => (await requests(kind, sessions[kind])).length));
  const before = await count();
  await wait(5000);
  const [plex, jellyfin, emby] = (await count()).map((n, i) => n - before[i]);
  assert.ok(plex >= 3, `plex is polled every second: ${plex} in five`);
  assert.ok(emby >= 3, `emby is polled every second: ${emby} in five`);
  assert.ok(jellyfin <= 1, `jellyfin's socket is enough: ${jellyfin} in five`);
  const opened = await Promise.all(kinds.map(async (kind) => (await requests(kind, sockets[kind])).length));
  assert.ok(opened[0] >= 1 && opened[1] >= 1, `sockets opened: ${opened}`);
  assert.equal(opened[2], 0, 'emby\'s socket is switched off');
});
for (const signal of ['a stop', 'kill -9'])
  test(`after ${signal} a backfill goes on where the last one ended`, async () => {
    const id = await readFile(path.join(folder, 'client-id'), 'utf8');
    if (signal === 'a stop') await program.stop();
    else await program.kill();
    await startRun();
    for (const kind of kinds) {
      const pages = await requests(kind, pagesOf[kind]);
      // Of the activity log the last day is read again: a stop may come long after its start.
      assert.ok(pages.length <= whole[kind] / 3, `${kind}: ${pages.length} pages of ${whole[kind]}`);
    }
    assert.equal(await readFile(path.join(folder, 'client-id'), 'utf8'), id, 'we go by the same name');
  });
