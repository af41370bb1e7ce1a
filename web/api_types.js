// Writes the types of what the API takes and answers, of the description that the program serves, too
// (scripts/queries writes it: api.gen.json).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const target = new URL('src/lib/api.gen.ts', import.meta.url);
const description = JSON.parse(readFileSync(new URL('api.gen.json', import.meta.url), 'utf8'));
const text = `// Made from the API's description by web/api_types.js.\n${astToString(await openapiTS(description))}`;
// Untouched where nothing is new, so that nothing is built anew.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
