// Row 51: docs/wiki, README.md and all that they lean on say what is so. Links and anchors resolve;
// options, routes, subcommands and their options exist; every command of a fenced `sh` block is run
// against the real binary with a server beside it, and what a block "output" shows is what came. The
// words after `sh` say how:
//
//   sh                 run in a folder with a server's data/, which watches simulated servers
//   sh env             NAME=value lines, which the program must take
//   sh serve           starts a server: it must become healthy, and stop well
//   sh not-run=REASON  not run here; the reasons are below
//   text output        what the block before printed, "..." being anything
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, newFolder, password, startProgram } from '../integration/program.mjs';
import { build, Children, startSimulator, until } from '../integration/simulator.mjs';
import { binary, needed, run, type } from './commands.mjs';
import { derived, derivedPart, slug } from './wiki_pages.mjs';

const notRun = {
  build: 'it builds or tests the whole program, which is what the suite was started by',
  docker: 'no Docker engine runs where the suite does',
  machine: 'it changes the machine: users, services, packages, folders of root',
  network: 'it asks another machine',
  systemd: 'systemd does not run where the suite does; systemd-analyze judges the unit',
};
const children = new Children();
const written = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'docs', 'README.md', 'ARCHITECTURE.md'])
  .toString().trim().split('\n').filter((file) => file.endsWith('.md') && existsSync(file));
const texts = new Map(await Promise.all(written.map(async (file) => [file, await readFile(file, 'utf8')])));
const isForOwners = (file) => file.startsWith('docs/wiki/') || file === 'README.md';
const forOwners = [...texts].filter(([file]) => isForOwners(file));

