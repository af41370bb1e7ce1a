// One module of the page that imports nothing at run time, for a test of its functions alone.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

const web = path.join(import.meta.dirname, '../../web');
const ts = createRequire(path.join(web, 'package.json'))('typescript');

export async function moduleOfPage(name) {
  const source = await readFile(path.join(web, 'src', name), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { target: 'es2022', module: 'esnext' } });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
}
