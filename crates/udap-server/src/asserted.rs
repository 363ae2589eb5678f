//! What a token request asserts beyond who sends it: its extension objects, the purpose, consent, and who
//! a person is, by the rules of the community in which the client is registered (HL7 SSRAA §5.2.1).

use crate::app::{Server, Told};
use crate::client_authentication::ClientError;
use crate::communities::Served;
use crate::store::{Once, Registration, Seen};
use arc_swap::ArcSwapOption;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Weak};
use udap_host::db::DbError;
use udap_host::problem::OAuthError;
use udap_pki::UnixTime;
use udap_proto::community::{Community, PolicyError};
use udap_proto::extensions::id_token::{Audience, Presented, PresentedError, Uses, claimed};
use udap_proto::extensions::{Asserted, ExtensionError, IdToken, hl7_b2b, tefca_ias};
use udap_trust::providers::ProviderError;

/// What a client asserted last and its community's description takes: most assert the same with each request,
/// and it need not be held against the description anew. What else is asked of a request is asked each time.
#[derive(Debug, Default)]
pub(crate) struct Last(ArcSwapOption<Judged>);

#[derive(Debug)]
struct Judged {
    /// By whose description.
    by: Weak<Community>,
    /// When, and until when a code of the community begins or ends.
    at: UnixTime,
    until: Option<UnixTime>,
    asserted: Asserted,
}

/// The most that is remembered of one client, in bytes of memory.
pub(crate) const MAX_REMEMBERED: usize = 8 * 1024;

impl Last {
    /// What the community's description says of `sent`, if it is what was judged last.
    fn get(
        &self,
        by: &Arc<Community>,
        sent: &Map<String, Value>,
        now: UnixTime,
    ) -> Option<Asserted> {
        let last = self.0.load();
        let last = last.as_ref()?;
        let counts = std::ptr::eq(last.by.as_ptr(), Arc::as_ptr(by))
            && last.at <= now
            && last.until.is_none_or(|until| now < until)
            && *last.asserted.carried == *sent;
        counts.then(|| last.asserted.clone())
    }

    /// Remembers it, where all that was sent is carried and nothing else hangs on it.
    fn set(
        &self,
        by: &Arc<Community>,
        sent: &Map<String, Value>,
        asserted: &Asserted,
        now: UnixTime,
    ) {
        if asserted.id_tokens.is_empty()
            && *asserted.carried == *sent
            && sent.iter().map(bytes).sum::<usize>() <= MAX_REMEMBERED
        {
            self.0.store(Some(Arc::new(Judged {
                by: Arc::downgrade(by),
                at: now,
                until: by.extensions.next_date(now),
                asserted: asserted.clone(),
            })));
        }
    }
}

/// How much memory a member takes, about.
fn bytes((name, value): (&String, &Value)) -> usize {
    fn of(value: &Value) -> usize {
        size_of::<Value>()
            + match value {
                Value::String(text) => text.len(),
                Value::Array(items) => items.iter().map(of).sum(),
                Value::Object(members) => members.iter().map(bytes).sum(),
                _ => 0,
            }
    }
    2 * size_of::<String>() + name.len() + of(value)
}

