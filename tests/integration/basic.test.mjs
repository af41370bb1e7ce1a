// AUTH_MODE with basic in it: each request by name and password, as other programs send them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { password, startIdle } from './program.mjs';

let program;
before(async () => { program = await startIdle({ AUTH_MODE: 'basic' }); });
after(() => program.stop());

const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;
const right = basic(`admin:${password}`);
// Ticks of a processor that the program has used.
const used = () => {
  const fields = readFileSync(`/proc/${program.child.pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
};
const ask = (route, headers = {}, more = {}) =>
  fetch(program.url(`/api/v1${route}`), { headers, redirect: 'manual', ...more });

test('who comes without a page is asked for name and password, a page that fetches is not', async () => {
  const plain = await ask('/plays');
  assert.equal(plain.status, 401);
  assert.equal(plain.headers.get('www-authenticate'), 'Basic realm="Cartographus", charset="UTF-8"');
  assert.match((await plain.json()).error.message, /HTTP Basic/);
  const page = { referer: program.url('/'), origin: program.url('') };
  assert.ok(!(await ask('/plays', page)).headers.has('www-authenticate'));
  assert.ok((await ask('/auth/basic', page)).headers.has('www-authenticate'));
});
test('many requests at once cost one check, and the next ones none', async () => {
  const before = used();
  const first = await Promise.all(Array.from({ length: 12 }, () => ask('/plays', { authorization: right })));
  assert.deepEqual([...new Set(first.map((answer) => answer.status))], [200]);
  const checked = used();
  for (let i = 0; i < 20; i++) assert.equal((await ask('/tokens', { authorization: right })).status, 200);
  assert.ok(used() - checked < checked - before, 'twenty that are known cost more than the check of one');
});
test('what is wrong is refused, whatever is remembered', async () => {
  const wrong = { none: 'x', 'no base64': 'Basic %%%', case: basic(`admin:${password.toUpperCase()}`), name: basic(`Admin:${password}`) };
  for (const [what, authorization] of Object.entries(wrong)) {
    const answer = await ask('/plays', { authorization });
    assert.equal(answer.status, 401, what);
    assert.ok(answer.headers.has('www-authenticate'), what);
  }
  assert.equal((await ask('/health', { authorization: basic('admin:wrong') })).status, 200);
});
test('a change from another site is refused, though the browser sends the password along', async () => {
  for (const route of ['/rederive', '/sync/trigger']) {
    const answer = await ask(route, { authorization: right, origin: 'http://evil.example' }, { method: 'POST' });
    assert.equal(answer.status, 403, route);
  }
});
test('a file is taken with a password that is known', async () => {
  const send = (authorization) => ask('/import?name=x.db&dry_run=1', { authorization }, { method: 'POST', body: 'x'.repeat(100000) });
  assert.equal((await send(basic('admin:unknown'))).status, 401);
  assert.equal((await send(right)).status, 400);
});
test('a WebSocket opens with it', async () => {
  const socket = new WebSocket(program.url('/api/v1/ws').replace('http', 'ws'), { headers: { authorization: right } });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.terminate();
});
test('there is no login by form, and the page is told so', async () => {
  const answer = await ask('/auth/login', {}, { method: 'POST', body: JSON.stringify({ username: 'admin', password }) });
  assert.equal(answer.status, 403);
  assert.match((await answer.json()).error.message, /AUTH_MODE has no jwt/);
  assert.deepEqual((await (await ask('/app')).json()).auth_modes, ['basic']);
});
test('the browser gets a session by it, which ends by logging out', async () => {
  const answer = await ask('/auth/basic', { authorization: right });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get('location'), '/');
  const cookie = answer.headers.get('set-cookie').split(';')[0];
  assert.equal((await (await ask('/app', { cookie })).json()).user.name, 'admin');
  assert.equal((await ask('/auth/logout', { cookie }, { method: 'POST' })).status, 204);
  assert.equal((await ask('/plays', { cookie })).status, 401);
});
test('guesses are slowed down', async () => {
  const statuses = [];
  for (let i = 0; i < 8; i++) statuses.push((await ask('/plays', { authorization: basic(`admin:guess ${i}`) })).status);
  assert.ok(statuses.includes(429), statuses.join());
  assert.equal((await ask('/plays', { authorization: right })).status, 200); // known
});
