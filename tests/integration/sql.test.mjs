// People's own SQL against the real program: numbers, forms, limits, who may, and every way out that
// somebody may try. The time limit is short, so that what burns time is stopped soon.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startProgram } from './program.mjs';
import { build, until } from './simulator.mjs';

const binary = path.join(build, 'cartographus');
const MOST_ROWS = 5000;
const MOST_SECONDS = 6;
let program, cookie;

const post = (body, { query = '', headers = { cookie }, signal } = {}) =>
  fetch(program.url(`/api/v1/sql${query}`), { method: 'POST', headers, signal, body: JSON.stringify(body) });
const ask = async (sql, more = {}) => {
  const answer = await post({ sql, ...more });
  return { status: answer.status, ...await answer.json() };
};
const rowsOf = async (sql) => {
  const answer = await ask(sql);
  assert.equal(answer.status, 200, `${sql}: ${JSON.stringify(answer)}`);
  return answer.rows;
};
const get = async (route) => (await fetch(program.url(`/api/v1${route}`), { headers: { cookie } })).json();

// Processes of the program that answer questions.
const answering = () => readdirSync('/proc').filter((pid) => {
  try {
    return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[1] === String(program.child.pid) &&
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sql-child');
  } catch {
    return false;
  }
});
const oneAnswers = () => until('a process answers', () => ({ is: answering().length === 1, value: answering() }), 30000);
const nobodyAnswers = () => until('no process answers', () => ({ is: answering().length === 0, value: answering() }), 30000);
const forever = 'select count(*) from range(1000000000000)';

before(async () => {
  program = await startProgram({ DEMO: 'true', SQL_MAX_ROWS: String(MOST_ROWS), SQL_MAX_MEMORY: '128MB', QUERY_TIMEOUT: `${MOST_SECONDS}s` });
  cookie = await program.login();
  await until('the demo has its past', async () => {
    const states = (await get('/import')).imports.map((one) => one.state);
    return { is: states.join() === 'done', value: states };
  }, 180000);
});
after(() => program?.stop());

test('numbers are those of the pages, by the same words', async () => {
  // What is played meanwhile: until two answers about the same data meet.
  await until('sums agree', async () => {
    const { data: [said] } = await get('/analytics/summary');
    const [play] = await rowsOf(`select count(*) as plays, count(distinct person_id) as people, count(distinct title_id) as titles,
      count(*) filter (kind = 'view') as views from play`);
    const [segment] = await rowsOf('select sum(watch_ms) as watch_ms, sum(watch_ms * stream_bitrate_kbps // 8) as bytes from segment');
    const value = [said, play, segment];
    return { is: said.plays > 1000 && said.plays === play.plays && said.people === play.people && said.titles === play.titles &&
      said.views === play.views && said.watch_ms === Number(segment.watch_ms) && said.bytes === Number(segment.bytes), value };
  }, 60000);
  assert.deepEqual(await rowsOf("select * from play where started < '2020-01-01'"), []);
});

test('every table and column that is named is there, in that order and of that type, and has a meaning', async () => {
  const { tables, examples, most_rows: most } = await get('/sql');
  assert.equal(most, MOST_ROWS);
  assert.deepEqual((await rowsOf('show tables')).map((row) => row.name).sort(), tables.map((one) => one.name).sort());
  assert.ok(tables.length >= 11);
  for (const { name, about, columns } of tables) {
    assert.ok(about);
    const described = await rowsOf(`describe ${name}`);
    assert.deepEqual(described.map((row) => [row.column_name, row.column_type.replace('TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ')]),
      columns.map((one) => [one.name, one.type]), name);
    assert.ok(columns.every((one) => one.about), name);
    // Nothing that would tell who somebody is elsewhere.
    for (const column of columns) assert.doesNotMatch(column.name, /mail|^key$|machine|^address$|token|plex_id|login/);
  }
  for (const { sql } of examples) assert.ok(Array.isArray(await rowsOf(sql)), sql);
});

