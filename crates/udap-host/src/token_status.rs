//! How a gateway learns that a registration or a token ended: from the store when both are one
//! process, by introspection and events when they are apart.

use futures_util::future::BoxFuture;

/// Whether an access token still counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    Active,
    /// `code` says why: `registration-cancelled`, `token-revoked`, …
    Ended {
        code: &'static str,
    },
}

/// The question asked for each request; answers come from memory whenever they can.
pub trait TokenStatus: Send + Sync {
    fn of<'a>(&'a self, client_id: &'a str, jti: &'a str) -> BoxFuture<'a, TokenState>;
}
