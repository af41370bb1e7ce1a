// What the guide says of logging in: each row by its number, on the real binary. HTTP Basic and OpenID
// Connect have files of their own (tests/integration, tests/browser).
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { freePort, newFolder, password, startIdle, startProgram } from '../integration/program.mjs';
import { startProvider } from '../integration/provider.mjs';
import { Children, startSimulator, until } from '../integration/simulator.mjs';
import { run } from './commands.mjs';

let folder;
before(async () => { folder = await newFolder(); });
after(() => rm(folder, { recursive: true }));

const login = (program, password_, username = 'admin') => fetch(program.url('/api/v1/auth/login'),
  { method: 'POST', body: JSON.stringify({ username, password: password_ }) });
const cookieOf = (answer) => answer.headers.get('set-cookie').split(';')[0];
const plays = async (program, cookie) => (await fetch(program.url('/api/v1/plays'), { headers: { cookie } })).status;

test('row 32: the configured administrator is the truth at every start', async () => {
  const other = 'another horse battery';
  let program = await startIdle({}, folder);
  const cookie = cookieOf(await login(program, password));
  assert.equal(await plays(program, cookie), 200);
  await program.stop();
  program = await startIdle({}, folder);
  assert.equal(await plays(program, cookie), 200, 'a session outlives a restart');
  await program.stop();
  program = await startIdle({ ADMIN_PASSWORD: other }, folder);
  assert.equal(await plays(program, cookie), 401, 'but not another password');
  assert.equal((await login(program, password)).status, 401);
  const next = cookieOf(await login(program, other));
  assert.equal(await plays(program, next), 200);
  await program.stop();
  program = await startIdle({ ADMIN_PASSWORD: other, ADMIN_USERNAME: 'ada' }, folder);
  assert.equal(await plays(program, next), 401, 'nor another name');
  assert.equal((await login(program, other)).status, 401);
  assert.equal((await login(program, other, 'ada')).status, 200);
  await program.stop();
});
test('row 32: user reset ends the sessions of a name, with the server running or not', async () => {
  const env = { SETUP: 'true', JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password, DATA_DIR: folder };
  const reset = (...names) => run(['user', 'reset', ...names], { cwd: folder, env });
  let program = await startIdle({}, folder);
  let cookie = cookieOf(await login(program, password));
  for (let i = 0; i < 6; i++) await login(program, 'wrong');
  assert.equal((await login(program, password)).status, 429);
  const running = await reset('admin');
  assert.deepEqual([running.code, running.out], [0, 'all sessions and API tokens of admin have ended\n'], running.text);
  assert.equal(await plays(program, cookie), 401);
  const unknown = await reset('nobody');
  assert.equal(unknown.code, 1);
  assert.match(unknown.text, /nobody is called 'nobody'/);
  assert.equal((await reset()).code, 2);
  await program.stop();
  program = await startIdle({}, folder);
  cookie = cookieOf(await login(program, password));
  await program.stop();
  const offline = await reset('admin');
  assert.equal(offline.code, 0, offline.text);
  program = await startIdle({}, folder);
  assert.equal(await plays(program, cookie), 401);
  await program.stop();
});
test('row 34: a mode that is not known, or lacks what it needs, is a fault at start', async () => {
  const env = { SETUP: 'true', JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password };
  for (const [mode, pattern] of [
    ['magic', /^AUTH_MODE: 'magic' is not known; it must be jwt, basic, oidc or plex/m],
    ['jwt,none', /^AUTH_MODE: 'none' is not known/m],
    ['plex', /^AUTH_MODE: has plex, but no Plex server is configured: .* set ENABLE_PLEX_SYNC=true/m],
    ['oidc', /^OIDC_ISSUER_URL: is missing(.|\n)*^OIDC_CLIENT_ID: is missing(.|\n)*^OIDC_REDIRECT_URL: is missing/m],
  ]) {
    const { code, text } = await run(['serve'], { cwd: folder, env: { ...env, AUTH_MODE: mode } });
    assert.equal(code, 1, text);
    assert.match(text, pattern);
  }
});
test('row 34: each of the four modes logs in, all of them on at once', async () => {
  const children = new Children();
  const [sim, provider] = await Promise.all([startSimulator(children, 1, 2), startProvider()]);
  const port = await freePort();
  const { url, token } = sim.server('plex');
  const program = await startProgram({ AUTH_MODE: 'jwt, basic, oidc, plex', PLEX_TV_URL: sim.plexTv,
    ENABLE_PLEX_SYNC: 'true', PLEX_URL: url, PLEX_TOKEN: token, OIDC_ISSUER_URL: provider.issuer,
    OIDC_CLIENT_ID: provider.clientId, OIDC_CLIENT_SECRET: provider.clientSecret,
    OIDC_REDIRECT_URL: `http://127.0.0.1:${port}/api/auth/oidc/callback` }, undefined, port);
  try {
    const { auth_modes: modes } = await (await fetch(program.url('/api/v1/app'))).json();
    assert.deepEqual(modes, ['jwt', 'basic', 'oidc', 'plex']);
    const jwt = cookieOf(await login(program, password));
    assert.equal(await plays(program, jwt), 200);
    await until('the Plex server is known', async () => {
      const { servers } = await (await fetch(program.url('/api/v1/sync/status'))).json();
      return { is: servers[0].percent === 100, value: servers };
    }, 60000);

    const basic = { authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}` };
    assert.equal((await fetch(program.url('/api/v1/plays'), { headers: basic })).status, 200);

    const away = await fetch(program.url('/api/v1/auth/oidc/login'), { redirect: 'manual' });
    const back = await fetch(away.headers.get('location'), { redirect: 'manual' });
    const headers = { cookie: cookieOf(away) };
    const came = await fetch(back.headers.get('location'), { headers, redirect: 'manual' });
    const oidc = came.headers.getSetCookie().find((set) => set.startsWith('cartographus_session=')).split(';')[0];
    assert.equal(await plays(program, oidc), 200);

    const begun = await fetch(program.url('/api/v1/auth/plex'), { method: 'POST' });
    assert.equal(begun.status, 200);
    await sim.atPlexTv({ approve: 0 });
    const plex = await until('plex.tv has been asked', async () => {
      const answer = await fetch(program.url('/api/v1/auth/plex/state'), { method: 'POST', headers: { cookie: cookieOf(begun) } });
      const value = answer.headers.getSetCookie().find((set) => set.startsWith('cartographus_session='))?.split(';')[0];
      return { is: answer.status !== 200 || value, value: value ?? answer.status };
    }, 60000);
    assert.equal(await plays(program, plex), 200);
  } finally {
    await program.stop();
    provider.end();
    await children.end();
  }
});
