// No log line of the whole suite has a secret in it. Whoever imports this file (program.mjs and
// simulator.mjs do) has every cartographus that the process starts watched: what it writes to stderr is
// held, when it ends, against every secret of its environment and every cookie that was handed out. A
// hit is told by the option's name, and the file of tests fails.
import childProcess from 'node:child_process';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';

const read = (file) => readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
// Every option that is a secret, as src/config/options.def says, with the tokens of each kind of server.
export const secretOptions = [
  ...[...read('config/options.def').matchAll(
    /^OPTION\(\w+, "(\w+)", "[^"]*", \w+, "[^"]*", [^,]+, [^,]+,\s*(true|false),/gms)]
    .filter(([, , isSecret]) => isSecret === 'true').map(([, name]) => name),
  ...[...read('model/server_kinds.def').matchAll(/"(\w+_(?:TOKEN|API_KEY))"/g)].map(([, name]) => name),
];
// Each also goes by the name of its alias, and the logger masks what has eight characters or more.
const names = new Set(secretOptions.flatMap((name) => [name, name.replace(/_API_KEY$/, '_TOKEN')]));
const LEAST = 8;

function fileText(file) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

// [name, value] of every secret that an environment has.
export function secretsOf(env = {}) {
  const found = [];
  for (const [name, given] of Object.entries(env)) {
    const base = name.replace(/_FILE$/, '');
    const value = name !== base ? fileText(given) : String(given ?? '').trim();
    if (names.has(base)) found.push([base, value]);
    if (!/^[A-Z]+_SERVERS$/.test(base)) continue;
    try {
      for (const { token } of JSON.parse(value)) if (token) found.push([`${base}: token`, String(token).trim()]);
    } catch { /* wrong on purpose */ }
  }
  return found.filter(([, value]) => value.length >= LEAST);
}

// As a header or an address may have it.
const forms = (value) => [value, encodeURIComponent(value), Buffer.from(`admin:${value}`).toString('base64')];

// Which of the secrets a text has: their names, with the line.
export function leaksIn(text, secrets) {
  const found = [];
  for (const line of text.split('\n')) {
    for (const [name, value] of secrets)
      if (forms(value).some((form) => line.includes(form))) found.push(`${name} is in the log: ${line}`);
    if (/cgt_[\w-]{40,}/.test(line)) found.push(`an API token is in the log: ${line}`);
  }
  return found;
}

// --- every program that is started ---------------------------------------------------------------
const watched = [];
export const leaks = () => watched.flatMap(({ text, secrets }) => leaksIn(text(), [...secrets, ...handedOut]));
const isProgram = (command) => path.basename(String(command)) === 'cartographus';

const spawn = childProcess.spawn;
childProcess.spawn = (command, args, options) => {
  const child = spawn(command, args, options);
  if (!isProgram(command) || !child.stderr) return child;
  const pieces = [];
  child.stderr.on('data', (piece) => pieces.push(Buffer.from(piece)));
  watched.push({ text: () => Buffer.concat(pieces).toString(), secrets: secretsOf(options?.env ?? process.env) });
  return child;
};
syncBuiltinESMExports();

// --- every cookie that is handed out -------------------------------------------------------------
const handedOut = [];
const fetchIt = globalThis.fetch;
globalThis.fetch = async (...args) => {
  const answer = await fetchIt(...args);
  for (const cookie of answer.headers.getSetCookie()) {
    const [, name, value] = /^(cartographus_(?:session|device|oidc))=([^;]*)/.exec(cookie) ?? [];
    if (value?.length >= LEAST) handedOut.push([`the cookie ${name}`, value]);
  }
  return answer;
};

process.on('exit', () => {
  const found = leaks();
  if (!found.length) return;
  console.error(found.join('\n'));
  process.exitCode = 1;
});
