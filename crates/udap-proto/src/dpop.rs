//! DPoP proofs (RFC 9449): with each request its sender signs, by a key of its own, which request it
//! is and which token goes along. A token that is bound to that key serves nobody else.

use crate::claims::{self, ClaimError, SKEW_SECS};
use crate::error::Refusal;
use crate::jwk::{Jwk, JwkError};
use crate::jws::{Jws, JwsAlg, JwsError};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use udap_pki::UnixTime;
use url::Url;

/// The declared type, without which a JWT is no proof (RFC 9449 §4.2).
pub const TYP: &str = "dpop+jwt";
/// The longest proof that is read, in bytes: an RSA-4096 key and its signature take some 1,700.
pub const MAX_BYTES: usize = 8 * 1024;
/// How old a proof may be, in seconds, on top of the clocks' difference. It is made for one request.
pub const MAX_AGE_SECS: i64 = 60;
/// What proofs may be signed with: all asymmetric (RFC 9449 §4.3 step 5).
pub const ALGORITHMS: [JwsAlg; 6] = [
    JwsAlg::ES256,
    JwsAlg::ES384,
    JwsAlg::EdDSA,
    JwsAlg::RS256,
    JwsAlg::RS384,
    JwsAlg::PS256,
];

/// Why a proof was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum DpopError {
    #[error("the proof has {bytes} bytes; at most {MAX_BYTES} are read")]
    TooLarge { bytes: usize },
    #[error("header `typ` is not `dpop+jwt`: this is no DPoP proof")]
    NotAProof,
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error("header `jwk`: {0}")]
    Key(#[from] JwkError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("claim `htm` is `{found}`, but the request's method is `{expected}`")]
    Method { expected: String, found: String },
    #[error("claim `htu` is `{found}`, but the request went to `{expected}`")]
    Target { expected: String, found: String },
    #[error("the proof was made at {iat}, and it is {now}; it serves for {MAX_AGE_SECS} s")]
    Old { iat: UnixTime, now: UnixTime },
    #[error("claim `ath` is not the hash of the access token that came along")]
    TokenHash,
}

impl Refusal for DpopError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "dpop-proof-too-large",
            Self::NotAProof => "not-a-dpop-proof",
            Self::Jws(e) => e.code(),
            Self::Key(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::Method { .. } => "dpop-htm-mismatch",
            Self::Target { .. } => "dpop-htu-mismatch",
            Self::Old { .. } => "dpop-proof-old",
            Self::TokenHash => "dpop-ath-mismatch",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            _ => None,
        }
    }
}

/// The request that a proof came with.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its address as this server is known by, from the configuration: never what `Host` says. The
    /// first is the one that an error names.
    pub targets: &'a [&'a str],
    /// At a resource, the SHA-256 of the access token that came along (RFC 9449 §7).
    pub token_sha256: Option<&'a [u8; 32]>,
}

/// A proof of possession for one request. Only [`verify`] makes one; whether it was seen before, and
/// whether its `nonce` is one that was given out, is for its reader to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProof {
    thumbprint: [u8; 32],
    jti: String,
    iat: UnixTime,
    nonce: Option<String>,
}

impl VerifiedProof {
    /// The SHA-256 thumbprint (RFC 7638) of the key that signed: what a token is bound to.
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
    /// Its own name, by which it is known again.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }
    /// What the server gave out to be put into proofs (RFC 9449 §8).
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
    /// When it was made, as it says.
    #[must_use]
    pub const fn iat(&self) -> UnixTime {
        self.iat
    }
    /// From when on it is refused for its age alone, so that it need not be remembered.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        lapses(self.iat)
    }
}

const fn lapses(iat: UnixTime) -> UnixTime {
    UnixTime(iat.0.saturating_add(MAX_AGE_SECS + SKEW_SECS))
}

