// Explore: charts say what the queries say, by eye, table, keyboard and file; each fails alone.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { openDemo } from './browser.mjs';
import { moduleOfPage } from './module.mjs';

const { demo, on } = await openDemo();
const charts = (await readdir(path.join(import.meta.dirname, '../../web/src/explore/charts'))).map((file) => file.replace('.ts', ''));
const more = 'more=people,titles,quality';

// A span in the past: live plays do not change it.
const start = new Date(Date.now() - 50 * 86_400_000).toISOString().slice(0, 10);
const end = new Date(Date.now() - 20 * 86_400_000).toISOString().slice(0, 10);
const span = `start_date=${start}&end_date=${end}`;
const ask = async (query) => demo.ask(`/analytics/${query}${query.includes('?') ? '&' : '?'}${span}&tz=Europe/Berlin`);
const card = (page, name) => page.locator(`#chart-${name}`);
const marks = (chart) => chart.locator('[data-mark]');
const number = (text) => Number(text.replaceAll(/[^\d.]/g, ''));
const sum = (rows, column) => rows.reduce((all, row) => all + row[column], 0);

async function open(page, more = '') {
  await page.goto(`/explore?${span}${more}`);
  await card(page, 'plays-over-time').locator('[data-mark]').first().waitFor();
}

async function show(page, name) {
  await card(page, name).scrollIntoViewIfNeeded();
  await marks(card(page, name)).first().waitFor();
  return card(page, name);
}
const labelsOf = async (page, name) =>
  marks(await show(page, name)).evaluateAll((all) => all.map((mark) => mark.getAttribute('aria-label')));
// What a label says of one of its values: "12 Oct 2026: All 5, Direct play 2".
const told = (label, name) => /^[\d.,]+/.exec(label.split(/[:,] /).find((part) => part.startsWith(`${name} `))?.slice(name.length + 1) ?? '')?.[0];

test('the figures and the charts are those of the queries', on({}, async (page) => {
  await open(page);
  const [summary] = (await ask('summary')).data;
  const shown = async (label) => number(await page.locator('dl > div').filter({ hasText: label }).locator('dd').first().textContent());
  assert.equal(await shown('Plays'), summary.plays);
  assert.equal(await shown('People'), summary.people);
  assert.equal(await shown('Titles'), summary.titles);

  const trends = (await ask('trends')).data;
  const labels = await marks(card(page, 'plays-over-time')).evaluateAll((all) => all.map((mark) => mark.getAttribute('aria-label')));
  assert.equal(labels.length, new Set(trends.map((row) => row.bucket)).size, 'one column a bucket');
  const totals = labels.map((label) => number(/(?:All|Films|Episodes|Music) ([\d,]+)$/.exec(label)?.[1] ?? '0'));
  assert.equal(totals.reduce((all, one) => all + one, 0), summary.plays, 'the columns add up to the plays');

  const users = (await ask('users')).data;
  const people = await marks(await show(page, 'people')).evaluateAll((all) => all.map((mark) => mark.getAttribute('aria-label').split(',')[0]));
  assert.deepEqual(people, users.filter((row) => row.person_id !== null).slice(0, 10).map((row) => row.person));

  const heat = (await ask('heatmap')).data;
  const cells = await marks(await show(page, 'week')).evaluateAll((all) => all.filter((mark) => mark.getAttribute('fill') !== 'var(--sunken)').length);
  assert.equal(cells, heat.filter((row) => row.watch_ms > 0).length, 'an hour with watch time is coloured, no other');
}));

test('steps, bands and choices of what is told apart are those of the queries', on({}, async (page) => {
  await open(page);
  const stopped = (await ask('completion')).data;
  const steps = await labelsOf(page, 'completion');
  assert.equal(steps.length, stopped.filter((row) => row.from_percent !== null || row.plays > 0).length);
  assert.deepEqual(steps.map((label) => number(label.replace(/^.*, /, ''))),
    stopped.slice(0, steps.length).map((row) => row.plays - row.finished), 'who stopped without having finished');

  const pairs = (await ask('resolution-mismatch')).data.filter((row) => row.watch_ms > 0);
  assert.ok(pairs.length > 1);
  assert.equal((await labelsOf(page, 'flow')).length, pairs.length, 'one band a pair');

  const hours = (await ask('bandwidth?by=hour')).data.filter((row) => row.network === 'all');
  assert.equal((await labelsOf(page, 'bandwidth')).length, hours.length);

  const chart = await show(page, 'quality');
  await chart.getByRole('combobox').selectOption({ label: 'Container' });
  const containers = (await ask('quality?of=container')).data;
  await page.waitForFunction((name) =>
    document.querySelector('#chart-quality [data-mark]')?.getAttribute('aria-label').startsWith(`${name},`), containers[0].value);
  assert.equal(await marks(chart).count(), Math.min(containers.length, 11));
}));

