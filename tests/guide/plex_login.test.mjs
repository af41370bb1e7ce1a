// AUTH_MODE with plex in it, against a plex.tv that can be late, busy, broken or wrong.
import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { freePort, newFolder, password, startProgram } from '../integration/program.mjs';
import { Children, startSimulator, until } from '../integration/simulator.mjs';

const owner = 0, friend = 1, stranger = 1000;
const children = new Children();
let sim, program, folder;
const environment = (more = {}) => ({
  AUTH_MODE: 'jwt,plex', PLEX_TV_URL: sim.plexTv, LOG_LEVEL: 'trace',
  ENABLE_PLEX_SYNC: 'true', PLEX_URL: sim.server('plex').url, PLEX_TOKEN: sim.server('plex').token, ...more });
// Once the server has said who it is, and that has been stored.
const isKnown = (of) => until('the Plex server is known', async () => {
  const { rows } = await (await fetch(of.url('/api/v1/sync/status'), { headers: { cookie: await of.login() } })).json()
    .then(({ servers }) => ({ rows: servers }));
  return { is: rows[0].state === 'connected' && rows[0].percent === 100, value: rows };
}, 60000);
before(async () => {
  sim = await startSimulator(children, 1, 5);
  folder = await newFolder();
  program = await startProgram(environment(), folder);
  await isKnown(program);
});
beforeEach(() => sim.atPlexTv({ fault: 'none' }));
after(async () => {
  await program?.stop();
  await children.end();
  await rm(folder, { recursive: true });
});

