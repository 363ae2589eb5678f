//! The sandbox's client of SMART Backend Services: a key, and the key set by which the data holder knows it.

use std::path::PathBuf;

use serde_json::{Value, json};
use udap_pki::{KeyKind, pem};
use udap_proto::{
    jwk::{Jwk, JwkSet},
    jws::JwsAlg,
};
use udap_trust::{
    keys::{KeyType, generate},
    signer::{KeySigner, Signer as _},
};

use super::{
    error::DevError,
    files::{self, Readers},
    layout::Layout,
    member::read_signer,
};

const CLIENT_ID: &str = "backend-service";
const SCOPE: &str = "system/Patient.rs system/Observation.rs";
const KID: &str = "backend-1";

fn key(layout: &Layout) -> PathBuf {
    layout.path("smart/backend-service.key")
}

fn jwks(layout: &Layout) -> PathBuf {
    layout.path("smart/backend-service.jwks.json")
}

/// Takes the key that is there, or makes one, and writes what is public of it.
pub(crate) fn make(layout: &Layout) -> Result<(), DevError> {
    let path = key(layout);
    let unusable = |detail: String| DevError::Unreadable {
        path: path.clone(),
        detail,
    };
    let found = read_signer(&path).ok();
    let signer = match found.filter(|signer| signer.public_key().kind() == KeyKind::P384) {
        Some(signer) => signer,
        None => {
            files::make_dir(&layout.path("smart"))?;
            let der = generate(KeyType::P384).map_err(|error| unusable(error.to_string()))?;
            let text = pem::encode("PRIVATE KEY", &der);
            files::write(&path, text.as_bytes(), Readers::Owner)?;
            KeySigner::from_pkcs8(&der).map_err(|error| unusable(error.to_string()))?
        }
    };
    let kid = Some(KID.to_owned());
    let jwk = Jwk::from_public_key(signer.public_key(), kid, Some(JwsAlg::ES384));
    let jwk = jwk.map_err(|error| unusable(error.to_string()))?;
    let set = JwkSet::new(vec![jwk]).to_json();
    let text = format!("{set:#}\n");
    files::write(&jwks(layout), text.as_bytes(), Readers::Everybody)
}

/// Its table in the data holder's configuration.
pub(crate) fn table() -> String {
    format!(
        "\n[[smart_client]]\nclient_id = \"{CLIENT_ID}\"\n\
         jwks_file = \"../smart/backend-service.jwks.json\"\nscope = \"{SCOPE}\"\n"
    )
}

/// For programs.
pub(crate) fn listed(layout: &Layout) -> Value {
    json!([{
        "client_id": CLIENT_ID,
        "alg": "ES384",
        "kid": KID,
        "key_pem": key(layout),
        "jwks_file": jwks(layout),
        "scope": SCOPE,
    }])
}
