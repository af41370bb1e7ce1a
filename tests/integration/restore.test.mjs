// A restore through the API of the real binary: uploaded or chosen, verified, staged, done by the next
// start; encrypted and zstd backups; and what goes wrong on the way leaves all as it was.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { password, startIdle, startProgram } from './program.mjs';
import { storeRows } from './store.mjs';
import { build, Children, startSimulator, until } from './simulator.mjs';

const binary = path.resolve(build, 'cartographus');
const phrase = 'seven wet otters by the mill';
const children = new Children();
let root, data, sim, program, cookie, first, total;

const cli = (args, env = {}) => new Promise((resolve) => {
  const child = spawn(binary, args, { cwd: root, env: { PATH: process.env.PATH, DATA_DIR: data, TMPDIR: root, ...env } });
  let text = '';
  child.stdout.on('data', (piece) => { text += piece; });
  child.stderr.on('data', (piece) => { text += piece; });
  child.once('close', (status) => resolve({ status, text }));
});
const ask = (method, route, body = undefined) => fetch(program.url(`/api/v1${route}`), { method, headers: { cookie }, body });
const get = async (route) => (await ask('GET', route)).json();
const state = () => get('/restore');
const send = async (file, name = path.basename(file)) => ask('POST', `/restore?name=${encodeURIComponent(name)}`, await readFile(file));
const files = async (folder) => (await readdir(folder)).sort();
const reached = (...states) => until(`the restore is ${states}`, async () => {
  const value = await state();
  return { is: states.includes(value.state), value };
}, 60000);
const confirm = async (id) => ask('POST', '/restore/confirm', JSON.stringify({ id }));
const plays = async () => (await get('/plays?short=include&limit=1')).total;
// What a restore that did not come about may not leave.
const leftovers = async () => [
  ...(await files(data)).filter((name) => /^(\.work|restore-(staged|ready|placing))/.test(name)),
  ...await files(path.join(data, 'restore-upload'))];
async function makeBackup(env = {}, args = []) {
  const { status, text } = await cli(['backup', ...args], env);
  assert.equal(status, 0, text);
  return text.match(/^(\S+\/cartographus-\S+): /m)[1];
}
async function start(env = {}) {
  program = await startProgram({ ...sim.environment(), ...env }, data);
  cookie = await program.login();
}
// More plays than before, by hand: the store is nobody's while the program is stopped.
async function staged(file = first) {
  assert.equal((await ask('POST', `/restore?backup=${path.basename(file)}`)).status, 202);
  const ready = await reached('ready', 'failed');
  assert.equal(ready.state, 'ready', ready.error);
  const answer = await confirm(ready.id);
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).state, 'staged');
}

before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cartographus-restore-'));
  data = path.join(root, 'data');
  sim = await startSimulator(children);
  await start();
  let known = -1;
  total = await until('the history is in', async () => {
    const value = await plays();
    const is = value > 100 && value === known;
    known = value;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return { is, value };
  }, 60000);
  first = await makeBackup();
  // What is watched after the backup would be lost.
  const session = await sim.play('plex', { person: 0, kind: 'movie' });
  await until('it plays', async () => ({ is: (await get('/sessions')).sessions.length === 1 }), 20000);
  await sim.act(session, 'stop');
  await until('it is a play', async () => ({ is: await plays() > total, value: await plays() }), 20000);
});
after(async () => {
  await program?.kill();
  await children.end();
  await rm(root, { recursive: true });
});

test('nothing is under way: it says so, and needs an administrator', async () => {
  const none = await state();
  assert.deepEqual([none.state, none.backup, none.last], ['none', null, null]);
  assert.ok(none.needed.length > 0 && none.needed.some((text) => /JWT_SECRET/.test(text)));
  for (const [method, route] of [['GET', '/restore'], ['POST', '/restore'], ['POST', '/restore/confirm'],
    ['POST', '/restore/unlock'], ['DELETE', '/restore'], ['DELETE', '/restore/last'], ['POST', '/backups/job/cancel']])
    assert.equal((await fetch(program.url(`/api/v1${route}`), { method })).status, 401, route);
  assert.equal((await ask('DELETE', '/restore')).status, 404);
  assert.equal((await confirm(1)).status, 409);
  assert.equal((await ask('POST', '/restore/unlock', '{"passphrase":"x"}')).status, 409);
  assert.equal((await ask('POST', '/restore?backup=../log.sqlite')).status, 404);
  assert.equal((await ask('POST', '/restore')).status, 400);
});

