// Do clients written by others take the simulated servers for real ones?
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PlexServer } from '@ctrl/plex';
import { PlexAPI } from '@lukehagar/plexjs';
import { WebSocket } from 'ws';
import { Jellyfin } from '@jellyfin/sdk';
import { getLibraryApi } from '@jellyfin/sdk/lib/utils/api/library-api.js';
import { getLibraryStructureApi } from '@jellyfin/sdk/lib/utils/api/library-structure-api.js';
import { getSessionApi } from '@jellyfin/sdk/lib/utils/api/session-api.js';
import { getSystemApi } from '@jellyfin/sdk/lib/utils/api/system-api.js';
import { getUserApi } from '@jellyfin/sdk/lib/utils/api/user-api.js';
import { binary, Children, startSimulator } from './simulator.mjs';

// Made for browsers: it wants their name of the global object, and tells the console much.
globalThis.self = globalThis;
for (const name of ['log', 'debug']) console[name] = () => {};
const { ApiClient } = (await import('jellyfin-apiclient')).default;

const libraries = ['Films', 'Music', 'Series'];
const children = new Children();
let sim;

before(async () => { sim = await startSimulator(children); });
after(() => children.end());

test('@ctrl/plex lists libraries, films, history and what plays', async () => {
  const { url, token } = sim.server('plex');
  const plex = new PlexServer(url, token);
  await plex.connect();
  assert.equal(plex.friendlyName, 'Plex 1');
  assert.match(plex.machineIdentifier, /^[0-9a-f]{40}$/);
  const sections = await (await plex.library()).sections();
  assert.deepEqual(sections.map((s) => s.title).sort(), libraries);
  const films = await sections.find((s) => s.title === 'Films').all();
  assert.ok(films.length > 0);
  assert.ok(films.every((f) => f.title && f.duration > 0 && f.media.length > 0));

  const history = await plex.history(50);
  assert.equal(history.length, 50);
  assert.ok(history.every((h, i) => i === 0 || h.viewedAt <= history[i - 1].viewedAt));
  const { MediaContainer: accounts } = await plex.query('/accounts');
  const known = new Set(accounts.Account.map((a) => a.id));
  assert.ok(history.every((h) => known.has(h.accountID)));
  const [{ accountID }] = history;
  const own = await plex.history(undefined, undefined, undefined, accountID);
  assert.ok(own.length > 0 && own.every((h) => h.accountID === accountID));

  const session = await sim.play('plex', { person: 2, kind: 'movie' });
  const { MediaContainer: playing } = await plex.query('/status/sessions');
  assert.deepEqual(playing.Metadata.map((m) => m.title), [session.title]);
  const [now] = playing.Metadata;
  assert.equal(now.User.title, session.username);
  assert.equal(now.sessionKey, String(session.session_key));
  assert.equal(now.Player.state, 'playing');
  assert.ok(films.some((f) => f.ratingKey === now.ratingKey && f.title === now.title));
  await sim.act(session, 'stop');
  assert.equal((await plex.query('/status/sessions')).MediaContainer.size, 0);
});

// Its schema refuses what real servers send in sessions (quoted numbers, ids of agents as text), so
// only what it takes from real servers is asked for.
test('@lukehagar/plexjs reads who the server is and its history, and stops a session', async () => {
  const { url, token } = sim.server('plex');
  const plex = new PlexAPI({ serverURL: url, token, accepts: 'application/json', clientIdentifier: 'tests' });
  const { object: { mediaContainer: who } } = await plex.general.getIdentity();
  assert.match(who.machineIdentifier, /^[0-9a-f]{40}$/);
  const { object: { mediaContainer: history } } = await plex.status.listPlaybackHistory({});
  assert.ok(history.metadata.length > 100);
  assert.equal(history.metadata.length, history.totalSize);
  assert.ok(history.metadata.every((h) => h.viewedAt > 1600000000 && h.accountID > 0 && h.title));
  const session = await sim.play('plex', { person: 4, kind: 'movie' });
  const stopped = await plex.status.terminateSession({ sessionId: session.session_id, reason: 'the end' });
  assert.equal(stopped.statusCode, 200);
  const { sessions } = await sim.truth();
  assert.equal(sessions.find((s) => s.id === session.id).state, 'stopped');
});

test('@jellyfin/sdk lists libraries, people, episodes, the log and what plays', async () => {
  const { url, token } = sim.server('jellyfin');
  const api = new Jellyfin({ clientInfo: { name: 'Tests', version: '1' },
    deviceInfo: { name: 'Tests', id: 'tests' } }).createApi(url, token);
  const { data: info } = await getSystemApi(api).getSystemInfo();
  assert.equal(info.ServerName, 'Jellyfin 1');
  const { data: folders } = await getLibraryStructureApi(api).getVirtualFolders();
  assert.deepEqual(folders.map((f) => f.Name).sort(), libraries);
  const { data: users } = await getUserApi(api).getUsers();
  assert.ok(users.length > 0);
  const { data: episodes } = await getLibraryApi(api).getItems(
    { userId: users[0].Id, includeItemTypes: ['Episode'], recursive: true, limit: 20 });
  assert.equal(episodes.Items.length, 20);
  assert.ok(episodes.Items.every((i) => i.Type === 'Episode' && i.SeriesName && i.UserData));
  const { data: log } = await getSystemApi(api).getLogEntries({ limit: 10 });
  assert.equal(log.Items.length, 10);
  assert.ok(log.Items.every((e) => /^(Video|Audio)Playback(Stopped)?$/.test(e.Type)));

  const session = await sim.play('jellyfin', { person: 2, kind: 'episode' });
  const playing = async () =>
    (await getSessionApi(api).getSessions()).data.filter((s) => s.NowPlayingItem);
  const [now, ...more] = await playing();
  assert.deepEqual(more, []);
  assert.equal(now.NowPlayingItem.Name, session.title);
  assert.equal(now.UserName, session.username);
  assert.equal(now.PlayState.IsPaused, false);
  await sim.act(session, 'pause');
  assert.equal((await playing())[0].PlayState.IsPaused, true);
  await getSessionApi(api).sendPlaystateCommand({ sessionId: now.Id, command: 'Stop' });
  assert.deepEqual(await playing(), []);
});

