// The command line against the real binary: usage, offline, and through a running server.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Children, until } from './simulator.mjs';

const binary = path.resolve(process.env.BUILD_DIR ?? 'build', 'cartographus');
const children = new Children();
let folder;

before(async () => { folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-cli-')); });
after(async () => { await children.end(); await rm(folder, { recursive: true }); });

// Runs to the end; nothing but what is given is in the environment.
function run(args, { env = {}, input = '', cwd = folder } = {}) {
  const child = spawn(binary, args, { cwd, env: { PATH: process.env.PATH, ...env } });
  const result = { out: '', err: '' };
  child.stdout.on('data', (chunk) => { result.out += chunk; });
  child.stderr.on('data', (chunk) => { result.err += chunk; });
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...result, code })));
}
const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
async function serve(data, env = {}) {
  const port = await freePort();
  const child = children.spawn(binary, ['--data', data], {
    cwd: folder,
    env: {
      PATH: process.env.PATH, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port), SETUP: 'true',
      JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: 'correct horse battery',
      ...env,
    },
  });
  await until('the server answers', async () => {
    const is = await fetch(`http://127.0.0.1:${port}/api/v1/health`).then((r) => r.ok, () => false);
    return { is, value: child.text };
  });
  child.port = port;
  return child;
}
async function stop(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  assert.equal(await ended, 0, child.text);
}

