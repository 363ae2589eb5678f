"""Authlib as an app: a software statement that joserfc signs, a token by an assertion that carries the
app's certificate, a patient, and out again. Then as a client of SMART Backend Services, which has a key
and no certificate.

    python3 authlib_client.py udap-sandbox/sandbox.json
"""

import json
import sys
import time
import uuid

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

SCOPE = "system/Patient.rs"

with open(sys.argv[1]) as file:
    sandbox = json.load(file)
holder = sandbox["data_holders"][0]
roots = sandbox["tls_root_pem"]


def get(url):
    answer = requests.get(url, verify=roots, timeout=10)
    answer.raise_for_status()
    return answer.json()


server = get(f"{holder['base_url']}/.well-known/smart-configuration")
registration_endpoint = get(holder["metadata_url"])["registration_endpoint"]

for name, alg, kind in [("good", "RS256", RSAKey), ("good-ec", "ES256", ECKey)]:
    app = {app["name"]: app for app in sandbox["apps"]}[name]
    with open(app["key_pem"]) as file:
        pem = file.read()
    with open(app["chain_pem"]) as file:
        blocks = file.read().split("-----END CERTIFICATE-----")[:-1]
    x5c = ["".join(block.split("-----BEGIN CERTIFICATE-----")[1].split()) for block in blocks]

    def register(grant_types):
        now = int(time.time())
        claims = {
            "iss": app["uri"],
            "sub": app["uri"],
            "aud": registration_endpoint,
            "iat": now,
            "exp": now + 300,
            "jti": str(uuid.uuid4()),
            "client_name": "Authlib",
            "contacts": ["mailto:authlib@localhost.example"],
            "grant_types": grant_types,
            "token_endpoint_auth_method": "private_key_jwt",
            "scope": SCOPE,
        }
        statement = jwt.encode({"alg": alg, "x5c": x5c}, claims, kind.import_key(pem), algorithms=[alg])
        body = {"software_statement": statement, "udap": "1"}
        answer = requests.post(registration_endpoint, json=body, verify=roots, timeout=10)
        assert answer.ok, f"registration: {answer.status_code} {answer.text}"
        return answer.json()

    client_id = register(["client_credentials"])["client_id"]
    purpose = {
        "version": "1",
        "organization_id": app["uri"],
        "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
    }
    session = OAuth2Session(
        client_id,
        kind.import_key(pem),
        token_endpoint_auth_method=PrivateKeyJWT(
            server["token_endpoint"],
            claims={"extensions": {"hl7-b2b": purpose}, "exp": int(time.time()) + 120},
            headers={"x5c": x5c},
            alg=alg,
        ),
        scope=SCOPE,
    )
    session.verify = roots
    token = session.fetch_token(
        server["token_endpoint"], grant_type="client_credentials", udap="1", verify=roots
    )
    assert token["scope"] == SCOPE, token

    found = session.get(f"{holder['base_url']}/Patient?family=Shaw", verify=roots)
    assert found.status_code == 200 and found.json()["entry"], found.text
    register([])
    print(f"{alg}: registered, token for {token['scope']}, patients read, left")

for known in sandbox["smart_clients"]:
    with open(known["key_pem"]) as file:
        key = ECKey.import_key(file.read())

    def client():
        method = PrivateKeyJWT(
            server["token_endpoint"],
            claims={"exp": int(time.time()) + 120},
            headers={"kid": known["kid"]},
            alg=known["alg"],
        )
        session = OAuth2Session(
            known["client_id"],
            key,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            scope=SCOPE,
        )
        session.verify = roots
        return session

    session = client()
    token = session.fetch_token(
        server["token_endpoint"], grant_type="client_credentials", verify=roots
    )
    assert token["scope"] == SCOPE, token
    url = f"{holder['base_url']}/Patient?family=Shaw"
    found = session.get(url, verify=roots)
    assert found.status_code == 200 and found.json()["entry"], found.text
    # A session that has a token sends it along everywhere.
    ended = client().revoke_token(
        server["revocation_endpoint"], token["access_token"], verify=roots
    )
    assert ended.status_code == 200, ended.text
    assert session.get(url, verify=roots).status_code == 401
    print(f"{known['alg']}: known by its key, token for {token['scope']}, patients read, ended")
