// What the checks of the guide share: the program's command line, and a line typed into a shell.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { build } from '../integration/simulator.mjs';
import { password } from '../integration/program.mjs';

export const binary = path.resolve(build, 'cartographus');
export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const kinds = ['plex', 'jellyfin', 'emby'];
// What serve needs, but for media servers.
export const needed = { JWT_SECRET: 'x'.repeat(48), ADMIN_USERNAME: 'admin', ADMIN_PASSWORD: password };

function toEnd(command, args, { env = {}, cwd } = {}) {
  const began = Date.now();
  const child = spawn(command, args, { cwd, env: { PATH: `${process.env.PATH}:/usr/sbin`, ...env } });
  const result = { text: '', out: '' };
  child.stdout.on('data', (chunk) => { result.text += chunk; result.out += chunk; });
  child.stderr.on('data', (chunk) => { result.text += chunk; });
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...result, code, ms: Date.now() - began })));
}
// Runs to the end; nothing but what is given is in the environment.
export const run = (args, options) => toEnd(binary, args, options);
// A line as the guide has it.
export const type = (line, options) => toEnd('bash', ['-c', line], options);
