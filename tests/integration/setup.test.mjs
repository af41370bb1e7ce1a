// scripts/common.sh, npm_packages: a download that stalls is stopped, said, and tried anew; three times.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newFolder } from './program.mjs';

let folder, dir;
before(async () => {
  folder = await newFolder();
  dir = path.join(folder, 'packages');
  await mkdir(path.join(folder, 'bin'));
  await mkdir(dir);
  await writeFile(path.join(dir, 'package-lock.json'), '{}');
});
after(() => rm(folder, { recursive: true }));

// An npm that does this; `calls` counts how often it was asked.
async function fetchWith(script) {
  const npm = path.join(folder, 'bin/npm'), calls = path.join(folder, 'calls');
  await writeFile(calls, '');
  await writeFile(npm, `#!/bin/sh\necho "$*" >>${calls}\nn=$(wc -l <${calls})\n${script}\n`);
  await chmod(npm, 0o755);
  const run = spawnSync('bash', ['-c', `. scripts/common.sh; npm_packages ${dir} "the test"`], {
    encoding: 'utf8', timeout: 60000,
    env: { ...process.env, PATH: `${folder}/bin:${process.env.PATH}`, NPM_MINUTES: '0.01' } });
  return { ...run, calls: (await readFile(calls, 'utf8')).trim().split('\n') };
}
const stamp = path.join('node_modules', '.stamp');

test('three stalls: it ends, and says what to type', async () => {
  const { status, stdout, stderr, calls } = await fetchWith('exec sleep 30');
  assert.equal(status, 1);
  assert.equal(calls.length, 3);
  assert.match(stdout, /npm took longer than 0\.01 minutes and was stopped \(NPM_MINUTES allows more\)/);
  assert.match(stderr, /no npm packages for the test; with a network, type: \(cd .* && npm ci --ignore-scripts\)/);
  assert.match(calls[0], /^ci --ignore-scripts .*--fetch-timeout=60000 --fetch-retries=3/);
});
test('a stall and a failure, then it comes: all is well, and is not asked for again', async () => {
  const { status, stdout, calls } = await fetchWith('case $n in 1) exec sleep 30 ;; 2) echo no network >&2; exit 1 ;; esac');
  assert.equal(status, 0, stdout);
  assert.equal(calls.length, 3);
  assert.match(stdout, /npm failed; what it says is above/);
  assert.ok((await readFile(path.join(dir, stamp), 'utf8')).length > 10);
  assert.deepEqual((await fetchWith('exit 1')).calls, ['']);
});
