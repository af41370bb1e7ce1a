// The real binary on a free port with a folder of its own: start, log in, stop.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { build, Children, until } from './simulator.mjs';

export const password = 'correct horse battery';

export const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

export const newFolder = () => mkdtemp(path.join(os.tmpdir(), 'cartographus-'));

// Starts `cartographus serve` and waits until it is healthy. `more` is its further environment. A
// data folder that is given stays when it stops; its port may be given, too.
export async function startProgram(more = {}, given = undefined, onPort = undefined) {
  const children = new Children();
  const folder = given ?? await newFolder();
  const port = onPort ?? await freePort();
  const child = children.spawn(path.join(build, 'cartographus'), ['serve'], { env: {
    PATH: process.env.PATH, DATA_DIR: folder, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port),
    JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password, ...more } });
  const url = (route) => `http://127.0.0.1:${port}${route}`;
  await until('the server answers', async () => ({
    is: await fetch(url('/api/v1/health')).then((r) => r.ok, () => false), value: child.text }), 30000);
  const login = async () => {
    const answer = await fetch(url('/api/v1/auth/login'),
      { method: 'POST', body: JSON.stringify({ username: 'admin', password }) });
    assert.equal(answer.status, 200);
    return answer.headers.get('set-cookie').split(';')[0];
  };
  const stop = async () => {
    await children.end();
    if (!given) await rm(folder, { recursive: true });
    assert.equal(child.exitCode, 0, child.text);
  };
  const kill = () => new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });
  return { child, folder, port, url, login, stop, kill };
}

// Waits until all that `count` media servers tell at first is in the store. What their libraries hold is
// told last: when it is there, so are the plays. ask: of a route behind /api/v1, as an administrator.
export const allIsWritten = (ask, count) => until('all that the servers tell is in the store', async () => {
  const { servers } = await ask('/sync/status');
  const { data } = await ask('/analytics/library');
  const value = servers.map((s) => [s.name, s.percent, s.history_error, s.items,
    data.filter((row) => row.server === s.name).reduce((sum, row) => sum + row.items, 0)]);
  return { is: servers.length === count && value.every(([, percent, , items, kept]) => percent === 100 && items > 0 && items === kept), value };
}, 180000);

// Makes a folder serve without anything to watch: its one server is switched off, and nobody is there.
export function leaveIdle(folder) {
  const server = (args, input) => execFileSync(path.join(build, 'cartographus'), ['server', ...args, '--data', folder],
    { env: { PATH: process.env.PATH }, input, encoding: 'utf8' });
  if (!server(['list']).includes(' http://127.0.0.1:9,'))
    server(['add', 'emby', 'http://127.0.0.1:9', '--untested', '--off'], 'a-token-of-nobody');
}

// The program with nothing to watch, and not waiting for its first server either.
export async function startIdle(more = {}, given = undefined, onPort = undefined) {
  const folder = given ?? await newFolder();
  leaveIdle(folder);
  const program = await startProgram(more, folder, onPort);
  const stop = async () => {
    await program.stop();
    if (!given) await rm(folder, { recursive: true });
  };
  return { ...program, stop };
}
