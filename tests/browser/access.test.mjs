// Every place, light, dark and in high contrast, wide and on a phone, held against WCAG 2.2 AA by axe.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { openDemo, phone, wide } from './browser.mjs';

const { on } = await openDemo();

// Links in the header and in the menu: every place that there is.
async function addresses(page) {
  await page.goto('/');
  await page.locator('article.stream').first().waitFor();
  const links = () => page.evaluate(() => [...document.querySelectorAll('nav a, [popover] a')].map((a) => a.pathname));
  const bar = await links();
  await page.getByRole('button', { name: 'Menu of admin' }).click();
  const all = new Set([...bar, ...(await links())]);
  await page.keyboard.press('Escape');
  await page.goto('/settings');
  await page.locator('nav.settings a').first().waitFor();
  for (const address of await page.locator('nav.settings a').evaluateAll((links) => links.map((a) => a.pathname))) all.add(address);
  return [...all, '/people/1', '/settings/titles/1'];
}

// Everything asked and answered; what waits to be scrolled to, too.
async function settle(page) {
  await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
  await page.evaluate(async () => {
    // A history may be a thousand screens long: what waits is on the first ones.
    for (let y = 0; y < Math.min(document.documentElement.scrollHeight, 20 * innerHeight); y += innerHeight / 2) {
      scrollTo(0, y);
      await new Promise(requestAnimationFrame);
    }
    scrollTo(0, 0);
  });
  await page.waitForLoadState('networkidle');
  await page.locator('section[aria-busy=true]').first().waitFor({ state: 'detached', timeout: 60000 });
}

const looks = [['light', 'wide', wide], ['dark', 'wide', wide], ['light', 'phone', phone], ['contrast', 'phone', phone]];
for (const [theme, name, size] of looks) {
  test(`${theme}, ${name}: no place has a fault`, on({ theme, size, reducedMotion: 'reduce' }, async (page) => {
    const faults = {};
    for (const address of await addresses(page)) {
      await page.goto(address);
      await settle(page);
      const found = await faultsOf(page);
      if (found.length) faults[address] = found;
    }
    assert.deepEqual(faults, {});
  }));
}

test('what opens has no fault either: filters, menus, a play', on({ reducedMotion: 'reduce' }, async (page) => {
  const faults = {};
  const check = async (what) => {
    const found = await faultsOf(page);
    if (found.length) faults[what] = found;
  };
  await page.goto('/history');
  await settle(page);
  await page.getByRole('button', { name: /^Dates/ }).click();
  await check('dates');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'People' }).click();
  await page.getByRole('checkbox').first().waitFor();
  await check('people');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Export' }).click();
  await page.getByRole('link', { name: /^Parquet/ }).waitFor();
  await check('export');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Menu of admin' }).click();
  await check('menu');
  await page.keyboard.press('Escape');
  await page.getByRole('row').nth(2).getByRole('link').click();
  await page.getByRole('dialog').getByText('Why this number').waitFor();
  await settle(page);
  await check('play');
  assert.deepEqual(faults, {});
}));

test('the login has no fault', on({ isLoggedIn: false }, async (page) => {
  await page.goto('/');
  await page.getByLabel('Password').waitFor();
  assert.deepEqual(await faultsOf(page), []);
}));
