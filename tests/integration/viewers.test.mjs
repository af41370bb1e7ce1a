// Logins that an administrator makes, and what they see: links, roles, disabling, deleting; each holds at
// once, for pages that are open, too. By the API, by the command line, by OpenID Connect and by plex.tv's number.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { allIsWritten, freePort, newFolder, startProgram } from './program.mjs';
import { startProvider } from './provider.mjs';
import { build, Children, startSimulator, until } from './simulator.mjs';

const children = new Children();
const password = 'a password of twelve';
let sim, provider, folder, program, admin, accounts;
const sockets = [];

const ask = (cookie, route, { method = 'GET', body, headers = {} } = {}) => fetch(program.url(`/api/v1${route}`),
  { method, body: body && JSON.stringify(body), redirect: 'manual', headers: { ...(cookie ? { cookie } : {}), ...headers } });
const json = async (cookie, route, more) => {
  const answer = await ask(cookie, route, more);
  assert.ok(answer.ok, `${route}: ${answer.status} ${answer.ok ? '' : await answer.text()}`);
  return answer.json();
};
const status = async (cookie, route, more) => (await ask(cookie, route, more)).status;
const tryLogin = (username, secret = password) => ask(null, '/auth/login', { method: 'POST', body: { username, password: secret } });
const sessionOf = (answer) => answer.headers.getSetCookie().map((set) => set.split(';')[0]).find((c) => c.startsWith('cartographus_session='));
const login = async (username, secret) => {
  const answer = await tryLogin(username, secret);
  assert.equal(answer.status, 200, await answer.clone().text());
  return sessionOf(answer);
};
const add = async (name, role = 'viewer') => (await json(admin, '/users', { method: 'POST', body: { name, password, role } })).id;
const link = (id, account, method = 'PUT') => status(admin, `/users/${id}/links/${account.server}/${account.key}`, { method });
const change = (id, body, cookie = admin) => status(cookie, `/users/${id}`, { method: 'PUT', body });
const userOf = async (id) => (await json(admin, '/users')).users.find((u) => u.id === id);
const total = async (cookie) => (await json(cookie, '/plays?short=include&limit=1')).total;
async function watch(cookie, headers = { cookie }) {
  const socket = new WebSocket(program.url('/api/v1/ws').replace('http', 'ws'), { headers, origin: program.url('') });
  const seen = { frames: [], closed: null, socket };
  socket.on('message', (text) => seen.frames.push(JSON.parse(text)));
  socket.on('close', (code) => { seen.closed = code; });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  sockets.push(socket);
  return seen;
}
const cli = (input, ...args) => {
  const run = spawnSync(path.join(build, 'cartographus'), ['user', ...args, '--data', folder], { input, encoding: 'utf8', env: {
    PATH: process.env.PATH, JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: 'correct horse battery', SETUP: 'true' } });
  return { status: run.status, out: run.stdout, err: run.stderr };
};
const environment = (port) => ({
  AUTH_MODE: 'jwt,basic,oidc', OIDC_ISSUER_URL: provider.issuer, OIDC_CLIENT_ID: provider.clientId, OIDC_CLIENT_SECRET: provider.clientSecret,
  OIDC_REDIRECT_URL: `http://127.0.0.1:${port}/api/auth/oidc/callback`, OIDC_VIEWER_ROLES: 'household, guests', ...sim.environment() });

before(async () => {
  sim = await startSimulator(children, 1, 30);
  provider = await startProvider();
  folder = await newFolder();
  const port = await freePort();
  program = await startProgram(environment(port), folder, port);
  admin = await program.login();
  await allIsWritten((route) => json(admin, route), 3);
  accounts = (await json(admin, '/user-accounts')).accounts.filter((a) => a.plays > 0);
  assert.equal(new Set(accounts.map((a) => a.server)).size, 3);
  assert.ok(accounts.length > 5);
});
after(async () => {
  for (const socket of sockets) socket.terminate();
  await program?.stop();
  provider?.end();
  await children.end();
  await rm(folder, { recursive: true });
});

