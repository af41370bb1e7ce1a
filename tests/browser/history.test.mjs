// History: the filter is the address, a long list of which only a window exists, a play opened,
// deleted and brought back, a file of exactly what is filtered.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { openDemo, until } from './browser.mjs';

const { demo, on } = await openDemo();

const rows = (page) => page.locator('[data-row]');
const cells = (page, column) => page.locator(`[data-row] .${column}`).allTextContents()
  .then((all) => all.map((one) => one.trim()));
const parameters = (page) => Object.fromEntries(new URL(page.url()).searchParams);
const total = async (page) => Number((await page.locator('.above [role=status]').textContent()).replace(/\D/g, ''));
const settled = async (page) => {
  await rows(page).first().waitFor();
  await page.locator('[role=table][aria-busy=true]').waitFor({ state: 'detached' });
};
// A filter whose plays are over, so that their count holds still.
// A filter whose plays are over, so that their count holds still.
async function settledPast() {
  const { rows: all } = await demo.ask('/plays?sort=started&dir=asc&limit=200');
  const end = all.at(-1).started.slice(0, 10);
  return { query: `start_date=2020-01-01&end_date=${end}`, ...(await demo.ask(`/plays?start_date=2020-01-01&end_date=${end}&tz=Europe/Berlin&limit=1`)) };
}

test('a list of the filter narrows the table, is in the address, and back undoes it', on({}, async (page) => {
  await page.goto('/history');
  await settled(page);
  const all = await total(page);
  const { people } = await demo.ask('/filters');
  const person = people[0];
  await page.getByRole('button', { name: 'People' }).click();
  await page.getByPlaceholder('Find in People').fill(person.name);
  await page.getByRole('checkbox', { name: person.name }).check();
  await page.keyboard.press('Escape');
  await until('only that person is left', async () => {
    const value = [...new Set(await cells(page, 'person'))];
    return { is: value.length === 1 && value[0] === person.name, value };
  });
  assert.deepEqual(parameters(page), { users: String(person.id) });
  const some = await total(page);
  assert.ok(some > 0 && some < all, `${some} of ${all}`);

  await page.getByRole('button', { name: /^Types/ }).click();
  await page.getByRole('checkbox', { name: 'Films' }).check();
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Remove: Types: Films' }).waitFor();
  await page.goBack();
  await page.getByRole('link', { name: 'Remove: Types: Films' }).waitFor({ state: 'detached' });
  await until('the count is back', async () => {
    const value = await total(page);
    return { is: Math.abs(value - some) <= 2, value };
  });
  await page.getByRole('link', { name: `Remove: People: ${person.name}` }).click();
  await until('everybody is back', async () => {
    const value = new Set(await cells(page, 'person')).size;
    return { is: value > 1, value };
  });
  assert.deepEqual(parameters(page), {});
}));

test('a copied address gives the same view, and other places keep the filter', on({}, async (page) => {
  await page.goto('/history?days=90&media_types=movie&sort=title&dir=asc');
  await settled(page);
  await page.getByRole('link', { name: 'Remove: Last 90 days' }).waitFor();
  const titles = await cells(page, 'heading');
  assert.deepEqual(titles, [...titles].sort((a, b) => a.localeCompare(b, 'en')), 'by title');
  await page.getByRole('link', { name: 'Now', exact: true }).click();
  await page.locator('article.stream').first().waitFor();
  await page.getByRole('link', { name: 'History' }).click();
  await settled(page);
  const { days, media_types } = parameters(page);
  assert.deepEqual({ days, media_types }, { days: '90', media_types: 'movie' });
}));

test('the search forgives case and finds people, too', on({}, async (page) => {
  await page.goto('/history');
  await settled(page);
  const name = (await cells(page, 'person'))[0];
  await page.getByRole('searchbox', { name: 'Search titles and people' }).fill(name.toUpperCase());
  await until('only that person is left', async () => {
    const value = [...new Set(await cells(page, 'person'))];
    return { is: value.length === 1 && value[0] === name, value };
  });
  assert.equal(parameters(page).search, name.toUpperCase());
}));

test('columns sort both ways', on({}, async (page) => {
  await page.goto('/history?days=365');
  await settled(page);
  for (const [column, order] of [['Watched', 'descending'], ['Watched', 'ascending'], ['Person', 'ascending'], ['Started', 'descending']]) {
    await page.getByRole('columnheader', { name: column }).getByRole('button').click();
    await page.locator(`[role=columnheader][aria-sort=${order}]`).filter({ hasText: column }).waitFor();
    await settled(page);
  }
  assert.deepEqual(parameters(page), { days: '365' });
  await page.getByRole('columnheader', { name: 'Person' }).getByRole('button').click();
  const first = await until('people from A on', async () => {
    const value = await cells(page, 'person');
    return { is: value.length > 3 && value.every((v) => v === value[0] || v >= value[0]), value };
  });
  assert.ok(first[0]);
}));

