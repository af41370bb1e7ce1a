// The description of the API and the API: each says what the other does. In demo mode, so that every
// list has rows.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { WebSocket } from 'ws';
import { password, startProgram } from './program.mjs';
import { build, until } from './simulator.mjs';

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
addFormats.default(ajv);
ajv.addVocabulary(['openapi', 'info', 'servers', 'tags', 'components', 'paths']);
let program, cookie, api;

before(async () => {
  program = await startProgram({ DEMO: 'true' });
  cookie = await program.login();
  api = await (await ask('GET', '/api/v1/openapi.json')).json();
  ajv.addSchema(api, 'api');
  await until('the demo has its year, and sessions', async () => {
    const { total } = await (await ask('GET', '/api/v1/plays')).json();
    const { sessions } = await (await ask('GET', '/api/v1/sessions')).json();
    const { imports } = await (await ask('GET', '/api/v1/import')).json();
    const states = imports.map((i) => i.state);
    return { is: total > 100 && sessions.length > 0 && states.includes('done') &&
      !states.some((state) => ['counting', 'running'].includes(state)),
    value: [total, sessions.length, states] };
  }, 180000);
});
after(() => program?.stop());

const ask = (method, route, { headers = { cookie }, body } = {}) =>
  fetch(program.url(route), { method, headers, body });

const pointer = (...names) => 'api#' + names
  .map((n) => '/' + encodeURIComponent(n.replaceAll('~', '~0').replaceAll('/', '~1'))).join('');
const validators = new Map(); // compiling one takes longer than most answers do
function assertFits(where, value, ...names) {
  const at = pointer(...names);
  if (!validators.has(at)) validators.set(at, ajv.compile({ $ref: at }));
  const fits = validators.get(at);
  assert.ok(fits(value), `${where}: ${ajv.errorsText(fits.errors)}: ${JSON.stringify(fits.errors?.[0]?.params)}`);
}

// The one error shape, with the request id of the header.
async function assertError(where, answer, status, field) {
  assert.equal(answer.status, status, where);
  assert.match(answer.headers.get('content-type'), /^application\/json/, where);
  const body = await answer.json();
  assertFits(where, body, 'components', 'schemas', 'error');
  assert.equal(body.error.request_id, answer.headers.get('x-request-id'), where);
  if (field !== undefined) assert.equal(body.error.field, field, where);
}

// The answer is one that the operation names, and is what it says.
async function assertAnswer(where, operation, pathAndMethod, answer) {
  const text = await answer.text();
  assert.ok(operation.responses[answer.status], `${where}: ${answer.status} ${text.slice(0, 300)}`);
  const { content } = operation.responses[answer.status];
  if (!content) return assert.equal(text, '', where);
  const type = answer.headers.get('content-type').split(';')[0];
  assert.ok(content[type], `${where}: ${type} is not documented`);
  if (type === 'application/json')
    assertFits(where, JSON.parse(text), 'paths', ...pathAndMethod, 'responses',
      String(answer.status), 'content', type, 'schema');
}

const operations = () => Object.entries(api.paths).flatMap(([route, methods]) =>
  Object.entries(methods).map(([method, operation]) =>
    ({ name: `${method.toUpperCase()} ${route.slice('/api/v1'.length)}`, route,
      method: method.toUpperCase(), pathAndMethod: [route, method], operation })));
// What every question takes beside its own.
const filterNames = new Set(['start_date', 'end_date', 'days', 'tz', 'users', 'accounts', 'server_ids', 'libraries', 'titles',
  'shows', 'media_types', 'content_ratings', 'years', 'genres', 'search', 'platforms', 'players', 'devices', 'transcode_decisions',
  'video_resolutions', 'video_codecs', 'audio_codecs', 'location_types', 'countries', 'cities', 'places', 'short']);
const parameters = (operation, place) => (operation.parameters ?? [])
  .map((p) => api.components.parameters[p.$ref.split('/').at(-1)])
  .filter((p) => p.in === place);
const firstOf = async (route, list) => (await (await ask('GET', route)).json())[list][0];