test('a new viewer sees nothing, and is told that there is no account', async () => {
  const id = await add('empty');
  const cookie = await login('empty');
  assert.deepEqual((await json(cookie, '/app')).user, { name: 'empty', role: 'viewer' });
  assert.equal(await total(cookie), 0);
  const now = await json(cookie, '/sessions');
  assert.deepEqual([now.accounts, now.sessions, now.today], [[], [], { plays: 0, watch_ms: 0, people: 0 }]);
  const user = await userOf(id);
  assert.equal(user.role, 'viewer');
  assert.equal(user.issuer, null);
  assert.equal(user.sessions, 1);
  assert.ok(user.last_login_at);
  assert.deepEqual(user.accounts, []);
});

test('links are what is seen: more of them add up, one that is taken back is gone at once', async () => {
  const id = await add('linked'), cookie = await login('linked'), page = await watch(cookie);
  const [one, two] = accounts;
  assert.equal(await link(id, one), 204);
  assert.equal(await link(id, one), 204);
  assert.equal(await total(cookie), one.plays);
  assert.equal(await link(id, two), 204);
  assert.equal(await total(cookie), one.plays + two.plays);
  assert.deepEqual((await userOf(id)).accounts.map((a) => [a.server, a.key, a.is_linked, a.is_known]).sort(),
    [one, two].map((a) => [a.server, a.key, true, true]).sort());
  assert.equal(await link(id, one, 'DELETE'), 204);
  assert.equal(await total(cookie), two.plays);
  assert.equal(await link(id, two, 'DELETE'), 204);
  assert.equal(await total(cookie), 0);
  await until('the page is told to ask again', () => ({ is: page.frames.filter((f) => f.type === 'resync').length >= 4, value: page.frames }));
  assert.equal(page.closed, null);
  assert.equal(await status(admin, `/users/${id}/links/plex-1/no-such-account`, { method: 'PUT' }), 404);
  assert.equal(await status(admin, `/users/987654/links/${one.server}/${one.key}`, { method: 'PUT' }), 404);
});

test('an open page gets frames of what is linked, from the link on and until it is taken back', async () => {
  const { people } = await sim.truth();
  const account = accounts.find((a) => a.server === 'jellyfin-1' && people.some((p) => p.username === a.account));
  const id = await add('frames'), page = await watch(await login('frames'));
  const session = await sim.play('jellyfin', { person: people.find((p) => p.username === account.account).person, kind: 'movie' });
  const theirs = () => page.frames.filter((f) => f.data?.title === session.title || f.type === 'session_stop');
  await until('it plays', async () => {
    const { sessions } = await json(admin, '/sessions');
    return { is: sessions.some((s) => s.title === session.title), value: sessions };
  }, 20000);
  assert.deepEqual(theirs(), []);
  assert.equal(await link(id, account), 204);
  await sim.act(session, 'pause');
  await until('the pause is told', () => ({ is: theirs().some((f) => f.data.state === 'paused'), value: page.frames }), 20000);
  assert.equal(await link(id, account, 'DELETE'), 204);
  const before = theirs().length;
  const watching = await watch(admin);
  await sim.act(session, 'resume');
  await sim.act(session, 'stop');
  await until('the administrator is told of the end', () => ({ is: watching.frames.some((f) => f.type === 'session_stop'), value: watching.frames }), 20000);
  assert.equal(theirs().length, before);
});

test('a login that is disabled ends at once: cookie, password, Basic, open pages', async () => {
  const id = await add('disabled'), cookie = await login('disabled');
  const authorization = `Basic ${Buffer.from(`disabled:${password}`).toString('base64')}`;
  assert.equal(await status(null, '/plays', { headers: { authorization } }), 200);
  const pages = [await watch(cookie), await watch(null, { authorization })];
  assert.equal(await change(id, { is_disabled: true }), 204);
  await until('the pages are closed', () => ({ is: pages.every((p) => p.closed === 1008), value: pages.map((p) => p.closed) }));
  assert.equal(await status(cookie, '/plays'), 401);
  assert.equal(await status(null, '/plays', { headers: { authorization } }), 403);
  const answer = await tryLogin('disabled');
  assert.equal(answer.status, 403);
  assert.match((await answer.json()).error.message, /disabled: an administrator/);
  assert.equal((await tryLogin('disabled', 'another password')).status, 401);
  assert.equal((await userOf(id)).is_disabled, true);
  assert.equal(await change(id, { is_disabled: false }), 204);
  assert.equal(await status(await login('disabled'), '/plays'), 200);
});

