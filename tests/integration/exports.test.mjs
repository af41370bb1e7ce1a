// What is taken out as files, read again by programs that are not ours: CSV by csv-parse, Parquet by
// hyparquet, GeoJSON checked by RFC 7946; and what is left of exports that nobody waits for.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { check as checkGeojson } from '@placemarkio/check-geojson';
import { parse as parseCsv } from 'csv-parse/sync';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { newFolder, startIdle } from './program.mjs';
import { binary, build, Children, until } from './simulator.mjs';

const PLAYS = 12000;
const options = { API_MAX_PAGE_SIZE: '10000', SERVER_LATITUDE: '52.5', SERVER_LONGITUDE: '13.4' };
const children = new Children();
let folder, program, headers, all, queries;

const ask = (query, more) => fetch(program.url(`/api/v1/${query}`), { headers, ...more });
const bytes = async (query) => {
  const answer = await ask(query);
  const body = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, `${query}: ${body.subarray(0, 300)}`);
  return body;
};
const json = async (query) => JSON.parse(await bytes(query));
const parquet = async (body) => {
  const file = body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength);
  return parquetReadObjects({ file, compressors });
};

// Values as JSON has them: bigints as numbers, times as text.
const plain = (value) => (typeof value === 'bigint' ? Number(value) : value instanceof Date ? value.toISOString() : value);
const plainRow = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
// A CSV field back to what JSON has, by what stands there.
const field = (text, like) => {
  if (text === '') return like === '' ? '' : null;
  if (typeof like === 'number') return Number(text);
  if (typeof like === 'boolean') return text === 'true';
  return /^'[=+\-@\t\r]/.test(text) ? text.slice(1) : text;
};
function sameAsCsv(text, rows, what) {
  const read = parseCsv(text, { columns: true });
  assert.equal(read.length, rows.length, what);
  rows.forEach((row, i) => {
    if (i === 0) assert.deepEqual(Object.keys(read[i]), Object.keys(row), what);
    for (const [name, value] of Object.entries(row))
      if (field(read[i][name], value) !== value) assert.fail(`${what}, row ${i}, ${name}: ${read[i][name]}, not ${value}`);
  });
}
const ndjson = (body) => body.toString().trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
// deepEqual of thousands of rows takes a minute; it tells what differs.
const same = (rows, wanted, what) => JSON.stringify(rows) === JSON.stringify(wanted) || assert.deepEqual(rows, wanted, what);
const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);

