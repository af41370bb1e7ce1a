// The real binary on a free port: start, health, login, roles, origin, lock, stop.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import './secrets.mjs';
import { leaveIdle } from './program.mjs';

const binary = path.join(process.env.BUILD_DIR ?? 'build', 'cartographus');
const password = 'correct horse battery';
let port, folder, server;

const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => resolve(free));
  });
});
const environment = (more) => ({
  PATH: process.env.PATH, DATA_DIR: folder, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port),
  JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password, SETUP: 'true',
  ...more,
});
const start = (more) => {
  const child = spawn(binary, ['serve'], { env: environment(more) });
  child.text = '';
  child.stderr.on('data', (chunk) => { child.text += chunk; });
  child.ended = new Promise((resolve) => child.on('exit', (code) => resolve(code)));
  return child;
};
const url = (p) => `http://127.0.0.1:${port}${p}`;
const login = (body, headers = {}) => fetch(url('/api/v1/auth/login'), {
  method: 'POST', body: JSON.stringify(body), headers });

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
  port = await freePort();
  leaveIdle(folder);
  server = start();
  for (let i = 0; i < 100; i++) {
    if (await fetch(url('/api/v1/health')).then((r) => r.ok, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`the server did not start: ${server.text}`);
});
after(async () => {
  server.kill('SIGTERM');
  assert.equal(await server.ended, 0, server.text);
  await rm(folder, { recursive: true });
});

test('health says what the guide shows', async () => {
  const health = await (await fetch(url('/api/v1/health'))).json();
  assert.equal(health.status, 'healthy');
  assert.equal(health.database, 'connected');
  assert.match(health.version, /^\d+\.\d+\.\d+\+\w+$/);
  assert.equal(typeof health.uptime, 'string');
});
test('login gives a cookie that logout revokes', async () => {
  assert.equal((await login({ username: 'admin', password: 'wrong' })).status, 401);
  const answer = await login({ username: 'admin', password });
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { user: { name: 'admin', role: 'admin' } });
  const set = answer.headers.get('set-cookie');
  assert.match(set, /HttpOnly/);
  assert.match(set, /SameSite=Strict/);
  const headers = { cookie: set.split(';')[0] };
  const sessions = await fetch(url('/api/v1/sessions'), { headers });
  assert.equal(sessions.status, 200);
  assert.deepEqual((await sessions.json()).sessions, []);
  const plays = await fetch(url('/api/v1/plays?search=%25'), { headers });
  assert.deepEqual(await plays.json(), { rows: [], next_cursor: null, total: 0 });
  for (const [query, field] of [
    ['limit=0', 'limit'],
    ['limit=9999999999999999999', 'limit'],
    ['cursor=x', 'cursor'],
    ['server_ids=1;drop', 'server_ids'],
    ['media_types=movie,%27', 'media_types'],
    ['search=%ff', 'search'],
    ['colour=red', 'colour'],
  ]) {
    const refused = await fetch(url(`/api/v1/plays?${query}`), { headers });
    assert.equal(refused.status, 400, query);
    assert.equal((await refused.json()).error.field, field, query);
  }
  assert.equal((await fetch(url('/api/v1/auth/logout'), { method: 'POST', headers })).status, 204);
  assert.equal((await fetch(url('/api/v1/sessions'), { headers })).status, 401);
});
test('rows 33, 47: a stale cookie never blocks a login, and passwords are case-sensitive', async () => {
  for (const cookie of ['cartographus_session=stale', `cartographus_session=${'0'.repeat(64)}.${'0'.repeat(64)}`,
    'cartographus_session=; cartographus_device=stale', `cartographus_session=${'x'.repeat(5000)}`]) {
    const answer = await login({ username: 'admin', password }, { cookie });
    assert.equal(answer.status, 200, cookie);
    assert.match(answer.headers.get('set-cookie'), /cartographus_session=\w+\./);
  }
  assert.equal((await login({ username: 'admin', password: password.toUpperCase() })).status, 401);
});
test('logging out everywhere ends each session and its WebSocket', async () => {
  const cookies = await Promise.all([1, 2].map(async () =>
    (await login({ username: 'admin', password })).headers.get('set-cookie').split(';')[0]));
  const socket = new WebSocket(url('/api/v1/ws').replace('http', 'ws'), { headers: { cookie: cookies[1] }, origin: url('') });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const leave = (cookie) => fetch(url('/api/v1/auth/logout/all'), { method: 'POST', headers: { cookie } });
  assert.equal((await leave(cookies[0])).status, 204);
  assert.equal(await closed, 1008);
  for (const cookie of cookies) {
    assert.equal((await fetch(url('/api/v1/sessions'), { headers: { cookie } })).status, 401);
    assert.equal((await leave(cookie)).status, 401);
  }
});
test('the WebSocket of a login ends with it, and no other', async () => {
  const logins = await Promise.all([1, 2].map(() => login({ username: 'admin', password })));
  const sockets = logins.map((answer) => {
    const headers = { cookie: answer.headers.get('set-cookie').split(';')[0] };
    const socket = new WebSocket(url('/api/v1/ws').replace('http', 'ws'), { headers, origin: url('') });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    return { headers, socket, closed, opened: new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)) };
  });
  await Promise.all(sockets.map((s) => s.opened));
  await fetch(url('/api/v1/auth/logout'), { method: 'POST', headers: sockets[0].headers });
  assert.equal(await sockets[0].closed, 1008);
  assert.equal(sockets[1].socket.readyState, WebSocket.OPEN);
  sockets[1].socket.terminate();
});
test('a change from another origin is refused', async () => {
  const answer = await login({ username: 'admin', password }, { origin: 'http://evil.example' });
  assert.equal(answer.status, 403);
});
test('sync status answers without a login', async () => {
  const status = await (await fetch(url('/api/v1/sync/status'))).json();
  assert.deepEqual(status, { state: 'idle', servers: [{ ordinal: 1, kind: 'emby', state: 'disabled', percent: null }] });
});
test('a second instance says who holds the folder', async () => {
  const second = start({ HTTP_PORT: String(await freePort()) });
  assert.equal(await second.ended, 1);
  assert.match(second.text, new RegExp(`Database locked: process ${server.pid} \\(host .+, since .+\\)`));
  assert.equal((await fetch(url('/api/v1/health'))).status, 200);
});
test('missing settings are told all at once', async () => {
  const bare = start({ JWT_SECRET: 'short', ADMIN_USERNAME: '', ADMIN_PASSWORD: '', SETUP: 'false', DATA_DIR: path.join(folder, 'none') });
  assert.equal(await bare.ended, 1);
  for (const name of ['JWT secret too short', 'ADMIN_USERNAME', 'ADMIN_PASSWORD', 'media server'])
    assert.match(bare.text, new RegExp(name));
});
test('a taken port is named', async () => {
  const other = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
  const second = start({ DATA_DIR: other });
  assert.equal(await second.ended, 1);
  assert.match(second.text, new RegExp(String(port)));
  await rm(other, { recursive: true });
});
