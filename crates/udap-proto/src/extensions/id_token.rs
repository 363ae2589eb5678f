//! The ID token within an extension object: a provider of credentials says who a person is (OpenID Connect
//! Core §2). What it must be like is a part of the object's description.

use crate::claims::{self, ClaimError, text};
use crate::community::CommunityError;
use crate::community::table::Table;
use crate::error::Refusal;
use crate::id_token::MAX_SUB;
use crate::jwk::JwkSet;
use crate::jws::{Jws, JwsAlg, JwsError};
use serde_json::{Map, Value};
use udap_pki::UnixTime;

/// The rules for the ID token of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What it may be signed with.
    pub algorithms: Vec<JwsAlg>,
    /// Whom it must be for.
    pub audience: Audience,
    /// Claims that must be there beyond those of every ID token.
    pub claims: Vec<String>,
    /// How long ago the person may have signed in, in seconds.
    pub max_auth_age_secs: Option<i64>,
    /// How often it serves.
    pub uses: Uses,
}

/// Whom an ID token in an extension object must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The app, by its registered URI or its `client_id`.
    Client,
    /// The node that the app's certification names as its home.
    HomeCommunityId,
}

/// How often an ID token serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// In as many requests as it lives.
    Many,
    /// Once, as told by issuer and `jti`.
    Once,
}

/// The longest that a sign-in may be ago where it counts: a day.
const MAX_AGE_SECS: i64 = 86_400;

impl Rules {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, CommunityError> {
        let names = table.texts("algorithms")?.unwrap_or_default();
        // By keys that are fetched, never by a shared secret: the names of others are not known.
        let algorithms: Option<Vec<_>> = names.iter().map(|n| JwsAlg::from_name(n)).collect();
        let audience = table.choice(
            "audience",
            &[
                ("client", Audience::Client),
                ("home-community-id", Audience::HomeCommunityId),
            ],
        )?;
        Ok(Self {
            algorithms: algorithms
                .filter(|algorithms| !algorithms.is_empty())
                .ok_or_else(|| table.wrong("algorithms", "a list of one JWS algorithm at least"))?,
            audience: audience.ok_or_else(|| table.missing("audience"))?,
            claims: table.texts("claims")?.unwrap_or_default(),
            max_auth_age_secs: table.integer("max_auth_age_secs", 1, MAX_AGE_SECS)?,
            uses: if table.boolean("once")? {
                Uses::Once
            } else {
                Uses::Many
            },
        })
    }
}

/// What an ID token in an extension object says of a person. Only [`Rules::verify`] makes one: it is no
/// sign-in at this server, and a sign-in is none of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The provider.
    pub issuer: String,
    /// The person there.
    pub subject: String,
    /// Its own name, where it has one.
    pub jti: Option<String>,
    /// Until when it may be presented.
    pub exp: UnixTime,
    /// All claims.
    pub claims: Map<String, Value>,
}

/// Who is said to have issued a token and with which key, nothing verified: to find its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// `iss`
    pub issuer: String,
    /// `kid`
    pub kid: String,
}

/// Whom a token claims to be from.
///
/// # Errors
/// [`PresentedError`] for what is no ID token at all, or names no key.
pub fn claimed(compact: &str) -> Result<Claimed, PresentedError> {
    let jws = Jws::parse(compact)?;
    jws.require_plain_typ()?;
    Ok(Claimed {
        issuer: text(jws.payload(), "iss")?,
        kid: jws.kid().ok_or(PresentedError::NoKeyId)?.to_owned(),
    })
}

/// Why an ID token in an extension object does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum PresentedError {
    #[error("the ID token: {0}")]
    Jws(#[from] JwsError),
    #[error("the ID token: {0}")]
    Claim(#[from] ClaimError),
    #[error("the ID token's header names no key (`kid`)")]
    NoKeyId,
    #[error("the ID token is by `{issuer}`, which is no provider of credentials here")]
    Issuer { issuer: String },
    #[error("the ID token is for {found:?}, and must be for one of {expected:?}")]
    Audience {
        found: Vec<String>,
        expected: Vec<String>,
    },
    #[error("the person signed in {secs} seconds ago, longer than {max}")]
    AuthTime { secs: i64, max: i64 },
    #[error("the ID token was presented before")]
    Repeated,
    #[error(
        "the patient is the user, but `birthDate` is missing or another day than the ID token says"
    )]
    OtherPerson,
}

impl Refusal for PresentedError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::NoKeyId => "id-token-key-unnamed",
            Self::Issuer { .. } => "id-token-issuer-unknown",
            Self::Audience { .. } => "id-token-audience",
            Self::AuthTime { .. } => "id-token-sign-in-too-old",
            Self::Repeated => "id-token-repeated",
            Self::OtherPerson => "id-token-other-person",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            _ => None,
        }
    }
}

impl Rules {
    /// Verifies a token with the keys that were fetched for its issuer, which the operator listed.
    /// `audiences` are the names of the one whom it may be for; a token for others besides is refused.
    ///
    /// # Errors
    /// [`PresentedError`]
    pub fn verify(
        &self,
        compact: &str,
        keys: &JwkSet,
        issuer: &str,
        audiences: &[String],
        now: UnixTime,
    ) -> Result<Presented, PresentedError> {
        let jws = Jws::parse(compact)?;
        jws.require_plain_typ()?;
        if !self.algorithms.contains(&jws.alg()) {
            return Err(JwsError::AlgRefused {
                alg: jws.alg().as_str().to_owned(),
            }
            .into());
        }
        keys.verify(&jws)?;
        let payload = jws.payload();
        claims::require_issuer(&text(payload, "iss")?, issuer)?;
        let found = claims::audience(payload)?;
        if found.is_empty() || !found.iter().all(|aud| audiences.contains(aud)) {
            return Err(PresentedError::Audience {
                found: found.into_iter().take(4).collect(),
                expected: audiences.to_vec(),
            });
        }
        let (iat, exp) = (claims::date(payload, "iat")?, claims::date(payload, "exp")?);
        if exp <= iat {
            return Err(ClaimError::ExpBeforeIat { iat, exp }.into());
        }
        claims::require_unexpired(exp, now)?;
        claims::require_past("iat", iat, now)?;
        if payload.contains_key("nbf") {
            claims::require_past("nbf", claims::date(payload, "nbf")?, now)?;
        }
        let subject = text(payload, "sub")?;
        if subject.chars().count() > MAX_SUB {
            return Err(ClaimError::Shape {
                claim: "sub",
                expected: "at most 255 characters long",
            }
            .into());
        }
        if let Some(missing) = self.claims.iter().find(|name| !is_there(payload, name)) {
            return Err(ClaimError::Required {
                claim: missing.clone(),
            }
            .into());
        }
        if let Some(max) = self.max_auth_age_secs {
            let auth_time = claims::date(payload, "auth_time")?;
            claims::require_past("auth_time", auth_time, now)?;
            let secs = now.secs_since(auth_time);
            if secs > max.saturating_add(claims::SKEW_SECS) {
                return Err(PresentedError::AuthTime { secs, max });
            }
        }
        let named = payload.contains_key("jti") || self.uses == Uses::Once;
        Ok(Presented {
            issuer: issuer.to_owned(),
            subject,
            jti: named.then(|| claims::jti(payload)).transpose()?,
            exp,
            claims: payload.clone(),
        })
    }
}

/// A claim that says something.
fn is_there(payload: &Map<String, Value>, claim: &str) -> bool {
    match payload.get(claim) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    }
}
