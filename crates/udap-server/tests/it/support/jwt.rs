//! JWTs that are right until a test makes one thing in them wrong.

use super::{Member, REGISTER, SCOPES, TOKEN};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use udap_pki::Scheme;
use udap_proto::jws::JwsAlg;
use udap_trust::signer::{KeySigner, Signer as _, jws_alg};
use udap_trust::{clock, random};

/// A JWT before it is signed; a test changes what it likes.
#[derive(Clone, Debug)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signer: KeySigner,
    scheme: Scheme,
    header_text: Option<String>,
    claims_text: Option<String>,
}

impl Jwt {
    pub(crate) fn new(member: &Member, claims: Value) -> Self {
        let alg = jws_alg(member.signer.public_key().kind());
        let x5c: Vec<_> = member
            .chain
            .iter()
            .map(|c| STANDARD.encode(c.der()))
            .collect();
        Self {
            header: json!({"alg": alg.as_str(), "x5c": x5c}),
            claims,
            signer: member.signer.clone(),
            scheme: alg.scheme(),
            header_text: None,
            claims_text: None,
        }
    }

    /// Of a client that has a key and no certificate.
    pub(crate) fn by_key(signer: &KeySigner, alg: JwsAlg, kid: &str, claims: Value) -> Self {
        Self {
            header: json!({"alg": alg.as_str(), "kid": kid, "typ": "JWT"}),
            claims,
            signer: signer.clone(),
            scheme: alg.scheme(),
            header_text: None,
            claims_text: None,
        }
    }

    /// With a claim changed.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    /// Without a claim.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    /// With a header member changed.
    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    /// Without a header member.
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(name);
        self
    }

    /// Made and ended so many seconds from now.
    pub(crate) fn times(self, iat: i64, exp: i64) -> Self {
        let now = clock::now();
        self.claim("iat", now.plus_secs(iat).0)
            .claim("exp", now.plus_secs(exp).0)
    }

    /// With `x5c` as a test wants it.
    pub(crate) fn x5c(self, change: impl FnOnce(Vec<String>) -> Vec<String>) -> Self {
        let x5c = serde_json::from_value(self.header["x5c"].clone()).unwrap();
        self.header("x5c", change(x5c))
    }

    /// Signed by another key; the certificates stay.
    pub(crate) fn signed_by(mut self, signer: &KeySigner) -> Self {
        self.signer = signer.clone();
        self
    }

    /// Signed as that algorithm says, which the header names too.
    pub(crate) fn alg(mut self, alg: JwsAlg) -> Self {
        self.scheme = alg.scheme();
        self.header("alg", alg.as_str())
    }

    /// Signed in another form.
    pub(crate) fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// With a header that is these characters.
    pub(crate) fn header_text(mut self, text: impl FnOnce(String) -> String) -> Self {
        self.header_text = Some(text(self.header.to_string()));
        self
    }

    /// With a payload that is these characters.
    pub(crate) fn claims_text(mut self, text: impl FnOnce(String) -> String) -> Self {
        self.claims_text = Some(text(self.claims.to_string()));
        self
    }

    /// The compact form.
    pub(crate) fn sign(&self) -> String {
        let encode = |text: &Option<String>, json: &Value| {
            URL_SAFE_NO_PAD.encode(text.clone().unwrap_or_else(|| json.to_string()))
        };
        let input = format!(
            "{}.{}",
            encode(&self.header_text, &self.header),
            encode(&self.claims_text, &self.claims)
        );
        let signature = self.signer.sign_now(self.scheme, input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A good software statement of an app for its first URI.
pub(crate) fn statement(app: &Member) -> Jwt {
    let uri = app.leaf().uri_names().first().cloned().unwrap_or_default();
    let claims = json!({
        "iss": uri,
        "sub": uri,
        "aud": REGISTER,
        "jti": random::id(),
        "client_name": "Test app",
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": SCOPES,
        "contacts": ["mailto:ops@app.example"],
    });
    Jwt::new(app, claims).times(0, 300)
}

/// A good authentication token.
pub(crate) fn assertion(app: &Member, client_id: &str) -> Jwt {
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": TOKEN,
        "jti": random::id(),
        "extensions": {"hl7-b2b": {
            "version": "1",
            "organization_id": "https://clinic.example/Organization/1",
            "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
        }},
    });
    Jwt::new(app, claims).times(0, 300)
}
