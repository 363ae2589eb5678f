// The operators' pages in a real browser, against a running sandbox.
//
//   node admin.mjs sandbox.json path/to/udap password-file [directory for screenshots]
//
// Everything an operator does is done by the keyboard and without JavaScript; then axe-core looks at
// every page, light and dark, wide and narrow. No request may leave this machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';

const [manifest, udap, passwordFile, shots] = process.argv.slice(2);
const holder = JSON.parse(readFileSync(manifest, 'utf8')).data_holders[0];
const admin = holder.admin_url;
const password = readFileSync(passwordFile, 'utf8').trim();
const home = dirname(dirname(manifest));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const run = (...args) => execFileSync(udap, args, { cwd: home, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const ARGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const profiles = [];
const seen = new Set();

async function browser(options) {
  const profile = mkdtempSync(join(tmpdir(), 'udap-browser-'));
  profiles.push(profile);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ARGS,
    bypassCSP: options.javaScriptEnabled !== false,
    ...options,
  });
  context.on('request', (request) => seen.add(new URL(request.url()).hostname));
  context.setDefaultTimeout(20_000);
  return context;
}

const get = (url, token) => fetch(url, { headers: { authorization: `Bearer ${token}`, accept: 'application/fhir+json' } });
const told = (text) => console.log(`✓ ${text}`);

/** The element that has the focus, by its text. */
const focused = (page) => page.locator(':focus');

/** Presses Tab until something with that text has the focus, as somebody without a mouse does. */
async function tabTo(page, text) {
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press('Tab');
    const here = focused(page);
    if ((await here.count()) === 1 && (await here.innerText()).trim().startsWith(text)) return here;
  }
  throw new Error(`no way to “${text}” by Tab on ${page.url()}`);
}

async function logIn(page) {
  await page.goto(`${admin}/`);
  assert.equal(new URL(page.url()).pathname, '/login');
  await page.keyboard.press('Tab');
  await page.keyboard.type('ada');
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${admin}/`);
}

/** Suspends or restores the app on whose page we are. */
async function act(page, title, reason, state) {
  await tabTo(page, `${title}…`);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/(suspend|restore)$/);
  await page.getByLabel('Reason').focus();
  await page.keyboard.type(reason);
  await tabTo(page, title);
  await page.keyboard.press('Enter');
  await page.waitForURL(/done=/);
  assert.match(await page.getByRole('status').innerText(), new RegExp(`is ${state}`));
}

try {
  // An app that reads.
  run('get', `${holder.base_url}/Patient?_count=1`);
  const token = () => run('token', holder.base_url).trim();
  const patient = `${holder.base_url}/Patient?_count=1`;
  const before = token();
  assert.equal((await get(patient, before)).status, 200);

  // ── without JavaScript, by the keyboard ──────────────────────────────────────────────────────
  const plain = await browser({ javaScriptEnabled: false });
  const page = plain.pages()[0] ?? await plain.newPage();
  await page.goto(`${admin}/login`);
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password').fill('not the password at all');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').innerText(), /wrong/);
  await logIn(page);
  const cookie = (await plain.cookies(admin))[0];
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite], [true, true, 'Strict']);
  told('logged in by the keyboard, without JavaScript');

  await page.keyboard.press('Tab');
  assert.equal(await focused(page).innerText(), 'Skip to the content');
  await page.keyboard.press('Enter');
  await page.waitForURL(/#main$/);
  await page.goto(`${admin}/`);
  await tabTo(page, 'Apps');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${admin}/apps`);
  // Those of the sandbox's own job have left, and may have registered in the same second.
  await page.getByLabel('State').focus();
  await page.keyboard.type('active');
  await tabTo(page, 'Filter');
  await page.keyboard.press('Enter');
  await page.waitForURL(/state=active/);
  await tabTo(page, run('admin', 'apps', '--state', 'active', '--json', '--config', holder.config).match(/"uri": ?"([^"]+)"/)[1]);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/apps\/.+/);
  const appPage = page.url();
  told('navigated to an app');

  await act(page, 'Suspend', 'the key was lost', 'suspended');
  assert.equal((await get(patient, before)).status, 401);
  assert.throws(token);
  told('suspended: its token is refused at the gateway, and it gets no other');

  await act(page, 'Restore', 'it has a new key', 'restored');
  assert.equal((await get(patient, before)).status, 401);
  assert.equal((await get(patient, token())).status, 200);
  told('restored: it gets tokens again, and the old one stays dead');

  // ── another site ─────────────────────────────────────────────────────────────────────────────
  // On another port of the same host, so that the browser sends the cookie along.
  const evil = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<form method="post" action="${appPage.split('?')[0]}/suspend"><input name="csrf" value="x"><input name="reason" value="x"><button>Win</button></form>`);
  });
  await new Promise((done) => evil.listen(0, '127.0.0.1', done));
  await page.goto(`http://localhost:${evil.address().port}/`);
  const answered = page.waitForResponse((response) => response.url().endsWith('/suspend'));
  await page.getByText('Win').click();
  const refused = await answered;
  assert.match((await refused.request().allHeaders()).cookie ?? '', /__Host-udap-admin=/);
  assert.equal(refused.status(), 403);
  assert.match(await page.locator('main').innerText(), /admin-request-forged/);
  evil.close();
  told('a form of another site is refused although the browser sent the cookie');

  await page.goto(`${admin}/`);
  await tabTo(page, 'Log out');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${admin}/login`);
  await page.goto(appPage);
  assert.equal(new URL(page.url()).pathname, '/login');
  await plain.close();
  told('logged out');

  // ── what axe-core finds ──────────────────────────────────────────────────────────────────────
  const app = appPage.split('?')[0];
  const pages = {
    overview: `${admin}/`, apps: `${admin}/apps`, 'apps-none': `${admin}/apps?q=nobody-is-called-that`,
    app, suspend: `${app}/suspend`, communities: `${admin}/communities`, refusals: `${admin}/refusals`,
    certificates: `${admin}/certificates`, audit: `${admin}/audit`, explain: `${admin}/explain/certificate-revoked`,
    'not-found': `${admin}/nothing`, login: `${admin}/login`,
  };
  let looked = 0;
  for (const [name, colorScheme, width] of [['light', 'light', 1200], ['dark', 'dark', 1200], ['narrow', 'light', 320]]) {
    const context = await browser({ colorScheme, viewport: { width, height: 900 } });
    const page = context.pages()[0] ?? await context.newPage();
    await logIn(page);
    for (const [title, url] of Object.entries(pages)) {
      await page.goto(url);
      if (shots) await page.screenshot({ path: join(shots, `${title}-${name}.png`), fullPage: true });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      const found = violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`);
      assert.deepEqual(found, [], `${title}, ${name}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${title} is ${wide} px wide at ${width} px`);
      looked += 1;
    }
    await context.close();
  }
  told(`axe-core found nothing on ${looked} pages`);

  const strangers = [...seen].filter((host) => host !== 'localhost' && host !== '127.0.0.1');
  assert.deepEqual(strangers, []);
  told('no request left this machine');
} finally {
  for (const profile of profiles) rmSync(profile, { recursive: true, force: true });
}
