// Settings: API tokens are made, shown once and removed; the audit log tells of it; about says how the
// program is, and gives the support bundle.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDemo } from './browser.mjs';

const { demo, on } = await openDemo();
const opens = async (secret, route = '/plays') =>
  (await fetch(`${demo.origin}/api/v1${route}`, { headers: { authorization: `Bearer ${secret}` } })).status;

test('a token is made, shown once, used, and removed after a second click', on({}, async (page, { expect }) => {
  await page.goto('/settings/tokens');
  await page.getByLabel('What it is for').fill('Home dashboard');
  await page.getByLabel('It expires').selectOption({ label: 'in 30 days' });
  await page.getByRole('button', { name: 'Make a token' }).click();
  await page.getByRole('heading', { name: 'Copy it now: Home dashboard' }).waitFor();
  const secret = await page.getByLabel('The token', { exact: true }).inputValue();
  assert.match(secret, /^cgt_[\w-]{43}$/);
  assert.equal(await opens(secret), 200);
  assert.equal(await opens(secret, '/backups'), 403);
  await page.getByRole('button', { name: 'I have it' }).click();
  await page.reload();
  const line = page.getByRole('listitem').filter({ hasText: 'Home dashboard' });
  await line.getByText(/^used .* from 127\.0\.0\.1$/).waitFor();
  assert.ok(!(await page.content()).includes(secret));

  await page.getByLabel('What it is for').fill('Home dashboard');
  await page.getByRole('button', { name: 'Make a token' }).click();
  assert.match(await page.getByRole('alert').textContent(), /there is a token 'Home dashboard' already/);
  expect(/409/);

  await page.getByRole('button', { name: 'Remove the token Home dashboard' }).click();
  await line.getByRole('button', { name: 'Yes, remove it' }).click();
  await line.waitFor({ state: 'detached' });
  assert.match(String(await opens(secret)), /^(401|429)$/);
}));

test('the audit log shows what was done, and can be narrowed down', on({}, async (page) => {
  await page.goto('/settings/audit');
  const rows = page.locator('ol > li');
  await rows.filter({ hasText: 'Removed an API token' }).first().waitFor();
  await rows.filter({ hasText: 'Made an API token' }).filter({ hasText: 'Home dashboard, of admin, scope read' }).first().waitFor();
  await page.getByLabel('Show').selectOption({ label: 'Logins' });
  await rows.filter({ hasText: 'Made an API token' }).first().waitFor({ state: 'detached' });
  await rows.filter({ hasText: 'Logged in' }).first().waitFor();
  await page.getByLabel('Show').selectOption({ label: 'Everything' });
  await page.getByLabel('About').fill('nothing is called so');
  await page.getByText('Nothing of the kind is noted.').waitFor();
}));

test('about says the version and how the parts are, and gives the support bundle', on({}, async (page) => {
  await page.goto('/settings/about');
  const { version } = await demo.ask('/about');
  await page.getByText(version, { exact: true }).waitFor();
  for (const part of ['Store', 'Media servers', 'Log', 'Backups', 'Disk', 'Audit log'])
    await page.getByRole('list', { name: 'Health' }).getByText(part, { exact: true }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download support bundle' }).click()]);
  assert.match(download.suggestedFilename(), /^cartographus-support-\d{8}-\d{6}\.tar\.gz$/);
  assert.equal(await download.failure(), null);
}));
