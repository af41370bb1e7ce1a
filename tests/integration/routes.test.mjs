// Every route of the description, as nobody, as a viewer and as an administrator: who gets in, and that
// nothing of others reaches a viewer: in no body, no header, no export, no error, no frame. What must
// not be seen is taken from what the administrator sees; each of it is shown to be there for them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { WebSocket } from 'ws';
import { allIsWritten, startProgram } from './program.mjs';
import { binary, Children, startSimulator, until } from './simulator.mjs';

const children = new Children();
const viewerPassword = 'a viewer\'s own password';
const importName = 'the-cellar-of-somebody.db';
let sim, program, api, admin, viewer, john, others, own, secrets;
const frames = { admin: [], viewer: [] }, sockets = [];

const ask = (cookie, route, { method = 'GET', body, headers = {} } = {}) =>
  fetch(program.url(route.startsWith('/api') ? route : `/api/v1${route}`),
    { method, body, redirect: 'manual', headers: { ...(cookie ? { cookie } : {}), ...headers } });
const json = async (cookie, route, more) => (await ask(cookie, route, more)).json();
const login = async (username, password) => {
  const answer = await ask(null, '/auth/login', { method: 'POST', body: JSON.stringify({ username, password }) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.headers.getSetCookie().map((set) => set.split(';')[0]).find((c) => c.startsWith('cartographus_session'));
};
const watch = async (cookie, into) => {
  const socket = new WebSocket(program.url('/api/v1/ws').replace('http', 'ws'), { headers: { cookie }, origin: program.url('') });
  socket.on('message', (text) => into.push(String(text)));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  sockets.push(socket);
};
// All plays of whoever asks, by pages.
async function playsOf(cookie) {
  const rows = [];
  for (let cursor = ''; cursor !== null;) {
    const page = await json(cookie, `/plays?short=include&limit=200${cursor ? `&cursor=${cursor}` : ''}`);
    rows.push(...page.rows);
    cursor = page.next_cursor;
  }
  return rows;
}

before(async () => {
  sim = await startSimulator(children, 2, 40);
  program = await startProgram({ AUTH_MODE: 'jwt,basic', API_MAX_PAGE_SIZE: '200', ...sim.environment() });
  admin = await program.login();
  await allIsWritten((route) => json(admin, route), 6);
  const file = path.join(program.folder, importName);
  execFileSync(binary, ['tautulli', '--out', file, '--seed', '7', '--rows', '3000']);
  const begun = await json(admin, `/import?name=${importName}&server=plex-1`, { method: 'POST', body: readFileSync(file) });
  await until('the import is done', async () => {
    const one = (await json(admin, `/import/${begun.import.id}`)).import;
    return { is: one.state === 'done', value: one };
  }, 120000);

  // Two of one name: the viewer is the one of Jellyfin, and must not see the one of Plex.
  const { accounts } = await json(admin, '/user-accounts');
  john = accounts.find((a) => a.server === 'jellyfin-1' && a.plays > 0 &&
    accounts.some((b) => b.server === 'plex-1' && b.account === a.account && b.plays > 0));
  assert.ok(john, JSON.stringify(accounts));
  const { id } = await json(admin, '/users', { method: 'POST', body: JSON.stringify({ name: john.account, password: viewerPassword }) });
  assert.equal((await ask(admin, `/users/${id}/links/jellyfin-1/${john.key}`, { method: 'PUT' })).status, 204);
  john.id = id;
  viewer = await login(john.account, viewerPassword);
  await watch(admin, frames.admin);
  await watch(viewer, frames.viewer);

  // Somebody else plays at Plex, and so does the other of that name; the viewer plays at Jellyfin.
  const { people } = await sim.truth();
  const number = people.find((p) => p.username === john.account).person;
  const stranger = people.find((p) => p.username !== john.account).person;
  const played = {
    stranger: await sim.play('plex', { person: stranger, kind: 'movie' }),
    namesake: await sim.play('plex', { person: number, kind: 'episode' }),
    own: await sim.play('jellyfin', { person: number, kind: 'movie' }),
  };
  await until('the three play', async () => {
    const { sessions } = await json(admin, '/sessions');
    return { is: sessions.length >= 3, value: sessions };
  }, 30000);
  await until('the three are in the history', async () => {
    const { rows } = await json(admin, '/plays?days=2&short=include&limit=200');
    const live = rows.filter((row) => row.origin === 'live');
    return { is: live.length >= 3, value: live };
  }, 30000);
  john.played = played;
  for (const session of Object.values(played)) await sim.act(session, 'pause');

  own = await playsOf(viewer);
  const all = await playsOf(admin);
  const mine = new Set(own.map((p) => p.id));
  others = all.filter((p) => !mine.has(p.id));
  api = await json(null, '/openapi.json');
});
after(async () => {
  for (const socket of sockets) socket.terminate();
  await program?.stop();
  await children.end();
});

test('a viewer has the plays of their account, all of them and no other', async () => {
  assert.ok(own.length > 0 && others.length > own.length, `${own.length} own, ${others.length} others`);
  assert.ok(own.every((p) => p.server_kind === 'jellyfin' && p.person === john.account), JSON.stringify(own.find((p) => p.person !== john.account)));
  assert.equal(own.filter((p) => p.kind === 'play' || p.kind === 'view').length, own.length);
  const { accounts } = await json(admin, '/user-accounts?search=' + encodeURIComponent(`${john.account} jellyfin-1`));
  assert.equal(accounts.find((a) => a.key === john.key).plays, own.length);
  assert.ok(others.some((p) => p.person === john.person && p.server_kind === 'plex'), 'the namesake has plays');
  // The two were taken for one person, who goes by the name of the other's account: not even that is told.
  assert.equal(others.filter((p) => p.person === john.account).length, 0);
});

// What must not reach the viewer: names, titles, devices, addresses, places, cities, e-mail addresses
// that are only others', addresses of servers, the name of an import.
test('there is something to hide, and an administrator sees it', async () => {
  const detail = async (cookie, rows) => {
    const found = [];
    for (const row of rows.slice(0, 120)) found.push(JSON.stringify(await json(cookie, `/plays/${row.id}`)));
    return found.join('\n');
  };
  const texts = (rows) => rows.flatMap((p) => [p.person, p.title, p.grandparent_title, p.full_title, p.player, p.place]);
  const imported = others.filter((p) => p.origin === 'import'), live = others.filter((p) => p.origin === 'live');
  assert.ok(imported.length > 0 && live.length > 0);
  const detailsOfOthers = await detail(admin, [...live, ...imported]);
  const visible = [JSON.stringify(own), await detail(viewer, own)].join('\n');
  const seen = [JSON.stringify(others), detailsOfOthers].join('\n');
  const addresses = detailsOfOthers.match(/"address":"[^"]+"/g)?.map((a) => a.slice(11, -1)) ?? [];
  const cities = texts(others).filter((t) => t?.includes(', ')).map((t) => t.split(', ')[0]);
  const { users } = await json(admin, '/users');
  assert.equal(users.length, 2);
  const urls = (await json(admin, '/sync/status')).servers.map((s) => s.url);
  const accounts = (await json(admin, '/user-accounts')).accounts.map((a) => a.key).filter((key) => key.length >= 6 && key !== john.key);
  secrets = [...new Set([...texts(others), ...addresses, ...cities, ...urls, ...accounts, importName, ...sim.servers.map((s) => s.token)])]
    .filter((t) => t && t.length >= 5 && !visible.includes(t));
  assert.ok(secrets.length > 100, `${secrets.length} secrets`);
  for (const [what, list] of Object.entries({ addresses, urls, accounts, players: others.map((p) => p.player) }))
    assert.ok(list.some((t) => secrets.includes(t)), what);
  // Not vacuous: the administrator's answers hold them.
  const everything = seen + JSON.stringify(await json(admin, '/sync/status')) + JSON.stringify(await json(admin, '/user-accounts')) +
    JSON.stringify(await json(admin, '/import'));
  const missing = secrets.filter((t) => !sim.servers.some((s) => s.token === t) && !everything.includes(JSON.stringify(t).slice(1, -1)));
  assert.deepEqual(missing, []);
});

const told = (where, text) => {
  // Which of the secrets are in it, as they are and as an address writes them.
  const found = secrets.filter((t) => text.includes(t) || text.includes(JSON.stringify(t).slice(1, -1)) || text.includes(encodeURIComponent(t)));
  assert.deepEqual(found, [], `${where} tells of others: ${text.slice(0, 400)}`);
};
const operations = () => Object.entries(api.paths).flatMap(([route, methods]) => Object.entries(methods)
  .map(([method, operation]) => ({ route, method: method.toUpperCase(), operation, name: `${method.toUpperCase()} ${route}`,
    role: operation['x-role'] })));
const parametersOf = (o) => (o.operation.parameters ?? []).map((p) => api.components.parameters[p.$ref.split('/').at(-1)]);
const filled = (route, value) => route.replace(/\{\w+\}/g, encodeURIComponent(value));

test('every route has a role, and one for viewers says how it is limited', () => {
  const all = operations();
  assert.ok(all.length > 40);
  for (const o of all) {
    assert.ok(['nobody', 'viewer', 'admin'].includes(o.role), o.name);
    assert.equal(o.role === 'viewer', ['nothing', 'filter', 'frames'].includes(o.operation['x-scoped']), o.name);
  }
  assert.ok(all.filter((o) => o.operation['x-scoped'] === 'filter').length > 10);
});

test('nobody gets into what needs a login', async () => {
  for (const o of operations().filter((each) => each.role !== 'nobody')) {
    const answer = await ask(null, filled(o.route, '1'), { method: o.method });
    assert.equal(answer.status, 401, o.name);
    told(o.name, await answer.text());
  }
});

test('a viewer gets into nothing of an administrator, whatever is asked', async () => {
  let checked = 0;
  for (const o of operations().filter((each) => each.role === 'admin')) {
    for (const value of ['1', String(others[0].id), john.account, String(john.id)]) {
      const answer = await ask(viewer, filled(o.route, value), { method: o.method, body: ['GET', 'DELETE'].includes(o.method) ? undefined : '{}' });
      assert.equal(answer.status, 403, o.name);
      told(o.name, await answer.text());
      checked++;
    }
  }
  assert.ok(checked > 60);
  assert.equal((await ask(viewer, '/sync/trigger', { method: 'POST' })).status, 403);
});

test('an administrator gets into everything', async () => {
  for (const o of operations().filter((each) => each.role !== 'nobody' && each.method === 'GET')) {
    const answer = await ask(admin, filled(o.route, '1'));
    assert.ok(![401, 403].includes(answer.status) && answer.status < 500, `${o.name}: ${answer.status}`);
    await answer.arrayBuffer();
  }
});

// Values that a curious viewer would try: others' ids, names, titles, and nonsense.
function curious(parameter) {
  const other = others.find((p) => p.person !== john.person && p.title_id && p.player && p.title.includes(' '));
  const namesake = others.find((p) => p.person === john.person && p.server_kind === 'plex');
  const values = {
    users: [other.person_id, namesake.person_id, 'unknown'], accounts: ['1,2,3,4,5,6,7,8,9,10', 'unknown'],
    titles: [other.title_id], shows: [others.find((p) => p.grandparent_title)?.grandparent_title, 'unknown'],
    search: [other.person, other.title.split(' ')[0], john.account, john.person], players: [other.player],
    platforms: [other.platform ?? 'unknown'], devices: ['1,2,3,4,5,6,7,8,9', 'unknown'], server_ids: ['1', '2', '3', '4,5,6'],
    libraries: ['1,2,3,4,5,6', 'unknown'], cities: ['Berlin', 'unknown'], places: ['1,2,3,4,5,6,7,8,9', 'unknown'], countries: ['DE,US,FR,GB', 'unknown'],
    cursor: [`title.desc.0.1.${other.title_id}`, `person.asc.0.1.${other.person_id}`],
    format: ['csv', 'ndjson', 'json', 'geojson'], compare: ['previous', 'year'], explain: ['1'], deleted: ['only', 'include'],
  }[parameter.name];
  return [...(values ?? []), ...(parameter.schema.enum ?? []), parameter.example].filter((v) => v !== undefined && v !== null).map(String);
}

test('no route tells a viewer anything of others, with no parameter', async () => {
  let answers = 0, rows = 0;
  const check = async (where, route, more) => {
    const answer = await ask(viewer, route, more);
    const text = await answer.text();
    assert.ok(answer.status < 500 && answer.status !== 401, `${where}: ${answer.status} ${text.slice(0, 200)}`);
    told(where, text + JSON.stringify([...answer.headers]));
    answers++;
    if (answer.status === 200 && text.length > 300) rows++;
  };
  // The filter is one piece of code for all queries: each of its parameters is tried on every third query.
  const plays = operations().find((each) => each.method === 'GET' && each.route.endsWith('/plays'));
  const shared = new Set(parametersOf(plays).map((p) => p.name).filter((name) => !['format', 'cursor', 'limit'].includes(name)));
  let turn = 0;
  for (const o of operations().filter((each) => each.role !== 'admin' && each.method === 'GET' && !each.route.endsWith('/ws'))) {
    const isQuery = o.route.includes('/analytics/');
    for (const id of o.route.includes('{') ? ['1', ...others.slice(0, 20).map((p) => String(p.id)), String(own[0].id)] : [''])
      await check(o.name, filled(o.route, id));
    const pairs = parametersOf(o).filter((p) => p.in === 'query').flatMap((p) => curious(p).map((v) => [p.name, v]));
    for (const [name, value] of pairs) {
      if (isQuery && shared.has(name) && turn++ % 3) continue;
      const one = new URLSearchParams({ [name]: value });
      await check(`${o.name}?${one}`, `${o.route}?${one}`);
      if (name === 'compare') await check(`${o.name}?${one}`, `${o.route}?${one}&days=30`);
      if (name === 'format') await check(`${o.name}?${one}`, `${o.route}?${one}&short=include`);
      if (name === 'cursor') {
        const [sort, dir] = value.split('.');
        await check(`${o.name}?${one}`, `${o.route}?${one}&sort=${sort}&dir=${dir}`);
      }
    }
    if (o.operation['x-scoped'] === 'filter' && pairs.some(([name]) => name === 'explain'))
      await check(`${o.name} in all`, `${o.route}?explain=1&short=include&users=${others[0].person_id}`);
  }
  assert.ok(answers > 500 && rows > 30, `${answers} answers, ${rows} with something in them`);
});

test('another\'s play is not there, as one that never was', async () => {
  const never = await ask(viewer, '/plays/999999999');
  assert.equal(never.status, 404);
  const { error } = await never.json();
  for (const play of others.slice(0, 50)) {
    const answer = await ask(viewer, `/plays/${play.id}`);
    assert.equal(answer.status, 404);
    assert.equal((await answer.json()).error.message, error.message.replace('999999999', String(play.id)));
  }
  assert.equal((await ask(viewer, `/plays/${own[0].id}`)).status, 200);
});

test('numbers are of the own plays only', async () => {
  const summary = (await json(viewer, '/analytics/summary?short=include')).data[0];
  const everything = (await json(admin, '/analytics/summary?short=include')).data[0];
  assert.ok(everything.plays + everything.views > summary.plays + summary.views);
  assert.equal((await json(viewer, '/analytics/summary?short=include')).meta.rows_behind, own.length);
  const now = await json(viewer, '/sessions'), then = await json(admin, '/sessions');
  assert.equal(now.today.people, 1);
  assert.ok(then.today.people > 1 && then.today.plays > now.today.plays, JSON.stringify([now.today, then.today]));
  assert.deepEqual(now.sessions.map((s) => s.title), [john.played.own.title]);
  assert.deepEqual(now.accounts.map((a) => a.account), [john.account]);
  assert.equal(then.accounts, null);
  assert.equal(now.sessions[0].person, john.account);
  for (const server of now.servers) assert.deepEqual(Object.keys(server).sort(), ['kind', 'name', 'ordinal', 'percent', 'state']);
  const choices = await json(viewer, '/filters');
  assert.deepEqual(choices.people.map((p) => p.name), [john.account]);
  assert.deepEqual(choices.servers.map((s) => s.kind), ['jellyfin']);
});

test('a search finds the own plays only, by whatever words', async () => {
  const mine = await playsOf(viewer); // what plays now may have come since
  const titles = new Set(mine.map((p) => p.title_id));
  const words = [...new Set(others.flatMap((p) => [p.title, p.grandparent_title, p.person]).filter(Boolean))].slice(0, 40);
  let hits = 0, everything = 0;
  for (const q of words) {
    const route = `/analytics/search/fuzzy?limit=100&short=include&q=${encodeURIComponent(q)}`;
    const { data } = await json(viewer, route);
    for (const hit of data) {
      assert.ok(hit.title_id === null || titles.has(hit.title_id), JSON.stringify(hit));
      assert.ok(hit.kind !== 'person' || hit.name === john.account, JSON.stringify(hit));
      assert.ok(hit.plays <= mine.length);
    }
    told(q, JSON.stringify(data));
    hits += data.length;
    everything += (await json(admin, route)).data.length;
  }
  assert.ok(words.length === 40 && everything > hits && everything > 40, `${hits} of ${everything}`);
  const { data } = await json(viewer, `/analytics/search/users?q=${encodeURIComponent(john.account)}&short=include`);
  assert.deepEqual(data.map((one) => [one.name, one.plays]), [[john.account, mine.length]]);
});

test('an answer that is kept is never another\'s', async () => {
  const route = '/analytics/popular?short=include';
  const first = await ask(admin, route), etag = first.headers.get('etag');
  await first.text();
  const kept = await ask(viewer, route, { headers: { 'if-none-match': etag } });
  assert.equal(kept.status, 200);
  assert.notEqual(kept.headers.get('etag'), etag);
  told(route, await kept.text());
  assert.equal((await json(admin, route)).meta.is_cached, true);
  assert.equal((await ask(viewer, route, { headers: { 'if-none-match': kept.headers.get('etag') } })).status, 304);
});

test('exports have the own plays', async () => {
  for (const format of ['csv', 'ndjson']) {
    const text = await (await ask(viewer, `/plays?format=${format}&short=include`)).text();
    told(format, text);
    assert.equal(text.trim().split(/\r?\n/).length, own.length + (format === 'csv' ? 1 : 0));
    const full = await (await ask(admin, `/plays?format=${format}&short=include`)).text();
    assert.ok(secrets.filter((t) => full.includes(t)).length > 50, format);
  }
  for (const route of ['/plays?short=include&', '/analytics/popular?short=include&', '/analytics/locations?', '/analytics/users?']) {
    const rowsOf = async (cookie) => {
      const file = await (await ask(cookie, `${route}format=parquet`)).arrayBuffer();
      return JSON.stringify(await parquetReadObjects({ file, compressors }), (name, value) => (typeof value === 'bigint' ? Number(value) : value));
    };
    const [rows, full] = [await rowsOf(viewer), await rowsOf(admin)];
    told(`${route}parquet`, rows);
    assert.notEqual(rows, full, route);
    if (route.startsWith('/plays')) assert.equal(JSON.parse(rows).length, own.length);
  }
  const map = await (await ask(viewer, '/plays?format=geojson&short=include')).text();
  told('geojson', map);
  assert.equal(JSON.parse(map).features.length, own.length);
  assert.equal((await ask(viewer, '/export/store')).status, 403);
});

test('frames tell a viewer of their own sessions only', async () => {
  frames.admin.length = frames.viewer.length = 0;
  for (const session of Object.values(john.played)) await sim.act(session, 'resume');
  for (const session of Object.values(john.played)) await sim.act(session, 'stop');
  const stops = (list) => list.map((f) => JSON.parse(f)).filter((f) => f.type === 'session_stop');
  await until('all have stopped', () => ({ is: stops(frames.admin).length >= 3 && stops(frames.viewer).length >= 1,
    value: [frames.admin, frames.viewer] }), 60000);
  await sim.fault('emby', 'drop', 3000);
  const states = (list) => list.map((f) => JSON.parse(f)).filter((f) => f.type === 'sync');
  await until('both are told of a server that refuses', () => ({
    is: states(frames.admin).some((f) => f.data.servers.some((s) => s.state !== 'connected')) && states(frames.viewer).length > 0,
    value: [states(frames.admin), states(frames.viewer)] }), 60000);
  assert.ok(frames.admin.some((f) => secrets.some((t) => f.includes(t))));
  for (const frame of frames.viewer) told('a frame', frame);
  assert.equal(stops(frames.viewer).length, 1);
  for (const frame of states(frames.viewer))
    for (const server of frame.data.servers) assert.deepEqual(Object.keys(server).sort(), ['kind', 'name', 'ordinal', 'percent', 'state']);
  rmSync(path.join(program.folder, importName));
});
