//! Access tokens: what the token endpoint issues and the gateway accepts, as JWTs (RFC 9068) or as
//! random texts that only their issuer can look up.

use crate::claims::{self, ClaimError, Claims};
use crate::confirmation::Confirmation;
use crate::error::Refusal;
use crate::json;
use crate::jwk::JwkSet;
use crate::jws::{Jws, JwsAlg, JwsError, Unsigned};
use crate::scope::ScopeSet;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use udap_pki::UnixTime;

/// The declared type, without which a JWT is no access token (RFC 9068 §2.1).
pub const TYP: &str = "at+jwt";
/// The longest lifetime, in seconds (HL7 SSRAA §4.3, §5.2.2).
pub const MAX_LIFETIME_SECS: i64 = 3600;

/// What an access token says.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessToken {
    /// Who issued it.
    pub iss: Arc<str>,
    /// The FHIR base URL it is for.
    pub aud: Arc<str>,
    /// The registration it was issued to. For client credentials `sub` is the same (RFC 9068 §2.2).
    pub client_id: Arc<str>,
    /// What it permits.
    pub scope: ScopeSet,
    /// When it was issued.
    pub iat: UnixTime,
    /// When it ends.
    pub exp: UnixTime,
    /// Its own name.
    pub jti: String,
    /// The community in which the app is trusted; empty for a client of SMART's, which is known by its
    /// keys and belongs to none.
    pub community: Arc<str>,
    /// The app's URI, as registered; empty for the same.
    pub uri: Arc<str>,
    /// The authorization extension objects it was asked for with: an access token serves only the
    /// subject and purpose they name (HL7 SSRAA §5.2.2).
    pub extensions: Arc<Map<String, Value>>,
    /// What its presenter must prove to hold.
    pub cnf: Confirmation,
}

impl AccessToken {
    /// The token, ready to be signed with a key of that `kid`.
    #[must_use]
    pub fn unsigned(&self, alg: JwsAlg, kid: &str) -> Unsigned {
        Unsigned::new(
            &AccessTokenHeader {
                typ: TYP,
                alg: alg.as_str(),
                kid,
            },
            &self.payload(&self.scope.to_text()),
        )
    }

    /// What is kept of an opaque token, whose own text says nothing: the same claims as of a JWT. To be
    /// kept under the SHA-256 of the token, and read again by [`read_record`].
    #[must_use]
    pub fn record(&self) -> String {
        // Strings, numbers and objects of them always serialize.
        serde_json::to_string(&self.payload(&self.scope.to_text())).unwrap_or_default()
    }

    fn payload<'a>(&'a self, scope: &'a str) -> Payload<'a> {
        Payload {
            iss: &self.iss,
            sub: &self.client_id,
            aud: &self.aud,
            client_id: &self.client_id,
            scope,
            iat: self.iat.0,
            exp: self.exp.0,
            jti: &self.jti,
            udap: (!self.community.is_empty()).then_some(Udap {
                community: &self.community,
                uri: &self.uri,
            }),
            extensions: &self.extensions,
            cnf: self.cnf,
        }
    }
}

#[derive(Serialize)]
struct AccessTokenHeader<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    udap: Option<Udap<'a>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extensions: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Confirmation::is_unbound")]
    cnf: Confirmation,
}

/// What the gateway wants to know beyond RFC 9068.
#[derive(Serialize)]
struct Udap<'a> {
    community: &'a str,
    uri: &'a str,
}

/// Why an access token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum AccessTokenError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("header `typ` is not `at+jwt`: this is another kind of token")]
    NotAnAccessToken,
    #[error("no such access token was issued, or it has expired")]
    Unknown,
    #[error("what is kept of this access token cannot be read")]
    Record,
}

impl Refusal for AccessTokenError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::NotAnAccessToken => "not-an-access-token",
            Self::Unknown => "token-unknown",
            Self::Record => "token-record-unreadable",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            _ => None,
        }
    }
}

/// An access token of ours, for this base, in force at the time it was verified. Only [`verify`] and
/// [`read_record`] make one.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedAccessToken(AccessToken);

