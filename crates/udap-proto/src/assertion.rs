//! The authentication token: an app proves who it is at the token endpoint (HL7 SSRAA §4.2, §5.2.1;
//! UDAP JWT-Based Client Authentication §4), in its three stages.

use crate::authorization::{AuthorizationError, Limits, Party};
use crate::claims::{ClaimError, Claims, MAX_LIFETIME_SECS};
use crate::error::Refusal;
use crate::extensions::{self, ExtensionError};
use crate::jwk::JwkSet;
use crate::jws::{Header, Jws, JwsAlg, JwsError, Signer, Unsigned};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;
use udap_pki::{Certificate, UnixTime, Valid};

/// Why an authentication token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum AssertionError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("the registration is of `{uri}`, but the certificate names {names:?}")]
    NotInCertificate { uri: String, names: Vec<String> },
    #[error("the verdict is about another certificate than the one that signed")]
    OtherVerdict,
    #[error("header `jku` is `{found}`, but the app registered {registered}")]
    Jku { found: String, registered: String },
    #[error("header `kid` is missing beside `jku`")]
    KidMissing,
}

impl Refusal for AssertionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::NotInCertificate { .. } => "san-uri-mismatch",
            Self::OtherVerdict => "verdict-mismatch",
            Self::Jku { .. } => "jku-mismatch",
            Self::KidMissing => "kid-missing",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            Self::NotInCertificate { uri, names } => crate::claims::nearest_name(names, uri),
            _ => None,
        }
    }
}

/// A token of the right shape, meant for this endpoint and in force. Nobody has looked at its
/// signature: `client_id` serves only to find the registration.
#[derive(Debug, Clone)]
pub struct Parsed {
    jws: Jws,
    claims: Claims,
}

/// Reads a token and makes the checks that cost nothing: shape, `sub` = `iss`, audience, time.
///
/// # Errors
/// [`AssertionError::Jws`] or [`AssertionError::Claim`]
pub fn parse(compact: &str, endpoint: &str, now: UnixTime) -> Result<Parsed, AssertionError> {
    parse_with(compact, &[endpoint], now, |_| None)
}

/// As [`parse`], for any of several endpoints of one server, and with a memory of headers; see
/// [`Jws::parse_with`]. The first endpoint is the one that an error names.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(
    compact: &str,
    endpoints: &[&str],
    now: UnixTime,
    known: impl FnOnce(&str) -> Option<Arc<Header>>,
) -> Result<Parsed, AssertionError> {
    let jws = Jws::parse_with(compact, known)?;
    jws.require_plain_typ()?;
    let claims = Claims::read(jws.payload())?;
    claims.require_sub_is_iss()?;
    claims.require_one_audience(endpoints)?;
    claims.require_in_force(now, MAX_LIFETIME_SECS)?;
    Ok(Parsed { jws, claims })
}

impl Parsed {
    /// The `client_id` it claims: `iss`.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.claims.iss
    }

    /// The URL of keys that it names in place of certificates (HL7 SSRAA §7.6, experimental). Where there
    /// is an `x5c`, that counts and nothing else.
    #[must_use]
    pub fn jku(&self) -> Option<&str> {
        let header = self.jws.header();
        if header.contains_key("x5c") {
            return None;
        }
        header.get("jku").and_then(Value::as_str)
    }

    /// The key that it names beside [`Self::jku`], once that URL is the registered one, letter for letter:
    /// nothing is fetched from any other.
    ///
    /// # Errors
    /// [`AssertionError::Jku`] or [`AssertionError::KidMissing`]
    pub fn require_jku(&self, registered: Option<&str>) -> Result<&str, AssertionError> {
        if self.jku().is_none() || self.jku() != registered {
            return Err(AssertionError::Jku {
                found: self.jku().unwrap_or_default().chars().take(200).collect(),
                registered: registered.map_or_else(|| "none".to_owned(), |url| format!("`{url}`")),
            });
        }
        let kid = self.jws.kid().filter(|kid| !kid.is_empty());
        kid.ok_or(AssertionError::KidMissing)
    }

    /// As [`Self::verify_signature`], with the certificates of the key that `kid` names in the set which
    /// was fetched from the registered URL; see [`Self::require_jku`].
    ///
    /// # Errors
    /// [`JwsError::NoKey`] and the others of [`JwsError`].
    pub fn verify_signature_by_keys(
        self,
        keys: &JwkSet,
        accepted: &[JwsAlg],
    ) -> Result<Signed, JwsError> {
        let kid = self.jws.kid().ok_or(JwsError::NoKey)?;
        let mut named = keys.keys().iter().filter(|jwk| jwk.kid() == Some(kid));
        let jwk = named.next().ok_or(JwsError::NoKey)?;
        let signer = self.jws.verify_by_certified_key(jwk, accepted)?;
        Ok(Signed {
            jws: self.jws,
            claims: self.claims,
            signer,
        })
    }

    /// Verifies the signature with the key of `x5c[0]` and no other.
    ///
    /// # Errors
    /// [`JwsError`]
    pub fn verify_signature(self, accepted: &[JwsAlg]) -> Result<Signed, JwsError> {
        let signer = self.jws.verify_by_leaf(accepted)?;
        Ok(Signed {
            jws: self.jws,
            claims: self.claims,
            signer,
        })
    }
}

