// What the guide says of backups: each row by its number, on the real binary. The guide's /data is
// the data folder here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newFolder, startIdle } from '../integration/program.mjs';
import { until } from '../integration/simulator.mjs';
import { needed, run, type } from './commands.mjs';

let folder, data, program, log;
before(async () => {
  folder = await newFolder();
  await chmod(folder, 0o755);
  data = path.join(folder, 'data');
  log = path.join(folder, 'log');
  program = await startIdle({}, data);
});
after(async () => { await program?.stop(); await rm(folder, { recursive: true }); });

const backup = (env = {}) => run(['backup'], { env: { DATA_DIR: data, ...env } });
const backups = async () => (await readdir(path.join(data, 'backups'))).sort();
// `docker logs cartographus`: what the process has said.
async function grep(line) {
  await writeFile(log, program.child.text);
  return (await type(line.replace('docker logs cartographus', `cat ${log}`))).out;
}

test('row 41: backups are in /data/backups; disk space and rights are named before anything is written', async (t) => {
  assert.equal((await backup()).code, 0);
  assert.match((await type(`df -h ${data}/backups`)).out, /Avail/);
  assert.match((await type(`ls -la ${data}/backups`)).out, /cartographus-\d{8}-\d{6}\.tar\.gz/);
  const other = path.join(folder, 'other');
  await mkdir(other);
  const file = path.join(folder, 'file');
  await writeFile(file, '');
  const noFolder = await backup({ DATA_DIR: other, BACKUP_DIR: file });
  assert.equal(noFolder.code, 1);
  assert.match(noFolder.text, /BACKUP_DIR: '.*file' is not a folder/);
  const disk = path.join(folder, 'disk');
  await mkdir(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    return t.skip('no file system can be mounted here');
  }
  try {
    const full = await backup({ DATA_DIR: other, BACKUP_DIR: disk });
    assert.equal(full.code, 1);
    assert.match(full.text, /BACKUP_DIR: not enough room in '.*disk': \d+ KB are needed, \d+ KB are free/);
    await chmod(disk, 0o755);
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const closed = await backup({ DATA_DIR: other, BACKUP_DIR: disk });
    assert.equal(closed.code, 1);
    assert.match(closed.text, /BACKUP_DIR: '.*disk' cannot be written to \(owner 0, mode 0755, read-only file system\)/);
    assert.deepEqual(await readdir(disk), []);
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

test('row 42: docker logs | grep -i backup has each step', async () => {
  assert.equal((await backup()).code, 0);
  const lines = (await grep('docker logs cartographus | grep -i backup')).split('\n');
  for (const step of ['begun, as asked for', 'copying the store', 'packing', 'verifying', 'giving it its name', 'done'])
    assert.ok(lines.some((line) => line.includes(step)), `${step}: ${lines.join('\n')}`);
});

test('row 42: and its error', async () => {
  const spoilt = path.join(data, 'backups-elsewhere');
  await writeFile(spoilt, '');
  const other = await startIdle({ BACKUP_DIR: spoilt }, path.join(folder, 'spoilt'));
  try {
    assert.equal((await run(['backup'], { env: { DATA_DIR: other.folder } })).code, 1);
    await writeFile(log, other.child.text);
    const { out } = await type(`cat ${log} | grep -i backup`);
    assert.match(out, /msg="as things are, no backup can be made" error="BACKUP_DIR: '.*' is not a folder"/);
    assert.match(out, /msg=failed .*path=\/api\/v1\/backups error="BACKUP_DIR: '.*' is not a folder"/);
  } finally {
    await other.stop();
  }
});

test('row 43: stop before restore: refused while a server holds the data, and works offline', async () => {
  const file = path.join(data, 'backups', (await backups()).at(-1));
  const early = await run(['restore', file], { env: { DATA_DIR: data } });
  assert.equal(early.code, 1);
  assert.match(early.text, /stop the server first.*Database locked: process \d+ \(host \S+, since \S+\)/);
  await program.kill();
  const { code, text } = await run(['restore', file], { env: { DATA_DIR: data } });
  assert.equal(code, 0, text);
  assert.match(text, /is restored to/);
  program = await startIdle({ ...needed }, data);
});

test('row 43: page and API only stage a restore: uploaded, verified, previewed, applied at the next start', async () => {
  const file = path.join(data, 'backups', (await backups()).at(-1));
  const ask = async (method, route, body) => fetch(program.url(`/api/v1${route}`), { method, headers: { cookie: await program.login() }, body });
  const state = async () => (await ask('GET', '/restore')).json();
  assert.equal((await ask('POST', '/restore?name=mine.tar.gz', await readFile(file))).status, 202);
  const ready = await until('it is verified', async () => {
    const value = await state();
    return { is: ['ready', 'failed'].includes(value.state), value };
  }, 30000);
  assert.equal(ready.state, 'ready', ready.error);
  assert.equal(ready.backup.file, 'mine.tar.gz');
  assert.equal(ready.loss.newer_plays, 0);
  assert.ok(ready.needed.some((text) => /JWT_SECRET/.test(text)));
  assert.equal((await ask('POST', '/restore/confirm', JSON.stringify({ id: ready.id }))).status, 200);
  assert.equal((await state()).state, 'staged');
  await program.kill();
  program = await startIdle({}, data);
  assert.match(await grep('docker logs cartographus | grep -i backup'), /restore: what was staged begins.*\n[^]*restore: the data is that of a backup now/);
  assert.equal((await state()).last.backup.file, 'mine.tar.gz');
});

test('row 44: zstd and encryption are options that are seen in the name', async () => {
  const phrase = path.join(folder, 'phrase');
  await writeFile(phrase, 'seven wet otters by the mill\n');
  const other = { DATA_DIR: path.join(folder, 'packed') };
  for (const [env, name] of [[{ BACKUP_COMPRESSION: 'zstd' }, /\.tar\.zst: /], [{ BACKUP_PASSPHRASE_FILE: phrase }, /\.tar\.gz\.enc: /],
    [{ BACKUP_PASSPHRASE_FILE: phrase, BACKUP_COMPRESSION: 'zstd' }, /\.tar\.zst\.enc: /]]) {
    const { code, text } = await backup({ ...other, ...env });
    assert.equal(code, 0, text);
    assert.match(text, name);
  }
  const sealed = (await readdir(path.join(other.DATA_DIR, 'backups'))).find((one) => one.endsWith('.gz.enc'));
  const to = path.join(folder, 'by-hand');
  const opened = await run(['backup', 'open', sealed, '--to', to, '--passphrase-file', phrase], { env: other });
  assert.equal(opened.code, 0, opened.text);
  assert.ok((await readdir(to)).includes('cartographus.duckdb'));
});

test('row 44: the size is reasonable, against the former one too; it decompresses by hand', async () => {
  const file = path.join(data, 'backups', (await backups()).at(-1));
  assert.equal((await type(`gunzip -t ${file} && tar xzf ${file} -C ${folder} manifest.json cartographus.duckdb`)).code, 0);
  await writeFile(path.join(data, 'backups', 'cartographus-20200101-000000.tar.gz'), Buffer.alloc(9000));
  await writeFile(path.join(data, 'backups', 'cartographus-20200102-000000.tar.gz'), Buffer.alloc(4500));
  const { out } = await run(['backup', 'list'], { env: { DATA_DIR: data } });
  assert.match(out, /bytes +change_bytes +is_shrunk/);
  assert.match(out, /cartographus-20200102-000000\.tar\.gz +\S+ \S+ +4500 +-4500 +yes/);
});