// A browser as far as this login goes: one cookie jar, the page's own origin.
class Browser {
  cookies = new Map();
  constructor(of = program) { this.of = of; }
  async ask(method, route, more = {}) {
    const headers = { origin: this.of.url(''), cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; '), ...more };
    const answer = await fetch(this.of.url(`/api/v1${route}`), { method, headers });
    for (const set of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      assert.match(set, /HttpOnly; SameSite=Strict/);
      if (value) this.cookies.set(name, value); else this.cookies.delete(name);
    }
    const text = await answer.text();
    return { status: answer.status, text, ...(text ? JSON.parse(text) : {}) };
  }
  async begin() {
    const answer = await this.ask('POST', '/auth/plex');
    assert.equal(answer.status, 200, answer.text);
    return answer;
  }
  state() { return this.ask('POST', '/auth/plex/state'); }
  // The first answer that is not "wait".
  end() {
    return until('the login ends', async () => {
      const value = await this.state();
      return { is: value.state !== 'waiting', value };
    }, 60000);
  }
  async user() { return (await this.ask('GET', '/app')).user; }
}
const loginAs = async (person, of = program) => {
  const browser = new Browser(of);
  await browser.begin();
  await sim.atPlexTv({ approve: person });
  return { browser, ended: await browser.end() };
};
const refused = async (browser, status, pattern) => {
  const ended = await browser.end();
  assert.equal(ended.status, status, ended.text);
  assert.match(ended.error.message, pattern);
  assert.ok(!browser.cookies.has('cartographus_session'));
  assert.ok(!browser.cookies.has('cartographus_plex'), 'the login is over');
};

test('row 34: the owner of the server logs in as administrator, and out', async () => {
  const { browser, ended } = await loginAs(owner);
  assert.equal(ended.status, 200, ended.text);
  assert.equal(ended.state, 'done');
  assert.equal(ended.user.role, 'admin');
  assert.deepEqual(await browser.user(), ended.user);
  assert.ok(!browser.cookies.has('cartographus_plex'));
  assert.equal((await browser.ask('GET', '/backups')).status, 200);
  assert.equal((await browser.ask('POST', '/auth/logout')).status, 204);
  assert.equal(await browser.user(), null);
});
test('row 34: beside it the administrator of the configuration logs in by password', async () => {
  const app = await (await fetch(program.url('/api/v1/app'))).json();
  assert.deepEqual(app.auth_modes, ['jwt', 'plex']);
  const answer = await fetch(program.url('/api/v1/auth/login'), { method: 'POST', body: JSON.stringify({ username: 'admin', password }) });
  assert.equal(answer.status, 200);
});
test('who has access to the server, and does not own it, is a viewer', async () => {
  const asked = (await sim.atPlexTv()).asked.owner;
  const { browser, ended } = await loginAs(friend);
  assert.equal(ended.status, 200, ended.text);
  assert.equal(ended.user.role, 'viewer');
  assert.equal((await browser.ask('GET', '/backups')).status, 403);
  assert.equal((await sim.atPlexTv()).asked.owner, asked, 'there is nothing to prove');
});
test('who has no access to the server is refused in words', async () => {
  const { browser, ended } = await loginAs(stranger);
  assert.equal(ended.status, 403);
  assert.match(ended.error.message, /stranger has no access to the Plex server/);
  assert.equal(await browser.user(), null);
});
test('row 38: the window is at plex.tv, with the code, and nothing is sent back to an address of ours', async () => {
  const browser = new Browser();
  const { url, lifetime_s: lifetime } = await browser.begin();
  const { pins } = await sim.atPlexTv();
  const pin = pins.at(-1);
  assert.equal(pin.product, 'Cartographus');
  const [where, said] = url.split('#?');
  assert.equal(where, `${sim.plexTv}/auth`);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(said)),
    { clientID: pin.client_id, code: pin.code, 'context[device][product]': 'Cartographus' });
  assert.ok(lifetime > 800 && lifetime <= 900, lifetime);
  assert.equal((await browser.state()).state, 'waiting');
  assert.equal((await browser.ask('DELETE', '/auth/plex')).status, 204);
});
test('row 37: the client id is made at the first start and kept, and PLEX_AUTH_CLIENT_ID overrides it', async () => {
  const kept = (await readFile(path.join(folder, 'client-id'), 'utf8')).trim();
  const browser = new Browser();
  await browser.begin();
  assert.equal((await sim.atPlexTv()).pins.at(-1).client_id, kept);
  await browser.ask('DELETE', '/auth/plex');
  const other = await startProgram(environment({ PLEX_AUTH_CLIENT_ID: 'an-id-of-our-own' }));
  await new Browser(other).begin();
  assert.equal((await sim.atPlexTv()).pins.at(-1).client_id, 'an-id-of-our-own');
  await other.stop();
});
test('a login belongs to the browser that began it', async () => {
  const mine = new Browser(), other = new Browser();
  await mine.begin();
  await sim.atPlexTv({ approve: owner });
  for (const cookie of [undefined, 'x', '0'.repeat(64), `${'0'.repeat(62)}zz`]) {
    if (cookie) other.cookies.set('cartographus_plex', cookie);
    const answer = await other.state();
    assert.equal(answer.status, 403, answer.text);
    assert.match(answer.error.message, /begun in another browser/);
  }
  const ended = await mine.end();
  assert.equal(ended.state, 'done');
  const late = await mine.state();
  assert.equal(late.status, 403, 'once');
});
test('another site begins, ends and asks for nothing', async () => {
  const browser = new Browser();
  for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
    for (const [method, route] of [['POST', '/auth/plex'], ['POST', '/auth/plex/state'], ['DELETE', '/auth/plex']]) {
      const answer = await browser.ask(method, route, headers);
      assert.equal(answer.status, 403, `${method} ${route}`);
      assert.match(answer.error.message, /another site/);
    }
});
test('a login that is given up is not asked for any more', async () => {
  const browser = new Browser();
  await browser.begin();
  const cookie = browser.cookies.get('cartographus_plex');
  await browser.ask('DELETE', '/auth/plex');
  assert.ok(!browser.cookies.has('cartographus_plex'));
  await sim.atPlexTv({ approve: owner });
  browser.cookies.set('cartographus_plex', cookie);
  assert.equal((await browser.state()).status, 403);
});