test('a role is changed at once, a password ends the sessions, a deleted login is gone with its links', async () => {
  const id = await add('changing'), cookie = await login('changing');
  assert.equal(await status(cookie, '/users'), 403);
  assert.equal(await change(id, { role: 'admin' }), 204);
  assert.equal(await status(cookie, '/users'), 200);
  assert.ok(await total(cookie) > 0);
  assert.equal(await change(id, { is_disabled: true }, cookie), 409, 'nobody locks themselves out');
  assert.equal(await change(id, { role: 'viewer' }), 204);
  assert.equal(await total(cookie), 0);
  assert.equal(await link(id, accounts[0]), 204);
  assert.equal(await change(id, { password: 'another password' }), 204);
  assert.equal(await status(cookie, '/plays'), 401);
  assert.equal((await tryLogin('changing')).status, 401);
  const again = await login('changing', 'another password'), page = await watch(again);
  assert.equal(await total(again), accounts[0].plays);
  assert.equal(await status(admin, `/users/${id}`, { method: 'DELETE' }), 204);
  await until('the page is closed', () => ({ is: page.closed === 1008, value: page.closed }));
  assert.equal(await status(again, '/plays'), 401);
  assert.equal((await tryLogin('changing', 'another password')).status, 401);
  assert.equal(await userOf(id), undefined);
  const next = await add('changing'); // may get the same number
  assert.equal(await total(await login('changing')), 0);
  assert.deepEqual((await userOf(next)).accounts, []);
});

test('what is not right is refused by name', async () => {
  const refused = async (route, more, code, field, pattern) => {
    const answer = await ask(admin, route, more);
    const { error } = await answer.json();
    assert.deepEqual([answer.status, error.field], [code, field], `${route} ${JSON.stringify(more)}: ${error.message}`);
    if (pattern) assert.match(error.message, pattern);
  };
  const post = (body) => ({ method: 'POST', body });
  await refused('/users', post({ name: 'short', password: 'elevenchars' }), 400, 'password', /12/);
  await refused('/users', post({ name: '', password }), 400, 'name');
  await refused('/users', post({ name: 'https://id.example u-1', password }), 400, 'name', /colon/);
  await refused('/users', post({ name: ' blank', password }), 400, 'name');
  await refused('/users', post({ name: 'x'.repeat(65), password }), 400, 'name');
  await refused('/users', post({ name: 'admin', password }), 409, 'name');
  await refused('/users', post({ name: 'wrong', password, role: 'king' }), 400, 'role');
  await refused('/users', post({ name: 'wrong', password, colour: 'red' }), 400, 'colour');
  const configured = (await json(admin, '/users')).users.find((u) => u.is_configured);
  const put = (body) => ({ method: 'PUT', body });
  await refused(`/users/${configured.id}`, put({ role: 'viewer' }), 409, '', /ADMIN_USERNAME/);
  await refused(`/users/${configured.id}`, put({ password }), 409, 'password', /ADMIN_PASSWORD/);
  await refused(`/users/${configured.id}`, { method: 'DELETE' }, 409, '');
  await refused('/users/999999', put({ role: 'viewer' }), 404, 'user');
  await refused('/users/1', put({ role: 'viewer', is_disabled: true }), 400, 'is_disabled');
  await refused('/users/1', put({}), 400, '');
  await refused('/users/x', put({ role: 'viewer' }), 404, 'user');
});

test('the command line does the same, with the server running or not', async () => {
  const two = accounts[1];
  assert.match(cli('', 'accounts', two.account).out, new RegExp(two.key));
  assert.equal(cli(`${password}\n`, 'add', 'by hand').status, 0);
  assert.match(cli('short\n', 'add', 'another').err, /password: .*12/);
  assert.match(cli('', 'add', 'another').err, /no password/);
  assert.equal(cli('', 'link', 'by hand', two.server, two.key).status, 0);
  const cookie = await login('by hand');
  assert.equal(await total(cookie), two.plays);
  assert.match(cli('', 'list').out, new RegExp(`by hand +viewer +a password here .*${two.account} on ${two.server}`));
  assert.equal(cli('', 'unlink', 'by hand', two.server, two.key).status, 0);
  assert.equal(await total(cookie), 0);
  assert.match(cli('', 'link', 'by hand', two.server, 'nope').err, /there is no account 'nope'/);
  assert.match(cli('', 'disable', 'nobody').err, /there is no login 'nobody'/);
  assert.equal(cli('', 'role', 'by hand', 'king').status, 1);
  assert.equal(cli('', 'lst').status, 2);
  assert.equal(cli('', 'link', 'by hand').status, 2);
  assert.equal(cli('', 'disable', 'by hand').status, 0);
  assert.equal(await status(cookie, '/plays'), 401);
  await program.stop();
  assert.match(cli('', 'list').out, /by hand .* yes /);
  assert.equal(cli('', 'enable', 'by hand').status, 0);
  assert.equal(cli('another password\n', 'password', 'by hand').status, 0);
  assert.equal(cli('', 'link', 'by hand', two.server, two.key).status, 0);
  program = await startProgram(environment(program.port), folder, program.port);
  admin = await program.login();
  assert.equal(await total(await login('by hand', 'another password')), two.plays);
  assert.equal(cli('', 'remove', 'by hand').status, 0);
  assert.equal((await tryLogin('by hand', 'another password')).status, 401);
});