/// Verifies a proof (RFC 9449 §4.3): declared type, algorithm, signature by the public key that it
/// carries, method, address, age, and the hash of the access token.
///
/// # Errors
/// [`DpopError`]
pub fn verify(
    compact: &str,
    expected: &Expected<'_>,
    now: UnixTime,
) -> Result<VerifiedProof, DpopError> {
    if compact.len() > MAX_BYTES {
        let bytes = compact.len();
        return Err(DpopError::TooLarge { bytes });
    }
    let jws = Jws::parse(compact)?;
    if !jws.typ().is_some_and(|typ| typ.eq_ignore_ascii_case(TYP)) {
        return Err(DpopError::NotAProof);
    }
    let alg = jws.alg();
    if !ALGORITHMS.contains(&alg) {
        let alg = alg.as_str().to_owned();
        return Err(JwsError::AlgRefused { alg }.into());
    }
    // The key says of itself that it is the sender's, so it proves possession and nothing else.
    let jwk = match jws.header().get("jwk") {
        Some(Value::Object(jwk)) => Jwk::from_json(jwk)?,
        _ => return Err(JwkError::Member { member: "jwk" }.into()),
    };
    jws.verify_by(jwk.key())?;

    let payload = jws.payload();
    let jti = claims::jti(payload)?;
    let method = claims::text(payload, "htm")?;
    if method != expected.method {
        return Err(DpopError::Method {
            expected: expected.method.to_owned(),
            found: short(method),
        });
    }
    let target = claims::text(payload, "htu")?;
    let found = normal(&target);
    let meant = |expected: &&str| found.is_some() && normal(expected) == found;
    if !expected.targets.iter().any(meant) {
        return Err(DpopError::Target {
            expected: expected.targets.first().copied().unwrap_or_default().into(),
            found: short(target),
        });
    }
    let iat = claims::date(payload, "iat")?;
    claims::require_past("iat", iat, now)?;
    if now >= lapses(iat) {
        return Err(DpopError::Old { iat, now });
    }
    if let Some(sha256) = expected.token_sha256
        && claims::text(payload, "ath")? != URL_SAFE_NO_PAD.encode(sha256)
    {
        return Err(DpopError::TokenHash);
    }
    let nonce = match payload.get("nonce") {
        None => None,
        Some(_) => Some(claims::text(payload, "nonce")?),
    };
    Ok(VerifiedProof {
        thumbprint: thumbprint(&jwk),
        jti,
        iat,
        nonce,
    })
}

/// The SHA-256 thumbprint of a key (RFC 7638), as `jkt` has it.
#[must_use]
pub fn thumbprint(jwk: &Jwk) -> [u8; 32] {
    let mut thumbprint = [0; 32];
    let hash = digest::digest(&digest::SHA256, jwk.thumbprint_input().as_bytes());
    thumbprint.copy_from_slice(hash.as_ref());
    thumbprint
}

/// An address without query and fragment, in the one form that all its spellings have in common
/// (RFC 9449 §4.3 step 9; RFC 3986 §§6.2.2, 6.2.3): scheme, host, port, path. `None` is no address of
/// a server.
fn normal(text: &str) -> Option<(String, String, u16, String)> {
    // What a parser would mend in silence is not an address.
    let plain = |b: u8| matches!(b, b'!'..=b'~') && !b"\"\\<>^`{|}".contains(&b);
    if !text.bytes().all(plain) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    if !matches!(url.scheme(), "https" | "http")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return None;
    }
    let host = url.host_str()?.to_owned();
    let port = url.port_or_known_default()?;
    let path = unescaped(url.path())?;
    Some((url.scheme().to_owned(), host, port, path))
}

/// Percent-encodings of characters that need none are undone, and the digits of the others are capitals.
fn unescaped(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if unreserved {
            plain.push(char::from(byte));
        } else {
            plain.push('%');
            plain.push_str(&digits.to_ascii_uppercase());
        }
        plain.push_str(rest);
    }
    Some(plain)
}

fn short(text: String) -> String {
    if text.len() <= 200 {
        return text;
    }
    text.chars().take(200).collect()
}
