// oauth4webapi as an app: it finds the server by RFC 8414, registers with a software statement that
// jose signs, gets a token with an assertion that carries its certificate, reads a patient, leaves. Then
// as a client of SMART Backend Services, which has a key and no certificate.
//
//   NODE_EXTRA_CA_CERTS=udap-sandbox/tls-root.pem node oauth4webapi.mjs udap-sandbox/sandbox.json

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SignJWT, importPKCS8 } from "jose";
import * as oauth from "oauth4webapi";

const sandbox = JSON.parse(readFileSync(process.argv[2], "utf8"));
const scope = "system/Patient.rs";
const base = new URL(sandbox.data_holders[0].base_url);

const answer = await oauth.discoveryRequest(base, { algorithm: "oauth2" });
const server = await oauth.processDiscoveryResponse(base, answer);

for (const [name, alg] of [["good", "RS256"], ["good-ec", "ES256"]]) {
  const app = sandbox.apps.find((app) => app.name === name);
  const key = await importPKCS8(readFileSync(app.key_pem, "utf8"), alg);
  const x5c = readFileSync(app.chain_pem, "utf8")
    .split("-----END CERTIFICATE-----")
    .slice(0, -1)
    .map((block) => block.split("-----BEGIN CERTIFICATE-----")[1].replace(/\s/g, ""));

  const register = async (grant_types) => {
    const software_statement = await new SignJWT({
      client_name: "oauth4webapi",
      contacts: ["mailto:oauth4webapi@localhost.example"],
      grant_types,
      token_endpoint_auth_method: "private_key_jwt",
      scope,
    })
      .setProtectedHeader({ alg, x5c })
      .setIssuer(app.uri)
      .setSubject(app.uri)
      .setAudience(server.registration_endpoint)
      .setIssuedAt()
      .setExpirationTime("5m")
      .setJti(crypto.randomUUID())
      .sign(key);
    return fetch(server.registration_endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ software_statement, udap: "1" }),
    });
  };

  const registered = await register(["client_credentials"]);
  assert.ok(registered.ok, `registration: ${registered.status} ${await registered.clone().text()}`);
  const client = { client_id: (await registered.json()).client_id };

  const clientAuth = oauth.PrivateKeyJwt(key, {
    [oauth.modifyAssertion](header, payload) {
      header.x5c = x5c;
      payload.aud = server.token_endpoint;
      payload.extensions = {
        "hl7-b2b": {
          version: "1",
          organization_id: app.uri,
          purpose_of_use: ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
        },
      };
    },
  });
  const asked = await oauth.clientCredentialsGrantRequest(server, client, clientAuth, {
    scope,
    udap: "1",
  });
  const token = await oauth.processClientCredentialsResponse(server, client, asked);
  assert.equal(token.token_type, "bearer");
  assert.equal(token.scope, scope);

  const read = await oauth.protectedResourceRequest(
    token.access_token,
    "GET",
    new URL(`${base}/Patient?family=Shaw`),
    new Headers({ accept: "application/fhir+json" }),
  );
  assert.equal(read.status, 200);
  assert.ok((await read.json()).entry.length > 0);

  const left = await register([]);
  assert.ok(left.ok, `leaving: ${left.status} ${await left.text()}`);
  console.log(`${alg}: registered, token for ${token.scope}, patients read, left`);
}

for (const known of sandbox.smart_clients) {
  const key = await importPKCS8(readFileSync(known.key_pem, "utf8"), known.alg);
  const client = { client_id: known.client_id };
  // SMART wants the token endpoint where the library puts the issuer, and nothing else besides.
  const clientAuth = oauth.PrivateKeyJwt(
    { key, kid: known.kid },
    {
      [oauth.modifyAssertion](header, payload) {
        payload.aud = server.token_endpoint;
      },
    },
  );
  const asked = await oauth.clientCredentialsGrantRequest(server, client, clientAuth, { scope });
  const token = await oauth.processClientCredentialsResponse(server, client, asked);
  assert.equal(token.scope, scope);
  const target = new URL(`${base}/Patient?family=Shaw`);
  const read = () => oauth.protectedResourceRequest(token.access_token, "GET", target);
  assert.equal((await read()).status, 200);

  const about = await oauth.introspectionRequest(server, client, clientAuth, token.access_token);
  const said = await oauth.processIntrospectionResponse(server, client, about);
  assert.equal(said.active, true);
  assert.equal(said.client_id, client.client_id);
  const ended = await oauth.revocationRequest(server, client, clientAuth, token.access_token);
  await oauth.processRevocationResponse(ended);
  await assert.rejects(read, (error) => error.status === 401);
  console.log(`${known.alg}: known by its key, token for ${token.scope}, patients read, ended`);
}
