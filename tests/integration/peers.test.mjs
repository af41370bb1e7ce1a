// Media servers that lie, are slow, send you elsewhere or have a bad certificate harm nobody but
// themselves, and what is secret stays so.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newFolder, startProgram } from './program.mjs';
import { Children, kinds, startSimulator, until } from './simulator.mjs';

const children = new Children();
const peers = [];
const asked = []; // of the bad peers: [peer, line, headers]
let folder, sim, program, headers, elsewhere;

const json = (value) => (request, answer) => {
  answer.setHeader('content-type', 'application/json');
  answer.end(typeof value === 'string' ? value : JSON.stringify(value));
};
const plexSession = (more) => ({ MediaContainer: { size: 1, Metadata: [{ sessionKey: '7',
  ratingKey: '70', type: 'movie', title: 'Big', viewOffset: '1000', duration: 6000000,
  User: { id: '9', title: 'nora' }, Player: { machineIdentifier: 'm', state: 'playing' }, ...more }] } });
const redirect = (request, answer) => {
  answer.writeHead(302, { location: `${elsewhere}${request.url}` });
  answer.end();
};
const away = (request, socket) => socket.end(`HTTP/1.1 302 Found\r\nlocation: ${elsewhere}${request.url}\r\n\r\n`);
const isInAddress = (request) => request.url.includes('api_key=');
// A socket that opens and then says nothing.
const open = (request, socket) => {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.on('error', () => {});
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
};
const refuse = (request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
const embySession = json([{ Id: 'a', NowPlayingItem: { Id: '5', Name: 'Film', Type: 'Movie' }, PlayState: { PositionTicks: 1 } }]);
const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;

// What each answers to everything, by the state and the error that are shown for it.
const bad = {
  'plex-big': { answer: json(plexSession({ summary: 'x'.repeat(10 * 1024 * 1024) })), state: 'polling' },
  'plex-huge': { answer: json(plexSession({ summary: 'x'.repeat(17 * 1024 * 1024) })), state: 'unreachable', error: /over \d+ bytes/ },
  'plex-html': { answer: (q, a) => { a.writeHead(401, { 'content-type': 'text/html' }); a.end('<h1>401</h1>'); },
    state: 'unauthorized', error: /refuses the token \(HTTP 401\)/ },
  'plex-page': { answer: (q, a) => { a.setHeader('content-type', 'text/html'); a.end('<!doctype html><p>Welcome'); },
    state: 'blind', error: /web page or XML/ },
  'plex-deep': { answer: json(deep), state: 'blind', error: /not JSON/ },
  'plex-types': { answer: json({ MediaContainer: { Metadata: [7, null, 'x', [], { sessionKey: {}, Player: 3, User: [] }] } }), state: 'polling' },
  'plex-away': { answer: redirect, state: 'unreachable', error: /redirects to another place/ },
  'plex-silent': { answer: () => {}, state: 'unreachable', error: /timed? ?out/i },
  'plex-cert': { answer: json(plexSession({})), state: 'unreachable', error: /certificate/i, tls: true },
  'jellyfin-away': { answer: redirect, state: 'unreachable', error: /redirects to another place/ },
  'jellyfin-object': { answer: json({ Items: 'none' }), state: 'blind', error: /no list/ },
  'emby-away': { answer: redirect, state: 'unreachable', error: /redirects to another place/ },
  'emby-nulls': { answer: json([null, { Id: 5, NowPlayingItem: [] }, { NowPlayingItem: {} }, { Id: 'a', NowPlayingItem: { Name: null, RunTimeTicks: 'x' } }]), state: 'polling' },
  'emby-refuses': { answer: embySession, upgrade: (q, s) => (isInAddress(q) ? open : refuse)(q, s), state: 'connected' },
  'emby-mute': { answer: embySession, upgrade: open, state: 'connected' },
};
// Those that take no header for it.
const byAddress = ['emby-refuses', 'emby-mute'];
const tokenOf = (name) => `secret+of/${name}=`;

async function listen(name, { answer, tls, upgrade = away }) {
  const handle = (request, reply) => {
    asked.push([name, `${request.method} ${request.url}`, request.headers]);
    answer(request, reply);
  };
  const server = tls
    ? https.createServer({ key: await readFile(path.join(folder, 'key.pem')), cert: await readFile(path.join(folder, 'cert.pem')) }, handle)
    : http.createServer(handle);
  server.on('upgrade', (request, socket) => {
    asked.push([name, `${request.method} ${request.url}`, request.headers]);
    upgrade(request, socket);
  });
  peers.push(server);
  const port = await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
  return `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
}
const listOf = async (kind) => {
  const [healthy] = sim.servers.filter((s) => s.kind === kind);
  const list = [{ name: `good ${kind}`, url: healthy.url, token: healthy.token }];
  for (const name of Object.keys(bad).filter((n) => n.startsWith(kind)))
    list.push({ name, url: await listen(name, bad[name]), token: tokenOf(name) });
  return JSON.stringify(list);
};

before(async () => {
  folder = await newFolder();
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
    '-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'cert.pem')], { stdio: 'ignore' });
  elsewhere = await listen('elsewhere', { answer: json(plexSession({})) });
  sim = await startSimulator(children);
  program = await startProgram({ LOG_LEVEL: 'trace', ...Object.fromEntries(
    await Promise.all(kinds.map(async (kind) => [`${kind.toUpperCase()}_SERVERS`, await listOf(kind)]))) });
  headers = { cookie: await program.login() };
});
after(async () => {
  if (program) await program.stop();
  await children.end();
  for (const peer of peers) {
    peer.closeAllConnections();
    peer.close();
  }
  await rm(folder, { recursive: true });
});

const servers = async () => (await (await fetch(program.url('/api/v1/sync/status'), { headers })).json()).servers;
const serverNamed = async (name) => (await servers()).find((s) => s.name === name);

for (const [name, { state, error }] of Object.entries(bad))
  test(`${name} is ${state}`, () => until(`${name} is ${state}`, async () => {
    const value = await serverNamed(name);
    return { is: value?.state === state && (error ? error.test(value.error ?? '') : !value.error), value };
  }, 20000));
test('what plays on the good servers is seen all the same', async () => {
  for (const kind of kinds) {
    const session = await sim.play(kind, { person: 1, kind: 'movie' });
    const seen = async () => (await (await fetch(program.url('/api/v1/sessions'), { headers })).json()).sessions
      .filter((s) => s.server === `good ${kind}`).map((s) => s.title);
    await until(`${session.title} on ${kind}`, async () => {
      const value = await seen();
      return { is: value.length === 1 && value[0] === session.title, value };
    }, 20000);
    await sim.act(session, 'stop');
    await until(`nothing on ${kind}`, async () => {
      const value = await seen();
      return { is: value.length === 0, value };
    }, 20000);
  }
});
test('a session of ten megabytes is one like any other', async () => {
  const { sessions } = await (await fetch(program.url('/api/v1/sessions'), { headers })).json();
  assert.deepEqual(sessions.filter((s) => s.server === 'plex-big').map((s) => [s.title, s.person, s.position_ms]),
    [['Big', 'nora', 1000]]);
});
test('nobody is followed to another host, with or without a token', () => {
  assert.deepEqual(asked.filter(([name]) => name === 'elsewhere'), []);
  assert.ok(asked.some(([name, line]) => name === 'plex-away' && /websocket/.test(line)), 'the socket was tried');
});
test('a token goes into the address of a socket only after its header was refused or led to nothing', async () => {
  for (const name of byAddress) {
    const sockets = () => asked.filter(([to, line]) => to === name && /embywebsocket/.test(line));
    await until(`${name} has the token`, () => ({ is: sockets().some(([, line]) => isInAddress({ url: line })), value: sockets() }), 40000);
    const [[, line, h]] = sockets();
    assert.ok(!isInAddress({ url: line }) && h['x-emby-token'] === tokenOf(name), line);
  }
});
test('tokens stand in no log and in no other address', async () => {
  const tokens = [...Object.keys(bad).map(tokenOf), ...sim.servers.map((s) => s.token)];
  const forms = tokens.flatMap((t) => [t, encodeURIComponent(t), Buffer.from(t).toString('base64')]);
  assert.ok(/level=(trace|debug)/.test(program.child.text));
  for (const form of forms) assert.ok(!program.child.text.includes(form), form);
  const lines = [...asked.filter(([to, line]) => !byAddress.includes(to) || !/embywebsocket/.test(line)).map(([, line]) => line),
    ...(await sim.requests()).map((r) => r.request)];
  assert.deepEqual(lines.filter((line) => forms.some((form) => line.includes(form))), []);
  assert.ok(asked.some(([name, , h]) => name === 'plex-html' && h['x-plex-token'] === tokenOf(name)));
  const { error } = await serverNamed('plex-cert');
  assert.ok(forms.every((form) => !error.includes(form)), error);
});
test('servers know this installation by an id of its own', async () => {
  const ids = new Set(asked.map(([, , h]) => h['x-plex-client-identifier']).filter(Boolean));
  assert.deepEqual([...ids], [(await readFile(path.join(program.folder, 'client-id'), 'utf8')).trim()]);
  assert.match([...ids][0], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
