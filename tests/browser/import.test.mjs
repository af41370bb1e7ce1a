// A history is brought along by dropping a file: looked through, confirmed, shown, undone.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { binary } from '../integration/simulator.mjs';
import { openDemo, until } from './browser.mjs';

const ROWS = 3000;
const folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
const file = path.join(folder, 'tautulli.db');
await promisify(execFile)(binary, ['tautulli', '--out', file, '--seed', '7', '--rows', String(ROWS), '--days', '300']);
const { demo, on } = await openDemo();
after(() => rm(folder, { recursive: true }));

// As from a file manager.
async function drop(page, name, bytes) {
  const data = await page.evaluateHandle(([called, base64]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], called));
    return transfer;
  }, [name, bytes.toString('base64')]);
  const zone = page.locator('label.drop');
  for (const event of ['dragenter', 'dragover', 'drop']) await zone.dispatchEvent(event, { dataTransfer: data });
}
const total = async () => (await demo.ask('/plays?limit=1')).total;
const figure = async (page, label) => Number((await page.locator('dl div').filter({ hasText: label }).locator('dd').textContent()).replaceAll(',', ''));

test('a dropped database is looked through, imported when confirmed, and undone', on({}, async (page) => {
  await page.goto('/settings/import');
  const imports = (await demo.ask('/import')).imports.length;
  const before = await total();
  await drop(page, 'old.db', await readFile(file));
  await page.getByRole('heading', { name: 'This is what old.db holds' }).waitFor();
  const added = await figure(page, 'to add');
  const skipped = await figure(page, 'left out');
  assert.equal(added + skipped, ROWS);
  assert.ok(await figure(page, 'people') > 1);
  assert.equal((await demo.ask('/import')).imports.length, imports, 'nothing is written yet');

  await page.getByRole('button', { name: /^Import [\d,]+ rows/ }).click();
  await page.getByRole('heading', { name: 'old.db is imported' }).waitFor({ timeout: 60000 });
  assert.equal(await figure(page, 'added'), added);
  await until('its plays count', async () => {
    const value = await total();
    return { is: value > before, value };
  }, 15000);
  await page.getByRole('link', { name: 'See the plays' }).click();
  await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();

  await page.goto('/settings/import');
  const line = page.getByRole('listitem').filter({ hasText: 'old.db' });
  await line.getByText('done').waitFor();
  const with_ = await total();
  await page.getByRole('button', { name: 'Undo the import of old.db' }).click();
  await line.getByRole('button', { name: 'Yes, undo it' }).click();
  await line.getByText('undone').waitFor();
  await until('its plays do not count any more', async () => {
    const value = await total();
    return { is: value < with_, value };
  }, 15000);
}));

test('what is no known format is refused, and another file can be chosen', on({}, async (page, { expect }) => {
  await page.goto('/settings/import');
  await drop(page, 'holiday.jpg', Buffer.from('this is not a database'.repeat(100)));
  assert.match(await page.getByRole('alert').textContent(), /format|database/);
  expect(/400/);
  await page.getByRole('button', { name: 'Choose another file' }).click();
  await page.getByText('Drop a file here').waitFor();
}));
