// A title is one through whatever servers do to its items: a library that is built anew, with ids that were
// another film's before; a server that knows no ids of other providers. And what somebody decides by hand,
// by the API and the command line, while the program runs, after a restart, and on the folder itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newFolder, startProgram } from './program.mjs';
import { build, Children, kinds, startSimulator, until } from './simulator.mjs';

const children = new Children();
const what = ['movie', 'episode', 'track'];
let folder, sim, program, headers;

const start = async () => {
  program = await startProgram(sim.environment(), folder);
  headers = { cookie: await program.login() };
};
const get = async (route) => {
  const answer = await fetch(program.url(`/api/v1${route}`), { headers });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${route}: ${text}`);
  return JSON.parse(text);
};
const post = async (route, body, status = 200) => {
  const answer = await fetch(program.url(`/api/v1${route}`), { method: 'POST', headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.equal(answer.status, status, `${route}: ${text}`);
  return text ? JSON.parse(text) : undefined;
};
const cli = (...args) => execFileSync(path.join(build, 'cartographus'), ['title', ...args, '--data', folder],
  { env: { PATH: process.env.PATH }, encoding: 'utf8' });

// Somebody watches it for a moment; their play, once it is told.
async function watched(kind, how, person) {
  const session = await sim.play(kind, { person, ...how, position_percent: 10 });
  await until('it is seen', async () => {
    const { sessions } = await get('/sessions');
    return { is: sessions.some((s) => s.server_kind === kind && s.title === session.title), value: sessions };
  }, 30000);
  await sim.act(session, 'stop');
  return until(`the play of ${session.title} (${session.item}) on ${kind}`, async () => {
    const { rows } = await get('/plays?short=include&limit=50');
    const play = rows.find((p) => p.server_kind === kind && p.kind === 'play' && !p.is_open && !known.has(p.id)
      && p.title === session.title);
    if (play) known.add(play.id);
    return { is: !!play, value: play ?? rows.slice(0, 6).map((p) => [p.id, p.started, p.server_kind, p.kind, p.is_open, p.title, p.title_id, p.person]) };
  }, 30000);
}
const known = new Set();
const titleNow = async (play) => (await get(`/plays/${play.id}`)).title_id;

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 2);
  await sim.library('emby', { has_ids: false });
  await start();
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

const plays = {}; // of each kind of title: on each kind of server

test('the same film, episode and track on each server is one title, with ids or without', async () => {
  for (const kind of what) {
    plays[kind] = [];
    for (const [i, server] of kinds.entries()) plays[kind].push(await watched(server, { kind }, i + 1));
    const titles = new Set(await Promise.all(plays[kind].map(titleNow)));
    assert.equal(titles.size, 1, `${kind}: ${JSON.stringify(plays[kind].map((p) => [p.server, p.title_id]))}`);
  }
  assert.equal(new Set(what.map((kind) => plays[kind][0].title_id)).size, what.length);
});

test('a library that is built anew, with every id changed, leaves no play behind', async () => {
  for (const server of kinds) await sim.library(server, { is_rebuilt: true });
  for (const kind of what)
    for (const [i, server] of kinds.entries()) {
      const play = await watched(server, { kind }, i + 4);
      assert.equal(await titleNow(play), plays[kind][0].title_id, `${kind} on ${server}`);
      plays[kind].push(play);
    }
  // Each is counted once, with all that was watched of it.
  const { data } = await get('/analytics/popular?limit=1000&short=include');
  for (const kind of what) {
    const rows = data.filter((r) => r.media_type === kind && r.title.endsWith(plays[kind][0].title)
      && r.title_id === plays[kind][0].title_id || plays[kind].some((p) => p.title_id === r.title_id));
    assert.equal(rows.length, 1, JSON.stringify(rows));
    assert.ok(rows[0].plays >= plays[kind].length, JSON.stringify(rows));
  }
  const id = plays.movie[0].title_id;
  const film = await get(`/titles/${id}`);
  assert.equal(film.items.length, 2 * kinds.length);
  // By its file where the library's list or a session has told that; which of them comes first is open.
  const why = [...new Set(film.items.map((i) => i.why).filter(Boolean))];
  assert.ok(why.includes('id') && why.every((one) => ['id', 'file', 'text'].includes(one)), why.join());
  for (const item of film.items) {
    assert.equal(item.servers.length, 1, JSON.stringify(item));
    assert.equal(item.keys.filter((k) => k.kind === 'item').length, 1, JSON.stringify(item));
  }
  assert.ok(film.items.some((i) => i.keys.some((k) => k.kind === 'file')), 'the file that Plex tells');
  assert.ok(!JSON.stringify(film).includes('/media/'), 'no path in clear');
  const { titles } = await get(`/titles?find=${encodeURIComponent(film.title)}&media_type=movie`);
  assert.equal(titles.filter((t) => t.title === film.title && t.year === film.year).length, 1, JSON.stringify(titles));
  assert.deepEqual((await get('/titles/history')).events, [], 'nothing that was there before has moved');
});

test('two titles are merged by hand, through a restart, until the command line takes it back', async () => {
  const [film, track] = [plays.movie[0].title_id, plays.track[0].title_id];
  const other = await watched('plex', { item: await otherFilm() }, 2);
  await post('/titles/merge', { titles: [film, track] }, 400);
  await post('/titles/merge', { titles: [film, 99999] }, 404);
  const { decision } = await post('/titles/merge', { titles: [film, other.title_id], reason: 'one film' });
  const root = Math.min(film, other.title_id);
  for (const play of [plays.movie[0], other]) assert.equal(await titleNow(play), root);
  await program.stop();
  assert.match(cli('show', String(film)), /joined_by.*\n[^]*hand/);
  await start();
  for (const play of [plays.movie[0], other]) assert.equal(await titleNow(play), root);
  assert.equal((await get(`/titles/${Math.max(film, other.title_id)}`)).id, root, 'its old id leads there');
  assert.match(cli('undo', String(decision)), /taken back/);
  assert.equal(await titleNow(plays.movie[0]), film);
  assert.equal(await titleNow(other), other.title_id);
  await post(`/titles/history/${decision}/undo`, undefined, 409);
  const { events } = await get('/titles/history');
  assert.deepEqual(events.filter((e) => e.who).map((e) => [e.kind, e.is_undone, e.why]),
    [['undo', false, null], ['merge', true, 'one film']]);
});

test('items are taken out of a title, survive a re-derivation, and the API takes it back', async () => {
  const id = plays.episode[0].title_id;
  const { items } = await get(`/titles/${id}`);
  const own = (await get(`/titles/${id}`)).recent.find((p) => p.id === plays.episode[1].id)?.item_id
    ?? items.find((i) => i.servers[0].startsWith('jellyfin')).id;
  assert.match(cli('split', '--items', String(own), '--reason', 'another cut'), /undo/);
  const now = await titleNow(plays.episode[1]);
  assert.notEqual(now, await titleNow(plays.episode[0]));
  const report = await post('/rederive');
  assert.equal(report.is_changed, false);
  assert.equal(await titleNow(plays.episode[1]), now);
  const { events } = await get('/titles/history');
  assert.equal(events[0].kind, 'part');
  assert.equal(events[0].items.filter((i) => i.side === 1).length, 1);
  await post(`/titles/history/${events[0].decision}/undo`, undefined, 204);
  assert.equal(await titleNow(plays.episode[1]), id);
  assert.equal((await get(`/titles/${id}`)).items.length, items.length);
  assert.match(cli('history'), /another cut/);
  assert.match(cli('suggestions'), /may be one title/);
  assert.match(cli('list', plays.movie[0].title), new RegExp(plays.movie[0].title.replace(/[^\w ]/g, '.')));
});

// The number of a film that is not the first.
async function otherFilm() {
  const first = (await sim.truth()).sessions.find((s) => s.title === plays.movie[0].title).item;
  return first + 1;
}
