// Who may do what, and what is told of it: API tokens, the audit log, metrics, the support bundle.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { newFolder, password, startProgram } from './program.mjs';
import { build, Children, startSimulator, until } from './simulator.mjs';

const children = new Children();
const binary = path.resolve(build, 'cartographus');
const METRICS_TOKEN = 'metrics-token-of-this-test';
let simulator, program, data, cookie;

before(async () => {
  simulator = await startSimulator(children);
  data = await newFolder();
  program = await startProgram({ ...simulator.environment(), METRICS_TOKEN }, data);
  cookie = await program.login();
  await until('all servers are read', async () => {
    const { state, servers } = await (await ask('GET', '/sync/status')).json();
    const value = [state, ...servers.map((s) => s.plays)];
    return { is: state === 'idle' && servers.length === 3 && servers.every((s) => s.plays > 0), value };
  }, 60000);
});
after(async () => {
  await program?.stop();
  await children.end();
  if (data) await rm(data, { recursive: true });
});

const ask = (method, route, { headers = { cookie }, body } = {}) =>
  fetch(program.url(`/api/v1${route}`), { method, headers, body });
const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
// Throttled by now or not.
const isShut = async (token) => assert.match(String((await ask('GET', '/plays', bearer(token))).status), /^(401|429)$/);
const make = async (order) => {
  const answer = await ask('POST', '/tokens', { body: JSON.stringify(order) });
  assert.equal(answer.status, 201, await answer.clone().text());
  return answer.json();
};
const tokens = async () => (await (await ask('GET', '/tokens')).json()).tokens;
const audit = async (query = '') => (await (await ask('GET', `/audit?limit=200${query}`)).json()).rows;
const fault = async (answer, status, pattern, field) => {
  assert.equal(answer.status, status);
  const { error } = await answer.json();
  assert.match(error.message, pattern);
  if (field !== undefined) assert.equal(error.field, field);
};
const sql = (text, file = path.join(data, 'cartographus.sqlite')) =>
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', file, text]).toString().trim();
function run(args, env = {}) {
  const child = spawn(binary, args, { env: { PATH: process.env.PATH, JWT_SECRET: 'x'.repeat(48),
    ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password, ...env } });
  const result = { out: '', err: '' };
  child.stdout.on('data', (piece) => { result.out += piece; });
  child.stderr.on('data', (piece) => { result.err += piece; });
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...result, code })));
}
const cli = (...args) => run(['--data', data, ...args]);

// --- tokens --------------------------------------------------------------------------------------

test('a token is shown once, kept as a hash, and opens what its scope says', async () => {
  const { secret, token } = await make({ name: 'reader', days: 30 });
  assert.match(secret, /^cgt_[\w-]{43}$/);
  assert.deepEqual([token.name, token.account, token.scope, token.is_expired, token.last_used_at],
    ['reader', 'admin', 'read', false, null]);
  assert.ok(Math.abs(new Date(token.expires_at) - Date.now() - 30 * 86400e3) < 60e3);
  assert.ok(!JSON.stringify(await tokens()).includes(secret));
  for (const name of readdirSync(data).filter((n) => n.startsWith('cartographus.sqlite')))
    assert.ok(!readFileSync(path.join(data, name)).includes(secret), name);

  const plays = await (await ask('GET', '/plays', bearer(secret))).json();
  assert.ok(plays.total > 0);
  // A history may still be read.
  await until('it sees what its account sees', async () => {
    const value = await Promise.all([{}, bearer(secret)].map(async (by) => (await (await ask('GET', '/plays', by)).json()).total));
    return { is: value[0] === value[1], value };
  }, 30000);
  assert.equal((await ask('GET', '/analytics/summary', bearer(secret))).status, 200);
  await fault(await ask('POST', '/sync/trigger', bearer(secret)), 403, /'reader' may only read/);
  await fault(await ask('GET', '/backups', bearer(secret)), 403, /scope admin/);
  await fault(await ask('POST', '/tokens', { ...bearer(secret), body: '{"name":"more"}' }), 403, /may only read/);
  await fault(await ask('POST', '/import?name=x', { ...bearer(secret), body: 'x' }), 403, /may only read/);
  assert.equal((await ask('DELETE', `/plays/${plays.rows[0].id}`, bearer(secret))).status, 403);
  // It makes no session of more than it is.
  assert.equal((await ask('GET', '/auth/basic', bearer(secret))).headers.getSetCookie().length, 0);
});

