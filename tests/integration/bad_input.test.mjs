// Whatever is sent: what is wrong is refused by its name, what is legal text and matches nothing finds
// nothing, and nothing is a fault of the server. What there is to send to, the description says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { password, startIdle } from './program.mjs';
import { build, until } from './simulator.mjs';

let program, cookie, api, ids;
const url = (route) => program.url(`/api/v1${route}`);
const send = (method, route, body, headers = { cookie }) => fetch(url(route), { method, headers, body });
const json = async (method, route, body) => (await send(method, route, body && JSON.stringify(body))).json();

before(async () => {
  program = await startIdle();
  cookie = await program.login();
  api = await json('GET', '/openapi.json');
  const file = path.join(program.folder, 'tautulli.db');
  execFileSync(path.join(build, 'sim', 'cartographus-sim'), ['tautulli', '--out', file, '--seed', '1', '--rows', '300']);
  const begun = await (await send('POST', '/import?name=tautulli.db', readFileSync(file))).json();
  await until('there are plays', async () => {
    const { import: now } = await json('GET', `/import/${begun.import.id}`);
    return { is: now.state === 'done', value: now };
  }, 60000);
  ids = {
    user: (await json('POST', '/users', { name: 'somebody', password })).id,
    server_key: (await json('GET', '/servers')).servers[0].key,
    id: (await json('GET', '/people')).people[0].id,
  };
});
after(() => program?.stop());

// A few at once; every fault is told, not only the first.
async function each(list, what) {
  const rest = [...list], faults = [];
  assert.ok(rest.length > 0);
  await Promise.all(Array.from({ length: 6 }, async () => {
    while (rest.length) await what(rest.shift()).catch((fault) => faults.push(fault.message));
  }));
  assert.deepEqual(faults.sort(), []);
}

const operations = () => Object.entries(api.paths).flatMap(([route, methods]) =>
  Object.entries(methods).map(([method, operation]) =>
    ({ name: `${method.toUpperCase()} ${route}`, method: method.toUpperCase(), route: route.slice('/api/v1'.length), operation })));
const parameters = ({ operation }, place) => operation.parameters
  .map((p) => api.components.parameters[p.$ref.split('/').at(-1)]).filter((p) => p.in === place);
const resolved = (schema) => (schema.$ref ? api.components.schemas[schema.$ref.split('/').at(-1)] : schema);
const withQuery = () => operations().filter((o) => o.method === 'GET' && parameters(o, 'query').length > 0);
const isQuestion = (o) => o.route.startsWith('/analytics/');
const filled = (o) => o.route.replace(/\{(\w+)\}/g, (_, name) => ids[name] ?? 'x');

// Refused, with a status that the operation names, in the one shape; by that name.
async function refused(where, o, answer, field, statuses = [400]) {
  const text = await answer.text();
  assert.ok(statuses.includes(answer.status), `${where}: ${answer.status} ${text.slice(0, 200)}`);
  assert.ok(o.operation.responses[answer.status], `${where}: ${answer.status} is not described`);
  const { error } = JSON.parse(text);
  assert.equal(error.request_id, answer.headers.get('x-request-id'), where);
  if (field !== undefined) assert.equal(error.field, field, `${where}: ${text}`);
}

// How many plays an answer is of, if it is of any.
const playsOf = (body) => body.meta?.rows_behind ?? body.people?.reduce((sum, one) => sum + one.plays, 0) ?? body.total;

const sql = "x'; drop table play; --";
const oddities = ['-1', '0', '1.5', '1e3', 'x', '99999999999999999999', sql, '%_\\', 'Ω≈ç', ' ', 'null', '1 or 1=1', '2026-02-30'];
function isLegal({ schema }, value) {
  const { type, enum: words, minimum = -Infinity, maximum = Infinity } = schema;
  if (words) return words.includes(value);
  if (type === 'integer') return /^-?\d+$/.test(value) && Number(value) >= minimum && Number(value) <= maximum;
  if (type === 'number') return value.trim() !== '' && Number(value) >= minimum && Number(value) <= maximum;
  return undefined; // text: to be seen
}