// A Tautulli database of a year of so many rows, and an import of it that has begun.
const tautulli = (rows) => {
  const file = path.join(program.folder, `tautulli-${rows}.db`);
  if (!existsSync(file))
    execFileSync(path.join(build, 'sim', 'cartographus-sim'), ['tautulli', '--out', file, '--seed', '1', '--rows', String(rows)]);
  return readFileSync(file);
};
const begin = async (rows) => {
  let answer;
  await until('no other import runs', async () => {
    answer = await ask('POST', '/api/v1/import?name=tautulli.db', { body: tautulli(rows) });
    return { is: answer.status !== 409, value: answer.status };
  }, 30000);
  return (await answer.json()).import;
};
const ended = ({ id }) => until('the import ends', async () => {
  const value = (await (await ask('GET', `/api/v1/import/${id}`)).json()).import;
  return { is: !['counting', 'running'].includes(value.state), value };
}, 30000);

const firstPeople = async (n) =>
  (await (await ask('GET', '/api/v1/people')).json()).people.slice(0, n).map((p) => p.id);
const aDecision = async () =>
  (await (await ask('POST', '/api/v1/people/split', { body: JSON.stringify({ people: await firstPeople(2) }) })).json()).decision;

const firstTitles = async (n) =>
  (await (await ask('GET', '/api/v1/titles?media_type=movie')).json()).titles.slice(0, n).map((t) => t.id);
const aPartedTitle = async () =>
  (await (await ask('POST', '/api/v1/titles/split', { body: JSON.stringify({ titles: await firstTitles(2) }) })).json()).decision;

const backedUp = () => until('there is a backup', async () => {
  const { backups, job } = await (await ask('GET', '/api/v1/backups')).json();
  if (!backups.length && job?.state !== 'running') await ask('POST', '/api/v1/backups');
  return { is: backups.length > 0, value: { backup: backups[0]?.name } };
}, 30000);

let users = 0;
const newUser = async () => {
  const body = JSON.stringify({ name: `viewer ${++users}`, password });
  return { user: (await (await ask('POST', '/api/v1/users', { body })).json()).id };
};

// A restore that waits to be confirmed, and nothing before it.
let looked;
async function lookedAt() {
  const { backup } = await backedUp();
  const reached = (...states) => until(`the restore is ${states}`, async () => {
    const value = await (await ask('GET', '/api/v1/restore')).json();
    return { is: states.includes(value.state), value };
  }, 30000);
  await ask('DELETE', '/api/v1/restore');
  await reached('none');
  await ask('POST', `/api/v1/restore?backup=${backup}`);
  looked = await reached('ready');
  return {};
}
const nothingLookedAt = async () => { await lookedAt(); await ask('DELETE', '/api/v1/restore'); return {}; };
async function backingUp() {
  await until('none is being made', async () => {
    const { job } = await (await ask('GET', '/api/v1/backups')).json();
    return { is: job?.state !== 'running' };
  }, 30000);
  await ask('POST', '/api/v1/backups');
  return {};
}
const aBackup = () => {
  const folder = path.join(program.folder, 'demo', 'backups');
  const [name] = readdirSync(folder).filter((one) => !one.startsWith('.'));
  return readFileSync(path.join(folder, name));
};

