// From an empty program to the first play on the page, and what can be done about a server afterwards: in
// a real browser, against simulated servers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { password, freePort, startProgram } from '../integration/program.mjs';
import { Children, startSimulator } from '../integration/simulator.mjs';
import { faultsOf } from './axe.mjs';
import { openPage, phone, startBrowser, until, wide } from './browser.mjs';

const children = new Children();
const folder = process.env.PICTURES; // where pictures of each step go, for people to look at
let sim, program, browser, demo;

before(async () => {
  sim = await startSimulator(children);
  program = await startProgram({ SETUP: 'true' });
  browser = await startBrowser();
  demo = { origin: program.url('') };
});
after(async () => {
  await browser?.close();
  await program?.stop();
  await children.end();
});
const opened = (act, options = {}) => async () => {
  const one = await openPage(browser, demo, { isLoggedIn: Boolean(demo.cookie), reducedMotion: 'reduce', ...options });
  try {
    await act(one.page, one);
  } finally {
    await one.close();
  }
};
const picture = async (page, name) => folder && page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
const servers = async () => {
  const answer = await fetch(program.url('/api/v1/servers'), { headers: { cookie: `${demo.cookie.name}=${demo.cookie.value}` } });
  return (await answer.json()).servers;
};
const looks = [['light', 'wide', wide], ['dark', 'wide', wide], ['light', 'phone', phone], ['contrast', 'phone', phone]];
const checkLooks = (name, act) => {
  for (const [theme, width, size] of looks)
    test(`${name}, ${theme}, ${width}: no fault of access`, opened(async (page, one) => {
      await act(page, one);
      await picture(page, `${name}-${theme}-${width}`);
      assert.deepEqual(await faultsOf(page), []);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `wider than the window by ${overflow}`);
    }, { theme, size }));
};

test('who has logged in is asked for the first server, and for nothing else', opened(async (page) => {
  await page.goto('/history');
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByRole('heading', { name: 'Connect your first media server' }).waitFor();
  assert.equal(await page.getByRole('navigation').count(), 0);
  const cookies = await page.context().cookies();
  const { name, value } = cookies.find((c) => c.name === 'cartographus_session');
  demo.cookie = { name, value, url: demo.origin };
}));

checkLooks('setup', async (page) => {
  await page.goto('/');
  await page.getByRole('heading', { name: 'Connect your first media server' }).waitFor();
  await page.getByText('Where do I find this?').click();
  await page.getByText(/View XML/).waitFor();
});

