//! What an access token is bound to: `cnf` (RFC 7800 §3.1), a certificate (RFC 8705 §3.1), a key
//! (RFC 9449 §6.1), or both.

use crate::claims::ClaimError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

/// The member for a certificate.
const CERTIFICATE: &str = "x5t#S256";
/// The member for a key.
const KEY: &str = "jkt";

/// What its presenter must prove to hold. By default nothing: whoever bears the token may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confirmation {
    /// SHA-256 of the DER of the certificate that the TLS client must have shown.
    pub certificate: Option<[u8; 32]>,
    /// SHA-256 thumbprint (RFC 7638) of the key that must have signed the DPoP proof.
    pub key: Option<[u8; 32]>,
}

impl Confirmation {
    /// Whether there is nothing to prove.
    #[must_use]
    pub const fn is_unbound(&self) -> bool {
        self.certificate.is_none() && self.key.is_none()
    }

    /// Reads `cnf`. What is not understood is refused: to leave it out would turn a bound token into
    /// one that serves everybody.
    pub(crate) fn read(payload: &Map<String, Value>) -> Result<Self, ClaimError> {
        const SHAPE: ClaimError = ClaimError::Shape {
            claim: "cnf",
            expected: "an object with `x5t#S256`, `jkt` or both, each a SHA-256 in base64url",
        };
        let members = match payload.get("cnf") {
            None => return Ok(Self::default()),
            Some(Value::Object(members)) if !members.is_empty() => members,
            Some(_) => return Err(SHAPE),
        };
        let mut confirmation = Self::default();
        for (name, value) in members {
            let hash = value
                .as_str()
                .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                .ok_or(SHAPE)?;
            match name.as_str() {
                CERTIFICATE => confirmation.certificate = Some(hash),
                KEY => confirmation.key = Some(hash),
                _ => return Err(SHAPE),
            }
        }
        Ok(confirmation)
    }
}

impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, hash) in [(CERTIFICATE, &self.certificate), (KEY, &self.key)] {
            if let Some(hash) = hash {
                map.serialize_entry(name, &URL_SAFE_NO_PAD.encode(hash))?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(cnf: Value) -> Result<Confirmation, ClaimError> {
        let mut payload = Map::new();
        payload.insert("cnf".into(), cnf);
        Confirmation::read(&payload)
    }

    #[test]
    fn it_goes_around() {
        for (certificate, key) in [
            (Some([1; 32]), None),
            (None, Some([2; 32])),
            (Some([1; 32]), Some([2; 32])),
        ] {
            let cnf = Confirmation { certificate, key };
            assert!(!cnf.is_unbound());
            assert_eq!(read(json!(cnf)), Ok(cnf));
        }
        assert_eq!(Confirmation::read(&Map::new()), Ok(Confirmation::default()));
        assert!(Confirmation::default().is_unbound());
    }

    /// None of them may come out as a token without a binding.
    #[test]
    fn a_binding_that_is_not_understood_is_never_dropped() {
        let hash = URL_SAFE_NO_PAD.encode([1; 32]);
        for cnf in [
            json!(null),
            json!({}),
            json!([]),
            json!(""),
            json!({"jwk": {"kty": "EC"}}),
            json!({"jkt": hash, "kid": "k"}),
            json!({"x5t": hash}),
            json!({"jkt": null}),
            json!({"jkt": ""}),
            json!({"jkt": format!("{hash}=")}),
            json!({"jkt": URL_SAFE_NO_PAD.encode([1; 31])}),
            json!({"x5t#S256": [hash]}),
        ] {
            let text = cnf.to_string();
            assert!(
                matches!(read(cnf), Err(ClaimError::Shape { claim: "cnf", .. })),
                "{text}"
            );
        }
    }
}
