// What the page's sources must hold to, checked without a browser: every message exists and is
// used; colours have contrast and can be told apart by colour-blind people.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

const src = path.join(import.meta.dirname, '../../web/src');
const files = (await readdir(src, { recursive: true, withFileTypes: true }))
  .filter((f) => f.isFile() && /\.(ts|svelte|css)$/.test(f.name))
  .map((f) => path.relative(src, path.join(f.parentPath ?? f.path, f.name)));
const text = Object.fromEntries(await Promise.all(
  files.map(async (f) => [f, await readFile(path.join(src, f), 'utf8')])));
const code = files.filter((f) => !f.startsWith('messages/')).map((f) => text[f]).join('\n');

test('every message is used', () => {
  const unused = [];
  for (const file of files.filter((f) => f.startsWith('messages/'))) {
    // Of catalogues: other tables are looked up by what the server says.
    const catalogues = text[file].match(/^export const \w+ = \{[^]*?^\} as const;/gm).join('\n');
    for (const [, key] of catalogues.matchAll(/^ {2}'([^']+)':/gm)) {
      // In words, or put together of a group and a name: `state.${...}`.
      const group = key.replace(/[^.]*$/, '');
      const isUsed = code.includes(`'${key}'`) || (group && code.includes(`\`${group}\${`)) ||
        (group && code.includes(`\`\${group}.\${`) && code.includes(`named('${group.slice(0, -1)}'`));
      // Of two names: those of charts' choices, whose lists the check of types holds to the messages.
      const [, param, value] = key.match(/^choice\.([^.]+)\.(.+)$/) ?? [];
      const isChoice = param && code.includes(`param: '${param}'`) && code.includes(`'${value}'`);
      if (!isUsed && !isChoice) unused.push(`${file}: ${key}`);
    }
  }
  assert.deepEqual(unused, []);
});

test('every text of the page is a message', () => {
  const bare = [];
  for (const file of files.filter((f) => f.endsWith('.svelte'))) {
    // Options, commands and addresses are the same in every language.
    const markup = text[file].replace(/<(script|style|code)[^>]*>[\s\S]*?<\/\1>/g, '').replace(/"http:[^"]*"/g, '""').replace(/<!--[\s\S]*?-->/g, '')
      .replace(/\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/g, '');
    for (const [, words] of markup.matchAll(/>([^<]*[A-Za-z]{2}[^<]*)</g)) bare.push(`${file}: ${words.trim()}`);
    for (const [, words] of markup.matchAll(/(?:aria-label|title|placeholder|alt)="([^"]*[A-Za-z]{2}[^"]*)"/g)) bare.push(`${file}: ${words}`);
  }
  assert.deepEqual(bare.filter((b) => !/: ?(Cartographus|· Cartographus)$/.test(b)), []);
});

test('nothing is loaded from elsewhere and no type is any', () => {
  for (const file of files) {
    // A link that a reader may follow loads nothing by itself.
    const found = text[file].replace(/href="https:[^"]*"/g, '').match(/https?:\/\/(?!192\.168|www\.w3\.org)[^\s'"`)]+|\bas any\b|: any\b|<any>/);
    assert.equal(found?.[0], undefined, file);
  }
});

// --- colours ------------------------------------------------------------------------------------

const rgb = (hex) => {
  const long = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, '$&$&') : hex;
  return [1, 3, 5].map((i) => parseInt(long.slice(i, i + 2), 16) / 255);
};
const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const luminance = (c) => { const [r, g, b] = c.map(linear); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const contrast = (a, b) => {
  const [x, y] = [luminance(rgb(a)), luminance(rgb(b))].sort((m, n) => n - m);
  return (x + 0.05) / (y + 0.05);
};
// Machado, Oliveira, Fernandes 2009, severity 1, in linear light.
const sights = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
// Oklab: distances are about what an eye sees.
function oklab(linearRgb) {
  const [r, g, b] = linearRgb.map((c) => Math.min(1, Math.max(0, c)));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s];
}
const seen = (hex, sight) => {
  const c = rgb(hex).map(linear);
  return oklab(sights[sight].map((row) => row[0] * c[0] + row[1] * c[1] + row[2] * c[2]));
};
const distance = (a, b, sight) => {
  const [x, y] = [seen(a, sight), seen(b, sight)];
  return Math.hypot(...x.map((v, i) => v - y[i]));
};

const tokens = (selector) => {
  const css = text['styles/tokens.css'];
  const at = css.indexOf(`${selector} {`);
  assert.ok(at >= 0, selector);
  const block = css.slice(at, css.indexOf('}', at));
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{3,6});/gi)].map(([, n, v]) => [n, v]));
};
const themes = {
  light: tokens(':root'), dark: tokens(":root[data-theme='dark']"),
  contrast: tokens(":root[data-theme='contrast']"),
};

test('the dark theme is the same, chosen or of the system', () => {
  assert.deepEqual(tokens(":root:not([data-theme='light'], [data-theme='contrast'])"), themes.dark);
});

for (const [name, c] of Object.entries(themes)) {
  test(`${name}: text and drawings stand out`, () => {
    for (const ink of ['text', 'quiet', 'faint', 'accent', 'good', 'warn', 'bad']) {
      for (const ground of ['ground', 'card', 'raised', 'sunken', 'hover']) {
        assert.ok(contrast(c[ink], c[ground]) >= 4.5, `${ink} on ${ground}: ${contrast(c[ink], c[ground]).toFixed(2)}`);
      }
    }
    for (const [ink, ground] of [['on-accent', 'accent'], ['on-accent', 'accent-strong'], ['accent', 'accent-soft'], ['text', 'accent-soft'],
      ['good', 'good-soft'], ['warn', 'warn-soft'], ['bad', 'bad-soft'],
      ['direct', 'card'], ['copy', 'card'], ['transcode', 'card'], ['unknown', 'card']]) {
      assert.ok(contrast(c[ink], c[ground]) >= 4.5, `${ink} on ${ground}: ${contrast(c[ink], c[ground]).toFixed(2)}`);
    }
    for (let n = 1; n <= 8; n++) {
      const ratio = contrast(c[`series-${n}`], c.card);
      assert.ok(ratio >= 3, `series-${n} on card: ${ratio.toFixed(2)}`);
    }
    assert.ok(contrast(c['line-strong'], c.raised) >= 3, 'edges of fields');
  });

  test(`${name}: nobody confuses two series, two decisions or two steps`, () => {
    for (const sight of Object.keys(sights)) {
      const apart = (a, b, least) => {
        const d = distance(c[a], c[b], sight);
        assert.ok(d >= least, `${a} and ${b} for ${sight}: ${d.toFixed(3)}`);
      };
      for (let a = 1; a <= 8; a++) {
        for (let b = a + 1; b <= 8; b++) apart(`series-${a}`, `series-${b}`, 0.095);
      }
      const decisions = ['direct', 'copy', 'transcode', 'unknown'];
      decisions.forEach((a, i) => decisions.slice(i + 1).forEach((b) => apart(a, b, 0.09)));
      for (let n = 1; n < 7; n++) apart(`ramp-${n}`, `ramp-${n + 1}`, 0.04);
    }
  });
}
