// Logging in by the modes that are on, each with a program of its own.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Provider } from 'oidc-provider';
import { freePort, startIdle } from '../integration/program.mjs';
import { newKey } from '../integration/provider.mjs';
import { openPage, password, startBrowser } from './browser.mjs';

const browser = await startBrowser();
after(() => browser.close());

// A page of a program with this environment, and nobody logged in.
async function withProgram(more, options, act) {
  const program = await startIdle({ ...more });
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

// A real provider: the npm package oidc-provider with the pages that it brings for trying it out, at
// which anybody is who they say. Who calls themselves admin has the role. To the browser it is another
// site than the program.
async function startRealProvider(redirectUrl, signing) {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const key = newKey(signing === 'ES256' ? 'EC' : 'RSA');
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: key.kid, use: 'sig', alg: signing }] },
    clients: [{ client_id: 'cartographus', client_secret: 'a secret of 32 characters, or so',
      redirect_uris: [redirectUrl], id_token_signed_response_alg: signing }],
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['name', 'roles'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: `${id} of the provider`, roles: [id] }) }),
    cookies: { keys: ['of a test'] },
  });
  const server = provider.listen(port, 'localhost');
  await once(server, 'listening');
  return { issuer, end: () => { server.closeAllConnections(); server.close(); } };
}
async function withProvider(signing, act) {
  const port = await freePort();
  const redirectUrl = `http://127.0.0.1:${port}/api/auth/oidc/callback`;
  const provider = await startRealProvider(redirectUrl, signing);
  const program = await startIdle({ AUTH_MODE: 'jwt,oidc', OIDC_ISSUER_URL: provider.issuer,
    OIDC_CLIENT_ID: 'cartographus', OIDC_CLIENT_SECRET: 'a secret of 32 characters, or so',
    OIDC_REDIRECT_URL: redirectUrl }, undefined, port);
  const context = await browser.newContext({ locale: 'en-GB' });
  try {
    const page = await context.newPage();
    await page.goto(program.url('/'));
    const loginAs = async (name) => {
      await page.getByRole('link', { name: 'Log in by OpenID Connect' }).click();
      await page.locator('input[name=login]').fill(name);
      await page.locator('input[name=password]').fill('any');
      await page.getByRole('button', { name: /sign-in/i }).click();
      await page.getByRole('button', { name: 'Continue' }).click();
    };
    await act(page, loginAs);
  } finally {
    await context.close();
    await program.stop();
    provider.end();
  }
}

for (const signing of ['RS256', 'ES256']) test(`row 34: at a real provider, whose tokens are signed by ${signing}`, () =>
  withProvider(signing, async (page, loginAs) => {
    await page.getByLabel('Password').waitFor();
    await loginAs('admin');
    await page.getByRole('button', { name: 'Menu of admin of the provider' }).click();
    await page.getByRole('button', { name: 'Log out', exact: true }).click();
    await page.getByLabel('Password').waitFor();
  }));

test('whom the provider knows but who has no role here reads why, once', () =>
  withProvider('RS256', async (page, loginAs) => {
    await loginAs('ann');
    assert.match(await page.getByRole('alert').textContent(), /ann of the provider is known to .*may not log in here/);
    await page.reload();
    await page.getByLabel('Password').waitFor();
    assert.equal(await page.getByRole('alert').count(), 0);
  }));