/// A token that its signer signed; whether the signer is trusted, and is that client, is open.
#[derive(Debug, Clone)]
pub struct Signed {
    jws: Jws,
    claims: Claims,
    signer: Signer,
}

impl Signed {
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The header's text and what was read from it; see [`Jws::header_read`].
    #[must_use]
    pub fn header_read(&self) -> (&str, &Arc<Header>) {
        self.jws.header_read()
    }

    /// Checks it against a verdict about the signer's certificate and the URI under which the client
    /// is registered: that URI must be a name of that very certificate, or any member of the
    /// community could act as any client. The certificate need not be the one of the registration;
    /// that is how certificates are renewed.
    ///
    /// # Errors
    /// [`AssertionError::OtherVerdict`] or [`AssertionError::NotInCertificate`]
    pub fn verify(self, verdict: &Valid, registered_uri: &str) -> Result<Verified, AssertionError> {
        if verdict.leaf() != self.signer.leaf() {
            return Err(AssertionError::OtherVerdict);
        }
        let names = self.signer.leaf().uri_names();
        if !names.iter().any(|name| name == registered_uri) {
            return Err(AssertionError::NotInCertificate {
                uri: registered_uri.to_owned(),
                names: names.to_vec(),
            });
        }
        Ok(Verified {
            jws: self.jws,
            claims: self.claims,
        })
    }
}

/// A token that authenticates its client once its `jti` proves to be new.
#[derive(Debug, Clone)]
pub struct Verified {
    jws: Jws,
    claims: Claims,
}

impl Verified {
    /// The authenticated client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.claims.iss
    }
    /// Its registered claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
    /// How it limits the authorization that it is at the same time (UDAP Authorization Grants §4).
    ///
    /// # Errors
    /// As [`Limits::read`].
    pub fn limits(&self, uri: &str) -> Result<Limits, AuthorizationError> {
        let client = Party {
            client_id: &self.claims.iss,
            uri,
        };
        Limits::read(self.jws.payload(), client)
    }
    /// Its authorization extension objects, not yet checked.
    ///
    /// # Errors
    /// [`ExtensionError::NotAnObject`]
    pub fn extensions(&self) -> Result<Cow<'_, Map<String, Value>>, ExtensionError> {
        extensions::read(self.jws.payload())
    }
}

/// A token by which a client authenticates at a token endpoint, ready to be signed. `extensions` is
/// left out when empty.
#[must_use]
pub fn unsigned(
    alg: JwsAlg,
    chain: &[Certificate],
    client_id: &str,
    endpoint: &str,
    now: UnixTime,
    jti: &str,
    extensions: &Map<String, Value>,
) -> Unsigned {
    let mut claims = Map::new();
    claims.insert("iss".into(), client_id.into());
    claims.insert("sub".into(), client_id.into());
    claims.insert("aud".into(), endpoint.into());
    claims.insert("iat".into(), now.0.into());
    claims.insert("exp".into(), now.plus_secs(MAX_LIFETIME_SECS).0.into());
    claims.insert("jti".into(), jti.into());
    if !extensions.is_empty() {
        claims.insert("extensions".into(), Value::Object(extensions.clone()));
    }
    Unsigned::with_x5c(alg, chain, &claims)
}
