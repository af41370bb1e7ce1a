// Users under Settings, by an administrator; and the page as a viewer has it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { openDemo, phone, until } from './browser.mjs';

const { demo, on } = await openDemo();
const secret = 'a password of a viewer';
const removeAll = async () => {
  for (const user of (await demo.ask('/users')).users)
    if (!user.is_configured) await demo.ask(`/users/${user.id}`, { method: 'DELETE' });
};
const logIn = async (page, name) => {
  await page.goto('/');
  await page.getByLabel('User name').or(page.getByLabel('Name')).first().fill(name);
  await page.getByLabel('Password').fill(secret);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: `Menu of ${name}` }).waitFor();
};
const newViewer = async (name) => (await demo.ask('/users', { method: 'POST', body: JSON.stringify({ name, password: secret }) })).id;
const busiest = async () => (await demo.ask('/user-accounts')).accounts[0];

test('an administrator makes a login, gives it an account, takes it away, disables and deletes it', on({}, async (page) => {
  await page.goto('/settings/users');
  await page.getByText('Sees everything', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Add a login' }).click();
  await page.getByLabel('Name').fill('berta');
  await page.getByLabel('Password').fill(secret);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText('berta can log in now.').waitFor();
  const row = page.locator('main li').filter({ hasText: 'berta' }).first();
  await row.getByText('Sees nothing yet').waitFor();
  const account = await busiest();
  await row.getByRole('button', { name: 'Add an account to berta' }).click();
  await page.getByRole('searchbox', { name: 'Name, person or server' }).fill(account.account);
  await page.getByRole('button', { name: `${account.account} on ${account.server_name}` }).first().click();
  await row.getByText('Sees nothing yet').waitFor({ state: 'hidden' });
  const seen = async () => (await demo.ask('/users')).users.find((u) => u.name === 'berta');
  assert.deepEqual((await seen()).accounts.map((a) => a.key), [account.key]);
  await row.getByRole('button', { name: /^Take .* away from berta$/ }).click();
  await row.getByText('Sees nothing yet').waitFor();
  await row.getByRole('button', { name: 'More for berta' }).click();
  await page.getByRole('button', { name: /^Disable/ }).click();
  await row.getByText('Disabled').waitFor();
  assert.equal((await seen()).is_disabled, true);
  await row.getByRole('button', { name: 'More for berta' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await row.getByRole('button', { name: 'Yes, delete it' }).click();
  await page.getByText('berta is deleted.').waitFor();
  assert.equal(await seen(), undefined);
}));

test('what is wrong is said in the form', on({}, async (page, opened) => {
  await page.goto('/settings/users');
  await page.getByRole('button', { name: 'Add a login' }).click();
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(secret);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('alert').getByText(/there is a login 'admin' already/).waitFor();
  opened.expect(/409/);
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await page.getByLabel('Password').count(), 0);
}));

test('a viewer without an account is told why there is nothing, and the page fills when one is given', on({ isLoggedIn: false }, async (page, opened) => {
  const id = await newViewer('carla');
  try {
    await logIn(page, 'carla');
    for (const place of ['/', '/history', '/map', '/explore']) {
      await page.goto(place);
      await page.getByRole('heading', { name: 'There is nothing for you to see yet' }).waitFor();
      await page.getByText('Settings › Users, at carla').waitFor();
      assert.deepEqual(await faultsOf(page), [], place);
    }
    const account = await busiest();
    await page.goto('/history');
    await page.getByRole('heading', { name: 'There is nothing for you to see yet' }).waitFor();
    await demo.ask(`/users/${id}/links/${account.server}/${account.key}`, { method: 'PUT' });
    await page.getByText(/plays of yours$/).waitFor();
    await demo.ask(`/users/${id}`, { method: 'DELETE' });
    await page.getByLabel('Password').waitFor();
    opened.expect(/401/);
  } finally {
    await removeAll();
  }
}));

test('a viewer\'s page speaks of their own plays and shows nothing that is not for them', on({ isLoggedIn: false }, async (page) => {
  const account = await busiest(), id = await newViewer('doris');
  await demo.ask(`/users/${id}/links/${account.server}/${account.key}`, { method: 'PUT' });
  try {
    await logIn(page, 'doris');
    await page.goto('/history');
    await page.getByText(/plays of yours$/).waitFor();
    assert.equal(await page.getByRole('button', { name: 'People' }).count(), 0);
    await page.getByRole('columnheader', { name: 'Title' }).waitFor();
    assert.equal(await page.getByRole('columnheader', { name: 'Person' }).count(), 0);
    await page.keyboard.press('/');
    await page.getByRole('combobox', { name: 'Search titles' }).fill(account.person ?? account.account);
    await page.getByRole('option', { name: /^All plays with the words/ }).waitFor();
    assert.equal(await page.getByRole('group', { name: 'People' }).count(), 0);
    await page.keyboard.press('Escape');
    await page.getByRole('row').nth(2).getByRole('link').click();
    await page.getByRole('dialog').getByText('Why this number').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Delete' }).count(), 0);
    await page.keyboard.press('Escape');
    await page.goto('/');
    await page.getByText(/plays? of yours today/).waitFor();
    assert.equal(await page.getByText('people today').count(), 0);
    await page.getByRole('button', { name: 'Menu of doris' }).click();
    await page.getByText(`${account.account} on ${account.server_name}`).waitFor();
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('heading', { level: 1, name: 'API tokens' }).waitFor();
    assert.deepEqual(await page.getByRole('navigation', { name: 'Settings' }).getByRole('link').allTextContents(), ['API tokens', 'API']);
    await page.goto('/');
    await page.getByText(/plays? of yours today/).waitFor();
    await page.getByRole('button', { name: /^Servers:/ }).click();
    assert.equal(await page.getByRole('button', { name: 'Ask all servers now' }).count(), 0);
    await page.keyboard.press('Escape');
    await page.goto('/explore');
    await page.getByRole('heading', { name: 'Titles' }).first().waitFor();
    assert.equal(await page.getByRole('heading', { name: 'People', exact: true }).count(), 0);
    assert.deepEqual(await faultsOf(page), []);
    await page.goto('/settings/users');
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  } finally {
    await removeAll();
  }
}));

for (const [name, options] of Object.entries({ wide: {}, dark: { theme: 'dark' }, phone: { size: phone } }))
  test(`Users has no fault of access, ${name}`, on({ reducedMotion: 'reduce', ...options }, async (page) => {
    const account = await busiest(), id = await newViewer('emil');
    await newViewer('frieda with a long name of many words');
    await demo.ask(`/users/${id}/links/${account.server}/${account.key}`, { method: 'PUT' });
    try {
      await page.goto('/settings/users');
      await page.getByText(`on ${account.server_name}`).waitFor();
      assert.deepEqual(await faultsOf(page), []);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/users-${name}.png` });
      await page.getByRole('button', { name: 'Add an account to emil' }).click();
      await until('accounts are offered', async () => ({ is: (await page.locator('[popover] li button').count()) > 3, value: 0 }), 20000);
      assert.deepEqual(await faultsOf(page), []);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/users-${name}-picker.png` });
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'More for emil' }).click();
      assert.deepEqual(await faultsOf(page), []);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/users-${name}-menu.png` });
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Add a login' }).click();
      await page.getByLabel('Password').waitFor();
      assert.deepEqual(await faultsOf(page), []);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/users-${name}-form.png` });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} px too wide`);
    } finally {
      await removeAll();
    }
  }));
