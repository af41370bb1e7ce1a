// Settings, SQL: a question is run, refused with the place of its fault, cancelled, kept and taken along.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { openDemo, phone, until } from './browser.mjs';

const { demo, on } = await openDemo();
const editor = (page) => page.getByRole('textbox', { name: 'Question' });
const rows = (page) => page.getByRole('region', { name: 'Answer' }).getByRole('row');

test('a question runs by Ctrl+Enter, is kept, and its rows are a file', on({}, async (page) => {
  await page.goto('/settings/sql');
  await editor(page).fill("select range as n, 'x' || range as name, null as nothing from range(1500)");
  await page.keyboard.press('Control+Enter');
  await page.getByText(/^The first 1,000 rows in .* as of \d{4}-/).waitFor();
  assert.equal(await rows(page).count(), 1001);
  assert.deepEqual(await rows(page).nth(2).getByRole('cell').allTextContents(), ['1', 'x1', '–']);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV of all rows' }).click()]);
  assert.equal(download.suggestedFilename(), 'answer.csv');
  const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
  assert.deepEqual([lines[0], lines.at(-1), lines.length], ['n,name,nothing', '1499,x1499,', 1501]);
  await page.reload();
  assert.match(await editor(page).inputValue(), /^select range as n/);
  await page.getByRole('region', { name: 'Your last questions' }).getByRole('button', { name: /^select range as n/ }).waitFor();
  await page.getByRole('button', { name: 'Forget them' }).click();
  await page.getByText('What you ask is kept here, in this browser only.').waitFor();
}));

test('what is wrong is shown where it is, and nothing else is lost', on({}, async (page, { expect }) => {
  await page.goto('/settings/sql');
  await editor(page).fill('select colour\nfrom play');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  assert.match(await page.getByRole('alert').textContent(), /"colour" not found[^]*LINE 1: select colour\n +\^/);
  expect(/400/);
  assert.equal(await editor(page).inputValue(), 'select colour\nfrom play');
}));

test('a question that takes long is cancelled, and the next one is answered', on({}, async (page) => {
  await page.goto('/settings/sql');
  await editor(page).fill('select count(*) from range(1000000000000)');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByText('Running…').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await page.getByRole('alert').textContent(), 'Cancelled.');
  await editor(page).fill('select 42 as n');
  await page.keyboard.press('Control+Enter');
  await page.getByText(/^1 row in /).waitFor();
}));

test('examples answer, tables tell their columns, and a click puts one into the question', on({ size: phone }, async (page) => {
  await page.goto('/settings/sql');
  const { tables, examples } = await demo.ask('/sql');
  await page.getByRole('button', { name: examples[0].title }).click();
  await rows(page).nth(1).waitFor();
  assert.equal(await editor(page).inputValue(), examples[0].sql);
  for (const { name } of tables) assert.equal(await page.locator('summary').filter({ hasText: new RegExp(`^${name}$`) }).count(), 1, name);
  await editor(page).fill('select ');
  await page.locator('summary').filter({ hasText: /^person$/ }).click();
  await page.getByText('a human, who may have several accounts.').waitFor();
  await page.locator('details[open]').getByRole('button', { name: 'Put person_id into the question' }).click();
  await until('it is there', async () => ({ is: await editor(page).inputValue() === 'select person_id', value: await editor(page).inputValue() }));
  await page.locator('details[open]').getByRole('button', { name: 'Show its first rows' }).click();
  await page.getByRole('columnheader', { name: 'person_id' }).waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the phone');
}));
