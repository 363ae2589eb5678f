//! The authorization assertion: somebody whom the data holder believes says that a client may have
//! access (UDAP Authorization Grants §§3–5), in its stages. It authenticates nobody.
//!
//! Its limits bind an authentication token as well, which in HL7 SSRAA is both at once: see
//! [`Limits::read`].

use crate::claims::{self, ClaimError, Claims};
use crate::error::Refusal;
use crate::extensions::{self, ExtensionError};
use crate::jws::{Jws, JwsAlg, JwsError, Signer};
use crate::scope::ScopeSet;
use serde_json::{Map, Value};
use std::borrow::Cow;
use udap_pki::{UnixTime, Valid};

/// The longest lifetime of an assertion, in seconds: an hour, as the profile recommends.
pub const MAX_LIFETIME_SECS: i64 = 3600;

/// Why an authorization assertion, or what an authentication token says of the authorization, was
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum AuthorizationError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("`{iss}` is nobody whose authorization assertions count here")]
    Issuer { iss: String },
    #[error("`iss` is `{iss}`, but the certificate names {names:?}")]
    NotInCertificate { iss: String, names: Vec<String> },
    #[error("the verdict is about another certificate than the one that signed")]
    OtherVerdict,
    #[error("claim `sub` is `{sub}`, which is not the client that asks (`{client}`)")]
    Subject { sub: String, client: String },
    #[error("claim `azp` is `{azp}`, which is not the client that asks (`{client}`)")]
    AuthorizedParty { azp: String, client: String },
    #[error("claim `resources` limits access to single resources, which is not supported here")]
    Resources,
}

impl Refusal for AuthorizationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::Issuer { .. } => "assertion-issuer-unknown",
            Self::NotInCertificate { .. } => "san-uri-mismatch",
            Self::OtherVerdict => "verdict-mismatch",
            Self::Subject { .. } => "assertion-subject",
            Self::AuthorizedParty { .. } => "assertion-azp",
            Self::Resources => "resources-unsupported",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            Self::NotInCertificate { iss, names } => claims::nearest_name(names, iss),
            _ => None,
        }
    }
}

/// The client that asks, by the names that others may have for it.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// Its `client_id` here.
    pub client_id: &'a str,
    /// Its URI.
    pub uri: &'a str,
}

impl Party<'_> {
    fn is(&self, name: &str) -> bool {
        name == self.client_id || name == self.uri
    }
}

/// How an authorization is limited by its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// `scope`: nothing beyond it is granted.
    pub ceiling: Option<ScopeSet>,
}

impl Limits {
    /// Reads them from an authorization assertion or an authentication token.
    ///
    /// # Errors
    /// [`AuthorizationError::Resources`] where access is limited to single resources, which must not
    /// be passed over; [`AuthorizationError::AuthorizedParty`] where another client is meant;
    /// [`AuthorizationError::Claim`] for what is not of its type.
    pub fn read(
        payload: &Map<String, Value>,
        client: Party<'_>,
    ) -> Result<Self, AuthorizationError> {
        if payload.contains_key("resources") {
            return Err(AuthorizationError::Resources);
        }
        if payload.contains_key("azp") {
            let azp = claims::text(payload, "azp")?;
            if !client.is(&azp) {
                return Err(AuthorizationError::AuthorizedParty {
                    azp,
                    client: client.client_id.to_owned(),
                });
            }
        }
        let ceiling = match payload.get("scope") {
            None => None,
            Some(scope) => {
                let read = scope.as_str().and_then(ScopeSet::read);
                Some(read.ok_or(ClaimError::Shape {
                    claim: "scope",
                    expected: "a text of at most 500 scopes",
                })?)
            }
        };
        Ok(Self { ceiling })
    }
}

/// An assertion that its signer signed; whether the signer is trusted, and may assert, is open.
#[derive(Debug, Clone)]
pub struct Signed {
    jws: Jws,
    claims: Claims,
    signer: Signer,
}

/// Reads an assertion, makes the checks that cost nothing and verifies the signature with the key of
/// `x5c[0]` and no other.
///
/// # Errors
/// [`AuthorizationError::Jws`] or [`AuthorizationError::Claim`]
pub fn verify_signature(
    compact: &str,
    endpoint: &str,
    accepted: &[JwsAlg],
    now: UnixTime,
) -> Result<Signed, AuthorizationError> {
    let jws = Jws::parse(compact)?;
    jws.require_plain_typ()?;
    let claims = Claims::read(jws.payload())?;
    claims.require_audience(endpoint)?;
    claims.require_in_force(now, MAX_LIFETIME_SECS)?;
    let signer = jws.verify_by_leaf(accepted)?;
    Ok(Signed {
        jws,
        claims,
        signer,
    })
}

impl Signed {
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Refuses whom nobody here believes, before anything is fetched for the sake of its certificate.
    ///
    /// # Errors
    /// [`AuthorizationError::Issuer`]
    pub fn require_issuer(&self, issuers: &[String]) -> Result<(), AuthorizationError> {
        if issuers.contains(&self.claims.iss) {
            return Ok(());
        }
        Err(AuthorizationError::Issuer {
            iss: self.claims.iss.chars().take(200).collect(),
        })
    }

    /// Checks it against a verdict about the signer's certificate, those who may assert, and the client
    /// that brings it. Its subject is that client: as long as there are no users here, clients are the
    /// only parties that are known. A client never asserts for itself; that is what the
    /// client_credentials grant is for, and it keeps authentication tokens out.
    ///
    /// # Errors
    /// [`AuthorizationError`]
    pub fn verify(
        self,
        verdict: &Valid,
        issuers: &[String],
        client: Party<'_>,
    ) -> Result<Verified, AuthorizationError> {
        if verdict.leaf() != self.signer.leaf() {
            return Err(AuthorizationError::OtherVerdict);
        }
        self.require_issuer(issuers)?;
        let names = self.signer.leaf().uri_names();
        if !names.contains(&self.claims.iss) {
            return Err(AuthorizationError::NotInCertificate {
                iss: self.claims.iss,
                names: names.to_vec(),
            });
        }
        if client.is(&self.claims.iss) {
            return Err(AuthorizationError::Issuer {
                iss: self.claims.iss,
            });
        }
        if !client.is(&self.claims.sub) {
            return Err(AuthorizationError::Subject {
                sub: self.claims.sub,
                client: client.client_id.to_owned(),
            });
        }
        let limits = Limits::read(self.jws.payload(), client)?;
        Ok(Verified {
            jws: self.jws,
            claims: self.claims,
            limits,
        })
    }
}

/// An assertion that authorizes the client that brought it, once its `jti` proves to be new.
#[derive(Debug, Clone)]
pub struct Verified {
    jws: Jws,
    claims: Claims,
    limits: Limits,
}

impl Verified {
    /// Its registered claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
    /// How far it reaches.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
    /// Its authorization extension objects, not yet checked.
    ///
    /// # Errors
    /// [`ExtensionError::NotAnObject`]
    pub fn extensions(&self) -> Result<Cow<'_, Map<String, Value>>, ExtensionError> {
        extensions::read(self.jws.payload())
    }
}
