// Measures one build against a yardstick in the same run and prints ratios. Nothing here passes or
// fails. usage: node bench/bench.mjs BUILD_DIR [rows ...]   (default 100000 1000000)
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const build = resolve(process.argv[2] ?? 'build');
const sizes = process.argv.slice(3).map(Number);
if (!sizes.length) sizes.push(100_000, 1_000_000);
const program = join(build, 'cartographus');
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

const names = ['summary', 'trends', 'heatmap', 'users', 'popular', 'locations', 'transcode'];
try {
  for (const rows of sizes) {
    const file = join(work, `tautulli-${rows}.db`);
    const data = join(work, `data-${rows}`);
    execFileSync(join(build, 'sim', 'cartographus-sim'), ['tautulli', '--out', file, '--seed', '1', '--rows', String(rows)], { stdio: ['ignore', 'ignore', 'inherit'] });
    console.log(`\n${rows} segments, database of ${(statSync(file).size / 1e6).toFixed(0)} MB`);
    const bare = JSON.parse(execFileSync(join(build, 'bench', 'bare_import'), [file]));
    const { took, peakMb } = await importFile(data, file);
    row('bare read loop', `${Math.round(bare.rows / bare.seconds)} rows/s`, `${bare.columns} columns`);
    row('import', `${Math.round(rows / took)} rows/s`, `${(took / bare.seconds).toFixed(2)} times the bare loop`, `peak ${peakMb.toFixed(0)} MB`);
    row('store', `${(statSync(join(data, 'cartographus.duckdb')).size / 1e6).toFixed(1)} MB`);

    const port = 39000 + Math.floor(Math.random() * 900);
    const { child, startup, cookie } = await serve(data, port);
    try {
      row('start to first reply', `${(startup * 1000).toFixed(0)} ms`);
      row('memory, idle', `${residentMb(child.pid, 'VmRSS').toFixed(0)} MB`);
      for (const name of names) {
        const cold = [];
        for (let i = 0; i < 5; i++) {
          // A filter that changes nothing but the cache key.
          const since = process.hrtime.bigint();
          const answer = await request(port, `/api/v1/analytics/${name}?start_date=${1971 + i}-01-01`, { cookie });
          if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.body}`);
          cold.push(seconds(since) * 1000);
        }
        const cached = [];
        for (let i = 0; i < 20; i++) {
          const since = process.hrtime.bigint();
          await request(port, `/api/v1/analytics/${name}?start_date=1971-01-01`, { cookie });
          cached.push(seconds(since) * 1000);
        }
        row(`query ${name}`, `${median(cold).toFixed(1)} ms`, `cached ${median(cached).toFixed(2)} ms`);
      }
      const page = [];
      for (let i = 0; i < 10; i++) {
        const since = process.hrtime.bigint();
        await request(port, `/api/v1/plays?limit=50&start_date=${1971 + i}-01-01`, { cookie });
        page.push(seconds(since) * 1000);
      }
      row('page of 50 plays', `median ${median(page).toFixed(1)} ms`, `p90 ${percentile(page, 0.9).toFixed(1)} ms`);
      row('requests/s /health', `${Math.round(await perSecond(port, '/api/v1/health'))}`);
      row('requests/s cached query', `${Math.round(await perSecond(port, '/api/v1/analytics/summary', cookie))}`);
      row('memory, after that', `${residentMb(child.pid, 'VmRSS').toFixed(0)} MB`, `peak ${residentMb(child.pid, 'VmHWM').toFixed(0)} MB`);
    } finally {
      child.kill('SIGTERM');
      await new Promise((done) => child.once('exit', done));
    }
    console.log(`\nqueries on ${rows} plays over three years, CPU time, against the same SQL run directly`);
    execFileSync(join(build, 'bench', 'bench_queries'), [work, String(rows)], { stdio: 'inherit' });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