test('each fault is told with its remedy, before anything is saved', opened(async (page) => {
  const { url, token } = sim.server('plex');
  await page.goto('/');
  await page.getByLabel('Address').fill('plex');
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Test and add' }).click();
  await page.getByText(/has no http:\/\/ or https:\/\//).waitFor();
  await page.getByRole('button', { name: 'Use http://plex:32400' }).click();
  assert.equal(await page.getByLabel('Address').inputValue(), 'http://plex:32400');
  await page.getByLabel('Address').fill(`http://127.0.0.1:${await freePort()}`);
  await page.getByRole('button', { name: 'Test only' }).click();
  await page.getByText(/Connection refused; does it run/).waitFor();
  await page.getByLabel('Address').fill(sim.server('jellyfin').url);
  await page.getByRole('button', { name: 'Test only' }).click();
  await page.getByText('this is a Jellyfin server, not Plex').waitFor();
  await page.getByLabel('Address').fill(url);
  await page.getByLabel('Token').fill('wrong-token-of-a-test');
  await page.getByRole('button', { name: 'Test and add' }).click();
  await page.getByText(/expired, revoked, or not copied whole/).waitFor();
  await picture(page, 'setup-wrong-token');
  assert.deepEqual(await faultsOf(page), []);
  assert.deepEqual(await servers(), []);
}));

test('the first server is added, and what plays on it shows without a restart', opened(async (page) => {
  const { url, token } = sim.server('plex');
  await page.goto('/');
  await page.getByRole('radio', { name: 'Plex' }).check();
  await page.getByLabel('Address').fill(` ${url}/ `);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Test and add' }).click();
  await page.getByRole('heading', { name: 'Nobody is watching right now' }).waitFor();
  await page.getByText('Plex 1').first().waitFor();
  const session = await sim.play('plex', { person: 1, kind: 'movie' });
  await page.locator('article.stream').first().waitFor();
  await sim.act(session, 'stop');
  await page.getByRole('heading', { name: 'Nobody is watching right now' }).waitFor();
}));

const card = (page, name) => page.getByRole('article').filter({ has: page.getByRole('heading', { name }) });

test('one more is added in the settings, its history is read to its end', opened(async (page) => {
  const { url, token } = sim.server('jellyfin');
  await page.goto('/settings/servers');
  await card(page, 'Plex 1').getByText('connected', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Add a media server' }).click();
  await page.getByRole('radio', { name: 'Jellyfin' }).check();
  await page.getByLabel('Address').fill(url);
  await page.getByLabel('Token').fill(token);
  await page.getByLabel('Name').fill('Attic');
  await page.getByRole('button', { name: 'Test and add' }).click();
  await card(page, 'Attic').getByText('connected', { exact: true }).waitFor();
  await card(page, 'Attic').getByText(/History read/).waitFor();
  assert.ok(!(await page.content()).includes(token));
}));

test('tested, asked, switched off and on, called otherwise', opened(async (page) => {
  await page.goto('/settings/servers');
  const attic = card(page, 'Attic');
  await attic.getByRole('button', { name: 'Test: Attic' }).click();
  await attic.getByText(/^This works: Jellyfin 1/).waitFor();
  await attic.getByRole('button', { name: 'Ask now: Attic' }).click();
  await attic.getByRole('button', { name: 'Switch off: Attic' }).click();
  await attic.getByText('switched off').waitFor();
  await attic.getByRole('button', { name: 'Switch on: Attic' }).click();
  await attic.getByText('connected', { exact: true }).waitFor();
  await attic.getByRole('button', { name: 'Edit: Attic' }).click();
  await attic.getByLabel('Name').fill('Cellar');
  await attic.getByRole('button', { name: 'Test and save' }).click();
  await card(page, 'Cellar').getByText('connected', { exact: true }).waitFor();
}));

test('a wrong token is refused in the form, and one that went bad is told on the card', opened(async (page) => {
  await page.goto('/settings/servers');
  const cellar = card(page, 'Cellar');
  await cellar.getByRole('button', { name: 'Edit: Cellar' }).click();
  await cellar.getByLabel('Token').fill('wrong-token-of-a-test');
  await cellar.getByRole('button', { name: 'Test and save' }).click();
  await cellar.getByText(/does not know the token/).waitFor();
  await cellar.getByRole('button', { name: 'Cancel' }).click();
  await cellar.getByText('connected', { exact: true }).waitFor();
  await sim.fault('jellyfin', 'unauthorized', 600000);
  await cellar.getByText('refuses the token', { exact: true }).waitFor();
  await picture(page, 'refused');
  await sim.fault('jellyfin', 'none', 1);
  await cellar.getByText('connected', { exact: true }).waitFor();
}));

checkLooks('servers', async (page) => {
  await page.goto('/settings/servers');
  await card(page, 'Cellar').getByText('connected', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Add a media server' }).click();
  await card(page, 'Cellar').getByRole('button', { name: 'Remove: Cellar' }).click();
});

test('removed: it asks about the plays, keeps them by default, and says where they are', opened(async (page) => {
  await page.goto('/settings/servers');
  const cellar = card(page, 'Cellar');
  await cellar.getByRole('button', { name: 'Remove: Cellar' }).click();
  assert.ok(await cellar.getByRole('radio', { name: /^Keep its/ }).isChecked());
  await cellar.getByRole('button', { name: 'Remove it' }).click();
  await page.getByRole('heading', { name: 'Not watched any more' }).waitFor();
  await page.getByText(/plays are kept/).waitFor();
  await picture(page, 'former');
  assert.deepEqual(await faultsOf(page), []);
  await until('it is gone from the list', async () => {
    const value = (await servers()).map((s) => s.name);
    return { is: value.join() === 'Plex 1', value };
  });
}));
