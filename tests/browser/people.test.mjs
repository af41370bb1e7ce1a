// People: found, ordered, joined and parted with a way back; a profile; links that lead to it. What is
// changed is changed back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './axe.mjs';
import { startProgram } from '../integration/program.mjs';
import { Children, startSimulator } from '../integration/simulator.mjs';
import { openDemo, openPage, phone, until } from './browser.mjs';

const { demo, browser, on } = await openDemo();
const everybody = async (order = 'watch_ms') => (await demo.ask(`/people?order=${order}&limit=100`)).people;
const made = async () => (await everybody()).map((p) => p.accounts.map((a) => a.id).join('+')).sort();
const rowOf = (page, name) => page.locator('tbody tr').filter({ has: page.getByRole('link', { name, exact: true }) });
const becomes = (what, ask, wanted) => until(what, async () => {
  const value = await ask();
  return { is: JSON.stringify(value) === JSON.stringify(wanted), value };
}, 30000);
const json = (body) => ({ method: 'POST', body: JSON.stringify(body) });

test('everybody is listed, found by a part of a name, and ordered', on({}, async (page) => {
  const people = await everybody();
  await page.goto('/');
  await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'People' }).click();
  await page.getByRole('heading', { name: 'People', level: 1 }).waitFor();
  await page.getByText(`${people.length} people`).waitFor();
  assert.ok(people.length > 5);
  const names = () => page.locator('tbody .who a').allTextContents();
  assert.deepEqual(await names(), people.map((p) => p.name));
  await page.getByLabel('Order').selectOption('By name');
  await becomes('by name', names, (await everybody('name')).map((p) => p.name));
  assert.match(page.url(), /order=name/);
  const wanted = people[3].name;
  await page.getByLabel('Find a person or an account').fill(wanted.slice(0, 4).toUpperCase());
  await until('found', async () => {
    const value = await names();
    return { is: value.length < people.length && value.includes(wanted), value };
  }, 30000);
  await page.getByLabel('Find a person or an account').fill('nobody is called so');
  await page.getByRole('heading', { name: 'Nobody is called “nobody is called so”' }).waitFor();
  await page.getByRole('link', { name: 'Show everybody' }).click();
  await becomes('everybody', names, people.map((p) => p.name));
}));

test('two who are chosen become one, and two again', on({}, async (page) => {
  const before = await made();
  const [a, b] = await everybody();
  await page.goto('/people');
  await page.getByLabel(`Choose ${a.name}`).check();
  await page.getByText('1 person chosen').waitFor();
  assert.ok(await page.getByRole('button', { name: 'They are one person' }).isDisabled());
  await page.getByLabel(`Choose ${b.name}`).check();
  await page.getByRole('button', { name: 'They are one person' }).click();
  await page.getByText(`${a.name}: joined`).waitFor();
  await becomes('one', async () => (await everybody()).length, before.length - 1);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('Taken back', { exact: true }).waitFor();
  await becomes('two', made, before);
}));

test('a profile says what a person is made of; an account leaves and comes back; a name is changed', on({}, async (page) => {
  const before = await made();
  const p = (await everybody()).find((one) => one.is_by_name);
  await page.goto('/people');
  await rowOf(page, p.name).getByText('by name').waitFor();
  await page.getByRole('link', { name: p.name, exact: true }).click();
  await page.getByRole('heading', { name: p.name, level: 1 }).waitFor();
  const whole = await demo.ask(`/people/${p.id}`);
  const accounts = page.getByRole('region', { name: 'Accounts' });
  assert.equal(await accounts.locator('ul li').count(), p.accounts.length);
  await page.getByRole('region', { name: 'Most watched' }).getByText(whole.top_titles[0].title).first().waitFor();
  await page.getByRole('region', { name: 'Devices' }).getByText(whole.top_devices[0].player).first().waitFor();
  assert.equal(await page.getByRole('region', { name: 'Last played' }).locator('li').count(), whole.recent.length);
  assert.deepEqual(await faultsOf(page), []);

  const last = p.accounts.at(-1);
  await accounts.getByRole('button', { name: `Not this person: ${last.name} on ${last.server}` }).click();
  await page.getByText(`${last.name} is a person of their own`).waitFor();
  await becomes('parted', async () => (await demo.ask(`/people/${p.id}`)).accounts.length, p.accounts.length - 1);
  await page.getByRole('region', { name: 'Joined and parted' }).getByText('admin parted').first().waitFor();
  await page.getByRole('button', { name: 'Undo', exact: true }).last().click();
  await becomes('together', made, before);

  await page.getByRole('button', { name: 'Yes, this is one person' }).click();
  await page.getByText(`${p.name}: confirmed`).waitFor();
  await becomes('confirmed', async () => (await demo.ask(`/people/${p.id}`)).is_by_name, false);
  await page.getByRole('button', { name: 'Undo', exact: true }).last().click();
  await becomes('by name', async () => (await demo.ask(`/people/${p.id}`)).is_by_name, true);

  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Aunt Erna');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Aunt Erna', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Undo', exact: true }).last().click();
  await page.getByRole('heading', { name: p.name, level: 1 }).waitFor();

  await page.getByRole('link', { name: 'All plays' }).click();
  await page.getByRole('heading', { name: 'History', level: 1 }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('users'), String(p.id));
}));