test('a backup that is uploaded is verified and shown, and given up without a trace', async () => {
  assert.equal((await send(first, 'from-my-laptop.tar.gz')).status, 202);
  const ready = await reached('ready', 'failed');
  assert.equal(ready.state, 'ready', ready.error);
  assert.equal(ready.file, 'from-my-laptop.tar.gz');
  assert.equal(ready.backup.file_bytes, (await stat(first)).size);
  assert.ok(ready.backup.bytes > ready.backup.file_bytes);
  assert.ok(Date.parse(ready.backup.first_play) < Date.parse(ready.backup.last_play));
  assert.ok(ready.backup.plays >= total && ready.backup.people > 1 && ready.backup.titles > 1);
  assert.ok(ready.loss.newer_plays >= 1 && ready.loss.plays_now > ready.backup.plays, JSON.stringify(ready));
  assert.equal((await files(path.join(data, 'restore-upload'))).length, 0, 'the upload is not kept beside what is unpacked');
  assert.equal((await ask('POST', `/restore?backup=${path.basename(first)}`)).status, 409, 'one at a time');
  assert.equal((await send(first)).status, 409);
  assert.equal((await confirm(ready.id + 1)).status, 409, 'only what was shown');
  assert.equal((await ask('DELETE', '/restore')).status, 204);
  assert.equal((await state()).state, 'none');
  assert.deepEqual(await leftovers(), []);
});

test('what is staged is done by the next start, and can be taken back', async () => {
  await staged();
  const shown = await state();
  assert.equal(shown.backup.by, 'admin');
  assert.ok(shown.loss.newer_plays >= 1);
  assert.ok(await plays() > total, 'nothing has changed yet');
  const before = await plays();
  await program.stop();
  assert.ok((await files(data)).some((name) => name.startsWith('restore-staged-')));
  // A command in between works on what is there, and leaves the staged one alone.
  assert.match((await cli(['query', 'summary', '--format', 'csv'])).text, /plays/);
  await start({ PLEX_ENABLED: 'false', JELLYFIN_ENABLED: 'false', EMBY_ENABLED: 'false', SETUP: 'true' });
  const log = program.child.text;
  assert.match(log, /module=backup msg="restore: what was staged begins" file=cartographus-\S+ by=admin/);
  assert.match(log, /module=backup msg="restore: the data is that of a backup now; the way back, with the program stopped: cartographus restore --undo"/);
  const now = await state();
  assert.equal(now.state, 'none');
  assert.equal(now.last.backup.file, path.basename(first));
  assert.ok(existsSync(path.join(now.last.former, 'cartographus.duckdb')));
  assert.equal(await plays(), now.last.backup.plays);
  assert.ok(await plays() < before);
  assert.deepEqual(await leftovers(), []);
  await program.stop();
  const undone = await cli(['restore', '--undo']);
  assert.equal(undone.status, 0, undone.text);
  await start();
  assert.ok(await plays() >= before);
  assert.equal((await state()).last, null);
});

test('the note is put away when it was read; a staged one is cancelled', async () => {
  await staged();
  assert.equal((await ask('POST', `/restore?backup=${path.basename(first)}`)).status, 409);
  assert.equal((await ask('DELETE', '/restore')).status, 204);
  assert.deepEqual(await leftovers(), []);
  assert.match(program.child.text, /module=backup msg="restore: what was staged is given up"/);
  await program.stop();
  assert.equal((await cli(['restore', first])).status, 0);
  await start();
  assert.equal((await state()).last.backup.by, 'command line');
  assert.equal((await ask('DELETE', '/restore/last')).status, 204);
  assert.equal((await state()).last, null);
});

