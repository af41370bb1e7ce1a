// The history of the real binary, from what simulated servers tell of the past: filter, sort, pages,
// files. What the server chooses is compared with choosing among all rows here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newFolder, startIdle, startProgram } from './program.mjs';
import { binary, Children, startSimulator, until } from './simulator.mjs';

const children = new Children();
let folder, program, headers, all, live;

const ask = (query, options) => fetch(program.url(`/api/v1/${query}`), { headers, ...options });
async function get(query) {
  const answer = await ask(query);
  const text = await answer.text();
  assert.equal(answer.status, 200, `${query}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}
// Every page of a query, in order.
async function pages(query, limit = 200) {
  const rows = [];
  for (let cursor = ''; cursor !== null;) {
    const page = await get(`plays?limit=${limit}&${query}&cursor=${encodeURIComponent(cursor)}`);
    rows.push(...page.rows);
    cursor = page.next_cursor;
  }
  return rows;
}
const ids = (rows) => rows.map((r) => r.id).sort((a, b) => a - b);

// A Tautulli database of 40 plays, in at last.
async function importTautulli(url, cookie) {
  const file = path.join(folder, 'other.db');
  execFileSync(binary, ['tautulli', '--out', file, '--seed', '7', '--rows', '40']);
  const body = await readFile(file);
  const begun = await fetch(url('/api/v1/import?name=other.db&server=plex-1'), { method: 'POST', headers: cookie, body });
  assert.equal(begun.status, 202, await begun.clone().text());
  const { id } = (await begun.json()).import;
  return until('the import ends', async () => {
    const value = (await (await fetch(url(`/api/v1/import/${id}`), { headers: cookie })).json()).import;
    return { is: value.state === 'done', value };
  }, 60000);
}

// Three servers tell their past, one has a session, and another tool's history comes in; then the program goes on without them, so that nothing more comes.
before(async () => {
  const sim = await startSimulator(children);
  const [plex, jellyfin, emby] = ['plex', 'jellyfin', 'emby'].map(sim.server);
  folder = await newFolder();
  const first = await startProgram({
    ENABLE_PLEX_SYNC: 'true', PLEX_URL: plex.url, PLEX_TOKEN: plex.token,
    JELLYFIN_ENABLED: 'true', JELLYFIN_URL: jellyfin.url, JELLYFIN_API_KEY: jellyfin.token,
    EMBY_ENABLED: 'true', EMBY_URL: emby.url, EMBY_API_KEY: emby.token }, folder);
  await until('all three servers have told their past', async () => {
    const { servers } = await (await fetch(first.url('/api/v1/sync/status'))).json();
    return { is: servers.length === 3 && servers.every((s) => s.percent === 100), value: servers };
  }, 180000);
  const cookie = { cookie: await first.login() };
  const playing = (n) => until(`${n} sessions are there`, async () => {
    const { sessions } = await (await fetch(first.url('/api/v1/sessions'), { headers: cookie })).json();
    return { is: sessions.length === n, value: sessions };
  }, 30000);
  const session = await sim.play('emby', { person: 2, kind: 'movie' });
  await playing(1);
  await sim.act(session, 'stop');
  await playing(0);
  live = session.title;
  await importTautulli(first.url, cookie);
  await first.stop(); // what is in its log is in the store then
  program = await startIdle({}, folder);
  headers = { cookie: await program.login() };
  all = await pages('short=include');
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

test('all pages together are all plays, each once', async () => {
  assert.ok(all.length > 100, `${all.length} plays`);
  assert.equal(new Set(ids(all)).size, all.length);
  assert.equal((await get('plays?short=include')).total, all.length);
  const day = all[60].started.slice(0, 10);
  assert.deepEqual((await pages(`short=include&start_date=${day}`, 7)).map((r) => r.id),
    all.filter((r) => r.started.slice(0, 10) >= day).map((r) => r.id));
});

test('a filter gives the plays that it names, and their number', async () => {
  const shown = all.filter((r) => !r.is_short);
  const one = shown.find((r) => r.person_id !== null && r.media_type === 'episode');
  const day = shown[Math.floor(shown.length / 2)].started.slice(0, 10);
  const folded = (text) => (text ?? '').normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  const word = folded(one.title).split(' ').sort((a, b) => b.length - a.length)[0];
  const cases = {
    [`users=${one.person_id}`]: (r) => r.person_id === one.person_id,
    [`server_ids=${one.server_id}`]: (r) => r.server_id === one.server_id,
    [`titles=${one.title_id}`]: (r) => r.title_id === one.title_id,
    'media_types=movie,track': (r) => ['movie', 'track'].includes(r.media_type),
    'platforms=unknown': (r) => r.platform === null,
    'transcode_decisions=unknown': (r) => r.transcode_decision === null,
    [`years=${one.year ?? 'unknown'}`]: (r) => r.year === one.year,
    [`search=${encodeURIComponent(word.toUpperCase())}`]:
      (r) => folded(r.full_title).includes(word) || folded(r.person).includes(word),
    [`start_date=${day}&end_date=${day}`]: (r) => r.started.startsWith(day),
    [`start_date=${day}T12:00:00Z`]: (r) => r.started >= `${day}T12:00:00`,
    [`users=${one.person_id}&media_types=episode&end_date=${day}`]:
      (r) => r.person_id === one.person_id && r.media_type === 'episode' && r.started.slice(0, 10) <= day,
    'users=unknown': (r) => r.person_id === null,
    'deleted=only': () => false,
  };
  for (const [query, passes] of Object.entries(cases)) {
    const expected = ids(shown.filter(passes));
    assert.deepEqual(ids(await pages(query)), expected, query);
    assert.equal((await get(`plays?${query}`)).total, expected.length, query);
  }
});

test('every sort is one, in both directions, by pages', async () => {
  for (const sort of ['started', 'watch_ms', 'person', 'title', 'percent']) {
    for (const dir of ['asc', 'desc']) {
      const rows = await pages(`short=include&sort=${sort}&dir=${dir}`, 199);
      assert.deepEqual(ids(rows), ids(all), `${sort} ${dir}`);
      if (sort === 'person' || sort === 'title') continue; // by folded names: tests/api/test_plays.c
      const keys = rows.map((r) => r[sort]);
      const known = keys.filter((k) => k !== null);
      const sorted = known.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      assert.deepEqual(keys.slice(0, known.length), dir === 'asc' ? sorted : sorted.toReversed(), `${sort} ${dir}`);
    }
  }
});

test('a file holds all rows of the filter, and no page', async () => {
  const answer = await ask('plays?short=include&format=ndjson');
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson; charset=utf-8');
  assert.match(answer.headers.get('content-disposition'), /attachment; filename="plays.ndjson"/);
  const rows = (await answer.text()).trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(rows, all);
  const csv = await ask('plays?short=include&format=csv&media_types=movie');
  assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8');
  const lines = (await csv.text()).trim().split('\r\n');
  assert.equal(lines[0].split(',')[0], 'id');
  assert.deepEqual(lines.slice(1).map((l) => Number(l.split(',')[0])),
    all.filter((r) => r.media_type === 'movie').map((r) => r.id));
  const none = await ask('plays?search=nosuchtitle&format=csv');
  assert.equal((await none.text()).split('\r\n').length, 2, 'the names and nothing else');
});

test('a bad parameter is refused by its name', async () => {
  for (const [query, field] of [
    ['limit=0', 'limit'], ['limit=9999999999999999999', 'limit'], ['cursor=x', 'cursor'],
    ['sort=colour', 'sort'], ['dir=up', 'dir'], ['format=xml', 'format'],
    ['sort=watch_ms&cursor=started.desc.1.1.', 'cursor'],
    ['format=csv&limit=3', 'limit'], ['format=csv&cursor=started.desc.1.1.', 'cursor'],
    ['server_ids=1;drop', 'server_ids'], ['media_types=movie,%27', 'media_types'],
    ['search=%ff', 'search'], ['tz=Nowhere', 'tz'], ['days=7&end_date=2026-01-01', 'days'],
    ['colour=red', 'colour'],
  ]) {
    const answer = await ask(`plays?${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal((await answer.json()).error.field, field, query);
  }
});

