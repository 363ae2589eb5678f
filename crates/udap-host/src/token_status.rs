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

/// A status that never ends a token: for a gateway whose tokens only end by expiring, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysActive;

impl TokenStatus for AlwaysActive {
    fn of<'a>(&'a self, _client_id: &'a str, _jti: &'a str) -> BoxFuture<'a, TokenState> {
        Box::pin(std::future::ready(TokenState::Active))
    }
}
