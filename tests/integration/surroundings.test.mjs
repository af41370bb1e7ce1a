// Bad surroundings: each is told in one clear line, with exit status 1, and nothing is destroyed.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Children, startSimulator, until } from './simulator.mjs';

const binary = path.resolve(process.env.BUILD_DIR ?? 'build', 'cartographus');
const isRoot = process.getuid() === 0;
const nobody = 65534;
const children = new Children();
let folder, model, port;

const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => resolve(free));
  });
});
const environment = (data, more) => ({
  PATH: process.env.PATH, DATA_DIR: data, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port),
  JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: 'correct horse battery',
  SETUP: 'true', ...more,
});
function start(data, { env = {}, ...options } = {}) {
  const child = children.spawn(binary, ['serve'], { env: environment(data, env), cwd: folder, ...options });
  child.ended = new Promise((resolve) => child.once('close', resolve));
  return child;
}
const ask = (data, target) => new Promise((resolve) => {
  http.get({ socketPath: path.join(data, 'control.sock'), path: target }, (answer) => {
    let text = '';
    answer.on('data', (chunk) => { text += chunk; });
    answer.on('end', () => resolve({ code: answer.statusCode, json: text && JSON.parse(text) }));
  }).on('error', () => resolve({ code: 0 }));
});
const isUp = async (child, data) => {
  await until('the server answers', async () => (
    { is: (await ask(data, '/api/v1/health/ready')).code === 200, value: child.text }));
};
const stop = async (child) => {
  child.kill('SIGTERM');
  assert.equal(await child.ended, 0, child.text);
};
async function fails(data, pattern, options) {
  const child = start(data, options);
  assert.equal(await child.ended, 1, child.text);
  assert.match(child.text, pattern);
}
// A folder as a server leaves it.
async function folderLike(name) {
  const data = path.join(folder, name);
  await cp(model, data, { recursive: true });
  return data;
}

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-bad-'));
  await chmod(folder, 0o755);
  port = await freePort();
  model = path.join(folder, 'model');
  const child = start(model);
  await isUp(child, model);
  await stop(child);
});
after(async () => { await children.end(); await rm(folder, { recursive: true }); });