test('no parameter of any question takes what is no text, comes twice, or has a NUL in it', async () => {
  const all = withQuery().flatMap((o) => parameters(o, 'query').map((p) => [o, p]));
  await each(all, async ([o, p]) => {
    const example = encodeURIComponent(p.example) || 'x';
    for (const given of ['=%ff', '=a%00b', `=${example}&${p.name}=${example}`, '%00='])
      await refused(`${o.name}?${p.name}${given}`, o, await send('GET', `${filled(o)}?${p.name}${given}`), p.name);
  });
});

test('numbers and words are held to their bounds in every question', async () => {
  const all = withQuery().flatMap((o) => parameters(o, 'query').map((p) => [o, p]))
    .filter(([, p]) => isLegal(p, 'x') !== undefined);
  await each(all, async ([o, p]) => {
    for (const value of oddities.filter((one) => !isLegal(p, one)))
      await refused(`${o.name}?${p.name}=${value}`, o, await send('GET', `${filled(o)}?${p.name}=${encodeURIComponent(value)}`), p.name);
  });
});

test('text that is no value is refused, or finds nothing', async () => {
  // What questions have of text is the filter, which is read in one place: one of them stands for all.
  const all = withQuery().filter((o) => !isQuestion(o) || o.route === '/analytics/trends')
    .flatMap((o) => parameters(o, 'query').map((p) => [o, p])).filter(([, p]) => isLegal(p, 'x') === undefined);
  await each(all, async ([o, p]) => {
    for (const value of ['-1', '99999999999999999999', sql, '%_\\', 'Ω≈ç', '1 or 1=1', `${'1,'.repeat(9999)}1`, 'y'.repeat(20000)]) {
      const where = `${o.name}?${p.name}=${value.slice(0, 40)}`;
      const answer = await send('GET', `${filled(o)}?${p.name}=${encodeURIComponent(value).replaceAll('%2C', ',')}`);
      if (answer.status !== 200) {
        await refused(where, o, answer, p.name);
      } else {
        const plays = playsOf(await answer.json());
        assert.ok(plays === undefined || plays === 0, `${where}: ${plays} plays`);
      }
    }
  });
});

test('an empty value is none, and what nobody knows is refused also when it is empty', async () => {
  await each(withQuery(), async (o) => {
    const empty = parameters(o, 'query').map((p) => `${p.name}=`).join('&');
    const figure = async (route) => {
      const answer = await send('GET', route);
      const body = await answer.json();
      return [answer.status, body.data ?? body];
    };
    assert.deepEqual(await figure(`${filled(o)}?${empty}`), await figure(filled(o)), o.name);
    for (const given of ['colour=', 'colour=red', 'DAYS=3', '%ff=1'])
      await refused(`${o.name}?${given}`, o, await send('GET', `${filled(o)}?${given}`), given.startsWith('%') ? '' : given.split('=')[0]);
  });
});

test('a period that is none, a zone that is none, more than one period', async () => {
  const filtered = withQuery().filter((o) => parameters(o, 'query').some((p) => p.name === 'days'));
  await each(filtered, async (o) => {
    for (const [given, field] of [
      ['start_date=2026-02-01&end_date=2026-01-01', 'end_date'], ['tz=Mars/Olympus', 'tz'],
      ['days=7&start_date=2026-01-01', 'days'], ['start_date=2026-02-30', 'start_date']])
      await refused(`${o.name}?${given}`, o, await send('GET', `${filled(o)}?${given}`), field);
  });
});

