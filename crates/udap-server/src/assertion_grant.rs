//! The grant by an authorization assertion at the token endpoint (UDAP Authorization Grants §§4–6): what
//! somebody whom the operator named says that the client may have. The client has authenticated before.

use crate::app::{Server, Told};
use crate::client_authentication::{ClientError, still_trusted};
use crate::store::{Once, Registration, Seen};
use http::StatusCode;
use udap_host::problem::OAuthError;
use udap_pki::{Certificate, UnixTime};
use udap_proto::authorization::{self, AuthorizationError, Party, Verified};
use udap_trust::verify::{TrustError, Verdict};

/// What an issuer said, and the certificate that it said it with.
pub(crate) struct Granted {
    pub(crate) assertion: Verified,
    verdict: Verdict,
    /// With it ends what was issued on its word.
    pub(crate) leaf: Certificate,
    pub(crate) intermediates: Vec<Certificate>,
}

impl Granted {
    /// To be asked when all else is done: a revocation in between wins.
    pub(crate) async fn still_trusted(
        &self,
        server: &Server,
        community: &str,
    ) -> Result<(), AssertionGrantError> {
        let Self {
            verdict,
            leaf,
            intermediates,
            ..
        } = self;
        Ok(still_trusted(server, community, verdict, leaf, intermediates).await?)
    }
}

/// Judges an assertion within the client's own community: whom another one trusts says nothing here.
pub(crate) async fn verify(
    server: &Server,
    assertion: &str,
    registration: &Registration,
    now: UnixTime,
) -> Result<Granted, AssertionGrantError> {
    let community = &registration.community;
    let served = server.communities.select(Some(community));
    let served = served.ok_or_else(|| ClientError::CommunityGone {
        community: community.to_string(),
    })?;
    let (algorithms, issuers) = (&served.community.algorithms, served.assertion_issuers());

    // Shape, audience, time, and the signature, by the key of x5c[0]; no I/O yet.
    let endpoint = &server.base().token_endpoint;
    let signed = authorization::verify_signature(assertion, endpoint, algorithms, now)?;
    // Nobody's certificate is looked into who may not assert anything.
    signed.require_issuer(issuers)?;

    // Trust, then what it says.
    let (leaf, intermediates) = (
        signed.signer().leaf().clone(),
        signed.signer().intermediates().to_vec(),
    );
    let trust = server.communities.trust();
    let verdict = trust.verify(community, &leaf, &intermediates, now).await?;
    let client = Party {
        client_id: &registration.client_id,
        uri: &registration.uri,
    };
    let verified = signed.verify(&verdict, issuers, client)?;

    // It serves once (§5), and is remembered before anything is issued.
    let claims = verified.claims();
    let once = Once {
        community,
        iss: &claims.iss,
        jti: &claims.jti,
        iat: Some(claims.iat),
        exp: claims.exp,
    };
    match server.replay.record(once, now).await {
        Ok(Seen::New) => Ok(Granted {
            assertion: verified,
            verdict,
            leaf,
            intermediates,
        }),
        Ok(Seen::Before) => Err(AssertionGrantError::Replayed),
        Ok(Seen::Unknown) => Err(AssertionGrantError::BeforeRestart),
        Err(_) => Err(ClientError::Unavailable.into()),
    }
}

/// Why an authorization is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssertionGrantError {
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("this authorization assertion was sent before (its `jti` is known)")]
    Replayed,
    #[error(
        "this assertion was signed before the server ended unexpectedly, and may have been used"
    )]
    BeforeRestart,
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl AssertionGrantError {
    /// UDAP Authorization Grants §6: what is wrong with the authorization is `invalid_grant`, whatever it
    /// is, but for a limit that cannot be kept.
    pub(crate) fn to_wire(&self) -> OAuthError {
        let told = match self {
            Self::Authorization(e @ AuthorizationError::Resources) => {
                Told::by("invalid_request", e)
            }
            Self::Authorization(e) => Told::by("invalid_grant", e),
            Self::Trust(e) => Told::by("invalid_grant", e),
            Self::Replayed => Told::own("invalid_grant", "jwt-replayed", self),
            Self::BeforeRestart => Told::own("invalid_grant", "jwt-before-restart", self),
            Self::Client(e) => return e.to_wire(),
        };
        told.into_wire(StatusCode::BAD_REQUEST)
    }
}
