//! What a certification says about each token request: with which keys, from where.

use super::restrictions::{mismatch, shape, texts};
use super::{AddressRange, CertificationError, Mismatch};
use crate::jwk::JwkSet;
use serde_json::{Map, Value};
use std::net::IpAddr;
use udap_pki::PublicKey;

/// The claims `jwks` and `ip_allowed` (UDAP Certifications and Endorsements §2). They bind an app for
/// as long as it is registered with the certification, so they can be written down and read again.
#[derive(Debug, Clone, Default)]
pub struct RequestLimits {
    keys: Option<JwkSet>,
    addresses: Option<Vec<AddressRange>>,
    claims: Map<String, Value>,
}

const CLAIMS: [&str; 2] = ["jwks", "ip_allowed"];

impl RequestLimits {
    /// Reads them among a certification's claims, or from what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// [`CertificationError`]
    pub fn read(payload: &Map<String, Value>) -> Result<Self, CertificationError> {
        let keys = match payload.get("jwks") {
            None => None,
            Some(Value::Object(set)) => {
                Some(JwkSet::from_json(set).map_err(CertificationError::Keys)?)
            }
            Some(_) => return Err(shape("jwks", "a JSON Web Key Set")),
        };
        let addresses = texts(payload, "ip_allowed")?
            .map(|ranges| {
                ranges
                    .iter()
                    .map(|range| AddressRange::parse(range))
                    .collect::<Option<_>>()
            })
            .map(|read| {
                read.ok_or_else(|| {
                    shape("ip_allowed", "an array of addresses, ranges and prefixes")
                })
            })
            .transpose()?;
        let claims = CLAIMS
            .into_iter()
            .filter_map(|claim| Some((claim.to_owned(), payload.get(claim)?.clone())))
            .collect();
        Ok(Self {
            keys,
            addresses,
            claims,
        })
    }

    /// The claims themselves.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.claims.clone())
    }

    /// Whether there is no limit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether the app may use this key.
    ///
    /// # Errors
    /// [`Mismatch`]
    pub fn check_key(&self, key: &PublicKey) -> Result<(), Mismatch> {
        let Some(keys) = &self.keys else {
            return Ok(());
        };
        let known = |spki: &[u8]| keys.keys().iter().any(|jwk| jwk.key().spki_der() == spki);
        if known(key.spki_der()) {
            return Ok(());
        }
        Err(mismatch(
            "jwks",
            "another key",
            format!("{} keys", keys.keys().len()),
        ))
    }

    /// Whether the app may ask from this address; from one that is not known, where addresses are
    /// limited, it may not.
    ///
    /// # Errors
    /// [`Mismatch`]
    pub fn check_address(&self, from: Option<IpAddr>) -> Result<(), Mismatch> {
        let Some(ranges) = &self.addresses else {
            return Ok(());
        };
        let Some(from) = from else {
            return Err(mismatch("ip_allowed", "not known", "some addresses"));
        };
        if ranges.iter().any(|range| range.contains(from)) {
            return Ok(());
        }
        Err(mismatch("ip_allowed", from, "other addresses"))
    }
}
