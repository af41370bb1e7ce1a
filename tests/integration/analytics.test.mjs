// What the queries say over HTTP: cached, conditional, in every format, compared.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startIdle } from './program.mjs';

let program, cookie;
before(async () => {
  program = await startIdle({ TZ: 'Europe/Berlin' });
  cookie = await program.login();
});
after(() => program?.stop());

const ask = (route, headers = {}) =>
  fetch(program.url(`/api/v1/analytics${route}`), { headers: { cookie, ...headers } });
const json = async (route) => (await ask(route)).json();

// "Today" may end between two requests, and with it an answer's time: then once more.
async function twice(attempt) {
  for (let left = 3; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 1) throw error;
    }
  }
}

test('an answer says what it is, and the same question again is answered from the cache', () => twice(async () => {
  const route = `/summary?days=${1 + Math.floor(Math.random() * 30000)}`;
  const first = await json(route);
  assert.equal(first.meta.query, 'summary');
  assert.equal(first.meta.tz, 'Europe/Berlin');
  assert.equal(first.meta.is_cached, false);
  assert.deepEqual([first.data[0].plays, first.data[0].finished_share], [0, null]);
  const second = await json(route);
  assert.equal(second.meta.is_cached, true);
  assert.deepEqual({ ...second.meta, is_cached: false }, first.meta);
}));

test('who has the answer already is told so', () => twice(async () => {
  const first = await ask('/heatmap?days=7');
  const etag = first.headers.get('etag');
  assert.match(etag, /^W\/"[0-9a-f]{32}"$/);
  assert.equal(first.headers.get('cache-control'), 'private, no-cache');
  assert.equal((await first.json()).data.length, 168);
  const again = await ask('/heatmap?days=7', { 'If-None-Match': etag });
  assert.equal(again.status, 304);
  assert.equal(again.headers.get('etag'), etag);
  assert.equal(await again.text(), '');
  for (const other of ['/heatmap?days=8', '/heatmap', '/heatmap?days=7&format=csv', '/users?days=7'])
    assert.equal((await ask(other, { 'If-None-Match': etag })).status, 200, other);
}));

test('the same question from many at once is worked out once', () => twice(async () => {
  const route = `/trends?bucket=day&days=${1 + Math.floor(Math.random() * 300)}`;
  const all = await Promise.all(Array.from({ length: 12 }, () => json(route)));
  assert.equal(all.filter((answer) => !answer.meta.is_cached).length, 1);
  for (const answer of all) assert.deepEqual(answer.data, all[0].data);
}));

test('rows come as CSV and as lines of JSON', async () => {
  const csv = await ask('/heatmap?format=csv');
  assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8');
  assert.equal(csv.headers.get('content-disposition'), 'attachment; filename="heatmap.csv"');
  const lines = (await csv.text()).split('\r\n');
  assert.equal(lines[0], 'weekday,hour,watch_ms,starts');
  assert.equal(lines[168], '6,23,0,0');
  assert.deepEqual(lines.slice(169), ['']);
  const ndjson = await ask('/heatmap?format=ndjson');
  assert.equal(ndjson.headers.get('content-type'), 'application/x-ndjson; charset=utf-8');
  const rows = (await ndjson.text()).trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(rows[25], { weekday: 1, hour: 1, watch_ms: 0, starts: 0 });
});

test('a period is compared with the one before by the clock of the zone', async () => {
  const { compare, meta } =
    await json('/summary?start_date=2025-10-20&end_date=2025-10-26&compare=previous');
  assert.deepEqual([meta.from, meta.to], ['2025-10-19T22:00:00.000Z', '2025-10-26T23:00:00.000Z']);
  assert.deepEqual([compare.from, compare.to], ['2025-10-12T22:00:00.000Z', '2025-10-19T22:00:00.000Z']);
  assert.equal(compare.data.length, 1);
  const year = await json('/summary?start_date=2025-06-01&end_date=2025-06-30&compare=year');
  assert.deepEqual([year.compare.from, year.compare.to],
    ['2024-05-31T22:00:00.000Z', '2024-06-30T22:00:00.000Z']);
  for (const route of ['/summary?compare=year', '/summary?days=7&compare=previous&format=csv']) {
    const answer = await ask(route);
    assert.equal(answer.status, 400);
    assert.equal((await answer.json()).error.field, 'compare');
  }
});

