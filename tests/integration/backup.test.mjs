// Backups of the real binary: made while people watch, verified, restored elsewhere with the same
// answers; what is in the way, damaged or killed is named and leaves nothing half done.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { password, startProgram } from './program.mjs';
import { storeRows } from './store.mjs';
import { build, Children, startSimulator, until } from './simulator.mjs';

const KILLS = 12;
const binary = path.resolve(build, 'cartographus');
const children = new Children();
const isRoot = process.getuid() === 0;
let root, data, sim, program, cookie;

const cli = (args, { env = {}, ...options } = {}) => new Promise((resolve) => {
  const child = spawn(binary, args,
    { cwd: root, env: { PATH: process.env.PATH, DATA_DIR: data, ...env }, ...options });
  let stdout = '', stderr = '';
  child.stdout.on('data', (piece) => { stdout += piece; });
  child.stderr.on('data', (piece) => { stderr += piece; });
  child.once('close', (status) => resolve({ status, stdout, stderr, text: stdout + stderr }));
});
const ask = (method, route, of = program, headers = { cookie }) =>
  fetch(of.url(`/api/v1${route}`), { method, headers });
const get = async (route, of = program, as = cookie) => (await ask('GET', route, of, { cookie: as })).json();
const files = async (folder) => (await readdir(folder)).sort();
const names = async () => (await files(path.join(data, 'backups'))).filter((name) => !name.startsWith('.'));
const newest = async () => path.join(data, 'backups', (await names()).at(-1));
async function makeBackup() {
  const { status, text } = await cli(['backup']);
  assert.equal(status, 0, text);
  return newest();
}
const made = (of, as) => until('the backup ends', async () => {
  const value = await get('/backups', of, as);
  return { is: value.job.state !== 'running', value };
}, 30000);
const answers = async (of, as) => ({
  summary: (await get('/analytics/summary?short=include', of, as)).data,
  users: (await get('/analytics/users?short=include', of, as)).data,
  plays: await get('/plays?short=include&limit=200', of, as),
});

before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cartographus-backup-'));
  await chmod(root, 0o755);
  data = path.join(root, 'data');
  sim = await startSimulator(children);
  program = await startProgram({ ...sim.environment(), PLEX_SESSION_POLLING_INTERVAL: '1s' }, data);
  cookie = await program.login();
  let known = -1;
  await until('the history is in', async () => {
    const { total } = await get('/plays?short=include');
    const is = total > 100 && total === known;
    known = total;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return { is, value: total };
  }, 60000);
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(root, { recursive: true });
});

test('what is made while people watch answers elsewhere as here', async () => {
  const sessions = [];
  for (const kind of ['plex', 'jellyfin', 'emby'])
    sessions.push(await sim.play(kind, { person: 0, kind: 'movie' }));
  const playing = (state) => until(`three sessions, ${state}`, async () => {
    const value = (await get('/sessions')).sessions.map((s) => s.state);
    return { is: value.length === 3 && value.every((s) => s === state), value };
  }, 20000);
  await playing('playing');
  await makeBackup(); // under way
  for (const session of sessions) await sim.act(session, 'pause'); // so that what they answer stays
  await playing('paused');
  await until('three plays are open', async () => {
    const { rows } = await get('/plays?short=include&limit=200');
    return { is: rows.filter((p) => p.is_open).length === 3 };
  }, 20000);
  let here, file;
  await until('nothing changes around the backup', async () => {
    here = await answers();
    file = await makeBackup();
    try { assert.deepEqual(await answers(), here); return { is: true }; } catch (e) { return { value: e.message }; }
  }, 30000);

  const elsewhere = path.join(root, 'elsewhere');
  const restored = await cli(['restore', file, '--data', elsewhere]);
  assert.equal(restored.status, 0, restored.text);
  assert.match(restored.stdout, /is restored to .*elsewhere: \d+ plays/);
  assert.match(restored.stdout, /not in a backup[^]*JWT_SECRET[^]*tokens of the media servers/);
  const other = await startProgram({ SETUP: 'true', JWT_SECRET: 'y'.repeat(48) }, elsewhere);
  try {
    assert.deepEqual(await answers(other, await other.login()), here);
    assert.doesNotMatch(other.child.text, /level=error|older than the store|damaged/);
  } finally {
    await other.stop();
  }
  for (const session of sessions) await sim.act(session, 'stop');
  await until('they have stopped', async () => (
    { is: (await get('/sessions')).sessions.length === 0 }), 20000);
});