for (const kind of ['jellyfin', 'emby']) {
  test(`jellyfin-apiclient lists libraries, people, films and what plays on ${kind}`, async () => {
    const { url, token } = sim.server(kind);
    const api = new ApiClient(url, 'Tests', '1', 'Tests', 'tests');
    api.setAuthenticationInfo(token, null);
    // An Emby server does not know the scheme this client has since its own way.
    if (kind === 'emby') api.setRequestHeaders = (headers) => { headers['X-Emby-Token'] = token; };
    assert.match((await api.getSystemInfo()).Version, kind === 'emby' ? /^4\./ : /^10\./);
    const folders = await api.getVirtualFolders();
    assert.deepEqual(folders.map((f) => f.Name).sort(), libraries);
    const users = await api.getUsers();
    assert.ok(users.length > 0);
    assert.equal((await api.getUser(users[0].Id)).Name, users[0].Name);
    const films = await api.getItems(users[0].Id,
      { IncludeItemTypes: 'Movie', Recursive: true, Limit: 5 });
    assert.equal(films.Items.length, 5);
    assert.ok(films.TotalRecordCount > 5);

    const session = await sim.play(kind, { person: 3, kind: 'movie' });
    const playing = async () => (await api.getSessions()).filter((s) => s.NowPlayingItem);
    const [now] = await playing();
    assert.equal(now.NowPlayingItem.Name, session.title);
    assert.equal(now.UserName, session.username);
    await api.sendPlayStateCommand(now.Id, 'Stop');
    assert.deepEqual(await playing(), []);
  });
  test(`${kind} refuses a wrong token`, async () => {
    const api = new ApiClient(sim.server(kind).url, 'Tests', '1', 'Tests', 'tests');
    api.setRequestHeaders = (headers) => { headers['X-Emby-Token'] = 'wrong'; };
    await assert.rejects(api.getSessions(), (answer) => answer.status === 401);
  });
}

// The answer to a handshake: 101 when the socket opens.
const handshake = (url, options) => new Promise((resolve) => {
  const socket = new WebSocket(url.replace('http', 'ws'), options);
  const end = (code) => { socket.terminate(); resolve(code); };
  socket.once('open', () => end(101));
  socket.once('unexpected-response', (request, answer) => end(answer.statusCode));
  socket.on('error', () => {});
});
for (const [kind, route, header, argument, refused] of [
  ['plex', '/:/websockets/notifications', (token) => ({ 'X-Plex-Token': token }), 'X-Plex-Token', 401],
  ['jellyfin', '/socket', (token) => ({ Authorization: `MediaBrowser Client="t", DeviceId="t", Token="${token}"` }), 'ApiKey', 403],
  ['emby', '/embywebsocket', (token) => ({ 'X-Emby-Token': token }), 'api_key', 401]])
  test(`${kind}'s socket takes the token from a header and from its address`, async () => {
    const { url, token } = sim.server(kind);
    assert.equal(await handshake(url + route, { headers: header(token) }), 101);
    assert.equal(await handshake(`${url}${route}?${argument}=${token}`), 101);
    assert.equal(await handshake(url + route, { headers: header('wrong') }), refused);
    assert.equal(await handshake(url + route), refused);
  });

test('plex refuses a wrong token', async () => {
  await assert.rejects(new PlexServer(sim.server('plex').url, 'wrong').connect(), /401|nauthorized/);
});

test('a Tautulli database has the three tables of history, row for row', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
  try {
    const file = path.join(folder, 'tautulli.db');
    execFileSync(binary, ['tautulli', '--out', file, '--seed', '1', '--days', '60']);
    const sql = (text) => execFileSync('sqlite3', ['-readonly', file, text]).toString().trim();
    const columns = (table) => Number(sql(`select count(*) from pragma_table_info('${table}')`));
    assert.equal(columns('session_history'), 26);
    assert.equal(columns('session_history_metadata'), 42);
    assert.equal(columns('session_history_media_info'), 77);
    assert.ok(Number(sql('select count(*) from session_history')) > 100);
    for (const table of ['session_history_metadata', 'session_history_media_info']) {
      assert.equal(sql(`select count(*) from (select id from session_history except
        select id from ${table})`), '0', table);
      assert.equal(sql(`select count(*) from (select id from ${table} except
        select id from session_history)`), '0', table);
    }
    assert.equal(sql('pragma integrity_check'), 'ok');
  } finally {
    await rm(folder, { recursive: true });
  }
});