test('an explained answer gives its definition, its SQL and the values in it', async () => {
  const { explain } = await json('/popular?limit=3&users=5&explain=1');
  assert.match(explain.definition, /identity/);
  assert.match(explain.sql, /limit \$limit/);
  assert.doesNotMatch(explain.sql, /\b5\b/);
  const values = Object.fromEntries(explain.values.map(({ name, value }) => [name, value]));
  assert.deepEqual([values.limit, values.filter_users, values.tz], [3, '5', 'Europe/Berlin']);
});

test('what is not there is said so by name', async () => {
  assert.equal((await ask('/nothing')).status, 404);
  for (const [route, field] of [['/users?bucket=day', 'bucket'], ['/popular?limit=0', 'limit'],
    ['/popular?limit=1.5', 'limit'], ['/trends?bucket=year', 'bucket'], ['/trends?bucket=day&bucket=day', 'bucket'],
    ['/summary?explain=yes', 'explain'], ['/summary?format=xml', 'format'], ['/summary?tz=Nowhere', 'tz']]) {
    const answer = await ask(route);
    assert.equal(answer.status, 400, route);
    assert.equal((await answer.json()).error.field, field, route);
  }
});

test('what is searched is any text on one line of at most 200 bytes; what finds nothing is an empty answer', async () => {
  for (const q of ['', '%20%20', '...', '%25', '_', '%27%3B%20drop%20table%20title%3B%20--', '%F0%9F%8E%AC', 'x'.repeat(200)]) {
    const answer = await ask(`/search/fuzzy?q=${q}`);
    assert.equal(answer.status, 200, q);
    assert.deepEqual((await answer.json()).data, [], q);
  }
  for (const q of ['x'.repeat(201), 'x'.repeat(10000), '%ff%fe', 'a%0Ab', '%C3%A4'.repeat(101)]) {
    const answer = await ask(`/search/fuzzy?q=${q}`);
    assert.equal(answer.status, 400, q.slice(0, 20));
    assert.equal((await answer.json()).error.field, 'q', q.slice(0, 20));
  }
  for (const [route, field] of [['q=a&of=album', 'of'], ['q=a&min_score=101', 'min_score'], ['q=a&limit=101', 'limit'], ['q=a&q=b', 'q']]) {
    const answer = await ask(`/search/fuzzy?${route}`);
    assert.equal(answer.status, 400, route);
    assert.equal((await answer.json()).error.field, field, route);
  }
});

test('a query with a slash in its name answers there, in files, and the search at its short address', async () => {
  for (const [route, name] of [['/search/users?q=a', 'search/users'], ['/approximate/distinct', 'approximate/distinct'],
    ['/search%2Fusers?q=a', 'search/users'], ['/approximate/percentile?of=percent', 'approximate/percentile']])
    assert.equal((await json(route)).meta.query, name, route);
  const short = await fetch(program.url('/api/v1/search/fuzzy?q=a'), { headers: { cookie } });
  assert.equal((await short.json()).meta.query, 'search/fuzzy');
  assert.equal((await fetch(program.url('/api/v1/search/fuzzy?q=a'))).status, 401);
  const file = await ask('/search/fuzzy?q=a&format=csv');
  assert.match(file.headers.get('content-disposition'), /search-fuzzy\.csv/);
  assert.match(await file.text(), /^kind,name,series,/);
  for (const route of ['/search', '/search/', '/search/fuzzy/more', '/nothing/at/all', `/${'x/'.repeat(100)}`])
    assert.equal((await ask(route)).status, 404, route);
});