test('one that was restored goes on with its servers: what went on meanwhile is blind, not watched', async () => {
  const session = await sim.play('plex', { person: 1, kind: 'movie' });
  await until('it plays', async () => ({ is: (await get('/sessions')).sessions.length === 1 }), 20000);
  const file = await makeBackup();
  const from = Date.now();
  await sim.act(session, 'stop');
  await until('it has stopped', async () => ({ is: (await get('/sessions')).sessions.length === 0 }), 20000);
  const to = Date.now();
  const later = path.join(root, 'later');
  assert.equal((await cli(['restore', file, '--data', later])).status, 0);
  const other = await startProgram(sim.environment(), later);
  const as = await other.login();
  await until('no play is open', async () => {
    const { rows } = await get('/plays?short=include&limit=50', other, as);
    return { is: rows.every((p) => !p.is_open), value: rows[0] };
  }, 20000);
  await other.stop();
  const spans = await storeRows(later, `select s.key, count(*) as spans from coverage c join server s
    using (server_id) where c.state = 'blind' and epoch_ms(c.started) <= ${from} and
    epoch_ms(c.ended) >= ${to} group by 1 order by 1`);
  assert.deepEqual(spans, ['emby-1', 'jellyfin-1', 'plex-1'].map((key) => ({ key, spans: 1 })));
});

test('plain tar opens it; no secret is in it', async () => {
  const file = await newest();
  assert.match(path.basename(file), /^cartographus-\d{8}-\d{6}\.tar\.gz$/);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const folder = path.join(root, 'opened');
  await mkdir(folder);
  execFileSync('tar', ['xzf', file, '-C', folder]);
  assert.deepEqual(await files(folder), ['alive', 'cartographus.duckdb', 'cartographus.sqlite', 'client-id',
    'log.sqlite', 'manifest.json']);
  const manifest = JSON.parse(await readFile(path.join(folder, 'manifest.json')));
  assert.ok(manifest.tables.find((t) => t.name === 'play').rows > 100);
  assert.ok(manifest.log_position > 0);
  const session = cookie.split('=')[1].split('.')[0];
  for (const name of await files(folder)) {
    const bytes = await readFile(path.join(folder, name));
    for (const secret of [password, 'x'.repeat(48), '$argon2id$', session, ...sim.servers.map((s) => s.token)])
      assert.ok(!bytes.includes(secret), `${name} has ${secret} in it`);
  }
  assert.equal(execFileSync('sqlite3', [path.join(folder, 'cartographus.sqlite'),
    "select name, role, password from user; select name from sqlite_schema where type = 'table'"],
  { encoding: 'utf8' }), 'admin|admin|\nuser\nidentity\nlink\n');
});

test('list, change of size, download, removal', async () => {
  const folder = path.join(data, 'backups');
  const old = ['cartographus-20200101-000000.tar.gz', 'cartographus-20200102-000000.tar.gz'];
  await writeFile(path.join(folder, old[0]), Buffer.alloc(100_000));
  await writeFile(path.join(folder, old[1]), Buffer.alloc(40_000));
  const { backups, next_at: next } = await get('/backups');
  assert.ok(Date.parse(next) > Date.now(), 'a day after the newest');
  const [first, second] = [backups.at(-1), backups.at(-2)];
  assert.deepEqual([first.name, first.change_bytes, first.is_shrunk], [old[0], null, false]);
  assert.deepEqual([second.name, second.change_bytes, second.is_shrunk], [old[1], -60_000, true]);
  assert.match((await cli(['backup', 'list'])).stdout, /20200102-000000\S+ +2020-01-02 00:00:00 +40000 +-60000 +yes/);
  const answer = await ask('GET', `/backups/${backups[0].name}`);
  assert.match(answer.headers.get('content-disposition'), /^attachment; filename="cartographus-.*\.tar\.gz"$/);
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), await readFile(await newest()));
  for (const name of old) assert.equal((await ask('DELETE', `/backups/${name}`)).status, 204);
  for (const name of [old[0], '..%2flog.sqlite', 'cartographus.duckdb']) {
    assert.equal((await ask('DELETE', `/backups/${name}`)).status, 404, name);
    assert.equal((await ask('GET', `/backups/${name}`)).status, 404, name);
  }
  assert.equal((await ask('POST', '/backups', program, {})).status, 401);
});

test('one at a time', async () => {
  const [a, b] = await Promise.all([ask('POST', '/backups'), ask('POST', '/backups')]);
  assert.deepEqual([a.status, b.status].sort(), [202, 409]);
  assert.equal((await made()).job.state, 'done');
});

