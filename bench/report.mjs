// Writes what bench.mjs has measured: docs/performance.json, and of it docs/performance.md and its
// pictures.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const short = (n) => (n >= 1e6 ? `${n / 1e6} million` : `${n / 1e3} thousand`);
const ms = (n) => (!Number.isFinite(n) ? '' : n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
const count = (n) => (Number.isFinite(n) ? Math.round(n).toLocaleString('en-US') : '');
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

const table = (head, rows) =>
  [head, head.map((_, i) => (i ? '--:' : '---')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/* --- pictures: one style for both, which follows the reader's light or dark ---------------------- */

const style = `<style>
text{font:12px system-ui,sans-serif;fill:#3c4250}.quiet{fill:#6b7280}.end{text-anchor:end}.middle{text-anchor:middle}
.grid{stroke:#d5d9e0;stroke-width:1}.bar{fill:#2f6fde}.mark{stroke:#c2410c;stroke-width:1.5;stroke-dasharray:4 3;fill:none}
.a{stroke:#2f6fde}.b{stroke:#0f8a6a}.c{stroke:#b4540a}.d{stroke:#8b46c8}.line{fill:none;stroke-width:2}
.dot{stroke-width:2;fill:#fff}.back{fill:#fff}
@media (prefers-color-scheme:dark){text{fill:#d6dae3}.quiet{fill:#9aa3b2}.grid{stroke:#39404d}.bar{fill:#6ea2ff}.mark{stroke:#fb923c}
.a{stroke:#6ea2ff}.b{stroke:#4cc9a4}.c{stroke:#f2a45c}.d{stroke:#c59bf0}.dot,.back{fill:#14171d}}
</style>`;

const svg = (width, height, name, inner) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}">\n<title>${name}</title>\n${style}\n` +
  `<rect class="back" width="${width}" height="${height}" rx="8"/>\n${inner}\n</svg>\n`;

// Each query's CPU time at one size, the slowest first.
function bars(found) {
  const queries = [...found.queries].sort((a, b) => b.cpu - a.cpu);
  const left = 170, right = 60, line = 18, top = 44, width = 760, inner = width - left - right;
  const most = queries[0].cpu;
  const x = (v) => left + (v / most) * inner;
  const step = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000].find((n) => most / n <= 6) ?? 10000;
  const height = top + queries.length * line + 16;
  let out = `<text x="16" y="24">CPU ms of each query, ${short(found.rows)} plays, all time, cold</text>`;
  for (let v = 0; v <= most; v += step)
    out += `<line class="grid" x1="${x(v)}" y1="${top - 4}" x2="${x(v)}" y2="${height - 12}"/><text class="quiet middle" x="${x(v)}" y="${top - 8}">${v}</text>`;
  queries.forEach((q, i) => {
    const y = top + i * line;
    out += `\n<text class="end" x="${left - 8}" y="${y + 13}">${q.name}</text><rect class="bar" x="${left}" y="${y + 3}" width="${Math.max(1, x(q.cpu) - left).toFixed(1)}" height="12" rx="2"/><text class="quiet" x="${(x(q.cpu) + 6).toFixed(1)}" y="${y + 13}">${ms(q.cpu)}</text>`;
  });
  return svg(width, height, `CPU time of each query at ${short(found.rows)} plays`, out);
}

// How it grows with the number of plays; both axes logarithmic, so that "in proportion" is a straight line.
function growth(all) {
  const lines = [
    ['a', 'slowest query', (f) => Math.max(...f.queries.map((q) => q.cpu))],
    ['b', 'query at the median', (f) => median(f.queries.map((q) => q.cpu))],
    ['c', 'history page', (f) => f.pages?.newest.cpu],
    ['d', 'memory, MB', (f) => Math.max(f.peakMb, f.serverPeakMb ?? 0)],
  ].map(([kind, name, of]) => ({ kind, name, points: all.filter((f) => of(f)).map((f) => [f.rows, Math.max(of(f), 1)]) }));
  const width = 760, height = 380, left = 64, top = 48, right = 170, bottom = 44;
  const values = lines.flatMap((l) => l.points.map((p) => p[1]));
  const low = 10 ** Math.floor(Math.log10(Math.min(...values))), high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const first = Math.log10(all[0].rows), last = Math.log10(all.at(-1).rows);
  const x = (rows) => left + ((Math.log10(rows) - first) / (last - first || 1)) * (width - left - right);
  const y = (v) => height - bottom - (Math.log10(v / low) / Math.log10(high / low)) * (height - top - bottom);
  let out = '<text x="16" y="24">CPU ms (and memory in MB) by the number of plays; both scales are logarithmic</text>';
  for (let v = low; v <= high; v *= 10)
    out += `\n<line class="grid" x1="${left}" y1="${y(v)}" x2="${width - right}" y2="${y(v)}"/><text class="quiet end" x="${left - 8}" y="${y(v) + 4}">${v}</text>`;
  for (const f of all)
    out += `\n<text class="quiet middle" x="${x(f.rows)}" y="${height - bottom + 20}">${short(f.rows)}</text>`;
  const ends = lines.map((l) => y(l.points.at(-1)[1])).sort((a, b) => a - b);
  for (const l of lines) {
    out += `\n<polyline class="line ${l.kind}" points="${l.points.map(([r, v]) => `${x(r).toFixed(1)},${y(v).toFixed(1)}`).join(' ')}"/>`;
    for (const [r, v] of l.points) out += `<circle class="dot ${l.kind}" cx="${x(r).toFixed(1)}" cy="${y(v).toFixed(1)}" r="3.5"/>`;
    const own = y(l.points.at(-1)[1]), near = ends.filter((e) => e < own && own - e < 15).length;
    out += `<text x="${width - right + 12}" y="${(own + 4 + near * 8).toFixed(1)}">${l.name}</text>`;
  }
  return svg(width, height, 'How times and memory grow with the number of plays', out);
}

/* --- the page ------------------------------------------------------------------------------------ */

function queryTable(all, main) {
  const names = [...new Set(all.flatMap((f) => f.queries.map((q) => q.name)))].sort();
  const of = (f, name) => f.queries.find((q) => q.name === name);
  return table(['query', ...all.flatMap((f) => [`${short(f.rows)}: CPU ms`, 'wall ms']), 'cached ms', 'against the bare SQL'],
    names.map((name) => {
      const last = of(all.at(-1), name) ?? {};
      return [`\`${name}\``, ...all.flatMap((f) => [ms(of(f, name)?.cpu), ms(of(f, name)?.wall)]), ms(last.cached), (of(main, name)?.ratio ?? 0).toFixed(2)];
    }));
}

function growthRow(name, all, of) {
  const values = all.map(of);
  return [name, ...values.map(ms), ...values.slice(1).map((v, i) => (v / values[i] ? `× ${(v / values[i]).toFixed(1)}` : ''))];
}

const figures = 'docs/performance.json';

export function write(found, machine) {
  const known = existsSync(figures) ? JSON.parse(readFileSync(figures, 'utf8')).sizes : [];
  const all = [...known.filter((f) => f.rows !== found.rows), found].sort((a, b) => a.rows - b.rows);
  writeFileSync(figures, `${JSON.stringify({ machine, sizes: all }, null, 1)}\n`);
  render(machine, all);
}

function render(machine, all) {
  const sizes = all.map((f) => short(f.rows));
  const main = all.find((f) => f.rows === 1_000_000) ?? all.at(-1);
  const served = main.places ? main : all.find((f) => f.places) ?? {}; // the others were cut short
  const slowest = (f) => Math.max(...f.queries.map((q) => q.cpu));
  const middle = (f) => median(f.queries.map((q) => q.cpu));
  const most = Math.max(...all.map((f) => f.load));
  const load = most > machine.cores * 1.5
    ? `It did other work, too: its load was ${most.toFixed(0)}, so CPU time is the figure to compare by. The wall clock would be
about half of it on a free machine, and was several times longer; CPU time itself, with caches shared with
others, is off by a third from run to run.`
    : 'CPU time is of all threads together.';
  const page = `# Performance

What \`make bench\` measured; it wrote this page and its pictures (\`make bench WRITE=1 PLAYS="${all.map((f) => f.rows).join(' ')}"\`).
Nothing of it passes or fails a test. The machine: ${machine.cores} cores, ${machine.memoryGb} GB of memory, a virtual disk.
${load}

The stores are invented from a seed: three years of plays by 200 people with 300 accounts, of 20,000 titles, evenly
spread, which is harder on everything that is grouped by person and title than people are. Every query is asked over all
time; "cold" is without a kept answer, "cached" the same question again. A query is CPU-bound and takes the
cores that there are.

![CPU time of each query](images/performance-queries.svg)

## In short

${table(['', ...sizes, ...sizes.slice(1).map(() => 'growth')], [
    growthRow('query at the median, CPU ms', all, middle),
    growthRow('slowest query, CPU ms', all, slowest),
    growthRow('history page, newest 50, CPU ms', all, (f) => f.pages?.newest.cpu),
    growthRow('Explore, CPU ms a call', all, (f) => f.places?.Explore.cpu / f.places?.Explore.calls),
    growthRow('peak memory of all queries, MB', all, (f) => f.peakMb),
    growthRow('peak memory of the server, MB', all, (f) => f.serverPeakMb),
    growthRow('store, MB', all, (f) => f.storeMb),
    growthRow('start to first reply, ms', all, (f) => f.startup),
  ])}

![Growth](images/performance-growth.svg)

## The places of the page

One client and eight at once, each asking for the whole set as a browser does (six at a time), cold; "again" is the
same set when its answers are kept. What took longer than ten seconds was not asked for by eight
at once. Where there are several numbers of calls, the page had got more charts between the runs.

${table(['', 'calls', ...sizes.flatMap((s) => [`${s}: ms`, 'CPU ms', '8 clients, ms']), 'again, ms'],
    Object.keys(served.places ?? {}).map((name) => [name, [...new Set(all.flatMap((f) => f.places?.[name].calls ?? []))].join(', '),
      ...all.flatMap((f) => [ms(f.places?.[name].wall), ms(f.places?.[name].cpu), ms(f.places?.[name].eight)]), ms(served.places[name].kept)]))}

## History

A page of 50 rows, by what is asked for.

${table(['', ...sizes.flatMap((s) => [`${s}: ms`, 'CPU ms'])],
    Object.keys(served.pages ?? {}).map((name) => [name, ...all.flatMap((f) => [ms(f.pages?.[name].wall), ms(f.pages?.[name].cpu)])]))}

## Rates

${table(['', ...sizes], [
    ['kept answers a second (16 connections)', ...all.map((f) => count(f.cached))],
    ['`/health` a second', ...all.map((f) => count(f.health))],
    ['plays as CSV, rows a second', ...all.map((f) => count(f.csv?.perSecond))],
    ['import from Tautulli, rows a second', ...all.map((f) => (f.import ? count(f.import.perSecond) : 'not measured'))],
    ['the same file only read', ...all.map((f) => (f.import ? count(f.import.bare) : ''))],
    ['peak memory of the import, MB', ...all.map((f) => (f.import ? ms(f.import.peakMb) : ''))],
  ])}

## Every query

CPU and wall milliseconds over all time, cold. The last column is what counting, writing and explaining add to
the bare SQL.

${queryTable(all, main)}
`;
  const notes = 'docs/internals/speed.md';
  writeFileSync('docs/performance.md', `${page}\nWhy it is as it is, and what was tried: [${notes.slice(5)}](${notes.slice(5)}).\n`);
  writeFileSync('docs/images/performance-queries.svg', bars(main));
  writeFileSync('docs/images/performance-growth.svg', growth(all));
  console.log('\nwrote docs/performance.md, docs/images/performance-queries.svg and docs/images/performance-growth.svg');
}

// By itself it makes the page anew of the figures that are there.
if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { machine, sizes } = JSON.parse(readFileSync(figures, 'utf8'));
  render(machine, sizes);
}
