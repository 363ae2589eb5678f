//! What a token request asserts beyond who sends it: its extension objects, the purpose, consent, and who
//! a person is, by the rules of the community in which the client is registered (HL7 SSRAA §5.2.1).

use crate::app::{Server, Told};
use crate::client_authentication::ClientError;
use crate::communities::Served;
use crate::store::{Once, Registration, Seen};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use udap_host::db::DbError;
use udap_host::problem::OAuthError;
use udap_pki::UnixTime;
use udap_proto::community::PolicyError;
use udap_proto::extensions::id_token::{Audience, Presented, PresentedError, Uses, claimed};
use udap_proto::extensions::{Asserted, ExtensionError, IdToken, hl7_b2b, tefca_ias};
use udap_trust::providers::ProviderError;

/// Judges what a request asserts.
pub(crate) async fn judge(
    server: &Server,
    served: &Served,
    registration: &Registration,
    sent: &Map<String, Value>,
    now: UnixTime,
) -> Result<Asserted, AssertedError> {
    let community = &served.community;
    let mut asserted = community.extensions.check(sent, now)?;
    community.require_request(&registration.uri, &asserted, now)?;
    // Last, since it may ask others; only of those whom the operator listed.
    for id_token in std::mem::take(&mut asserted.id_tokens) {
        let proved = prove(server, served, registration, &id_token, now).await?;
        let object = sent.get(&id_token.object).unwrap_or(&Value::Null);
        if id_token.object == tefca_ias::KEY && !tefca_ias::is_one_person(object, &proved.claims) {
            return Err(PresentedError::OtherPerson.into());
        }
        // Who it is, for whoever keeps the records; neither the proof nor anything else about the person
        // travels with each request.
        if let Some(Value::Object(carried)) = asserted.carried.get_mut(&id_token.object) {
            let proved = json!({"iss": proved.issuer, "sub": proved.subject});
            carried.insert("proved".to_owned(), proved);
        }
    }
    Ok(asserted)
}

/// Who a person is, by an ID token of a listed provider.
async fn prove(
    server: &Server,
    served: &Served,
    registration: &Registration,
    id_token: &IdToken,
    now: UnixTime,
) -> Result<Presented, AssertedError> {
    let claimed = claimed(&id_token.compact)?;
    let listed = &served.community.credential_providers;
    let Some(issuer) = listed.iter().find(|issuer| **issuer == claimed.issuer) else {
        let issuer = claimed.issuer.chars().take(200).collect();
        return Err(PresentedError::Issuer { issuer }.into());
    };
    let audiences = match id_token.rules.audience {
        Audience::Client => vec![registration.uri.clone(), registration.client_id.clone()],
        Audience::HomeCommunityId => homes(server, served, registration, now).await?,
    };
    let keys = server
        .providers
        .keys(&server.key_sets, issuer, &claimed.kid, now)
        .await?;
    let proved = id_token
        .rules
        .verify(&id_token.compact, &keys, issuer, &audiences, now)?;
    if let (Uses::Once, Some(jti)) = (id_token.rules.uses, &proved.jti) {
        // Apart from the JWTs of clients, whose issuers it does not share.
        let iss = format!("id-token {issuer}");
        let once = Once {
            community: &registration.community,
            iss: &iss,
            jti,
            // Its age says nothing about when it came here.
            iat: None,
            exp: proved.exp,
        };
        match server.replay.record(once, now).await {
            Ok(Seen::New) => {}
            Ok(Seen::Before | Seen::Unknown) => return Err(PresentedError::Repeated.into()),
            Err(_) => return Err(ClientError::Unavailable.into()),
        }
    }
    Ok(proved)
}

/// The nodes that answer for an app, by those of its certifications that count today.
async fn homes(
    server: &Server,
    served: &Served,
    registration: &Registration,
    now: UnixTime,
) -> Result<Vec<String>, AssertedError> {
    let mut homes = Vec::new();
    for (programme, claims) in &served.community.certifications.claims {
        let Some(claim) = &claims.home_community_id else {
            continue;
        };
        let id = &registration.client_id;
        let kept = server.registrations.certified(id, programme, now).await?;
        let home = |claims: Map<String, Value>| Some(claims.get(claim)?.as_str()?.to_owned());
        homes.extend(kept.into_iter().filter_map(home));
    }
    Ok(homes)
}

/// The community of a registration, as it is now.
pub(crate) fn community_of(
    server: &Server,
    registration: &Registration,
) -> Result<Arc<Served>, ClientError> {
    let uri = &registration.community;
    let served = server.communities.select(Some(uri));
    served.ok_or_else(|| ClientError::CommunityGone {
        community: uri.clone(),
    })
}

/// Why what a request asserts does not get it a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssertedError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Presented(#[from] PresentedError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("a certification could not be read")]
    Db(#[from] DbError),
}

impl AssertedError {
    /// UDAP Authorization Grants §6: what is wrong with the authorization is `invalid_grant`; where consent
    /// is missing, the network's own body says which (TEFCA Facilitated FHIR SOP).
    pub(crate) fn to_wire(&self) -> OAuthError {
        let told = match self {
            Self::Client(e) => return e.to_wire(),
            Self::Extension(e) => Told::by("invalid_grant", e),
            Self::Policy(e) => Told::by("invalid_grant", e),
            Self::Presented(e) => Told::by("invalid_grant", e),
            Self::Provider(e) => Told::by("invalid_grant", e),
            Self::Db(error) => {
                tracing::error!(%error, "a certification could not be read");
                return OAuthError::unavailable();
            }
        };
        let mut wire = told.into_wire(StatusCode::BAD_REQUEST);
        if let Self::Policy(PolicyError::Consent { policies, form, .. }) = self {
            let mut consent = json!({ "consent_required": policies });
            if let Some(form) = form {
                consent["consent_form"] = form.as_str().into();
            }
            let mut extensions = Map::new();
            extensions.insert(hl7_b2b::KEY.to_owned(), consent);
            wire.extensions = extensions;
        }
        wire
    }
}
