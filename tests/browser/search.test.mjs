// The search of the page: opened by key, button and phone, walked by keyboard, a typo forgiven, its hits lead
// to their plays; an answer that was overtaken is never shown; what fails says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { openDemo, phone, until } from './browser.mjs';

const { demo, on } = await openDemo();

const assertAccessible = async (page) => assert.deepEqual(await faultsOf(page), []);
const box = (page) => page.getByRole('combobox', { name: 'Search titles and people' });
const hits = (page) => page.getByRole('option');
const ready = async (page, path = '/') => {
  await page.goto(path);
  await page.getByRole('heading', { level: 1 }).first().waitFor();
};
const chosen = (page) => page.locator('[role=option][aria-selected=true]');
// Two letters of a word of 4 letters or more in each other's place.
const mistyped = (name) => name.replace(/(\p{L})(\p{L})(?=\p{L}{2})/u, '$2$1');
const shows = async () => (await demo.ask('/analytics/popular?group=show&media_types=episode&limit=50')).data
  .map((row) => row.title).filter((title) => mistyped(title) !== title);

test('a key opens it, a typo is forgiven, and Enter goes to the plays of the hit', on({}, async (page) => {
  await ready(page);
  const [show] = await shows();
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.keyboard.press('/');
  await box(page).waitFor();
  assert.ok(await box(page).evaluate((one) => one === document.activeElement), 'the box has the focus');
  await page.keyboard.type(mistyped(show));
  await hits(page).filter({ hasText: show }).first().waitFor();
  assert.match(await chosen(page).textContent(), new RegExp(show.replace(/[^\p{L}\p{N} ]/gu, '.')));
  assert.ok(asked.filter((path) => path.endsWith('/search/fuzzy')).length < mistyped(show).length, 'not each letter asks');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('shows'), show.replace(/[\\,]/g, '\\$&'));
  await box(page).waitFor({ state: 'detached' });
  await page.locator('[data-row] .heading').first().waitFor();
  assert.deepEqual([...new Set(await page.locator('[data-row] .heading').allTextContents())], [show]);
}));

test('its list is a combobox that the keyboard walks, and is accessible in each appearance', on({}, async (page) => {
  await ready(page);
  await page.keyboard.press('Control+k');
  await box(page).waitFor();
  await assertAccessible(page);
  await page.keyboard.type('the');
  await hits(page).first().waitFor();
  const count = await hits(page).count();
  assert.ok(count > 2, `${count} hits`);
  const first = await chosen(page).getAttribute('id');
  assert.equal(await box(page).getAttribute('aria-activedescendant'), first);
  await page.keyboard.press('ArrowDown');
  const second = await chosen(page).getAttribute('id');
  assert.notEqual(second, first);
  assert.equal(await box(page).getAttribute('aria-activedescendant'), second);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  assert.equal(await chosen(page).getAttribute('id'), 'hit-more', 'it goes around');
  assert.ok(await box(page).evaluate((one) => one === document.activeElement));
  for (const theme of ['light', 'dark', 'contrast']) {
    await page.evaluate((one) => { document.documentElement.dataset.theme = one; }, theme);
    await assertAccessible(page);
  }
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('search'), 'the');
}));

test('a person has their page; Escape closes; a sign typed in a box is a sign', on({}, async (page) => {
  await ready(page, '/history');
  const { people } = await demo.ask('/filters');
  const person = people.find((one) => mistyped(one.name) !== one.name);
  const field = page.getByPlaceholder(/Search/).first();
  await field.fill('');
  await field.press('/');
  assert.equal(await field.inputValue(), '/');
  await field.fill('');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await box(page).fill(person.name);
  const group = page.getByRole('group', { name: 'People' });
  await group.getByRole('option').filter({ hasText: person.name }).first().click();
  await page.waitForURL(new RegExp(`/people/${person.id}$`));
  await page.getByRole('heading', { name: person.name }).first().waitFor();
  await page.keyboard.press('/');
  await box(page).waitFor();
  await page.keyboard.press('Escape');
  await box(page).waitFor({ state: 'detached' });
}));

test('an answer that was overtaken is not shown, and a failure says so and can be tried again', on({}, async (page, { expect }) => {
  await ready(page);
  const [show] = await shows();
  const held = [];
  let isBroken = true;
  await page.route('**/analytics/search/fuzzy?*', async (route) => {
    const q = new URL(route.request().url()).searchParams.get('q');
    if (q === 'slow') held.push(route);
    else if (isBroken) await route.fulfill({ status: 503, json: { error: { code: 'UNAVAILABLE', message: 'too many questions at once', field: '', request_id: 'r-1' } } });
    else await route.continue();
  });
  await page.keyboard.press('/');
  await box(page).fill('slow');
  await until('the slow one is asked', async () => ({ is: held.length === 1, value: held.length }));
  await box(page).fill(show);
  await page.getByRole('alert').filter({ hasText: 'too many questions at once' }).waitFor();
  expect(/503/);
  isBroken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await hits(page).filter({ hasText: show }).first().waitFor();
  await page.getByRole('alert').waitFor({ state: 'detached' });
  await held[0].fulfill({ json: { data: [], meta: {} } }).catch(() => {});
  await box(page).fill('qqxxqq');
  await page.locator('.note').filter({ hasText: 'Nothing that was played is called “qqxxqq”' }).waitFor();
  assert.equal(await hits(page).count(), 1, 'History by these words only');
  await box(page).fill('');
  await page.locator('.note').filter({ hasText: 'a typo is forgiven' }).waitFor();
}));

test('on a phone it fills the screen', on({ size: phone }, async (page) => {
  await ready(page);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await box(page).fill('the');
  await hits(page).first().waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} px wider than the window`);
  const { width, height } = await page.locator('dialog').boundingBox();
  // But for the place of a scroll bar, which a phone has none of.
  assert.ok(width > phone.width - 20 && height === phone.height, `${width} x ${height}`);
  await assertAccessible(page);
  await page.getByRole('button', { name: 'Close the search' }).click();
  await box(page).waitFor({ state: 'detached' });
}));

test('History says what may have been meant where no play has the words', on({}, async (page) => {
  const [show] = await shows();
  await page.goto(`/history?search=${encodeURIComponent(mistyped(show))}`);
  await page.getByRole('heading', { name: 'No plays match these filters' }).waitFor();
  await page.getByText('Did you mean').waitFor();
  await page.getByRole('link', { name: show, exact: true }).first().click();
  await page.locator('[data-row] .heading').first().waitFor();
  const { searchParams } = new URL(page.url());
  assert.deepEqual([searchParams.get('search'), searchParams.get('shows')], [null, show.replace(/[\\,]/g, '\\$&')]);
}));