test('a file that is not ours, or cut short, is named and left alone', async () => {
  const rows = [
    ['cartographus.duckdb', (f) => writeFile(f, 'garbage\n'), /duckdb' is no DuckDB database \(8 bytes\)/],
    ['cartographus.duckdb', (f) => truncate(f, 0), /duckdb' is no DuckDB database \(0 bytes\)/],
    ['cartographus.duckdb', (f) => truncate(f, 100000), /Could not read enough bytes from file ".*\.duckdb"/],
    ['cartographus.duckdb', (f) => cp(path.join(model, 'log.sqlite'), f), /duckdb' is no DuckDB database/],
    ['cartographus.duckdb', async (f) => { await rm(f); await mkdir(f); }, /duckdb' is no DuckDB database/],
    ['cartographus.sqlite', (f) => writeFile(f, 'garbage '.repeat(1000)), /'.*cartographus\.sqlite': file is not a database/],
    ['cartographus.sqlite', (f) => truncate(f, 4096), /'.*cartographus\.sqlite': database disk image is malformed/],
    ['log.sqlite', (f) => writeFile(f, 'garbage '.repeat(1000)), /log '.*log\.sqlite': file is not a database/],
    ['log.sqlite', (f) => truncate(f, 4096), /log '.*log\.sqlite': database disk image is malformed/],
  ];
  for (const [i, [name, spoil, pattern]] of rows.entries()) {
    const data = await folderLike(`spoilt-${i}`);
    const file = path.join(data, name);
    await spoil(file);
    const isFile = (await stat(file)).isFile();
    const left = isFile && await readFile(file);
    await fails(data, pattern);
    if (isFile) assert.deepEqual(await readFile(file), left, `${name} is as it was`);
  }
});

test('a folder or file of another user is told with owner and mode', { skip: !isRoot }, async () => {
  const as = { uid: nobody, gid: nobody };
  const closed = path.join(folder, 'read-only');
  await mkdir(closed);
  await chown(closed, nobody, nobody);
  await chmod(closed, 0o555);
  await fails(closed, /'.*read-only' cannot be written to \(owner 65534, mode 0555\)/, as);
  const foreign = path.join(folder, 'foreign');
  await mkdir(foreign);
  await fails(foreign, /cannot be written to \(owner 0, mode 0\d+\); it must belong to user 65534/, as);
  const mixed = await folderLike('mixed');
  await chown(mixed, nobody, nobody);
  await fails(mixed, /'.*mixed\/\S+' cannot be read and written \(owner 0, mode 0600\)/, as);
});

test('what was opened to others is narrowed, and said', async () => {
  const data = await folderLike('wide');
  const store = path.join(data, 'cartographus.duckdb');
  await chmod(data, 0o755);
  await chmod(store, 0o644);
  const child = start(data);
  await isUp(child, data);
  assert.equal((await stat(data)).mode & 0o777, 0o700);
  assert.equal((await stat(store)).mode & 0o777, 0o600);
  assert.match(child.text, /narrowed.*cartographus\.duckdb/);
  await stop(child);
});

test('a taken port names the process that has it', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const taken = other.address().port;
  await fails(path.join(folder, 'port'),
    new RegExp(`port ${taken} is taken by process ${process.pid} \\(\\w+\\); stop that program or choose`),
    { env: { HTTP_PORT: String(taken) } });
  other.close();
});

test('a time zone that does not exist is refused', async () => {
  await fails(path.join(folder, 'zone'), /TZ: 'Mars\/Phobos' is no time zone/, { env: { TZ: 'Mars/Phobos' } });
});

test('a fault of the configuration leaves nothing behind', async () => {
  const data = path.join(folder, 'never');
  await fails(data, /HTTP_PORT: 'x' is not right/, { env: { HTTP_PORT: 'x', JWT_SECRET: 'short' } });
  await assert.rejects(stat(data));
});

test('a limit of the size of files is an error, not a death', async () => {
  const data = path.join(folder, 'limited');
  const child = spawn('bash', ['-c', `ulimit -f 4; exec '${binary}' serve`], { env: environment(data) });
  let text = '';
  child.stderr.on('data', (chunk) => { text += chunk; });
  const [code, signal] = await new Promise((resolve) => child.once('close', (...how) => resolve(how)));
  assert.equal(code, 1, `${signal}: ${text}`);
  assert.match(text, /cartographus\.sqlite': disk I\/O error/);
});

// A small disk of its own; null where none can be mounted.
function smallDisk(name) {
  const disk = path.join(folder, name);
  execFileSync('mkdir', [disk]);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return disk;
}
const fill = (disk) => {
  for (const block of ['64k', '512'])
    try { execFileSync('dd', ['if=/dev/zero', `of=${disk}/fill-${block}`, `bs=${block}`], { stdio: 'ignore' }); } catch { /* that is the aim */ }
};

test('a disk that fills up: said, other work goes on, nothing is lost', async (t) => {
  const disk = smallDisk('disk');
  if (!disk) return t.skip('no file system can be mounted here');
  try {
    const data = path.join(disk, 'data');
    const sim = await startSimulator(children);
    const { url, token } = sim.server('plex');
    const child = start(data, { env: { ENABLE_PLEX_SYNC: 'true', PLEX_URL: url, PLEX_TOKEN: token } });
    const plays = async () => (await ask(data, '/api/v1/plays?limit=5&short=include')).json?.total;
    await isUp(child, data);
    let before = -1;
    await until('the history is in', async () => {
      const now = await plays();
      const is = now > 0 && now === before;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 700));
      return { is, value: child.text };
    }, 30000);
    fill(disk);
    const started = [];
    for (let person = 0; person < 5; person++)
      started.push(await sim.play('plex', { person, kind: 'movie' }));
    await until('the full disk is said', async () => (
      { is: /the log takes nothing.*full/.test(child.text), value: child.text }));
    await new Promise((resolve) => setTimeout(resolve, 3000)); // something to be watched
    for (const play of started) await sim.act(play, 'stop');
    assert.equal((await ask(data, '/api/v1/health')).code, 200, 'reading goes on');
    assert.equal(await plays(), before);
    await rm(path.join(disk, 'fill-64k'));
    await rm(path.join(disk, 'fill-512'), { force: true });
    await until('what was watched meanwhile is there', async () => (
      { is: await plays() === before + started.length, value: child.text }), 30000);
    await stop(child);
  } finally {
    await children.end();
    execFileSync('umount', ['-l', disk]);
  }
});

test('a full disk at the start is told', async (t) => {
  const disk = smallDisk('full');
  if (!disk) return t.skip('no file system can be mounted here');
  try {
    fill(disk);
    await fails(path.join(disk, 'data'), /No space|full|enough/i);
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});
