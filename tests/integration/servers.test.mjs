// Media servers added, tried, changed and removed while the program runs: on the wire of the API and by
// the command line, against simulated servers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { rm, unlink } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { freePort, newFolder, startProgram } from './program.mjs';
import { build, Children, kinds, startSimulator, until } from './simulator.mjs';

const children = new Children();
const binary = path.resolve(build, 'cartographus');
let sim, folder, program, cookie, api;

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
addFormats.default(ajv);
ajv.addVocabulary(['openapi', 'info', 'servers', 'tags', 'components', 'paths']);

const start = async (more = { SETUP: 'true' }) => {
  program = await startProgram(more, folder);
  cookie = await program.login();
};
before(async () => {
  sim = await startSimulator(children);
  folder = await newFolder();
  await start();
  api = await (await fetch(program.url('/api/v1/openapi.json'))).json();
  ajv.addSchema(api, 'api');
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

const ask = async (method, route, body) => {
  const answer = await fetch(program.url(`/api/v1${route}`),
    { method, headers: { cookie }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  for (const kind of kinds) assert.ok(!text.includes(sim.server(kind).token), `${method} ${route} shows a token`);
  const value = text ? JSON.parse(text) : null;
  const key = route.split('?')[0].replace(/^\/servers\/(?!test)[^/]+/, '/servers/{server_key}');
  if (answer.ok && key.startsWith('/servers')) {
    const pointer = ['paths', `/api/v1${key}`, method.toLowerCase(), 'responses', String(answer.status), 'content',
      'application/json', 'schema'].map((n) => `/${encodeURIComponent(n.replaceAll('/', '~1'))}`).join('');
    assert.ok(ajv.validate({ $ref: `api#${pointer}` }, value), `${method} ${route}: ${ajv.errorsText(ajv.errors)} ${text}`);
  }
  return { status: answer.status, error: value?.error, ...value };
};
const list = () => ask('GET', '/servers');
const one = async (key) => (await list()).servers.find((s) => s.key === key);
const becomes = (key, state) => until(`${key} is ${state}`, async () => {
  const value = await one(key);
  return { is: value?.state === state, value };
}, 20000);
const wait = (what, is) => until(what, async () => {
  const value = await is();
  return { is: Boolean(value), value };
}, 20000);
const given = (kind) => ({ kind, url: sim.server(kind).url, token: sim.server(kind).token });
const add = async (kind, more = {}) => {
  const { status, server, error } = await ask('POST', '/servers', { ...given(kind), ...more });
  assert.equal(status, 201, JSON.stringify(error));
  return server;
};
const live = async (kind) => (await ask('GET', '/sessions')).sessions.filter((s) => s.server_kind === kind);
const plays = async (key) => (await one(key))?.plays ?? 0;

function run(args, stdin = '') {
  return new Promise((resolve) => {
    const child = execFile(binary, [...args, '--data', folder], { env: { PATH: process.env.PATH } },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
  });
}
const cli = (args, stdin) => run(['server', ...args], stdin);

test('without a server only login and the first server are served, and say so', async () => {
  assert.equal((await ask('GET', '/app')).setup, true);
  for (const [method, route] of [['GET', '/plays'], ['GET', '/sessions'], ['GET', '/analytics/summary'], ['POST', '/backups'],
    ['POST', '/sync/trigger'], ['GET', '/ws'], ['GET', '/filters'], ['PATCH', '/servers/plex-1'], ['DELETE', '/servers/plex-1']]) {
    const { status, error } = await ask(method, route);
    assert.equal(status, 409, route);
    assert.match(error.message, /no media server yet: log in and add the first one/);
  }
  assert.deepEqual((await list()).servers, []);
  const nobody = await fetch(program.url('/api/v1/servers'));
  assert.equal(nobody.status, 401);
  const stranger = await fetch(program.url('/api/v1/servers'),
    { method: 'POST', headers: { cookie, origin: 'http://elsewhere.test' }, body: JSON.stringify(given('plex')) });
  assert.equal(stranger.status, 403);
});

test('a test tells each fault apart, with what helps', async () => {
  const tried = async (body) => ask('POST', '/servers/test', body);
  const { token } = sim.server('plex');
  const closed = await freePort();
  const echo = http.createServer((q, r) => r.end('<html>a secret of the house</html>')).listen(0, '127.0.0.1');
  echo.unref();
  await new Promise((resolve) => echo.once('listening', resolve));
  const rows = [
    [given('plex'), 'fine', /^$/],
    [{ kind: 'plex', url: ' plex ', token }, 'address', /did you mean http:\/\/plex:32400/],
    [{ kind: 'jellyfin', url: 'http://jelly/base', token }, 'address', /did you mean http:\/\/jelly:8096\/base/],
    [{ kind: 'plex', url: 'http://a:b@plex:1', token }, 'address', /user and password do not belong/],
    [{ kind: 'plex', url: `http://127.0.0.1:${closed}`, token }, 'unreachable', /Connection refused; does it run/],
    [{ ...given('plex'), url: given('plex').url.replace('http:', 'https:') }, 'tls', /http:\/\/ mixed up/],
    [{ kind: 'plex', url: `http://127.0.0.1:${echo.address().port}`, token }, 'another server', /no media server/],
    [{ ...given('emby'), kind: 'jellyfin' }, 'another server', /this is an Emby server, not Jellyfin/],
    [{ ...given('plex'), token: 'wrong-token-of-a-test' }, 'unauthorized', /expired, revoked, or not copied whole/],
  ];
  for (const [body, verdict, text] of rows) {
    const answer = await tried(body);
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assert.equal(answer.verdict, verdict, JSON.stringify(answer));
    assert.match(answer.text, text);
    assert.ok(!JSON.stringify(answer).includes('secret of the house'));
  }
  echo.closeAllConnections();
  echo.close();
  assert.equal((await tried({ kind: 'plex', url: 'plex', token })).likely_url, 'http://plex:32400');
  for (const kind of kinds) {
    await sim.fault(kind, 'forbidden', 60000);
    assert.equal((await tried(given(kind))).verdict, 'forbidden', kind);
    await sim.fault(kind, 'none', 1);
    const { verdict, name, version } = await tried(given(kind));
    assert.deepEqual([verdict, name !== null, version !== null], ['fine', true, true], kind);
  }
  for (const [body, field] of [[{ ...given('plex'), kind: 'kodi' }, 'kind'], [{ ...given('plex'), token: ' ' }, 'token'],
    [{ ...given('plex'), token: 'with space' }, 'token'], [{ ...given('plex'), colour: 'red' }, 'colour'],
    [{ ...given('plex'), tls_verify: 'no' }, 'tls_verify'], [{ ...given('plex'), name: 'x'.repeat(65) }, 'name']]) {
    const answer = await tried(body);
    assert.equal(answer.status, 400, field);
    assert.equal(answer.error.field, field);
  }
});

test('what cannot be watched is not added, unless that is wanted', async () => {
  const wrong = await ask('POST', '/servers', { ...given('plex'), token: 'wrong-token-of-a-test' });
  assert.deepEqual([wrong.status, wrong.error.field], [400, 'token']);
  const closed = `http://127.0.0.1:${await freePort()}`;
  const away = await ask('POST', '/servers', { ...given('plex'), url: closed });
  assert.deepEqual([away.status, away.error.field], [400, 'url']);
  const slip = await ask('POST', '/servers', { ...given('plex'), url: 'plex' });
  assert.match(slip.error.message, /did you mean http:\/\/plex:32400/);
  assert.equal((await list()).servers.length, 0);
  assert.equal((await ask('GET', '/app')).setup, true);
});

test('a server of each kind: added, its history read to the end, what plays there shows', async () => {
  for (const kind of kinds) {
    const server = await add(kind);
    assert.deepEqual([server.is_stored, server.is_enabled, server.has_token], [true, true, true]);
    assert.match(server.key, new RegExp(`^${kind}-[0-9a-f]{8}$`));
    await becomes(server.key, 'connected');
    await wait(`${kind} is read to its end`, async () => (await one(server.key)).percent === 100);
    const session = await sim.play(kind, { person: 1, kind: 'movie' });
    await wait(`it shows that ${kind} plays`, async () => (await live(kind)).length === 1);
    await sim.act(session, 'stop');
    await wait(`it shows that ${kind} has stopped`, async () => (await live(kind)).length === 0);
  }
  assert.equal((await ask('GET', '/app')).setup, false);
  const again = await ask('POST', '/servers', given('plex'));
  assert.equal(again.status, 409);
  assert.match(again.error.message, /watched already/);
  assert.match((await ask('POST', '/servers/test', given('plex'))).known_as, /plex/i);
});

const of = async (kind) => (await list()).servers.find((s) => s.kind === kind);

test('another name, another address, another token: plays and what plays now go on', async () => {
  const { key, url } = await of('plex');
  const session = await sim.play('plex', { person: 2, kind: 'movie' });
  await wait('it plays', async () => (await live('plex')).length === 1);
  const { id } = (await live('plex'))[0];
  assert.equal((await ask('PATCH', `/servers/${key}`, { name: 'Attic' })).server.own_name, 'Attic');
  await wait('it is called so', async () => (await one(key)).name === 'Attic' && (await live('plex'))[0]?.server === 'Attic');
  const moved = url.replace('127.0.0.1', 'localhost');
  const bare = await ask('PATCH', `/servers/${key}`, { url: moved });
  assert.deepEqual([bare.status, bare.error.field], [400, 'token'], 'a token goes to no other address by itself');
  const { status } = await ask('PATCH', `/servers/${key}`, { url: moved, token: sim.server('plex').token });
  assert.equal(status, 200);
  await becomes(key, 'connected');
  assert.equal((await one(key)).url, moved);
  await wait('the same session goes on', async () => (await live('plex'))[0]?.id === id);
  await sim.act(session, 'stop');
  await wait('and stops', async () => (await live('plex')).length === 0);
  await wait('it is one play beside that of before', async () => (await ask('GET', '/plays?short=include')).rows
    .filter((p) => p.server === 'Attic' && p.origin === 'live' && !p.is_open).length === 2);

  const wrong = await ask('PATCH', `/servers/${key}`, { token: 'wrong-token-of-a-test' });
  assert.deepEqual([wrong.status, wrong.error.field], [400, 'token']);
  assert.equal((await one(key)).state, 'connected', 'nothing has changed');
  const other = await ask('PATCH', `/servers/${key}`, { url: sim.server('jellyfin').url, token: sim.server('jellyfin').token });
  assert.equal(other.status, 400);
  assert.match(other.error.message, /this is a Jellyfin server, not Plex/);
});

test('a wrong token that is wanted shows as refused, and the right one takes it back', async () => {
  const { key } = await of('emby');
  await ask('PATCH', `/servers/${key}`, { token: 'wrong-token-of-a-test', untested: true });
  await becomes(key, 'unauthorized');
  await ask('PATCH', `/servers/${key}`, { token: sim.server('emby').token });
  await becomes(key, 'connected');
});

test('switched off: it is left, its session ends, its coverage says why; and on again', async () => {
  const { key } = await of('jellyfin');
  await sim.play('jellyfin', { person: 1, kind: 'movie' });
  await wait('it plays', async () => (await live('jellyfin')).length === 1);
  assert.equal((await ask('PATCH', `/servers/${key}`, { enabled: false })).server.state, 'disabled');
  await wait('nothing plays', async () => (await live('jellyfin')).length === 0);
  const refused = await ask('POST', `/servers/${key}/sync`);
  assert.equal(refused.status, 409);
  assert.match(refused.error.message, /not watched now \(disabled\)/);
  assert.match((await ask('POST', '/servers/nobody/sync')).error.message, /no media server 'nobody'/);
  const asked = (await sim.requests()).filter((r) => r.server === sim.servers.findIndex((s) => s.kind === 'jellyfin')).length;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const stillAsked = (await sim.requests()).filter((r) => r.server === sim.servers.findIndex((s) => s.kind === 'jellyfin')).length;
  assert.equal(stillAsked, asked, 'nobody asks it any more');
  await wait('the play has ended', async () => {
    const { rows } = await ask('GET', '/plays?short=include');
    const at = rows.filter((p) => p.server_kind === 'jellyfin' && p.origin === 'live');
    return at.length > 0 && at.every((p) => !p.is_open);
  });
  await ask('PATCH', `/servers/${key}`, { enabled: true });
  await becomes(key, 'connected');
  await wait('it is seen again', async () => (await live('jellyfin')).length === 1);
  assert.match(JSON.stringify((await ask('GET', '/analytics/coverage')).data), /switched off|blind/);
  assert.equal((await ask('POST', `/servers/${key}/sync`)).status, 202);
});

test('nobody is in two places: adding at the same time adds once', async () => {
  const { key } = await of('emby');
  await ask('DELETE', `/servers/${key}`);
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask('POST', '/servers', given('emby'))));
  assert.equal(answers.filter((a) => a.status === 201).length, 1, JSON.stringify(answers.map((a) => a.error)));
  assert.ok(answers.every((a) => [201, 409, 429].includes(a.status)), JSON.stringify(answers.map((a) => a.status)));
  assert.equal((await list()).servers.filter((s) => s.kind === 'emby').length, 1);
  assert.equal((await of('emby')).key, key, 'the same machine goes on under its key');
  await becomes(key, 'connected');
});

test('removed: its plays stay; added again it goes on with them; or they are deleted with it', async () => {
  const { key } = await of('plex');
  await wait('it has plays', async () => (await plays(key)) > 0);
  const had = await plays(key);
  const { plays_deleted } = await ask('DELETE', `/servers/${key}`);
  assert.equal(plays_deleted, 0);
  const { servers, former } = await list();
  assert.ok(!servers.some((s) => s.key === key));
  assert.deepEqual(former.map((f) => [f.key, f.plays]), [[key, had]]);
  assert.ok((await ask('GET', '/plays')).rows.some((p) => p.server_kind === 'plex'), 'they are still to be seen');
  assert.equal((await ask('POST', '/servers/test', given('plex'))).kept_plays, had);
  assert.equal((await add('plex')).key, key);
  assert.equal(await plays(key), had);
  await becomes(key, 'connected');
  await ask('DELETE', `/servers/${key}?plays=perhaps`).then((a) => assert.equal(a.error.field, 'plays'));
  const gone = await ask('DELETE', `/servers/${key}?plays=delete`);
  assert.equal(gone.plays_deleted, had, JSON.stringify(gone));
  assert.ok(!(await ask('GET', '/plays')).rows.some((p) => p.server_kind === 'plex'));
  assert.equal((await ask('DELETE', `/servers/${key}`)).status, 404);
  await add('plex');
});

test('configured servers are read-only, and named so', async () => {
  const { key } = await of('plex');
  await program.stop();
  await start({ EMBY_SERVERS: JSON.stringify([{ ...given('emby'), kind: undefined, id: 'den', name: 'Den' }]) });
  const configured = await one('den');
  assert.deepEqual([configured.is_stored, configured.ordinal], [false, 1]);
  for (const [method, body] of [['PATCH', { name: 'x' }], ['DELETE', undefined]]) {
    const { status, error } = await ask(method, '/servers/den', body);
    assert.equal(status, 409);
    assert.match(error.message, /comes from the configuration/);
  }
  await becomes(key, 'connected');
});

test('a restart and a kill keep what was added; half an adding leaves nothing', async () => {
  const { key } = await of('jellyfin');
  await program.kill();
  await start({});
  await becomes(key, 'connected');
  await ask('DELETE', `/servers/${key}`);
  const adding = ask('POST', '/servers', given('jellyfin')).catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 15));
  await program.kill();
  await adding;
  await start({});
  const there = (await list()).servers.filter((s) => s.kind === 'jellyfin');
  assert.ok(there.length <= 1);
  if (!there.length) assert.equal((await add('jellyfin')).key, key);
  await becomes(key, 'connected');
});

test('no token is in the log or in any file, and the key is ours alone', async () => {
  const tokens = kinds.map((kind) => sim.server(kind).token);
  for (const token of tokens) assert.ok(!program.child.text.includes(token), 'in the log');
  let files = 0;
  const look = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const file = path.join(dir, entry.name);
      if (entry.isDirectory()) look(file);
      if (!entry.isFile()) continue;
      files++;
      const bytes = readFileSync(file);
      for (const token of tokens) assert.ok(!bytes.includes(token), file);
    }
  };
  look(folder);
  assert.ok(files > 3);
  assert.equal(statSync(path.join(folder, 'secret.key')).mode & 0o777, 0o600);
  assert.equal(statSync(path.join(folder, 'cartographus.sqlite')).mode & 0o777, 0o600);
});