test('an hour of scrolling keeps few rows, and every row comes once and in order', on({}, async (page) => {
  const { query, total: n } = await settledPast();
  await page.goto(`/history?${query}&sort=started&dir=asc`);
  await settled(page);
  assert.equal(await total(page), n);
  const seen = new Map();
  const note = () => page.evaluate(() => [...document.querySelectorAll('[data-row]')].map((r) =>
    [Number(r.dataset.row), new URL(r.querySelector('a').href).searchParams.get('play')]));
  let last = -1;
  await until('the last row is reached', async () => {
    for (const [at, id] of await note()) {
      assert.ok(!seen.has(at) || seen.get(at) === id, `row ${at} changed`);
      seen.set(at, id);
    }
    assert.ok(await page.locator('[role=row]').count() < 80, 'rows in the page');
    last = seen.size;
    await page.mouse.wheel(0, 600);
    return { is: seen.size === n, value: `${last} of ${n}` };
  }, 60000);
  assert.equal(new Set(seen.values()).size, n, 'a row came twice');
  // What was dropped on the way is there again.
  await page.evaluate(() => scrollTo(0, 0));
  await until('the first rows are back', async () => {
    const value = (await note()).find(([at]) => at === 0);
    return { is: value?.[1] === seen.get(0), value };
  });
}));

test('a play opens beside the table with its segments and why its numbers are what they are', on({}, async (page) => {
  await page.goto('/history?transcode_decisions=direct play,transcode,copy');
  await settled(page);
  await rows(page).first().getByRole('link').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Why this number').waitFor();
  await dialog.getByRole('heading', { name: /segment/ }).waitFor();
  const id = Number(parameters(page).play);
  const play = await demo.ask(`/plays/${id}`);
  assert.equal(await dialog.locator('details').count(), play.segments.length);
  await dialog.getByText(play.person).waitFor();
  await dialog.getByRole('rowheader', { name: /Video|Audio/ }).first().waitFor();
  await dialog.getByRole('button', { name: 'Previous row' }).click();
  await until('the row above is open', async () => {
    const value = Number(parameters(page).play);
    return { is: value !== id && value > 0, value };
  });
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(parameters(page).play, undefined);
}));

test('a play is deleted, stays deleted, and undo brings it back', on({}, async (page) => {
  const { query, total: n } = await settledPast();
  await page.goto(`/history?${query}`);
  await settled(page);
  await rows(page).nth(1).getByRole('link').click();
  const id = Number(parameters(page).play);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete this play' }).click();
  await page.getByText(/^Deleted:/).waitFor();
  await until('the page does not count it', async () => ({ is: (await total(page)) === n - 1, value: await total(page) }));
  await until('the server does not count it', async () => {
    const value = (await demo.ask(`/plays?${query}&tz=Europe/Berlin&limit=1`)).total;
    return { is: value === n - 1, value };
  });
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText(/^Restored:/).waitFor();
  await until('the page counts it again', async () => ({ is: (await total(page)) === n, value: await total(page) }));
  await until('the server counts it again', async () => {
    const value = (await demo.ask(`/plays?${query}&tz=Europe/Berlin&limit=1`)).total;
    return { is: value === n, value };
  });
  assert.ok(id > 0);
}));

test('nothing found names the time and offers all of it', on({}, async (page) => {
  await page.goto('/history?start_date=2001-01-01&end_date=2001-01-31&media_types=movie');
  await page.getByRole('heading', { name: /No plays in this time: 1 Jan 2001 – 31 Jan 2001/ }).waitFor();
  await page.getByRole('link', { name: 'Show all time' }).click();
  await settled(page);
  assert.deepEqual(parameters(page), { media_types: 'movie' });
}));

test('the file has exactly what is filtered', on({}, async (page) => {
  const { query, total: n } = await settledPast();
  await page.goto(`/history?${query}&sort=title&dir=asc`);
  await settled(page);
  const take = async (format) => {
    await page.getByRole('button', { name: 'Export' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText(`Exactly what is filtered here: ${n.toLocaleString('en-GB')} play`).waitFor();
    const link = page.getByRole('link', { name: new RegExp(`^${format}`) });
    await link.focus();
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    assert.equal(download.suggestedFilename(), `plays.${format.toLowerCase()}`);
    await link.waitFor({ state: 'detached' });
    return readFile(await download.path());
  };
  const lines = (await take('CSV')).toString().trimEnd().split(/\r?\n/);
  assert.match(lines[0], /started.*watch_ms.*person/);
  assert.equal(lines.length - 1, n);
  assert.equal((await take('NDJSON')).toString().trimEnd().split('\n').length, n);
  assert.equal(JSON.parse(await take('GeoJSON')).features.length, n);
  const parquet = await take('Parquet');
  assert.equal(parquet.subarray(0, 4).toString() + parquet.subarray(-4).toString(), 'PAR1PAR1');
}));

test('an address with a wrong value says which', on({}, async (page, { expect }) => {
  await page.goto('/history?start_date=yesterday');
  assert.match(await page.getByRole('alert').textContent(), /start_date|date/);
  expect(/400/);
}));
