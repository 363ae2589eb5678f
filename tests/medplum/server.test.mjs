// Proves what the gateway's test relies on: filters filter, paging reaches the end, links are this server's own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

const SHAWS = ['p-000', 'p-010', 'p-020', 'p-030', 'p-040'];
const patients = Array.from({ length: 45 }, (_, n) => ({
  resourceType: 'Patient',
  id: `p-${String(n).padStart(3, '0')}`,
  meta: { versionId: '1', lastUpdated: '2026-11-02T09:30:00Z' },
  identifier: [{ system: 'https://fhir.example.org/mrn', value: `M-${n}` }],
  name: [{ family: n % 10 === 0 ? 'Shaw' : `Other${n}`, given: [`Given${n}`] }],
  gender: n % 2 ? 'male' : 'female',
  birthDate: `19${50 + n}-06-15`,
}));
const observations = patients.map(({ id }) => ({
  resourceType: 'Observation',
  id: `${id}-heart-rate`,
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${id}` },
  valueQuantity: { value: 72, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
}));

const directory = mkdtempSync(join(tmpdir(), 'medplum-'));
let child;
let ready;

before(async () => {
  const bundle = join(directory, 'patients.json');
  writeFileSync(bundle, JSON.stringify({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: patients.map((resource) => ({ resource, request: { method: 'PUT', url: `Patient/${resource.id}` } })),
  }));
  const lines = join(directory, 'observations.ndjson');
  writeFileSync(lines, observations.map((resource) => JSON.stringify(resource)).join('\n'));

  const program = join(import.meta.dirname, 'server.mjs');
  child = spawn(process.execPath, [program, '--load', bundle, '--load', lines], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    ready = JSON.parse(line);
    break;
  }
});

after(() => {
  child?.kill();
  rmSync(directory, { recursive: true });
});

/** An answer, from a path under the base or from an absolute link, which has to be under the base as well. */
async function fhir(address, init) {
  const url = address.startsWith('/') ? ready.base + address : address;
  assert.ok(url.startsWith(`${ready.base}/`), url);
  const response = await fetch(url, init);
  assert.match(response.headers.get('content-type'), /^application\/fhir\+json/);
  return { status: response.status, headers: response.headers, resource: await response.json() };
}

const ids = (bundle) => (bundle.entry ?? []).map((entry) => entry.resource.id);
const link = (bundle, relation) => bundle.link.find((one) => one.relation === relation)?.url;

async function found(address) {
  const { status, resource } = await fhir(address);
  assert.equal(status, 200, JSON.stringify(resource));
  return ids(resource);
}

test('it says what it has loaded', () => {
  assert.deepEqual(ready.loaded, { Patient: 45, Observation: 45 });
  assert.equal(ready.base, `http://localhost:${ready.port}/fhir/R4`);
});

test('a resource keeps its id and its version', async () => {
  const { status, headers, resource } = await fhir('/Patient/p-010');
  assert.equal(status, 200);
  assert.deepEqual(resource, patients[10]);
  assert.equal(headers.get('etag'), 'W/"1"');
  const head = await fetch(`${ready.base}/Patient/p-010`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), '');
});

test('each filter filters', async () => {
  assert.deepEqual(await found('/Patient?family=Shaw'), SHAWS);
  assert.deepEqual(await found('/Patient?name=Shaw&gender=male'), []);
  assert.deepEqual(await found('/Patient?family=Nobody'), []);
  assert.deepEqual(await found('/Patient?_id=p-010'), ['p-010']);
  assert.deepEqual(await found('/Patient?identifier=https://fhir.example.org/mrn|M-7'), ['p-007']);
  assert.deepEqual(await found('/Patient?birthdate=1950-06-15'), ['p-000']);
  assert.deepEqual(await found('/Observation?patient=Patient/p-003'), ['p-003-heart-rate']);
  assert.deepEqual(await found('/Observation?code=http://loinc.org|0000-0'), []);
});

test('a search can be posted', async () => {
  const { resource } = await fhir('/Patient/_search', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'family=Shaw&_count=2',
  });
  assert.deepEqual(ids(resource), SHAWS.slice(0, 2));
  assert.deepEqual(await found(link(resource, 'next')), SHAWS.slice(2, 4));
});

test('paging reaches the end and comes back', async () => {
  let seen = [];
  let pages = 1;
  let { resource: page } = await fhir('/Patient?gender=female,male&_count=10');
  const first = page;
  for (; ; pages += 1) {
    assert.equal(page.total, 45);
    seen = seen.concat(ids(page));
    const next = link(page, 'next');
    if (!next) {
      break;
    }
    page = (await fhir(next)).resource;
  }
  assert.equal(pages, 5);
  assert.deepEqual(seen, patients.map(({ id }) => id));
  for (let previous; (previous = link(page, 'previous')); ) {
    page = (await fhir(previous)).resource;
  }
  assert.deepEqual(page, first);
});

test('a search without a count has pages too', async () => {
  const { resource } = await fhir('/Patient');
  assert.equal(resource.entry.length, 20);
  assert.equal(resource.entry[0].fullUrl, `${ready.base}/Patient/p-000`);
});

test('errors are OperationOutcome', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const [status, address, init] of [
    [404, '/Patient/nobody'],
    [404, '/Patient/p-000/what/is/this'],
    [400, '/Patient?birthdate=yesterday'],
    [400, '/Patient', { method: 'POST', body: '{' }],
    [415, '/Patient/_search', { method: 'POST', body: 'family=Shaw' }],
    [413, '/Patient/_search', { method: 'POST', headers: form, body: 'x'.repeat(2 * 1024 * 1024) }],
  ]) {
    const answer = await fhir(address, init);
    assert.equal(answer.status, status, address);
    assert.equal(answer.resource.resourceType, 'OperationOutcome', address);
  }
  assert.equal((await fetch(`http://localhost:${ready.port}/Patient/p-000`)).status, 404);
});

test('metadata says R4 and this address', async () => {
  const { resource } = await fhir('/metadata');
  assert.equal(resource.fhirVersion, '4.0.1');
  assert.equal(resource.implementation.url, ready.base);
  const patient = resource.rest[0].resource.find(({ type }) => type === 'Patient');
  assert.ok(patient.searchParam.some(({ name }) => name === 'family'));
});

test('it stops when it is told to', async () => {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  assert.equal(await exited, 0);
});
