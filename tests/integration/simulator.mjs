// What the tests with simulated servers share: starting, the control API, waiting.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import './secrets.mjs';

export const build = process.env.BUILD_DIR ?? 'build';
// Every kind of media server, in the program's order.
export const kinds = [...readFileSync(new URL('../../src/model/server_kinds.def', import.meta.url), 'utf8')
  .matchAll(/^SERVER_KIND\(\w+, (\w+),/gm)].map(([, word]) => word);
export const binary = path.join(build, 'sim', 'cartographus-sim');

const kill = (child) => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) return resolve();
  child.once('exit', () => { clearTimeout(patience); resolve(); });
  const patience = setTimeout(() => child.kill('SIGKILL'), 30000);
  child.kill('SIGTERM');
});

// Starts child processes and takes them along at the end.
export class Children {
  #all = [];
  spawn(...args) {
    const child = spawn(...args);
    child.text = '';
    child.stderr.on('data', (chunk) => { child.text += chunk; });
    this.#all.push(child);
    return child;
  }
  async end() { await Promise.all(this.#all.map(kill)); }
}

// `each` servers of each kind, with nothing playing but what a test starts. more: further options.
export async function startSimulator(children, each = 1, days = 60, more = []) {
  const child = children.spawn(binary, ['serve', ...kinds.flatMap((kind) =>
    [`--${kind}`, String(each)]), '--seed', '1', '--sessions', '0',
    '--days', String(days), ...more]);
  const ready = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the simulator ended (${code}): ${child.text}`)));
  });
  const control = async (route, body, method = 'POST') => {
    const answer = await fetch(ready.control + route,
      { method, body: body && JSON.stringify(body) });
    assert.ok(answer.ok, `${route}: ${answer.status}`);
    return answer.json();
  };
  await control('/quiet');
  const number = (kind) => ready.servers.findIndex((s) => s.kind === kind);
  return {
    servers: ready.servers,
    plexTv: ready.plex_tv,
    control,
    truth: () => control('/truth', undefined, 'GET'),
    requests: () => control('/requests', undefined, 'GET'),
    // The environment that makes the program watch all of them.
    environment: () => Object.fromEntries(kinds.map((kind) =>
      [`${kind.toUpperCase()}_SERVERS`, JSON.stringify(ready.servers
        .map((s, i) => ({ ...s, name: `${kind} ${i}` })).filter((s) => s.kind === kind)
        .map(({ url, token, name }) => ({ url, token, name })))])),
    server: (kind) => ready.servers[number(kind)],
    play: (kind, what) => control('/sessions', { server: number(kind), ...what }),
    act: (session, verb) => control(`/sessions/${session.id}/${verb}`),
    // plex.tv: what it was asked, and what it does next (sim/sim.h).
    atPlexTv: (what) => control('/plex-tv', what, what ? 'POST' : 'GET'),
    // What the server calls a person from now on: { username, email }.
    rename: (kind, person, as) => control('/people', { server: number(kind), person, ...as }),
    // { is_rebuilt: true }: every item has another id from now on; { has_ids: false }: no provider ids;
    // { has_wrong_ids: true }: those of other titles (Jellyfin and Emby).
    library: (kind, how) => control('/library', { server: number(kind), ...how }),
    fault: (kind, fault, ms) => control('/fault', { server: number(kind), kind: fault, ms }),
  };
}

// Asks until the answer is worth something, 5 seconds long.
export async function until(what, ask, ms = 5000) {
  const end = Date.now() + ms;
  let last;
  do {
    last = await ask();
    if (last.is) return last.value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (Date.now() < end);
  assert.fail(`${what}: not within ${ms} ms; last seen: ${JSON.stringify(last.value)}`);
}
