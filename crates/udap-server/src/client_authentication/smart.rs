//! By a key that the operator took from the client: SMART Backend Services (SMART App Launch 2.2; RFC
//! 7523). There is no certificate and no community; the client's name is worth what the configuration
//! says of it, and nothing beyond.

use super::{Client, ClientError, Credentials, Proof, name, record, registered};
use crate::app::Server;
use crate::store::Once;
use std::sync::Arc;
use udap_host::audit::{Who, jti_hash};
use udap_pki::UnixTime;
use udap_proto::smart::{self, SmartError};

/// Under what a `jti` of such a client is remembered: no community has an empty name.
const NO_COMMUNITY: &str = "";

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
    let Some(client) = server.smart_clients.get(&client_id) else {
        return Err(match registered(server, &client_id).await? {
            Some(_) => ClientError::IsUdap { client_id },
            None => ClientError::UnknownClient { client_id },
        });
    };
    parsed.require_jku(client.keys.url())?;
    let keys = client.keys.get(server, parsed.kid(), now).await?;

    // Signature, by the key that `kid` names among them.
    let verified = parsed.verify(&keys).map_err(SmartError::from)?;
    *own = true;

    // New, and remembered durably.
    who.jti = Some(jti_hash(verified.jti()));
    let once = Once {
        community: NO_COMMUNITY,
        iss: &client_id,
        jti: verified.jti(),
        iat: verified.iat(),
        exp: verified.exp(),
    };
    record(server, once, now).await?;
    Ok(Client {
        registration: Arc::clone(&client.registration),
        proof: Proof::Key,
    })
}
