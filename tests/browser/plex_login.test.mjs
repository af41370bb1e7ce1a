// Signing in with Plex by a real browser, at a simulated plex.tv.
import assert from 'node:assert/strict';
import os from 'node:os';
import { after, before, test } from 'node:test';
import { startProgram } from '../integration/program.mjs';
import { Children, startSimulator } from '../integration/simulator.mjs';
import { openPage, startBrowser, until } from './browser.mjs';

const children = new Children();
let sim, program, browser;
before(async () => {
  [sim, browser] = await Promise.all([startSimulator(children, 1, 5), startBrowser()]);
  const { url, token } = sim.server('plex');
  program = await startProgram({ AUTH_MODE: 'jwt,plex', PLEX_TV_URL: sim.plexTv, HTTP_HOST: '0.0.0.0',
    ENABLE_PLEX_SYNC: 'true', PLEX_URL: url, PLEX_TOKEN: token });
  const cookie = await program.login();
  await until('the Plex server is known', async () => {
    const { servers } = await (await fetch(program.url('/api/v1/sync/status'), { headers: { cookie } })).json();
    return { is: servers[0]?.percent === 100, value: servers };
  }, 60000);
});
after(async () => {
  await browser?.close();
  await program?.stop();
  await children.end();
});

// A page at which nobody is logged in. act(page, opened)
const on = (origin, act) => async () => {
  const opened = await openPage(browser, { origin: origin() }, { isLoggedIn: false });
  let failure;
  try {
    await opened.page.goto('/');
    await opened.page.getByLabel('Password').waitFor();
    await act(opened.page, opened);
  } catch (error) {
    failure = error;
  }
  await opened.close().catch((error) => { failure ??= error; });
  if (failure) throw failure;
};
const begin = async (page) => {
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Sign in with Plex' }).click()]);
  await page.getByText('Waiting for you to sign in').waitFor();
  return popup;
};
const own = Object.values(os.networkInterfaces()).flat().find((one) => one.family === 'IPv4' && !one.internal)?.address;
for (const host of ['localhost', ...(own ? [own] : [])])
  test(`rows 34, 38: the owner signs in at plex.tv's window and is in, at http://${host}`,
    on(() => `http://${host}:${program.port}`, async (page, { expect }) => {
      const popup = await begin(page);
      await popup.getByRole('button', { name: 'Allow Cartographus as owner' }).click();
      await page.getByRole('button', { name: /^Menu of / }).click();
      await page.getByRole('button', { name: 'Log out', exact: true }).waitFor();
      await until('the window is closed', () => ({ is: popup.isClosed(), value: popup.url() }));
      if (host !== 'localhost') expect(/Cross-Origin-Opener-Policy header has been ignored/); // plain http
    }));
const here = () => program.url('');
test('who has no access reads why', on(here, async (page, { expect }) => {
  const popup = await begin(page);
  await popup.getByRole('button', { name: 'Allow Cartographus as stranger' }).click();
  const said = page.getByRole('alert');
  await said.waitFor();
  assert.match(await said.textContent(), /stranger has no access to the Plex server/);
  await page.getByRole('button', { name: 'Sign in with Plex' }).waitFor();
  expect(/403/);
}));
test('a window that is closed ends the login', on(here, async (page) => {
  const popup = await begin(page);
  await popup.close();
  await page.getByText('was closed before you had signed in').waitFor();
  await page.getByRole('button', { name: 'Sign in with Plex' }).waitFor();
}));
test('it can be cancelled, and begun again', on(here, async (page) => {
  const popup = await begin(page);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await until('the window is closed', () => ({ is: popup.isClosed(), value: popup.url() }));
  await begin(page);
}));
test('where windows are blocked, plex.tv is opened by its link', on(here, async (page) => {
  await page.evaluate('window.open = () => null');
  await page.getByRole('button', { name: 'Sign in with Plex' }).click();
  const [tab] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('link', { name: 'Open plex.tv' }).click()]);
  await tab.getByRole('button', { name: 'Allow Cartographus as owner' }).click();
  await page.getByRole('button', { name: /^Menu of / }).waitFor();
}));
test('a plex.tv that makes no PIN is named', on(here, async (page, { expect }) => {
  await sim.atPlexTv({ fault: 'failing', on: 'pins' });
  await page.getByRole('button', { name: 'Sign in with Plex' }).click();
  await page.getByRole('alert').filter({ hasText: 'made no PIN' }).waitFor();
  await sim.atPlexTv({ fault: 'none' });
  expect(/502/);
}));
