// People by hand: join, part, rename, take back, through the API and the command line; imports; a kill
// in the middle. Two servers of each kind.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { allIsWritten, newFolder, startProgram } from './program.mjs';
import { binary as simulator, build, Children, startSimulator, until } from './simulator.mjs';

const children = new Children();
let sim, program, cookie, folder;

const ask = (method, route, body) => fetch(program.url(`/api/v1${route}`), {
  method, headers: { cookie, origin: program.url('') }, body: body && (body instanceof Buffer ? body : JSON.stringify(body)) });
async function json(method, route, body, status = 200) {
  const answer = await ask(method, route, body);
  const text = await answer.text();
  assert.equal(answer.status, status, `${method} ${route}: ${text}`);
  return text ? JSON.parse(text) : undefined;
}
const get = (route) => json('GET', route);
const everybody = async () => (await get('/people?order=name&limit=100')).people;
const made = async () => (await everybody()).map((p) => p.accounts.map((a) => a.id).sort().join('+')).sort();
const start = async () => {
  program = await startProgram(sim.environment(), folder);
  cookie = await program.login();
};
const cli = (...args) => execFileSync(path.join(build, 'cartographus'), ['--data', folder, 'people', ...args], { encoding: 'utf8' });
const isRead = () => allIsWritten(get, sim.servers.length);

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 2, 3);
  await start();
  await isRead();
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

test('one plex.tv account on two servers is certain, its owner too; the rest is by name', async () => {
  const people = await everybody();
  const owner = people.find((p) => p.accounts.some((a) => a.server_kind === 'plex' && a.key === '1'));
  const ofPlex = owner.accounts.filter((a) => a.server_kind === 'plex');
  assert.equal(ofPlex.length, 2);
  assert.ok(ofPlex.every((a) => a.reasons.includes('issuer')));
  assert.equal(owner.is_by_name, true);
  const shared = people.filter((p) => p.accounts.filter((a) => a.server_kind === 'plex' && a.key !== '1').length === 2);
  assert.ok(shared.length > 0);
  for (const p of shared) assert.equal(new Set(p.accounts.filter((a) => a.server_kind === 'plex').map((a) => a.key)).size, 1);
});

test('join, part, rename, and each taken back', async () => {
  const before = await made();
  const [a, b, c] = await everybody();
  const { decision } = await json('POST', '/people/merge', { people: [a.id, b.id], reason: 'a couple, one login' });
  const joined = await get(`/people/${Math.max(a.id, b.id)}`); // a link to either leads there
  assert.equal(joined.accounts.length, a.accounts.length + b.accounts.length);
  assert.equal(joined.plays, a.plays + b.plays);
  assert.ok(joined.history.some((e) => e.decision === decision && e.who === 'admin' && e.why === 'a couple, one login'));
  await json('POST', `/people/history/${decision}/undo`, undefined, 204);
  await json('POST', `/people/history/${decision}/undo`, undefined, 409);
  assert.deepEqual(await made(), before);

  const several = (await everybody()).find((p) => p.accounts.length > 2);
  const one = several.accounts.at(-1);
  const split = await json('POST', '/people/split', { accounts: [one.id] });
  const after = await everybody();
  assert.deepEqual(after.find((p) => p.accounts.some((x) => x.id === one.id)).accounts.map((x) => x.id), [one.id]);
  assert.equal(after.find((p) => p.id === several.id).accounts.length, several.accounts.length - 1);
  const apart = await json('POST', '/people/split', { people: [b.id, c.id] });
  await json('PATCH', `/people/${several.id}`, { name: '  Tante Erna ' });
  assert.equal((await get(`/people/${several.id}`)).name, 'Tante Erna');

  // A restart, a match and a re-derivation leave it so.
  await program.stop();
  await start();
  await json('POST', '/rederive');
  assert.equal((await get(`/people/${several.id}`)).name, 'Tante Erna');
  assert.equal((await get(`/people/${several.id}`)).accounts.length, several.accounts.length - 1);
  for (const d of [split, apart]) await json('POST', `/people/history/${d.decision}/undo`, undefined, 204);
  await json('PATCH', `/people/${several.id}`, { name: '' });
  assert.deepEqual(await made(), before);
  assert.equal((await get(`/people/${several.id}`)).name, several.name);
});