test('a token of scope admin changes things, from anywhere', async () => {
  const { secret } = await make({ name: 'admin tool', scope: 'admin', days: 0 });
  const headers = { ...bearer(secret).headers, origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' };
  assert.equal((await ask('POST', '/sync/trigger', { headers })).status, 202);
  assert.equal((await ask('POST', '/sync/trigger', { headers: { cookie, origin: 'https://elsewhere.example' } })).status, 403);
  assert.equal((await tokens()).find((t) => t.name === 'admin tool').expires_at, null);
});

test('when and from where it was used is told, and is in the file by the next stop', async () => {
  const { secret, token } = await make({ name: 'used' });
  await ask('GET', '/filters', bearer(secret));
  const { last_used_at, last_used_from } = (await tokens()).find((t) => t.id === token.id);
  assert.ok(Date.now() - new Date(last_used_at) < 60e3);
  assert.equal(last_used_from, '127.0.0.1');
});

test('what is wrong with a token is said, whatever else the request has', async () => {
  const unknown = bearer(`cgt_${'A'.repeat(43)}`);
  const answer = await ask('GET', '/plays', unknown);
  assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
  await fault(answer, 401, /not known/, 'Authorization');
  // Neither a cookie nor an open route is in its place.
  await fault(await ask('GET', '/plays', { headers: { ...unknown.headers, cookie } }), 401, /not known/);
  await fault(await ask('GET', '/health', unknown), 401, /not known/);
  const { secret, token } = await make({ name: 'short' });
  sql(`update api_token set expires_us = 1 where token_id = ${token.id}`);
  await ask('DELETE', `/tokens/${(await make({ name: 'passing' })).token.id}`); // tokens are read anew
  await fault(await ask('GET', '/plays', bearer(secret)), 401, /'short' has expired/);
  assert.equal((await tokens()).find((t) => t.id === token.id).is_expired, true);
});

test("a viewer's token sees what the viewer sees, is theirs alone, and ends with their login", async () => {
  const added = await ask('POST', '/users', { body: JSON.stringify({ name: 'vera', password: 'a password of hers' }) });
  const { id } = await added.json();
  const entered = await ask('POST', '/auth/login', { headers: {}, body: JSON.stringify({ username: 'vera', password: 'a password of hers' }) });
  const hers = { headers: { cookie: entered.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ') } };
  const made = await ask('POST', '/tokens', { ...hers, body: JSON.stringify({ name: 'of vera', scope: 'admin' }) });
  assert.equal(made.status, 201);
  const { secret } = await made.json();
  await fault(await ask('POST', '/tokens', { ...hers, body: '{"name":"x","account":"admin"}' }), 403, /administrator/, 'account');
  const list = async (as) => (await (await ask('GET', '/tokens', as)).json()).tokens.map((t) => t.account);
  const { token } = await make({ name: 'of the admin' });
  assert.deepEqual(await list(hers), ['vera']);
  assert.deepEqual(new Set(await list({ headers: { cookie } })), new Set(['admin', 'vera']));
  await fault(await ask('DELETE', `/tokens/${token.id}`, hers), 404, /no such token/);
  // Nothing is linked to her yet: not a play, by page and by token alike. Scope admin makes her no administrator.
  assert.equal((await (await ask('GET', '/plays', bearer(secret))).json()).total, 0);
  assert.equal((await ask('GET', '/backups', bearer(secret))).status, 403);
  assert.equal((await ask('GET', '/metrics', bearer(secret))).status, 403);
  const [account] = (await (await ask('GET', '/user-accounts')).json()).accounts;
  assert.equal((await ask('PUT', `/users/${id}/links/${account.server}/${encodeURIComponent(account.key)}`)).status, 204);
  const seen = (await (await ask('GET', '/plays', bearer(secret))).json()).total;
  assert.ok(seen > 0 && seen < (await (await ask('GET', '/plays')).json()).total);
  assert.equal(seen, (await (await ask('GET', '/plays', hers)).json()).total);

  const change = (what) => ask('PUT', `/users/${id}`, { body: JSON.stringify(what) });
  assert.equal((await change({ is_disabled: true })).status, 204);
  await fault(await ask('GET', '/plays', bearer(secret)), 401, /login of the API token 'of vera' is disabled/);
  assert.equal((await change({ is_disabled: false })).status, 204);
  assert.equal((await ask('GET', '/plays', bearer(secret))).status, 200);
  assert.equal((await ask('DELETE', `/users/${id}`)).status, 204);
  await isShut(secret);
  assert.ok(!(await list({ headers: { cookie } })).includes('vera'));
  await ask('DELETE', `/tokens/${token.id}`);
});

test('an order that is wrong is refused by the name of what is', async () => {
  const order = (body) => ask('POST', '/tokens', { body: typeof body === 'string' ? body : JSON.stringify(body) });
  await fault(await order('nonsense'), 400, /must be a JSON object/);
  await fault(await order('[]'), 400, /JSON object/);
  await fault(await order({}), 400, /name is missing/, 'name');
  await fault(await order({ name: ' ' }), 400, /1 to 64 bytes/, 'name');
  await fault(await order({ name: 'x'.repeat(65) }), 400, /too long/, 'name');
  await fault(await order({ name: 'a\nb' }), 400, /control character/, 'name');
  await fault(await order({ name: 7 }), 400, /must be text/, 'name');
  await fault(await order({ name: 'a', scope: 'all' }), 400, /read or admin/, 'scope');
  await fault(await order({ name: 'a', days: -1 }), 400, /1 to 3650/, 'days');
  await fault(await order({ name: 'a', days: 'x' }), 400, /whole number/, 'days');
  await fault(await order({ name: 'a', account: 'nobody' }), 404, /nobody who can log in/, 'account');
  await fault(await order({ name: 'a', colour: 'red' }), 400, /no member/, 'colour');
  await make({ name: 'twice' });
  await fault(await order({ name: 'twice' }), 409, /already/, 'name');
  await fault(await ask('DELETE', '/tokens/999'), 404, /no such token/, 'id');
});

test('an account has at most fifty', async () => {
  const there = (await tokens()).length;
  const made = [];
  for (let i = there; i < 50; i++) made.push((await make({ name: `many ${i}` })).token.id);
  await fault(await ask('POST', '/tokens', { body: '{"name":"one more"}' }), 409, /50 tokens/, 'name');
  assert.ok(made.length > 0);
  for (const id of made) assert.equal((await ask('DELETE', `/tokens/${id}`)).status, 204);
});

test('a WebSocket opens by a token, and ends with it', async () => {
  const { secret, token } = await make({ name: 'live' });
  const socket = new WebSocket(program.url('/api/v1/ws'), bearer(secret));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  assert.equal((await ask('DELETE', `/tokens/${token.id}`)).status, 204);
  assert.equal(await closed, 1008);
  await isShut(secret);
});

test('the command line makes, lists and removes them; reset ends them', async () => {
  const made = await cli('token', 'add', 'by hand', '--scope', 'admin', '--expires', '7d');
  assert.equal(made.code, 0, made.err);
  const secret = made.out.trim();
  assert.match(secret, /^cgt_/);
  assert.match(made.err, /'by hand', of admin, scope admin/);
  assert.equal((await ask('GET', '/backups', bearer(secret))).status, 200);
  const listed = await cli('token', 'list');
  assert.match(listed.out, /by hand/);
  const { id } = (await tokens()).find((t) => t.name === 'by hand');
  assert.equal((await cli('token', 'remove', String(id))).code, 0);
  await isShut(secret);
  for (const [args, pattern] of [[['add', 'x', '--expires', 'soon'], /days such as 90d/], [['add', 'x', '--scope', 'all'], /read or admin/],
    [['add', 'x', '--for', 'nobody'], /nobody who can log in/], [['remove', '999'], /no such token/]]) {
    const wrong = await cli('token', ...args);
    assert.equal(wrong.code, 1, wrong.out);
    assert.match(wrong.err, pattern);
  }
  assert.equal((await cli('token', 'burn')).code, 2);
  const last = (await make({ name: 'last' })).secret;
  assert.equal((await cli('user', 'reset', 'admin')).code, 0);
  cookie = await program.login();
  await isShut(last);
  assert.deepEqual(await tokens(), []);
});

// --- audit ---------------------------------------------------------------------------------------

test('logins are noted, right and wrong, without what was typed as an unknown name', async () => {
  await program.login();
  const typed = 'perhaps my password';
  for (const username of ['admin', typed])
    assert.equal((await ask('POST', '/auth/login', { headers: {}, body: JSON.stringify({ username, password: 'wrong' }) })).status, 401);
  const rows = await audit();
  const [unknown, wrong, right] = rows.filter((r) => r.action === 'login').slice(0, 3);
  assert.deepEqual([right.kind, right.who, right.via, right.address, right.status], ['login', 'admin', 'form', '127.0.0.1', 200]);
  assert.deepEqual([wrong.kind, wrong.who, wrong.via, wrong.status], ['refused', 'admin', 'form', 401]);
  assert.deepEqual([unknown.kind, unknown.who, unknown.status], ['refused', null, 401]);
  assert.ok(!sql('select * from audit').includes(typed));
});

test('every change is noted with who, on what and how it ended; strangers cannot fill it', async () => {
  const { rows: [play] } = await (await ask('GET', '/plays?limit=1')).json();
  assert.equal((await ask('DELETE', `/plays/${play.id}`)).status, 204);
  assert.equal((await ask('POST', `/plays/${play.id}/restore`)).status, 204);
  assert.equal((await ask('DELETE', '/plays/999999')).status, 404);
  const { secret } = await make({ name: 'changer', scope: 'admin' });
  assert.equal((await ask('POST', '/sync/trigger', bearer(secret))).status, 202);
  const before = (await audit('&kind=change')).length;
  for (let i = 0; i < 5; i++) {
    assert.equal((await ask('DELETE', `/plays/${play.id}`, { headers: {} })).status, 401);
    await ask('POST', '/auth/logout', { headers: {} });
  }
  await ask('GET', '/plays');
  const rows = await audit('&kind=change');
  assert.equal(rows.length, before);
  const seen = rows.slice(0, 5).map((r) => [r.who, r.via, r.token, r.action, r.detail, r.status]);
  assert.deepEqual(seen, [
    ['admin', 'token', 'changer', 'POST /sync/trigger', null, 202],
    ['admin', 'session', null, 'POST /tokens', 'changer, of admin, scope admin', 201],
    ['admin', 'session', null, 'DELETE /plays/{id}', '999999', 404],
    ['admin', 'session', null, 'POST /plays/{id}/restore', String(play.id), 204],
    ['admin', 'session', null, 'DELETE /plays/{id}', String(play.id), 204],
  ]);
  assert.ok(rows.every((r) => r.via === 'command line' ? r.address === null : r.address === '127.0.0.1'));
});

test('what was given out as a file is noted, with its filter', async () => {
  const lines = (await (await ask('GET', '/plays?format=csv&days=30')).text()).trim().split('\n');
  await (await ask('GET', '/analytics/users?format=ndjson')).text();
  const rows = await audit('&kind=export');
  assert.deepEqual(rows.map((r) => [r.action, r.detail, r.status]), [
    ['GET /analytics/{name}', 'users ?format=ndjson', 200], ['GET /plays', `?format=csv&days=30: ${lines.length - 1} plays`, 200]]);
});

test('it is read by pages and filters, from the page and the command line, by administrators', async () => {
  const all = await audit();
  assert.ok(all.length >= 10);
  const paged = [];
  for (let before; before !== null;) {
    const page = await (await ask('GET', `/audit?limit=7${before ? `&before=${before}` : ''}`)).json();
    assert.ok(page.rows.length <= 7);
    paged.push(...page.rows);
    before = page.next_before;
  }
  assert.deepEqual(paged.map((r) => r.id), all.map((r) => r.id));
  assert.ok((await audit('&about=CHANGER')).length >= 2);
  assert.ok((await audit('&about=changer')).every((r) => JSON.stringify(r).includes('changer')));
  await fault(await ask('GET', '/audit?kind=all'), 400, /login, refused, change or export/, 'kind');
  assert.equal((await ask('GET', '/audit', { headers: {} })).status, 401);
  const shown = await cli('audit', '--kind', 'change', '--limit', '5');
  assert.match(shown.out, /POST \/sync\/trigger/);
  assert.match(shown.out, /there are more: --before \d+/);
});

// --- metrics -------------------------------------------------------------------------------------

const metrics = (headers = {}) => fetch(program.url('/metrics'), { headers });

test('metrics open by METRICS_TOKEN or to an administrator, and to nobody else', async () => {
  await fault(await metrics(), 401, /login required/);
  assert.equal((await metrics({ authorization: 'Bearer metrics-token-of-this-tes' })).status, 401);
  assert.equal((await metrics({ authorization: `Bearer ${METRICS_TOKEN}` })).status, 200);
  assert.equal((await metrics({ cookie })).status, 200);
  assert.equal((await ask('GET', '/metrics')).status, 200);
  // The token opens nothing else.
  assert.equal((await ask('GET', '/plays', bearer(METRICS_TOKEN))).status, 401);
  assert.equal((await ask('POST', '/sync/trigger', bearer(METRICS_TOKEN))).status, 401);
});

test('they are as Prometheus reads them, count, and have no names', async () => {
  await simulator.play('plex', { person: 2, kind: 'movie' });
  let text;
  await until('they tell of plays and what plays now', async () => {
    const answer = await metrics({ authorization: `Bearer ${METRICS_TOKEN}` });
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    text = await answer.text();
    const value = [/^cartographus_plays (\d+)/m, /^cartographus_sessions\{.*\} [1-9]/m].map((p) => p.exec(text)?.[0]);
    return { is: value.every(Boolean) && !value[0].endsWith(' 0'), value };
  }, 90000);
  execFileSync('promtool', ['check', 'metrics'], { input: text, stdio: ['pipe', 'pipe', 'inherit'] });
  for (const name of ['cartographus_build_info', 'cartographus_uptime_seconds', 'process_resident_memory_bytes',
    'process_cpu_seconds_total', 'process_open_fds', 'cartographus_threads', 'cartographus_memory_peak_bytes',
    'cartographus_http_requests_total', 'cartographus_http_request_duration_seconds_bucket', 'cartographus_query_queue_length',
    'cartographus_cache_hits_total', 'cartographus_file_bytes', 'cartographus_log_position', 'cartographus_log_lag',
    'cartographus_server_state', 'cartographus_coverage_gaps', 'cartographus_backups', 'cartographus_websocket_clients',
    'cartographus_logins_refused_total'])
    assert.match(text, new RegExp(`^${name}[ {]`, 'm'), name);
  assert.match(text, /^cartographus_server_up\{server="1",kind="plex"\} 1$/m);
  assert.match(text, /^cartographus_http_requests_total\{method="GET",route="\/plays",status="2xx"\} [1-9]/m);
  const { people } = await (await ask('GET', '/filters')).json();
  assert.ok(people.length > 0);
  for (const { name } of people) assert.ok(!text.includes(name), name);
  for (const { url, token } of simulator.servers) assert.ok(!text.includes(url) && !text.includes(token));
  assert.ok(!text.includes('127.0.0.1') && !text.includes(data));
});

// --- the support bundle --------------------------------------------------------------------------

const unpack = async (file) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
  execFileSync('tar', ['xzf', file, '-C', folder]);
  const [inside] = readdirSync(folder);
  const files = Object.fromEntries(readdirSync(path.join(folder, inside))
    .map((name) => [name, readFileSync(path.join(folder, inside, name), 'utf8')]));
  await rm(folder, { recursive: true });
  return files;
};

test('the bundle tells of the program, and has no secret, name, title or address', async () => {
  // What goes wrong is in the log, with names in it.
  await simulator.fault('jellyfin', 'unauthorized', 60000);
  const { secret } = await make({ name: 'Alice of Wonderland', scope: 'admin' });
  await ask('GET', '/plays', bearer(`cgt_${'Z'.repeat(43)}`));
  await ask('POST', '/users/Alice%20of%20Wonderland/reset');
  await until('the log tells of it', async () => ({ is: /not known/.test(program.child.text) }));
  const file = path.join(data, 'bundle.tar.gz');
  const made = await cli('support-bundle', file);
  assert.equal(made.code, 0, made.err);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const files = await unpack(file);
  assert.deepEqual(Object.keys(files).sort(), ['README.txt', 'about.json', 'check.txt', 'config.txt', 'log.txt',
    'metrics.txt', 'store.txt', 'sync.json']);
  const about = JSON.parse(files['about.json']);
  assert.match(about.version, /^\d+\.\d+\.\d+\+\w+$/);
  assert.equal(about.checks.find((c) => c.what === 'store').is_well, true);
  assert.match(files['config.txt'], /^JWT_SECRET=\(set\)$/m);
  assert.match(files['config.txt'], /^HTTP_PORT=\d+$/m);
  assert.match(files['check.txt'], /^1 \(plex\): fine/m);
  assert.equal(JSON.parse(files['sync.json']).length, 3);
  assert.match(files['store.txt'], /^schema 1 /m);
  assert.match(files['store.txt'], /^play +[1-9]\d* rows$/m);
  assert.match(files['log.txt'], /msg=listening/);
  assert.match(files['log.txt'], /msg="API token refused".*address=address-\d+ error=error-\d+$/m);

  const whole = Object.values(files).join('\n');
  const { people } = await (await ask('GET', '/filters')).json();
  const { rows } = await (await ask('GET', '/plays?limit=100')).json();
  const sought = {
    JWT_SECRET: 'x'.repeat(48), ADMIN_PASSWORD: password, METRICS_TOKEN, 'an API token': secret, 'the name of a token': 'Alice',
    'the session': cookie.split('=')[1], 'the data folder': data, address: '127.0.0.1',
    ...Object.fromEntries(simulator.servers.flatMap((s, i) => [[`token ${i}`, s.token], [`url ${i}`, s.url]])),
    ...Object.fromEntries(people.map(({ name }) => [`person ${name}`, name])),
    ...Object.fromEntries(rows.map(({ full_title }) => [`title ${full_title}`, full_title])),
    ...Object.fromEntries(['plex 0', 'jellyfin 0', 'emby 0'].map((name) => [`server ${name}`, name])),
  };
  assert.ok(people.length > 3 && rows.length > 10);
  for (const [what, text] of Object.entries(sought)) assert.ok(!whole.includes(text), `${what} is in the bundle`);
  const again = await cli('support-bundle', file);
  assert.equal(again.code, 1);
  assert.match(again.err, /bundle\.tar\.gz/);
  assert.equal((await ask('GET', '/support-bundle', { headers: {} })).status, 401);
  const rowsOfIt = await audit('&kind=export');
  assert.equal(rowsOfIt[0].action, 'GET /support-bundle');
});

// --- guesses -----------------------------------------------------------------------------------

test('guesses are throttled by address, and keep no right token out', async () => {
  const { secret } = await make({ name: 'right' });
  const statuses = [];
  for (let i = 0; i < 8; i++) {
    const answer = await ask('GET', '/plays', bearer(`cgt_${String(i).repeat(43)}`));
    statuses.push(answer.status);
    if (answer.status === 429) assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  }
  assert.ok(statuses.includes(429), statuses.join());
  assert.equal((await ask('GET', '/plays', bearer(secret))).status, 200);
  await program.login(); // nor a login
});

// --- without a server ----------------------------------------------------------------------------

test('without a server the same works on the folder, and is noted there', async () => {
  const used = await make({ name: 'kept' });
  await ask('GET', '/filters', bearer(used.secret));
  await program.stop();
  program = undefined;
  assert.equal(sql("select used_us > 0, used_from from api_token where name = 'kept'"), '1|127.0.0.1');
  const made = await cli('token', 'add', 'offline');
  assert.equal(made.code, 0, made.err);
  assert.match((await cli('token', 'list')).out, /offline/);
  const shown = await cli('audit', '--limit', '3');
  assert.match(shown.out, /command line.*POST \/tokens.*offline, of admin/);
  const file = path.join(data, 'offline.tar.gz');
  const bundle = await cli('support-bundle', file);
  assert.equal(bundle.code, 0, bundle.err);
  assert.match(bundle.out, /no server runs/);
  assert.match((await unpack(file))['about.json'], /"version"/);

  // A backup takes the audit log along, no token; the restore is noted in what it brings.
  const backup = await cli('backup');
  assert.equal(backup.code, 0, backup.err);
  const [, name] = /(cartographus-[\d-]+\.tar\.gz)/.exec(backup.out);
  const restored = await cli('restore', name);
  assert.equal(restored.code, 0, restored.err);
  assert.equal(sql("select count(*) from sqlite_schema where name = 'api_token'"), '0');
  assert.match(sql("select action || ' ' || who || ' ' || detail from audit order by audit_id desc limit 1"),
    /^restore command line .*cartographus-/);
  assert.ok(Number(sql("select count(*) from audit where action = 'login'")) > 0);

  // The configured administrator of another name: the tokens of the former one are gone with them.
  program = await startProgram({ SETUP: 'true' }, data);
  cookie = await program.login();
  const { secret } = await make({ name: 'of the former' });
  await program.stop();
  program = await startProgram({ SETUP: 'true', ADMIN_USERNAME: 'other' }, data);
  assert.equal((await ask('GET', '/plays', bearer(secret))).status, 401);
  assert.equal(sql('select count(*) from api_token'), '0');
});
