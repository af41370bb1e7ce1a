// The page around its places: login, what plays now, navigation, appearance, size.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDemo, password, phone, until } from './browser.mjs';

const { demo, on } = await openDemo();

// What a fresh browser fetches until `act` is done, in bytes of their bodies as they are sent.
async function weigh(page, act) {
  const files = [];
  const take = (response) => {
    const { pathname } = new URL(response.url());
    const bytes = Number(response.headers()['content-length']);
    if (!pathname.startsWith('/api/')) files.push({ url: pathname, bytes });
  };
  page.on('response', take);
  await act();
  await page.waitForLoadState('networkidle');
  page.off('response', take);
  return files;
}
const sum = (files) => files.reduce((all, f) => all + f.bytes, 0);
const list = (files) => files.map((f) => `${f.url} ${f.bytes}`).join('\n');

test('the login fits 30 kB and says what is wrong with a password', on({ isLoggedIn: false }, async (page, { expect }) => {
  const files = await weigh(page, async () => {
    await page.goto('/history');
    await page.getByLabel('Password').waitFor();
  });
  console.log(`login: ${sum(files)} bytes in ${files.length} files`);
  assert.ok(sum(files) <= 30_000, list(files));
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  assert.match(await page.getByRole('alert').textContent(), /password/);
  expect(/401/);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  // Where the reader wanted to go.
  await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();
  await page.getByRole('button', { name: 'Menu of admin' }).click();
  await page.getByRole('button', { name: 'Log out', exact: true }).click();
  await page.getByLabel('Password').waitFor();
}));

test('nothing may run or be shown but what the program itself serves', on({}, async (page) => {
  const answer = await page.goto('/');
  const policy = answer.headers()['content-security-policy'];
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  await page.locator('article.stream').first().waitFor();
}));

test('the page proper with Now fits 120 kB and three calls', on({}, async (page) => {
  const calls = [];
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/api/')) calls.push(pathname);
  });
  const files = await weigh(page, async () => {
    await page.goto('/');
    await page.locator('article.stream').first().waitFor();
  });
  console.log(`shell and Now: ${sum(files)} bytes in ${files.length} files`);
  assert.ok(sum(files) <= 120_000, list(files));
  assert.ok(calls.length <= 3, calls.join(' '));
}));

test('Now shows every session, and they move', on({}, async (page) => {
  await page.goto('/');
  const { sessions } = await demo.ask('/sessions');
  const playing = sessions.find((s) => s.state === 'playing' && s.duration_ms && s.position_ms < s.duration_ms - 120_000);
  const card = page.locator('article.stream').filter({ hasText: playing.person }).first();
  await card.waitFor();
  const at = () => card.locator('progress').evaluate((bar) => bar.value);
  const first = await at();
  await until('the position grows', async () => {
    const value = await at();
    return { is: value > first + 1000, value };
  });
  await until('as many cards as sessions', async () => {
    const [{ sessions: now }, value] = await Promise.all(
      [demo.ask('/sessions'), page.locator('article.stream').count()]);
    return { is: value === now.length, value };
  }, 15000);
  for (const server of (await demo.ask('/sessions')).servers) {
    const line = page.locator('.servers .server').filter({ hasText: server.name });
    assert.match(await line.textContent(), /connected.*data is .* old/s);
  }
}));

test('places change address, title and focus; back goes back; an unknown address says so', on({}, async (page) => {
  await page.goto('/');
  await page.locator('article.stream').first().waitFor();
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/history');
  assert.match(await page.title(), /^History/);
  await until('the heading has the focus', async () => {
    const value = await page.evaluate(() => document.activeElement?.textContent);
    return { is: value === 'History', value };
  });
  assert.equal(await page.getByRole('link', { name: 'History' }).getAttribute('aria-current'), 'page');
  await page.goBack();
  await page.locator('article.stream').first().waitFor();
  await page.goto('/no/such/place');
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
}));

test('the keyboard skips to the content', on({}, async (page) => {
  await page.goto('/');
  await page.locator('article.stream').first().waitFor();
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to content' });
  assert.ok(await skip.evaluate((link) => link === document.activeElement && link.clientWidth > 20));
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
}));

test('the appearance is chosen and remembered', on({ theme: 'auto', colorScheme: 'dark' }, async (page) => {
  await page.goto('/');
  await page.locator('article.stream').first().waitFor();
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.getByRole('button', { name: 'Menu of admin' }).click();
  await page.getByLabel('Light').check();
  const light = await ground();
  assert.notEqual(light, dark);
  await page.getByLabel('High contrast').check();
  assert.equal(await ground(), 'rgb(0, 0, 0)');
  await page.reload();
  await page.locator('article.stream').first().waitFor();
  assert.equal(await ground(), 'rgb(0, 0, 0)');
}));

test('the servers say how they are and are asked when told', on({}, async (page) => {
  await page.goto('/');
  await page.getByRole('button', { name: /3 servers connected/ }).click();
  const asked = page.waitForResponse((r) => r.url().endsWith('/sync/trigger'));
  await page.getByRole('button', { name: 'Ask all servers now' }).click();
  assert.equal((await asked).status(), 202);
}));

test('the demo says how to connect a real server, and can be silenced', on({}, async (page) => {
  await page.goto('/');
  await page.evaluate(() => localStorage.removeItem('demo-note'));
  await page.context().addInitScript(() => localStorage.removeItem('demo-note'));
  await page.reload();
  await page.getByText('Connect your own server').click();
  for (const name of ['PLEX_TOKEN', 'JELLYFIN_API_KEY', 'EMBY_API_KEY']) {
    await page.getByText(name).waitFor();
  }
  await page.getByRole('button', { name: 'Hide this note' }).click();
  assert.equal(await page.getByText('Connect your own server').count(), 0);
}));

test('a phone has its places at the bottom and no sideways scroll', on({ size: phone, isMobile: true, hasTouch: true }, async (page) => {
  for (const path of ['/', '/history']) {
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
    await page.waitForLoadState('networkidle');
    const { right, bottom } = await page.evaluate(() => ({
      right: document.documentElement.scrollWidth - innerWidth,
      bottom: innerHeight - document.querySelector('nav').getBoundingClientRect().bottom }));
    assert.equal(right, 0, path);
    assert.equal(Math.round(bottom), 0, path);
  }
}));

test('a lost connection is said, and found again', on({}, async (page) => {
  await page.routeWebSocket('**/api/v1/ws', (socket) => {
    if (page.isCut) socket.close();
    else {
      page.socket = socket;
      socket.connectToServer();
    }
  });
  await page.goto('/');
  await page.locator('article.stream').first().waitFor();
  page.isCut = true;
  await page.socket.close();
  await page.getByText('Live updates are interrupted').waitFor();
  page.isCut = false;
  await page.getByText('Live updates are interrupted').waitFor({ state: 'detached', timeout: 30000 });
}));
