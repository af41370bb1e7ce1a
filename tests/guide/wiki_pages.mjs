// The pages of docs/wiki that derive from the program: all options, and all routes. As a program of its
// own it writes them anew (scripts/wiki); as a module it is what wiki.test.mjs compares them with.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startProgram } from '../integration/program.mjs';
import { binary } from './commands.mjs';

const begin = '<!-- made by scripts/wiki: what follows is not written by hand -->';
const end = '<!-- until here -->';

const bar = (text) => text.replaceAll('|', '\\|');
const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : '');
const readers = { nobody: 'everybody', viewer: 'who is logged in', admin: 'administrators' };
const refName = (node) => node.$ref?.split('/').at(-1);

// A schema in a few characters; a named one by its name, with a link.
function shape(node) {
  if (node.$ref) return `[${refName(node)}](#${refName(node)})`;
  if (node.anyOf) return node.anyOf.map(shape).join(' or ');
  if (node.enum) return node.enum.map((value) => `\`${value}\``).join(' ');
  const types = [node.type ?? 'anything'].flat();
  return types.map((type) => {
    if (type === 'array') return `list of ${shape(node.items)}`;
    if (type === 'object' && node.properties) return `{${Object.keys(node.properties).join(', ')}}`;
    if (node.format === 'date-time' && type === 'string') return 'time';
    return { string: 'text', integer: 'int', number: 'number', boolean: 'bool' }[type] ?? type;
  }).join(' or ');
}
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map((cell) => bar(String(cell))).join(' | ')} |`).join('\n');

export function apiReference(description) {
  const { parameters, schemas } = description.components;
  const operations = Object.entries(description.paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ ...one, route, method: method.toUpperCase() })));
  const named = (one) => (one.parameters ?? []).map(refName);
  const queries = operations.filter((one) => one.route.startsWith('/api/v1/analytics/'));
  const filter = named(queries[0]).filter((name) => queries.every((one) => named(one).includes(name)) &&
    !['format', 'compare', 'explain'].includes(name));
  const parameterRow = (name) => [`\`${parameters[name].name}\``, shape(parameters[name].schema), parameters[name].description];
  const isFiltered = (one) => filter.every((name) => named(one).includes(name));
  const section = (one) => {
    const given = named(one).filter((name) => !isFiltered(one) || !filter.includes(name));
    const lines = [`### ${one.method} ${one.route}`, `${one.summary}. For: ${readers[one['x-role']]}.${one.description ? ` ${one.description}` : ''}`];
    if (isFiltered(one)) lines.push('Takes [the filter](#the-filter).');
    if (given.length) lines.push(table(['Parameter', 'Type', ''], given.map(parameterRow)));
    for (const [type, { schema }] of Object.entries(one.requestBody?.content ?? {}))
      lines.push(`Body: ${type === 'application/json' ? shape(schema) : 'a file, as it is'}.`);
    const answers = Object.entries(one.responses).filter(([, answer]) => !answer.$ref).map(([status, answer]) => {
      const [type, content] = Object.entries(answer.content ?? {})[0] ?? [];
      const what = !type ? 'no body' : type === 'application/json' ? shape(content.schema) : 'a file';
      return `${status} (${answer.description}): ${what}`;
    });
    const errors = Object.entries(one.responses).filter(([status, answer]) => answer.$ref && status !== 'default').map(([status]) => status);
    if (answers.length) lines.push(`Answers ${answers.join('; ')}. Errors: ${errors.join(', ')}.`);
    return lines.join('\n\n');
  };
  const plain = operations.filter((one) => !queries.includes(one));
  const rows = plain.map((one) => [`[${one.method} ${one.route}](#${slug(`${one.method} ${one.route}`)})`, readers[one['x-role']], one.summary]);
  const shapes = Object.entries(schemas).filter(([name]) => !/^(row|answer)\./.test(name)).map(([name, node]) => {
    const members = Object.entries(node.properties ?? {}).map(([key, value]) =>
      [`\`${key}\`${node.required?.includes(key) ? '' : ' (may be missing)'}`, shape(value), sentence(value.description ?? '')]);
    return `### ${name}\n\n${members.length ? table(['Member', 'Type', ''], members) : `${sentence(shape(node))}.`}`;
  });
  return [
    '## All routes', table(['Route', 'For', ''], rows),
    `The questions, each a route of its own, are in [queries.md](../queries.md): ${queries.map((one) => `\`${one.route.split('/').at(-1)}\``).join(', ')}.`,
    '## The filter', 'All of it is optional; lists are separated by commas.', table(['Parameter', 'Type', ''], filter.map(parameterRow)),
    '## Route by route', ...plain.map(section), '## Shapes', ...shapes,
  ].join('\n\n');
}

// As GitHub makes the anchor of a heading.
export const slug = (heading) => heading.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');

// What stands between the marks of a page.
export const derivedPart = (text) => text.slice(text.indexOf(begin) + begin.length, text.indexOf(end)).trim();

export async function derived() {
  const program = await startProgram({ SETUP: 'true' });
  const description = await (await fetch(program.url('/api/v1/openapi.json'))).json();
  await program.stop();
  return {
    'docs/wiki/API-Reference.md': apiReference(description).trim(),
    'docs/wiki/Configuration.md': execFileSync(binary, ['config', 'docs'], { encoding: 'utf8' }).trim(),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [page, part] of Object.entries(await derived())) {
    const text = await readFile(page, 'utf8');
    await writeFile(page, `${text.slice(0, text.indexOf(begin) + begin.length)}\n\n${part}\n\n${text.slice(text.indexOf(end))}`);
  }
}
