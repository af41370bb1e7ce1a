// Titles: found, ordered, joined and parted with a way back; what one is made of. What is changed is changed back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { openDemo, until } from './browser.mjs';

const { demo, on } = await openDemo();
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
  await page.getByText('Taken back').waitFor();
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
  await page.getByText('Taken back').waitFor();
  await becomes('joined', async () => (await demo.ask(`/titles/${one.id}`)).items.length, one.items);
}));
