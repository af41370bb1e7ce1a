// Map: the same places drawn and listed; flat, globe and heat; a list and a reason without WebGL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { openDemo } from './browser.mjs';
import { moduleOfPage } from './module.mjs';

const TIMEOUT = 120000;
const { demo, on: onPage } = await openDemo();
const on = (options, act) => onPage({ reducedMotion: 'reduce', size: { width: 1000, height: 700 }, ...options }, async (page, more) => {
  page.setDefaultTimeout(TIMEOUT);
  await act(page, more);
});
const span = `start_date=${new Date(Date.now() - 50 * 86_400_000).toISOString().slice(0, 10)}&end_date=${new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)}`;

async function open(page, more = '') {
  await page.goto(`/map?${span}${more}`);
  await page.locator('canvas.maplibregl-canvas').waitFor();
  await drawn(page);
}
const drawn = (page) => page.locator('main [aria-busy=false] canvas').waitFor();

// How many pixels of the map have, within a little, each of these colours of the page.
async function count(page, names) {
  const picture = await page.locator('canvas.maplibregl-canvas').screenshot();
  return page.evaluate(async ([base64, wanted]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    const value = (name) => {
      pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data];
    };
    const colours = wanted.map(value);
    pen.drawImage(image, 0, 0);
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    const counts = wanted.map(() => 0);
    for (let i = 0; i < data.length; i += 4) {
      colours.forEach((c, k) => {
        if ([0, 1, 2].every((n) => Math.abs(data[i + n] - c[n]) <= 6)) counts[k]++;
      });
    }
    return Object.fromEntries(wanted.map((name, k) => [name, counts[k]]));
  }, [picture.toString('base64'), names]);
}
const seen = ['--map-land', '--map-sea', '--map-server'];

test('the flat map shows land, sea and the server; the list has the same places as the query', on({}, async (page) => {
  await open(page);
  const found = await count(page, seen);
  for (const name of seen) assert.ok(found[name] > 150, `${name}: ${JSON.stringify(found)}`);
  const { data } = await demo.ask(`/analytics/locations?${span}&tz=Europe/Berlin`);
  const known = data.filter((row) => row.latitude !== null);
  const rows = page.locator('.list tbody').first().locator('tr');
  assert.equal(await rows.count(), known.length);
  const shown = await rows.locator('td.plays').allTextContents();
  assert.deepEqual(shown.map((text) => Number(text.replaceAll(',', ''))), known.map((row) => row.plays).sort((a, b) => b - a));
}));

test('addresses without a place are counted apart', on({}, async (page) => {
  await open(page);
  const { data } = await demo.ask(`/analytics/locations?${span}&tz=Europe/Berlin`);
  const elsewhere = data.filter((row) => row.latitude === null);
  assert.ok(elsewhere.some((row) => row.class === 'lan'));
  const body = page.locator('.elsewhere');
  const plays = (await body.locator('td.plays').allTextContents()).reduce((all, text) => all + Number(text.replaceAll(',', '')), 0);
  assert.equal(plays, elsewhere.reduce((all, row) => all + row.plays, 0));
  await body.getByRole('rowheader', { name: 'In the home network' }).waitFor();
  await page.getByText(`${plays.toLocaleString('en-GB')} plays not on the map`).waitFor();
}));

test('globe and heat are in the address and drawn', on({ theme: 'dark' }, async (page) => {
  await open(page);
  const flat = await count(page, seen);
  await page.getByText('Globe', { exact: true }).click();
  await page.waitForURL(/view=globe/);
  await drawn(page);
  const globe = await count(page, seen);
  assert.ok(globe['--map-land'] > 1000 && globe['--map-land'] < flat['--map-land'], JSON.stringify({ flat, globe }));
  await page.getByText('Heat', { exact: true }).click();
  await page.waitForURL(/layer=heat/);
  await drawn(page);
  const heat = await count(page, ['--map-place']);
  assert.ok(heat['--map-place'] < 100, 'no circles under heat');
  await page.reload();
  assert.ok(await page.getByRole('radio', { name: 'Globe' }).isChecked());
  assert.ok(await page.getByRole('radio', { name: 'Heat' }).isChecked());
  await page.locator('main [aria-busy=false] canvas').waitFor();
}));