test('values of every kind come over, exact, and each column once', async () => {
  const answer = await ask(`select 1 as a, 2 as a, 3 as "A", 4 as _b, 9007199254740993::bigint as big, 2::hugeint ** 100 as huge,
    'x"y' as text, null as nothing, true as yes, 1.50::decimal(9,2) as money, 'nan'::double as nan, [1, null] as list,
    {'k': 'v'} as object, map {'m': 1} as map, date '2026-01-02' as day, timestamp '2026-01-02 03:04:05' as local,
    timestamptz '2026-01-02 03:04:05+00' as instant, interval '1 year 3 days 04:05:06' as span, time '01:02:03.5' as clock`);
  assert.equal(answer.status, 200, JSON.stringify(answer));
  assert.deepEqual(answer.rows, [{
    a: 1, a_1: 2, A_2: 3, _b: 4, big: '9007199254740993', huge: 1267650600228229401496703205376, text: 'x"y', nothing: null, yes: true,
    money: 1.5, nan: null, list: [1, null], object: { k: 'v' }, map: [{ key: 'm', value: 1 }], day: '2026-01-02',
    local: '2026-01-02T03:04:05.000', instant: '2026-01-02T03:04:05.000Z', span: '1 year 3 days 04:05:06', clock: '01:02:03.500000' }]);
  assert.deepEqual(answer.columns.map((one) => one.name), Object.keys(answer.rows[0]));
  const csv = await post({ sql: "select 'a,\"b' as x, '=1+1' as y, [1, 2] as z" }, { query: '?format=csv' });
  assert.equal(await csv.text(), 'x,y,z\r\n"a,""b",\'=1+1,1; 2\r\n');
  assert.match(csv.headers.get('content-disposition'), /answer\.csv/);
  const lines = await post({ sql: 'select range as n from range(3)' }, { query: '?format=ndjson' });
  assert.equal(await lines.text(), '{"n":0}\n{"n":1}\n{"n":2}\n');
  assert.match((await ask('select uuid() as u')).error.message, /column 'u'.*::varchar/);
});

test('DuckDB says what is wrong, and where', async () => {
  const { status, error } = await ask('select colour,\n  count(*)\nfrom play');
  assert.equal(status, 400);
  assert.equal(error.field, 'sql');
  assert.match(error.message, /"colour" not found/);
  assert.match(error.message, /LINE 1: select colour,\n +\^/);
});

test('limits: of rows, told where they are left out; of columns, text and members', async () => {
  const all = await ask('select * from range(100000)');
  assert.deepEqual([all.rows.length, all.about.rows, all.about.has_more], [MOST_ROWS, MOST_ROWS, true]);
  const exact = await ask(`select * from range(${MOST_ROWS})`);
  assert.deepEqual([exact.about.rows, exact.about.has_more], [MOST_ROWS, false]);
  const some = await ask('select * from range(1000000000000)', { limit: 10 });
  assert.deepEqual([some.rows.length, some.about.has_more], [10, true]);
  const file = await post({ sql: 'select * from range(100000)' }, { query: '?format=csv' });
  assert.equal(file.status, 413);
  assert.match((await file.json()).error.message, new RegExp(`more than ${MOST_ROWS} rows \\(SQL_MAX_ROWS\\)`));
  const asked = await post({ sql: 'select * from range(100000)', limit: 3 }, { query: '?format=csv' });
  assert.equal(await asked.text(), 'range\r\n0\r\n1\r\n2\r\n');
  for (const [body, query, status, field] of [
    [{ sql: `select ${Array(1001).fill(1)}` }, '', 400, 'sql'],
    [{ sql: `select '${'x'.repeat(62000)}'` }, '', 413, 'sql'],
    [{ sql: 'select \u0000 1' }, '', 400], [{}, '', 400, 'sql'], [{ sql: '' }, '', 400, 'sql'], [{ sql: 1 }, '', 400, 'sql'],
    [{ sql: 'select 1', limit: 0 }, '', 400, 'limit'], [{ sql: 'select 1', limit: 'x' }, '', 400, 'limit'],
    [{ sql: 'select 1', colour: 1 }, '', 400, 'colour'], [{ sql: 'select 1' }, '?format=xml', 400, 'format'],
    [{ sql: 'select 1' }, '?colour=red', 400, 'colour'],
    [{ sql: "select repeat('x', 30000) from range(5000)" }, '', 413],
  ]) {
    const answer = await post(body, { query });
    const { error = {} } = await answer.json();
    assert.equal(answer.status, status, `${JSON.stringify(body).slice(0, 80)}: ${error.message}`);
    if (field !== undefined) assert.equal(error.field, field, error.message);
  }
});

