// Draws docs/images/*.png again: node tests/browser/pictures.mjs [NAME ...] (after make build).
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { binary } from '../integration/simulator.mjs';
import { openPage, phone, startBrowser, startDemo, wide } from './browser.mjs';

// name: of the files; ready: what must be there before the picture is taken; act: what is done first;
// isWhole: all of the page rather than what the window shows.
const pictures = [
  { name: 'now', address: '/', ready: 'article.stream' },
  { name: 'history', address: '/history?transcode_decisions=direct play,copy,transcode', ready: '[data-row="5"]' },
  { name: 'play', address: '/history?transcode_decisions=transcode', ready: 'dialog details',
    act: (page) => page.locator('[data-row="1"] a').click() },
  { name: 'import', address: '/settings/import', ready: '.job dl', act: (page, file) => page.setInputFiles('input[type=file]', file) },
  { name: 'explore', address: '/explore?days=90', ready: '#chart-delivery [data-mark]', isWhole: true,
    // Each chart asks when it comes into sight.
    act: async (page) => {
      for (const chart of await page.locator('[id^=chart-]').all()) await chart.scrollIntoViewIfNeeded();
      await page.waitForFunction(() => !document.querySelector('[id^=chart-] [aria-busy=true], [id^=chart-][aria-busy=true]'));
    } },
  { name: 'people', address: '/people', ready: 'main li' },
  { name: 'servers', address: '/settings/servers', ready: 'main li' },
  { name: 'users', address: '/settings/users', ready: 'main li' },
  { name: 'map', address: '/map', ready: 'main [aria-busy=false] canvas' },
  { name: 'globe', address: '/map?view=globe', ready: 'main [aria-busy=false] canvas' },
];
const looks = [['light', 'wide', wide], ['dark', 'wide', wide], ['light', 'phone', phone], ['dark', 'phone', phone]];

const wanted = process.argv.slice(2);
const images = path.join(import.meta.dirname, '../../docs/images');
const folder = await mkdtemp(path.join(os.tmpdir(), 'cartographus-'));
const file = path.join(folder, 'tautulli.db');
await promisify(execFile)(binary, ['tautulli', '--out', file, '--seed', '7', '--rows', '12000', '--days', '300']);
const [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
try {
  for (const { name, address, ready, act, isWhole } of pictures.filter((p) => !wanted.length || wanted.includes(p.name))) {
    for (const [theme, kind, size] of looks) {
      const { page, close } = await openPage(browser, demo, { theme, size, reducedMotion: 'reduce',
        ...(kind === 'phone' ? { isMobile: true, hasTouch: true, deviceScaleFactor: isWhole ? 1 : 2 } : {}) });
      await page.goto(address);
      await page.locator('main h1').waitFor({ state: 'attached' });
      await page.waitForLoadState('networkidle');
      if (act) await act(page, file);
      // A globe drawn in software takes its time.
      await page.locator(ready).first().waitFor({ timeout: 120000 });
      await page.waitForLoadState('networkidle');
      await page.evaluate(() => document.fonts.ready);
      await page.waitForTimeout(800);
      if (isWhole) await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: path.join(images, `${name}-${theme}-${kind}.png`), fullPage: isWhole ?? false });
      await close();
      console.log(`${name}-${theme}-${kind}.png`);
    }
  }
} finally {
  await browser.close();
  await demo.end();
  await rm(folder, { recursive: true });
}
