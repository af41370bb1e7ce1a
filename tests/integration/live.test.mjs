// The real binary against three simulated servers: what starts there shows here within 5 seconds.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { build, Children, startSimulator, until } from './simulator.mjs';

const password = 'correct horse battery';
const children = new Children();
let folder, port, server, sim, headers, socket;
const frames = [];

const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => resolve(free));
  });
});
const get = (route) => fetch(`http://127.0.0.1:${port}${route}`, { headers });
const live = async (kind) => {
  const { sessions } = await (await get('/api/v1/sessions')).json();
  return sessions.filter((s) => s.server_kind === kind);
};
const seen = (kind, title, state) => until(`${title} ${state} on ${kind}`, async () => {
  const value = await live(kind);
  return { is: value.length === 1 && value[0].title === title && value[0].state === state, value };
});

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
  port = await freePort();
  sim = await startSimulator(children);
  const [plex, jellyfin, emby] = ['plex', 'jellyfin', 'emby'].map(sim.server);
  server = children.spawn(path.join(build, 'cartographus'), ['serve'], { env: {
    PATH: process.env.PATH, DATA_DIR: folder, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port),
    JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password,
    ENABLE_PLEX_SYNC: 'true', PLEX_URL: plex.url, PLEX_TOKEN: plex.token,
    JELLYFIN_ENABLED: 'true', JELLYFIN_URL: jellyfin.url, JELLYFIN_API_KEY: jellyfin.token,
    EMBY_ENABLED: 'true', EMBY_URL: emby.url, EMBY_API_KEY: emby.token } });
  await until('the server answers', async () => ({
    is: await get('/api/v1/health').then((r) => r.ok, () => false), value: server.text }), 20000);
  const login = await fetch(`http://127.0.0.1:${port}/api/v1/auth/login`,
    { method: 'POST', body: JSON.stringify({ username: 'admin', password }) });
  assert.equal(login.status, 200);
  headers = { cookie: login.headers.get('set-cookie').split(';')[0] };
  socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/ws`,
    { headers, origin: `http://127.0.0.1:${port}` });
  socket.on('message', (text) => frames.push(JSON.parse(text)));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
});
after(async () => {
  socket?.terminate();
  await children.end();
  await rm(folder, { recursive: true });
});

const names = { plex: 'Plex 1', jellyfin: 'Jellyfin 1', emby: 'Emby 1' };
for (const [kind, media] of [['plex', 'movie'], ['jellyfin', 'episode'], ['emby', 'movie']]) {
  test(`${kind}: start, pause, resume and stop are seen as they happen`, async () => {
    const session = await sim.play(kind, { person: 1, kind: media });
    const [now] = await seen(kind, session.title, 'playing');
    assert.equal(now.media_type, media);
    assert.equal(now.duration_ms, session.duration_ms);
    await until('it goes by the name it gives itself, under the id that the history has for it', async () => {
      const { servers } = await (await get('/api/v1/filters')).json();
      const known = servers.find((s) => s.kind === kind);
      const [one] = await live(kind);
      return { is: known?.name === names[kind] && one?.server === known.name && one.server_id === known.id, value: [known, one] };
    });
    const start = await until('a frame tells of the start', async () => {
      const value = frames.find((f) => f.type === 'session_start' && f.data.server_kind === kind);
      return { is: value !== undefined, value };
    });
    assert.equal(start.data.title, session.title);
    assert.equal(start.data.id, now.id);
    await sim.act(session, 'pause');
    await seen(kind, session.title, 'paused');
    await sim.act(session, 'resume');
    await seen(kind, session.title, 'playing');
    await sim.act(session, 'stop');
    await until(`nothing plays on ${kind}`, async () => {
      const value = await live(kind);
      return { is: value.length === 0, value };
    });
    await until('a frame tells of the stop', async () => ({
      is: frames.some((f) => f.type === 'session_stop' && f.data.id === now.id),
      value: frames.map((f) => f.type) }));
  });
}

test('a socket that a server cuts, and its way back, are told as they happen', async () => {
  const told = (state) => until(`a frame tells that emby is ${state}`, async () => {
    const value = frames.filter((f) => f.type === 'sync').at(-1)?.data.servers.find((s) => s.kind === 'emby');
    return { is: value?.state === state, value };
  }, 20000);
  await sim.fault('emby', 'drop', 3000);
  assert.equal((await told('polling')).key, 'emby-1');
  await told('connected');
});