// Each is refused, and the next question is answered as if nothing had been.
const attacks = {
  'files are read': ["select * from read_csv('/etc/passwd')", "select * from read_csv_auto('/etc/passwd')", "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')", "select * from read_json('/etc/passwd')", "select * from read_text('/proc/self/environ')",
    "select * from glob('/etc/*')", "select * from '/etc/passwd'", "from '/etc/passwd.csv'", "from 'x.parquet'", "select * from parquet_scan('/tmp/x.parquet')",
    "select * from parquet_metadata('/tmp/x')", "select * from sniff_csv('/etc/passwd')", "from 'https://example.org/x.csv'",
    "select * from read_csv('/dev/stdin')", "describe select * from read_csv('/etc/passwd')", "summarize from '/etc/passwd.csv'",
    "select (select content from read_text('/etc/passwd'))", "with x as (from read_text('/etc/passwd')) from x",
    'select * from duckdb_extensions()'],
  'something is written': ["copy play to '/tmp/x'", 'copy (select 1) to stdout', "export database '/tmp/x'", "import database '/tmp/x'",
    "explain copy play to '/tmp/x.csv'", "explain analyze copy play to '/tmp/x.csv'", 'create table x (a int)', 'create temp table x as select 1',
    'insert into play select * from play', "update play set kind = 'x'", 'delete from play', 'drop table play',
    'with x as (select * from play) insert into play select * from x', 'explain analyze delete from play', 'truncate play',
    'create view x as select 1', 'create macro f() as 1', 'alter table play add column x int', 'vacuum', 'checkpoint'],
  'the database is changed': ["attach '/tmp/x.db'", "attach ':memory:' as m", 'detach cartographus', 'use memory', 'set threads = 4', "set memory_limit = '10GB'",
    'set enable_external_access = true', 'set lock_configuration = false', "set search_path = 'x'", 'set variable x = 1', 'reset memory_limit', 'reset lock_configuration',
    'pragma database_list', 'pragma enable_profiling', 'PRAGMA memory_limit=\'1GB\'', 'install httpfs', 'load httpfs', "load '/tmp/x.so'", 'force install json',
    'call enable_logging()', 'call pragma_version()', 'create secret (type s3)', 'begin', 'commit', 'prepare p as select 1', 'execute p',
    'select * from enable_logging()', "select * from enable_logging(storage = 'file', storage_path = '/tmp/x')", "select * from system.main.enable_logging()",
    'select * from ENABLE_LOGGING()', 'select * from "enable_logging"()', 'select (select count(*) from enable_logging())', 'describe from enable_logging()',
    'with x as (from enable_logging()) from x', 'select * from enable_profiling()', 'select * from checkpoint()', 'select * from force_checkpoint()',
    'select * from truncate_duckdb_logs()', "select write_log('x')", "select * from query('select * from enable_logging()')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select * from enable_logging()'))"],
  'more than one statement, or none': ['select 1; select 2', 'select 1; drop table play', "select 1;copy play to '/tmp/x'", '-- only a comment', '/* and /* nested */ */', ';', '  ',
    'select 1; /* x */ -- y\n set threads = 2', "/* select */ pragma version", '-- select\nset threads = 2', '(((pragma version', '/**/attach \'/tmp/x\'', '/*'],
  'the surroundings are asked': ["select getenv('PATH')", "select getenv('JWT_SECRET')", "select getvariable('x') from nowhere", "select nextval('x')", 'select $1', 'select ?'],
};
for (const [what, list] of Object.entries(attacks)) {
  test(`refused: ${what}`, async () => {
    for (const sql of list) {
      const { status, error } = await ask(sql);
      assert.equal(status, 400, `${sql}: ${JSON.stringify(error)}`);
      assert.ok(!error.message.includes(program.folder), sql);
    }
    assert.deepEqual(await rowsOf('select 42 as n'), [{ n: 42 }]);
    assert.ok(!existsSync('/tmp/x') && !existsSync('/tmp/x.csv') && !existsSync('/tmp/x.db'));
  });
}

