// The page as it is built needs nothing that the oldest browsers it is for (web/browsers.json) lack: its
// syntax, and what it calls and styles with, by MDN's data on when a browser got what. What the data cannot
// see (a new option of an old function, a new property read by a common name) is up to who writes it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import bcd from '@mdn/browser-compat-data' with { type: 'json' };
import { parse, tokenizer } from 'acorn';
import postcss from 'postcss';
import oldest from '../../web/browsers.json' with { type: 'json' };

const assets = new URL('../../web/dist/assets/', import.meta.url);
const files = (end) => readdirSync(assets).filter((name) => name.endsWith(end))
  .map((name) => ({ name, text: readFileSync(new URL(name, assets), 'utf8') }));

// --- what a browser has ---------------------------------------------------------------------------------------

function has(feature, isPartlyFine = false) {
  const support = feature?.__compat?.support;
  if (!support) return true; // nothing is known of it
  return Object.entries(oldest).every(([browser, version]) => [support[browser] ?? []].flat().some((s) =>
    typeof s.version_added === 'string' && (isPartlyFine || !s.version_removed) && !s.flags && !s.prefix && !s.alternative_name
    && (isPartlyFine || !s.partial_implementation) && Number.parseFloat(s.version_added.replace('≤', '')) <= version));
}
const members = (feature) => Object.entries(feature).filter(([name]) => name !== '__compat');
const globals = new Map([...members(bcd.javascript.builtins), ...members(bcd.api), ...members(bcd.api.Window)]);
// A method is lacking if nothing old goes by its name. Not of every interface: a library's own methods are called
// like those of the stranger ones.
const owners = [...['Array', 'Map', 'Number', 'Object', 'Promise', 'Set', 'String', 'TypedArray'].map((name) => bcd.javascript.builtins[name]),
  bcd.javascript.builtins.Intl, ...['Crypto', 'Document', 'Element', 'HTMLDialogElement', 'HTMLElement', 'Node'].map((name) => bcd.api[name])];
const methods = new Map();
for (const owner of owners)
  for (const [name, feature] of members(owner))
    if (!name.endsWith('_static')) methods.set(name, (methods.get(name) ?? false) || has(feature));

// --- what is known to be fine ---------------------------------------------------------------------------------

// web/src/old brings these where they are missing.
const brought = new Set(['at', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'toSpliced', 'hasOwn', 'showModal']);
// Called only where the browser has them, by a look that is not a typeof of the very name.
const guarded = new Map([
  ['showPopover', 'lib/Popover.svelte'], ['hidePopover', 'lib/Popover.svelte'],
  ['DisplayNames', 'lib/names.ts'],
  ['BigInt64Array', 'MapLibre, for tiles of a kind that the map has none of'], ['BigUint64Array', 'the same'],
  ['requestFullscreen', 'MapLibre, by a button that the map has not'], ['exitFullscreen', 'the same'],
  ['show', 'of our toasts; no dialog is shown but by showModal'],
]);
// Styles that a browser may do without: what is left is whole, if plainer.
const plainer = new Map([
  ['accent-color', 'controls have the browser’s own colour'], ['scrollbar-gutter', 'pages with and without a scroll bar differ in width'],
  ['scrollbar-width', 'a bar is seen where a list scrolls'], [':focus-visible', 'the browser’s own ring'],
  ['@container', 'a narrow list scrolls'], ['container-type', 'the same'],
  ['color-scheme', 'controls are light'], ['::backdrop', 'old/old.css has one'], ['scroll-behavior', 'it jumps'], ['overflow-wrap: anywhere', 'a long word is cut'],
  ['scroll-margin-block-start', 'a heading that was gone to may be below the bar'], [':fullscreen', 'MapLibre’s, not used'],
]);

// --- scripts --------------------------------------------------------------------------------------------------