test('what is damaged, foreign or newer is refused by name, and nothing changes', async () => {
  const opened = path.join(root, 'opened');
  await mkdir(opened);
  execFileSync('tar', ['xzf', first, '-C', opened]);
  const manifest = await readFile(path.join(opened, 'manifest.json'), 'utf8');
  const names = JSON.parse(manifest).files.map((f) => f.name);
  const pack = (change) => async (file) => {
    await writeFile(path.join(opened, 'manifest.json'), change(manifest));
    execFileSync('tar', ['czf', file, '-C', opened, 'manifest.json', ...names]);
  };
  const rows = [
    ['short', async (f) => { await cp(first, f); await truncate(f, (await stat(f)).size >> 1); }, /damaged, cut short or no backup/],
    ['photo', (f) => writeFile(f, 'JFIF'.repeat(1000)), /damaged, cut short or no backup/],
    ['foreign', (f) => execFileSync('tar', ['czf', f, '-C', opened, 'log.sqlite']), /no backup of Cartographus: it begins with 'log\.sqlite'/],
    ['newer', pack((m) => m.replace(/"schema":\d+/, '"schema":99')), /newer version .*take that version/],
    ['rows', pack((m) => m.replace(/("name":"play","rows":)\d+/, '$17')), /the table 'play' has \d+ rows, not 7/],
    ['demo', pack((m) => m.replace('"is_demo":false', '"is_demo":true')), /a demo's invented data/],
    // 16 GB of nothing in a few kilobytes: refused by its own list, before a byte is unpacked.
    ['bomb', pack((m) => m.replace(/("name":"cartographus.duckdb","bytes":)\d+/, '$117179869184')), /not enough room|more than 1100 times/],
  ];
  for (const [name, make, pattern] of rows) {
    const file = path.join(root, `${name}.tar.gz`);
    await make(file);
    assert.equal((await send(file)).status, 202);
    const { state: is, error } = await reached('ready', 'failed');
    assert.equal(is, 'failed', name);
    assert.match(error, pattern);
    assert.ok(error.includes(`${name}.tar.gz`) && !error.includes(data), error);
    assert.deepEqual(await leftovers(), [], name);
  }
  assert.match(program.child.text, /module=backup msg="restore: refused; nothing has changed" thread=restore file=newer\.tar\.gz error=/);
  assert.equal((await ask('DELETE', '/restore')).status, 204);
});

test('a second upload is refused before its first byte; one that is broken off leaves nothing', async () => {
  const request = http.request(program.url('/api/v1/restore?name=slow.tar.gz'),
    { method: 'POST', headers: { cookie, 'content-length': 1_000_000 } });
  request.on('error', () => {});
  request.write(Buffer.alloc(1000));
  await reached('uploading');
  const second = await send(first);
  assert.equal(second.status, 409);
  assert.match((await second.json()).error.message, /being uploaded already/);
  assert.equal((await ask('DELETE', '/restore')).status, 404, 'it ends with its connection');
  await until('its file is there', async () => ({ is: (await leftovers()).length === 1 }));
  request.destroy();
  await reached('none');
  await until('its file is gone', async () => ({ is: (await leftovers()).length === 0 }));
});

test('an upload over the limit, without room, on a disk that fills up: said, and nothing is left', async (t) => {
  await program.stop();
  await start({ RESTORE_MAX_SIZE: '1048576' });
  const large = await fetch(program.url('/api/v1/restore'), { method: 'POST', headers: { cookie }, body: Buffer.alloc(1048577) })
    .catch((error) => error);
  if (large.status !== undefined) {
    assert.equal(large.status, 413);
    assert.match((await large.json()).error.message, /over the limit of 1048576 bytes/);
  }
  await reached('none');
  await program.stop();
  await start();
  const much = http.request(program.url('/api/v1/restore'), { method: 'POST', headers: { cookie, 'content-length': 60e9 } });
  much.on('error', () => {});
  const refused = new Promise((resolve) => much.once('response', async (answer) => {
    let text = '';
    for await (const piece of answer) text += piece;
    resolve({ status: answer.statusCode, text });
  }));
  much.write(Buffer.alloc(1000));
  const room = Number(execFileSync('df', ['--output=avail', '-B1', data], { encoding: 'utf8' }).split('\n')[1]);
  if (room < 60e9) {
    const { status, text } = await refused;
    assert.equal(status, 500);
    assert.match(text, /not enough room in/);
  }
  much.destroy();
  await reached('none');
  // The folder for uploads on a disk of its own, which fills up under way.
  const uploads = path.join(data, 'restore-upload');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', uploads], { stdio: 'ignore' });
  } catch {
    return t.skip('no file system can be mounted here');
  }
  try {
    const full = await new Promise((resolve, reject) => {
      const request = http.request(program.url('/api/v1/restore'), { method: 'POST', headers: { cookie, 'transfer-encoding': 'chunked' } });
      request.on('error', reject);
      request.once('response', async (answer) => {
        let text = '';
        for await (const piece of answer) text += piece;
        resolve({ status: answer.statusCode, text });
      });
      request.end(Buffer.alloc(300_000));
    });
    assert.equal(full.status, 500);
    assert.match(full.text, /cannot be written on the server: No space left on device/);
    await reached('none');
    assert.deepEqual(await leftovers(), []);
  } finally {
    execFileSync('umount', ['-l', uploads]);
  }
});

