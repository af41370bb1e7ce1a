// Backups: made, listed, downloaded, deleted; one is looked at, staged for the next start, and cancelled.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { openDemo, phone, until } from './browser.mjs';

const { demo, on } = await openDemo();
const list = () => demo.ask('/backups');
async function idle() {
  const { state } = await demo.ask('/restore');
  if (state !== 'none') await demo.ask('/restore', { method: 'DELETE', headers: { cookie: `${demo.cookie.name}=${demo.cookie.value}` } });
  await until('no restore is under way', async () => {
    const value = (await demo.ask('/restore')).state;
    return { is: value === 'none', value };
  }, 20000);
}
async function made(page) {
  const before = (await list()).backups.length;
  await page.getByRole('button', { name: 'Back up now' }).click();
  await until('it is made', async () => {
    const { backups, job } = await list();
    return { is: job?.state === 'done' && backups.length > before, value: job };
  }, 60000);
  await page.getByText(/^Made and tried out: cartographus-/).waitFor();
  return (await list()).backups[0];
}

test('a backup is made, downloaded, and deleted after a second click', on({}, async (page) => {
  await page.goto('/settings/backups');
  const { name, bytes, plays } = await made(page);
  const line = page.getByRole('listitem').filter({ hasText: name });
  await line.getByText(plays.toLocaleString('en-GB')).waitFor();
  await line.getByText('newest').waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'), page.getByRole('link', { name: `Download ${name}` }).click()]);
  assert.equal(download.suggestedFilename(), name);
  assert.equal((await readFile(await download.path())).length, bytes);
  await page.getByRole('button', { name: `Delete ${name}` }).click();
  await line.getByRole('button', { name: 'Keep it' }).click();
  await page.getByRole('button', { name: `Delete ${name}` }).click();
  await line.getByRole('button', { name: 'Yes, delete it' }).click();
  await line.waitFor({ state: 'detached' });
  assert.ok(!(await list()).backups.some((one) => one.name === name));
  const rules = page.getByRole('region', { name: 'How they are made' });
  for (const option of ['BACKUP_SCHEDULE', 'BACKUP_KEEP_NEWEST', 'BACKUP_KEEP_MONTHLY', 'BACKUP_DIR', 'BACKUP_COMPRESSION', 'BACKUP_PASSPHRASE'])
    await rules.getByText(option).waitFor();
}));

test('one that is kept is looked at, staged, shown as staged everywhere, and cancelled', on({ size: phone }, async (page) => {
  await idle();
  await page.goto('/settings/backups');
  const { name, plays } = await made(page);
  await page.getByRole('button', { name: `Restore ${name}` }).click();
  const card = page.getByRole('region', { name: 'Bring one back' });
  await card.getByText(`${name} is whole`).waitFor();
  await card.getByText(plays.toLocaleString('en-GB'), { exact: true }).waitFor();
  await card.getByText('Not in a backup').click();
  await card.getByText(/JWT_SECRET/).waitFor();
  assert.deepEqual(await faultsOf(page), []);
  await card.getByRole('button', { name: 'Restore at the next start' }).click();
  await card.getByText(`${name} is restored at the next start`).waitFor();
  assert.equal((await demo.ask('/restore')).state, 'staged');
  await page.reload();
  await card.getByText(`${name} is restored at the next start`).waitFor();
  await card.getByText('Staged by admin').waitFor();
  assert.deepEqual(await faultsOf(page), []);
  await card.getByRole('button', { name: 'Cancel the restore' }).click();
  await card.getByText('Drop a backup here').waitFor();
  assert.equal((await demo.ask('/restore')).state, 'none');
}));

test('a file that is sent is tried out; what is none is refused in words', on({}, async (page) => {
  await idle();
  await page.goto('/settings/backups');
  const { name } = await made(page);
  const answer = await page.request.get(`/api/v1/backups/${name}`);
  const card = page.getByRole('region', { name: 'Bring one back' });
  const input = card.locator('input[type=file]');
  await input.setInputFiles({ name: 'from-elsewhere.tar.gz', mimeType: 'application/gzip', buffer: await answer.body() });
  await card.getByText('from-elsewhere.tar.gz is whole').waitFor();
  await card.getByRole('button', { name: 'Give it up' }).click();
  await input.setInputFiles({ name: 'holiday.tar.gz', mimeType: 'application/gzip', buffer: Buffer.from('no archive at all '.repeat(50)) });
  await card.getByText('holiday.tar.gz cannot be restored').waitFor();
  assert.match(await card.getByRole('alert').textContent(), /damaged, cut short or no backup/);
  await card.getByText('Nothing has changed.').waitFor();
  await card.getByRole('button', { name: 'Choose another' }).click();
  await card.getByText('Drop a backup here').waitFor();
}));
