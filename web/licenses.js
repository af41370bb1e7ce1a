import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

// Vite plugin: licenses.txt, the licence of each package of which something is in the page, as they ask for.
export function licenses() {
  return {
    name: 'licenses',
    apply: 'build',
    generateBundle(_, bundle) {
      const packages = new Map();
      const files = Object.values(bundle).flatMap((one) => one.originalFileNames ?? []).map((name) => path.resolve(name));
      for (const id of [...this.getModuleIds(), ...files]) {
        const folder = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/?]+)/.exec(id)?.[1];
        if (!folder || !existsSync(path.join(folder, 'package.json'))) continue;
        const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
        const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
        const text = file ? readFileSync(path.join(folder, file), 'utf8').trim() : `Licence: ${license ?? 'not told'}`;
        packages.set(`${name} ${version}`, text);
      }
      const parts = [...packages].sort(([a], [b]) => a.localeCompare(b)).map(([name, text]) => `== ${name}\n\n${text}\n`);
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: parts.join('\n') });
    },
  };
}