test('every step is in the log with the word backup, and prune says what it would do', async () => {
  const { text } = program.child;
  for (const step of ['begun', 'copying the store', 'packing', 'verifying', 'giving it its name', 'done'])
    assert.match(text, new RegExp(`module=backup msg="?[^"]*${step}`));
  const few = { BACKUP_KEEP_NEWEST: '1', BACKUP_KEEP_DAILY: '0', BACKUP_KEEP_WEEKLY: '0', BACKUP_KEEP_MONTHLY: '0' };
  const folder = path.join(root, 'pruned');
  await cp(path.join(data, 'backups'), path.join(folder, 'backups'), { recursive: true });
  const before = await files(path.join(folder, 'backups'));
  const run = (args) => cli(['backup', 'prune', ...args], { env: { ...few, DATA_DIR: folder } });
  assert.match((await run(['--dry-run'])).stdout, new RegExp(`${before.length - 1} of ${before.length} backups would be removed`));
  assert.deepEqual(await files(path.join(folder, 'backups')), before);
  assert.match((await run([])).stdout, /are removed/);
  assert.deepEqual(await files(path.join(folder, 'backups')), before.slice(-1));
});

test('restore refuses while a server holds the data, and a second process stays locked out after a backup', async () => {
  const file = await newest();
  const { status, stderr } = await cli(['restore', file]);
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`stop the server first.*Database locked: process ${program.child.pid} `));
  const second = await cli(['serve'], { env: { HTTP_PORT: String(program.port), SETUP: 'true', JWT_SECRET: 'x'.repeat(48),
    ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password } });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /Database locked/);
  assert.equal((await ask('GET', '/health')).status, 200);
});

