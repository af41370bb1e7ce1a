// Settings, API: every route that there is, found by its words, with an example that works as it stands.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { openDemo, password } from './browser.mjs';

const { demo, on } = await openDemo();
const operations = async () => Object.entries((await demo.ask('/openapi.json')).paths)
  .flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => ({ name: `${method.toUpperCase()} ${path}`, role: one['x-role'] })));
const rowsOf = (page) => page.locator('li > details');
const namesOf = async (page) => {
  await rowsOf(page).first().waitFor();
  return rowsOf(page).locator('> summary').evaluateAll((all) => all.map((one) => `${one.children[0].textContent} ${one.children[1].textContent}`));
};

test('every route is there, is found by its words, and its example works', on({}, async (page) => {
  await page.goto('/settings/api');
  assert.deepEqual((await namesOf(page)).sort(), (await operations()).map((one) => one.name).sort());
  await page.getByLabel('Find').fill('post backup now');
  await page.getByText('1 route', { exact: true }).waitFor();
  await page.getByLabel('Find').fill('get /api/v1/plays pages');
  await page.getByText('1 route', { exact: true }).waitFor();
  await rowsOf(page).first().locator('> summary').click();
  for (const heading of ['Parameters', 'Answers', 'Errors', 'Example'])
    await page.getByRole('heading', { name: heading, exact: true }).waitFor();
  await page.getByText('newest first, by pages').waitFor();
  assert.match(await rowsOf(page).locator('pre').first().textContent(), /"rows": \[\{\n {4}"id": int\n[^]*"total": int/);

  const { secret, token } = await demo.ask('/tokens', { method: 'POST', body: JSON.stringify({ name: 'for the example', days: 1 }) });
  const example = await rowsOf(page).locator('pre').last().textContent();
  assert.match(example, /^curl '/);
  const answer = JSON.parse(execFileSync('sh', ['-c', example.replace('cgt_…', secret)], { stdio: ['ignore', 'pipe', 'ignore'] }));
  assert.ok(answer.rows.length > 0);
  await demo.ask(`/tokens/${token.id}`, { method: 'DELETE' });

  await page.getByLabel('Find').fill('nothing is called so');
  await page.getByText('No route is called so.').waitFor();
}));

test('every route can be opened', on({}, async (page) => {
  await page.goto('/settings/api');
  const count = (await namesOf(page)).length;
  await rowsOf(page).evaluateAll((all) => { for (const one of all) one.open = true; });
  await page.waitForFunction((n) => document.querySelectorAll('li > details > .all').length === n, count);
  assert.doesNotMatch(await page.locator('main').textContent(), /undefined|\[object|NaN/);
}));

test('a viewer is shown what they may ask', on({ isLoggedIn: false }, async (page) => {
  const name = 'reader of the api';
  const { id } = await demo.ask('/users', { method: 'POST', body: JSON.stringify({ name, password }) });
  const { accounts: [account] } = await demo.ask('/user-accounts');
  await demo.ask(`/users/${id}/links/${account.server}/${account.key}`, { method: 'PUT' });
  await page.goto('/settings/api');
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('What you see on the page').waitFor();
  assert.deepEqual((await namesOf(page)).sort(), (await operations()).filter((one) => one.role !== 'admin').map((one) => one.name).sort());
  await page.goto('about:blank');
  await demo.ask(`/users/${id}`, { method: 'DELETE' });
}));
