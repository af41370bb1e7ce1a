// What the guide says of the page: rows 30, 33, 48, 49 by their numbers, in a real browser. Part of
// tests/browser/all.mjs, whose demo it shares.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { chromium } from 'playwright-core';
import { executablePath, openDemo, openPage, password, startBrowser, until } from '../browser/browser.mjs';
import { startProgram } from '../integration/program.mjs';
import { Children, startSimulator } from '../integration/simulator.mjs';
import { kinds } from './commands.mjs';

const { demo, on } = await openDemo();
const children = new Children();
after(() => children.end());

test('row 30: a browser without WebGL says so and what helps, and has a table of the same places', async (t) => {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-3d-apis'] });
  t.after(() => browser.close());
  const { page, close } = await openPage(browser, demo);
  await page.goto('/map?days=365');
  const note = page.getByRole('status').filter({ hasText: 'WebGL' });
  const said = await note.textContent();
  for (const word of ['WebGL is switched off or missing', 'hardware acceleration', 'Chrome 90+', 'Firefox 88+', 'Safari 14+']) assert.ok(said.includes(word), word);
  const { data } = await demo.ask('/analytics/locations?days=365&tz=Europe/Berlin');
  const wanted = data.filter((row) => row.latitude !== null).map((row) => row.city || row.country).sort();
  const rows = page.locator('.list tbody').first().getByRole('button');
  await rows.first().waitFor();
  const names = (await rows.allTextContents()).map((text) => text.split(',')[0].trim()).sort();
  assert.ok(wanted.length > 5);
  assert.deepEqual(names, wanted);
  await close();
});

test('row 33: clearing the cookies of the site logs out whole, and a stale cookie blocks no login', on({}, async (page, { context, expect }) => {
  const login = async () => {
    await page.getByLabel('User name').fill('admin');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();
  };
  await page.goto('/history');
  await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();
  await context.clearCookies();
  await page.reload();
  await page.getByLabel('Password').waitFor();
  assert.equal(await page.evaluate(() => fetch('/api/v1/plays').then((answer) => answer.status)), 401);
  await login();
  // What an older login left: revoked, forged, of another program, more than one.
  const own = demo.cookie.name;
  for (const stale of [{ name: own, value: '0'.repeat(64) }, { name: own, value: 'x' }, { name: own, value: 'y'.repeat(3000) }, { name: 'session', value: 'z' }]) {
    await context.clearCookies();
    await context.addCookies([{ ...stale, url: demo.origin }]);
    await page.goto('/history');
    await login();
  }
  // The browser tells of each refused call, whenever it likes.
  expect(/401/);
}));

test('row 48: where a range of dates is empty the page names it and offers all time', on({}, async (page) => {
  for (const place of ['/history', '/explore', '/map']) {
    await page.goto(`${place}?start_date=2001-01-01&end_date=2001-01-31`);
    const main = page.getByRole('main');
    await main.getByText(/in this time: .*1 Jan(uary)? 2001.*31 Jan(uary)? 2001/).first().waitFor();
    await main.getByRole('link', { name: 'Show all time' }).first().click();
    await page.waitForURL((url) => url.pathname === place && !url.searchParams.has('start_date'));
    await main.getByText(/in this time/).first().waitFor({ state: 'detached' });
    if (place === '/history') await main.getByRole('table').getByRole('row').nth(10).waitFor();
  }
}));

test('row 49: the page tells no plays yet from a history that cannot be read', async (t) => {
  const sim = await startSimulator(children, 1, 0);
  const program = await startProgram(sim.environment());
  t.after(program.stop);
  const cookie = await program.login();
  const [name, value] = cookie.split('=');
  await until('every server is read', async () => {
    const status = await (await fetch(program.url('/api/v1/sync/status'))).json();
    return { is: status.servers.length > 0 && status.servers.every((s) => s.percent === 100), value: status };
  }, 20000);
  const browser = await startBrowser();
  t.after(() => browser.close());
  const { page, close } = await openPage(browser, { origin: program.url(''), cookie: { name, value, url: program.url('') } });
  await page.goto('/history');
  await page.getByRole('heading', { name: 'No plays yet' }).waitFor();
  const main = page.getByRole('main');
  await main.getByText('No plays on this server yet.').nth(2).waitFor();
  assert.equal(await main.getByText('cannot be read').count(), 0);
  for (const kind of kinds) await sim.fault(kind, 'forbidden', 60000);
  await fetch(program.url('/api/v1/sync/trigger'), { method: 'POST', headers: { cookie } });
  await main.getByText('Its history cannot be read: the server refuses the token (HTTP 403)').nth(2).waitFor();
  assert.equal(await main.getByText('No plays on this server yet.').count(), 0);
  // Where nothing was ever played no chart speaks of a filter, or of plays.
  await page.goto('/explore');
  for (const chart of ['plays-over-time', 'week']) await main.locator(`#chart-${chart}`).getByText('No plays yet.').waitFor();
  assert.equal(await main.getByText(/Take a filter away|Of these plays/).count(), 0);
  await close();
});
