// Logging in by the modes that are on, each with a program of its own.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startProgram } from '../integration/program.mjs';
import { openPage, password, startBrowser } from './browser.mjs';

const browser = await startBrowser();
after(() => browser.close());

// A page of a program with this environment, and nobody logged in.
async function withProgram(more, options, act) {
  const program = await startProgram({ SETUP: 'true', ...more });
  const opened = await openPage(browser, { origin: program.url('') }, { isLoggedIn: false, ...options });
  try {
    await act(opened.page, opened, program);
    await opened.close();
  } finally {
    await program.stop();
  }
}

test('row 34: by HTTP Basic the browser asks for the password, and has a session until it is left', () =>
  withProgram({ AUTH_MODE: 'basic' }, { httpCredentials: { username: 'admin', password } }, async (page) => {
    await page.goto('/');
    const way = page.getByRole('link', { name: /HTTP Basic/ });
    await way.waitFor();
    assert.equal(await page.getByLabel('Password').count(), 0);
    await way.click();
    await page.getByRole('button', { name: 'Menu of admin' }).click();
    await page.getByRole('button', { name: 'Log out everywhere' }).click();
    await way.waitFor();
  }));

test('row 34: form and HTTP Basic stand side by side where both are on', () =>
  withProgram({ AUTH_MODE: 'jwt,basic' }, {}, async (page) => {
    await page.goto('/');
    await page.getByLabel('Password').waitFor();
    assert.equal(await page.getByRole('link', { name: /HTTP Basic/ }).count(), 1);
  }));