function* nodes(node) {
  if (!node || typeof node !== 'object') return;
  if (Array.isArray(node)) {
    for (const one of node) yield* nodes(one);
    return;
  }
  if (typeof node.type !== 'string') return;
  yield node;
  for (const [key, value] of Object.entries(node)) if (key !== 'type' && value && typeof value === 'object') yield* nodes(value);
}
// Names that the text declares itself, anywhere, and those it asks for by typeof or `in` before.
function ownNames(tree) {
  const own = new Set();
  const bind = (pattern) => {
    for (const one of nodes(pattern)) if (one.type === 'Identifier') own.add(one.name);
  };
  for (const node of nodes(tree)) {
    if (node.type === 'VariableDeclarator') bind(node.id);
    if (/Function/.test(node.type)) { bind(node.params); if (node.id) bind(node.id); }
    if (node.type === 'ClassDeclaration' && node.id) bind(node.id);
    if (/^Import.*Specifier$/.test(node.type)) bind(node.local);
    if (node.type === 'UnaryExpression' && node.operator === 'typeof') bind(node.argument);
    if (node.type === 'BinaryExpression' && node.operator === 'in' && node.left.type === 'Literal') own.add(node.left.value);
  }
  return own;
}
function newApis(tree) {
  const own = ownNames(tree);
  const found = [];
  for (const node of nodes(tree)) {
    const callee = ['CallExpression', 'NewExpression'].includes(node.type) ? node.callee : undefined;
    if (callee?.type === 'Identifier' && globals.has(callee.name) && !has(globals.get(callee.name)) && !own.has(callee.name) && !guarded.has(callee.name))
      found.push(callee.name);
    if (callee?.type !== 'MemberExpression' || callee.computed || callee.property.type !== 'Identifier') continue;
    const { name } = callee.property;
    if (methods.get(name) === false && !own.has(name) && !brought.has(name) && !guarded.has(name)) found.push(`.${name}()`);
    if (callee.object.type === 'Identifier' && globals.has(callee.object.name) && !own.has(callee.object.name)
      && !guarded.has(callee.object.name)) {
      const of = globals.get(callee.object.name);
      const statics = of[`${name}_static`] ?? of[name];
      if ((!has(of) || (statics && !has(statics))) && !brought.has(name) && !guarded.has(name)) found.push(`${callee.object.name}.${name}()`);
    }
  }
  return [...new Set(found)];
}
// The syntax is ES2021, which all of them have, but for what a regular expression may hold.
const options = (name) => ({ ecmaVersion: 2021, sourceType: name.startsWith('worker') ? 'script' : 'module' });
const newPatterns = (text, name) => [...tokenizer(text, options(name))].filter(({ type }) => type.label === 'regexp')
  .map(({ value }) => `/${value.pattern}/${value.flags}`).filter((whole) => /\(\?<[=!]|\/[gimsuy]*[dv][gimsuydv]*$/.test(whole));

test('the scripts are of a syntax that the oldest browsers read', () => {
  const scripts = files('.js');
  assert.ok(scripts.length > 3 && scripts.some(({ name }) => name.startsWith('worker')));
  for (const { name, text } of scripts) {
    assert.doesNotThrow(() => parse(text, options(name)), name);
    assert.deepEqual(newPatterns(text, name), [], name);
  }
});
test('the scripts call nothing that the oldest browsers lack', () => {
  for (const { name, text } of files('.js')) assert.deepEqual(newApis(parse(text, options(name))), [], name);
});
test('what is newer is seen', () => {
  const seen = (text) => newApis(parse(text, { ecmaVersion: 'latest', sourceType: 'module' }));
  assert.deepEqual(seen('structuredClone({})'), ['structuredClone']);
  assert.deepEqual(seen('typeof structuredClone === "function" && structuredClone({})'), []);
  assert.deepEqual(seen('[1].with(0, 2)'), ['.with()']);
  assert.deepEqual(seen('AbortSignal.timeout(5)'), ['AbortSignal.timeout()']);
  assert.deepEqual(seen('Object.groupBy([], f)'), ['.groupBy()', 'Object.groupBy()']);
  assert.deepEqual(seen('[1].map(f).includes(2) && new Map().get(1) && document.querySelector("a").closest("b")'), []);
  assert.throws(() => parse('class A { #b = 1 }', options('x')));
  assert.equal(newPatterns('let a = /(?<=b)c/', 'x').length, 1);
});

// --- styles ---------------------------------------------------------------------------------------------------

const units = [[/\d(?:dvh|svh|lvh|dvw|svw|lvw|dvb|svb|lvb)\b/, 'units of the dynamic viewport'], [/\b(?:oklch|oklab|lch|lab|color-mix|light-dark|color)\(/, 'colours'],
  [/\b(?:round|mod|rem|sin|cos|tan|pow|sqrt|anchor|attr)\([^)]*\b(?:px|rem|number)\b/, 'functions']];
const isFallback = (decl) => decl.parent.nodes.slice(0, decl.parent.index?.(decl) ?? decl.parent.nodes.indexOf(decl))
  .some((before) => before.prop === decl.prop);
const isAsked = (node) => {
  for (let at = node.parent; at; at = at.parent) if (at.type === 'atrule' && at.name === 'supports') return true;
  return false;
};
const pseudos = (selector) => [...selector.replace(/\\./g, '').replace(/\[[^\]]*\]/g, '').matchAll(/::?([a-z-]+)/g)]
  .map(([whole, name]) => ({ whole, name }));

function newStyles(text) {
  const found = new Set();
  const say = (what) => { if (!plainer.has(what)) found.add(what); };
  postcss.parse(text).walk((node) => {
    if (node.type !== 'comment' && isAsked(node)) return;
    if (node.type === 'atrule' && bcd.css['at-rules'][node.name] && !has(bcd.css['at-rules'][node.name])) say(`@${node.name}`);
    if (node.type === 'rule' && node.parent.name !== 'keyframes')
      for (const { whole, name } of pseudos(node.selector))
        if (bcd.css.selectors[name] && !has(bcd.css.selectors[name]) && !whole.startsWith('::-')) say(whole);
    if (node.type === 'rule' && node.parent.type === 'rule') say('nesting');
    if (node.type !== 'decl' || node.prop.startsWith('--') || node.prop.startsWith('-')) return;
    const property = bcd.css.properties[node.prop];
    const hasPrefixed = node.parent.nodes.some((other) => other.prop?.endsWith(`-${node.prop}`));
    if (property && !has(property, true) && !hasPrefixed) say(node.prop);
    if (isFallback(node)) return;
    for (const [word] of node.value.matchAll(/(?<![\w#.-])[a-z][a-z-]+(?![\w(-])/g))
      if (property?.[word] && !has(property[word], true) && !plainer.has(node.prop)) say(`${node.prop}: ${word}`);
    for (const [pattern, what] of units) if (pattern.test(node.value)) say(`${node.prop}: ${node.value} (${what})`);
  });
  return [...found];
}

test('the styles need nothing that the oldest browsers lack', () => {
  const sheets = files('.css');
  assert.ok(sheets.length > 3);
  const bad = [];
  for (const { name, text } of sheets) for (const what of newStyles(text)) bad.push(`${name}: ${what}`);
  assert.deepEqual(bad, []);
});
test('newer styles are seen', () => {
  assert.deepEqual(newStyles('a:has(b) { color: red }'), [':has']);
  assert.deepEqual(newStyles('@supports selector(:has(a)) { a:has(b) { color: red } }'), []);
  assert.deepEqual(newStyles('a { translate: 1px; aspect-ratio: 1 }'), ['translate', 'aspect-ratio']);
  assert.deepEqual(newStyles('a { height: 100dvh }').length, 1);
  assert.deepEqual(newStyles('a { height: 100vh; height: 100dvh }'), []);
  assert.deepEqual(newStyles('a { overflow: clip }'), ['overflow: clip']);
  assert.deepEqual(newStyles('a { color: oklch(1 1 1) }').length, 1);
  assert.deepEqual(newStyles('a:not(b, c)::after { display: flex; margin: 0 auto }'), []);
});