test('no room to unpack: said, and nothing is left', async (t) => {
  const small = path.join(root, 'small');
  await mkdir(small);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small], { stdio: 'ignore' });
  } catch {
    return t.skip('no file system can be mounted here');
  }
  const here = [program, cookie, data];
  try {
    program = await startIdle({ BACKUP_DIR: path.dirname(first), BACKUP_SCHEDULE: '0' }, small);
    data = small;
    cookie = await program.login();
    const left = Number(execFileSync('df', ['--output=avail', '-B1', small], { encoding: 'utf8' }).split('\n')[1]);
    await writeFile(path.join(small, 'ballast'), Buffer.alloc(left - 1e6));
    assert.equal((await ask('POST', `/restore?backup=${path.basename(first)}`)).status, 202);
    const { state: is, error } = await reached('ready', 'failed');
    assert.equal(is, 'failed');
    assert.match(error, /not enough room in '.*small\/\.work-.*': \d+ [KM]B are needed, \d+ [KM]B are free/);
    assert.deepEqual(await leftovers(), []);
  } finally {
    await program.kill();
    [program, cookie, data] = here;
    execFileSync('umount', ['-l', small]);
  }
});

test('zstd: another name, the same way back', async () => {
  await program.stop();
  const file = await makeBackup({ BACKUP_COMPRESSION: 'zstd' });
  assert.match(file, /cartographus-\d{8}-\d{6}\.tar\.zst$/);
  assert.equal((await readFile(file)).readUInt32LE(0), 0xfd2fb528, 'a zstd frame');
  assert.equal((await cli(['backup', 'verify', file])).status, 0);
  await start();
  assert.equal((await send(file)).status, 202);
  const ready = await reached('ready', 'failed');
  assert.equal(ready.state, 'ready', ready.error);
  assert.equal((await ask('DELETE', '/restore')).status, 204);
  const wrong = await cli(['config', 'show'], { BACKUP_COMPRESSION: 'bzip2' });
  assert.match(wrong.text, /BACKUP_COMPRESSION: 'bzip2' is not known; it must be gzip or zstd/);
});

