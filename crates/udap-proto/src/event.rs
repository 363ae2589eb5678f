//! Security event tokens (RFC 8417), by which a community tells its members what changed, in stages.

use crate::claims::{self, ClaimError, text};
use crate::error::Refusal;
use crate::jws::{Jws, JwsAlg, JwsError, Signer, Unsigned};
use serde_json::{Map, Value};
use udap_pki::{Certificate, UnixTime, Valid};
use url::Url;

/// The declared type, which RFC 8417 §2.3 recommends and which is demanded here.
pub const TYP: &str = "secevent+jwt";
/// The most events of one token; RFC 8417 §2 means them to be views of one and the same thing.
pub const MAX_EVENTS: usize = 16;

/// Why an event was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum EventError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("header `typ` is not `secevent+jwt`: this is another kind of token")]
    NotAnEvent,
    #[error("claim `iss` is `{iss}`, but the certificate names {names:?}")]
    NotInCertificate { iss: String, names: Vec<String> },
    #[error("the verdict is about another certificate than the one that signed")]
    OtherVerdict,
}

impl Refusal for EventError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::NotAnEvent => "not-a-security-event",
            Self::NotInCertificate { .. } => "san-uri-mismatch",
            Self::OtherVerdict => "verdict-mismatch",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            _ => None,
        }
    }
}

/// An event that its signer signed; whether the signer is trusted is still open.
#[derive(Debug, Clone)]
pub struct Signed {
    payload: Map<String, Value>,
    signer: Signer,
}

/// Reads an event and verifies its signature with the key of `x5c[0]`.
///
/// # Errors
/// [`EventError::Jws`], [`EventError::NotAnEvent`]
pub fn verify_signature(compact: &str, accepted: &[JwsAlg]) -> Result<Signed, EventError> {
    let jws = Jws::parse(compact)?;
    let typ = jws.typ().unwrap_or_default();
    if !typ.eq_ignore_ascii_case(TYP) && !typ.eq_ignore_ascii_case("application/secevent+jwt") {
        return Err(EventError::NotAnEvent);
    }
    let signer = jws.verify_by_leaf(accepted)?;
    Ok(Signed {
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

    /// Checks it against a verdict about the signer's certificate: it is from `issuer`, for
    /// `audience`, and tells of something. Its age is not limited, since a member may collect late;
    /// that its `jti` is new is for whoever keeps them.
    ///
    /// # Errors
    /// [`EventError`]
    pub fn verify(
        self,
        verdict: &Valid,
        issuer: &str,
        audience: &str,
        now: UnixTime,
    ) -> Result<Verified, EventError> {
        if verdict.leaf() != self.signer.leaf() {
            return Err(EventError::OtherVerdict);
        }
        let payload = &self.payload;
        let iss = text(payload, "iss")?;
        let names = self.signer.leaf().uri_names();
        if !names.contains(&iss) {
            return Err(EventError::NotInCertificate {
                iss,
                names: names.to_vec(),
            });
        }
        claims::require_issuer(&iss, issuer)?;
        claims::require_audience(&claims::audience(payload)?, audience)?;
        let iat = claims::date(payload, "iat")?;
        claims::require_past("iat", iat, now)?;
        // RFC 8417 §2.2 advises against `exp`; one that is there is meant.
        if payload.contains_key("exp") {
            claims::require_unexpired(claims::date(payload, "exp")?, now)?;
        }
        let toe = payload
            .contains_key("toe")
            .then(|| claims::date(payload, "toe"))
            .transpose()?;
        Ok(Verified {
            jti: claims::jti(payload)?,
            events: events(payload)?,
            iss,
            iat,
            toe,
        })
    }
}

fn events(payload: &Map<String, Value>) -> Result<Map<String, Value>, ClaimError> {
    let refused = ClaimError::Shape {
        claim: "events",
        expected: "an object of 1 to 16 objects, each under a URI",
    };
    let Some(events) = payload.get("events") else {
        return Err(ClaimError::Missing { claim: "events" });
    };
    let sound = |events: &&Map<String, Value>| {
        (1..=MAX_EVENTS).contains(&events.len())
            && events
                .iter()
                .all(|(uri, event)| Url::parse(uri).is_ok() && event.is_object())
    };
    events.as_object().filter(sound).cloned().ok_or(refused)
}

/// An event that may be acted upon once its `jti` proves to be new.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    iss: String,
    jti: String,
    iat: UnixTime,
    toe: Option<UnixTime>,
    events: Map<String, Value>,
}

impl Verified {
    /// Who tells it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.iss
    }
    /// Its own name.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }
    /// When it was issued.
    #[must_use]
    pub const fn iat(&self) -> UnixTime {
        self.iat
    }
    /// When it happened, if it says so.
    #[must_use]
    pub const fn toe(&self) -> Option<UnixTime> {
        self.toe
    }
    /// The events, by the URI of their kind.
    #[must_use]
    pub const fn events(&self) -> &Map<String, Value> {
        &self.events
    }
}

/// An event, ready to be signed.
#[must_use]
pub fn unsigned(
    alg: JwsAlg,
    chain: &[Certificate],
    issuer: &str,
    audience: &[&str],
    now: UnixTime,
    jti: &str,
    events: &Map<String, Value>,
) -> Unsigned {
    let mut claims = Map::new();
    claims.insert("iss".into(), issuer.into());
    claims.insert("aud".into(), audience.into());
    claims.insert("iat".into(), now.0.into());
    claims.insert("jti".into(), jti.into());
    claims.insert("events".into(), Value::Object(events.clone()));
    Unsigned::with_typ_and_x5c(TYP, alg, chain, &claims)
}
