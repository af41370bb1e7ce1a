// Measures one build against a yardstick in the same run and prints ratios. Nothing here passes or
// fails. usage: node bench/bench.mjs BUILD_DIR [--write] [--no-import] [plays ...]   (default 100000 1000000)
//
// --write puts what was measured into docs/performance.json and makes docs/performance.md of it anew,
// size by size; sizes that are not measured stay as they were. 10 million plays take 3 GB of
// disk below TMPDIR and some 15 minutes; more than a million are not imported, as the file to import is
// 2 GB a million. BENCH_STORES names a folder in which the invented stores are kept for the next time.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, statfsSync } from 'node:fs';
import http from 'node:http';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';

import { write } from './report.mjs';

const build = resolve(process.argv[2] ?? 'build');
const isWritten = process.argv.includes('--write');
const isImported = !process.argv.includes('--no-import');
const sizes = process.argv.slice(3).filter((word) => !word.startsWith('--')).map(Number);
if (sizes.some((n) => !(n >= 1000 && n <= 20_000_000))) {
  console.error('usage: bench.mjs BUILD_DIR [--write] [--no-import] [plays ...]; plays from 1000 to 20000000');
  process.exit(2);
}
if (!sizes.length) sizes.push(100_000, 1_000_000);
const program = join(build, 'cartographus');
// What else the machine did: later the load is ours.
const [loadBefore] = loadavg();
const work = mkdtempSync(join(tmpdir(), 'cartographus-bench-'));
const password = 'bench-password-not-secret';
const seconds = (since) => Number(process.hrtime.bigint() - since) / 1e9;
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const percentile = (list, p) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * p))];
const row = (name, ...cells) => console.log(`${name.padEnd(34)} ${cells.join('  ')}`);
const residentMb = (pid, key) =>
  Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

function request(port, path, { cookie, method = 'GET', body } = {}) {
  return new Promise((done, failed) => {
    const call = http.request(
      { host: '127.0.0.1', port, path, method, headers: { ...(cookie && { cookie }), ...(body && { 'content-type': 'application/json' }) } },
      (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      },
    );
    call.on('error', failed);
    call.end(body);
  });
}

