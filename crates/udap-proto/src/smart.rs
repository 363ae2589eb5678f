//! The authentication token of a client that is known by its keys and has no certificate: SMART's
//! backend services (SMART App Launch 2.2, Client Authentication: Asymmetric; RFC 7523 §3).
//!
//! It is the one JWT here whose signer proves nothing but that it holds a key which the operator has
//! seen: it stands for the client of that very configuration and for nobody else.

use crate::claims::{self, ClaimError, MAX_LIFETIME_SECS, SKEW_SECS, text};
use crate::error::Refusal;
use crate::jwk::JwkSet;
use crate::jws::{Jws, JwsAlg, JwsError};
use udap_pki::UnixTime;

/// What such a client may sign with: those that SMART wants every server to know, and no others.
pub const ALGORITHMS: [JwsAlg; 2] = [JwsAlg::RS384, JwsAlg::ES384];

/// Why such a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum SmartError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("header `x5c` names certificates; a client that is known by its keys has none")]
    Certificates,
    #[error("header `kid` is missing or not a string")]
    KidMissing,
    #[error("header `jku` is `{found}`, but the client's key set is {registered}")]
    Jku { found: String, registered: String },
}

impl Refusal for SmartError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::Certificates => "x5c-unexpected",
            Self::KidMissing => "kid-missing",
            Self::Jku { .. } => "jku-mismatch",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            _ => None,
        }
    }
}

/// Whether a compact JWS names certificates: then it is UDAP's. What cannot be read names none.
#[must_use]
pub fn names_certificates(compact: &str) -> bool {
    Jws::parse(compact).is_ok_and(|jws| jws.header().contains_key("x5c"))
}

/// A token of the right shape, meant for this endpoint and in force. Nobody has looked at its
/// signature.
#[derive(Debug, Clone)]
pub struct Parsed {
    jws: Jws,
    client_id: String,
    kid: String,
    jti: String,
    iat: Option<UnixTime>,
    exp: UnixTime,
}

/// Reads a token and makes the checks that cost nothing: shape, `sub` = `iss`, audience, time.
///
/// # Errors
/// [`SmartError`]
pub fn parse(compact: &str, endpoints: &[&str], now: UnixTime) -> Result<Parsed, SmartError> {
    let jws = Jws::parse(compact)?;
    jws.require_plain_typ()?;
    if jws.header().contains_key("x5c") {
        return Err(SmartError::Certificates);
    }
    if !ALGORITHMS.contains(&jws.alg()) {
        return Err(JwsError::AlgRefused {
            alg: jws.alg().as_str().to_owned(),
        }
        .into());
    }
    let kid = jws.kid().filter(|kid| !kid.is_empty());
    let kid = kid.ok_or(SmartError::KidMissing)?.to_owned();
    let payload = jws.payload();
    let (iss, sub) = (text(payload, "iss")?, text(payload, "sub")?);
    if iss != sub {
        return Err(ClaimError::SubNotIss { iss, sub }.into());
    }
    let aud = claims::audience(payload)?;
    if !aud.iter().any(|aud| endpoints.contains(&aud.as_str())) {
        claims::require_audience(&aud, endpoints.first().copied().unwrap_or_default())?;
    }
    let exp = claims::date(payload, "exp")?;
    claims::require_unexpired(exp, now)?;
    // SMART counts the five minutes from now and not from `iat`, which may be left out; so the other
    // clock's leeway is in them.
    let secs = exp.0.saturating_sub(now.0);
    if secs > MAX_LIFETIME_SECS.saturating_add(SKEW_SECS) {
        return Err(ClaimError::Lifetime {
            secs,
            max: MAX_LIFETIME_SECS,
        }
        .into());
    }
    let past = |claim| {
        let present = payload.contains_key(claim);
        let at = present.then(|| claims::date(payload, claim)).transpose()?;
        at.map_or(Ok(()), |at| claims::require_past(claim, at, now))?;
        Ok::<_, ClaimError>(at)
    };
    past("nbf")?;
    let iat = past("iat")?;
    let jti = claims::jti(payload)?;
    Ok(Parsed {
        jws,
        client_id: iss,
        kid,
        jti,
        iat,
        exp,
    })
}

impl Parsed {
    /// The `client_id` it claims: `iss`.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The key it names.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Refuses a `jku` that is not the URL of keys which the operator knows: it is compared and never
    /// followed. Before any key is fetched.
    ///
    /// # Errors
    /// [`SmartError::Jku`]
    pub fn require_jku(&self, registered: Option<&str>) -> Result<(), SmartError> {
        let Some(found) = self.jws.header().get("jku") else {
            return Ok(());
        };
        if found.as_str().is_some() && found.as_str() == registered {
            return Ok(());
        }
        let found = found
            .as_str()
            .map_or_else(|| found.to_string(), str::to_owned);
        Err(SmartError::Jku {
            found: found.chars().take(200).collect(),
            registered: registered
                .map_or_else(|| "not at a URL".to_owned(), |url| format!("`{url}`")),
        })
    }

    /// Verifies the signature with the client's key of that `kid`. `keys` must be those of
    /// [`Self::client_id`], and [`Self::require_jku`] was asked.
    ///
    /// # Errors
    /// [`JwsError`]
    pub fn verify(self, keys: &JwkSet) -> Result<Verified, JwsError> {
        keys.verify(&self.jws)?;
        Ok(Verified {
            client_id: self.client_id,
            jti: self.jti,
            iat: self.iat,
            exp: self.exp,
        })
    }
}

/// A token that authenticates its client once its `jti` proves to be new.
#[derive(Debug, Clone)]
pub struct Verified {
    client_id: String,
    jti: String,
    iat: Option<UnixTime>,
    exp: UnixTime,
}

impl Verified {
    /// The authenticated client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }
    /// `jti`
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }
    /// `iat`, which may be left out.
    #[must_use]
    pub const fn iat(&self) -> Option<UnixTime> {
        self.iat
    }
    /// `exp`
    #[must_use]
    pub const fn exp(&self) -> UnixTime {
        self.exp
    }
}
