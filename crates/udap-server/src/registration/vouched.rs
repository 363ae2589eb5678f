//! An app for which an issuer of statements vouches by its own key: there is no certificate, so no trust
//! to ask again and no certifications; the issuer is known by the operator's configuration alone.

use super::{Answer, RegistrationError, Said, cancel, write};
use crate::app::{Server, short};
use crate::certifications::Judged;
use crate::scopes;
use crate::statement_issuers::StatementIssuer;
use crate::store::{Once, Seen};
use udap_host::audit::{Who, jti_hash};
use udap_host::config::RegistrationGrant;
use udap_pki::UnixTime;
use udap_proto::registration::{Change, ClientMetadata, Grant, Offered};
use udap_proto::statement::StatementError;
use udap_proto::vouched;

pub(super) async fn register(
    server: &Server,
    by: &StatementIssuer,
    statement: &str,
    now: UnixTime,
    who: &mut Who,
) -> Result<Answer, RegistrationError> {
    let issuer = &by.issuer;
    let parsed = vouched::parse(statement, issuer)?;
    who.uri = Some(short(parsed.claimed_app()).into());
    // Signature, the app of which the issuer may speak, claims, parameters.
    let keys = by.keys.get(server, parsed.kid(), now).await?;
    let verified = parsed.verify(&keys, issuer, &server.base().registration_endpoint, now)?;
    let claims = verified.claims();
    who.community = Some(issuer.uri.as_str().into());
    who.jti = Some(jti_hash(&claims.jti));
    let wanted = match verified.change() {
        Change::Cancel => None,
        Change::Register(metadata) => Some(allowed(server, metadata.clone())?),
    };
    // New, and remembered, before anything is changed.
    let once = Once {
        community: &issuer.uri,
        iss: &claims.iss,
        jti: &claims.jti,
        iat: Some(claims.iat),
        exp: claims.exp,
    };
    match server.replay.record(once, now).await {
        Ok(Seen::New) => {}
        Ok(Seen::Before) => return Err(RegistrationError::Replayed),
        Ok(Seen::Unknown) => return Err(RegistrationError::BeforeRestart),
        Err(_) => return Err(RegistrationError::Unavailable),
    }
    let said = Said {
        uri: verified.uri(),
        statement: verified.compact(),
        certificate: &[],
    };
    let judged = Judged {
        any: false,
        accepted: Vec::new(),
        refused: Vec::new(),
    };
    let answer = match &wanted {
        None => cancel(server, said, &issuer.uri, || true, who).await?,
        Some(metadata) => write(server, said, &issuer.uri, metadata, judged, || true, who).await?,
    };
    answer.ok_or(RegistrationError::Unavailable)
}

/// What such an app may register: tokens in its own name, asked for with its own keys, and the scopes that
/// this data holder has.
fn allowed(
    server: &Server,
    mut metadata: ClientMetadata,
) -> Result<ClientMetadata, RegistrationError> {
    let grant = metadata.grant;
    let permitted = RegistrationGrant::ClientCredentials;
    if grant != Grant::ClientCredentials || !server.registration_grants.contains(&permitted) {
        return Err(RegistrationError::GrantUnsupported {
            grant: grant.types().join(" "),
        });
    }
    // It has no certificate to be known by, and no community that offers anything else.
    let offered = Offered {
        tls_client_auth: false,
        certificate_bound: false,
        dpop: false,
    };
    let required = metadata.authentication.require(offered);
    required.map_err(StatementError::from)?;
    metadata.scope = scopes::grant(&metadata.scope, &server.scopes)?;
    Ok(metadata)
}