test('a place of the list, by keyboard too, is shown with how sure it is', on({}, async (page) => {
  await open(page);
  const first = page.locator('.list tbody').first().getByRole('button').first();
  const name = await first.textContent();
  await first.focus();
  await page.keyboard.press('Enter');
  const card = page.getByRole('region', { name });
  await card.getByText('A city at best').waitFor();
  const link = card.getByRole('link');
  const there = new URL(await link.getAttribute('href'), 'http://x').searchParams;
  const { total } = await demo.ask(`/plays?${there}&tz=Europe/Berlin`);
  assert.ok(total > 0 && /^\d+$/.test(there.get('places')), String(there));
  assert.equal(await link.textContent(), total === 1 ? 'See the play' : `See the ${total.toLocaleString('en-GB')} plays`);
  assert.equal(await page.locator('.list [aria-current=true]').count(), 1);
  assert.deepEqual(await faultsOf(page), []);
  await card.getByRole('button', { name: 'Close' }).click();
  await card.waitFor({ state: 'detached' });

  await page.getByRole('columnheader', { name: 'Place' }).getByRole('button').click();
  const names = await page.locator('.list tbody').first().getByRole('button').allTextContents();
  assert.deepEqual(names, names.toSorted((a, b) => a.localeCompare(b)));

  await page.locator('.list').getByRole('button', { name }).click();
  await link.click();
  await page.waitForURL(/\/history\?.*places=\d+/);
  await page.getByRole('link', { name: `Remove: Place: ${name}` }).waitFor();
}));

test('another theme is another map', on({}, async (page) => {
  await open(page);
  const before = await count(page, ['--map-sea']);
  await page.evaluate(() => { document.documentElement.dataset.theme = 'dark'; });
  await page.locator('main [aria-busy=true]').first().waitFor();
  await drawn(page);
  const after = await count(page, ['--map-sea', '--map-land']);
  assert.ok(before['--map-sea'] > 1000 && after['--map-sea'] > 1000, JSON.stringify({ before, after }));
}));

test('without WebGL: why, and the same places', on({}, async (page) => {
  await page.addInitScript(() => {
    const get = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
      return kind.startsWith('webgl') ? null : get.call(this, kind, ...more);
    };
  });
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`/map?${span}`);
  const note = page.getByRole('status').filter({ hasText: 'WebGL' });
  await note.waitFor();
  for (const word of ['hardware acceleration', 'Chrome 90+', 'Firefox 88+', 'Safari 14+']) {
    assert.ok((await note.textContent()).includes(word), word);
  }
  const { data } = await demo.ask(`/analytics/locations?${span}&tz=Europe/Berlin`);
  const rows = page.locator('.list tbody').first().locator('tr');
  await rows.first().waitFor();
  assert.equal(await rows.count(), data.filter((row) => row.latitude !== null).length);
  assert.deepEqual(asked.filter((path) => /MapView|maplibre|countries/.test(path)), [], 'nothing of the map is loaded');
}));

test('a great circle is the shortest way and does not jump at the antimeridian', async () => {
  const { greatCircle, unwrap } = await moduleOfPage('map/arcs.ts');
  const away = (a, b) => {
    const r = Math.PI / 180;
    const h = Math.sin((b[1] - a[1]) * r / 2) ** 2 + Math.cos(a[1] * r) * Math.cos(b[1] * r) * Math.sin((b[0] - a[0]) * r / 2) ** 2;
    return 2 * Math.asin(Math.min(1, Math.sqrt(h))) / r;
  };
  const cases = {
    'Berlin to Lisbon': [[13.4, 52.5], [-9.1, 38.7]],
    'Auckland to Honolulu, over the antimeridian': [[174.8, -36.8], [-157.9, 21.3]],
    'to itself': [[5, 5], [5, 5]],
    'to the other end of the earth': [[10, 20], [-170, -20]],
    'over the pole': [[0, 80], [180, 80]],
  };
  for (const [name, [a, b]] of Object.entries(cases)) {
    const points = unwrap(greatCircle(a, b));
    const length = points.slice(1).reduce((all, point, i) => all + away(points[i], point), 0);
    assert.ok(Math.abs(length - away(a, b)) < 1e-6, `${name}: ${length} degrees, the shortest is ${away(a, b)}`);
    const jumps = points.slice(1).map((point, i) => Math.abs(point[0] - points[i][0]));
    assert.ok(Math.max(0, ...jumps) <= 180, `${name}: ${Math.max(...jumps)} degrees at once`);
    assert.ok(away(points[0], a) < 1e-6 && away(points.at(-1), b) < 1e-6, `${name}: from end to end`);
  }
});
