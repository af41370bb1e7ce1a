// Rows 18, 39, 40 of the guide and what row 4 says of proxies: Debian's nginx and Caddy run the
// guide's samples word for word but for the port behind "localhost:", which is the test's own. What
// the samples leave to the rest of a configuration is around them: nginx's `server` with a port,
// Caddy's ports and `local_certs`, which makes the certificate of cartographus.example.com at home.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { freePort, newFolder, password, startIdle, startProgram } from '../integration/program.mjs';
import { Children, startSimulator, until } from '../integration/simulator.mjs';

const nginxSample = `location / {
    proxy_pass http://localhost:3857;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $host;
    proxy_read_timeout 86400;
}`;
const caddySample = `cartographus.example.com {
    reverse_proxy localhost:3857
}`;
const host = 'cartographus.example.com';
const children = new Children();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let folder, sim, program, impatientProgram, basedProgram;
const proxies = {}; // name -> { origin, agentOptions }

// The samples of the page about proxies for a path: [nginx passing it on, cutting it off], and Caddy's.
const basePath = '/cartographus';
const documented = await readFile('docs/wiki/Reverse-Proxy.md', 'utf8');
const samplesBelow = (kind) => {
  const found = [...documented.matchAll(new RegExp(`\`\`\`${kind} base-path\\n([^\`]+)\`\`\``, 'g'))].map((match) => match[1]);
  assert.equal(found.length, 2, kind);
  return found;
};

// nginx with the sample, the same with a short time-out, and the same that tells who asks over TLS.
async function startNginx() {
  const [plain, impatient, hasty, telling, ...below] = await Promise.all([1, 2, 3, 4, 5, 6].map(freePort));
  const at = (port, sample = nginxSample) => sample.replace('3857', String(port));
  const patience = (text) => text.replace('86400', '4s');
  const server = (port, location) => `server { listen 127.0.0.1:${port}; ${location} }\n`;
  // As README.md has it, but for a TLS that is not there.
  const tells = `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header X-Forwarded-Host $http_host;`;
  const home = path.join(folder, 'nginx');
  await mkdir(home);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${home}/${name};`).join('\n');
  await writeFile(path.join(home, 'nginx.conf'), `daemon off; master_process off;
pid ${home}/pid; error_log stderr;
events {}
http {
${paths}
access_log off;
${server(plain, at(program.port))}
${server(impatient, patience(at(program.port)))}
${server(hasty, patience(at(impatientProgram.port)))}
${samplesBelow('nginx').map((sample, i) => server(below[i], at(basedProgram.port, sample))).join('')}
${server(telling, at(program.port).replace('proxy_read_timeout', `${tells} proxy_read_timeout`))}
}`);
  children.spawn('nginx', ['-c', path.join(home, 'nginx.conf'), '-e', 'stderr'], { env: {
    PATH: `${process.env.PATH}:/usr/sbin` } });
  for (const [name, port] of [['nginx, path kept', below[0]], ['nginx, path cut', below[1]], ['nginx', plain], ['nginx, 4 s', impatient], ['nginx, 4 s, no pings', hasty], ['nginx, telling', telling]])
    proxies[name] = { origin: `http://localhost:${port}`, options: {} };
}

async function startCaddy() {
  const [port, redirects] = await Promise.all([freePort(), freePort()]);
  const home = path.join(folder, 'caddy');
  const caddyBelow = samplesBelow('caddy'), hosts = ['kept.example.com', 'cut.example.com'];
  const file = path.join(folder, 'Caddyfile');
  await writeFile(file, `{
    admin off
    local_certs
    skip_install_trust
    http_port ${redirects}
    https_port ${port}
}
${caddySample.replace('3857', String(program.port))}
${caddyBelow.map((sample, i) => sample.replace('3857', String(basedProgram.port)).replace(host, `${hosts[i]}:${port}`)).join('\n')}
`);
  const child = children.spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', file],
    { env: { PATH: process.env.PATH, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home } });
  const ca = await until('Caddy has a certificate', async () => {
    const value = await readFile(path.join(home, 'caddy/pki/authorities/local/root.crt')).catch(() => null);
    return { is: value !== null, value: value ?? child.text };
  }, 20000);
  const toUs = (name, options, done) => (options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4));
  for (const [name, as] of [['caddy', host], ['caddy, path kept', hosts[0]], ['caddy, path cut', hosts[1]]])
    proxies[name] = { origin: `https://${as}:${port}`, options: { ca, servername: as, lookup: toUs } };
}

