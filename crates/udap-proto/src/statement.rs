//! The software statement: what an app says about itself when it registers (HL7 SSRAA §3.1; UDAP
//! Dynamic Client Registration §2), in its three stages.

use crate::certification;
use crate::claims::{ClaimError, Claims, MAX_LIFETIME_SECS};
use crate::error::Refusal;
use crate::jws::{Jws, JwsAlg, JwsError, Signer, Unsigned};
use crate::registration::{Change, ParamError};
use serde_json::{Map, Value};
use udap_pki::{Certificate, UnixTime, Valid};

/// Why a software statement was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum StatementError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("claim `iss` is `{iss}`, but the certificate names {names:?}")]
    NotInCertificate { iss: String, names: Vec<String> },
    #[error("the verdict is about another certificate than the one that signed")]
    OtherVerdict,
    #[error(transparent)]
    Param(#[from] ParamError),
    #[error("this is a certification, not a software statement")]
    Certification,
}

impl Refusal for StatementError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::NotInCertificate { .. } => "san-uri-mismatch",
            Self::OtherVerdict => "verdict-mismatch",
            Self::Param(e) => e.code(),
            Self::Certification => "not-a-software-statement",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            Self::Param(e) => e.hint(),
            Self::NotInCertificate { iss, names } => crate::claims::nearest_name(names, iss),
            _ => None,
        }
    }
}

/// A statement that its signer signed; whether the signer is trusted is still open.
#[derive(Debug, Clone)]
pub struct Signed {
    compact: String,
    payload: Map<String, Value>,
    signer: Signer,
}

/// Reads a statement and verifies its signature with the key of `x5c[0]`.
///
/// # Errors
/// [`JwsError`]
pub fn verify_signature(compact: &str, accepted: &[JwsAlg]) -> Result<Signed, JwsError> {
    let jws = Jws::parse(compact)?;
    jws.require_plain_typ()?;
    let signer = jws.verify_by_leaf(accepted)?;
    Ok(Signed {
        compact: compact.to_owned(),
        payload: jws.payload().clone(),
        signer,
    })
}

impl Signed {
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The app's URI it claims, not verified: for logs.
    #[must_use]
    pub fn claimed_iss(&self) -> &str {
        self.payload
            .get("iss")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Checks it against a verdict about the signer's certificate: the app's URI is a name of that
    /// certificate, the claims are right and in force, and the parameters make sense.
    ///
    /// # Errors
    /// [`StatementError`]
    pub fn verify(
        self,
        verdict: &Valid,
        endpoint: &str,
        now: UnixTime,
    ) -> Result<Verified, StatementError> {
        if verdict.leaf() != self.signer.leaf() {
            return Err(StatementError::OtherVerdict);
        }
        if certification::is_one(&self.payload) {
            return Err(StatementError::Certification);
        }
        let claims = Claims::read(&self.payload)?;
        let names = self.signer.leaf().uri_names();
        if !names.contains(&claims.iss) {
            return Err(StatementError::NotInCertificate {
                iss: claims.iss,
                names: names.to_vec(),
            });
        }
        claims.require_sub_is_iss()?;
        claims.require_audience(endpoint)?;
        claims.require_in_force(now, MAX_LIFETIME_SECS)?;
        let change = Change::read(&self.payload)?;
        Ok(Verified {
            compact: self.compact,
            claims,
            change,
            leaf: self.signer.leaf().clone(),
        })
    }
}

/// A statement that may be acted upon once its `jti` proves to be new.
#[derive(Debug, Clone)]
pub struct Verified {
    compact: String,
    claims: Claims,
    change: Change,
    leaf: Certificate,
}

impl Verified {
    /// The app's URI: `iss`, and a name of the certificate.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.claims.iss
    }
    /// Its registered claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
    /// What the app asks for.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }
    /// The certificate that signed it.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        &self.leaf
    }
    /// The statement as it was submitted, byte for byte.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.compact
    }
}

/// A statement by an app about itself, ready to be signed.
#[must_use]
pub fn unsigned(
    alg: JwsAlg,
    chain: &[Certificate],
    uri: &str,
    endpoint: &str,
    now: UnixTime,
    jti: &str,
    params: &Map<String, Value>,
) -> Unsigned {
    let mut claims = Map::new();
    claims.insert("iss".into(), uri.into());
    claims.insert("sub".into(), uri.into());
    claims.insert("aud".into(), endpoint.into());
    claims.insert("iat".into(), now.0.into());
    claims.insert("exp".into(), now.plus_secs(MAX_LIFETIME_SECS).0.into());
    claims.insert("jti".into(), jti.into());
    for (name, value) in params {
        claims.insert(name.clone(), value.clone());
    }
    Unsigned::with_x5c(alg, chain, &claims)
}