test('the copy’s own file cannot be opened anew, though DuckDB would let it', async () => {
  const [{ value }] = await rowsOf("select value from duckdb_settings() where name = 'allowed_paths'");
  const pid = Number(/\/proc\/(\d+)\/fd\/4/.exec(value)[1]);
  // Process numbers go up: one of the next ones is its own.
  for (const sql of [`select * from read_blob('/proc/${pid}/fd/4')`, "select * from read_blob('/proc/self/fd/4')", "select * from read_blob('/dev/fd/4')"])
    assert.equal((await ask(sql)).status, 400, sql);
});

test('settings, databases, secrets and logs tell no path, no secret and nothing of the surroundings', async () => {
  let text = '';
  for (const sql of ['select * from duckdb_settings()', 'select * from duckdb_databases()', 'select * from duckdb_secrets()',
    'select * from duckdb_logs', 'select * from duckdb_tables()', 'select * from duckdb_temporary_files()', 'select * from information_schema.tables',
    "select current_setting('secret_directory'), current_setting('home_directory'), current_setting('temp_directory'), version()"]) text += JSON.stringify(await rowsOf(sql));
  for (const hidden of [program.folder, 'correct horse', 'x'.repeat(48), process.env.HOME, 'cartographus.duckdb', 'sql-copy', 'session_in', 'email'])
    assert.ok(!text.includes(hidden), hidden);
});

test('what burns time is stopped at its limit, and told so', async () => {
  for (const sql of [forever, 'with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t']) {
    const { status, error } = await ask(sql);
    assert.equal(status, 504, JSON.stringify(error));
    assert.match(error.message, /(it took longer than 6 seconds \(QUERY_TIMEOUT\)|it took more than 6 seconds of the processor)/);
  }
  await nobodyAnswers();
});

test('what wants memory is refused or stopped, and the server has lost nothing', async () => {
  for (const sql of ['select list(range) from range(1000000000)', "select repeat('x', 2000000000)", "select string_agg(repeat('x', 1000)) from range(10000000)",
    'select * from range(100000000) order by hash(range)', 'select count(*) from (select row_number() over (order by random()) from range(30000000))',
    "select len(list_transform(range(50000000), lambda x: repeat('y', 100)))"]) {
    const { status, error } = await ask(sql);
    assert.ok([413, 504].includes(status), `${sql}: ${status} ${error?.message}`);
  }
  for (const sql of [`select ${'('.repeat(20000)}1${')'.repeat(20000)}`, `select ${'1+'.repeat(20000)}1`, `select ${'not '.repeat(14000)}true`,
    `select ${'['.repeat(20000)}1${']'.repeat(20000)}`, `select ${'(select '.repeat(5000)}1${')'.repeat(5000)}`, `${'/*'.repeat(20000)} select 1`,
    `select * from ${'(select * from '.repeat(3000)}range(1)${')'.repeat(3000)}`]) {
    const { status, error } = await ask(sql);
    assert.ok([400, 413, 504].includes(status), `${sql.slice(0, 40)}: ${status} ${error?.message}`);
  }
  assert.equal(program.child.exitCode, null);
  assert.deepEqual(await rowsOf('select 42 as n'), [{ n: 42 }]);
});