// What plex.tv does wrong. Each PIN costs a place of one address for a while: they are given up.
for (const word of ['deny', 'expire']) test(`a PIN that is gone (${word}) ends the login`, async () => {
  const browser = new Browser();
  await browser.begin();
  await sim.atPlexTv({ [word]: true });
  await refused(browser, 403, /was not finished: it was refused there, or has run out/);
});
for (const [fault, status, pattern] of [
  ['busy', 429, /no more logins from here for now \(429\)/], ['failing', 502, /made no PIN: .* answers 500/],
  ['garbage', 502, /made no PIN: its answer about the PIN is no JSON/], ['huge', 502, /made no PIN: .*more than can be right/],
  ['refusing', 502, /made no PIN: .* answers 401/]])
  test(`plex.tv makes no PIN: ${fault}`, async () => {
    await sim.atPlexTv({ fault, on: 'pins' });
    const answer = await new Browser().ask('POST', '/auth/plex');
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.error.message, pattern);
  });
for (const [fault, on, status, pattern] of [
  ['garbage', 'pin', 502, /how the login stands at plex\.tv is not known: its answer about the PIN is no JSON/],
  ['huge', 'pin', 502, /more than can be right/], ['refusing', 'pin', 502, /answers 401/],
  ['garbage', 'user', 502, /who logged in there is not known: its answer about the account is no JSON/],
  ['failing', 'user', 502, /who logged in there is not known: .* answers 500/], ['refusing', 'user', 502, /answers 401/],
  ['huge', 'user', 502, /more than can be right/], ['busy', 'user', 429, /\(429\)/],
  ['garbage', 'resources', 502, /which servers the account has access to is not known: its list of servers is no JSON/],
  ['failing', 'resources', 502, /answers 500/], ['huge', 'resources', 502, /more than can be right/]])
  test(`plex.tv is ${fault} when it is asked for ${on}`, async () => {
    const browser = new Browser();
    await browser.begin();
    await sim.atPlexTv({ approve: owner });
    await sim.atPlexTv({ fault, on });
    await refused(browser, status, pattern);
  });
