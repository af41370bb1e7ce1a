// What the tests of the page share: the real program in demo mode, a browser, and a watch on both:
// a test fails when the page writes an error to the console or asks another host for anything.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { password, startProgram } from '../integration/program.mjs';
import { until } from '../integration/simulator.mjs';

export { password, until };
export const wide = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };
export const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

// The program with simulated servers in a folder of its own, and somebody logged in.
export async function startDemo(more = {}) {
  const program = await startProgram({ DEMO: 'true', ...more });
  const origin = program.url('');
  const cookie = await program.login();
  const [name, value] = cookie.split('=');
  const headers = { cookie, origin };
  const ask = async (route, options = {}) => {
    const answer = await fetch(`${origin}/api/v1${route}`, { headers, ...options });
    assert.ok(answer.ok, `${route}: ${answer.status} ${await answer.clone().text()}`);
    return answer.status === 204 ? undefined : answer.json();
  };
  await until('people watch, and the past is read', async () => {
    const [now, sync, { imports }] = await Promise.all([ask('/sessions'), ask('/sync/status'), ask('/import')]);
    const states = [sync.state, ...imports.map((one) => one.state)];
    return { is: now.sessions.length >= 3 && states.join() === 'idle,done', value: states };
  }, 180000);
  return {
    origin, ask, cookie: { name, value, url: origin },
    end: program.stop,
  };
}

// With WebGL drawn in software: no test machine need have a graphics card.
export async function startBrowser() {
  return chromium.launch({ executablePath, args: [
    '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'] });
}
// What a software driver thinks about its own speed is no fault of the page.
const isDriver = (text) => /^performance warning: READ-usage buffer|GL Driver Message/.test(text);

// A page of its own context. faults: what it must not have done; expect(/…/): a test provokes these on
// purpose, one at least. They are counted at its end, for the browser tells of them when it likes.
export async function openPage(browser, demo, options = {}) {
  const { theme = 'light', size = wide, isLoggedIn = true, ...more } = options;
  const context = await browser.newContext({
    viewport: size, locale: 'en-GB', timezoneId: 'Europe/Berlin', baseURL: demo.origin, ...more });
  if (isLoggedIn) await context.addCookies([demo.cookie]);
  await context.addInitScript((chosen) => {
    if (localStorage.getItem('theme') === null) localStorage.setItem('theme', chosen);
    localStorage.setItem('demo-note', 'hidden');
  }, theme);
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  const faults = [];
  const expected = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !isDriver(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== demo.origin && !['blob:', 'data:'].includes(protocol)) {
      faults.push(`request to ${request.url()}`);
    }
  });
  return {
    page, context,
    expect: (pattern) => expected.push(pattern),
    close: async () => {
      await context.close();
      for (const pattern of expected) assert.ok(faults.some((fault) => pattern.test(fault)), `no fault like ${pattern} among ${JSON.stringify(faults)}`);
      assert.deepEqual(faults.filter((fault) => !expected.some((pattern) => pattern.test(fault))), [], 'faults of the page');
    },
  };
}

// Opens one page, does something with it, and closes it in any case.
const withPage = (browser, demo, options, act) => async () => {
  const opened = await openPage(browser, demo, options);
  let failure;
  try {
    await act(opened.page, opened);
  } catch (error) {
    failure = error;
  }
  try {
    await opened.close();
  } catch (error) {
    failure ??= error;
  }
  if (failure) throw failure;
};

// The one demo and the one browser of this process, which end after its last test. What a test
// changes in the demo it changes back. on(options, act): a test's function, with a page of its own.
let opening;
export const openDemo = () => (opening ??= Promise.all([startDemo(), startBrowser()]).then(([demo, browser]) => {
  after(async () => {
    await browser.close();
    await demo.end();
  });
  return { demo, browser, on: (options, act) => withPage(browser, demo, options, act) };
}));
