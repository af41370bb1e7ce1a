// A long log is applied before anything else: meanwhile the port answers, and says what goes on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { freePort, newFolder, password, startIdle } from './program.mjs';
import { build, Children, until } from './simulator.mjs';

const RECORDS = 4000;

test('while the log is applied HTTP says that the program starts, and then it serves', async () => {
  const folder = await newFolder(), port = await freePort(), children = new Children();
  try {
    await (await startIdle({}, folder, port)).stop();
    execFileSync('sqlite3', [path.join(folder, 'log.sqlite'), `insert into record (kind, appended_us, payload)
      select 2, 1, '{"server":"plex-1","at_us":' || (1700000000000000 + value * 1000000) || ',"state":"' ||
      iif(value % 2, 'connected', 'blind') || '"}' from generate_series(1, ${RECORDS})`]);
    const child = children.spawn(path.join(build, 'cartographus'), ['serve'], { env: {
      PATH: process.env.PATH, DATA_DIR: folder, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port), SETUP: 'true',
      JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password } });
    const ask = (route) => fetch(`http://127.0.0.1:${port}${route}`).then(async (answer) => (
      { status: answer.status, retry: answer.headers.get('retry-after'), text: await answer.text() }), () => null);
    const seen = {};
    await until('it serves', async () => {
      for (const route of ['/api/v1/health', '/api/v1/health/live', '/api/v1/health/ready', '/api/v1/plays', '/']) {
        const answer = await ask(route);
        if (answer) (seen[route] ??= []).push(answer);
      }
      return { is: seen['/api/v1/health']?.at(-1).status === 200, value: child.text };
    }, 120000);
    const first = (route) => seen[route][0];
    assert.deepEqual([first('/api/v1/health').status, JSON.parse(first('/api/v1/health').text).status], [503, 'starting']);
    assert.equal(first('/api/v1/health').retry, '5');
    assert.ok(seen['/api/v1/health/live'].every(({ status }) => status === 200), 'it was alive all the time');
    assert.deepEqual([first('/api/v1/health/ready').status, first('/api/v1/health/ready').text], [503, '{"status":"not ready"}']);
    assert.equal(first('/api/v1/plays').status, 503);
    assert.match(JSON.parse(first('/api/v1/plays').text).error.message, /starts: 4000 records of its log are applied first/);
    assert.match(first('/').text, /^Cartographus starts: 4000 records/);
    assert.match(child.text, /the log is applied first; meanwhile HTTP says that the program starts/);
    assert.equal((await ask('/')).status, 200);
  } finally {
    await children.end();
    await rm(folder, { recursive: true });
  }
});