test('what is in a path is found, or it is not there', async () => {
  const inPath = operations().filter((o) => parameters(o, 'path').length > 0);
  await each(inPath, async (o) => {
    const names = parameters(o, 'path').map((p) => p.name);
    for (const value of ['-1', 'x', '99999999999999999999', sql, '%ff', '1%00x', 'y'.repeat(300), '..%2f..', '1.5']) {
      const route = names.reduce((text, name) => text.replace(`{${name}}`, value.includes('%') ? value : encodeURIComponent(value)), o.route);
      const answer = await send(o.method, route, o.operation.requestBody && '{}');
      const text = await answer.text();
      assert.ok(answer.status < 500 && (answer.status !== 200 || o.method === 'GET'), `${o.name} ${value}: ${answer.status} ${text}`);
      assert.ok(answer.status === 404 || o.operation.responses[answer.status], `${o.name} ${value}: ${answer.status}`);
    }
  });
});

// --- bodies ------------------------------------------------------------------------------------

// What is right of each, so that only one thing is wrong at a time.
const right = {
  'POST /auth/login': () => ({ username: 'admin', password }),
  'POST /users': () => ({ name: 'another', password }),
  'PUT /users/{user}': () => ({ is_disabled: true }),
  'POST /tokens': () => ({ name: 'bad input' }),
  'POST /servers': () => ({ kind: 'emby', url: 'http://127.0.0.1:9', token: 'x' }),
  'POST /servers/test': () => ({ key: ids.server_key }),
  'PATCH /servers/{server_key}': () => ({ name: 'x' }),
  'POST /people/merge': () => ({ people: [ids.id, ids.id] }),
  'POST /people/split': () => ({ people: [ids.id, ids.id] }),
  'PATCH /people/{id}': () => ({ name: 'x' }),
  'POST /titles/merge': () => ({ titles: [1, 2] }),
  'POST /titles/split': () => ({ titles: [1, 2] }),
  'POST /sql': () => ({ sql: 'select 1' }),
  'POST /restore/unlock': () => ({ passphrase: 'x' }),
  'POST /restore/confirm': () => ({ id: 1 }),
};
const withBody = () => operations().filter((o) => o.operation.requestBody?.content['application/json']);
const membersOf = (o) => resolved(o.operation.requestBody.content['application/json'].schema);
const bodyOf = (o) => {
  const make = right[`${o.method} ${o.route}`];
  assert.ok(make, `${o.name} takes a body that is not tried here`);
  return make();
};
const typesOf = (schema) => {
  if (schema.anyOf) return schema.anyOf.flatMap(typesOf);
  const one = resolved(schema);
  return one.anyOf ? one.anyOf.flatMap(typesOf) : [one.type].flat();
};
const ofType = { string: 'x', integer: 1, number: 1.5, boolean: true, array: [{}], object: {}, null: null };

