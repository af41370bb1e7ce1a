// `cartographus check` against simulated servers and against what is none: told apart in words.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from './program.mjs';
import { startProvider } from './provider.mjs';
import { Children, kinds, startSimulator, until } from './simulator.mjs';

const binary = path.resolve(process.env.BUILD_DIR ?? 'build', 'cartographus');
const children = new Children();
const servers = [];
let folder, sim;

const listen = (server) => new Promise((resolve) => {
  servers.push(server);
  server.listen(0, '127.0.0.1', () => resolve(server.address().port));
});
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-check-'));
  sim = await startSimulator(children);
});
after(async () => {
  for (const server of servers) {
    server.closeAllConnections?.();
    server.close();
  }
  await children.end();
  await rm(folder, { recursive: true });
});

function check(env, args = []) {
  const child = spawn(binary, ['check', ...args], {
    cwd: folder,
    env: {
      PATH: process.env.PATH, JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin',
      ADMIN_PASSWORD: 'correct horse battery', ...env,
    },
  });
  let text = '';
  child.stdout.on('data', (chunk) => { text += chunk; });
  child.stderr.on('data', (chunk) => { text += chunk; });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })));
}
const plex = (list) => ({
  PLEX_SERVERS: JSON.stringify(list.map((s) => ({ token: 'a-token-of-a-test', ...s }))),
});
const line = (text, key) => text.split('\n').find((l) => l.startsWith(`${key} `)) ?? '';

test('servers that are well are named with their version', async () => {
  const env = {};
  for (const kind of kinds) {
    const { url, token } = sim.server(kind);
    env[`${kind.toUpperCase()}_SERVERS`] = JSON.stringify([{ url, token }]);
  }
  const { code, text } = await check(env);
  assert.equal(code, 0, text);
  assert.match(line(text, 'configuration'), /fine/);
  assert.match(line(text, 'data folder'), /not there yet: .*does not exist/);
  assert.match(line(text, 'plex-1'), /fine: .*Plex 1.* 1\.43\.3/);
  assert.match(line(text, 'jellyfin-1'), /fine: .*Jellyfin 1 10\.11/);
  assert.match(line(text, 'emby-1'), /fine: .*Emby 1 4\.8/);
  for (const kind of kinds) assert.ok(!text.includes(sim.server(kind).token));
});

test('a token that is not known, and one without rights', async () => {
  for (const kind of kinds) {
    const name = `${kind.toUpperCase()}_SERVERS`;
    const { url, token } = sim.server(kind);
    const unknown = await check({ [name]: JSON.stringify([{ url, token: 'wrong-token-of-a-test' }]) });
    assert.equal(unknown.code, 1);
    assert.match(line(unknown.text, `${kind}-1`), /unauthorized: .*does not know the token \(HTTP 401\)/);
    assert.ok(!unknown.text.includes('wrong-token-of-a-test'));
    await sim.fault(kind, 'forbidden', 60000);
    const forbidden = await check({ [name]: JSON.stringify([{ url, token }]) });
    await sim.fault(kind, 'none', 1);
    assert.equal(forbidden.code, 1);
    assert.match(line(forbidden.text, `${kind}-1`), /forbidden: .*valid but may not see .*\(HTTP 403\)/);
    assert.ok(!forbidden.text.includes(token));
  }
});

test('another kind of server is named', async () => {
  for (const [as, is, expected] of [
    ['PLEX', 'jellyfin', /another server: .* a Jellyfin server, not Plex/],
    ['PLEX', 'emby', /another server: .* an Emby server, not Plex/],
    ['JELLYFIN', 'plex', /another server: .* a Plex server, not Jellyfin/],
    ['JELLYFIN', 'emby', /another server: .* an Emby server, not Jellyfin/],
    ['EMBY', 'jellyfin', /another server: .* a Jellyfin server, not Emby/],
  ]) {
    const { url, token } = sim.server(is);
    const { code, text } = await check({ [`${as}_SERVERS`]: JSON.stringify([{ url, token }]) });
    assert.equal(code, 1);
    assert.match(line(text, `${as.toLowerCase()}-1`), expected, `${as} at ${is}`);
  }
});

