// The page below a path (BASE_PATH): every address that it shows, asks and keeps is below it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startIdle } from '../integration/program.mjs';
import { openPage, password, startBrowser, until } from './browser.mjs';

const base = '/cartographus';
const browser = await startBrowser();
const program = await startIdle({ BASE_PATH: base });
after(async () => {
  await browser.close();
  await program.stop();
});

test('from the login through all places, every address is below the path', async () => {
  const { page, close } = await openPage(browser, { origin: program.url('') }, { isLoggedIn: false });
  const asked = [], sockets = [];
  page.on('request', (request) => request.url().startsWith('http') && asked.push(new URL(request.url()).pathname));
  page.on('websocket', (socket) => sockets.push(new URL(socket.url()).pathname));
  const isBelow = (pathname) => pathname === base || pathname.startsWith(`${base}/`);
  await page.goto(`${base}/settings/import`);
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('main#main h1').waitFor();
  assert.equal(new URL(page.url()).pathname, `${base}/settings/import`);
  // The bar's places, then those of the settings.
  for (const [list, least] of [['Places', 4], ['Settings', 1]]) {
    if (list === 'Settings') await page.goto(`${base}/settings`);
    const links = page.getByRole('navigation', { name: list, exact: true }).getByRole('link');
    await links.first().waitFor();
    const count = await links.count();
    assert.ok(count >= least, `${list}: ${count}`);
    for (let i = 0; i < count; i++) {
      const name = (await links.nth(i).textContent()).trim();
      const shown = () => page.waitForFunction((title) => document.title.startsWith(title) && document.querySelector('main h1'), name);
      await links.nth(i).click();
      await shown();
      assert.ok(isBelow(new URL(page.url()).pathname), page.url());
      const all = await page.locator('a[href]').evaluateAll((those) => those.map((a) => a.href));
      const own = all.map((href) => new URL(href)).filter((url) => url.origin === program.url(''));
      assert.ok(own.length > 4);
      assert.deepEqual(own.map((url) => url.pathname).filter((pathname) => !isBelow(pathname)), [], name);
      // The same place when it is opened by its address.
      await page.reload();
      await shown();
    }
  }
  await page.goBack();
  await until('the socket is open', async () => ({ is: sockets.length > 0, value: sockets }));
  assert.deepEqual([...asked, ...sockets].filter((pathname) => !isBelow(pathname)), []);
  assert.deepEqual([...new Set((await page.context().cookies()).map((cookie) => cookie.path))], [base]);
  await close();
});

test('who comes past the proxy is taken to the path', async () => {
  const { page, close } = await openPage(browser, { origin: program.url('') }, { isLoggedIn: false });
  await page.goto('/history');
  await page.waitForURL(`**${base}/`);
  await page.getByLabel('Password').waitFor();
  await close();
});