test('a body that is no object in JSON is refused', async () => {
  await each(withBody(), async (o) => {
    const bodies = { nothing: '', null: 'null', list: '[]', text: '"x"', number: '1', half: '{"a"', words: 'a=b&c=d',
      deep: '['.repeat(5000), 'deep object': `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      'not UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'NUL': '{"a":"\0"}',
      'two': `${JSON.stringify(bodyOf(o))}{}`, 'a member twice': `{"x":1,${JSON.stringify(bodyOf(o)).slice(1, -1)},${JSON.stringify(bodyOf(o)).slice(1)}` };
    for (const [what, body] of Object.entries(bodies))
      await refused(`${o.name}, ${what}`, o, await send(o.method, filled(o), body));
    const answer = await send(o.method, filled(o), `{"x":"${'y'.repeat(1 << 20)}"}`).catch((fault) => fault);
    // A client may be cut off before it has sent all.
    if (answer instanceof Response) await refused(`${o.name}, 1 MB`, o, answer, undefined, [413]);
  });
});

test('a body is as large as the description says, and no larger', async () => {
  await each(withBody(), async (o) => {
    const most = o.operation.requestBody['x-most-bytes'], start = '{"colour":"red"';
    const sized = (bytes) => `${start}${' '.repeat(bytes - start.length - 1)}}`;
    await refused(`${o.name}, ${most} bytes`, o, await send(o.method, filled(o), sized(most)), 'colour');
    await refused(`${o.name}, one more`, o, await send(o.method, filled(o), sized(most + 1)), undefined, [413]);
  });
});

test('each member of a body is of its type, and nobody else is among them', async () => {
  await each(withBody(), async (o) => {
    const good = bodyOf(o), { properties, required = [] } = membersOf(o);
    const tried = async (what, body, field) =>
      refused(`${o.name}, ${what}: ${JSON.stringify(body).slice(0, 80)}`, o, await send(o.method, filled(o), JSON.stringify(body)), field);
    await tried('one too many', { ...good, colour: 'red' }, 'colour');
    for (const name of required) {
      const { [name]: _, ...rest } = good;
      await tried('one missing', rest, name);
    }
    for (const [name, schema] of Object.entries(properties)) {
      const types = typesOf(schema);
      for (const [type, value] of Object.entries(ofType))
        if (!types.includes(type) && !(type === 'integer' && types.includes('number')))
          await tried(`${name} as ${type}`, { ...good, [name]: value }, name);
      if (resolved(schema).enum) await tried(`${name} as no word of its`, { ...good, [name]: 'x' }, name);
    }
  });
});

// --- headers -----------------------------------------------------------------------------------

// What comes back for bytes that are sent as they are; "" where the connection is just closed.
const raw = (text) => new Promise((resolve) => {
  let answer = '';
  const socket = net.connect(program.port, '127.0.0.1', () => socket.end(text));
  socket.setTimeout(3000, () => socket.destroy());
  socket.on('data', (chunk) => { answer += chunk; }).on('error', () => {}).on('close', () => resolve(answer));
});

test('odd and endless headers and addresses harm nobody', async () => {
  const get = (headers, route = '/api/v1/plays') => `GET ${route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n\r\n`;
  const cases = [ // NaN: the connection is closed
    [`X-Long: ${'y'.repeat(100_000)}`, [431]], [Array.from({ length: 5000 }, (_, i) => `X-${i}: y`).join('\r\n'), [431]],
    [`Cookie: cartographus_session=${'y'.repeat(9000)}`, [401]], ['Cookie: \xff\xfe=;;;=', [401]],
    ['Authorization: Bearer cgt_', [401, 429]], [`Authorization: Bearer cgt_${'y'.repeat(9000)}`, [401, 429]], ['Authorization: Basic !!!', [401]],
    ['Authorization: Bearer \xff', [401]], [`If-None-Match: ${'"'.repeat(5000)}`, [401]], ['X-Forwarded-For: \'"<>,,,,', [401]],
    ['Content-Length: -1', [400]], ['Content-Length: 99999999999999999999999', [400, 413]], ['Transfer-Encoding: nonsense', [NaN, 400, 401]],
    ['Range: bytes=-1-5', [401]], ['Upgrade: websocket', [401]],
  ];
  for (const [headers, statuses] of cases) {
    const answer = await raw(get(headers));
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
    assert.ok(statuses.includes(status), `${headers.slice(0, 60)}: ${answer.slice(0, 200)}`);
  }
  for (const value of ['y'.repeat(100_000), '1,'.repeat(50_000)])
    assert.match(await raw(get('', `/api/v1/plays?users=${value}`)), /^HTTP\/1\.1 414 /);
  for (const text of ['\0\0\0\0\r\n\r\n', 'GET\r\n\r\n', `${'y'.repeat(50_000)} / HTTP/1.1\r\n\r\n`, 'GET /api/v1/health HTTP/9.9\r\n\r\n'])
    assert.doesNotMatch(await raw(text), /^HTTP\/1\.1 (200|500)/);
  assert.equal((await send('GET', '/health')).status, 200);
});

test('nothing of all that was a fault, and no figure has changed', async () => {
  assert.doesNotMatch(program.child.text, /level=error/);
  const { total } = await json('GET', '/plays');
  const [{ plays }] = (await json('GET', '/analytics/summary')).data;
  assert.equal(plays, total);
  assert.ok(plays > 200);
});
