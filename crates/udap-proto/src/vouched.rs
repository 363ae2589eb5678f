//! A software statement that somebody else signed about an app (RFC 7591 §2.3): an issuer whose keys the
//! operator configured, in place of a certificate of the app's own.
//!
//! A certificate names its app, and its CA vouches for that name. Here nothing but the issuer's word says
//! which app it is. So the operator says of which apps each issuer may speak, and the app's own keys are
//! in what the issuer signed.

use crate::certification;
use crate::claims::{ClaimError, Claims, MAX_ISS, MAX_LIFETIME_SECS, text};
use crate::error::Refusal;
use crate::jwk::JwkSet;
use crate::jws::{Jws, JwsAlg, JwsError};
use crate::registration::{Change, ParamError};
use serde_json::Value;
use udap_pki::UnixTime;
use url::Url;

/// The parameter with the URL of the app's own keys.
pub const JWKS_URI: &str = "jwks_uri";
/// The longest URL of keys, in bytes.
const MAX_URL: usize = 2048;

/// Why such a statement was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum VouchedError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("header `x5c` names certificates; `{issuer}` signs with keys that are known")]
    Certificates { issuer: String },
    #[error("header `kid` is missing or not a string")]
    KidMissing,
    #[error("claim `sub` is `{sub}`, of which `{issuer}` may not speak here")]
    Outside { issuer: String, sub: String },
    #[error(transparent)]
    Param(#[from] ParamError),
    #[error("this is a certification, not a software statement")]
    Certification,
}

impl Refusal for VouchedError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::Certificates { .. } => "x5c-unexpected",
            Self::KidMissing => "kid-missing",
            Self::Outside { .. } => "issuer-outside-subjects",
            Self::Param(e) => e.code(),
            Self::Certification => "not-a-software-statement",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            Self::Param(e) => e.hint(),
            _ => None,
        }
    }
}

/// What the operator says of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its URI, `iss` of its statements.
    pub uri: String,
    /// Of which apps it may speak: of those whose URI begins with one of these, each of which ends with a
    /// slash.
    pub subjects: Vec<String>,
    /// What it may sign with.
    pub algorithms: Vec<JwsAlg>,
}

impl Issuer {
    fn may_speak_of(&self, app: &str) -> bool {
        // One spelling, so that no path climbs out of what it begins with.
        Url::parse(app).is_ok_and(|url| url.as_str() == app)
            && self.subjects.iter().any(|subject| {
                subject.ends_with('/')
                    && app
                        .strip_prefix(subject.as_str())
                        .is_some_and(|rest| !rest.is_empty())
            })
    }
}

/// A statement of the right shape. Nobody has looked at its signature.
#[derive(Debug, Clone)]
pub struct Parsed {
    compact: String,
    jws: Jws,
    kid: String,
}

/// Who a statement without certificates claims to be signed by; `None` for one that has certificates, and
/// for what cannot be read.
#[must_use]
pub fn claimed_issuer(compact: &str) -> Option<String> {
    let jws = Jws::parse(compact).ok()?;
    if jws.header().contains_key("x5c") {
        return None;
    }
    jws.payload().get("iss")?.as_str().map(str::to_owned)
}

/// Reads a statement by an issuer.
///
/// # Errors
/// [`VouchedError`]
pub fn parse(compact: &str, issuer: &Issuer) -> Result<Parsed, VouchedError> {
    let jws = Jws::parse(compact)?;
    jws.require_plain_typ()?;
    if jws.header().contains_key("x5c") {
        return Err(VouchedError::Certificates {
            issuer: issuer.uri.clone(),
        });
    }
    let kid = jws.kid().ok_or(VouchedError::KidMissing)?.to_owned();
    Ok(Parsed {
        compact: compact.to_owned(),
        jws,
        kid,
    })
}

impl Parsed {
    /// The name of the key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The app's URI it claims, not verified: for logs.
    #[must_use]
    pub fn claimed_app(&self) -> &str {
        let sub = self.jws.payload().get("sub").and_then(Value::as_str);
        sub.unwrap_or_default()
    }

    /// Verifies the signature by the issuer's keys, that it is about an app of which the issuer may speak,
    /// the claims and the parameters.
    ///
    /// # Errors
    /// [`VouchedError`]
    pub fn verify(
        self,
        keys: &JwkSet,
        issuer: &Issuer,
        endpoint: &str,
        now: UnixTime,
    ) -> Result<Verified, VouchedError> {
        self.jws.require_alg(&issuer.algorithms)?;
        keys.verify(&self.jws)?;
        let payload = self.jws.payload();
        if certification::is_one(payload) {
            return Err(VouchedError::Certification);
        }
        let claims = Claims::read(payload)?;
        claims.require_issuer(&issuer.uri)?;
        // Here it is `sub` that is the key of the registration.
        if claims.sub.len() > MAX_ISS {
            return Err(ClaimError::Shape {
                claim: "sub",
                expected: "at most 2000 bytes long",
            }
            .into());
        }
        if !issuer.may_speak_of(&claims.sub) {
            return Err(VouchedError::Outside {
                issuer: claims.iss,
                sub: claims.sub,
            });
        }
        claims.require_audience(endpoint)?;
        claims.require_in_force(now, MAX_LIFETIME_SECS)?;
        let mut change = Change::read(payload)?;
        if let Change::Register(metadata) = &mut change {
            // How the app will prove who it is: by keys that the issuer has seen, and no others.
            let url =
                text(payload, JWKS_URI).map_err(|_| ParamError::Missing { param: JWKS_URI })?;
            let good = Url::parse(&url).is_ok_and(|url| {
                url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
            });
            if !good || url.len() > MAX_URL {
                return Err(ParamError::Wrong {
                    param: JWKS_URI,
                    found: "another".to_owned(),
                    expected: "an https URL of at most 2048 bytes",
                }
                .into());
            }
            metadata.jku = None;
            metadata.other.insert(JWKS_URI.into(), url.into());
        }
        Ok(Verified {
            compact: self.compact,
            claims,
            change,
        })
    }
}

/// A statement that may be acted upon once its `jti` proves to be new.
#[derive(Debug, Clone)]
pub struct Verified {
    compact: String,
    claims: Claims,
    change: Change,
}

impl Verified {
    /// The app's URI: `sub`.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.claims.sub
    }
    /// Its registered claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
    /// What is asked for in the app's name.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }
    /// The statement as it was submitted, byte for byte.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.compact
    }
}