// One request through a proxy, or straight.
function ask(proxy, route, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const url = new URL(proxy.origin + route);
    (url.protocol === 'https:' ? https : http)
      .request(url, { method, headers, agent: false, ...proxy.options }, (answer) => {
        let text = '';
        answer.on('data', (chunk) => { text += chunk; });
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
      }).on('error', reject).end(body);
  });
}
const tryLogin = (proxy, { name = 'admin', word = password, headers = {} } = {}) => ask(proxy, '/api/v1/auth/login', {
  method: 'POST', headers: { origin: proxy.origin, ...headers }, body: JSON.stringify({ username: name, password: word }) });
async function login(proxy, options) {
  const answer = await tryLogin(proxy, options);
  assert.equal(answer.status, 200, answer.text);
  return answer.headers['set-cookie'][0];
}
// A WebSocket of somebody who logged in there; what it heard, and whether it ended.
async function watch(proxy) {
  const cookie = (await login(proxy)).split(';')[0];
  const socket = new WebSocket(`${proxy.origin.replace('http', 'ws')}/api/v1/ws`,
    { headers: { cookie }, origin: proxy.origin, ...proxy.options });
  const heard = [];
  socket.on('message', (text) => heard.push(JSON.parse(text)));
  await once(socket, 'open');
  return { socket, heard };
}
const isOpen = ({ socket }) => socket.readyState === WebSocket.OPEN;

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 5);
  const { url, token } = sim.server('plex');
  const server = { ENABLE_PLEX_SYNC: 'true', PLEX_URL: url, PLEX_TOKEN: token };
  program = await startProgram({ ...server, WS_PING_INTERVAL: '1s', LOG_LEVEL: 'debug', TRUSTED_PROXIES: '127.0.0.1,::1' });
  impatientProgram = await startIdle();
  basedProgram = await startIdle({ BASE_PATH: basePath });
  await startNginx();
  await startCaddy();
  for (const [name, proxy] of Object.entries(proxies))
    await until(`${proxy.origin} answers`, async () => {
      const value = await ask(proxy, `${name.includes('path') ? basePath : ''}/api/v1/health`).catch((error) => ({ text: error.message }));
      return { is: value.status === 200, value };
    }, 20000);
});
after(async () => {
  await children.end();
  await program?.stop();
  await impatientProgram?.stop();
  await basedProgram?.stop();
  await rm(folder, { recursive: true });
});

for (const name of ['nginx', 'caddy']) {
  test(`row 39: the guide's ${name} sample serves page, API and login`, async () => {
    const proxy = proxies[name];
    const page = await ask(proxy, '/');
    assert.equal(page.status, 200);
    assert.match(page.text, /<title>[^<]*Cartographus/);
    const script = page.text.match(/src="(\/[^"]+\.js)"/)[1];
    assert.equal((await ask(proxy, script)).status, 200);
    const cookie = (await login(proxy)).split(';')[0];
    const sessions = await ask(proxy, '/api/v1/sessions', { headers: { cookie } });
    assert.equal(sessions.status, 200);
    assert.equal((await tryLogin(proxy, { headers: { origin: 'http://evil.example' } })).status, 403);
  });
}

for (const name of ['nginx, path kept', 'nginx, path cut', 'caddy, path kept', 'caddy, path cut']) {
  test(`BASE_PATH: the documented sample (${name}) serves page, login and live updates below the path`, async () => {
    const proxy = proxies[name];
    assert.ok([301, 302].includes((await ask(proxy, basePath)).status), 'without the slash at its end');
    const page = await ask(proxy, `${basePath}/history`);
    const script = page.text.match(/src="([^"]+\.js)"/)[1];
    assert.ok(script.startsWith(`${basePath}/assets/`), script);
    assert.match((await ask(proxy, script)).headers['content-type'], /javascript/);
    const entered = await ask(proxy, `${basePath}/api/v1/auth/login`, { method: 'POST', headers: { origin: proxy.origin },
      body: JSON.stringify({ username: 'admin', password }) });
    assert.equal(entered.status, 200, entered.text);
    assert.match(entered.headers['set-cookie'][0], /; Path=\/cartographus;/);
    const cookie = entered.headers['set-cookie'][0].split(';')[0];
    assert.equal((await ask(proxy, `${basePath}/api/v1/sessions`, { headers: { cookie } })).status, 200);
    const socket = new WebSocket(`${proxy.origin.replace('http', 'ws')}${basePath}/api/v1/ws`,
      { headers: { cookie }, origin: proxy.origin, ...proxy.options });
    await once(socket, 'open');
    socket.terminate();
    assert.doesNotMatch((await ask(proxy, '/api/v1/health')).text, /healthy/, 'nothing beside the path');
  });
}