test('with a passphrase: nothing of it is readable, and only the passphrase opens it', async () => {
  await program.stop();
  const given = path.join(root, 'phrase'), other = path.join(root, 'other-phrase');
  await writeFile(given, `${phrase}\n`);
  await writeFile(other, 'another one entirely\n');
  const file = await makeBackup({ BACKUP_PASSPHRASE_FILE: given });
  assert.match(file, /\.tar\.gz\.enc$/);
  const bytes = await readFile(file);
  assert.equal(bytes.subarray(0, 16).toString(), 'CARTOGRAPHUS-ENC');
  for (const text of ['manifest.json', 'cartographus.duckdb', phrase]) assert.ok(!bytes.includes(text), text);
  assert.match((await cli(['backup', 'verify', file])).text, /is encrypted: its passphrase is needed/);
  assert.match((await cli(['backup', 'verify', file, '--passphrase-file', other])).text, /this is not the passphrase it was made with/);
  assert.equal((await cli(['backup', 'verify', file, '--passphrase-file', given])).status, 0);
  const to = path.join(root, 'by-hand');
  assert.match((await cli(['backup', 'open', file, '--to', to, '--passphrase-file', given])).text, /its files are in/);
  assert.ok((await files(to)).includes('cartographus.duckdb'));
  assert.match((await cli(['backup', 'open', file, '--to', to, '--passphrase-file', given])).text, /make the new folder '.*by-hand': File exists/);
  const there = path.join(root, 'sealed-there');
  assert.match((await cli(['restore', file, '--data', there])).text, /its passphrase is needed/);
  assert.ok(!existsSync(there));
  const restored = await cli(['restore', file, '--data', there, '--passphrase-file', given]);
  assert.equal(restored.status, 0, restored.text);
  assert.ok(!restored.text.includes(phrase));

  await start(); // without BACKUP_PASSPHRASE: it is asked for
  assert.equal((await send(file)).status, 202);
  assert.match((await reached('locked', 'ready', 'failed')).error, /passphrase is needed/);
  const unlock = (passphrase) => ask('POST', '/restore/unlock', JSON.stringify({ passphrase }));
  assert.equal((await unlock('')).status, 400);
  assert.equal((await unlock('not this one')).status, 202);
  assert.match((await reached('locked', 'ready', 'failed')).error, /not the passphrase/);
  assert.equal((await unlock(phrase)).status, 202);
  const ready = await reached('locked', 'ready', 'failed');
  assert.deepEqual([ready.state, ready.backup?.is_encrypted], ['ready', true]);
  assert.equal((await ask('DELETE', '/restore')).status, 204);
  assert.ok(!program.child.text.includes(phrase) && !program.child.text.includes('not this one'));
  const { backups } = await get('/backups');
  const one = backups.find((b) => b.name === path.basename(file));
  assert.deepEqual([one.is_encrypted, one.plays], [true, null]);

  // Damage and a wrong passphrase are told apart; so is an end that is missing.
  const damaged = Buffer.from(bytes);
  damaged[bytes.length >> 1] ^= 1;
  const head = Buffer.from(bytes);
  head[50] ^= 1;
  for (const [name, content, pattern] of [
    ['damaged', damaged, /is damaged.* between the bytes \d+ and \d+/],
    ['head', head, /is damaged: its first 101 bytes/],
    ['cut', bytes.subarray(0, bytes.length - 20), /damaged or cut short between|is cut short at byte/],
    ['longer', Buffer.concat([bytes, Buffer.from('x')]), /something follows its end|is damaged/],
  ]) {
    const spoilt = path.join(root, `${name}.tar.gz.enc`);
    await writeFile(spoilt, content);
    const { status, text } = await cli(['backup', 'verify', spoilt, '--passphrase-file', given]);
    assert.equal(status, 1, name);
    assert.match(text, pattern, name);
    assert.doesNotMatch(text, /not the passphrase/);
  }
});

