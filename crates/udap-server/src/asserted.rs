//! What a token request asserts beyond who sends it: its extension objects, by the rules of the
//! community in which the client is registered (HL7 SSRAA §5.2.1).

use crate::app::{Server, Told};
use crate::client_authentication::ClientError;
use crate::store::Registration;
use http::StatusCode;
use serde_json::{Map, Value};
use udap_host::problem::OAuthError;
use udap_pki::UnixTime;
use udap_proto::extensions::{Asserted, ExtensionError};

/// Judges the extension objects of a request.
pub(crate) fn judge(
    server: &Server,
    registration: &Registration,
    sent: &Map<String, Value>,
    now: UnixTime,
) -> Result<Asserted, AssertedError> {
    let uri = &registration.community;
    let served = server.communities.select(Some(uri));
    let served = served.ok_or_else(|| ClientError::CommunityGone {
        community: uri.clone(),
    })?;
    Ok(served.community.extensions.check(sent, now)?)
}

/// Why what a request asserts does not get it a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssertedError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Extension(#[from] ExtensionError),
}

impl AssertedError {
    /// UDAP Authorization Grants §6: what is wrong with the authorization is `invalid_grant`.
    pub(crate) fn to_wire(&self) -> OAuthError {
        let told = match self {
            Self::Client(e) => return e.to_wire(),
            Self::Extension(e) => Told::by("invalid_grant", e),
        };
        told.into_wire(StatusCode::BAD_REQUEST)
    }
}
