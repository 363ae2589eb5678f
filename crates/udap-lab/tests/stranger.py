"""A client that knows nothing of this project: Python's own library, openssl to sign, and sandbox.json.

    python3 stranger.py udap-sandbox/sandbox.json
"""

import base64
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

with open(sys.argv[1]) as file:
    sandbox = json.load(file)
tls = ssl.create_default_context(cafile=sandbox["tls_root_pem"])
data_holder = sandbox["data_holders"][0]
app = {app["name"]: app for app in sandbox["apps"]}["good"]


def send(url, body=None, **headers):
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, context=tls) as answer:
        return answer.status, json.load(answer)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims):
    """RS256, with the whole chain in x5c, leaf first (RFC 7515)."""
    with open(app["chain_pem"]) as file:
        blocks = file.read().split("-----END CERTIFICATE-----")[:-1]
    x5c = ["".join(block.split("-----BEGIN CERTIFICATE-----")[1].split()) for block in blocks]
    now = int(time.time())
    claims = {"iat": now, "exp": now + 300, "jti": str(uuid.uuid4()), **claims}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "x5c": x5c}, claims)]
    message = ".".join(base64url(part) for part in parts)
    sign = ["openssl", "dgst", "-sha256", "-sign", app["key_pem"]]
    signature = subprocess.run(sign, input=message.encode(), stdout=subprocess.PIPE, check=True).stdout
    return f"{message}.{base64url(signature)}"


query = urllib.parse.urlencode({"community": app["community"]})
_, metadata = send(f"{data_holder['metadata_url']}?{query}")

scope = "system/Patient.rs"
statement = jwt({
    "iss": app["uri"],
    "sub": app["uri"],
    "aud": metadata["registration_endpoint"],
    "client_name": "A stranger",
    "contacts": ["mailto:stranger@localhost"],
    "grant_types": ["client_credentials"],
    "token_endpoint_auth_method": "private_key_jwt",
    "scope": scope,
})
body = json.dumps({"software_statement": statement, "udap": "1"}).encode()
status, registered = send(metadata["registration_endpoint"], body, **{"Content-Type": "application/json"})

assertion = jwt({
    "iss": registered["client_id"],
    "sub": registered["client_id"],
    "aud": metadata["token_endpoint"],
    "extensions": {
        "hl7-b2b": {
            "version": "1",
            "organization_id": "https://localhost/organizations/stranger",
            "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
        }
    },
})
form = urllib.parse.urlencode({
    "grant_type": "client_credentials",
    "scope": scope,
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": assertion,
    "udap": "1",
}).encode()
_, token = send(metadata["token_endpoint"], form)

_, patients = send(
    f"{data_holder['base_url']}/Patient?family=Shaw",
    Authorization=f"Bearer {token['access_token']}",
)
print(json.dumps({"registered": status, "scope": token["scope"], "patients": patients["total"]}))