test('a prefix that every route has may stand in the address', async () => {
  const { url, token } = sim.server('emby');
  const { code, text } = await check({ EMBY_SERVERS: JSON.stringify([{ url: `${url}/emby`, token }]) });
  assert.equal(code, 0, text);
});

test('who does not answer, or is none at all', async () => {
  const closed = await new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
  const silent = await listen(net.createServer(() => {}));
  const page = await listen(http.createServer((q, r) => r.end('<html>my other site</html>')));
  const away = await listen(http.createServer((q, r) => r.writeHead(302, { location: 'http://elsewhere.test:80/' }).end()));
  const ill = await listen(http.createServer((q, r) => r.writeHead(503).end('starting')));
  const seen = [];
  const spy = await listen(http.createServer((q, r) => { seen.push(q.headers); r.writeHead(404).end(); }));
  const key = path.join(folder, 'key.pem'), cert = path.join(folder, 'cert.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert,
    '-days', '2', '-subj', '/CN=127.0.0.1'], { stdio: 'ignore' });
  const tls = await listen(https.createServer({ key: await readFile(key), cert: await readFile(cert) },
    (q, r) => r.end('{}')));
  const { code, text } = await check(plex([
    { url: `http://127.0.0.1:${closed}` },
    { url: 'http://no-such-name.invalid:32400' },
    { url: `http://127.0.0.1:${silent}` },
    { url: `https://127.0.0.1:${tls}` },
    { url: `http://127.0.0.1:${page}` },
    { url: `http://127.0.0.1:${away}` },
    { url: `http://127.0.0.1:${ill}` },
    { url: `http://127.0.0.1:${spy}` },
    { url: `http://127.0.0.1:${tls}` },
  ]));
  assert.equal(code, 1);
  assert.match(line(text, 'plex-1'), /unreachable: .*Connection refused; does it run/);
  assert.match(line(text, 'plex-2'), /unreachable: .*resolve host/);
  assert.match(line(text, 'plex-3'), /unreachable: .*timed out.*; a firewall/);
  assert.match(line(text, 'plex-4'), /tls: .*certificate.*; https:\/\/ and http:\/\/ mixed up/);
  assert.match(line(text, 'plex-5'), /another server: .*no media server/);
  assert.match(line(text, 'plex-6'), /unreachable: .*redirects to another place \(http:\/\/elsewhere.test:80\)/);
  assert.match(line(text, 'plex-7'), /failing: .*HTTP 503/);
  assert.match(line(text, 'plex-8'), /another server: .*no media server/);
  assert.match(line(text, 'plex-9'), /unreachable|another server/);
  assert.ok(seen.length > 0 && seen.every((headers) => !JSON.stringify(headers).includes('a-token')),
    'the token is not shown to who is no media server');
  assert.ok(!text.includes('a-token-of-a-test'));
});

test('faults of the configuration come first; --offline asks nobody', async () => {
  const { url } = sim.server('plex');
  const { code, text } = await check(
    { ...plex([{ url }]), JWT_SECRET: 'short', HTTP_PORT: 'x' }, ['--offline']);
  assert.equal(code, 1);
  assert.match(line(text, 'configuration'), /at fault/);
  assert.match(text, /JWT secret too short/);
  assert.match(text, /HTTP_PORT: 'x' is not right/);
  assert.doesNotMatch(text, /plex-1/);
});

test('a data folder that cannot be used is told', async () => {
  const file = path.join(folder, 'a-file');
  await writeFile(file, '');
  const { code, text } = await check({ SETUP: 'true', DATA_DIR: file });
  assert.equal(code, 1);
  assert.match(line(text, 'data folder'), /failing: DATA_DIR: '.*a-file' is not a folder/);
});

