//! How a gateway learns that a registration or a token ended: from the store when both are one
//! process, by introspection and events when they are apart.

use std::{future::ready, net::IpAddr};

use futures_util::future::BoxFuture;

use crate::listen::ClientCertificate;

/// Whether an access token still counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    Active,
    /// `code` says why: `registration-cancelled`, `token-revoked`, …
    Ended {
        code: &'static str,
    },
}

/// What the issuer keeps of an opaque access token, asked for when a gateway meets it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// To be read by `udap_proto::access_token::read_record`.
    Record(String),
    Unknown,
    /// Whether there is one cannot be told for the moment.
    Unavailable,
}

/// What is known of a member that sends no token and shows a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// Nobody is served so.
    NotOffered,
    /// What it may do, in the form of a token's record that is good for this request.
    Record(String),
    /// `code` says why not, as does the sentence.
    Refused { code: &'static str, why: String },
}

/// The code of a token of which nothing can be told for the moment: a refusal with 503, and no reason for
/// the client to ask for another one.
pub const UNKNOWN: &str = "temporarily-unavailable";

/// The question asked for each request; answers come from memory whenever they can.
pub trait TokenStatus: Send + Sync {
    fn of<'a>(&'a self, client_id: &'a str, jti: &'a str) -> BoxFuture<'a, TokenState>;

    /// The opaque token of that SHA-256. A gateway without an issuer in the same process knows none.
    fn opaque<'a>(&'a self, _sha256: &'a [u8; 32]) -> BoxFuture<'a, Kept> {
        Box::pin(ready(Kept::Unknown))
    }

    /// The member of that certificate, where members are served by their certificate alone. It is
    /// judged anew, so that one that was revoked since is refused.
    fn member<'a>(
        &'a self,
        _certificate: &'a ClientCertificate,
        _remote: Option<IpAddr>,
    ) -> BoxFuture<'a, Member> {
        Box::pin(ready(Member::NotOffered))
    }
}

/// A status that never ends a token: for a gateway whose tokens only end by expiring, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysActive;

impl TokenStatus for AlwaysActive {
    fn of<'a>(&'a self, _client_id: &'a str, _jti: &'a str) -> BoxFuture<'a, TokenState> {
        Box::pin(ready(TokenState::Active))
    }
}
