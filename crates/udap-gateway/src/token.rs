//! The access token of a request: found, verified or looked up once, and remembered until it ends.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, header};
use udap_host::audit::{Who, jti_hash};
use udap_pki::UnixTime;
use udap_proto::{
    Refusal as _,
    access_token::{self, AccessTokenError, VerifiedAccessToken},
    jwk::JwkSet,
};

use crate::binding::BindingError;

/// The public keys with which access tokens are signed; can be exchanged while requests run.
#[derive(Debug)]
pub struct TokenKeys {
    current: ArcSwap<Generation>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Generation {
    number: u64,
    keys: JwkSet,
}

impl TokenKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: JwkSet) -> Self {
        Self {
            current: ArcSwap::from_pointee(Generation { number: 0, keys }),
            next: AtomicU64::new(1),
        }
    }

    /// From now on these keys and no others: what was verified by the keys before is verified again.
    pub fn replace(&self, keys: JwkSet) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.current.store(Arc::new(Generation { number, keys }));
    }
}

/// A verified token, and who it says is asking.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) token: VerifiedAccessToken,
    pub(crate) who: Who,
}

impl Session {
    pub(crate) fn of(token: VerifiedAccessToken) -> Self {
        let who = Who {
            community: some(token.community()),
            client_id: Some(Arc::from(token.client_id())),
            uri: some(token.uri()),
            jti: Some(jti_hash(token.jti())),
            ..Who::default()
        };
        Self { token, who }
    }
}

/// By what a token is known.
pub(crate) fn name(token: &[u8]) -> [u8; 32] {
    let mut name = [0; 32];
    name.copy_from_slice(digest(&SHA256, token).as_ref());
    name
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// RFC 9449 §7.1.
    DPoP,
}

/// Verified tokens of one worker, by SHA-256, so that a copy of its memory shows no token.
///
/// Two halves: what is used moves to the young one; when that is full, the old one is forgotten. So
/// the tokens in use stay, and the number is bounded without bookkeeping.
#[derive(Debug, Default)]
pub(crate) struct TokenCache(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    generation: u64,
    young: HashMap<[u8; 32], Arc<Session>>,
    old: HashMap<[u8; 32], Arc<Session>>,
}

impl TokenCache {
    /// The session of a token, by the SHA-256 of its text, if it is remembered and in force.
    pub(crate) fn remembered(
        &self,
        name: &[u8; 32],
        keys: &TokenKeys,
        now: UnixTime,
    ) -> Option<Arc<Session>> {
        let session = self.find(name, keys.current.load().number)?;
        if session.token.in_force(now) {
            return Some(session);
        }
        self.forget(name);
        None
    }

    /// The session of a JWT, verified now (RFC 9068 §4) and remembered.
    pub(crate) fn verified(
        &self,
        name: [u8; 32],
        token: &[u8],
        keys: &TokenKeys,
        (issuer, audience): (&str, &str),
        now: UnixTime,
    ) -> Result<Arc<Session>, TokenError> {
        let current = keys.current.load();
        // Not under the lock: an elliptic-curve signature takes some 50 µs.
        let token =
            access_token::verify(well_formed(token)?, &current.keys, issuer, audience, now)?;
        let session = Arc::new(Session::of(token));
        self.keep(name, &session, current.number);
        Ok(session)
    }

    /// The session of an opaque token, of which its issuer keeps this record.
    pub(crate) fn recorded(
        &self,
        name: [u8; 32],
        record: &str,
        keys: &TokenKeys,
        (issuer, audience): (&str, &str),
        now: UnixTime,
    ) -> Result<Arc<Session>, TokenError> {
        let token = access_token::read_record(record, issuer, audience, now)?;
        let session = Arc::new(Session::of(token));
        self.keep(name, &session, keys.current.load().number);
        Ok(session)
    }

    fn find(&self, name: &[u8; 32], generation: u64) -> Option<Arc<Session>> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.generation != generation {
            return None;
        }
        if let Some(session) = halves.young.get(name) {
            return Some(Arc::clone(session));
        }
        let session = halves.old.remove(name)?;
        halves.insert(*name, &session);
        Some(session)
    }

    fn keep(&self, name: [u8; 32], session: &Arc<Session>, generation: u64) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.generation != generation {
            // Numbers only grow. A token verified by earlier keys is not remembered.
            if halves.generation > generation {
                return;
            }
            *halves = Halves {
                generation,
                ..Halves::default()
            };
        }
        halves.insert(name, session);
    }

    fn forget(&self, name: &[u8; 32]) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.remove(name);
        halves.old.remove(name);
    }
}

impl Halves {
    fn insert(&mut self, name: [u8; 32], session: &Arc<Session>) {
        if self.young.len() >= MAX_REMEMBERED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, Arc::clone(session));
    }
}

/// Nothing where there is none, as of a client that belongs to no community.
fn some(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| Arc::from(text))
}

