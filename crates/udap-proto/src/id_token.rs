//! ID tokens of an identity provider in tiered OAuth (OpenID Connect Core §§2, 3.1.3.7; UDAP Tiered
//! OAuth §4; HL7 SSRAA §6).

use crate::claims::{self, ClaimError, text};
use crate::error::Refusal;
use crate::jwk::JwkSet;
use crate::jws::{Jws, JwsAlg, JwsError};
use serde_json::{Map, Value};
use udap_pki::UnixTime;

/// The longest `sub`, in characters (OpenID Connect Core §2).
pub const MAX_SUB: usize = 255;

/// Why an ID token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum IdTokenError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("the token is for others as well: {others:?}")]
    OtherAudiences { others: Vec<String> },
    #[error("claim `azp` is `{found}`, but must be `{expected}`")]
    AuthorizedParty { expected: String, found: String },
    #[error("claim `nonce` is not the one that was sent")]
    Nonce,
}

impl Refusal for IdTokenError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::OtherAudiences { .. } => "id-token-other-audiences",
            Self::AuthorizedParty { .. } => "id-token-azp-mismatch",
            Self::Nonce => "id-token-nonce-mismatch",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            _ => None,
        }
    }
}

/// What was asked of whom.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The identity provider, as it was configured or discovered.
    pub issuer: &'a str,
    /// The algorithms it may sign with.
    pub algorithms: &'a [JwsAlg],
    /// Our `client_id` there.
    pub client_id: &'a str,
    /// The `nonce` of the request, which always has one.
    pub nonce: &'a str,
}

/// An ID token that says who signed in. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    iss: String,
    sub: String,
    iat: UnixTime,
    exp: UnixTime,
    auth_time: Option<UnixTime>,
    acr: Option<String>,
    amr: Vec<String>,
    payload: Map<String, Value>,
}

impl Verified {
    /// The identity provider.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.iss
    }
    /// The user there; means somebody only together with [`Self::issuer`].
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.sub
    }
    /// When it was issued.
    #[must_use]
    pub const fn iat(&self) -> UnixTime {
        self.iat
    }
    /// Until when it may be accepted.
    #[must_use]
    pub const fn exp(&self) -> UnixTime {
        self.exp
    }
    /// When the user signed in.
    #[must_use]
    pub const fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time
    }
    /// How well the user's identity is known, a URI in UDAP.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }
    /// How the user signed in. A single text, as the Identity Matching guide prints it, counts as a
    /// list of one.
    #[must_use]
    pub fn amr(&self) -> &[String] {
        &self.amr
    }
    /// All claims.
    #[must_use]
    pub const fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }
}

/// Verifies an ID token (OpenID Connect Core §3.1.3.7) with the keys that were fetched for its
/// issuer; `kid` chooses among them and nowhere else.
///
/// # Errors
/// [`IdTokenError`]
pub fn verify(
    compact: &str,
    keys: &JwkSet,
    expected: &Expected<'_>,
    now: UnixTime,
) -> Result<Verified, IdTokenError> {
    let jws = Jws::parse(compact)?;
    // An access token of the same issuer says so in its `typ`; so do logout tokens and events.
    jws.require_plain_typ()?;
    if !expected.algorithms.contains(&jws.alg()) {
        return Err(JwsError::AlgRefused {
            alg: jws.alg().as_str().to_owned(),
        }
        .into());
    }
    keys.verify(&jws)?;
    let payload = jws.payload();

    let iss = text(payload, "iss")?;
    claims::require_issuer(&iss, expected.issuer)?;
    let aud = claims::audience(payload)?;
    claims::require_audience(&aud, expected.client_id)?;
    // Step 3: audiences that are not trusted refuse the token, and of none is it known who they are.
    let others: Vec<_> = aud
        .into_iter()
        .filter(|aud| aud != expected.client_id)
        .collect();
    if !others.is_empty() {
        return Err(IdTokenError::OtherAudiences { others });
    }
    // Steps 4 and 5.
    if payload.contains_key("azp") {
        let azp = text(payload, "azp")?;
        if azp != expected.client_id {
            return Err(IdTokenError::AuthorizedParty {
                expected: expected.client_id.to_owned(),
                found: azp,
            });
        }
    }
    let (iat, exp) = (claims::date(payload, "iat")?, claims::date(payload, "exp")?);
    if exp <= iat {
        return Err(ClaimError::ExpBeforeIat { iat, exp }.into());
    }
    claims::require_unexpired(exp, now)?;
    claims::require_past("iat", iat, now)?;
    if text(payload, "nonce")? != expected.nonce {
        return Err(IdTokenError::Nonce);
    }
    let sub = text(payload, "sub")?;
    if sub.chars().count() > MAX_SUB {
        return Err(ClaimError::Shape {
            claim: "sub",
            expected: "at most 255 characters long",
        }
        .into());
    }
    let optional = |claim| payload.contains_key(claim).then_some(claim);
    Ok(Verified {
        auth_time: optional("auth_time")
            .map(|claim| claims::date(payload, claim))
            .transpose()?,
        acr: optional("acr")
            .map(|claim| text(payload, claim))
            .transpose()?,
        amr: amr(payload)?,
        iss,
        sub,
        iat,
        exp,
        payload: payload.clone(),
    })
}

fn amr(payload: &Map<String, Value>) -> Result<Vec<String>, ClaimError> {
    let refused = ClaimError::Shape {
        claim: "amr",
        expected: "an array of strings",
    };
    match payload.get("amr") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => several
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or(refused),
        Some(_) => Err(refused),
    }
}