// Whom people log in at, and where the log is: asked only where they are used.
const atPlex = () => plex([{ url: sim.server('plex').url, token: sim.server('plex').token }]);
test('plex.tv is asked where people log in by it', async () => {
  const env = { ...atPlex(), AUTH_MODE: 'plex', PLEX_TV_URL: sim.plexTv };
  const there = await check(env);
  assert.equal(there.code, 0, there.text);
  assert.equal(line(there.text, 'plex.tv').replace(/ +/g, ' '), `plex.tv fine: ${sim.plexTv}`);
  await sim.atPlexTv({ fault: 'failing', on: 'other' });
  const failing = await check(env);
  await sim.atPlexTv({ fault: 'none' });
  assert.equal(failing.code, 1);
  assert.match(line(failing.text, 'plex.tv'), /failing: .* answers 500/);
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const gone = await check({ ...env, PLEX_TV_URL: nowhere });
  assert.equal(gone.code, 1);
  assert.match(line(gone.text, 'plex.tv'), new RegExp(`failing: ${nowhere} cannot be reached`));
  assert.equal(line((await check(atPlex())).text, 'plex.tv'), '');
});
test('the OpenID Connect provider is asked for its description', async () => {
  const provider = await startProvider();
  const env = { ...atPlex(), AUTH_MODE: 'oidc', OIDC_ISSUER_URL: provider.issuer, OIDC_CLIENT_ID: 'c',
    OIDC_REDIRECT_URL: 'https://cartographus.example.org/api/auth/oidc/callback' };
  const there = await check(env);
  const wrong = await check({ ...env, OIDC_ISSUER_URL: sim.plexTv });
  provider.end();
  assert.equal(there.code, 0, there.text);
  assert.ok(line(there.text, 'OpenID Connect').endsWith(`fine: ${provider.issuer}`), there.text);
  assert.equal(wrong.code, 1);
  assert.match(line(wrong.text, 'OpenID Connect'), /failing: .*is no provider's/);
  const gone = await check(env);
  assert.equal(gone.code, 1);
  assert.match(line(gone.text, 'OpenID Connect'), /failing: .*cannot be reached/);
});
test('NATS is asked for its stream, and left as it is', async () => {
  const port = await freePort();
  const env = { ...atPlex(), NATS_URL: `nats://127.0.0.1:${port}`, NATS_TOKEN: 'a-token-of-a-test' };
  const gone = await check(env);
  assert.equal(gone.code, 1);
  assert.match(line(gone.text, 'NATS'), new RegExp(`failing: NATS at 127\\.0\\.0\\.1:${port}: .*is it running`));
  const start = async (name, more) => {
    const conf = path.join(folder, `${name}.conf`);
    await writeFile(conf, `listen: "127.0.0.1:${port}"\nauthorization { token: "a-token-of-a-test" }\n${more}`);
    const child = children.spawn('nats-server', ['-c', conf], { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
    await until('nats-server listens', async () => ({
      is: await new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
        socket.on('error', () => resolve(false));
      }), value: child.text }), 30000);
    return async () => {
      child.kill();
      await new Promise((resolve) => { child.once('exit', resolve); });
    };
  };
  let stop = await start('plain', '');
  const without = await check(env);
  await stop();
  assert.match(line(without.text, 'NATS'), /failing: NATS runs without JetStream/);
  const store = path.join(folder, 'nats');
  stop = await start('jetstream', `jetstream { store_dir: "${store}" }\n`);
  const there = await check(env);
  const refused = await check({ ...env, NATS_TOKEN: 'another-token-of-a-test' });
  await stop();
  assert.equal(there.code, 0, there.text);
  assert.match(line(there.text, 'NATS'), /fine: stream CARTOGRAPHUS/);
  assert.match(line(refused.text, 'NATS'), /failing: NATS at .* refuses the login/);
  assert.ok(![there.text, refused.text].some((text) => text.includes('-token-of-a-test')));
});
