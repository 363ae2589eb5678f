//! A data holder whose community a has clients known by certificate and tokens bound to keys, and what
//! such clients send.

use super::{BASE, Holder, Member, Reply, encoded, request, signer, statement, world};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use udap_host::listen::{ClientCertificate, MutualTls};
use udap_proto::dpop::thumbprint;
use udap_proto::jwk::Jwk;
use udap_proto::jws::JwsAlg;
use udap_trust::keys::KeyType;
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::{clock, random};

/// The base URL at the port that asks for certificates.
pub(crate) const CERTIFIED: &str = "https://mtls.holder.example/fhir";

/// With these settings at the top, and these in community a.
pub(crate) async fn bound(top: &str, community: &str) -> Holder {
    Holder::edited(|text| edited(&text, top, community)).await
}

pub(crate) fn edited(text: &str, top: &str, community: &str) -> String {
    let port = "trusted_proxies = [\"127.0.0.1\"]\nmtls_listen = \"127.0.0.1:0\"\n";
    let line = format!("uri = \"{}\"\n", world().a.uri);
    let definition = if community.contains("tls_client_auth") {
        let path = definition().display();
        format!("definition = \"{path}\"\n")
    } else {
        String::new()
    };
    let text = text.replace(&line, &format!("{line}{definition}{community}\n"));
    format!("{port}mtls_origin = \"https://mtls.holder.example\"\n{top}\n{text}")
}

/// A description of a community that demands no extension object of its apps.
fn definition() -> &'static std::path::Path {
    static FILE: OnceLock<tempfile::NamedTempFile> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        let text = "profile = \"ssraa-2.0\"\n[extensions.hl7-b2b]\nuse = \"supported\"\n";
        std::fs::write(file.path(), text).unwrap();
        file
    });
    file.path()
}

/// The handshake of a client with this certificate.
pub(crate) fn shows(member: &Member) -> Option<MutualTls> {
    let certificate = ClientCertificate {
        leaf: member.leaf().clone(),
        intermediates: member.chain[1..].to_vec(),
    };
    Some(MutualTls::Presented(Arc::new(certificate)))
}

/// Registers an app that is known by its certificate; its `client_id`.
pub(crate) async fn certified(holder: &Holder, app: &Member) -> String {
    let jwt = statement(app).claim("token_endpoint_auth_method", "tls_client_auth");
    let reply = holder.register(&jwt.sign()).await;
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.text("token_endpoint_auth_method"), "tls_client_auth");
    reply.text("client_id")
}

/// The parameters of a good token request by certificate.
pub(crate) fn by_certificate(client_id: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs"),
        ("client_id", client_id),
        ("udap", "1"),
    ]
}

/// Posts a form, over a connection that tells this, with a proof or without.
pub(crate) async fn post(
    holder: &Holder,
    target: &str,
    form: &[(&str, &str)],
    tls: Option<MutualTls>,
    proofs: &[&str],
) -> Reply {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
    let mut request = request(Method::POST, target, &headers, encoded(form));
    if let Some(tls) = tls {
        request.extensions_mut().insert(tls);
    }
    holder.send(request).await
}

/// The key of a client that proves its possession.
pub(crate) struct ProofKey(KeySigner);

impl ProofKey {
    pub(crate) fn new() -> Self {
        Self(signer(KeyType::P256))
    }

    fn jwk(&self) -> Jwk {
        Jwk::from_public_key(self.0.public_key(), None, None).unwrap()
    }

    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(thumbprint(&self.jwk()))
    }

    /// A proof for the token endpoint, with claims changed or left out.
    pub(crate) fn proof(&self, changes: &Value) -> String {
        let mut claims = json!({
            "jti": random::id(), "htm": "POST", "htu": format!("{BASE}/oauth/token"),
            "iat": clock::now().0,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            }
        }
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk().to_json()});
        let encode = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let input = format!("{}.{}", encode(header), encode(claims));
        let scheme = JwsAlg::ES256.scheme();
        let signature = self.0.sign_now(scheme, input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
