//! By a key that the operator took from the client: SMART Backend Services (SMART App Launch 2.2; RFC
//! 7523). There is no certificate and no community; the client's name is worth what the configuration
//! says of it, and nothing beyond.

use super::{Client, ClientError, Credentials, Proof, name, record, registered};
use crate::app::Server;
use crate::store::{Once, Registration, State};
use std::sync::Arc;
use udap_host::audit::{Who, jti_hash};
use udap_pki::UnixTime;
use udap_proto::smart::{self, SmartError};

/// `own` is set once one of the client's own keys has signed.
pub(super) async fn prove(
    server: &Server,
    sent: Credentials<'_>,
    audiences: &[&str],
    now: UnixTime,
    who: &mut Who,
    own: &mut bool,
) -> Result<Client, ClientError> {
    // Shape, audience, time.
    let parsed = smart::parse(sent.assertion()?, audiences, now)?;
    let client_id = parsed.client_id().to_owned();
    name(server, sent, &client_id, now, who)?;

    // The client, and its keys: those that were configured, or what stands at the URL that was.
    let (registration, keys) = match server.smart_clients.get(&client_id) {
        Some(client) => {
            parsed.require_jku(client.keys.url())?;
            let keys = client.keys.get(server, parsed.kid(), now).await?;
            (Arc::clone(&client.registration), keys)
        }
        None => {
            let (registration, url) = vouched(server, client_id.clone(), who).await?;
            parsed.require_jku(Some(&url))?;
            let keys = server.key_sets.get(&url, Some(parsed.kid()), now).await?;
            (registration, keys)
        }
    };

    // Signature, by the key that `kid` names among them.
    let verified = parsed.verify(&keys).map_err(SmartError::from)?;
    *own = true;

    // New, and remembered durably.
    who.jti = Some(jti_hash(verified.jti()));
    let once = Once {
        community: &registration.community,
        iss: &client_id,
        jti: verified.jti(),
        iat: verified.iat(),
        exp: verified.exp(),
    };
    record(server, once, now).await?;
    Ok(Client {
        registration,
        proof: Proof::Key,
    })
}

/// A client for which an issuer of statements vouched, and where that issuer said that its keys are. The
/// issuer must still be configured.
async fn vouched(
    server: &Server,
    client_id: String,
    who: &mut Who,
) -> Result<(Arc<Registration>, String), ClientError> {
    let Some(registration) = registered(server, &client_id).await? else {
        return Err(ClientError::UnknownClient { client_id });
    };
    if server.communities.serves(&registration.community) {
        return Err(ClientError::IsUdap { client_id });
    }
    let community = &registration.community;
    if server.statement_issuers.get(community).is_none() {
        let community = community.to_string();
        return Err(ClientError::CommunityGone { community });
    }
    registration.tell(who);
    if registration.state != State::Active {
        return Err(ClientError::NotActive {
            code: registration.state.code(),
        });
    }
    let url = server.registrations.jwks_uri(&client_id).await;
    let url = url.map_err(|error| {
        tracing::error!(%error, "a registration could not be read");
        ClientError::Unavailable
    })?;
    let url = url.ok_or(ClientError::UnknownClient { client_id })?;
    Ok((registration, url))
}