test('lines, days and cells are those of the queries', on({}, async (page) => {
  await open(page, `&${more}`);
  const streams = (await ask('concurrent-streams')).data;
  const all = streams.filter((row) => row.decision === 'all');
  const lines = await labelsOf(page, 'streams');
  assert.deepEqual(lines.map((label) => number(told(label, 'All'))), all.map((row) => row.peak));
  assert.deepEqual(lines.map((label) => number(told(label, 'Transcode'))),
    streams.filter((row) => row.decision === 'transcode').map((row) => row.peak));
  assert.equal(await card(page, 'streams').locator('path.line').count(), new Set(streams.map((row) => row.decision)).size);

  const days = (await ask('calendar')).data;
  assert.deepEqual((await labelsOf(page, 'calendar')).map((label) => number(label.replace(/^.*: /, ''))), days.map((row) => row.plays));
  const streak = Math.max(...days.map((row) => row.streak));
  await card(page, 'calendar').getByText(`Longest streak: ${streak} day`).waitFor();

  const flow = (await ask('content-flow')).data;
  const shows = [...new Set(flow.map((row) => row.series))].slice(0, 10);
  const cells = await labelsOf(page, 'seasons');
  assert.deepEqual(cells.map((label) => number(label.replace(/^.*: /, ''))),
    shows.flatMap((show) => flow.filter((row) => row.series === show).sort((a, b) => a.season - b.season).map((row) => row.people)));

  const levels = (await ask('stream-levels?of=transcode')).data;
  const chart = await show(page, 'levels');
  await chart.getByRole('combobox').selectOption({ label: 'Transcodes' });
  await page.waitForFunction((n) => document.querySelectorAll('#chart-levels [data-mark]').length === n, levels.length);
  assert.deepEqual((await labelsOf(page, 'levels')).map((label) => label.replace(/^.*, /, '')),
    levels.map((row) => row.share.toLocaleString('en-GB', { style: 'percent', maximumFractionDigits: 0 })));
}));

test('every chart answers: by eye, keyboard, table, drawing and file', on({}, async (page) => {
  // So long that people came first in it, and with a beginning, so that there is a time before.
  await page.goto(`/explore?days=400&${more}`);
  await card(page, 'plays-over-time').locator('[data-mark]').first().waitFor();
  assert.deepEqual((await page.locator('[id^=chart-]').evaluateAll((all) => all.map((one) => one.id.slice(6)))).sort(), [...charts].sort());
  assert.ok(charts.length > 25);
  for (const name of charts) {
    const chart = card(page, name);
    await chart.scrollIntoViewIfNeeded();
    await chart.locator('[data-mark], .nothing').first().waitFor();
    if (await marks(chart).count() === 0) {
      // Nobody need have paused since the demo began.
      assert.equal(name, 'pauses', `${name} has nothing to show`);
      await chart.getByText('No pause was seen').waitFor();
      continue;
    }
    const labels = await marks(chart).evaluateAll((all) => all.map((mark) => mark.getAttribute('aria-label')));
    assert.ok(labels.every((label) => label && !/undefined|NaN|null|\{/.test(label)), `${name}: ${labels}`);
    assert.equal(await chart.locator('[data-mark][tabindex="0"]').count(), 1, `${name}: one stop for Tab`);
    await marks(chart).first().focus();
    await chart.locator('.tip').waitFor();
    await page.keyboard.press('End');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), labels.at(-1), name);
    await page.keyboard.press('Home');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), labels[0], name);
    assert.doesNotMatch(await chart.locator('.tip').innerText(), /undefined|NaN|column\.|word\.|\{/, name);

    // One of each kind of mark.
    if (!['delivery', 'streams', 'quality', 'completion', 'flow', 'seasons', 'calendar'].includes(name)) continue;
    await chart.getByRole('button', { name: 'Download' }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Drawing (SVG)').locator('visible=true').click()]);
    const svg = await readFile(await download.path(), 'utf8');
    assert.doesNotMatch(svg, /var\(--| class=/, `${name}: colours are written out`);
    assert.match(svg, /<(rect|path)[^>]+fill=/, name);

    await chart.getByRole('button', { name: 'Download' }).click();
    const csv = page.getByText('Table (CSV)').locator('visible=true');
    const answer = await page.request.get(await csv.getAttribute('href'));
    assert.equal(answer.status(), 200, name);
    await page.keyboard.press('Escape');
    await chart.getByRole('button', { name: 'Show as a table' }).click();
    const lines = (await answer.text()).trim().split(/\r?\n/).length - 1;
    assert.ok(Math.abs(await chart.locator('tbody tr').count() - lines) <= 12, `${name}: the table has the rows of the file, but for what is played now`);
  }
}));

