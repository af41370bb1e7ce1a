// BASE_PATH: the whole program below a path, whether a proxy passes that path on or cuts it off.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { freePort, newFolder, password, startIdle } from './program.mjs';
import { startProvider } from './provider.mjs';
import { build } from './simulator.mjs';

const base = '/cartographus';
let program, provider, folder;
const ask = (route, options = {}) => fetch(program.url(route), { redirect: 'manual', ...options });
before(async () => {
  provider = await startProvider();
  folder = await newFolder();
  const port = await freePort();
  program = await startIdle({ BASE_PATH: base, AUTH_MODE: 'jwt,basic,oidc',
    OIDC_ISSUER_URL: provider.issuer, OIDC_CLIENT_ID: provider.clientId, OIDC_CLIENT_SECRET: provider.clientSecret,
    OIDC_REDIRECT_URL: `http://127.0.0.1:${port}${base}/api/auth/oidc/callback` }, folder, port);
});
after(async () => {
  await program.stop();
  provider.end();
});
async function login() {
  const answer = await ask(`${base}/api/v1/auth/login`, { method: 'POST', body: JSON.stringify({ username: 'admin', password }) });
  assert.equal(answer.status, 200);
  return answer.headers.getSetCookie()[0];
}

test('the page and its files are there with the path and without it, at any depth', async () => {
  const pages = await Promise.all([base, `${base}/`, `${base}/history`, `${base}/settings/import?x=1`, '/', '/history']
    .map(async (route) => (await ask(route)).text()));
  assert.equal(new Set(pages).size, 1);
  const addresses = [...pages[0].matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
  assert.ok(addresses.length >= 3, pages[0]);
  for (const address of addresses) {
    assert.ok(address.startsWith(`${base}/`), address);
    for (const route of [address, address.slice(base.length)]) assert.equal((await ask(route)).status, 200, route);
  }
  assert.equal((await ask(`${base}/assets/none.js`)).status, 404);
  const first = await ask(`${base}/`);
  assert.equal((await ask(`${base}/`, { headers: { 'if-none-match': first.headers.get('etag') } })).status, 304);
});
test('the API answers with the path and without it, and nowhere else', async () => {
  for (const prefix of [base, '']) {
    const answer = await ask(`${prefix}/api/v1/health`);
    assert.equal((await answer.json()).status, 'healthy');
    assert.equal((await ask(`${prefix}/api/v1/none`)).status, 404);
  }
  assert.match((await ask(`${base}x/api/v1/health`)).headers.get('content-type'), /html/);
  assert.equal((await ask(`${base}${base}/api/v1/health`)).headers.get('content-type'), 'text/html; charset=utf-8');
});
test('cookies are for the path, from the login to the logout', async () => {
  const set = await login();
  assert.match(set, /; Path=\/cartographus;/);
  const cookie = set.split(';')[0];
  assert.equal((await ask(`${base}/api/v1/plays`, { headers: { cookie } })).status, 200);
  const left = await ask(`${base}/api/v1/auth/logout`, { method: 'POST', headers: { cookie } });
  assert.equal(left.status, 204);
  assert.match(left.headers.getSetCookie()[0], /^cartographus_session=; Path=\/cartographus; Max-Age=0/);
});
test('live updates come below the path', async () => {
  const cookie = (await login()).split(';')[0];
  const socket = new WebSocket(program.url(`${base}/api/v1/ws`).replace('http', 'ws'), { headers: { cookie } });
  await once(socket, 'open');
  socket.terminate();
});
test('HTTP Basic goes on to the page', async () => {
  const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
  const answer = await ask(`${base}/api/v1/auth/basic`, { headers: { authorization } });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get('location'), `${base}/`);
});
test('an OpenID Connect provider sends back below the path, and the page is where that ends', async () => {
  const begun = await ask(`${base}/api/v1/auth/oidc/login`);
  const cookie = begun.headers.getSetCookie()[0];
  assert.match(cookie, /^cartographus_oidc=.*; Path=\/cartographus;/);
  const back = (await fetch(begun.headers.get('location'), { redirect: 'manual' })).headers.get('location');
  assert.ok(back.startsWith(program.url(`${base}/api/auth/oidc/callback?`)), back);
  const entered = await fetch(back, { redirect: 'manual', headers: { cookie: cookie.split(';')[0] } });
  assert.equal(entered.headers.get('location'), `${base}/`);
  assert.ok(entered.headers.getSetCookie().some((set) => /^cartographus_session=\S+; Path=\/cartographus;/.test(set)));
});
test('the description of the API says where it is', async () => {
  const description = await (await ask(`${base}/api/v1/openapi.json`)).json();
  assert.deepEqual(description.servers, [{ url: base }]);
});
test('the command line finds the server as ever', () => {
  const text = execFileSync(path.join(build, 'cartographus'), ['import', 'list'], {
    env: { PATH: process.env.PATH, DATA_DIR: folder, BASE_PATH: base } });
  assert.ok(text.length > 0);
});