// What an operation needs beyond a plain GET: path parameters' values, bodies, what is undone after.
const needs = {
  'POST /auth/login': { body: () => JSON.stringify({ username: 'admin', password }) },
  'POST /auth/logout': { cookie: () => program.login() },
  'GET /auth/basic': { separately: true },
  'GET /auth/oidc/login': { separately: true },
  'GET /auth/oidc/callback': { separately: true },
  'POST /auth/plex': { separately: true },
  'POST /auth/plex/state': { separately: true },
  'DELETE /auth/plex': { separately: true },
  'POST /auth/logout/all': { separately: true },
  'POST /users/{account}/reset': { separately: true },
  'POST /users': { body: () => JSON.stringify({ name: 'somebody', password }) },
  'PUT /users/{user}': { path: () => newUser(), body: () => JSON.stringify({ is_disabled: true }) },
  'DELETE /users/{user}': { path: () => newUser() },
  'PUT /users/{user}/links/{server}/{key}': { path: async () => ({ ...await newUser(), ...await firstOf('/api/v1/user-accounts', 'accounts') }) },
  'DELETE /users/{user}/links/{server}/{key}': { path: async () => ({ ...await newUser(), server: 'plex-1', key: '1' }) },
  'POST /tokens': { body: () => JSON.stringify({ name: 'of the contract', scope: 'read', days: 1 }) },
  'DELETE /tokens/{id}': { path: () => firstOf('/api/v1/tokens', 'tokens') },
  'POST /sync/trigger': {},
  // The demo takes no real server: servers.test.mjs holds these to the description.
  'POST /servers': { separately: true },
  'PATCH /servers/{server_key}': { separately: true },
  'DELETE /servers/{server_key}': { separately: true },
  'POST /servers/test': { body: () => JSON.stringify({ key: 'plex-1' }) },
  'POST /servers/{server_key}/sync': { path: () => ({ server_key: 'plex-1' }) },
  'POST /sql': { body: () => JSON.stringify({ sql: 'select * from play', limit: 5 }) },
  'POST /import': { query: '?dry_run=1', body: () => tautulli(500) },
  'GET /import/{id}': { path: async () => ended(await begin(500)) },
  'POST /import/{id}/cancel': { path: () => begin(60000) },
  'DELETE /import/{id}': { path: async () => ended(await begin(500)) },
  'GET /plays/{id}': { path: () => firstOf('/api/v1/plays?media_types=movie', 'rows') },
  'DELETE /plays/{id}': { path: () => firstOf('/api/v1/plays?sort=watch_ms&dir=asc', 'rows') },
  'POST /plays/{id}/restore': { path: () => firstOf('/api/v1/plays?deleted=only', 'rows') },
  'GET /people/{id}': { path: () => firstOf('/api/v1/people', 'people') },
  'PATCH /people/{id}': { path: () => firstOf('/api/v1/people', 'people'), body: () => JSON.stringify({ name: 'Somebody' }) },
  'POST /people/merge': { body: async () => JSON.stringify({ people: await firstPeople(2) }) },
  'POST /people/split': { body: async () => JSON.stringify({ people: await firstPeople(2), reason: 'a test' }) },
  'POST /people/history/{id}/undo': { path: async () => ({ id: await aDecision() }) },
  'GET /titles/{id}': { path: () => firstOf('/api/v1/titles?joined=1', 'titles') },
  'POST /titles/merge': { body: async () => JSON.stringify({ titles: await firstTitles(2), reason: 'a test' }) },
  'POST /titles/split': { body: async () => JSON.stringify({ titles: await firstTitles(2) }) },
  'POST /titles/history/{id}/undo': { path: async () => ({ id: await aPartedTitle() }) },
  'POST /rederive': {},
  'POST /backups': {},
  'DELETE /backups': {},
  'GET /backups/{backup}': { path: () => backedUp() },
  'DELETE /backups/{backup}': { path: () => backedUp() },
  'POST /backups/job/cancel': { path: backingUp },
  'POST /restore': { query: '?name=mine.tar.gz', path: nothingLookedAt, body: aBackup },
  'POST /restore/unlock': { separately: true },
  'POST /restore/confirm': { path: lookedAt, body: () => JSON.stringify({ id: looked.id }) },
  'DELETE /restore': { path: lookedAt },
  'DELETE /restore/last': {},
  'GET /ws': { separately: true },
};
const isPlain = (o) => o.method === 'GET' && parameters(o.operation, 'path').length === 0;
async function callOf(o) {
  const need = needs[o.name] ?? {};
  const values = need.path ? await need.path() : {};
  const route = o.route.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name]));
  const headers = { cookie: need.cookie ? await need.cookie() : cookie };
  return { route: route + (need.query ?? ''), headers, body: await need.body?.() };
}

test('the description is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(api));
  assert.ok(valid, JSON.stringify(errors));
  assert.match(api.openapi, /^3\.1\./);
});

test('every operation says what it answers, and every object which members it has', () => {
  for (const { name, operation } of operations()) {
    assert.ok(Object.keys(operation.responses).some((s) => /^[123]/.test(s)), `${name} names no success`);
    assert.ok(operation.responses.default, name);
  }
  for (const [name, schema] of Object.entries(api.components.schemas))
    if (schema.properties) assert.equal(schema.additionalProperties, false, name);
});