test('the process is shut in: no privileges, no threads, seccomp, nothing open but its own, an empty environment', async () => {
  const leave = new AbortController();
  const asked = post({ sql: forever }, { signal: leave.signal }).catch(() => {});
  await oneAnswers();
  const [pid] = answering();
  const status = await until('it is shut in', () => {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return { is: /^Seccomp:\s2$/m.test(text), value: text };
  });
  const said = readFileSync(`/proc/${pid}/status`, 'utf8');
  assert.match(said, /^NoNewPrivs:\s1$/m, status);
  assert.match(said, /^Threads:\s1$/m);
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
  for (const [name, most] of [['Max processes', '0'], ['Max open files', '0'], ['Max core file size', '0'], ['Max cpu time', String(MOST_SECONDS + 2)]])
    assert.match(limits, new RegExp(`^${name}\\s+${most}\\s+${most}\\s`, 'm'), limits);
  assert.equal(readFileSync(`/proc/${pid}/environ`, 'utf8'), '');
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  for (const name of open) assert.match(name, /^(\/dev\/null|pipe:|\/memfd:|.*\(deleted\)$)/, open.join());
  assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('range'), 'the question is in no list of processes');
  leave.abort();
  await asked;
  await nobodyAnswers();
});

test('killed from outside, it is told; a client that goes takes its process along; few may wait', async () => {
  const killed = ask(forever);
  await oneAnswers();
  process.kill(Number(answering()[0]), 'SIGKILL');
  const { status, error } = await killed;
  assert.equal(status, 503);
  assert.match(error.message, /ended without an answer \(signal 9\)/);

  const leave = new AbortController();
  const first = post({ sql: forever }, { signal: leave.signal }).catch(() => 'gone');
  await oneAnswers();
  const others = Array.from({ length: 8 }, () => post({ sql: forever }, { signal: leave.signal }).then((r) => r.status, () => 'gone'));
  const busy = await Promise.any(others.map(async (one) => (await one) === 503 ? 503 : Promise.reject(new Error('not that'))));
  assert.equal(busy, 503);
  assert.equal(answering().length, 1);
  leave.abort();
  assert.equal(await first, 'gone');
  await Promise.all(others);
  await nobodyAnswers();
  assert.deepEqual(await rowsOf('select 42 as n'), [{ n: 42 }]);
});

test('only administrators: no viewer, no token that may only read, nobody else', async () => {
  const headers = { cookie, 'content-type': 'application/json' };
  const make = (route, body) => fetch(program.url(`/api/v1${route}`), { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal((await make('/users', { name: 'vera', password: 'correct horse battery' })).status, 200);
  const entered = await fetch(program.url('/api/v1/auth/login'), { method: 'POST', body: JSON.stringify({ username: 'vera', password: 'correct horse battery' }) });
  const viewer = entered.headers.get('set-cookie').split(';')[0];
  const token = async (scope) => (await (await make('/tokens', { name: scope, scope, days: 1 })).json()).secret;
  const reading = await token('read');
  for (const [asker, status] of [[{ cookie: viewer }, 403], [{ authorization: `Bearer ${reading}` }, 403], [{}, 401]]) {
    assert.equal((await post({ sql: 'select 1' }, { headers: asker })).status, status);
    assert.equal((await fetch(program.url('/api/v1/sql'), { headers: asker })).status, status);
  }
  assert.equal((await post({ sql: 'select 1' }, { headers: { cookie, origin: 'https://example.org' } })).status, 403);
  assert.equal((await post({ sql: 'select 1' }, { headers: { authorization: `Bearer ${await token('admin')}` } })).status, 200);
});

test('the audit log says who asked what, refused or not', async () => {
  await ask("select 'a question for the log'");
  await ask("copy play to 'another'");
  await until('both are noted', async () => {
    const { rows } = await get('/audit?kind=export&about=POST%20%2Fsql&limit=200');
    const found = (text, status) => rows.some((row) => row.who === 'admin' && row.status === status && row.detail.includes(text));
    return { is: found('a question for the log', 200) && found("copy play to 'another'", 400), value: rows.slice(0, 5) };
  });
});

test('the data folder keeps nothing of it, and a copy is made anew when data changed', async () => {
  assert.deepEqual(readdirSync(path.join(program.folder, 'demo')).filter((name) => /sql-copy|tmp/.test(name)), []);
  const [{ id }] = (await get('/plays?limit=1&sort=watch_ms&dir=asc')).rows;
  // Where making a copy takes long it is asked for a while, so here until the next one.
  const isCounted = (n) => until('the copy is of now', async () => ({ is: await count() === n, value: n }), 60000);
  const count = async () => (await rowsOf(`select count(*) as n from play where play_id = ${id}`))[0].n;
  assert.equal(await count(), 1);
  const change = (method, route) => fetch(program.url(`/api/v1/plays/${id}${route}`), { method, headers: { cookie } });
  assert.equal((await change('DELETE', '')).status, 204);
  await isCounted(0);
  assert.equal((await change('POST', '/restore')).status, 204);
  await isCounted(1);
});

// --- the command line ---------------------------------------------------------------------------

function run(args, { input = '', data = path.join(program.folder, 'demo') } = {}) {
  const child = spawn(binary, ['sql', '--data', data, ...args], { env: { PATH: process.env.PATH } });
  const result = { out: '', err: '' };
  child.stdout.on('data', (chunk) => { result.out += chunk; });
  child.stderr.on('data', (chunk) => { result.err += chunk; });
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...result, code })));
}

