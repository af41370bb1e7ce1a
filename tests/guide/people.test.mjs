// What the guide says of duplicate users: rows 20, 21 and 46, on the real binary with a simulated Plex,
// Jellyfin and Emby. "Server ID" is the account's id as its issuer gives it.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { newFolder, startProgram } from '../integration/program.mjs';
import { Children, startSimulator, until } from '../integration/simulator.mjs';
import { type } from './commands.mjs';

const children = new Children();
let sim, program, cookie, folder;

const get = async (route) => {
  const answer = await fetch(program.url(`/api/v1${route}`), { headers: { cookie } });
  assert.equal(answer.status, 200, route);
  return answer.json();
};
const start = async () => {
  program = await startProgram(sim.environment(), folder);
  cookie = await program.login();
};
const everybody = async () => (await get('/people?order=name&limit=100')).people;
// "john@plex john@emby": the accounts of each person who is called so.
const called = async (name) => (await everybody())
  .map((p) => p.accounts.filter((a) => a.name?.trim().toLowerCase() === name).map((a) => a.server_kind).sort().join('+'))
  .filter(Boolean).sort();
const becomes = (name, wanted) => until(`${name}: ${wanted}`, async () => {
  const value = await called(name);
  return { is: value.join(' ') === wanted.join(' '), value };
}, 30000);
// The guide's command, but for the port. Without a login once in ten seconds is enough for anybody.
const trigger = () => until('the sync is triggered', async () => {
  const { out } = await type(`curl -s -X POST http://localhost:${program.port}/api/v1/sync/trigger`);
  return { is: ['started', 'running'].includes(JSON.parse(out).state), value: out };
}, 30000);

before(async () => {
  folder = await newFolder();
  sim = await startSimulator(children, 1, 2);
  await sim.rename('plex', 0, { username: 'john', email: 'john@one.example' }); // the owner, by the login at plex.tv
  await sim.rename('emby', 0, { username: 'JOHN', email: 'john@two.example' });
  await sim.rename('emby', 5, { username: 'guest' });
  await sim.rename('jellyfin', 1, { username: 'guest' });
  await sim.rename('jellyfin', 4, { username: 'rosa' });
  await sim.rename('emby', 2, { username: 'Rosa' });
  await start();
});
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

test('row 21: matched by username, but not against two e-mails, and not by a name that many share', async () => {
  await becomes('rosa', ['emby+jellyfin']);
  await becomes('john', ['emby', 'plex']);
  await becomes('guest', ['emby', 'jellyfin']);
  const rosa = (await everybody()).find((p) => /rosa/i.test(p.name));
  assert.equal(rosa.is_by_name, true);
  assert.ok(rosa.accounts.every((a) => a.reasons.join() === 'name'));
  const { suggestions } = await get('/people/suggestions');
  const reasons = (name) => suggestions.filter((s) => s.people.every((p) => p.name.toLowerCase() === name))
    .flatMap((s) => s.reasons.map((r) => `${r.why}/${r.against}`));
  assert.deepEqual(reasons('john'), ['name/email']);
  assert.deepEqual(reasons('guest'), ['name/shared_name']);
});

test('rows 20 and 46: the sync trigger runs the matching anew: an e-mail that has changed meanwhile joins', async () => {
  await sim.rename('emby', 0, { email: 'John@ONE.example' });
  await trigger();
  await becomes('john', ['emby+plex']);
  const john = (await everybody()).find((p) => p.name.toLowerCase() === 'john');
  assert.equal(john.is_by_name, false);
  assert.ok(john.accounts.every((a) => a.reasons.includes('email')));
});

test('row 20: automatic: a name that has changed parts by itself, and the history tells', async () => {
  await sim.rename('emby', 2, { username: 'somebody' });
  await trigger();
  await becomes('rosa', ['jellyfin']);
  const { events } = await get('/people/history?limit=100');
  const parted = events.find((e) => e.kind === 'parted' && ['somebody', 'rosa'].includes(e.accounts[0].name));
  assert.ok(parted && parted.who === null, JSON.stringify(events[0]));
});

test('rows 20 and 46: so does a restart', async () => {
  await program.stop();
  await sim.rename('emby', 2, { username: ' ROSA ' });
  await start();
  await becomes('rosa', ['emby+jellyfin']);
});

test('row 20: once with the same accounts nothing changes: the data stay as they are', async () => {
  const before = await everybody();
  await trigger();
  await until('the sync is over', async () => {
    const value = await get('/sync/status');
    return { is: value.state === 'idle', value };
  }, 30000);
  const made = (people) => people.map((p) => [p.id, ...p.accounts.map((a) => a.id)].join()).sort();
  assert.deepEqual(made(await everybody()), made(before));
  assert.ok(before.length > 3);
});