test('what is joined by name can be confirmed', async () => {
  const one = (await everybody()).find((p) => p.is_by_name);
  const { decision } = await json('POST', '/people/merge', { accounts: one.accounts.map((a) => a.id) });
  const confirmed = await get(`/people/${one.id}`);
  assert.equal(confirmed.is_by_name, false);
  assert.ok(confirmed.accounts.every((a) => a.reasons.includes('hand')));
  await json('POST', `/people/history/${decision}/undo`, undefined, 204);
  assert.equal((await get(`/people/${one.id}`)).is_by_name, true);
});

test('what is not right is refused, with the field', async () => {
  const [a] = await everybody();
  for (const [method, route, body, status, field] of [
    ['POST', '/people/merge', { people: [a.id] }, 400, 'people'],
    ['POST', '/people/merge', { people: [a.id, 'x'] }, 400, 'people'],
    ['POST', '/people/merge', { people: [a.id, 99999] }, 404, 'people'],
    ['POST', '/people/split', { people: [1, 2], accounts: [1] }, 400, 'people'],
    ['POST', '/people/split', {}, 400, 'people'],
    ['POST', '/people/merge', { accounts: [1] }, 400, 'accounts'],
    ['POST', '/people/merge', { accounts: [1, 99999] }, 404, 'accounts'],
    ['PATCH', `/people/${a.id}`, { name: 5 }, 400, 'name'],
    ['PATCH', `/people/${a.id}`, { name: 'x'.repeat(300) }, 400, 'name'],
    ['PATCH', '/people/99999', { name: 'x' }, 404, 'id'],
    ['GET', '/people/99999', undefined, 404, 'id'],
    ['GET', '/people/x', undefined, 404, 'id'],
    ['GET', '/people?order=age', undefined, 400, 'order'],
    ['GET', '/people?limit=0', undefined, 400, 'limit'],
    ['GET', '/people?cursor=x', undefined, 400, 'cursor'],
    ['GET', '/people?colour=red', undefined, 400, 'colour'],
    ['GET', '/people/history?order=name', undefined, 400, 'order'],
    ['POST', '/people/history/99999/undo', undefined, 404, 'id'],
  ]) {
    const { error } = await json(method, route, body, status);
    assert.equal(error.field, field, `${method} ${route}`);
  }
});

test('the list is paged, found and ordered', async () => {
  const all = await everybody();
  const pages = [];
  for (let cursor = ''; cursor !== null;) {
    const page = await get(`/people?order=name&limit=3${cursor ? `&cursor=${cursor}` : ''}`);
    assert.equal(page.total, all.length);
    pages.push(...page.people);
    cursor = page.next_cursor;
  }
  assert.deepEqual(pages.map((p) => p.id), all.map((p) => p.id));
  assert.ok(all.length > 6);
  const byPlays = (await get('/people?order=plays&limit=100')).people.map((p) => p.plays);
  assert.deepEqual(byPlays, byPlays.toSorted((x, y) => y - x));
  const part = all[0].name.slice(1, 4).toUpperCase();
  assert.ok((await get(`/people?find=${encodeURIComponent(part)}`)).people.some((p) => p.id === all[0].id));
  assert.equal((await get('/people?find=nobody-is-called-so')).total, 0);
});