test('cartographus sql: by argument and standard input, in every form, with tables and faults', async () => {
  for (const [args, input, code, out, err] of [
    [['select 42 as n, \'é\' as s'], '', 0, / n {2}s\n42 {2}é\n/, /^$/],
    [[], 'select 42 as n', 0, /n\n42\n/, /^$/],
    [['-', '--format', 'csv'], 'select 42 as n', 0, /^n\r\n42\r\n$/, /^$/],
    [['select 42 as n', '--format=ndjson'], '', 0, /^\{"n":42\}\n$/, /^$/],
    [['select 42 as n', '--format', 'json'], '', 0, /^\{"columns":\[\{"name":"n","type":"integer"\}\],"rows":\[\{"n":42\}\]/, /^$/],
    [['select 1 where false'], '', 0, /^no rows\n$/, /^$/],
    [['select * from range(6000)'], '', 0, /4999\n$/, /only the first 5000 rows/],
    [['--tables'], '', 0, /^play: one viewing[^]*\n {2}watch_ms +BIGINT +watch time in milliseconds[^]*\ncoverage: /, /^$/],
    [['select nothing from play'], '', 1, /^$/, /"nothing" not found[^]*LINE 1: select nothing from play\n +\^/],
    [['drop table play'], '', 1, /^$/, /it begins with 'drop'/],
    [['select 1', '--format', 'tabel'], '', 2, /^$/, /'tabel' is not known; did you mean 'table'/],
    [['select 1', '--tables'], '', 2, /^$/, /--tables asks nothing else/],
    [['select', '1'], '', 2, /^$/, /one argument too many/],
  ]) {
    const ran = await run(args, { input });
    assert.equal(ran.code, code, `${args}: ${ran.err}`);
    assert.match(ran.out, out, String(args));
    assert.match(ran.err, err, String(args));
  }
});

test('cartographus sql works on a folder that no server holds; interrupted, nothing goes on', async () => {
  const data = path.join(program.folder, 'offline');
  const ran = await run(['select count(*) as n from play'], { data });
  assert.deepEqual([ran.code, ran.out, ran.err], [0, 'n\n0\n', '']);
  const child = spawn(binary, ['sql', forever, '--data', path.join(program.folder, 'demo')], { env: { PATH: process.env.PATH } });
  await oneAnswers();
  child.kill('SIGINT');
  await nobodyAnswers();
  // The subcommand is for the program alone.
  assert.throws(() => execFileSync(binary, ['sql-child'], { input: 'select 1', stdio: 'pipe' }), /for the program itself/);
});

test('a server that stops does not wait for a question, and answers it', async () => {
  const other = await startProgram({ SETUP: 'true', QUERY_TIMEOUT: '600s' });
  try {
    const child = spawn(binary, ['sql', forever, '--data', other.folder], { env: { PATH: process.env.PATH } });
    const said = { err: '' };
    child.stderr.on('data', (chunk) => { said.err += chunk; });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const inside = () => readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[1] === String(other.child.pid);
      } catch {
        return false;
      }
    });
    await until('it is being answered, or refused', () => ({ is: inside().length === 1 || child.exitCode !== null, value: said.err }), 30000);
    await other.stop();
    assert.equal(await ended, 1);
    assert.match(said.err, /stopping/);
  } finally {
    await other.kill();
  }
});