test('every operation answers as described', async () => {
  for (const o of operations()) {
    if (needs[o.name]?.separately) continue;
    assert.ok(isPlain(o) || needs[o.name], `${o.name} is described but not tried here`);
    const { route, headers, body } = await callOf(o);
    await assertAnswer(o.name, o.operation, o.pathAndMethod, await ask(o.method, route, { headers, body }));
  }
});

// Several at once, so that both query workers have something to do.
async function each(list, at_once, what) {
  const rest = [...list];
  await Promise.all(Array.from({ length: at_once }, async () => {
    while (rest.length) await what(rest.shift());
  }));
}

// What is wrong with a parameter is bad_input.test.mjs's.
test('every parameter is taken, and an unknown one is refused by name', async () => {
  let checked = 0;
  await each(operations().filter((o) => o.method === 'GET' && parameters(o.operation, 'query').length), 4, async (o) => {
    const { route, headers } = await callOf(o);
    const query = parameters(o.operation, 'query');
    // A few at once, as each that is not taken is refused. Days and dates exclude each other, and so do pages and files.
    const kinds = ['a file of days', 'filter', 'own'];
    const kind = ({ name }) => (['days', 'format'].includes(name) ? 'a file of days' : filterNames.has(name) ? 'filter' : 'own');
    for (const together of kinds.map((one) => query.filter((p) => kind(p) === one)).filter((list) => list.length)) {
      const given = together.map((p) => `${p.name}=${encodeURIComponent(p.example)}`).join('&');
      await assertAnswer(`${o.name} ${given}`, o.operation, o.pathAndMethod, await ask('GET', `${route}?${given}`, { headers }));
      checked += together.length;
    }
    await assertError(`${o.name} colour`, await ask('GET', `${route}?colour=red`, { headers }), 400, 'colour');
  });
  assert.ok(checked > 0);
});

test('frames on the socket are as described', async () => {
  const frames = [];
  const socket = new WebSocket(program.url('/api/v1/ws'), { headers: { cookie }, origin: program.url('') });
  socket.on('message', (text) => frames.push(JSON.parse(text)));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  await until('frames come', async () => ({ is: frames.length >= 5, value: frames.length }), 30000);
  socket.terminate();
  for (const frame of frames)
    assertFits(frame.type, frame, 'components', 'schemas', `frame_${frame.type}`);
  await assertError('GET /ws without upgrade', await ask('GET', '/api/v1/ws'), 426, 'Upgrade');
});

test('without a login every operation that needs one refuses in the one error shape', async () => {
  for (const o of operations()) {
    if (o.operation['x-role'] === 'nobody') continue;
    const route = o.route.replace(/\{\w+\}/g, '1');
    await assertError(o.name, await ask(o.method, route, { headers: {} }), 401);
  }
});

test('another method is 405 and names the right ones, another path is 404', async () => {
  for (const [route, methods] of Object.entries(api.paths)) {
    const known = Object.keys(methods).map((m) => m.toUpperCase());
    const path = route.replace(/\{\w+\}/g, '1');
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'].filter((m) => !known.includes(m))) {
      const answer = await ask(method, path);
      const allowed = answer.headers.get('allow')?.split(', ');
      await assertError(`${method} ${route}`, answer, 405);
      assert.deepEqual(allowed.filter((m) => m !== 'HEAD').sort(), known.sort(), route);
    }
    await assertError(`${route}/nothing/more`, await ask('GET', `${path}/nothing/more`), 404);
  }
  for (const route of ['/api', '/api/', '/api/v1', '/api/v2/plays', '/api/v1//plays', '/api/v1/plays/'])
    await assertError(route, await ask('GET', route), 404);
});

test('HEAD is GET without the body', async () => {
  for (const o of operations().filter((each) => isPlain(each) && each.name !== 'GET /ws')) {
    const [head, get] = [await ask('HEAD', o.route), await ask('GET', o.route)];
    assert.equal(head.status, get.status, o.name);
    assert.equal(head.headers.get('content-type'), get.headers.get('content-type'), o.name);
    assert.equal(await head.text(), '', o.name);
    await get.text();
  }
});

test('a body that is too large, not JSON or not an object is refused', async () => {
  const login = (body) => ask('POST', '/api/v1/auth/login', { body });
  await assertError('not JSON', await login('{"username'), 400);
  await assertError('a list', await login('[]'), 400);
  await assertError('too large', await login('x'.repeat(100_000)), 413);
});