/// What stands for the token of a request (RFC 6750 §2.1, RFC 9449 §7.1): one header, one scheme. Its
/// form is looked at only when it is not known yet.
///
/// # Errors
/// [`TokenError`]
pub(crate) fn presented(headers: &HeaderMap) -> Result<(Scheme, &[u8]), TokenError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(TokenError::Missing)?;
    if values.next().is_some() {
        return Err(TokenError::Several);
    }
    let value = value.as_bytes();
    let (scheme, token) = match memchr::memchr(b' ', value) {
        Some(blank) => value.split_at(blank),
        None => (value, &[][..]),
    };
    let scheme = if scheme.eq_ignore_ascii_case(b"Bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case(b"DPoP") {
        Scheme::DPoP
    } else {
        return Err(TokenError::Missing);
    };
    let token = token.trim_ascii();
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong { bytes: token.len() });
    }
    Ok((scheme, token))
}

/// The alphabet of b64token (RFC 6750 §2.1).
fn well_formed(token: &[u8]) -> Result<&str, TokenError> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b);
    if token.is_empty() || !token.iter().all(plain) {
        return Err(TokenError::Malformed);
    }
    std::str::from_utf8(token).map_err(|_| TokenError::Malformed)
}

/// Why the sender of a request is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("this needs an access token: `Authorization: Bearer …`")]
    Missing,
    #[error("there is more than one Authorization header")]
    Several,
    #[error("the Authorization header holds no well-formed bearer token")]
    Malformed,
    #[error("the access token has {bytes} bytes; at most {MAX_TOKEN_BYTES} are read")]
    TooLong { bytes: usize },
    #[error(transparent)]
    Refused(#[from] AccessTokenError),
    #[error("the access token no longer counts ({code})")]
    Ended { code: &'static str },
    #[error("whether the access token counts cannot be told for the moment")]
    Unavailable,
    #[error(transparent)]
    Binding(#[from] BindingError),
    #[error("the certificate of this connection does not open it: {why}")]
    Member { code: &'static str, why: String },
}

impl TokenError {
    /// The stable code. Those of [`AccessTokenError`] and of the end of a token are explained where
    /// they come from.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token-missing",
            Self::Several => "authorization-ambiguous",
            Self::Malformed => "token-malformed",
            Self::TooLong { .. } => "token-too-long",
            Self::Refused(e) => e.code(),
            Self::Ended { code } | Self::Member { code, .. } => code,
            Self::Unavailable => "temporarily-unavailable",
            Self::Binding(e) => e.code(),
        }
    }

    /// The error of RFC 6750 §3.1; none when nobody tried to authenticate.
    pub(crate) const fn oauth_error(&self) -> Option<&'static str> {
        match self {
            Self::Missing | Self::Unavailable => None,
            Self::Several => Some("invalid_request"),
            Self::Binding(e) => Some(e.oauth_error()),
            Self::Member { .. } => Some("invalid_client"),
            _ => Some("invalid_token"),
        }
    }
}

/// The longest access token that is read. Ours have some 900 bytes; with many scopes and extension
/// objects a few thousand.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Tokens that one worker remembers. With some 2 KiB each, 16 MiB.
const MAX_REMEMBERED: usize = 8192;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn code(values: &[&str]) -> Result<String, &'static str> {
        let headers = values
            .iter()
            .map(|v| (header::AUTHORIZATION, v.parse().unwrap()))
            .collect();
        presented(&headers)
            .and_then(|(_, token)| well_formed(token))
            .map(str::to_owned)
            .map_err(|e| e.code())
    }

    #[test]
    fn one_header_one_scheme_one_token() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        for (values, expected) in [
            (
                &["Bearer a.b-c_d~e+f/g="][..],
                Ok("a.b-c_d~e+f/g=".to_owned()),
            ),
            (&["bearer x"], Ok("x".to_owned())),
            (&["BEARER  x "], Ok("x".to_owned())),
            (&[], Err("token-missing")),
            (&["Basic eDp5"], Err("token-missing")),
            (&["x"], Err("token-missing")),
            (&["dpop x"], Ok("x".to_owned())),
            (&["DPoP x", "Bearer x"], Err("authorization-ambiguous")),
            (&["DPoP x y"], Err("token-malformed")),
            (&["Bearer x", "Bearer x"], Err("authorization-ambiguous")),
            (&["Bearer x", "Basic eDp5"], Err("authorization-ambiguous")),
            (&["Bearer"], Err("token-malformed")),
            (&["Bearer "], Err("token-malformed")),
            (&["Bearer x y"], Err("token-malformed")),
            (&["Bearer x,Bearer y"], Err("token-malformed")),
            (&["Bearer \"x\""], Err("token-malformed")),
            (&["Bearer\tx"], Err("token-missing")),
            (&[&long], Err("token-too-long")),
        ] {
            assert_eq!(code(values), expected, "{values:?}");
        }
    }
}