const change = (method, route) => ask(route, { method });

test('a play tells its segments with every stream fact, and where they come from', async () => {
  const observed = all.find((r) => r.origin === 'live' && r.full_title === live);
  const play = await get(`plays/${observed.id}`);
  const { segments: count, ...row } = observed;
  const { segments, views, coverage, decisions, ...rest } = play;
  assert.deepEqual(rest, row);
  assert.equal(segments.length, count);
  assert.deepEqual([views, decisions], [[], []]);
  assert.ok(Array.isArray(coverage));
  assert.equal(segments[0].origin, 'live');
  assert.equal(segments[0].player, observed.player);
  assert.equal(segments[0].transcode_decision, observed.transcode_decision);
  assert.ok(segments[0].video_codec && segments[0].session && segments[0].address_class);
  assert.equal(segments[0].states.at(-1).state, 'stopped');
  const imported = await get(`plays/${all.find((r) => r.origin === 'import').id}`);
  const [{ import_source, import_file, import_row, states }] = imported.segments;
  assert.deepEqual([import_source, import_file, states], ['tautulli', 'other.db', []]);
  assert.ok(import_row > 0);
  const view = all.find((r) => r.kind === 'view');
  const told = await get(`plays/${view.id}`);
  assert.deepEqual(told.segments, []);
  assert.equal(told.views.length, 1);
  assert.equal(told.views[0].viewed_at, view.started);
  for (const id of ['0', '-1', '999999999', 'x', '1e3', '99999999999999999999999'])
    assert.equal((await ask(`plays/${id}`)).status, 404, id);
});