test('help and wrong usage have their exit status, and say what was meant', async () => {
  for (const [args, code, where, pattern] of [
    [['--help'], 0, 'out', /DUCKDB_MAX_MEMORY/],
    [['serve', '--help'], 0, 'out', /usage: cartographus serve/],
    [['init', '--help'], 0, 'out', /exit status: 0 /],
    [['check', '--help'], 0, 'out', /--offline/],
    [['import', '--help'], 0, 'out', /--dry-run/],
    [['query', '-h'], 0, 'out', /--format FORMAT/],
    [['rederive', '--help'], 0, 'out', /exit status/],
    [['config', '--help'], 0, 'out', /config show/],
    [['version', '--help'], 0, 'out', /--data DIR/],
    [['version'], 0, 'out', /^\d+\.\d+\.\d+\+\w+\n$/],
    [['--version'], 0, 'out', /^\d+\.\d+\.\d+\+\w+\n$/],
    [['impord'], 2, 'err', /'impord' is no subcommand; did you mean 'import'\?/],
    [['xyzzy'], 2, 'err', /'xyzzy' is no subcommand \(/],
    [['import', '--dryrun', 'x'], 2, 'err', /'--dryrun' is no option here; did you mean '--dry-run'\?/],
    [['import'], 2, 'err', /an argument is missing/],
    [['import', 'a', 'b'], 2, 'err', /one file at a time/],
    [['import', 'a', 'b', 'c'], 2, 'err', /'c' is one argument too many/],
    [['import', '--server'], 2, 'err', /--server needs a value: KEY/],
    [['import', '--yes=1', 'a'], 2, 'err', /--yes takes no value/],
    [['query', '--format', 'tabel'], 2, 'err', /--format: 'tabel' is not known; did you mean 'table'/],
    [['query', 'users', 'days'], 2, 'err', /'days' must be like PARAMETER=VALUE/],
    [['search'], 2, 'err', /an argument is missing/],
    [['search', 'x', '--format', 'jsno'], 2, 'err', /'jsno' is not known; did you mean 'json'/],
    [['config'], 2, 'err', /an argument is missing/],
    [['config', 'shwo'], 2, 'err', /did you mean 'show'/],
    [['serve', 'now'], 2, 'err', /'now' is one argument too many/],
  ]) {
    const ran = await run(args);
    assert.equal(ran.code, code, `${args}: ${ran.err}`);
    assert.match(ran[where], pattern, String(args));
  }
});

test('a subcommand works on the folder itself, without secrets or a media server', async () => {
  const data = path.join(folder, 'offline');
  for (const args of [['--data', data, 'import', 'list'], ['import', `--data=${data}`, 'none.db'],
    ['import', 'list', '--data', data]]) {
    const ran = await run(args);
    assert.doesNotMatch(ran.err, /JWT|ADMIN|media server|locked/, String(args));
  }
  assert.equal((await stat(data)).mode & 0o777, 0o700);
  assert.equal((await stat(path.join(data, 'cartographus.duckdb'))).mode & 0o777, 0o600);
  await assert.rejects(stat(path.join(data, 'control.sock')));
});

test('a fault in an option that is set is told', async () => {
  const ran = await run(['--data', path.join(folder, 'offline'), 'import', 'list'],
    { env: { SYNC_INTERVAL: 'soon', JWT_SECRET: 'short' } });
  assert.equal(ran.code, 1);
  assert.match(ran.err, /SYNC_INTERVAL: 'soon' is not right/);
  assert.match(ran.err, /JWT_SECRET: JWT secret too short: 5 characters found/);
});

test('the control socket asks for no login, the port does', async () => {
  const data = path.join(folder, 'served');
  const server = await serve(data);
  const socketPath = path.join(data, 'control.sock');
  assert.equal((await stat(socketPath)).mode & 0o777, 0o600);
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/api/v1/sessions`)).status, 401);
  const { default: http } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    http.get({ socketPath, path: '/api/v1/sessions' }, (r) => resolve(r.resume().statusCode))
      .on('error', reject);
  });
  assert.equal(status, 200);
  const missing = await run(['--data', data, 'import', 'nothing.db']);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /'nothing.db': No such file/);
  await stop(server);
  await assert.rejects(stat(socketPath), 'the socket is gone with the server');
});

test('what a killed server leaves behind is in nobody\'s way', async () => {
  const data = path.join(folder, 'killed');
  const server = await serve(data);
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
  await stat(path.join(data, 'control.sock'));
  const ran = await run(['--data', data, 'import', 'nothing.db']);
  assert.match(ran.err, /No such file/);
  await stop(await serve(data));
});

// Writes a Tautulli database and says what is in it.
function tautulli(name) {
  const file = path.join(folder, name);
  const truth = JSON.parse(execFileSync(path.resolve(path.dirname(binary), 'sim', 'cartographus-sim'),
    ['tautulli', '--out', file, '--seed', '7', '--days', '30'], { maxBuffer: 1 << 24 }));
  return { file, rows: truth.rows };
}
// What a person does with a file, on the folder itself and through a server: the same words.
async function importAll(data, name) {
  const { file, rows } = tautulli(name);
  const on = (...args) => run(['--data', data, ...args]);
  const trial = await on('import', file, '--dry-run');
  assert.equal(trial.code, 0, trial.err);
  assert.match(trial.out, new RegExp(`${name}: ${rows} rows read, ${rows} would be added, 0 left out`));
  assert.match((await on('import', 'list')).out, /no imports yet/);
  const first = await on('import', file, '--yes');
  assert.equal(first.code, 0, first.err);
  assert.match(first.out, new RegExp(`${name}: ${rows} rows read, ${rows} added, 0 left out`));
  assert.match(first.out, /\d+ people, \d+ titles, from \d{4}-\d\d-\d\d to /);
  const plays = async () => JSON.parse((await on('query', 'summary', 'days=400', '--format', 'json')).out).data[0].plays;
  const counted = await plays();
  assert.ok(counted > 0);
  const again = await on('import', file, '--yes');
  assert.equal(again.code, 0, again.err);
  assert.match(again.out, new RegExp(`${rows} rows read, 0 added, ${rows} left out`));
  assert.match(again.out, new RegExp(`left out: ${rows}, is there already`));
  assert.equal(await plays(), counted);
  assert.match((await on('import', 'list')).out, new RegExp(`1 +done +tautulli +${name}`));
  const undone = await on('import', 'undo', '1');
  assert.equal(undone.code, 0, undone.err);
  assert.match(undone.out, /import 1 is undone/);
  assert.equal(await plays(), 0);
  for (const [args, pattern] of [
    [['undo', '99'], /99/],
    [['undo', 'x'], /'x' is no import's number/],
    [[path.join(folder, 'offline')], /is not a file/],
    [[binary, '--yes'], /./],
    [[file, '--server', 'plex-9'], /server: there is no media server 'plex-9'/],
  ]) {
    const refused = await on('import', ...args);
    assert.equal(refused.code, 1, `${args}: ${refused.out}`);
    assert.match(refused.err, pattern, String(args));
  }
  return { on, file };
}

test('import, list and undo on the folder itself', async () => {
  await importAll(path.join(folder, 'imports-offline'), 'offline.db');
});

test('import, query and its formats through a running server', async () => {
  const data = path.join(folder, 'imports-served');
  const server = await serve(data);
  const { on, file } = await importAll(data, 'served.db');
  assert.equal((await on('import', file, '--yes')).code, 0);
  const catalogue = await on('query');
  assert.equal(catalogue.code, 0);
  assert.match(catalogue.out, /^users +Who watches how much\?$/m);
  assert.equal((await on('query', '--list')).out, catalogue.out);
  const ask = (...args) => on('query', 'users', 'days=400', ...args);
  const json = JSON.parse((await ask('--format=json')).out).data;
  const table = (await ask()).out.trimEnd().split('\n');
  assert.match(table[0], /^person_id +person +plays +watch/);
  assert.equal(table.length, json.length + 1);
  assert.match(table[1], / \d+h( \d+m)? .* \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, 'durations and times are for people');
  const csv = (await ask('--format', 'csv')).out.trimEnd().split(/\r?\n/);
  assert.match(csv[0], /^person_id,person,plays,watch_ms/);
  assert.equal(csv.length, json.length + 1);
  const lines = (await ask('--format', 'ndjson')).out.trimEnd().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(lines, json);
  assert.match((await ask('--explain')).out, /select /);
  const [best] = JSON.parse((await on('query', 'popular', 'group=show', 'limit=1', '--format', 'json')).out).data;
  const typo = best.title.replace(/(\p{L})(\p{L})(?=\p{L}{2})/u, '$2$1');
  const hits = JSON.parse((await on('search', ...typo.split(' '), '--format=json')).out);
  assert.equal(hits[0].name, best.title, typo);
  assert.equal(hits[0].plays, best.plays);
  assert.match((await on('search', typo)).out, /^score +kind +name +year +plays +watch +last_seen +filter\n/);
  assert.match((await on('search', 'qqxxqq')).out, /nothing that is played is called 'qqxxqq'/);
  const refused = await on('search', 'x'.repeat(201));
  assert.equal(refused.code, 1);
  assert.match(refused.err, /q: it must be text on one line of at most 200 bytes/);
  for (const [args, pattern] of [
    [['userz'], /there is no query 'userz'; did you mean 'users'\?/],
    [['users', 'dayz=3'], /dayz: there is no parameter 'dayz'/],
    [['users', 'days=-3'], /days: '-3'/],
    [['users', 'search=%27; drop'], /no rows/],
  ]) {
    const ran = await on('query', ...args);
    assert.match(ran.err + ran.out, pattern, String(args));
    assert.equal(ran.code, pattern.source === 'no rows' ? 0 : 1, String(args));
  }
  await stop(server);
});

test('a folder that another user holds, or a file in its place, is told', async () => {
  const file = path.join(folder, 'a-file');
  await writeFile(file, '');
  const ran = await run(['--data', file, 'import', 'list']);
  assert.equal(ran.code, 1);
  assert.match(ran.err, /DATA_DIR: '.*a-file' is not a folder/);
  const deep = path.join(folder, 'd'.repeat(100), 'e'.repeat(100));
  await mkdir(deep, { recursive: true });
  const long = await run(['--data', deep, 'import', 'nothing.db']);
  assert.match(long.err, /No such file/, 'a path longer than a socket address');
});