test('who plays now goes by the person at once', async () => {
  const onJellyfin = await sim.play('jellyfin', { person: 4, kind: 'movie' });
  const session = () => until('the session', async () => {
    const { sessions } = await get('/sessions');
    const value = sessions.find((s) => s.title === onJellyfin.title && s.server_kind === 'jellyfin');
    return { is: value?.person_id, value };
  }, 20000);
  const { person_id: id } = await session();
  await json('PATCH', `/people/${id}`, { name: 'The Captain' });
  assert.equal((await session()).person, 'The Captain');
  await json('PATCH', `/people/${id}`, { name: '' });
  await sim.act(onJellyfin, 'stop');
});

test('the same from the command line', async () => {
  const [a, b] = await everybody();
  const before = await made();
  assert.match(cli('list'), new RegExp(`${(await everybody()).length} people`));
  assert.match(cli('show', String(a.id)), new RegExp(a.name));
  const [, decision] = cli('merge', String(a.id), String(b.id), '--reason', 'by hand').match(/undo (\d+)/);
  assert.match(cli('history'), /by hand/);
  assert.match(cli('undo', decision), /taken back/);
  const [, renamed] = cli('rename', String(a.id), 'Somebody Else').match(/undo (\d+)/);
  assert.match(cli('list', 'somebody'), /Somebody Else/);
  cli('undo', renamed);
  assert.match(cli('suggestions'), /may be one person/);
  assert.deepEqual(await made(), before);
  assert.throws(() => cli('merge', String(a.id)), /Command failed/);
});

test('an import joins the accounts it knows better', async () => {
  await sim.rename('emby', 0, { username: 'another', email: 'person0@example.org' });
  const file = path.join(folder, 'tautulli.db');
  execFileSync(simulator, ['tautulli', '--out', file, '--seed', '1', '--rows', '300']);
  const key = (await get('/sync/status')).servers.find((s) => s.kind === 'plex').key;
  const begun = await json('POST', `/import?name=tautulli.db&server=${key}`, readFileSync(file), 202);
  await until('the import is done', async () => {
    const value = (await get(`/import/${begun.import.id}`)).import;
    return { is: value.state === 'done', value };
  }, 60000);
  // The owner: Tautulli knows the e-mail, and Emby tells the same one of another name.
  await json('POST', '/sync/trigger', undefined, 202);
  await until('the owner is joined by e-mail', async () => {
    const value = (await everybody()).find((p) => p.accounts.some((a) => a.name === 'another'));
    return { is: value?.accounts.some((a) => a.server_kind === 'plex' && a.key === '1'), value };
  }, 30000);
  const owner = (await everybody()).find((p) => p.accounts.some((a) => a.server_kind === 'plex' && a.key === '1'));
  assert.equal(owner.accounts.filter((a) => a.server_kind === 'plex').length, 2); // not doubled by plex.tv's number
  assert.ok(owner.name.includes(' '), owner.name); // as Tautulli calls them
});

test('a kill in the middle of a decision leaves it done, or not', async () => {
  let done = 0;
  for (let round = 0; round < 6; round++) {
    const [a, b] = await everybody();
    const decisions = async () => (await get('/people/history?limit=100')).events.filter((e) => e.decision !== null && !e.is_undone);
    const before = await made();
    const had = (await decisions()).length;
    const answer = ask('POST', '/people/merge', { people: [a.id, b.id] }).then((r) => r.json(), () => null);
    await new Promise((resolve) => setTimeout(resolve, round * 40));
    if (round === 5) await answer; // at the latest now it is done
    await program.kill();
    const told = await answer;
    await start();
    const has = await decisions();
    assert.ok(has.length === had || has.length === had + 1);
    if (told) assert.equal(has.length, had + 1, 'what was answered is kept');
    if (has.length === had) {
      assert.deepEqual(await made(), before);
    } else {
      done++;
      assert.equal((await get(`/people/${a.id}`)).accounts.length, a.accounts.length + b.accounts.length);
      await json('POST', `/people/history/${has[0].decision}/undo`, undefined, 204);
      assert.deepEqual(await made(), before);
    }
  }
  assert.ok(done > 0);
});