test('row 18: live updates come through both samples, also after idling longer than a read time-out', async () => {
  const names = ['nginx', 'caddy', 'nginx, 4 s', 'nginx, 4 s, no pings'];
  const watchers = await Promise.all(names.map((name) => watch(proxies[name])));
  const [nginx, caddy, impatient, unpinged] = watchers;
  await wait(9000);
  assert.ok(!isOpen(unpinged), 'nginx cuts what is silent for longer than its proxy_read_timeout, here 4 s');
  assert.ok(isOpen(impatient), 'our pings, here every second, keep it open');
  const session = await sim.play('plex', { person: 1, kind: 'movie' });
  for (const [i, one] of [nginx, caddy, impatient].entries())
    await until(`${names[i]} brings the start`, async () => ({
      is: one.heard.some((f) => f.type === 'session_start' && f.data.title === session.title), value: one.heard.map((f) => f.type) }));
  await sim.act(session, 'stop');
  await until('and the stop', async () => ({
    is: [nginx, caddy, impatient].every((one) => one.heard.some((f) => f.type === 'session_stop')), value: names }));
  for (const { socket } of watchers) socket.terminate();
});

test('row 18: pings come more often than the default time-out of nginx, 60 s, by default', async () => {
  const child = spawn(program.child.spawnfile, ['config', 'show'], { env: { PATH: process.env.PATH, DATA_DIR: folder } });
  let text = '';
  child.stdout.on('data', (chunk) => { text += chunk; });
  await once(child, 'close');
  assert.match(text, /^WS_PING_INTERVAL=30s$/m);
});

test('row 40: behind TLS the cookie is for TLS only, and a page of plain HTTP is another site', async () => {
  for (const name of ['caddy', 'nginx, telling']) {
    const proxy = proxies[name];
    const origin = proxy.origin.replace('http:', 'https:');
    assert.match(await login({ ...proxy }, { headers: { origin } }), /; Secure/, name);
    const plain = proxy.origin.replace('https:', 'http:');
    assert.equal((await tryLogin(proxy, { headers: { origin: plain } })).status, 403, name);
  }
  assert.doesNotMatch(await login(proxies.nginx), /Secure/);
});

test('row 40: a login is throttled and logged by the address of who asks, not of the proxy', async () => {
  const proxy = proxies['nginx, telling'];
  const origin = proxy.origin.replace('http:', 'https:');
  const as = (address, name) => tryLogin(proxy, { name, word: 'wrong', headers: { origin, 'x-forwarded-for': address } });
  const answers = [];
  for (let i = 0; i < 6; i++) answers.push((await as('203.0.113.7', `nobody-${i}`)).status);
  assert.deepEqual(answers, [401, 401, 401, 401, 401, 429]);
  assert.equal((await as('203.0.113.8', 'nobody-7')).status, 401, 'another address is not held up');
  // The farthest address is what anybody may have written; what is nearest to the proxy counts.
  assert.equal((await as('198.51.100.1, 203.0.113.7', 'nobody-8')).status, 429);
  assert.match(program.child.text, /login refused.*address=203\.0\.113\.7/);
  assert.match(program.child.text, /msg=request .*client=203\.0\.113\.7 .*path=\/api\/v1\/auth\/login/);
});

test('row 40: forwarded headers are believed from trusted proxies only', async () => {
  const others = await startIdle({ TRUSTED_PROXIES: '172.17.0.1,10.0.0.0/8' });
  const straight = { origin: others.url(''), options: {} };
  const lie = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-for': '203.0.113.9' };
  assert.doesNotMatch(await login(straight, { headers: lie }), /Secure/);
  assert.equal((await tryLogin(straight, { headers: { ...lie, origin: 'https://evil.example' } })).status, 403);
  await tryLogin(straight, { word: 'wrong', headers: lie });
  assert.match(others.child.text, /login refused.*address=127\.0\.0\.1/);
  await others.stop();
  // From a trusted one the name that the browser has counts.
  const told = { origin: program.url(''), options: {} };
  const headers = { ...lie, 'x-forwarded-host': 'map.example.com', origin: 'https://map.example.com' };
  assert.match(await login(told, { headers }), /Secure/);
});

test('row 4: no trigger without a login through the samples, nor from a page', async () => {
  const trigger = (proxy, headers = {}) => ask(proxy, '/api/v1/sync/trigger', { method: 'POST', headers });
  for (const [name, headers] of [['nginx', {}], ['nginx', { host: `localhost:${program.port}` }], ['caddy', {}]]) {
    const { status, text } = await trigger(proxies[name], headers);
    assert.equal(status, 401, name);
    assert.match(text, /POST \/api\/v1\/auth\/login/);
  }
});
