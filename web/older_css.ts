// Styles for the oldest browsers (browsers.json), where what brings them down to those does not reach: Safari
// 14.0 has no `inset` and no logical pairs (a value with a var() is left as it is otherwise), and Chrome 90 and
// Safari 14 know start and end of a flex box by its own words only, which a grid takes as the same.
import type { Plugin } from 'postcss';

const pairs: Record<string, readonly [string, string]> = {
  'inset-block': ['top', 'bottom'],
  'inset-inline': ['left', 'right'],
  'margin-block': ['margin-block-start', 'margin-block-end'],
  'margin-inline': ['margin-inline-start', 'margin-inline-end'],
  'padding-block': ['padding-block-start', 'padding-block-end'],
  'padding-inline': ['padding-inline-start', 'padding-inline-end'],
};

// At the blanks that are in no brackets.
function parts(value: string): string[] {
  const found = [''];
  let depth = 0;
  for (const c of value.trim()) {
    depth += c === '(' ? 1 : c === ')' ? -1 : 0;
    if (c === ' ' && depth === 0) found.push('');
    else found[found.length - 1] += c;
  }
  return found.filter((part) => part !== '');
}

function writtenOut(prop: string, value: string): [string, string][] | null {
  const [a = '', b = a, c = a, d = b] = parts(value);
  if (prop === 'inset') return [['top', a], ['right', b], ['bottom', c], ['left', d]];
  const pair = pairs[prop];
  return pair ? [[pair[0], a], [pair[1], b]] : null;
}

export const olderCss: Plugin = {
  postcssPlugin: 'older-css',
  Declaration(declaration) {
    if (/^(justify|align)-content$/.test(declaration.prop) && /^(start|end)$/.test(declaration.value))
      declaration.value = `flex-${declaration.value}`;
    const all = writtenOut(declaration.prop, declaration.value);
    if (!all) return;
    for (const [prop, value] of all) declaration.cloneBefore({ prop, value });
    declaration.remove();
  },
};