test('a backup that is being made can be cancelled', async () => {
  const before = await files(path.join(data, 'backups'));
  assert.equal((await ask('POST', '/backups/job/cancel')).status, 404);
  assert.equal((await ask('POST', '/backups')).status, 202);
  const answer = await ask('POST', '/backups/job/cancel');
  const job = await until('it ends', async () => {
    const value = (await get('/backups')).job;
    return { is: value.state !== 'running', value };
  }, 30000);
  if (answer.status === 204 && job.state === 'cancelled') {
    assert.equal(job.error, null);
    assert.deepEqual(await files(path.join(data, 'backups')), before);
    assert.match(program.child.text, /module=backup msg="cancelled; nothing is left of it"/);
  } else {
    assert.equal(job.state, 'done', 'it was faster');
  }
});

test('killed while it uploads, verifies, waits or is staged: the next start is whole', async () => {
  const there = () => plays();
  const before = await there();
  const again = async () => { await program.kill(); await start({ SETUP: 'true' }); };
  const request = http.request(program.url('/api/v1/restore'), { method: 'POST', headers: { cookie, 'content-length': 1e6 } });
  request.on('error', () => {});
  request.write(Buffer.alloc(5000));
  await reached('uploading');
  await again();
  assert.deepEqual(await leftovers(), [], 'uploading');
  for (const wait of [0, 30, 100, 200]) {
    assert.equal((await ask('POST', `/restore?backup=${path.basename(first)}`)).status, 202);
    await new Promise((resolve) => setTimeout(resolve, wait));
    await again();
    assert.deepEqual(await leftovers(), [], `verifying, ${wait} ms`);
    assert.ok(await there() >= before);
  }
  await staged();
  await program.kill();
  // As a kill after each of the steps of the start leaves it: named by how far it is.
  const name = (await files(data)).find((n) => n.startsWith('restore-staged-'));
  const stamp = name.slice('restore-staged-'.length);
  const saved = path.join(root, 'saved');
  await rm(path.join(data, 'control.sock'), { force: true }); // no file to copy
  await cp(data, saved, { recursive: true });
  const ready = path.join(data, `restore-ready-${stamp}`), aside = path.join(data, `before-restore-${stamp}`);
  const steps = [
    async () => {},
    async () => { await rename(path.join(data, name), ready); },
    async () => { await mkdir(aside); await rename(path.join(data, 'cartographus.duckdb'), path.join(aside, 'cartographus.duckdb')); },
    async () => {
      for (const n of (await files(data)).filter((f) => /^(cartographus\.sqlite|log\.sqlite|cartographus\.duckdb|alive$|client-id$|restored\.json)/.test(f)))
        await rename(path.join(data, n), path.join(aside, n));
      await rename(ready, path.join(data, `restore-placing-${stamp}`));
    },
    async () => { await rename(path.join(data, `restore-placing-${stamp}`, 'cartographus.duckdb'), path.join(data, 'cartographus.duckdb')); },
  ];
  for (let most = 0; most < steps.length; most++) {
    await rm(data, { recursive: true });
    await cp(saved, data, { recursive: true });
    for (const step of steps.slice(0, most + 1)) await step();
    await start({ PLEX_ENABLED: 'false', JELLYFIN_ENABLED: 'false', EMBY_ENABLED: 'false', SETUP: 'true' });
    const { last } = await state();
    assert.equal(last.backup.file, path.basename(first), `step ${most}`);
    assert.equal(await plays(), last.backup.plays);
    assert.deepEqual(await leftovers(), [], `step ${most}`);
    await program.stop();
    assert.ok((await storeRows(last.former, 'select count(*) as n from play'))[0].n >= before, `step ${most}: the former data is whole`);
  }
});

test('a restored store that does not open says where it came from and the way back', async () => {
  await writeFile(path.join(data, 'cartographus.duckdb'), 'this is no store');
  const { status, text } = await cli(['serve'], { HTTP_PORT: String(program.port), SETUP: 'true', JWT_SECRET: 'x'.repeat(48),
    ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password });
  assert.equal(status, 1);
  assert.match(text, /this store came with the restore of 'cartographus-\S+' \(the way back: cartographus restore --undo\)/);
  assert.equal((await cli(['restore', '--undo'])).status, 0);
  await start();
  assert.ok(await plays() >= total);
});