// Servers whose accounts resemble each other without being sure.
test('who may be one person is suggested, with what speaks for it, and answered', async () => {
  const children = new Children();
  const sim = await startSimulator(children, 1, 2);
  await sim.rename('emby', 5, { username: 'guest' });
  await sim.rename('jellyfin', 1, { username: 'guest' });
  await sim.rename('emby', 2, { username: 'Mary Ann', email: 'mary@example.org' });
  await sim.rename('jellyfin', 4, { username: 'mary.ann' });
  const program = await startProgram(sim.environment());
  const [name, value] = (await program.login()).split('=');
  const its = { origin: program.url(''), cookie: { name, value, url: program.url('') } };
  const ask = async (route) => (await fetch(program.url(`/api/v1${route}`), { headers: { cookie: `${name}=${value}` } })).json();
  const opened = await openPage(browser, its, {});
  const { page } = opened;
  try {
    await becomes('both pairs', async () => (await ask('/people/suggestions')).suggestions.length, 2);
    await page.goto('/people');
    await page.getByRole('heading', { name: 'Maybe one person 2' }).waitFor();
    await page.getByText('The same name, but a name that many people share').waitFor();
    await page.getByText('Nearly the same name').waitFor();
    await page.getByText('No device or internet line in common').first().waitFor();
    await page.getByText('mary@example.org').waitFor();
    assert.deepEqual(await faultsOf(page), []);
    await page.getByRole('button', { name: /^Different people: guest and guest/ }).click();
    await page.getByText('Different people from now on').waitFor();
    await page.getByRole('heading', { name: 'Maybe one person 1' }).waitFor();
    await page.getByRole('button', { name: /^Same person: .*[Mm]ary/ }).click();
    await page.getByRole('heading', { name: 'Maybe one person' }).waitFor({ state: 'detached' });
    await becomes('one Mary', async () => (await ask('/people?find=mary')).people.map((p) => p.accounts.length), [2]);
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await page.getByRole('heading', { name: 'Maybe one person 1' }).waitFor();
  } finally {
    await opened.close();
    await program.stop();
    await children.end();
  }
});

test('where nobody is known yet it says so, and what to do', async () => {
  const program = await startProgram({ ENABLE_PLEX_SYNC: 'true', PLEX_URL: 'http://127.0.0.1:9', PLEX_TOKEN: 'x'.repeat(20) });
  const [name, value] = (await program.login()).split('=');
  const opened = await openPage(browser, { origin: program.url(''), cookie: { name, value, url: program.url('') } }, {});
  try {
    await opened.page.goto('/people');
    await opened.page.getByRole('heading', { name: 'Nobody yet' }).waitFor();
    await opened.page.getByRole('link', { name: 'Import a history' }).waitFor();
  } finally {
    await opened.close();
    await program.stop();
  }
});

test('what plays now and a play lead to the person', on({}, async (page) => {
  const { sessions } = await demo.ask('/sessions');
  const playing = sessions.find((s) => s.person_id);
  await page.goto('/');
  await page.locator('article.stream').getByRole('link', { name: playing.person, exact: true }).first().click();
  await page.getByRole('heading', { name: playing.person, level: 1 }).waitFor();
  const { rows } = await demo.ask('/plays?limit=1');
  await page.goto(`/history?play=${rows[0].id}`);
  await page.getByRole('dialog').getByRole('link', { name: rows[0].person, exact: true }).click();
  await page.getByRole('heading', { name: rows[0].person, level: 1 }).waitFor();
}));

test('whoever was joined with another is found under the old address', on({}, async (page) => {
  const [a, b] = await everybody();
  const { decision } = await demo.ask('/people/merge', json({ people: [a.id, b.id] }));
  await page.goto(`/people/${Math.max(a.id, b.id)}`);
  await page.getByRole('region', { name: 'Accounts' }).waitFor();
  const { id } = await demo.ask(`/people/${Math.max(a.id, b.id)}`);
  await until('the address follows', async () => ({ is: new URL(page.url()).pathname === `/people/${id}`, value: page.url() }), 30000);
  await demo.ask(`/people/history/${decision}/undo`, { method: 'POST' });
}));

test('a profile on a phone has no fault and nothing beside the screen', on({ size: phone, theme: 'dark' }, async (page) => {
  const [p] = await everybody();
  for (const address of ['/people', `/people/${p.id}`]) {
    await page.goto(address);
    await page.locator('main .card').first().waitFor();
    await page.waitForLoadState('networkidle');
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), address);
    assert.deepEqual(await faultsOf(page), []);
  }
}));
