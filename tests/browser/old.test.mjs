// The page in a browser from which everything has been taken that the oldest ones it is for lack, and that
// can be taken from one: it is the way through src/old and the page's own fallbacks. What of a browser's
// drawing is old nobody can see here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDemo, password, phone } from './browser.mjs';

const { on: onPage } = await openDemo();

// In the page, before its own scripts.
function makeOld() {
  const lacks = [
    [HTMLElement.prototype, ['showPopover', 'hidePopover', 'togglePopover', 'popover']],
    [HTMLButtonElement.prototype, ['popoverTargetElement', 'popoverTargetAction', 'commandForElement', 'command']],
    [HTMLDialogElement.prototype, ['showModal', 'show', 'close', 'open', 'requestClose', 'closedBy', 'returnValue']],
    [Array.prototype, ['at', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'toSpliced', 'with']],
    [String.prototype, ['at', 'isWellFormed', 'toWellFormed']],
    [Object.getPrototypeOf(Uint8Array.prototype), ['at', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'with']],
    [URLSearchParams.prototype, ['size']], [Intl, ['DisplayNames', 'Segmenter', 'DurationFormat']],
    [Object, ['hasOwn', 'groupBy']], [Map, ['groupBy']], [Promise, ['withResolvers', 'try', 'any']], [AbortSignal, ['timeout', 'any']],
    [Crypto.prototype, ['randomUUID']], [Element.prototype, ['checkVisibility', 'setHTMLUnsafe', 'moveBefore']],
    [Document.prototype, ['startViewTransition']],
    [window, ['HTMLDialogElement', 'ToggleEvent', 'structuredClone', 'Iterator', 'scheduler', 'reportError', 'navigation',
      'WeakRef', 'FinalizationRegistry', 'OffscreenCanvas', 'URLPattern']],
  ];
  for (const [of, names] of lacks) for (const name of names) delete of[name];
  window.stillThere = lacks.flatMap(([of, names]) => names.filter((name) => name in of));
}
const on = (options, act) => onPage(options, async (page, more) => {
  await page.addInitScript(makeOld);
  await page.addInitScript(() => { window.isTakenAway = !('showPopover' in HTMLElement.prototype) && !('at' in []); });
  await act(page, more);
});
const isOld = (page) => page.evaluate('[window.isTakenAway, window.stillThere.join()]');

for (const [where, size] of [['wide', { width: 1440, height: 900 }], ['on a phone', phone]])
  test(`an old browser, ${where}: logging in, the menu, logging out`, on({ isLoggedIn: false, size }, async (page) => {
    await page.goto('/now');
    assert.deepEqual(await isOld(page), [true, '']);
    await page.getByLabel('User name').fill('admin');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
    const menu = page.getByRole('button', { name: 'Menu of admin' });
    const leave = page.getByRole('button', { name: 'Log out', exact: true });
    await menu.click();
    await leave.waitFor();
    assert.equal(await menu.getAttribute('aria-expanded'), 'true');
    const box = await page.getByRole('group', { name: 'Menu of admin' }).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= size.width && box.y >= 0, JSON.stringify(box));
    await page.keyboard.press('Escape');
    await leave.waitFor({ state: 'hidden' });
    assert.ok(await menu.evaluate((button) => button === document.activeElement));
    await menu.click();
    await leave.waitFor();
    await page.mouse.click(5, size.height - 200);
    await leave.waitFor({ state: 'hidden' });
    await menu.click();
    await page.getByRole('radio', { name: 'Dark' }).check();
    assert.equal(await page.evaluate('document.documentElement.dataset.theme'), 'dark');
    await leave.click();
    await page.getByLabel('Password').waitFor();
  }));

test('an old browser: filters are chosen, asked for and in the address', on({}, async (page) => {
  await page.goto('/history');
  await page.locator('[role=row] a').first().waitFor();
  await page.getByRole('button', { name: /^Types/ }).click();
  const asked = page.waitForRequest((request) => /\/api\/v1\/plays\?.*media_types=movie/.test(request.url()));
  await page.getByRole('checkbox', { name: 'Films' }).check();
  await asked;
  await page.waitForURL(/media_types=movie/);
  await page.keyboard.press('Escape');
  await page.getByRole('checkbox', { name: 'Films' }).waitFor({ state: 'hidden' });
  await page.locator('[role=row] a').first().waitFor();
}));

test('an old browser: a play opens over the page, keeps the focus and closes', on({}, async (page) => {
  await page.goto('/history');
  const first = page.locator('[role=row] a').first();
  await first.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Close' }).first().waitFor();
  assert.equal(await dialog.getAttribute('aria-modal'), 'true');
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate('document.querySelector("dialog").contains(document.activeElement)'), `Tab ${i}`);
  }
  const box = await dialog.boundingBox();
  assert.ok(box.x + box.width >= 1400 && box.y === 0, JSON.stringify(box));
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.waitForFunction('!document.querySelector(".old-backdrop")');
  await first.click();
  await dialog.waitFor();
  await page.mouse.click(20, 500);
  await dialog.waitFor({ state: 'detached' });
}));

test('an old browser: charts, and what is behind their numbers', on({}, async (page) => {
  await page.goto('/explore');
  const why = page.getByRole('button', { name: /^Why this number/ }).first();
  await why.click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'detached' });
}));
