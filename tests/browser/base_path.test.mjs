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
  const places = page.getByRole('navigation', { name: 'Places' }).getByRole('link');
  const count = await places.count();
  assert.ok(count >= 4, String(count));
  for (let i = 0; i < count; i++) {
    const name = (await places.nth(i).textContent()).trim();
    await places.nth(i).click();
    await page.locator('main h1', { hasText: name }).waitFor();
    assert.ok(isBelow(new URL(page.url()).pathname), page.url());
    const links = await page.locator('a[href]').evaluateAll((all) => all.map((a) => a.href));
    const own = links.map((href) => new URL(href)).filter((url) => url.origin === program.url(''));
    assert.ok(own.length > count);
    assert.deepEqual(own.map((url) => url.pathname).filter((pathname) => !isBelow(pathname)), [], name);
    // The same place when it is opened by its address.
    await page.reload();
    await page.locator('main h1', { hasText: name }).waitFor();
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