test('a choice asks the server for what it says, and it is drawn', on({}, async (page) => {
  await open(page, `&${more}`);
  for (const name of charts) {
    const chart = card(page, name);
    await chart.scrollIntoViewIfNeeded();
    await chart.locator('[data-mark], .nothing').first().waitFor();
    for (let at = 0; at < await chart.getByRole('combobox').count(); at++) {
      const choice = chart.getByRole('combobox').nth(at);
      const value = await choice.locator('option').last().getAttribute('value');
      const [answer] = await Promise.all([
        page.waitForResponse((one) => one.url().includes(`=${value}`) && one.url().includes('/analytics/')), choice.selectOption(value)]);
      assert.equal(answer.status(), 200, `${name} ${value}`);
      await chart.locator('section[aria-busy=false]').waitFor();
      await chart.locator('[data-mark], .nothing').first().waitFor();
    }
  }
}));

test('what is asked less often is there when it is opened, and the address says so', on({}, async (page) => {
  await open(page);
  assert.equal(await card(page, 'retention').count(), 0);
  await page.getByRole('button', { name: /^3 more questions/ }).first().click();
  await page.waitForURL(/more=people/);
  await card(page, 'retention').scrollIntoViewIfNeeded();
  await card(page, 'retention').locator('[data-mark], .nothing').first().waitFor();
  await page.getByRole('button', { name: '3 more questions' }).first().click();
  await page.waitForFunction(() => !location.search.includes('more='));
  assert.equal(await card(page, 'retention').count(), 0);
}));

test('what libraries hold, how soon it is played and what nobody watches are told', on({}, async (page) => {
  await page.goto('/explore');
  const all = async (query) => (await demo.ask(`/analytics/${query}`)).data;
  const libraries = (await all('library')).filter((row) => row.library_id !== null);
  assert.equal(libraries.length, 9, 'three of each server');
  assert.deepEqual((await labelsOf(page, 'libraries')).map((label) => label.split(',')[0]),
    libraries.map((row) => `${row.library} (${row.server})`));
  const curve = await all('discovery-curve');
  assert.ok(curve.length > 5);
  assert.deepEqual((await labelsOf(page, 'discovery')).map(number), curve.map((row) => number(`${row.within_days}${Math.round(row.share * 100)}`)));
  const stale = await all('stale?days_unwatched=365&limit=10');
  assert.equal(stale.length, 10);
  assert.deepEqual((await labelsOf(page, 'never-watched')).map((label) => label.split(',')[0].replace(/ \(\d+\)$/, '')), stale.map((row) => row.title));
}));

test('a click on a mark filters everything by it, and back takes it away', on({}, async (page) => {
  await open(page);
  const [first] = (await ask('users')).data;
  const [{ plays }] = (await ask(`summary?users=${first.person_id}`)).data;
  await marks(await show(page, 'people')).first().click();
  await page.waitForURL(new RegExp(`users=${first.person_id}\\b`));
  await page.getByRole('link', { name: `Remove: People: ` }).or(page.getByRole('link', { name: /^Remove: People/ })).first().waitFor();
  await page.waitForFunction((n) => document.querySelector('dl dd')?.textContent.replaceAll(',', '') === String(n), plays);
  await page.goBack();
  await page.waitForFunction(() => !location.search.includes('users='));

  await card(page, 'plays-over-time').getByRole('button', { name: 'Films', exact: true }).click();
  await page.waitForURL(/media_types=movie/);
}));