test('links survive that all plays are derived anew', async () => {
  const id = await add('rederived'), cookie = await login('rederived');
  assert.equal(await link(id, accounts[0]), 204);
  const before = (await json(cookie, '/plays?short=include')).rows.map((p) => p.id);
  assert.equal(await status(admin, '/rederive', { method: 'POST' }), 200);
  assert.deepEqual((await json(cookie, '/plays?short=include')).rows.map((p) => p.id), before);
  assert.ok(before.length > 0);
});

// --- by a provider ----------------------------------------------------------------------------------

async function byProvider(subject, roles) {
  provider.subject = subject;
  provider.claims = (truth) => ({ ...truth, roles });
  const cookies = new Map();
  for (let next = program.url('/api/v1/auth/oidc/login'), steps = 0; next !== '/' && steps < 5; steps++) {
    const own = next.startsWith(program.url(''));
    const answer = await fetch(next, { redirect: 'manual', headers: own ? { cookie: [...cookies].map(([n, v]) => `${n}=${v}`).join('; ') } : {} });
    for (const set of own ? answer.headers.getSetCookie() : []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      cookies.set(name, value);
    }
    next = answer.headers.get('location');
  }
  return { cookie: cookies.get('cartographus_session') ? `cartographus_session=${cookies.get('cartographus_session')}` : null,
    problem: decodeURIComponent(cookies.get('cartographus_problem') ?? '') };
}
const known = async (issuer, role) => (await json(admin, '/users')).users.filter((u) => u.issuer === issuer && u.role === role);

test('who has a role of OIDC_VIEWER_ROLES is a viewer, who has none stays out and is not kept', async () => {
  const refused = await byProvider('v-0', ['strangers']);
  assert.equal(refused.cookie, null);
  assert.match(refused.problem, /OIDC_VIEWER_ROLES/);
  assert.deepEqual(await known(provider.issuer, 'nobody'), []);
  const { cookie } = await byProvider('v-1', ['guests']);
  assert.equal((await json(cookie, '/app')).user.role, 'viewer');
  assert.equal(await total(cookie), 0, 'a number at a provider is no number of a media server');
  const [user] = await known(provider.issuer, 'viewer');
  assert.equal(await link(user.id, accounts[0]), 204);
  assert.equal(await total(cookie), accounts[0].plays);
  assert.equal(await change(user.id, { role: 'admin' }), 409);
  assert.equal(await change(user.id, { password }), 409);
  // The provider's word is the role's, and disabling is ours.
  const lost = await byProvider('v-1', []);
  assert.equal(lost.cookie, null);
  assert.equal(await status(cookie, '/plays'), 401);
  const back = await byProvider('v-1', ['household']);
  assert.equal(await total(back.cookie), accounts[0].plays);
  assert.equal(await change(user.id, { is_disabled: true }), 204);
  assert.equal(await status(back.cookie, '/plays'), 401);
  const shut = await byProvider('v-1', ['household', 'admin']);
  assert.equal(shut.cookie, null);
  assert.match(shut.problem, /disabled/);
});

test('a number that is an account\'s at Plex is worth nothing from another provider', async () => {
  const onPlex = accounts.find((a) => a.server === 'plex-1' && a.key !== '1');
  const { cookie } = await byProvider(onPlex.key, ['guests']);
  assert.equal(await total(cookie), 0);
  assert.deepEqual((await json(cookie, '/sessions')).accounts, []);
});