test('with another key each server asks for its token, and has it back at once', async () => {
  const { key } = await of('plex');
  await program.stop();
  await unlink(path.join(folder, 'secret.key'));
  await start({});
  const server = await one(key);
  assert.deepEqual([server.state, server.has_token, server.is_stored], ['needs_token', false, true]);
  assert.equal((await ask('PATCH', `/servers/${key}`, { token: sim.server('plex').token })).status, 200);
  await becomes(key, 'connected');
  const rest = (await list()).servers.filter((s) => s.state === 'needs_token');
  assert.ok(rest.length > 0);
  for (const { kind, key: other } of rest)
    assert.equal((await ask('PATCH', `/servers/${other}`, { token: sim.server(kind).token })).status, 200);
});

test('a backup keeps the servers, not their tokens: a restore says which are needed', async () => {
  const { key, url } = await of('plex');
  const made = await run(['backup']);
  assert.equal(made.code, 0, made.stderr);
  const [name] = readdirSync(path.join(folder, 'backups')).filter((file) => file.endsWith('.tar.gz'));
  await program.stop();
  const restored = await run(['restore', name]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.ok(restored.stdout.includes(`the token of ${url}: give it on the page, or by: cartographus server edit ${key} --token-file FILE`), restored.stdout);
  await start({});
  for (const server of (await list()).servers) {
    assert.deepEqual([server.state, server.is_stored], ['needs_token', true]);
    assert.equal((await ask('PATCH', `/servers/${server.key}`, { token: sim.server(server.kind).token })).status, 200);
  }
  await becomes(key, 'connected');
});

test('the command line does the same, its token from a file or standard input', async () => {
  const { key } = await of('plex');
  const all = await cli(['list']);
  assert.equal(all.code, 0, all.stderr);
  assert.match(all.stdout, new RegExp(`^${key} +plex +\\w+ +.*added here`, 'm'));
  assert.match((await cli(['test', key])).stdout, /^fine: /);
  assert.match((await cli(['edit', key, '--name', 'Cellar'])).stdout, new RegExp(`${key} is changed`));
  assert.equal((await one(key)).own_name, 'Cellar');
  assert.match((await cli(['remove', key])).stdout, /its plays are kept/);
  const { url, token } = sim.server('plex');
  const wrong = await cli(['add', 'plex', url], 'wrong-token-of-a-test\n');
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /token: unauthorized: the server does not know the token/);
  assert.match((await cli(['test', 'plex', 'plex'], `${token}\n`)).stderr, /did you mean http:\/\/plex:32400/);
  const added = await cli(['add', 'plex', url], `${token}\n`);
  assert.equal(added.code, 0, added.stderr);
  assert.ok(!added.stdout.includes(token));
  assert.match((await cli(['ad'])).stderr, /did you mean 'add'/);
  assert.equal((await cli(['edit', 'nobody', '--off'])).code, 1);
});

test('and works on the folder where no server runs', async () => {
  await program.stop();
  const { url, token } = sim.server('plex');
  const all = await cli(['list']);
  const [key] = /^plex-[0-9a-f]{8}/m.exec(all.stdout);
  assert.match((await cli(['remove', key])).stdout, /its plays are kept/);
  assert.match((await cli(['add', 'plex', url], token)).stdout, /is added/);
  await start({});
  await becomes((await of('plex')).key, 'connected');
});