test('the keyboard goes through the marks and filters by one', on({}, async (page) => {
  await open(page);
  const chart = card(page, 'plays-over-time');
  await chart.getByRole('combobox').focus();
  await page.keyboard.press('Tab');
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
  const labels = await marks(chart).evaluateAll((all) => all.map((mark) => mark.getAttribute('aria-label')));
  assert.equal(await focused(), labels[0]);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), labels[2]);
  await page.locator('.tip').waitFor();
  await page.keyboard.press('End');
  assert.equal(await focused(), labels.at(-1));
  await page.keyboard.press('Enter');
  await page.waitForURL(`**/explore?*start_date=${end}&end_date=${end}*`);
}));

test('a table holds the same rows, each with a way to its plays', on({}, async (page) => {
  await open(page);
  const chart = await show(page, 'people');
  await chart.getByRole('button', { name: 'Show as a table' }).click();
  const users = (await ask('users')).data;
  const rows = chart.locator('tbody tr');
  assert.equal(await rows.count(), users.length);
  assert.equal(number(await rows.first().locator('td').nth(1).textContent()), users[0].plays);
  await rows.first().getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: 'History' }).waitFor();
  assert.match(page.url(), new RegExp(`/history\\?.*users=${users[0].person_id}\\b`));
}));

test('a chart is taken along as picture, drawing and table', on({}, async (page) => {
  await open(page);
  const chart = card(page, 'plays-over-time');
  const take = async (what) => {
    await chart.getByRole('button', { name: 'Download' }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText(what).locator('visible=true').click()]);
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
  };
  const png = await take('Picture (PNG)');
  assert.equal(png.name, 'plays-over-time.png');
  assert.equal(png.bytes.subarray(1, 4).toString(), 'PNG');
  assert.ok(png.bytes.length > 5000, `${png.bytes.length} bytes`);
  const svg = (await take('Drawing (SVG)')).bytes.toString();
  assert.match(svg, /^<svg/);
  assert.match(svg, /How much is watched, and when\?/);
  assert.doesNotMatch(svg, /var\(--/, 'colours are written out');
  const csv = (await take('Table (CSV)')).bytes.toString().trim().split(/\r?\n/);
  assert.equal(csv.length, (await ask('trends')).data.length + 1);
  const parquet = await take('Table (Parquet)');
  assert.equal(parquet.name, 'trends.parquet');
  assert.equal(parquet.bytes.subarray(0, 4).toString(), 'PAR1');
}));

test('"why this number?" tells definition, query and values', on({}, async (page) => {
  await open(page);
  const button = card(page, 'plays-over-time').getByRole('button', { name: /^Why this number/ });
  await button.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Plays are counted where they start').waitFor();
  assert.match(await dialog.locator('pre').textContent(), /select/i);
  const { meta } = await ask('trends');
  await dialog.getByRole('link', { name: `See the ${meta.rows_behind.toLocaleString('en-GB')} plays behind it` }).waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
}));

test('the failure of one chart is its own, and trying again helps', on({}, async (page, { expect }) => {
  await page.route('**/analytics/users?*', (route) => route.fulfill({
    status: 500, json: { error: { code: 'INTERNAL', message: 'the query broke', field: '', request_id: 'abc' } } }));
  await open(page);
  const chart = card(page, 'people');
  await chart.scrollIntoViewIfNeeded();
  await chart.getByRole('alert').getByText('the query broke').waitFor();
  await show(page, 'delivery');
  await page.unroute('**/analytics/users?*');
  await chart.getByRole('button', { name: 'Try again' }).click();
  await marks(chart).first().waitFor();
  assert.equal(await chart.getByRole('alert').count(), 0);
  expect(/500/);
}));

