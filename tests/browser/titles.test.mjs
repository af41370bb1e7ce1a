// Titles: found, ordered, joined and parted with a way back; what one is made of. What is changed is changed back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { allIsWritten, startProgram } from '../integration/program.mjs';
import { Children, startSimulator } from '../integration/simulator.mjs';
import { openDemo, openPage, until } from './browser.mjs';

const { demo, browser, on } = await openDemo();
const list = async (query = '') => (await demo.ask(`/titles?limit=50&${query}`)).titles;
const becomes = (what, ask, wanted) => until(what, async () => {
  const value = await ask();
  return { is: JSON.stringify(value) === JSON.stringify(wanted), value };
}, 30000);
const films = async () => (await list('media_type=movie&order=name')).map((one) => one.id);

test('titles are listed, found, ordered and narrowed', on({}, async (page) => {
  const all = await list();
  assert.ok(all.length > 10);
  await page.goto('/settings/titles');
  await page.getByRole('heading', { name: 'Titles', level: 1 }).waitFor();
  const names = () => page.locator('tbody .what a').allTextContents();
  await becomes('all', names, all.map((one) => one.title));
  await page.getByLabel('Kind').selectOption('Films');
  await becomes('films', names, (await list('media_type=movie')).map((one) => one.title));
  await page.getByLabel('Order').selectOption('By name');
  const byName = await list('media_type=movie&order=name');
  await becomes('by name', names, byName.map((one) => one.title));
  await page.getByLabel('Find a title').fill(byName[0].title.toUpperCase());
  await becomes('found', names, (await list(`media_type=movie&order=name&find=${encodeURIComponent(byName[0].title)}`)).map((one) => one.title));
  await page.getByLabel('Find a title').fill('no title is called so');
  await page.getByRole('heading', { name: 'No title is like that' }).waitFor();
  await page.getByRole('link', { name: 'Show all titles' }).click();
  await becomes('all again', names, all.map((one) => one.title));
}));

test('two that are chosen become one, and two again', on({}, async (page) => {
  const before = await films();
  await page.goto('/settings/titles?type=movie&order=name');
  const boxes = page.locator('tbody').getByRole('checkbox');
  await boxes.nth(0).check();
  await page.getByText('1 title chosen').waitFor();
  assert.ok(await page.getByRole('button', { name: 'They are one title' }).isDisabled());
  await boxes.nth(1).check();
  await page.getByRole('button', { name: 'They are one title' }).click();
  await page.getByText(': joined').waitFor();
  await until('one', async () => {
    const value = await films();
    return { is: value.filter((id) => before.slice(0, 2).includes(id)).length === 1, value };
  }, 30000);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('Taken back', { exact: true }).waitFor();
  await becomes('two', films, before);
}));

test('a title says what it is made of; an item leaves and comes back', on({}, async (page) => {
  const [one] = await list('joined=1');
  assert.ok(one, 'a title of several items');
  await page.goto(`/settings/titles/${one.id}`);
  await page.getByRole('heading', { name: one.title, level: 1 }).waitFor();
  const items = page.getByRole('region', { name: 'What it is made of' }).locator('ul > li');
  assert.equal(await items.count(), one.items);
  await items.first().getByText('Known by').click();
  await items.first().getByText(/^item:/).first().waitFor();
  assert.deepEqual(await faultsOf(page), []);
  await items.last().getByRole('button', { name: /^Not this title/ }).click();
  await page.getByText('is a title of its own').waitFor();
  await becomes('parted', async () => (await demo.ask(`/titles/${one.id}`)).items.length, one.items - 1);
  await page.getByRole('region', { name: 'Joined and parted' }).getByText('admin parted').first().waitFor();
  await page.getByRole('region', { name: 'Joined and parted' }).getByRole('button', { name: /^Undo/ }).first().click();
  await page.getByText('Taken back', { exact: true }).waitFor();
  await becomes('joined', async () => (await demo.ask(`/titles/${one.id}`)).items.length, one.items);
}));

// A server that has taken every film for another of its name.
test('what may be one title is suggested, with what speaks for and against it, and answered', async () => {
  const children = new Children();
  const sim = await startSimulator(children, 1, 3);
  await sim.library('emby', { has_wrong_ids: true });
  const program = await startProgram(sim.environment());
  const login = await program.login();
  const [name, value] = login.split('=');
  const ask = async (route) => (await fetch(program.url(`/api/v1${route}`), { headers: { cookie: login } })).json();
  const opened = await openPage(browser, { origin: program.url(''), cookie: { name, value, url: program.url('') } }, {});
  const { page } = opened;
  try {
    await allIsWritten(ask, 3);
    const { suggestions } = await ask('/titles/suggestions');
    assert.ok(suggestions.length > 4, JSON.stringify(suggestions));
    assert.ok(suggestions.every((one) => one.against === 'ids'), JSON.stringify(suggestions));
    const isAsked = async ({ titles: [a, b] }) => (await ask('/titles/suggestions')).suggestions
      .some(({ titles: [x, y] }) => x.id === a.id && y.id === b.id);
    const differ = async ({ titles }) => new Set(await Promise.all(titles.map(async (one) => (await ask(`/titles/${one.id}`)).id))).size;
    await page.goto('/settings/titles');
    const cards = page.getByRole('region', { name: /^Maybe one title/ }).getByRole('listitem');
    await cards.nth(3).waitFor();
    assert.equal(await cards.count(), 4);
    await page.getByText('The same file, but different ids at one provider').first().waitFor();
    assert.deepEqual(await faultsOf(page), []);
    await page.getByRole('button', { name: /^Show all/ }).click();
    assert.equal(await cards.count(), suggestions.length);
    const [first, second] = suggestions;
    const cardOf = (one) => cards.filter({ has: page.locator(`a[href$="/titles/${one.titles[0].id}"]`) }).filter({ has: page.locator(`a[href$="/titles/${one.titles[1].id}"]`) });
    await cardOf(first).getByRole('button', { name: /^Different titles/ }).click();
    await cardOf(first).waitFor({ state: 'detached' });
    await becomes('not asked about again', () => isAsked(first), false);
    assert.equal(await differ(first), 2);
    await cardOf(second).getByRole('button', { name: /^Same title/ }).click();
    await cardOf(second).waitFor({ state: 'detached' });
    await becomes('one', () => differ(second), 1);
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await becomes('two', () => differ(second), 2);
    await cardOf(second).waitFor();
  } finally {
    await opened.close();
    await program.stop();
    await children.end();
  }
});
