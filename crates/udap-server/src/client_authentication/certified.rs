//! By a certificate of the client's community (UDAP JWT-Based Client Authentication; HL7 SSRAA §5.2.1).

use super::known::Known;
use super::{Client, ClientError, Credentials, Proof, judged, name, record, registered};
use crate::app::Server;
use crate::store::{Once, State};
use std::sync::Arc;
use udap_host::audit::{Who, jti_hash};
use udap_host::config::Binding;
use udap_pki::{Certificate, UnixTime};
use udap_proto::assertion::{self, AssertionError, Verified};
use udap_proto::registration::Method;
use udap_trust::clock;
use udap_trust::verify::{TrustError, Verdict};

/// What the certificate of a client signed, and what is known of it.
#[derive(Debug)]
pub(crate) struct Certified {
    /// What it signed; nothing, where it was shown by the TLS connection.
    pub(crate) assertion: Option<Verified>,
    /// What its community's tokens may or must be bound to.
    pub(crate) binding: Binding,
    pub(super) verdict: Verdict,
    /// The certificate itself, and those that came along.
    pub(crate) leaf: Certificate,
    pub(crate) intermediates: Vec<Certificate>,
    /// What is remembered of it, where its certificates came with its assertion.
    pub(crate) known: Option<Arc<Known>>,
}

/// `own` is set once the sender's certificate has the URI of the client that it names.
pub(super) async fn prove(
    server: &Server,
    sent: Credentials<'_>,
    audiences: &[&str],
    now: UnixTime,
    who: &mut Who,
    own: &mut bool,
) -> Result<Client, ClientError> {
    // Shape, audience, time: what costs nothing, before the registration is looked for.
    let mut known = None;
    let parsed = assertion::parse_with(sent.assertion()?, audiences, now, |text| {
        known = server.known_clients.get(text);
        known.as_ref().map(|known| Arc::clone(&known.header))
    })?;
    let client_id = parsed.client_id().to_owned();
    name(server, sent, &client_id, now, who)?;
    if server.smart_clients.get(&client_id).is_some() {
        return Err(ClientError::IsSmart { client_id });
    }
    let registration = registered(server, &client_id).await?;
    let registration = registration.ok_or(ClientError::UnknownClient { client_id })?;
    registration.tell(who);
    if registration.state != State::Active {
        return Err(ClientError::NotActive {
            code: registration.state.code(),
        });
    }
    registration.require_method(Method::PrivateKeyJwt)?;

    // Signature, by the key of x5c[0]; no I/O yet, unless the certificates stand at a URL.
    let served = server
        .communities
        .select(Some(&registration.community))
        .ok_or_else(|| ClientError::CommunityGone {
            community: registration.community.to_string(),
        })?;
    let algorithms = &served.community.algorithms;
    let by_url = server.experimental_jku && parsed.jku().is_some();
    let signed = if by_url {
        let registered = server.registrations.jku(&registration.client_id).await;
        let registered = registered.map_err(|error| {
            tracing::error!(%error, "a registration could not be read");
            ClientError::Unavailable
        })?;
        let kid = parsed.require_jku(registered.as_deref())?;
        let url = registered.as_deref().unwrap_or_default();
        let keys = server.key_sets.get(url, Some(kid), now).await?;
        parsed.verify_signature_by_keys(&keys, algorithms)
    } else {
        parsed.verify_signature(algorithms)
    };
    let signed = signed.map_err(AssertionError::from)?;

    // Trust, on the anchors of that registration's community only.
    let (leaf, intermediates) = (
        signed.signer().leaf().clone(),
        signed.signer().intermediates().to_vec(),
    );
    *own = registration.is_named_by(&leaf);
    let (trust, community) = (server.communities.trust(), &registration.community);
    let verdict = match trust.known(community, &leaf, &intermediates, now) {
        Some(verdict) => verdict,
        None => {
            let stranger = !trust.has_accepted(community, &leaf, &intermediates);
            let judge = trust.verify(community, &leaf, &intermediates, now);
            judged(server, who.remote.filter(|_| stranger), now, judge).await?
        }
    };

    if known.is_none() && !by_url {
        let (text, header) = signed.header_read();
        known = server.known_clients.add(text, header);
    }

    // The registered URI is a name of that very certificate.
    let assertion = signed.verify(&verdict, &registration.uri)?;

    // With a key and from where its certifications let it ask.
    for limits in registration.limits.iter() {
        let key = leaf.public_key().map_err(|_| ClientError::Unavailable)?;
        limits.check_key(key)?;
        limits.check_address(who.remote)?;
    }

    // New, and remembered durably.
    let claims = assertion.claims();
    who.jti = Some(jti_hash(&claims.jti));
    let once = Once {
        community: &registration.community,
        iss: &claims.iss,
        jti: &claims.jti,
        iat: Some(claims.iat),
        exp: claims.exp,
    };
    record(server, once, now).await?;
    Ok(Client {
        registration,
        proof: Proof::Certificate(Certified {
            assertion: Some(assertion),
            binding: served.binding(),
            verdict,
            leaf,
            intermediates,
            known,
        }),
    })
}

/// Whether a certificate that was found good is so still.
pub(crate) async fn still_trusted(
    server: &Server,
    community: &str,
    verdict: &Verdict,
    leaf: &Certificate,
    intermediates: &[Certificate],
) -> Result<(), TrustError> {
    let trust = server.communities.trust();
    if trust.epoch().now() != verdict.epoch() {
        let now = clock::now();
        trust.verify(community, leaf, intermediates, now).await?;
    }
    Ok(())
}

impl Certified {
    pub(super) async fn still_trusted(
        &self,
        server: &Server,
        community: &str,
    ) -> Result<(), ClientError> {
        let Self {
            verdict,
            leaf,
            intermediates,
            ..
        } = self;
        Ok(still_trusted(server, community, verdict, leaf, intermediates).await?)
    }
}
