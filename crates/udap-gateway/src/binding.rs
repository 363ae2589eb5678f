//! A token that is bound serves only whoever holds what it is bound to: the certificate of the
//! connection (RFC 8705 §3), the key of a DPoP proof (RFC 9449 §7), or both.

use http::{StatusCode, request::Parts};
use udap_host::{
    dpop::{Dpop, ProofError},
    listen::{ClientCertificateError, MutualTls},
};
use udap_pki::UnixTime;
use udap_proto::{
    Refusal as _,
    confirmation::Confirmation,
    dpop::{Expected, VerifiedProof},
};

use crate::{config::Base, token::Scheme};

/// A request and its token, as far as they must fit together.
pub(crate) struct Presented<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) head: &'a Parts,
    pub(crate) token_sha256: &'a [u8; 32],
    pub(crate) cnf: &'a Confirmation,
}

/// Whether the request is by somebody who holds what its token is bound to. A proof of it is to be taken before
/// anything is answered: not here, since whoever has a token that was ended has no memory spent on it.
///
/// # Errors
/// [`BindingError`]
pub(crate) fn check(
    presented: &Presented<'_>,
    base: &Base,
    dpop: Option<&Dpop>,
    now: UnixTime,
) -> Result<Option<VerifiedProof>, BindingError> {
    let cnf = presented.cnf;
    if let Some(expected) = &cnf.certificate {
        match presented.head.extensions.get::<MutualTls>() {
            Some(MutualTls::Presented(shown)) if shown.leaf.sha256() == expected => {}
            Some(MutualTls::Presented(_)) => return Err(BindingError::OtherCertificate),
            Some(MutualTls::Unusable(error)) => return Err((*error).into()),
            Some(MutualTls::Absent) | None => return Err(BindingError::NoCertificate),
        }
    }
    let key = match (&cnf.key, presented.scheme) {
        (None, Scheme::Bearer) => return Ok(None),
        (None, Scheme::DPoP) => return Err(BindingError::NotBoundToKey),
        (Some(_), Scheme::Bearer) => return Err(BindingError::BornePlainly),
        (Some(key), Scheme::DPoP) => key,
    };
    let dpop = dpop.ok_or(BindingError::BornePlainly)?;
    // As clients know the address, by the configuration.
    let (scheme, authority) = (base.scheme, base.authority.to_str().unwrap_or_default());
    let target = format!("{scheme}://{authority}{}", presented.head.uri.path());
    let expected = Expected {
        method: presented.head.method.as_str(),
        targets: &[&target],
        token_sha256: Some(presented.token_sha256),
    };
    let proof = dpop.verify(&presented.head.headers, &expected, now)?;
    if proof.thumbprint() != key {
        return Err(BindingError::OtherKey);
    }
    // A proof that others send in vain is still its sender's to use.
    Ok(Some(proof))
}

/// Why the token is not its presenter's, as far as can be seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    #[error("the access token is bound to a certificate, and this connection shows none")]
    NoCertificate,
    #[error("the access token is bound to another certificate than this connection shows")]
    OtherCertificate,
    #[error(transparent)]
    Certificate(#[from] ClientCertificateError),
    #[error("the access token is bound to a key: `Authorization: DPoP …`, with a proof")]
    BornePlainly,
    #[error("the access token is bound to no key; it is presented as `Bearer`")]
    NotBoundToKey,
    #[error("the access token is bound to another key than the one that signed the DPoP proof")]
    OtherKey,
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl BindingError {
    /// The stable code. Those of proofs and headers are explained where they come from.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "token-bound-to-certificate",
            Self::OtherCertificate => "token-certificate-mismatch",
            Self::Certificate(error) => error.code(),
            Self::BornePlainly => "token-bound-to-key",
            Self::NotBoundToKey => "token-not-bound-to-key",
            Self::OtherKey => "token-key-mismatch",
            Self::Proof(error) => error.code(),
        }
    }

    /// UDAP Mutual TLS §4 has 403 for certificates, RFC 9449 §7.1 has 401 for proofs.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NoCertificate | Self::OtherCertificate | Self::Certificate(_) => {
                StatusCode::FORBIDDEN
            }
            Self::Proof(ProofError::Full) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The `error` of the challenge.
    pub(crate) const fn oauth_error(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::OtherCertificate => "invalid_grant",
            Self::Certificate(_) => "invalid_client",
            Self::BornePlainly | Self::NotBoundToKey | Self::OtherKey => "invalid_token",
            Self::Proof(error) => error.oauth_error(),
        }
    }

    /// Whether the challenge is one for proofs.
    pub(crate) const fn is_about_proofs(&self) -> bool {
        matches!(self, Self::BornePlainly | Self::OtherKey | Self::Proof(_))
    }
}
