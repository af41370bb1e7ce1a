// The scan of every log of the suite for secrets, itself.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { leaksIn, secretOptions, secretsOf } from './secrets.mjs';

let folder;
before(async () => { folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-')); });
after(() => rm(folder, { recursive: true }));

test('it knows every option that is a secret', () => {
  for (const name of ['JWT_SECRET', 'ADMIN_PASSWORD', 'OIDC_CLIENT_SECRET', 'NATS_PASSWORD', 'NATS_TOKEN',
    'NATS_URL', 'METRICS_TOKEN', 'PLEX_TOKEN', 'JELLYFIN_API_KEY', 'EMBY_API_KEY'])
    assert.ok(secretOptions.includes(name), name);
  for (const name of ['ADMIN_USERNAME', 'DATA_DIR', 'OIDC_CLIENT_ID']) assert.ok(!secretOptions.includes(name), name);
});

test('it takes them from values, files, aliases and lists, and finds each in a line', async () => {
  const file = path.join(folder, 'secret');
  await writeFile(file, 'from-a-file-1234\n');
  const secrets = secretsOf({ JWT_SECRET: 'j'.repeat(40), ADMIN_PASSWORD_FILE: file, JELLYFIN_TOKEN: 'alias-12345',
    PLEX_SERVERS: JSON.stringify([{ url: 'http://x:1', token: 'listed-12345' }]), HTTP_PORT: '12345678' });
  assert.deepEqual(secrets.map(([name]) => name).sort(),
    ['ADMIN_PASSWORD', 'JELLYFIN_TOKEN', 'JWT_SECRET', 'PLEX_SERVERS: token']);
  for (const [name, value] of secrets) {
    assert.match(leaksIn(`level=info msg="so ${value} it is"`, secrets).join('\n'), new RegExp(`^${name} is in the log`));
    assert.match(leaksIn(Buffer.from(`admin:${value}`).toString('base64'), secrets).join('\n'), new RegExp(name));
  }
  assert.match(leaksIn(`token=cgt_${'a'.repeat(43)}`, [])[0], /an API token is in the log/);
  assert.deepEqual(leaksIn('level=info port=12345678 secret=***', secrets), []);
});

// A program of that name, and a file of tests that starts it.
async function runWith(script) {
  const program = path.join(folder, 'cartographus');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  const tests = path.join(folder, 'planted.test.mjs');
  const scan = fileURLToPath(new URL('./secrets.mjs', import.meta.url));
  await writeFile(tests, `
    import { spawn } from 'node:child_process';
    import { test } from 'node:test';
    import ${JSON.stringify(scan)};
    test('passes', () => new Promise((resolve) => spawn(${JSON.stringify(program)}, ['serve'],
      { env: { PATH: process.env.PATH, JWT_SECRET: 'planted-'.repeat(5) } }).on('close', resolve)));`);
  const env = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  return spawnSync(process.execPath, ['--test', tests], { encoding: 'utf8', env });
}

test('a file of tests whose program logs a secret fails, by the name of the option', async () => {
  const bad = await runWith('echo "level=info secret=$JWT_SECRET" >&2');
  assert.notEqual(bad.status, 0, bad.stdout);
  assert.match(bad.stdout + bad.stderr, /JWT_SECRET is in the log/);
  const good = await runWith('echo "level=info secret=***" >&2');
  assert.equal(good.status, 0, good.stdout + good.stderr);
});

test('what is imported by name is watched, too', async () => {
  const program = path.join(folder, 'cartographus');
  await writeFile(program, '#!/bin/sh\necho quiet >&2\n');
  await chmod(program, 0o755);
  const child = spawn(program, [], { env: {} });
  await once(child, 'close');
  assert.ok(child.stderr.listenerCount('data') > 0, 'nobody listens');
});
