// What the guide says of installing and starting: each row by its number, on the real binary.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, newFolder, password, startIdle, startProgram } from '../integration/program.mjs';
import { Children, startSimulator, until } from '../integration/simulator.mjs';
import { binary, kinds, needed, run, type } from './commands.mjs';

const children = new Children();
let folder;
before(async () => { folder = await newFolder(); });
after(async () => { await children.end(); await rm(folder, { recursive: true }); });

// An empty folder to start in, where ./data would be made.
let count = 0;
async function empty() {
  const cwd = path.join(folder, `empty-${count++}`);
  await mkdir(cwd);
  return cwd;
}
// Refused within a second with exit status 1, nothing left behind; the lines it said.
async function refused(env) {
  const cwd = await empty();
  const { code, text, ms } = await run(['serve'], { cwd, env });
  assert.equal(code, 1, text);
  assert.ok(ms < 1000, `${ms} ms`);
  assert.deepEqual(await readdir(cwd), []);
  return text.trimEnd().split('\n');
}
const only = (lines, pattern) => {
  const found = lines.filter((line) => pattern.test(line));
  assert.equal(found.length, 1, `${pattern}: ${lines.join('\n')}`);
};

test('row 5: all that is missing is said at once, a line each: what was found, what is right, how to get it', async () => {
  const missing = await refused({});
  assert.equal(missing.length, 4, missing.join('\n'));
  only(missing, /^JWT_SECRET: .* 0 characters found, at least 32 are needed; make one with: openssl rand -base64 48$/);
  only(missing, /^ADMIN_USERNAME: is missing; choose the administrator's name$/);
  only(missing, /^ADMIN_PASSWORD: 0 characters found, at least 12 are needed; make one with: openssl rand -base64 18$/);
  only(missing, /^no media server is configured; .*ENABLE_PLEX_SYNC=true/);
  const short = await refused({ JWT_SECRET: 'x'.repeat(31), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: 'y'.repeat(11), SETUP: 'true' });
  assert.equal(short.length, 2, short.join('\n'));
  only(short, /^JWT_SECRET: .*31 characters found, at least 32/);
  only(short, /^ADMIN_PASSWORD: 11 characters found, at least 12/);
});

test('row 5: a fault in any option is said with all the others', async () => {
  const table = await readFile(new URL('../../src/config/options.def', import.meta.url), 'utf8');
  const options = [...table.matchAll(/^OPTION\(\w+, "(\w+)",\s+"[^"]+",\s+(\w+),\s+"[^"]*",\s+[-\d.]+,\s+(\d+)/gm)];
  assert.equal(options.length, table.match(/^OPTION\(/gm).length);
  const env = {};
  for (const [, name, type, most] of options) {
    if (name === 'DATA_DIR') continue; // below
    env[name] = type === 'TEXT' ? 'x'.repeat(Number(most) + 1) : 'wrong';
  }
  const lines = await refused(env);
  for (const name of Object.keys(env)) only(lines, new RegExp(`^${name}: `));
  // Right in shape, but there is no such zone, file or address: known before anything is made.
  const nowhere = await refused({ ...needed, SETUP: 'true', JWT_SECRET: 'short', TZ: 'Mars/Phobos',
    CITY_DATABASE: '/no/such/file', HTTP_HOST: '203.0.113.1', TRUSTED_PROXIES: 'proxy,10.0.0.1/8' });
  assert.equal(nowhere.length, 6, nowhere.join('\n'));
  only(nowhere, /^TZ: 'Mars\/Phobos' is no time zone; it must be one such as Europe\/Berlin/);
  only(nowhere, /^CITY_DATABASE: \/no\/such\/file: .*; it must be a MaxMind or DB-IP City file/);
  only(nowhere, /^HTTP_HOST: .*'203\.0\.113\.1'.*; it must be an address of this machine/);
  only(nowhere, /^TRUSTED_PROXIES: 'proxy' is no address; it must be one such as 172\.17\.0\.1/);
  only(nowhere, /^TRUSTED_PROXIES: '10\.0\.0\.1\/8' .*did you mean 10\.0\.0\.0\/8/);
  const file = path.join(folder, 'a-file');
  await writeFile(file, '');
  only(await refused({ ...needed, SETUP: 'true', DATA_DIR: file }), /DATA_DIR: '.*a-file' is not a folder/);
  only(await refused({ ...needed, SETUP: 'true', DATA_DIR: path.join(folder, 'no', 'such') }), /DATA_DIR: make '.*such': No such file/);
});

test('row 6: serve without any media server names the three ways out', async () => {
  const lines = await refused(needed);
  assert.equal(lines.length, 1);
  for (const way of [/ENABLE_PLEX_SYNC=true with PLEX_URL and PLEX_TOKEN/, /JELLYFIN_ENABLED/, /EMBY_ENABLED/, /SETUP=true/, /DEMO=true/])
    assert.match(lines[0], way);
});

test('row 6: SETUP=true serves login and the add-a-server page only, until a server is there', async () => {
  const sim = await startSimulator(children, 1, 1);
  const one = await startProgram({ SETUP: 'true' });
  const headers = { cookie: await one.login() };
  const ask = async (method, route, body) => {
    const answer = await fetch(one.url(`/api/v1${route}`), { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  assert.equal((await ask('GET', '/app')).body.setup, true);
  assert.equal((await fetch(one.url('/'))).status, 200);
  for (const [method, route] of [['GET', '/plays'], ['GET', '/sessions'], ['GET', '/analytics'], ['POST', '/sync/trigger'], ['GET', '/backups']]) {
    const { status, body } = await ask(method, route);
    assert.equal(status, 409, route);
    assert.match(body.error.message, /no media server yet/);
  }
  const { url, token } = sim.server('jellyfin');
  assert.equal((await ask('POST', '/servers', { kind: 'jellyfin', url, token })).status, 201);
  assert.equal((await ask('GET', '/app')).body.setup, false);
  assert.equal((await ask('GET', '/plays')).status, 200);
  await one.stop();
});

test('row 6: a server that was added is one: serve starts without SETUP', async () => {
  const sim = await startSimulator(children, 1, 1);
  const data = path.join(await empty(), 'data');
  const first = await startProgram({ SETUP: 'true' }, data);
  const { url, token } = sim.server('plex');
  const answer = await fetch(first.url('/api/v1/servers'),
    { method: 'POST', headers: { cookie: await first.login() }, body: JSON.stringify({ kind: 'plex', url, token }) });
  assert.equal(answer.status, 201);
  await first.stop();
  const second = await startProgram({}, data);
  await until('it is watched', async () => {
    const value = (await (await fetch(second.url('/api/v1/sync/status'))).json()).servers;
    return { is: value.length === 1 && value[0].state === 'connected', value };
  }, 20000);
  await second.stop();
});

test('row 6: make run sets DEMO when nothing is configured', async () => {
  const cwd = await empty();
  const port = await freePort();
  const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
  const child = children.spawn(path.join(root, 'scripts/run'), [path.dirname(binary)], {
    env: { PATH: process.env.PATH, DATA_DIR: path.join(cwd, 'data'), HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port) } });
  const app = await until('it serves', async () => {
    const value = await fetch(`http://127.0.0.1:${port}/api/v1/app`).then((r) => r.json(), () => child.text);
    return { is: value.demo !== undefined, value };
  }, 30000);
  assert.equal(app.demo, true);
  child.kill('SIGTERM');
  await once(child, 'exit');
});

test('row 7: "JWT secret too short", the length found, and the command', async () => {
  for (const length of [1, 16, 31])
    only(await refused({ ...needed, SETUP: 'true', JWT_SECRET: 'k'.repeat(length) }),
      new RegExp(`JWT secret too short: ${length} characters found, .*openssl rand -base64 48`));
});

test('row 8: every output of openssl rand -base64 48 is accepted', async () => {
  const { out } = await type('for i in $(seq 40); do openssl rand -base64 48; done');
  // And what chance makes seldom: every word of a sample inside, at the ends, between its signs.
  const words = ['secret', 'password', 'changeme', 'ChangeMe', 'xxx', 'XXX', 'todo', 'fixme', 'placeholder', 'admin', 'example', 'test', 'yoursecret'];
  const filler = 'q7Zk0Vb3Xn9Lw2Ty5Rj8Hd1Gf4Sm6Pc0Kq7Zk0Vb3Xn9Lw2Ty5Rj8Hd1Gf4Sm6Pc0K';
  const made = words.flatMap((word) => [`${word}/${filler}`, `+${word}+${filler}`, `${filler.slice(0, 20)}/${word}/${filler}`]
    .map((text) => text.slice(0, 64)).concat(`${filler}${filler}`.slice(0, 63 - word.length) + `/${word}`));
  for (const secret of [...out.trim().split('\n'), ...made]) {
    assert.equal(secret.length, 64);
    const { code, text } = await run(['check', '--offline'], { cwd: folder, env: { ...needed, SETUP: 'true', JWT_SECRET: secret } });
    assert.equal(code, 0, `${secret}: ${text}`);
  }
  for (const sample of ['your_jwt_secret_must_be_at_least_32_characters', 'change-me-change-me-change-me-change-me', 'replace with 32 characters or more, please'])
    only(await refused({ ...needed, SETUP: 'true', JWT_SECRET: sample }), /^JWT_SECRET: this is the text of a sample/);
});

test('row 10: 3857 is the default port; lsof -i finds who has it, and so does the program', async () => {
  const shown = await run(['config', 'show'], { cwd: folder });
  assert.match(shown.out, /^HTTP_PORT=3857$/m);
  const one = await startIdle();
  const lsof = await type(`lsof -i :${one.port}`);
  assert.match(lsof.out, new RegExp(`^cartograp?\\S* +${one.child.pid} .*TCP .*:${one.port} \\(LISTEN\\)$`, 'm'));
  const { code, text } = await run(['serve'], { cwd: await empty(), env: { ...needed, SETUP: 'true', HTTP_HOST: '127.0.0.1', HTTP_PORT: String(one.port) } });
  assert.equal(code, 1);
  assert.match(text, new RegExp(`port ${one.port} is taken by process ${one.child.pid} \\(cartographus\\)`));
  await one.stop();
});

test('row 11: a second process is refused with the name of the first, which is not disturbed', async () => {
  const one = await startIdle();
  const second = await run(['serve'], { cwd: folder, env: { ...needed, SETUP: 'true', DATA_DIR: one.folder, HTTP_PORT: String(await freePort()) } });
  assert.equal(second.code, 1);
  assert.match(second.text, new RegExp(`Database locked: process ${one.child.pid} \\(host ${(await type('hostname')).out.trim()}, since \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\\)`));
  const cookie = await one.login();
  assert.equal((await fetch(one.url('/api/v1/plays'), { headers: { cookie } })).status, 200);
  assert.equal((await (await fetch(one.url('/api/v1/health'))).json()).status, 'healthy');
  await one.stop();
});

test('row 12: ps shows who runs, and one that was killed leaves no lock', async () => {
  const data = path.join(folder, 'killed');
  const one = await startIdle({}, data);
  assert.match((await type('ps aux | grep cartographus')).out, new RegExp(`^\\S+ +${one.child.pid} .*cartographus serve$`, 'm'));
  await one.kill();
  const two = await startIdle({}, data);
  assert.equal((await (await fetch(two.url('/api/v1/health'))).json()).database, 'connected');
  await two.stop();
});

test('row 13: an address needs its protocol and its port, and is refused with the likely right one', async () => {
  const names = { plex: ['ENABLE_PLEX_SYNC', 'PLEX_URL', 'PLEX_TOKEN', 32400], jellyfin: ['JELLYFIN_ENABLED', 'JELLYFIN_URL', 'JELLYFIN_API_KEY', 8096],
    emby: ['EMBY_ENABLED', 'EMBY_URL', 'EMBY_API_KEY', 8096] };
  for (const [kind, [on, url, token, port]] of Object.entries(names)) {
    const check = (text) => run(['check', '--offline'], { cwd: folder, env: { ...needed, [on]: 'true', [token]: 'a-token-of-a-test', [url]: text } });
    for (const [text, says] of [
      ['192.168.1.100', `did you mean http://192.168.1.100:${port} ?`],
      [`192.168.1.100:${port}`, `did you mean http://192.168.1.100:${port} ?`],
      ['media.lan/prefix', `did you mean http://media.lan:${port}/prefix ?`],
      ['http://192.168.1.100', `has no port; did you mean http://192.168.1.100:${port} ? (port 80 must be typed)`],
      ['http://media.lan/prefix', `did you mean http://media.lan:${port}/prefix ?`],
      ['http://[fd00::1]', `did you mean http://[fd00::1]:${port} ?`],
      ['ftp://media.lan:21', 'is neither http:// nor https://'],
      ['http://user:word@media.lan:80', 'user and password do not belong into the address'],
      [`http://media.lan:${port}/?x=1`, 'an address ends before'],
      [`http://media.lan:${port}/#x`, 'an address ends before'],
      ['http://:8096', 'names no host'],
      ['http://media.lan:99999', 'is no port'],
    ]) {
      const { code, out } = await check(text);
      assert.equal(code, 1, `${kind} ${text}`);
      assert.ok(out.split('\n').some((line) => line.startsWith(`${url}: `) && line.includes(says)), `${text}: ${out}`);
    }
    for (const text of ['http://192.168.1.100:32400', 'http://media.lan:80', 'https://media.lan', 'https://media.lan:8920/', `http://[fd00::1]:${port}`])
      assert.equal((await check(text)).code, 0, text);
  }
  // Without a port https:// is 443, and a path prefix is kept: seen at what answers there.
  const sim = await startSimulator(children, 1, 1);
  const asked = [];
  const front = net.createServer((socket) => socket.once('data', (chunk) => { asked.push(String(chunk).split('\r\n')[0]); socket.end(); }));
  await new Promise((resolve) => front.listen(0, '127.0.0.1', resolve));
  const env = { ...needed, PLEX_SERVERS: JSON.stringify([{ url: `http://127.0.0.1:${front.address().port}/media/`, token: sim.server('plex').token }, { url: 'https://127.0.0.1', token: 'a-token-of-a-test' }]) };
  const { text } = await run(['check'], { cwd: folder, env });
  front.close();
  assert.match(asked[0], /^GET \/media\/identity /);
  assert.match(text, /plex-2 .*(127\.0\.0\.1:443|port 443)/);
});

test('row 15: check tries the token and tells unknown or expired, without rights and unreachable apart', async () => {
  const sim = await startSimulator(children, 1, 1);
  for (const kind of kinds) {
    const { url, token } = sim.server(kind);
    const check = async (one) => {
      const { code, out } = await run(['check'], { cwd: folder, env: { ...needed, [`${kind.toUpperCase()}_SERVERS`]: JSON.stringify([one]) } });
      return `${code} ${out.split('\n').find((line) => line.startsWith(`${kind}-1 `)) ?? out}`;
    };
    assert.match(await check({ url, token }), /^0 .* fine: /);
    // A server answers 401 to both, so that they cannot be told apart; the remedy is the same.
    assert.match(await check({ url, token: 'another-token-of-a-test' }), /^1 .*unauthorized: .*does not know the token \(HTTP 401\): expired, revoked, or not copied whole; make a new one/);
    await sim.fault(kind, 'forbidden', 60000);
    assert.match(await check({ url, token }), /^1 .*forbidden: .*valid but may not see what others watch \(HTTP 403\); give (the X-Plex-Token of its owner|an API key)/);
    await sim.fault(kind, 'none', 1);
    assert.match(await check({ url: `http://127.0.0.1:${await freePort()}`, token }), /^1 .*unreachable: .*Connection refused; does it run/);
  }
});

test('row 15: so does the page, and the remedy is told', async () => {
  const sim = await startSimulator(children, 1, 1);
  const one = await startProgram({ SETUP: 'true' });
  const headers = { cookie: await one.login() };
  const tried = async (body) => (await fetch(one.url('/api/v1/servers/test'), { method: 'POST', headers, body: JSON.stringify(body) })).json();
  for (const kind of kinds) {
    const { url, token } = sim.server(kind);
    assert.equal((await tried({ kind, url, token: ` ${token}\n` })).verdict, 'fine', 'white space around it is taken off');
    const unknown = await tried({ kind, url, token: 'another-token-of-a-test' });
    assert.deepEqual([unknown.verdict, /expired, revoked, or not copied whole; make a new one/.test(unknown.text)], ['unauthorized', true]);
    await sim.fault(kind, 'forbidden', 60000);
    const forbidden = await tried({ kind, url, token });
    assert.deepEqual([forbidden.verdict, /may not see what others watch/.test(forbidden.text)], ['forbidden', true]);
    await sim.fault(kind, 'none', 1);
    assert.equal((await tried({ kind, url: `http://127.0.0.1:${await freePort()}`, token })).verdict, 'unreachable');
  }
  // Row 13: the same rules of addresses.
  for (const [url, likely] of [['plex', 'http://plex:32400'], ['http://plex', 'http://plex:32400'], ['http://u:p@plex:1', null], ['http://plex:1?a', null]]) {
    const answer = await tried({ kind: 'plex', url, token: 'a-token-of-a-test' });
    assert.deepEqual([answer.verdict, answer.likely_url], ['address', likely], url);
  }
  await one.stop();
});

test('row 15: white space around keys, tokens and addresses is taken off, and the log says so', async () => {
  const sim = await startSimulator(children, 1, 1);
  const [plex, jellyfin, emby] = kinds.map(sim.server);
  const env = { ENABLE_PLEX_SYNC: 'true', PLEX_URL: ` ${plex.url}`, PLEX_TOKEN: `${plex.token}\n`, JELLYFIN_ENABLED: 'true', JELLYFIN_URL: `${jellyfin.url} \t`, JELLYFIN_API_KEY: `  ${jellyfin.token}`,
    EMBY_SERVERS: JSON.stringify([{ url: ` ${emby.url} `, token: ` ${emby.token} ` }]) };
  const one = await startProgram(env);
  await until('all are watched', async () => {
    const value = (await (await fetch(one.url('/api/v1/sync/status'))).json()).servers;
    return { is: value.length === 3 && value.every((s) => s.state === 'connected'), value };
  });
  for (const option of ['PLEX_URL', 'PLEX_TOKEN', 'JELLYFIN_URL', 'JELLYFIN_API_KEY', 'EMBY_SERVERS\\[0\\].url', 'EMBY_SERVERS\\[0\\].token'])
    assert.match(one.child.text, new RegExp(`msg="white space around a value was taken off" option=${option}\\n`));
  await one.stop();
});

test('row 25: ls -lh data/cartographus.duckdb', async () => {
  const cwd = await empty();
  const port = await freePort();
  const child = children.spawn(binary, ['serve'], { cwd, env: { PATH: process.env.PATH, ...needed, SETUP: 'true', HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port) } });
  await until('it serves', async () => ({ is: await fetch(`http://127.0.0.1:${port}/api/v1/health`).then((r) => r.ok, () => false), value: child.text }), 20000);
  const { code, out } = await type('ls -lh data/cartographus.duckdb', { cwd });
  assert.equal(code, 0);
  assert.match(out, /^-rw------- 1 \S+ \S+ +[\d.]+[KMG] .* data\/cartographus\.duckdb$/m);
  child.kill('SIGTERM');
  await once(child, 'exit');
});

test('row 45: the guide\'s own pipe prints no secret of a server set up by files, and config show none at all', async () => {
  const secrets = { JWT_SECRET: `s${'j'.repeat(40)}`, ADMIN_PASSWORD: `s${'p'.repeat(20)}`, PLEX_TOKEN: 's-token-of-plex', JELLYFIN_API_KEY: 's-key-of-jellyfin', EMBY_API_KEY: 's-key-of-emby' };
  const env = { ADMIN_USERNAME: 'admin', ENABLE_PLEX_SYNC: 'true', PLEX_URL: 'http://127.0.0.1:1', JELLYFIN_ENABLED: 'true', JELLYFIN_URL: 'http://127.0.0.1:1', EMBY_ENABLED: 'true', EMBY_URL: 'http://127.0.0.1:1' };
  const files = {};
  const aliases = {};
  for (const [name, secret] of Object.entries(secrets)) {
    files[`${name}_FILE`] = path.join(folder, `secret-of-${name}`);
    await writeFile(files[`${name}_FILE`], `${secret}\n`);
    await chmod(files[`${name}_FILE`], 0o600);
    aliases[name.replace('_API_KEY', '_TOKEN')] = secret;
  }
  for (const [how, more] of [['files', files], ['names that end in TOKEN', aliases]]) {
    const data = path.join(folder, `secrets-${Object.keys(more)[0]}`);
    const port = await freePort();
    const child = children.spawn(binary, ['serve'], { env: { PATH: process.env.PATH, DATA_DIR: data, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port), ...env, ...more } });
    const at = `http://127.0.0.1:${port}/api/v1`;
    await until('it serves', async () => ({ is: await fetch(`${at}/health`).then((r) => r.ok, () => false), value: child.text }), 20000);
    // The secrets are the real ones.
    const login = await fetch(`${at}/auth/login`, { method: 'POST', body: JSON.stringify({ username: 'admin', password: secrets.ADMIN_PASSWORD }) });
    assert.equal(login.status, 200);
    // What docker exec cartographus env would print, through the guide's pipe.
    const { out } = await type(`tr '\\0' '\\n' </proc/${child.pid}/environ | grep -v SECRET | grep -v PASSWORD | grep -v TOKEN`);
    assert.match(out, /^ADMIN_USERNAME=admin$/m);
    const shown = await run(['config', 'show'], { cwd: folder, env: { DATA_DIR: data, ...env, ...more } });
    assert.equal(shown.code, 0);
    assert.match(shown.out, /^PLEX_TOKEN=\*\*\*$/m);
    for (const secret of Object.values(secrets))
      for (const text of [out, shown.text, child.text]) assert.ok(!text.includes(secret), `${how}: ${secret}`);
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  const lists = await run(['config', 'show'], { cwd: folder, env: { PLEX_SERVERS: '[{"url":"http://a:1","token":"s-token-of-a-list"}]' } });
  assert.ok(!lists.text.includes('s-token-of-a-list'), lists.text);
});

test('row 47: passwords are case-sensitive', async () => {
  const one = await startIdle({ ADMIN_PASSWORD: password });
  const status = async (word) => (await fetch(one.url('/api/v1/auth/login'), { method: 'POST', body: JSON.stringify({ username: 'admin', password: word }) })).status;
  assert.equal(await status(password.toUpperCase()), 401);
  assert.equal(await status(password[0].toUpperCase() + password.slice(1)), 401);
  assert.equal(await status(password), 200);
  await one.stop();
});