test('what is not known is hatched and never a zero; what was not observed is shaded', on({}, async (page) => {
  // Real answers, with a person, a type and a span of time taken out of them.
  const change = (query, act) => page.route(`**/analytics/${query}?*`, async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    act(body);
    await route.fulfill({ response: answer, json: body });
  });
  await change('users', ({ data }) => Object.assign(data[2], { person_id: null, person: null }));
  await change('trends', ({ data, meta }) => {
    for (const row of data) if (row.media_type === 'movie') row.media_type = null;
    meta.coverage_gaps = [{ server_id: 1, from: `${start}T00:00:00Z`, to: new Date(Date.parse(start) + 3 * 86_400_000).toISOString() }];
  });
  await change('summary', ({ data }) => { data[0].finished_share = null; });
  await change('concurrent-streams', ({ data }) => {
    for (const row of data) if (row.decision === 'copy') row.decision = null;
    for (const row of data.filter((one) => one.decision === 'all').slice(3, 5)) row.peak = null;
  });
  await change('calendar', ({ meta }) => {
    meta.coverage_gaps = [{ server_id: 1, from: `${start}T00:00:00Z`, to: new Date(Date.parse(start) + 3 * 86_400_000).toISOString() }];
  });
  await change('content-flow', ({ data }) => { data[0].people = null; });
  await open(page);
  const chart = card(page, 'plays-over-time');
  assert.ok(await chart.locator('[data-mark] rect[fill^="url("]').count() > 0, 'unknown is hatched');
  await chart.locator('.legend').getByText('Unknown').waitFor();
  await chart.locator('.legend').getByText('Not observed').waitFor();
  assert.equal(await chart.locator('rect.gap').count(), 1);
  await page.locator('dl > div').filter({ hasText: 'Watched to the end' }).getByText('Unknown').waitFor();
  const all = (await show(page, 'streams')).locator('path.line.is-first');
  assert.equal((await all.getAttribute('d')).split('M').length - 1, 2, 'a line is broken where it is not known');
  assert.equal(await card(page, 'streams').locator('path.line.is-unknown').count(), 1);
  assert.match((await labelsOf(page, 'streams'))[3], /All Unknown/);
  await show(page, 'calendar');
  const blind = await card(page, 'calendar').locator('rect.gap').count();
  assert.ok(blind === 3 || blind === 4, `${blind} days without coverage`);
  assert.match((await labelsOf(page, 'calendar'))[1], /Not observed/);
  assert.match(await marks(await show(page, 'seasons')).first().getAttribute('fill'), /^url\(/);
  const last = marks(await show(page, 'people')).last();
  assert.match(await last.getAttribute('aria-label'), /^Unknown/);
  assert.match(await last.locator('xpath=..').locator('g rect').last().getAttribute('fill'), /^url\(/);
}));

test('the period before is drawn when it is asked for, and the address says so', on({}, async (page) => {
  await open(page);
  await page.getByLabel('Compare with the period before').check();
  await page.waitForURL(/compare=previous/);
  const chart = card(page, 'plays-over-time');
  await chart.locator('path.before').waitFor();
  const { compare } = await ask('trends?compare=previous');
  assert.ok(sum(compare.data, 'plays') > 0);
  const first = await marks(chart).first().getAttribute('aria-label');
  const bucket = compare.data[0].bucket;
  const before = sum(compare.data.filter((row) => row.bucket === bucket), 'plays');
  assert.match(first, new RegExp(`Period before ${before.toLocaleString('en-GB')}$`));
}));

test('charts, a table and a dialog have no fault of accessibility', on({ reducedMotion: 'reduce' }, async (page) => {
  await open(page, `&compare=previous&${more}`);
  for (const name of charts) {
    await card(page, name).scrollIntoViewIfNeeded();
    await card(page, name).locator('[aria-busy=false]').waitFor();
  }
  const chart = await show(page, 'people');
  assert.deepEqual(await faultsOf(page), []);
  await chart.getByRole('button', { name: 'Show as a table' }).click();
  await chart.getByRole('button', { name: /^Why this number/ }).click();
  await page.getByRole('dialog').locator('pre').waitFor();
  assert.deepEqual(await faultsOf(page), []);
}));

test('buckets are days of their own zone', async () => {
  const { bucketSpan, naiveIn, stepOf } = await moduleOfPage('explore/time.ts');
  assert.deepEqual(bucketSpan('2026-02-01', 'month'), { start_date: '2026-02-01', end_date: '2026-02-28' });
  assert.deepEqual(bucketSpan('2026-03-23', 'week'), { start_date: '2026-03-23', end_date: '2026-03-29' });
  assert.deepEqual(bucketSpan('2026-03-29T14:00', 'hour'), { start_date: '2026-03-29', end_date: '2026-03-29' });
  assert.equal(new Date(naiveIn('2026-03-29T01:30:00Z', 'Europe/Berlin')).toISOString(), '2026-03-29T03:30:00.000Z');
  const steps = [
    [['2026-01-01T00:00', '2026-01-01T01:00'], 'hour'], [['2026-01-01', '2026-01-02'], 'day'],
    [['2026-01-05', '2026-01-12'], 'week'], [['2026-02-01', '2026-03-01'], 'month'], [['2026-01-01'], 'day'],
  ];
  for (const [buckets, step] of steps) assert.equal(stepOf(buckets), step, buckets.join());
});