impl VerifiedAccessToken {
    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &AccessToken {
        &self.0
    }
    /// The registration it was issued to.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }
    /// What it permits.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.0.scope
    }
    /// Its own name.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.0.jti
    }
    /// When it ends.
    #[must_use]
    pub const fn exp(&self) -> UnixTime {
        self.0.exp
    }
    /// What its presenter must prove to hold.
    #[must_use]
    pub const fn cnf(&self) -> &Confirmation {
        &self.0.cnf
    }
    /// The community in which the app is trusted.
    #[must_use]
    pub fn community(&self) -> &str {
        &self.0.community
    }
    /// The app's URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.0.uri
    }
    /// Whether it still is in force, when a verified token is kept for later requests. Its own
    /// issuer's clock made `exp`, so there is no leeway.
    #[must_use]
    pub const fn in_force(&self, now: UnixTime) -> bool {
        now.0 < self.0.exp.0
    }
}

/// Verifies an access token: declared type, signature by a key of the issuer, issuer, audience and
/// time (RFC 9068 §4).
///
/// # Errors
/// [`AccessTokenError`]
pub fn verify(
    token: &str,
    keys: &JwkSet,
    issuer: &str,
    audience: &str,
    now: UnixTime,
) -> Result<VerifiedAccessToken, AccessTokenError> {
    let jws = Jws::parse(token)?;
    // RFC 9068 §4: `at+jwt`, also with the prefix that RFC 7515 §4.1.9 lets writers leave out.
    let typ = jws.typ().unwrap_or_default();
    if !typ.eq_ignore_ascii_case(TYP) && !typ.eq_ignore_ascii_case("application/at+jwt") {
        return Err(AccessTokenError::NotAnAccessToken);
    }
    keys.verify(&jws)?;
    read(jws.payload(), issuer, audience, now)
}

/// Whether a text can be an opaque token of [`opaque`]: 256 bits in base64url. A JWT has dots.
#[must_use]
pub fn is_opaque(token: &[u8]) -> bool {
    token.len() == OPAQUE_LEN
        && token
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
}

/// The text of an opaque token, of so many random bytes.
#[must_use]
pub fn opaque(random: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// 256 bits in base64url.
const OPAQUE_LEN: usize = 43;

/// The token of which a [record](AccessToken::record) was kept. Nobody signed it: it must come from
/// where none but the issuer writes, by the SHA-256 of the token that was presented.
///
/// # Errors
/// [`AccessTokenError`], as for a JWT with these claims.
pub fn read_record(
    record: &str,
    issuer: &str,
    audience: &str,
    now: UnixTime,
) -> Result<VerifiedAccessToken, AccessTokenError> {
    let payload = json::object(record.as_bytes()).map_err(|_| AccessTokenError::Record)?;
    read(&payload, issuer, audience, now)
}

fn read(
    payload: &Map<String, Value>,
    issuer: &str,
    audience: &str,
    now: UnixTime,
) -> Result<VerifiedAccessToken, AccessTokenError> {
    let claims = Claims::read(payload)?;
    claims.require_issuer(issuer)?;
    claims.require_audience(audience)?;
    if now >= claims.exp {
        return Err(ClaimError::Expired {
            exp: claims.exp,
            now,
        }
        .into());
    }
    claims::require_past("iat", claims.iat, now)?;
    claims
        .nbf
        .map_or(Ok(()), |nbf| claims::require_past("nbf", nbf, now))?;
    let secs = claims.exp.0.saturating_sub(claims.iat.0);
    if secs > MAX_LIFETIME_SECS {
        return Err(ClaimError::Lifetime {
            secs,
            max: MAX_LIFETIME_SECS,
        }
        .into());
    }
    let text = |claim: &'static str| claims::text(payload, claim);
    let udap = |member: &str| {
        payload
            .get("udap")
            .and_then(|udap| udap.get(member))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .into()
    };
    Ok(VerifiedAccessToken(AccessToken {
        aud: audience.into(),
        client_id: text("client_id")?.into(),
        // Absent or empty permits nothing.
        scope: match payload.get("scope") {
            None => ScopeSet::default(),
            Some(Value::String(scope)) => ScopeSet::parse(scope),
            Some(_) => {
                return Err(ClaimError::Shape {
                    claim: "scope",
                    expected: "a string",
                }
                .into());
            }
        },
        community: udap("community"),
        uri: udap("uri"),
        extensions: payload
            .get("extensions")
            .and_then(Value::as_object)
            .cloned()
            .map(Arc::new)
            .unwrap_or_default(),
        cnf: Confirmation::read(payload)?,
        iss: claims.iss.into(),
        iat: claims.iat,
        exp: claims.exp,
        jti: claims.jti,
    }))
}