before(async () => {
  folder = await newFolder();
  const file = path.join(folder, 'other.db');
  execFileSync(binary, ['tautulli', '--out', file, '--seed', '11', '--rows', String(PLAYS)]);
  execFileSync(path.join(build, 'cartographus'), ['import', file, '--data', folder],
    { env: { PATH: process.env.PATH, SETUP: 'true' }, stdio: 'ignore' });
  await rm(file);
  program = await startIdle(options, folder);
  headers = { cookie: await program.login() };
  // A name that a spreadsheet would take for a formula.
  const { people } = await json('people?limit=1');
  const renamed = await ask(`people/${people[0].id}`, { method: 'PATCH', body: JSON.stringify({ name: '=1+cmd|x' }) });
  assert.equal(renamed.status, 200);
  queries = (await json('analytics')).queries;
  all = [];
  for (let cursor = ''; cursor !== null;) {
    const page = await json(`plays?short=include&limit=10000&cursor=${cursor}`);
    all.push(...page.rows);
    cursor = page.next_cursor;
  }
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

test('plays in every format are the plays of the history', async () => {
  assert.ok(all.length > PLAYS / 2, `${all.length} plays`);
  same(ndjson(await bytes('plays?short=include&format=ndjson')), all);
  sameAsCsv(await bytes('plays?short=include&format=csv'), all, 'csv');
  const rows = (await parquet(await bytes('plays?short=include&format=parquet&sort=started'))).map(plainRow);
  same(rows, all);
  const unordered = (await parquet(await bytes('plays?short=include&format=parquet'))).map(plainRow);
  same(unordered.sort((a, b) => a.id - b.id), all.toSorted((a, b) => a.id - b.id));
  const map = JSON.parse(await bytes('plays?short=include&format=geojson'));
  same(map.features.map((one) => one.properties), all);
  assert.equal(map.features.filter((one) => one.geometry).length > 100, true);
  for (const one of map.features) assert.equal(one.geometry === null, one.properties.place === null, one.properties.place);
  checkGeojson((await bytes('plays?media_types=movie&days=30&format=geojson')).toString()); // it is slow
});

test('a filter holds in every format, and counts and sums are those of the summary', async () => {
  const of = 'media_types=movie&days=400';
  const [whole] = (await json(`analytics/summary?${of}`)).data;
  assert.ok(whole.plays > 100);
  const read = {
    csv: (body) => parseCsv(body, { columns: true, cast: (text, { column }) => (column === 'watch_ms' ? Number(text) : text) }),
    ndjson, parquet: async (body) => (await parquet(body)).map(plainRow),
    geojson: (body) => JSON.parse(body).features.map((one) => one.properties) };
  for (const [format, rowsOf] of Object.entries(read)) {
    const rows = await rowsOf(await bytes(`plays?${of}&format=${format}`));
    assert.equal(rows.length, whole.plays + (whole.views ?? 0), format);
    assert.ok(rows.every((row) => row.media_type === 'movie'), format);
    const watched = sum(rows, 'watch_ms');
    // The summary clips watch time to the window, whose end is in the future: what is cut off is nothing.
    assert.ok(Math.abs(watched - whole.watch_ms) <= watched / 100, `${format}: ${watched} against ${whole.watch_ms}`);
  }
  const [everything] = (await json('analytics/summary?short=include')).data;
  assert.equal(sum(all, 'watch_ms'), everything.watch_ms);
  assert.equal(all.length, everything.plays + (everything.views ?? 0));
});

test('every query in every format has the rows of its JSON', async () => {
  let rows = 0;
  for (const { name, columns } of queries) {
    const asked = `analytics/${name}?${name.startsWith('approximate') ? 'method=exact&' : ''}`; // a sketch is never twice the same
    const { data } = await json(asked);
    rows += data.length;
    sameAsCsv(await bytes(`${asked}format=csv`), data, name);
    same(ndjson(await bytes(`${asked}format=ndjson`)), data, name);
    const file = await bytes(`${asked}format=parquet`);
    const read = (await parquet(file)).map(plainRow);
    same(read, data, name);
    const schema = parquetMetadata(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength)).schema.slice(1);
    assert.deepEqual(schema.map((one) => one.name), columns.map((one) => one.name), name);
    for (const [i, one] of columns.entries())
      if (one.type === 'time') assert.equal(schema[i].logical_type?.isAdjustedToUTC, true, `${name}: ${one.name}`);
  }
  assert.ok(rows > 500, `${rows} rows`);
});

test('GeoJSON is of RFC 7946, and only of what has a place', async () => {
  let features = 0;
  for (const { name, columns } of queries) {
    const has = ['latitude', 'longitude'].every((one) => columns.some((column) => column.name === one));
    const answer = await ask(`analytics/${name}?format=geojson`);
    const text = await answer.text();
    if (!has) {
      assert.equal(answer.status, 400, name);
      assert.equal(JSON.parse(text).error.field, 'format');
      continue;
    }
    assert.equal(answer.status, 200, text.slice(0, 300));
    assert.equal(answer.headers.get('content-type'), 'application/geo+json; charset=utf-8');
    assert.equal(answer.headers.get('content-disposition'), `attachment; filename="${name}.geojson"`);
    const map = checkGeojson(text);
    const { data } = await json(`analytics/${name}`);
    same(map.features.map((one) => one.properties), data, name);
    for (const { geometry, properties } of map.features) {
      if (!geometry) {
        assert.equal(properties.latitude, null, name);
        continue;
      }
      features++;
      const ends = { Point: (c) => c, LineString: (c) => c.at(-1), MultiLineString: (c) => c.at(-1).at(-1) }[geometry.type](geometry.coordinates);
      assert.ok(Math.abs(ends[0] - properties.longitude) < 1e-5 && Math.abs(ends[1] - properties.latitude) < 1e-5, name);
      assert.equal(geometry.type !== 'Point', name === 'arcs');
    }
  }
  assert.ok(features > 20, `${features} features`);
});

test('a spreadsheet takes no name for a formula', async () => {
  for (const query of ['analytics/users?format=csv', 'plays?short=include&format=csv']) {
    const text = (await bytes(query)).toString();
    assert.ok(text.includes("'=1+cmd|x"), query);
    assert.doesNotMatch(text, /(^|,)"?=1/m, query);
  }
});

// Sends a request and goes away as soon as the server is at it.
const leave = (query) => new Promise((resolve) => {
  const call = http.get(program.url(`/api/v1/${query}`), { headers });
  call.on('error', () => {}); // none where the answer has come already
  call.on('close', resolve);
  setTimeout(() => call.destroy(), 30);
});
// Files without a name that the program holds in its data folder.
const unnamed = () => readdirSync(`/proc/${program.child.pid}/fd`).flatMap((fd) => {
  try {
    const to = readlinkSync(`/proc/${program.child.pid}/fd/${fd}`);
    return to.startsWith(folder) && to.endsWith('(deleted)') ? [to] : [];
  } catch {
    return []; // it is closed by now
  }
});

test('who goes away leaves no file and no query behind', async () => {
  const there = readdirSync(folder).sort();
  for (const query of ['plays?short=include&format=geojson', 'plays?short=include&format=parquet', 'export/store']) {
    await leave(query);
    await until('its file is gone', () => ({ is: unnamed().length === 0, value: unnamed() }), 60000);
    await until('another export can be made', async () => {
      const answer = await ask('plays?format=csv&days=1');
      await answer.arrayBuffer();
      return { is: answer.status === 200, value: answer.status };
    }, 60000);
  }
  assert.deepEqual(readdirSync(folder).sort(), there);
});

test('the whole store is a tar of Parquet files that fit each other', async () => {
  const answer = await ask('export/store');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'application/x-tar');
  assert.match(answer.headers.get('content-disposition'), /filename="cartographus-store-\d{8}-\d{6}\.tar"/);
  const to = path.join(folder, 'out');
  mkdirSync(to);
  execFileSync('tar', ['x', '-C', to], { input: Buffer.from(await answer.arrayBuffer()) });
  const readme = readFileSync(path.join(to, 'README.txt'), 'utf8');
  assert.match(readme, /schema version {2}\d+/);
  assert.match(readme, /PRIVATE/);
  const told = new Map([...readme.matchAll(/^(\w+) +(\d+) {2}(\S.*)$/gm)].map((m) => [m[1], Number(m[2])]));
  const tables = readdirSync(to).filter((name) => name.endsWith('.parquet')).map((name) => path.parse(name).name);
  assert.deepEqual(tables.sort(), [...told.keys()].sort());
  const rows = {};
  for (const table of tables) {
    rows[table] = (await parquet(readFileSync(path.join(to, `${table}.parquet`)))).map(plainRow);
    assert.equal(rows[table].length, told.get(table), table);
  }
  const shown = rows.play.filter((one) => !one.is_hidden && one.kind !== 'extra');
  assert.deepEqual(shown.map((one) => one.play_id).sort((a, b) => a - b), all.map((one) => one.id).sort((a, b) => a - b));
  assert.equal(sum(shown, 'watch_ms'), sum(all, 'watch_ms'));
  const plays = new Set(rows.play.map((one) => one.play_id));
  assert.ok(rows.segment.every((one) => plays.has(one.play_id)));
  assert.match(rows.play[0].started, /Z$/);
  await rm(to, { recursive: true });
  const { rows: [noted] } = await json('audit?kind=export&about=store');
  assert.equal(noted.action, 'GET /export/store');
  assert.match(noted.detail, /^\d+ tables|: \d+ tables/);
});

test('the command line writes whole files and replaces none', async () => {
  const cli = (...args) => spawnSync(path.join(build, 'cartographus'), ['export', ...args, '--data', folder],
    { env: { PATH: process.env.PATH }, encoding: 'utf8' });
  const out = path.join(folder, 'taken');
  mkdirSync(out);
  for (const name of ['plays.csv', 'plays.ndjson', 'plays.parquet', 'plays.geojson']) {
    const run = cli('plays', 'days=400', 'media_types=movie', '-o', path.join(out, name));
    assert.equal(run.status, 0, run.stderr);
    const format = name.split('.')[1];
    const [mine, wanted] = [readFileSync(path.join(out, name)), await bytes(`plays?days=400&media_types=movie&format=${format}`)];
    if (format !== 'parquet') assert.ok(mine.equals(wanted), name);
    else // in no order, unless one is asked for
      same(...await Promise.all([mine, wanted].map(async (file) => (await parquet(file)).map(plainRow).sort((a, b) => a.id - b.id))), name);
    assert.equal(statSync(path.join(out, name)).mode & 0o777, 0o600);
  }
  const file = path.join(out, 'plays.csv');
  writeFileSync(file, 'mine');
  const refused = cli('plays', '-o', file);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /is there already; --force replaces it/);
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  assert.equal(cli('plays', 'no=thing', '--force', '-o', file).status, 1);
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  assert.equal(cli('plays', '--force', '-o', file).status, 0);
  assert.match(readFileSync(file, 'utf8'), /^id,started/);
  assert.equal(cli('store', path.join(out, 'store.tar')).status, 0);
  assert.match(execFileSync('tar', ['tf', path.join(out, 'store.tar')], { encoding: 'utf8' }), /^README\.txt\n[^]*play\.parquet\n/);
  assert.deepEqual(readdirSync(out).sort(), ['plays.csv', 'plays.geojson', 'plays.ndjson', 'plays.parquet', 'store.tar']);
  for (const wrong of [['plays'], ['plays', '-o', path.join(out, 'x')], ['plays', 'days', '-o', file], ['nothing'], ['store'],
    ['plays', '-o', path.join(out, 'x.csv'), '--format', 'xls']])
    assert.equal(cli(...wrong).status, 2, wrong.join(' '));
  await rm(out, { recursive: true });
});