test('what is damaged, foreign or newer is refused by name, and what is there stays', async () => {
  const good = await newest();
  const there = path.join(root, 'there');
  assert.equal((await cli(['restore', good, '--data', there])).status, 0);
  const before = await files(there);
  const opened = path.join(root, 'opened-again');
  await mkdir(opened);
  execFileSync('tar', ['xzf', good, '-C', opened]);
  const manifest = await readFile(path.join(opened, 'manifest.json'), 'utf8');
  const pack = (name, text) => async (file) => {
    await writeFile(path.join(opened, 'manifest.json'), text(manifest));
    execFileSync('tar', ['czf', file, '-C', opened, 'manifest.json', ...Object.keys(
      Object.fromEntries(JSON.parse(manifest).files.map((f) => [f.name, 1])))]);
  };
  const rows = [
    ['short', async (f) => { await cp(good, f); await truncate(f, (await stat(f)).size >> 1); }, /damaged, cut short or no backup/],
    ['text', (f) => writeFile(f, 'hello\n'.repeat(100)), /damaged, cut short or no backup/],
    ['empty', (f) => writeFile(f, ''), /is no backup|no backup/],
    ['foreign', (f) => execFileSync('tar', ['czf', f, '-C', opened, 'log.sqlite']), /no backup of Cartographus: it begins with 'log\.sqlite'/],
    ['newer', pack('newer', (m) => m.replace(/"schema":\d+/, '"schema":99')), /newer version .*schema 99.*take that version/],
    ['rows', pack('rows', (m) => m.replace(/("name":"play","rows":)\d+/, '$17')), /the table 'play' has \d+ rows, not 7/],
    ['sums', pack('sums', (m) => m.replace(/("name":"play","rows":\d+,"sum":")\d+/, '$11')), /the rows of the table 'play' are not those/],
  ];
  for (const [name, make, pattern] of rows) {
    const file = path.join(root, `${name}.tar.gz`);
    await make(file);
    for (const args of [['restore', file, '--data', there], ['backup', 'verify', file]]) {
      const { status, stderr } = await cli(args, { env: { TMPDIR: root } });
      assert.equal(status, 1, `${args}: ${stderr}`);
      assert.match(stderr, pattern, String(args));
      assert.ok(stderr.includes(file), stderr);
    }
    assert.deepEqual(await files(there), before, name);
  }
  const same = path.join(root, 'same.tar.gz'); // packed by tar itself
  await pack('same', (m) => m)(same);
  assert.match((await cli(['backup', 'verify', same], { env: { TMPDIR: root } })).stdout, /whole; made at/);
  assert.deepEqual((await files(root)).filter((n) => n.startsWith('.')), []);
  const missing = await cli(['restore', 'nothing.tar.gz', '--data', path.join(root, 'fresh')]);
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /open 'nothing\.tar\.gz': No such file/);
  assert.ok(!existsSync(path.join(root, 'fresh')));
});

test('a restore can be undone', async () => {
  const there = path.join(root, 'there');
  const id = await readFile(path.join(there, 'client-id'), 'utf8');
  await writeFile(path.join(there, 'client-id'), 'what-was-there-before\n');
  assert.match((await cli(['restore', await newest(), '--data', there])).stdout, /what was there is in .*before-restore-/);
  assert.equal(await readFile(path.join(there, 'client-id'), 'utf8'), id);
  assert.equal((await cli(['restore', '--undo', '--data', there])).status, 0);
  assert.equal(await readFile(path.join(there, 'client-id'), 'utf8'), 'what-was-there-before\n');
});

test('a folder without rights, a full disk: named, and nothing is written', async (t) => {
  const other = path.join(root, 'other');
  const run = (folder, options = {}) =>
    cli(['backup'], { env: { DATA_DIR: other, BACKUP_DIR: folder }, ...options });
  const closed = path.join(root, 'closed');
  await writeFile(closed, '');
  assert.match((await run(closed)).stderr, /BACKUP_DIR: '.*closed' is not a folder/);
  if (isRoot) {
    await rm(other, { recursive: true });
    await mkdir(other);
    await chown(other, 65534, 65534);
    const { status, stderr } = await run(root, { uid: 65534, gid: 65534 });
    assert.equal(status, 1);
    assert.match(stderr, /BACKUP_DIR: '.*' cannot be written to \(owner 0, mode 0755, no rights\); user 65534/);
    await rm(other, { recursive: true });
  }
  const warned = await startProgram({ SETUP: 'true', BACKUP_DIR: closed }, path.join(root, 'warned'));
  assert.match(warned.child.text, /module=backup msg="as things are, no backup can be made" error="BACKUP_DIR: .*not a folder"/);
  const refused = await ask('POST', '/backups', warned, { cookie: await warned.login() });
  assert.equal(refused.status, 500);
  assert.match((await refused.json()).error.message, /^BACKUP_DIR: '.*closed' is not a folder$/);
  assert.match(warned.child.text, /path=\/api\/v1\/backups error="BACKUP_DIR/);
  await warned.stop();
  const disk = path.join(root, 'disk');
  await mkdir(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    return t.skip('no file system can be mounted here');
  }
  try {
    const { status, stderr } = await run(disk);
    assert.equal(status, 1);
    assert.match(stderr, /BACKUP_DIR: not enough room in '.*disk': \d+ KB are needed, \d+ KB are free/);
    assert.deepEqual(await files(disk), []);
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

test('killed at any moment it leaves whole backups only, and the rest is swept at the next start', async () => {
  const folder = path.join(root, 'killed');
  assert.equal((await cli(['restore', await newest(), '--data', folder])).status, 0);
  const start = performance.now();
  assert.equal((await cli(['backup'], { env: { DATA_DIR: folder } })).status, 0);
  const whole = performance.now() - start;
  let left = 0;
  for (let i = 0; i < KILLS; i++) {
    const server = await startProgram({ SETUP: 'true' }, folder);
    const as = await server.login();
    const backups = path.join(folder, 'backups');
    const halves = async () => [...await files(folder), ...await files(backups)]
      .filter((n) => n.startsWith('.'));
    assert.deepEqual(await halves(), [], 'it is swept');
    assert.equal((await ask('POST', '/backups', server, { cookie: as })).status, 202);
    await new Promise((resolve) => setTimeout(resolve, whole * 0.7 * i / KILLS));
    await server.kill();
    left += (await halves()).length > 0;
    for (const name of (await files(backups)).filter((n) => !n.startsWith('.')).slice(-2))
      assert.equal((await cli(['backup', 'verify', path.join(backups, name)], { env: { TMPDIR: root } })).status, 0, name);
  }
  assert.ok(left > 2, `${left} kills fell into a backup`);
});

test('on schedule: made by itself, and what is not to be kept goes', async () => {
  const folder = path.join(root, 'scheduled');
  const scheduled = await startProgram({ SETUP: 'true', BACKUP_SCHEDULE: '1s', BACKUP_KEEP_NEWEST: '2',
    BACKUP_KEEP_DAILY: '1', BACKUP_KEEP_WEEKLY: '0', BACKUP_KEEP_MONTHLY: '0' }, folder);
  try {
    const seen = new Set();
    await until('four are made', async () => {
      const there = existsSync(path.join(folder, 'backups')) ? await files(path.join(folder, 'backups')) : [];
      for (const name of there.filter((n) => !n.startsWith('.'))) seen.add(name);
      return { is: seen.size >= 4, value: [...seen] };
    }, 30000);
    await until('two are kept', async () => {
      const value = (await files(path.join(folder, 'backups'))).filter((n) => !n.startsWith('.'));
      return { is: value.length === 2, value };
    });
    assert.match(scheduled.child.text, /module=backup msg="begun, as it is due"/);
    assert.match(scheduled.child.text, /module=backup msg=removed/);
  } finally {
    await scheduled.stop();
  }
});
