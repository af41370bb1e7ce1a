// Who watches now goes by the person's name, as in the history, not by the account's: two accounts of
// one e-mail address, of different names on two servers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { newFolder, startProgram } from './program.mjs';
import { Children, startSimulator, until } from './simulator.mjs';

const children = new Children();
const frames = [];
let folder, sim, program, socket, onPlex, onJellyfin;

// Jellyfin tells no addresses: the two were known as one before.
function knowAsOne() {
  const accounts = (server, key, name) => JSON.stringify({ server, accounts: [{ key, name, email: 'a@example.org' }] });
  execFileSync('sqlite3', [path.join(folder, 'log.sqlite'), `
    create table record (seq integer primary key autoincrement, kind integer not null,
      appended_us integer not null, payload text not null) strict;
    insert into record (kind, appended_us, payload) values
      (3, 0, '${accounts('plex-1', onPlex.user_id, 'old name')}'),
      (3, 0, '${accounts('jellyfin-1', onJellyfin.user_id, 'another')}');`]);
}

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 2);
  onPlex = await sim.play('plex', { person: 1, kind: 'movie' });
  onJellyfin = await sim.play('jellyfin', { person: 4, kind: 'movie' });
  assert.notEqual(onPlex.username, onJellyfin.username);
  knowAsOne();
  program = await startProgram(sim.environment(), folder);
  const headers = { cookie: await program.login() };
  socket = new WebSocket(program.url('/api/v1/ws').replace('http', 'ws'), { headers, origin: program.url('') });
  socket.on('message', (text) => frames.push(JSON.parse(text)));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  program.get = async (route) => (await fetch(program.url(route), { headers })).json();
});
after(async () => {
  socket?.terminate();
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

const isRight = (row) => row?.person === onPlex.username && row.account === onJellyfin.username;

test('what plays now is said to be watched by the person', async () => {
  await until('the person at the session of Jellyfin', async () => {
    const { sessions } = await program.get('/api/v1/sessions');
    return { is: isRight(sessions.find((s) => s.server_kind === 'jellyfin')), value: sessions };
  }, 20000);
});
test('so do the frames', async () => {
  await sim.act(onJellyfin, 'pause');
  await until('the person in a frame', async () => ({
    is: isRight(frames.findLast((f) => f.data?.server_kind === 'jellyfin' && f.data.state === 'paused')?.data),
    value: frames.map((f) => f.data) }), 20000);
});
test('the history says the same', async () => {
  await until('the person at the play', async () => {
    const { rows } = await program.get('/api/v1/plays?short=include');
    const play = rows.find((p) => p.server_kind === 'jellyfin' && p.kind === 'play');
    return { is: play?.person === onPlex.username && play.title === onJellyfin.title, value: rows };
  }, 20000);
});