test('a full disk is said before it is full, and nothing is left', async (t) => {
  const disk = path.join(folder, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    return t.skip('no file system can be mounted here');
  }
  let small;
  try {
    const data = path.join(disk, 'data');
    await program.stop(); // nobody may have it open while it is copied
    mkdirSync(data, { mode: 0o700 });
    for (const name of readdirSync(folder))
      if (name !== 'disk') cpSync(path.join(folder, name), path.join(data, name), { recursive: true });
    small = await startIdle(options, data);
    const cookie = { cookie: await small.login() };
    for (const query of ['plays?short=include&format=csv', 'plays?short=include&format=parquet', 'export/store']) {
      const answer = await fetch(small.url(`/api/v1/${query}`), { headers: cookie });
      assert.ok(answer.status >= 500, query);
      assert.match((await answer.json()).error.message, /disk is too full for this export: it needs/, query);
    }
    const little = await fetch(small.url('/api/v1/analytics/summary?format=csv'), { headers: cookie });
    assert.equal(little.status, 200, 'what is small is written all the same');
    await little.text();
    await small.stop();
    assert.deepEqual(readdirSync(data).filter((name) => name.startsWith('.work')), []);
  } finally {
    await small?.kill();
    execFileSync('umount', ['-l', disk]);
    program = await startIdle(options, folder);
    headers = { cookie: await program.login() };
  }
});

test('kill -9 in the middle leaves nothing', async () => {
  const before = readdirSync(folder).sort();
  void ask('plays?short=include&format=parquet').catch(() => {});
  void ask('export/store').catch(() => {});
  await until('a file is being written', () => ({ is: unnamed().length > 0, value: 'none yet' }), 30000);
  await program.kill();
  // What a file system without unnamed files could leave, if it came to the very worst.
  writeFileSync(path.join(folder, '.work-export-AbCdEf'), 'half');
  program = await startIdle(options, folder);
  headers = { cookie: await program.login() };
  assert.ok(!existsSync(path.join(folder, '.work-export-AbCdEf')));
  assert.deepEqual(readdirSync(folder).filter((name) => !name.endsWith('.wal')).sort(), before.filter((name) => !name.endsWith('.wal')));
});
