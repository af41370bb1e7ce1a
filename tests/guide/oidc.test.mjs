// AUTH_MODE with oidc in it, against a provider that lies: each lie is refused, and the check is named.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { freePort, newFolder, startIdle } from '../integration/program.mjs';
import { confused, newKey, signed, startProvider, unsigned } from '../integration/provider.mjs';
import { until } from '../integration/simulator.mjs';
import { rm } from 'node:fs/promises';

let provider, program;
const environment = (port, more = {}) => ({
  AUTH_MODE: 'oidc', ADMIN_USERNAME: '', ADMIN_PASSWORD: '', HTTP_PORT: String(port),
  OIDC_ISSUER_URL: provider.issuer, OIDC_CLIENT_ID: provider.clientId, OIDC_CLIENT_SECRET: provider.clientSecret,
  OIDC_REDIRECT_URL: `http://127.0.0.1:${port}/api/auth/oidc/callback`, ...more });
const start = async (more = {}, folder = undefined) => {
  const port = await freePort();
  return startIdle(environment(port, more), folder, port);
};
before(async () => {
  provider = await startProvider();
  program = await start();
});
beforeEach(() => provider.reset());
after(async () => {
  await program.stop();
  provider.end();
});

// A browser: cookies, and one step of a redirect after another.
class Browser {
  cookies = new Map();
  async go(url) {
    const own = url.startsWith(program.url(''));
    const headers = own ? { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') } : {};
    const answer = await fetch(url, { headers, redirect: 'manual' });
    for (const set of own ? answer.headers.getSetCookie() : []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      if (value) this.cookies.set(name, value); else this.cookies.delete(name);
      if (name === 'cartographus_oidc') assert.match(set, /HttpOnly; SameSite=Lax/);
      if (name === 'cartographus_session') assert.match(set, /HttpOnly; SameSite=Strict/);
    }
    return answer;
  }
  async login(of = program) {
    let next = of.url('/api/v1/auth/oidc/login');
    for (let steps = 0; next !== '/' && steps < 5; steps++) {
      const answer = await this.go(next);
      assert.ok([302, 303].includes(answer.status), `${next}: ${answer.status} ${await answer.text()}`);
      next = answer.headers.get('location');
    }
    assert.equal(next, '/');
    return this;
  }
  get problem() { return decodeURIComponent(this.cookies.get('cartographus_problem') ?? ''); }
  async user() { return (await (await this.go(program.url('/api/v1/app'))).json()).user; }
}
const refused = async (pattern) => {
  const browser = await new Browser().login();
  assert.match(browser.problem, pattern);
  assert.ok(!browser.cookies.has('cartographus_session'));
  assert.equal(await browser.user(), null);
};
const claim = (change) => { provider.claims = (truth) => ({ ...truth, ...change }); };

test('row 34: who has the role of an administrator logs in, and out', async () => {
  const browser = await new Browser().login();
  assert.equal(browser.problem, '');
  assert.deepEqual(await browser.user(), { name: 'ann', role: 'admin' });
  assert.ok(!browser.cookies.has('cartographus_oidc'));
  const cookie = `cartographus_session=${browser.cookies.get('cartographus_session')}`;
  assert.equal((await fetch(program.url('/api/v1/plays'), { headers: { cookie } })).status, 200);
  assert.equal((await fetch(program.url('/api/v1/auth/logout'), { method: 'POST', headers: { cookie } })).status, 204);
  assert.equal(await browser.user(), null);
});
test('only oidc is on: no password is taken, and the page is told so', async () => {
  const app = await (await fetch(program.url('/api/v1/app'))).json();
  assert.deepEqual(app.auth_modes, ['oidc']);
  const form = await fetch(program.url('/api/v1/auth/login'), { method: 'POST', body: '{"username":"admin","password":"x"}' });
  assert.equal(form.status, 403);
  const basic = { authorization: `Basic ${Buffer.from('admin:x').toString('base64')}` };
  const answer = await fetch(program.url('/api/v1/plays'), { headers: basic });
  assert.equal(answer.status, 401);
  assert.match((await answer.json()).error.message, /oidc\/login/);
});
test('row 35: the way back works with and without the version', async () => {
  for (const path of ['/api/auth/oidc/callback', '/api/v1/auth/oidc/callback']) {
    const answer = await fetch(program.url(`${path}?code=x&state=y`), { redirect: 'manual' });
    assert.equal(answer.status, 303, path);
    assert.match(decodeURIComponent(answer.headers.getSetCookie().join()), /begun in another browser/);
  }
  assert.equal((await fetch(program.url('/api/auth/login'))).status, 404);
});
test('elliptic curves sign as well', async () => {
  provider.key = newKey('EC');
  provider.keys = [provider.key.jwk];
  assert.equal((await (await new Browser().login()).user()).name, 'ann');
});
test('a new key is fetched when a token is signed with it, an old one is not asked for again', async () => {
  await new Browser().login();
  provider.requests.length = 0;
  await new Browser().login();
  assert.ok(!provider.requests.includes('/keys'), provider.requests.join());
  provider.key = newKey('RSA');
  provider.keys = [...provider.keys, provider.key.jwk];
  assert.equal((await (await new Browser().login()).user()).name, 'ann');
  assert.equal(provider.requests.filter((path) => path === '/keys').length, 1);
});
test('roles and name are asked for where the token has none', async () => {
  provider.claims = ({ roles, preferred_username, ...truth }) => truth;
  provider.userinfo = () => ({ sub: provider.subject, roles: 'admin', name: 'Ann Lee' });
  assert.deepEqual(await (await new Browser().login()).user(), { name: 'Ann Lee', role: 'admin' });
  provider.userinfo = () => ({ sub: 'somebody else', roles: 'admin' });
  await refused(/somebody else \(sub\)/);
});
test('who has not the role is told so, and what sessions they had end', async () => {
  const before = await new Browser().login();
  assert.equal((await before.user()).name, 'ann');
  for (const roles of [[], ['viewer'], 'Admin', { admin: true }, ['administrator']]) {
    claim({ roles });
    await refused(/ann is known to .*may not log in any more/);
  }
  assert.equal(await before.user(), null);
});
test('somebody is who they are by issuer and subject, not by name', async () => {
  const ann = await new Browser().login();
  provider.subject = 'u-2';
  const other = await new Browser().login();
  const headers = { cookie: `cartographus_session=${other.cookies.get('cartographus_session')}` };
  assert.equal((await fetch(program.url('/api/v1/auth/logout/all'), { method: 'POST', headers })).status, 204);
  assert.equal(await other.user(), null);
  assert.equal((await ann.user()).name, 'ann');
});

// The lies.
const now = () => Math.floor(Date.now() / 1000);
for (const [what, lie, pattern] of [
  ['issuer', () => claim({ iss: 'http://evil.example' }), /another issuer \(iss 'http:\/\/evil\.example'\)/],
  ['audience', () => claim({ aud: 'another' }), /another client \(aud 'another'\)/],
  ['audience without ours', () => claim({ aud: ['a', 'b'] }), /another client \(aud/],
  ['party of a shared token', () => claim({ aud: ['cartographus', 'b'] }), /\(azp/],
  ['party', () => claim({ azp: 'b' }), /another client \(azp 'b'\)/],
  ['nonce', () => claim({ nonce: 'n' }), /\(nonce\)/],
  ['missing nonce', () => claim({ nonce: undefined }), /\(nonce\)/],
  ['expired', () => claim({ exp: now() - 61 }), /expired 6\d s ago \(exp\)/],
  ['no expiry', () => claim({ exp: undefined }), /\(exp\)/],
  ['expiry that is a text', () => claim({ exp: '9999999999' }), /\(exp\)/],
  ['made in the future', () => claim({ iat: now() + 120 }), /from now \(iat\)/],
  ['not valid yet', () => claim({ nbf: now() + 120 }), /\(nbf\)/],
  ['nobody', () => claim({ sub: '' }), /\(sub\)/],
  ['subject without end', () => claim({ sub: 'x'.repeat(300) }), /\(sub\)/],
  ['not signed', () => { provider.token = unsigned; }, /not signed \(alg none\)/],
  ['key confusion', () => { provider.token = (claims) => confused(claims, provider.key); }, /'HS256' \(alg\)/],
  ['another algorithm', () => { provider.token = (claims) => signed(claims, provider.key, { alg: 'RS512' }); }, /'RS512' \(alg\)/],
  ['an EC token of an RSA key', () => { provider.token = (claims) => signed(claims, provider.key, { alg: 'ES256' }); }, /\(kid/],
  ['signed by another', () => { provider.token = (claims) => signed(claims, newKey('RSA', provider.key.kid)); }, /signature is wrong/],
  ['a key of its own in the header', () => {
    const key = newKey('RSA', 'mine');
    provider.token = (claims) => signed(claims, key, { jwk: key.jwk, jku: `${provider.issuer}/evil` });
  }, /does not publish \(kid 'mine'/],
  ['a short key', () => { provider.key = newKey('short RSA'); provider.keys = [provider.key.jwk]; }, /\(kid/],
  ['a key for encryption', () => { provider.key = newKey('RSA'); provider.keys = [{ ...provider.key.jwk, use: 'enc' }]; }, /\(kid/],
  ['extensions that are needed', () => { provider.token = (claims) => signed(claims, provider.key, { crit: ['exp'] }); }, /\(crit\)/],
  ['claims changed after signing', () => {
    provider.token = (claims) => {
      const parts = signed({ ...claims, roles: [] }, provider.key).split('.');
      parts[1] = Buffer.from(JSON.stringify(claims)).toString('base64url');
      return parts.join('.');
    };
  }, /signature is wrong/],
  ['no token at all', () => { provider.answer = () => ({ access_token: 'at-1' }); }, /no id_token/],
  ['two parts', () => { provider.token = () => 'a.b'; }, /three parts/],
  ['no JSON', () => { provider.answer = () => '<html>'; }, /token_endpoint does not answer with JSON/],
  ['state', () => { provider.back = (query) => ({ ...query, state: 'x' }); }, /\(state\)/],
  ['no code', () => { provider.back = ({ state }) => ({ state }); }, /no code/],
  ['another code', () => { provider.back = (query) => ({ ...query, code: 'x' }); }, /invalid_grant: not so.*OIDC_REDIRECT_URL/],
  ['iss of another on the way back', () => { provider.back = (query) => ({ ...query, iss: 'http://evil.example' }); }, /\(iss 'http:\/\/evil/],
  ['an error', () => { provider.back = ({ state }) => ({ state, error: 'access_denied', error_description: 'no, \u00fc' }); }, /access_denied: no, \u00fc/],
]) test(`a lie is refused: ${what}`, async () => { lie(); await refused(pattern); });

test('clocks may differ by a minute', async () => {
  claim({ exp: now() - 50, iat: now() + 50, nbf: now() + 50 });
  assert.equal((await (await new Browser().login()).user()).name, 'ann');
});
test('what came back serves once, and only the browser that began', async () => {
  const browser = new Browser();
  const away = (await browser.go(program.url('/api/v1/auth/oidc/login'))).headers.get('location');
  const back = (await fetch(away, { redirect: 'manual' })).headers.get('location');
  const stranger = new Browser();
  await stranger.go(back);
  assert.match(stranger.problem, /another browser/);
  const seed = browser.cookies.get('cartographus_oidc');
  await browser.go(back);
  assert.equal((await browser.user()).name, 'ann');
  const again = new Browser();
  again.cookies.set('cartographus_oidc', seed);
  await again.go(back);
  assert.match(again.problem, /invalid_grant/);
});
test('a login that was begun is good for ten minutes', async () => {
  const browser = new Browser();
  const away = (await browser.go(program.url('/api/v1/auth/oidc/login'))).headers.get('location');
  const back = (await fetch(away, { redirect: 'manual' })).headers.get('location');
  const seed = Buffer.from(browser.cookies.get('cartographus_oidc'), 'hex');
  seed.writeBigInt64LE(seed.readBigInt64LE(16) - 601_000_000n, 16);
  browser.cookies.set('cartographus_oidc', seed.toString('hex'));
  await browser.go(back);
  assert.match(browser.problem, /more than 10 minutes ago/);
});
test('the page of another host is told, before anybody is sent away', async () => {
  const answer = await fetch(program.url('/api/v1/auth/oidc/login').replace('127.0.0.1', 'localhost'), { redirect: 'manual' });
  assert.equal(answer.headers.get('location'), '/');
  assert.match(decodeURIComponent(answer.headers.getSetCookie().join()), /OIDC_REDIRECT_URL is 'http:\/\/127.* opened at 'localhost/);
});

// Faults of the configuration: a program of its own each, which says so at its start as well.
for (const [what, more, pattern, lie] of [
  ['issuer unreachable', { OIDC_ISSUER_URL: 'http://127.0.0.1:1' }, /OIDC_ISSUER_URL 'http:\/\/127\.0\.0\.1:1' cannot be reached/],
  ['no provider at that address', () => ({ OIDC_ISSUER_URL: `${provider.issuer}/realms/x` }), /is no provider's: .* answers 404/],
  ['another issuer', {}, /calls itself 'http:\/\/elsewhere\.example': the two must be the same/,
    () => { provider.discovery = (truth) => ({ ...truth, issuer: 'http://elsewhere.example' }); }],
  ['an endpoint that is no web address', {}, /token_endpoint 'file:/,
    () => { provider.discovery = (truth) => ({ ...truth, token_endpoint: 'file:///etc/passwd' }); }],
  ['wrong client secret', { OIDC_CLIENT_SECRET: 'another secret' }, /401 \(invalid_client: no such client\): look at OIDC_CLIENT_ID and OIDC_CLIENT_SECRET/],
]) test(`row 36: ${what}`, async () => {
  lie?.();
  const own = await start(typeof more === 'function' ? more() : more);
  const main = program;
  program = own;
  try {
    await refused(pattern);
    if (what !== 'wrong client secret')
      await until('it is said', () => ({ is: pattern.test(own.child.text.replaceAll('\\"', '"')), value: own.child.text }), 5000);
    assert.doesNotMatch(own.child.text, new RegExp(`another secret|${provider.clientSecret}`));
  } finally {
    program = main;
    await own.stop();
  }
});
test('a mode that is off ends the sessions that it gave', async () => {
  const folder = await newFolder();
  const main = program;
  try {
    program = await start({}, folder);
    const browser = await new Browser().login();
    assert.equal((await browser.user()).name, 'ann');
    await program.stop();
    program = await start({}, folder);
    assert.equal((await browser.user()).name, 'ann');
    await program.stop();
    program = await startIdle({}, folder);
    assert.equal(await browser.user(), null);
    await program.stop();
  } finally {
    program = main;
    await rm(folder, { recursive: true });
  }
});
