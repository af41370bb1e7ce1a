// Measures how long a change at a media server takes to a browser's socket, by kind of server, with
// 1 and with 100 readers. Nothing here passes or fails. usage: node bench/live.mjs BUILD_DIR
//
// From the moment before the simulator is told to pause or to resume until a reader has the frame.
// The simulated Jellyfin and Emby look every 50 ms whether something is to be pushed and push at
// most every 1.5 s, as the real ones do; changes are further apart than that.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const { WebSocket } = createRequire(new URL('../tests/package.json', import.meta.url))('ws');
const build = resolve(process.argv[2] ?? 'build');
const changes = Number(process.env.BENCH_CHANGES ?? 40);
const apartMs = 2000;
const kinds = ['plex', 'jellyfin', 'emby'];
const work = mkdtempSync(join(tmpdir(), 'cartographus-bench-'));
const password = 'bench-password-not-secret';
const port = 39900 + Math.floor(Math.random() * 90);
const url = `http://127.0.0.1:${port}/api/v1`;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const percentile = (list, p) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * p))];
const children = [];

async function until(ask) {
  for (const end = Date.now() + 30000; ; await wait(50)) {
    const answer = await ask().catch(() => undefined);
    if (answer) return answer;
    if (Date.now() > end) throw new Error('it did not start within 30 s');
  }
}

async function startSimulator() {
  const child = spawn(join(build, 'sim', 'cartographus-sim'), ['serve', '--plex', '1', '--jellyfin', '1',
    '--emby', '1', '--sessions', '0', '--days', '1'], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const line = await new Promise((done) => createInterface({ input: child.stdout }).once('line', done));
  const { servers, control } = JSON.parse(line);
  const post = async (path, body) => (await fetch(control + path, { method: 'POST', body: body && JSON.stringify(body) })).json();
  return { servers, post };
}

async function startProgram(servers) {
  const list = (kind) => JSON.stringify(servers.filter((s) => s.kind === kind).map(({ url, token }) => ({ url, token })));
  children.push(spawn(join(build, 'cartographus'), ['serve'], {
    env: {
      ...process.env, DATA_DIR: join(work, 'data'), HTTP_PORT: String(port), HTTP_HOST: '127.0.0.1', LOG_LEVEL: 'warn',
      JWT_SECRET: 'bench-bench-bench-bench-bench-bench', ADMIN_USERNAME: 'bench', ADMIN_PASSWORD: password,
      WS_MAX_SUBSCRIBERS: '200', PLEX_SERVERS: list('plex'), JELLYFIN_SERVERS: list('jellyfin'), EMBY_SERVERS: list('emby'),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  }));
  await until(async () => {
    const { servers: all } = await (await fetch(`${url}/sync/status`)).json();
    return all.length === kinds.length && all.every((s) => s.state === 'connected' && s.percent === 100);
  });
  const login = await fetch(`${url}/auth/login`, { method: 'POST', body: JSON.stringify({ username: 'bench', password }) });
  return login.headers.get('set-cookie').split(';')[0];
}

// One change on each kind of server: when it was asked for, and what it is waited for.
const waiting = new Map();
function take(data) {
  const now = performance.now();
  for (const [mark, w] of waiting)
    if (data.includes(mark) && data.includes(w.state)) w.took.push(now - w.from);
}
const openReader = (cookie) => new Promise((done, failed) => {
  const socket = new WebSocket(url.replace('http', 'ws') + '/ws', { headers: { cookie }, origin: `http://127.0.0.1:${port}` });
  socket.once('open', () => done(socket)).once('error', failed);
  socket.on('message', take);
});

async function measure(sim, cookie, count, sessions) {
  const readers = await Promise.all(Array.from({ length: count }, () => openReader(cookie)));
  const took = Object.fromEntries(kinds.map((kind) => [kind, []]));
  const started = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  for (let i = 0; i < changes; i++) {
    const verb = i % 2 ? 'resume' : 'pause';
    waiting.clear();
    await Promise.all(kinds.map(async (kind, k) => {
      await wait(k * 150 + Math.random() * 100);
      waiting.set(`"server_kind":"${kind}"`, { from: performance.now(), state: `"state":"${verb === 'pause' ? 'paused' : 'playing'}"`, took: took[kind] });
      started[kind]++;
      await sim.post(`/sessions/${sessions[k].id}/${verb}`);
    }));
    await wait(apartMs);
  }
  for (const reader of readers) reader.terminate();
  for (const kind of kinds)
    console.log(`${`change at ${kind} to ${count} reader${count > 1 ? 's' : ''}`.padEnd(34)} p50 ${percentile(took[kind], 0.5)?.toFixed(1)} ms  `
      + `p99 ${percentile(took[kind], 0.99)?.toFixed(1)} ms  ${took[kind].length} frames of ${started[kind] * count}`);
}

try {
  const sim = await startSimulator();
  const cookie = await startProgram(sim.servers);
  const sessions = [];
  for (const server of sim.servers.keys())
    sessions.push(await sim.post('/sessions', { server, person: server + 1, item: server + 1 }));
  await wait(3000);
  for (const count of [1, 100]) await measure(sim, cookie, count, sessions);
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.map((child) => new Promise((done) => (child.exitCode === null ? child.once('exit', done) : done()))));
  rmSync(work, { recursive: true, force: true });
}