// Each line with its number; of which fence, if it is in one.
function linesOf(text) {
  let fence = null;
  return text.split('\n').map((line, i) => {
    const mark = /^\s*```(.*)$/.exec(line);
    if (!mark) return { line, number: i + 1, fence };
    fence = fence ? null : { words: mark[1].trim().split(/\s+/), number: i + 1, lines: [] };
    return { line: '', number: i + 1, fence: null };
  });
}
function blocksOf(text) {
  const blocks = [];
  for (const { line, fence } of linesOf(text)) {
    if (!fence) continue;
    if (blocks.at(-1) !== fence) blocks.push(fence);
    fence.lines.push(line);
  }
  return blocks;
}
// Fails with every fault there is, by file and line.
const none = (faults) => assert.deepEqual(faults, []);

let folder, program, sim, environment, placeholders;
before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 20);
  const port = await freePort();
  environment = { ...needed, ...sim.environment(), DATA_DIR: path.join(folder, 'data'), HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port) };
  const { JWT_SECRET, ADMIN_USERNAME, ADMIN_PASSWORD, ...more } = environment;
  program = await startProgram(more, environment.DATA_DIR, port);
  // What the pages write where an owner writes their own.
  placeholders = [
    ['localhost:3857', `localhost:${port}`],
    ['lsof -i :3857', `lsof -i :${port}`],
    ['YOUR_PASSWORD', password],
    ['YOUR_PLEX_TOKEN', sim.server('plex').token],
    ['YOUR_JELLYFIN_KEY', sim.server('jellyfin').token],
    ['YOUR_EMBY_KEY', sim.server('emby').token],
    ['http://192.168.1.100:32400', sim.server('plex').url],
    ['http://192.168.1.100:8096', sim.server('jellyfin').url],
    ['http://192.168.1.100:8097', sim.server('emby').url],
    ['/run/secrets/plex_token', path.join(folder, 'plex_token')],
    ['/path/to/tautulli.db', path.join(folder, 'tautulli.db')],
    ['192.168.1.10', 'localhost'],
  ];
  await writeFile(path.join(folder, 'plex_token'), `${sim.server('plex').token}\n`, { mode: 0o600 });
  execFileSync(path.resolve(build, 'sim/cartographus-sim'), ['tautulli', '--seed', '1', '--days', '20', '--out', path.join(folder, 'tautulli.db')]);
  await until('every server is read', async () => {
    const value = await (await fetch(program.url('/api/v1/sync/status'))).json();
    return { is: value.servers.length === 3 && value.servers.every((s) => s.percent === 100), value };
  }, 120000);
});
after(async () => {
  await children.end();
  await program?.stop();
  await rm(folder, { recursive: true });
});
const filledIn = (text) => placeholders.reduce((all, [from, to]) => all.replaceAll(from, to), text);
const pathWithProgram = `${path.dirname(binary)}:${process.env.PATH}`;

test('row 51: there are the pages that the guide names, and the rest of what an owner needs', () => {
  for (const name of ['Home', 'Configuration', 'FAQ', 'Troubleshooting', 'Quick-Start', 'Installation', 'Media-Servers', 'Authentication',
    'Reverse-Proxy', 'Backup', 'API-Reference', 'Features']) {
    assert.ok(texts.has(`docs/wiki/${name}.md`), name);
    assert.ok(name === 'Home' || texts.get('docs/wiki/Home.md').includes(`](${name}.md)`), `Home does not lead to ${name}`);
  }
});

test('row 51: every link leads somewhere, to the very heading', () => {
  const anchors = new Map([...texts].map(([file, text]) => {
    const seen = new Map();
    return [file, new Set(linesOf(text).filter(({ line, fence }) => !fence && /^#+ /.test(line)).map(({ line }) => {
      const name = slug(line.replace(/^#+ /, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', ''));
      seen.set(name, (seen.get(name) ?? -1) + 1);
      return seen.get(name) ? `${name}-${seen.get(name)}` : name;
    }))];
  }));
  const faults = [];
  let count = 0;
  for (const [file, text] of texts)
    for (const { line, number, fence } of linesOf(text)) {
      if (fence) continue;
      for (const [, target] of line.matchAll(/\]\(([^()\s]*(?:\([^()]*\)[^()\s]*)*)\)/g)) {
        if (/^https?:/.test(target)) continue;
        count++;
        const [page, anchor] = target.split('#');
        const to = page ? path.normalize(path.join(path.dirname(file), page)) : file;
        if (!existsSync(to)) faults.push(`${file}:${number}: ${target}: there is no such file`);
        else if (anchor && !anchors.get(to)?.has(anchor)) faults.push(`${file}:${number}: ${target}: there is no such heading`);
      }
    }
  assert.ok(count > 100, String(count));
  none(faults);
});

test('row 51: what derives from the program is what the program says (else: scripts/wiki)', async () => {
  for (const [page, part] of Object.entries(await derived()))
    assert.ok(derivedPart(texts.get(page)) === part, `${page} is not up to date: run scripts/wiki`);
});

test('row 51: every option that is named exists', async () => {
  const { out } = await run(['config', 'docs']);
  const options = new Set([...out.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((match) => match[1]));
  assert.ok(options.size > 60);
  const others = new Set([
    'CONFIG_PATH', 'NAME', 'TMPDIR', 'PATH', // of the surroundings
    'PUID', 'PGID', // deploy/entrypoint
    'PREFIX', 'DESTDIR', 'BUILD_DIR', 'NPM_MINUTES', // Makefile, scripts
    ...(await readFile('src/base/error.h', 'utf8')).match(/\b[A-Z][A-Z_]{3,}\b/g), // codes of errors
  ]);
  const faults = [];
  let count = 0;
  for (const [file, text] of forOwners)
    for (const { line, number } of linesOf(text))
      for (const [name] of line.matchAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b(?!\.)/g)) {
        count++;
        const isOne = options.has(name) || options.has(name.replace(/_FILE$/, '')) || others.has(name) || /^(YOUR|X)_/.test(name);
        if (!isOne) faults.push(`${file}:${number}: ${name}: there is no such option`);
      }
  assert.ok(count > 100, String(count));
  none(faults);
});

test('row 51: every route that is named exists', async () => {
  const description = await (await fetch(program.url('/api/v1/openapi.json'))).json();
  const known = Object.entries(description.paths).map(([route, methods]) => ({
    pattern: new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`), methods: Object.keys(methods).map((m) => m.toUpperCase()) }));
  const faults = [];
  let count = 0;
  for (const [file, text] of texts)
    for (const { line, number } of linesOf(text))
      for (const [, method, , given] of line.matchAll(/(?:\b(GET|POST|PUT|PATCH|DELETE) )?(https?:\/\/[\w.:-]+|\/cartographus)?(\/api\/(?:v1|auth)\/[\w{}/.-]*\w\}?)(?![\w]|\/…)/g)) {
        count++;
        const route = given.replace(/^\/api\/auth/, '/api/v1/auth');
        const found = known.find(({ pattern, methods }) => pattern.test(route) && (!method || methods.includes(method)));
        if (!found && route !== '/api/v1/analytics/NAME') faults.push(`${file}:${number}: ${method ?? ''} ${given}: there is no such route`);
      }
  assert.ok(count > 50, String(count));
  none(faults);
});