async function importFile(data, file) {
  const from = process.hrtime.bigint();
  const child = spawn(program, ['--data', data, 'import', file], {
    env: { ...process.env, SETUP: 'true' }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  let peakMb = 0;
  const watch = setInterval(() => {
    try {
      peakMb = residentMb(child.pid, 'VmHWM');
    } catch { /* it has ended */ }
  }, 20);
  const code = await new Promise((done) => child.once('exit', done));
  clearInterval(watch);
  if (code !== 0) throw new Error(`the import ended with ${code}`);
  return { took: seconds(from), peakMb };
}

async function serve(data, port) {
  const started = process.hrtime.bigint();
  const child = spawn(program, ['serve'], {
    env: {
      ...process.env, DATA_DIR: data, HTTP_PORT: String(port), HTTP_HOST: '127.0.0.1', SETUP: 'true',
      JWT_SECRET: 'bench-bench-bench-bench-bench-bench', ADMIN_USERNAME: 'bench', ADMIN_PASSWORD: password, LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (;;) {
    try {
      await request(port, '/api/v1/health');
      break;
    } catch {
      if (seconds(started) > 30) throw new Error('the server did not start');
      await new Promise((done) => setTimeout(done, 2));
    }
  }
  const startup = seconds(started);
  const login = await request(port, '/api/v1/auth/login', { method: 'POST', body: JSON.stringify({ username: 'bench', password }) });
  const cookie = login.headers['set-cookie']?.[0]?.split(';')[0];
  return { child, startup, cookie };
}

async function perSecond(port, path, cookie, forMs = 2000) {
  let count = 0;
  const until = Date.now() + forMs;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  const one = () =>
    new Promise((done, failed) => {
      http.get({ host: '127.0.0.1', port, path, agent, headers: cookie ? { cookie } : {} }, (answer) => {
        answer.resume();
        answer.on('end', done);
      }).on('error', failed);
    });
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (Date.now() < until) {
      await one();
      count++;
    }
  }));
  agent.destroy();
  return count / (forMs / 1000);
}

// CPU time of the process so far, of all its threads, in ms.
const cpuMs = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

// What the places ask for, all time. Explore's are read from its charts.
function placeCalls() {
  const charts = readdirSync('web/src/explore/charts').map((name) => readFileSync(join('web/src/explore/charts', name), 'utf8'));
  const explore = charts.map((text) => {
    const words = new URLSearchParams();
    const own = [/^ {2}params: \{(.*?)\}/m, /measures: \[\s*\{[^}]*params: \{(.*?)\}/];
    for (const list of own.map((pattern) => pattern.exec(text)?.[1] ?? ''))
      for (const [, name, value] of list.matchAll(/(\w+): '?([^',]+)'?/g)) words.set(name, value.trim());
    return `/analytics/${/query: '([\w-]+)'/.exec(text)[1]}?${words}`;
  });
  return {
    Now: ['/sessions', '/sync/status', '/plays?limit=10'],
    History: ['/plays?limit=50', '/filters'],
    Map: ['/analytics/locations?', '/analytics/arcs?'],
    Explore: ['/analytics/summary?', ...new Set(explore)],
  };
}

// Each has an end that changes nothing but the key of the kept answer.
const fresh = (path, i) => {
  const takesFilter = path.startsWith('/analytics') || path.startsWith('/plays');
  return `/api/v1${path}${takesFilter ? `${path.includes('?') ? '&' : '?'}start_date=${1971 + (i % 40)}-${String(1 + (i / 40 | 0)).padStart(2, '0')}-01` : ''}`;
};
let next = 0;

// Asks for all of them as a browser does, six at once.
async function askAll(port, cookie, paths, i) {
  const rest = [...paths];
  await Promise.all(Array.from({ length: 6 }, async () => {
    for (let path; (path = rest.shift()); ) {
      const answer = await request(port, fresh(path, i), { cookie });
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body}`);
    }
  }));
}

async function timed(pid, times, one) {
  const wall = [], cpu = [];
  for (let i = 0; i < times; i++) {
    const since = process.hrtime.bigint(), before = cpuMs(pid);
    await one(next++);
    wall.push(seconds(since) * 1000);
    cpu.push(cpuMs(pid) - before);
  }
  return { wall: median(wall), cpu: median(cpu) };
}

async function measurePlaces(port, pid, cookie, times, found) {
  found.places = {};
  for (const [name, paths] of Object.entries(placeCalls())) {
    found.places[name] = { calls: paths.length };
    try {
      const again = next;
      const one = await timed(pid, times, (i) => askAll(port, cookie, paths, i));
      const kept = await timed(pid, 5, () => askAll(port, cookie, paths, again));
      Object.assign(found.places[name], one, { kept: kept.wall });
      row(`place ${name}, ${paths.length} calls`, `${one.wall.toFixed(0)} ms`, `${one.cpu.toFixed(0)} ms CPU`, `again ${kept.wall.toFixed(1)} ms`);
      if (one.wall > 10_000) continue; // eight of them would take minutes
      const since = process.hrtime.bigint();
      await Promise.all(Array.from({ length: 8 }, () => askAll(port, cookie, paths, next++)));
      found.places[name].eight = seconds(since) * 1000;
      row(`  8 clients`, `${found.places[name].eight.toFixed(0)} ms`);
    } catch (error) { // a time limit, most likely: that is a figure, too
      row(`place ${name}, ${paths.length} calls`, `not answered: ${error.message.slice(0, 100)}`);
    }
  }
}

const pages = {
  newest: 'limit=50',
  'sorted by watch time': 'limit=50&sort=watch_ms',
  'one person': 'limit=50&users=7',
  'one platform': 'limit=50&platforms=Platform 3',
  'text search': 'limit=50&search=show 12',
};

async function measureHistory(port, pid, cookie, times, found) {
  found.pages = {};
  for (const [name, words] of Object.entries(pages)) {
    found.pages[name] = await timed(pid, times, (i) => askAll(port, cookie, [`/plays?${encodeURI(words)}`], i));
    row(`history page, ${name}`, `${found.pages[name].wall.toFixed(1)} ms`, `${found.pages[name].cpu.toFixed(0)} ms CPU`);
  }
  const since = process.hrtime.bigint();
  const csv = await request(port, '/api/v1/plays?format=csv&days=1500', { cookie });
  const lines = csv.body.reduce((n, byte) => n + (byte === 10), 0) - 1;
  found.csv = { lines, perSecond: lines / seconds(since) };
  row('CSV of plays', `${lines} rows`, `${Math.round(found.csv.perSecond)} rows/s`);
}

// The table of bench_queries, as it comes.
async function measureQueries(data, rows, found) {
  const child = spawn(join(build, 'bench', 'bench_queries'), [data, String(rows)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (part) => {
    text += part;
    process.stdout.write(part);
  });
  const code = await new Promise((done) => child.once('close', done));
  if (code !== 0) throw new Error(`bench_queries ended with ${code}`);
  found.peakMb = Number(/^peak (\d+)/m.exec(text)[1]);
  found.queries = [...text.matchAll(/^([\w-]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+)$/gm)].map(
    ([, name, first, cpu, wall, direct, ratio, cached]) => ({ name, first: +first, cpu: +cpu, wall: +wall, direct: +direct, ratio: +ratio, cached: +cached }));
}

async function measureImport(rows, found) {
  const file = join(work, `tautulli-${rows}.db`);
  const data = join(work, `import-${rows}`);
  execFileSync(join(build, 'sim', 'cartographus-sim'), ['tautulli', '--out', file, '--seed', '1', '--rows', String(rows)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const bare = JSON.parse(execFileSync(join(build, 'bench', 'bare_import'), [file]));
  const { took, peakMb } = await importFile(data, file);
  const fileMb = statSync(file).size / 1e6, storeMb = statSync(join(data, 'cartographus.duckdb')).size / 1e6;
  found.import = { perSecond: rows / took, bare: bare.rows / bare.seconds, peakMb, fileMb, storeMb };
  row('bare read loop', `${Math.round(bare.rows / bare.seconds)} rows/s`, `${bare.columns} columns, ${fileMb.toFixed(0)} MB`);
  row('import', `${Math.round(rows / took)} rows/s`, `${(took / bare.seconds).toFixed(2)} times the bare loop`, `peak ${peakMb.toFixed(0)} MB`);
  row('imported store', `${storeMb.toFixed(1)} MB`);
  rmSync(file);
  rmSync(data, { recursive: true });
}

async function measureServer(data, times, found) {
  const port = 39000 + Math.floor(Math.random() * 900);
  const { child, startup, cookie } = await serve(data, port);
  try {
    found.startup = startup * 1000;
    found.idleMb = residentMb(child.pid, 'VmRSS');
    row('start to first reply', `${found.startup.toFixed(0)} ms`);
    row('memory, idle', `${found.idleMb.toFixed(0)} MB`);
    await measureHistory(port, child.pid, cookie, times, found);
    await measurePlaces(port, child.pid, cookie, times, found);
    found.health = await perSecond(port, '/api/v1/health');
    await request(port, '/api/v1/analytics/summary', { cookie });
    found.cached = await perSecond(port, '/api/v1/analytics/summary', cookie);
    row('replies/s /health', `${Math.round(found.health)}`);
    row('replies/s cached query', `${Math.round(found.cached)}`);
    found.serverPeakMb = residentMb(child.pid, 'VmHWM');
    row('memory, after that', `${residentMb(child.pid, 'VmRSS').toFixed(0)} MB`, `peak ${found.serverPeakMb.toFixed(0)} MB`);
  } finally {
    child.kill('SIGTERM');
    await new Promise((done) => child.once('exit', done));
  }
}

const machine = { cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30) };
try {
  for (const rows of sizes) {
    const needed = rows * (rows > 1_000_000 ? 300 : 3000); // bytes
    const free = statfsSync(work).bavail * statfsSync(work).bsize;
    if (free < needed * 1.5) {
      console.log(`\n${rows} plays left out: ${tmpdir()} has ${(free / 1e9).toFixed(1)} GB free, and ${(needed * 1.5 / 1e9).toFixed(1)} are needed`);
      continue;
    }
    const found = { rows };
    const data = join(process.env.BENCH_STORES ?? work, `data-${rows}`);
    console.log(`\n${rows} plays`);
    if (isImported && rows <= 1_000_000) await measureImport(rows, found);
    mkdirSync(data, { mode: 0o700, recursive: true });
    console.log(`\nqueries on ${rows} invented plays over three years, against the same SQL run directly, ms`);
    await measureQueries(data, rows, found);
    found.storeMb = statSync(join(data, 'cartographus.duckdb')).size / 1e6;
    row('store', `${found.storeMb.toFixed(1)} MB`);
    found.load = loadBefore;
    if (isWritten) write(found, machine);
    await measureServer(data, rows > 1_000_000 ? 1 : 5, found);
    if (!process.env.BENCH_STORES) rmSync(data, { recursive: true });
    if (isWritten) write(found, machine);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