for (const fault of ['busy', 'failing', 'slow']) test(`a plex.tv that is ${fault} for a moment is asked again`, async () => {
  const browser = new Browser();
  await browser.begin();
  const before_ = (await sim.atPlexTv()).asked.pin;
  await sim.atPlexTv({ fault, on: 'pin', ms: 500 });
  await until('it was asked', async () => {
    const { asked } = await sim.atPlexTv();
    return { is: asked.pin > before_, value: asked };
  }, 30000);
  assert.equal((await browser.state()).state, 'waiting');
  await sim.atPlexTv({ fault: 'none' });
  await sim.atPlexTv({ approve: owner });
  assert.equal((await browser.end()).state, 'done');
});
test('a plex.tv that cannot be reached is named', async () => {
  const port = await freePort();
  const other = await startProgram(environment({ PLEX_TV_URL: `http://127.0.0.1:${port}` }));
  const answer = await new Browser(other).ask('POST', '/auth/plex');
  assert.equal(answer.status, 503);
  assert.match(answer.error.message, new RegExp(`http://127\\.0\\.0\\.1:${port} cannot be reached`));
  await other.stop();
});
test('a server that has never said who it is lets nobody in, and that is said', async () => {
  const other = await startProgram(environment({ PLEX_URL: `http://127.0.0.1:${await freePort()}` }));
  const { ended } = await loginAs(owner, other);
  assert.equal(ended.status, 503, ended.text);
  assert.match(ended.error.message, /no Plex server has said yet who it is/);
  await other.stop();
});
test('one address begins four logins at once, and the next is told to wait', async () => {
  const other = await startProgram(environment());
  const browsers = [0, 1, 2, 3].map(() => new Browser(other));
  for (const browser of browsers) await browser.begin();
  const refusedOne = await new Browser(other).ask('POST', '/auth/plex');
  assert.equal(refusedOne.status, 429);
  assert.match(refusedOne.error.message, /too many logins by Plex at once/);
  await browsers[0].ask('DELETE', '/auth/plex');
  await until('its place is free', async () => {
    const value = (await new Browser(other).ask('POST', '/auth/plex')).status;
    return { is: value === 200, value };
  }, 30000);
  await other.stop();
});
test('a stop does not wait for plex.tv', async () => {
  const other = await startProgram(environment());
  await sim.atPlexTv({ fault: 'slow', on: 'pins', ms: 8000 });
  const asking = new Browser(other).ask('POST', '/auth/plex').catch(() => ({ status: 503 }));
  await until('it is asked', async () => {
    const { asked } = await sim.atPlexTv();
    return { is: asked.pins > 0, value: asked };
  });
  await other.stop();
  assert.equal((await asking).status, 503);
});
test('who is no longer plex logs nobody out but those who came by it; the server need not be there for it', async () => {
  const { browser, ended } = await loginAs(owner);
  assert.equal(ended.state, 'done');
  const dead = `http://127.0.0.1:${await freePort()}`;
  const restart = async (more) => {
    await program.stop();
    program = await startProgram(environment(more), folder);
    browser.of = program;
  };
  await restart({ PLEX_URL: dead });
  assert.equal((await browser.user()).role, 'admin', 'a session outlives a restart');
  assert.equal((await loginAs(owner)).ended.state, 'done', 'who the server is has been stored');
  assert.equal((await loginAs(stranger)).ended.status, 403);
  await restart({ AUTH_MODE: 'jwt' });
  assert.equal(await browser.user(), null);
  assert.equal((await browser.ask('POST', '/auth/plex')).status, 403);
  await restart({});
});
// The list of servers goes by machine identifiers, which are no secret: it alone makes no administrator.
const notProved = (of) => of.child.text.split('\n').filter((line) => line.includes('is not proved to, and is a viewer'));
test('who has claimed a server of their own under the id of ours is no administrator', async () => {
  const known = notProved(program).length, asked = (await sim.atPlexTv()).asked.owner;
  await sim.atPlexTv({ impostor: stranger });
  try {
    const { browser, ended } = await loginAs(stranger);
    assert.equal(ended.status, 200, ended.text);
    assert.equal(ended.user.role, 'viewer');
    assert.equal((await browser.user()).role, 'viewer');
    assert.equal((await browser.ask('GET', '/backups')).status, 403);
  } finally {
    await sim.atPlexTv({ impostor: -1 });
  }
  assert.equal((await sim.atPlexTv()).asked.owner, asked + 1);
  const lines = notProved(program).slice(known);
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0], /level=warn.*the server's token is of another account/);
  assert.equal((await loginAs(owner)).ended.user.role, 'admin', 'nor does that cost the owner anything');
});
for (const [fault, pattern] of [['refusing', /answers 401/], ['failing', /answers 500/], ['busy', /\(429\)/],
  ['garbage', /its answer about the account is no JSON/], ['huge', /more than can be right/]])
  test(`an owner whose server's token plex.tv does not know (${fault}) is a viewer, and the log says why`, async () => {
    const known = notProved(program).length;
    await sim.atPlexTv({ fault, on: 'owner' });
    const { browser, ended } = await loginAs(owner);
    assert.equal(ended.status, 200, ended.text);
    assert.equal(ended.user.role, 'viewer');
    assert.equal((await browser.ask('GET', '/backups')).status, 403);
    const lines = notProved(program).slice(known);
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0], /whose the server's token is, is not known/);
    assert.match(lines[0], pattern);
  });
test('the tokens of plex.tv and of the server are nowhere: no answer, no log line, no file', async () => {
  const { browser, ended } = await loginAs(owner);
  assert.equal(ended.state, 'done');
  const { pins } = await sim.atPlexTv();
  const tokens = [...pins.map((pin) => pin.token), sim.server('plex').token];
  assert.ok(tokens.length > 4 && tokens.every((token) => token.length >= 20));
  const holds = (text) => tokens.some((token) => text.includes(token));
  assert.ok(!holds(ended.text) && !holds(JSON.stringify([...browser.cookies])));
  await program.stop();
  assert.ok(program.child.text.includes('level=debug'), 'the log says much');
  assert.ok(!holds(program.child.text));
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) => one.isFile());
  assert.ok(files.length > 3);
  for (const file of files)
    assert.ok(!holds(await readFile(path.join(file.parentPath, file.name), 'latin1')), file.name);
  program = undefined;
});