test('a deleted play is found as such, stays deleted, and is restored', async () => {
  for (const origin of ['import', 'view', 'live']) {
    const play = all.find((r) => r.origin === origin);
    assert.equal((await change('DELETE', `plays/${play.id}`)).status, 204, origin);
    assert.equal((await change('DELETE', `plays/${play.id}`)).status, 204, `${origin}, twice`);
    assert.ok(!ids(await pages('short=include')).includes(play.id), origin);
    assert.equal((await get('plays?short=include')).total, all.length - 1);
    assert.deepEqual(ids(await pages('short=include&deleted=only')), [play.id]);
    assert.deepEqual(ids(await pages('short=include&deleted=include')), ids(all));
    const detail = await get(`plays/${play.id}`);
    assert.equal(detail.is_deleted, true);
    assert.deepEqual(detail.decisions.map((d) => [d.who, d.kind]), [['admin', 'delete_play']]);
    const again = await (await change('POST', 'rederive')).json();
    assert.equal(again.is_changed, false, JSON.stringify(again));
    const report = await importTautulli(program.url, headers);
    assert.equal(report.rows_added, 0);
    assert.deepEqual(ids(await pages('short=include&deleted=only')), [play.id], 'after deriving and importing again');
    assert.equal((await change('POST', `plays/${play.id}/restore`)).status, 204);
    assert.equal((await change('POST', `plays/${play.id}/restore`)).status, 204);
    const restored = await pages('short=include');
    assert.deepEqual(restored.map((r) => r.id), all.map((r) => r.id), `${origin} ${play.id} restored`);
    assert.deepEqual(restored, all);
    assert.deepEqual((await get(`plays/${play.id}`)).decisions.map((d) => d.kind), ['delete_play', 'restore_play']);
  }
  for (const [method, route] of [['DELETE', 'plays/999999999'], ['POST', 'plays/999999999/restore'], ['DELETE', 'plays/x']])
    assert.equal((await change(method, route)).status, 404, route);
});

test('what can be filtered on is what the plays have', async () => {
  const filters = await get('filters');
  for (const [list, key] of [['people', 'person_id'], ['servers', 'server_id']]) {
    const known = new Set(filters[list].map((c) => c.id));
    for (const row of all) assert.ok(row[key] === null || known.has(row[key]), `${list} ${row[key]}`);
  }
  const named = new Map(filters.people.map((c) => [c.id, c.name]));
  for (const row of all) assert.equal(named.get(row.person_id) ?? null, row.person);
  for (const [list, key] of [['media_types', 'media_type'], ['platforms', 'platform'],
    ['transcode_decisions', 'transcode_decision'], ['video_resolutions', 'video_resolution']])
    for (const row of all) assert.ok(row[key] === null || filters[list].includes(row[key]), `${list} ${row[key]}`);
  for (const [list, parameter] of Object.entries({ platforms: 'platforms', media_types: 'media_types', countries: 'countries',
    video_resolutions: 'video_resolutions', transcode_decisions: 'transcode_decisions' }))
    for (const value of filters[list])
      assert.equal((await ask(`plays?limit=1&${parameter}=${encodeURIComponent(value.replace(/[\\,]/g, '\\$&'))}`)).status, 200, value);
});

test('deriving all plays anew changes nothing', async () => {
  assert.deepEqual(await get('rederive'), { state: 'idle', percent: null });
  const report = await (await change('POST', 'rederive')).json();
  assert.equal(report.is_changed, false);
  assert.equal(report.plays_before, report.plays_after);
  assert.ok(report.plays_after >= all.length && report.segments_after > 0);
  assert.deepEqual(await pages('short=include'), all);
});