/// Judges what a request asserts; `last` is what its client asserted before.
pub(crate) async fn judge(
    server: &Server,
    served: &Served,
    registration: &Registration,
    sent: &Map<String, Value>,
    last: Option<&Last>,
    now: UnixTime,
) -> Result<Asserted, AssertedError> {
    let community = &served.community;
    let mut asserted = match last.and_then(|last| last.get(community, sent, now)) {
        Some(asserted) => asserted,
        None => {
            let asserted = community.extensions.check(sent, now)?;
            if let Some(last) = last {
                last.set(community, sent, &asserted, now);
            }
            asserted
        }
    };
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
        let carried = Arc::make_mut(&mut asserted.carried);
        if let Some(Value::Object(carried)) = carried.get_mut(&id_token.object) {
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
        Audience::Client => vec![
            registration.uri.to_string(),
            registration.client_id.to_string(),
        ],
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
        community: uri.to_string(),
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use udap_proto::community::Definition;

    const DAY: i64 = 24 * 3600;

    /// Takes two codes, of which one begins and the other ends on 1 January 2026.
    fn community() -> Arc<Community> {
        let text = r#"
            uri = "https://c.example"
            guide = "1.0"
            [codes.purposes]
            system = "urn:x"
            codes = [{ code = "OLD", until = "2026-01-01" }, { code = "NEW", from = "2026-01-01" }]
            [extensions.x.members.purpose_of_use]
            type = "code"
            codes = ["purposes"]
            required = true
            [extensions.x.members.who]
            type = "resource"
            [extensions.x.members.note]
            type = "text"
        "#;
        Arc::new(Community::read(Definition::from_toml(text).unwrap()).unwrap())
    }

    fn object(x: Value) -> Map<String, Value> {
        Map::from_iter([("x".to_owned(), x)])
    }

    fn at(text: &str) -> UnixTime {
        UnixTime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn what_is_remembered_counts_until_a_code_begins_or_ends() {
        let (community, change) = (community(), at("2026-01-01T00:00:00Z"));
        let (before, last) = (change.plus_secs(-DAY), Last::default());
        let sent = object(json!({"purpose_of_use": "urn:x#OLD"}));
        assert_eq!(last.get(&community, &sent, before), None);
        let asserted = community.extensions.check(&sent, before).unwrap();
        last.set(&community, &sent, &asserted, before);
        for (now, counts) in [
            (before.plus_secs(-1), false),
            (before, true),
            (change.plus_secs(-1), true),
            (change, false),
            (change.plus_secs(DAY), false),
        ] {
            let found = last.get(&community, &sent, now);
            assert_eq!(found, counts.then(|| asserted.clone()), "{now}");
        }
        assert!(community.extensions.check(&sent, change).is_err());
        // Where no date is ahead, it counts on.
        let sent = object(json!({"purpose_of_use": "urn:x#NEW"}));
        let asserted = community.extensions.check(&sent, change).unwrap();
        last.set(&community, &sent, &asserted, change);
        let later = change.plus_secs(10_000 * DAY);
        assert_eq!(last.get(&community, &sent, later), Some(asserted));
    }

    #[test]
    fn it_is_no_word_about_anything_else() {
        let (of, now, last) = (community(), at("2026-02-01T00:00:00Z"), Last::default());
        let good = object(json!({"purpose_of_use": "urn:x#NEW", "note": "n"}));
        let asserted = of.extensions.check(&good, now).unwrap();
        last.set(&of, &good, &asserted, now);
        assert_eq!(last.get(&of, &good, now), Some(asserted));
        let mut more = good.clone();
        more.insert("y".to_owned(), json!({}));
        for (what, other) in [
            ("nothing", Map::new()),
            ("less", object(json!({"purpose_of_use": "urn:x#NEW"}))),
            ("more", more),
            (
                "a code that has ended",
                object(json!({"purpose_of_use": "urn:x#OLD", "note": "n"})),
            ),
            (
                "another note",
                object(json!({"purpose_of_use": "urn:x#NEW", "note": "m"})),
            ),
        ] {
            assert_eq!(last.get(&of, &other, now), None, "{what}");
        }
        // Neither by the same description, read again.
        assert_eq!(last.get(&community(), &good, now), None);
    }

    #[test]
    fn what_is_not_all_carried_or_is_much_is_not_remembered() {
        let (community, now) = (community(), at("2026-02-01T00:00:00Z"));
        for (sent, kept) in [
            (json!({"purpose_of_use": "urn:x#NEW"}), true),
            (json!({"purpose_of_use": "urn:x#NEW", "stray": 1}), false),
            (
                json!({"purpose_of_use": "urn:x#NEW", "who": {"resourceType": "Person"}}),
                false,
            ),
            (
                json!({"purpose_of_use": "urn:x#NEW", "note": "n".repeat(MAX_REMEMBERED - 1000)}),
                true,
            ),
            (
                json!({"purpose_of_use": "urn:x#NEW", "note": "n".repeat(MAX_REMEMBERED)}),
                false,
            ),
        ] {
            let (sent, last) = (object(sent), Last::default());
            let asserted = community.extensions.check(&sent, now).unwrap();
            last.set(&community, &sent, &asserted, now);
            assert_eq!(last.get(&community, &sent, now).is_some(), kept, "{sent:?}");
        }
    }
}