test('row 51: every subcommand and its options exist', async () => {
  const helps = new Map();
  const help = async (name) => {
    if (!helps.has(name)) helps.set(name, await run([name, '--help']));
    return helps.get(name);
  };
  const faults = [];
  let count = 0;
  for (const [file, text] of texts)
    for (const { line, number, fence } of linesOf(text)) {
      const pieces = fence ? (fence.words[0] === 'sh' ? [line] : []) : [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
      for (const piece of pieces)
        for (const [, rest] of piece.matchAll(/(?<!exec )(?<=^|[\s(]|bin\/|build\/)cartographus((?: [^\s|;&`]+)+)/g)) {
          const words = rest.trim().split(' ');
          if (!/^[a-z][a-z-]*$/.test(words[0])) continue;
          count++;
          const { code, out } = await help(words[0]);
          if (code !== 0 || !out.includes(`usage: cartographus ${words[0]}`)) faults.push(`${file}:${number}: cartographus ${words[0]}: no such subcommand`);
          for (const option of words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]))
            if (!out.includes(`\n  ${option} `)) faults.push(`${file}:${number}: cartographus ${words[0]} has no ${option}`);
        }
    }
  assert.ok(count > 30, String(count));
  none(faults);
});

test('row 51: every sample of the environment is taken', async () => {
  const faults = [];
  let count = 0;
  for (const [file, text] of forOwners)
    for (const block of blocksOf(text)) {
      if (block.words[0] !== 'sh' || block.words[1] !== 'env') continue;
      for (const [i, line] of block.lines.entries()) {
        if (!line.trim() || line.trim().startsWith('#')) continue;
        const [, name, value] = /^\s*([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
        if (!name) {
          faults.push(`${file}:${block.number + i + 1}: '${line}' is no NAME=value`);
          continue;
        }
        count++;
        const plain = filledIn(value).replace(/^'(.*)'$/, '$1');
        const { text: said } = await run(['config', 'show'], { cwd: folder, env: { [name]: plain } });
        const wrong = said.split('\n').find((one) => one.startsWith(`${name}:`) || one.includes(`${name} is no option`));
        // What goes together with another option is not at fault itself.
        if (wrong && !/goes together|is missing/.test(wrong)) faults.push(`${file}:${block.number + i + 1}: ${wrong}`);
      }
    }
  assert.ok(count > 10, String(count));
  none(faults);
});

test('row 51: what is quoted of the program is what it says', async () => {
  const sources = execFileSync('git', ['ls-files', 'src/*.c', 'src/*.def', 'web/src/messages']).toString().trim().split('\n');
  const said = (await Promise.all(sources.map((file) => readFile(file, 'utf8')))).join('\n')
    .replace(/"\s*\n?\s*"/g, '').replaceAll('\\"', '"').replaceAll('’', "'");
  // Values are "..." in the pages and %s or {name} in the sources.
  const words = said.replace(/%[-.\d]*(?:ll|z)?[sdu]|%" PRI\w+ "?|\{\w+\}/g, '...');
  const faults = [];
  let count = 0;
  for (const file of ['docs/wiki/Troubleshooting.md', 'docs/wiki/Reverse-Proxy.md', 'docs/wiki/Backup.md']) {
    // A quotation may go over the end of a line.
    const prose = linesOf(texts.get(file)).map(({ line, fence }) => (fence ? '' : line.replace(/`[^`]*`/g, '')).trim()).join('\n');
    for (const match of prose.matchAll(/"([^"]{6,300}?)"/g)) {
      count++;
      for (const part of match[1].replace(/\s+/g, ' ').replace(/(?<!\.\.)[.,:]$/, '').split('...').map((one) => one.trim().replace(/^'|'$/g, '')))
        if (part.length > 3 && !words.includes(part))
          faults.push(`${file}:${prose.slice(0, match.index).split('\n').length}: nothing says "${part}"`);
    }
  }
  assert.ok(count > 15, String(count));
  none(faults);
});

// "..." is anything, white space is any white space.
const likeOutput = (shown) => new RegExp(shown.trim().split('...').map((part) =>
  part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+')).join('[\\s\\S]*?'));

async function serve(script) {
  const cwd = path.join(folder, 'serve'), port = await freePort();
  await mkdir(cwd, { recursive: true });
  const child = children.spawn('bash', ['-c', `exec env ${script}`], { cwd, env: {
    ...needed, PATH: pathWithProgram, SETUP: 'true', HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port) } });
  await until(`healthy: ${script}`, async () => ({
    is: child.exitCode !== null || await fetch(`http://127.0.0.1:${port}/api/v1/health`).then((r) => r.ok, () => false), value: child.text }), 60000);
  const wasRunning = child.exitCode === null;
  if (wasRunning) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(cwd, { recursive: true });
  return { code: wasRunning ? child.exitCode : 1, text: child.text, out: child.text };
}

for (const [file, text] of forOwners) {
  test(`row 51: every command of ${file} does what it says`, async () => {
    const faults = [];
    let last = null;
    for (const block of blocksOf(text)) {
      const [language, how] = block.words;
      const at = `${file}:${block.number}`;
      const script = filledIn(block.lines.join('\n'));
      if (['bash', 'shell', 'console'].includes(language)) faults.push(`${at}: write sh, so that it is run`);
      if (how === 'output') {
        if (last === null) continue; // of what is not run
        if (!likeOutput(filledIn(block.lines.join('\n'))).test(last)) faults.push(`${at}: it printed\n${last}`);
        continue;
      }
      if (language !== 'sh' || how === 'env') continue;
      last = null;
      const reason = /^not-run=(.*)$/.exec(how ?? '')?.[1];
      if (reason !== undefined) {
        if (!notRun[reason]) faults.push(`${at}: not-run=${reason} is no reason`);
        continue;
      }
      const { code, text: said, out } = how === 'serve' ? await serve(script)
        : await type(`set -e\n${script}`, { cwd: folder, env: { ...environment, PATH: pathWithProgram, HOME: folder } });
      if (code !== 0) faults.push(`${at}: exit status ${code}: ${said}`);
      last = out;
    }
    none(faults);
  });
}
