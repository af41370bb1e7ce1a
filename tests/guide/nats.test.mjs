// What the guide says of NATS: row 27, and what goes with it.
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newFolder, startIdle } from '../integration/program.mjs';
import { binary, needed, run, type } from './commands.mjs';

let folder, count = 0;
before(async () => { folder = await newFolder(); });
after(async () => rm(folder, { recursive: true }));
async function empty() {
  const cwd = path.join(folder, `empty-${count++}`);
  await mkdir(cwd, { mode: 0o700 });
  return cwd;
}

test('row 27: NATS_MAX_MEMORY=536870912 reaches JetStream and Go\'s memory limit, shown by its RSS', async () => {
  const data = await empty();
  const program = await startIdle({ NATS_EMBEDDED: 'true', NATS_MAX_MEMORY: '536870912',
    NATS_MAX_STORE: '1GB', LOG_LEVEL: 'info,nats=debug' }, data);
  // nats-server's own words, through our logger.
  assert.match(program.child.text, /module=nats msg=" *Max Memory: +512\.00 MB"/);
  assert.match(program.child.text, /module=nats msg=" *Max Storage: +1\.00 GB"/);
  const { out } = await type(`pgrep -f ${data}/nats/server.conf`);
  const pid = out.trim().split('\n')[0];
  assert.equal((await readFile(`/proc/${pid}/environ`, 'utf8')).replaceAll('\0', ''), 'GOMEMLIMIT=536870912');
  const [, kb] = (await readFile(`/proc/${pid}/status`, 'utf8')).match(/VmHWM:\s+(\d+) kB/);
  assert.ok(Number(kb) * 1024 < 536870912, `${kb} kB`);
  await program.stop();
});

test('row 27: without NATS, or with one that is not ours, start-up says that it has no effect', async () => {
  for (const [env, why] of [[{}, /it limits the nats-server that NATS_EMBEDDED=true starts/],
    [{ NATS_URL: 'nats://127.0.0.1:1' }, /the server at NATS_URL has its own limits/]]) {
    const { text } = await run(['serve'], { cwd: await empty(), env: { ...needed, ...env, NATS_MAX_MEMORY: '536870912' } });
    const said = text.split('\n').filter((line) => line.includes('option=NATS_MAX_MEMORY'));
    assert.equal(said.length, 1, text);
    assert.match(said[0], /level=warn .*this has no effect/);
    assert.match(said[0], why);
    assert.ok(!said[0].includes('NATS_MAX_STORE'));
  }
});

test('row 27: without nats-server the start says what to type, and leaves nothing behind', async (t) => {
  const cwd = await empty();
  // Where it is not installed, as the program sees it: in a mount namespace of its own.
  const { code, text, ms } = await type(`unshare --map-root-user --mount sh -c
    'mount --bind /dev/null /usr/sbin/nats-server && exec ${binary} serve'`.replaceAll('\n', ' '),
  { cwd, env: { ...needed, SETUP: 'true', NATS_EMBEDDED: 'true' } });
  if (/^(unshare|mount):/m.test(text)) return t.skip(`no mount namespace here: ${text}`);
  assert.equal(code, 1);
  assert.ok(ms < 1000, `${ms} ms`);
  assert.match(text, /^NATS_EMBEDDED: nats-server is not installed; type, as root: apt-get install nats-server$/m);
  assert.deepEqual(await readdir(cwd), []);
});

test('row 27: faults of the options are said at once', async () => {
  const cwd = await empty();
  const { code, text } = await run(['serve'], { cwd, env: { ...needed, SETUP: 'true', NATS_URL: 'http://nats:4222',
    NATS_EMBEDDED: 'true', NATS_TOKEN: 'a-token', NATS_USER: 'me', NATS_STREAM: 'a b' } });
  assert.equal(code, 1);
  for (const fault of [/^NATS_URL: does not begin with nats:\/\/ or tls:\/\/; it must be one such as/m,
    /^NATS_EMBEDDED: is set, and so is NATS_URL; take one of them out$/m,
    /^NATS_TOKEN: is set, and so is NATS_USER or NATS_PASSWORD; take one of them out$/m,
    /^NATS_STREAM: 'a b' is not right/m]) assert.match(text, fault);
  assert.deepEqual(await readdir(cwd), []);
});
