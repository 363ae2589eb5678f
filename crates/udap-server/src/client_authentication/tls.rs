//! A client that is known by the certificate of its TLS connection (UDAP Mutual TLS §3; RFC 8705 §2.1):
//! at the port that asks for certificates, `client_id` and the certificate, and nothing else.
//!
//! The handshake proved that the connection's other end holds the key. Whether the certificate is the
//! client's is decided here, as for one in `x5c`: by the registration's own community, with its
//! revocation, and by the registered URI, which must be a name of that very certificate.

use super::{Certified, Client, ClientError, Credentials, Proof, judged, name, registered};
use crate::app::Server;
use crate::asserted::{self, AssertedError};
use crate::communities::{NotAccepted, Served};
use crate::scopes::{self, ScopeError};
use crate::store::{Registration, State};
use std::net::IpAddr;
use std::sync::Arc;
use udap_host::audit::Who;
use udap_host::config::{Binding, DpopRule};
use udap_host::listen::{ClientCertificate, MutualTls};
use udap_host::token_status::Member;
use udap_pki::UnixTime;
use udap_proto::access_token::AccessToken;
use udap_proto::assertion::AssertionError;
use udap_proto::confirmation::Confirmation;
use udap_proto::registration::Method;
use udap_proto::token::FormError;
use udap_trust::clock;
use udap_trust::verify::Verdict;

/// The grant by which a client speaks for itself.
const CLIENT_CREDENTIALS: &str = "client_credentials";
/// How long what a certificate permits by itself is good for, in seconds: for the request that asked.
const MEMBER_SECS: i64 = 60;

/// `own` is set once the certificate has the URI of the client that it is sent for.
pub(super) async fn prove(
    server: &Server,
    sent: Credentials<'_>,
    now: UnixTime,
    who: &mut Who,
    own: &mut bool,
) -> Result<Client, ClientError> {
    // Where nobody was asked for a certificate, what is missing is the assertion.
    let Some(tls) = sent.tls else {
        let name = "client_assertion_type";
        return Err(FormError::Missing { name }.into());
    };
    let missing = FormError::Missing { name: "client_id" };
    let client_id = sent.client_id.ok_or(missing)?;
    let shown = presented(tls)?.ok_or(ClientError::NoCertificate)?;
    name(server, sent, client_id, now, who)?;
    let registration = registered(server, client_id).await?;
    let registration = registration.ok_or_else(|| ClientError::UnknownClient {
        client_id: client_id.to_owned(),
    })?;
    registration.tell(who);
    if registration.state != State::Active {
        let code = registration.state.code();
        return Err(ClientError::NotActive { code });
    }
    registration.require_method(Method::TlsClientAuth)?;
    let binding = server.binding_in(&registration.community)?;
    if !binding.tls_client_auth {
        return Err(ClientError::NotOffered {
            community: registration.community.to_string(),
        });
    }
    *own = registration.is_named_by(&shown.leaf);
    let (community, leaf) = (&registration.community, &shown.leaf);
    let trust = server.communities.trust();
    let stranger = !trust.has_accepted(community, leaf, &shown.intermediates);
    let judge = judge(server, &registration, shown, now);
    let verdict = judged(server, who.remote.filter(|_| stranger), now, judge).await?;
    for limits in registration.limits.iter() {
        let key = shown.leaf.public_key();
        limits.check_key(key.map_err(|_| ClientError::Unavailable)?)?;
        limits.check_address(who.remote)?;
    }
    Ok(Client {
        registration,
        proof: Proof::Certificate(Certified {
            assertion: None,
            binding,
            verdict,
            leaf: shown.leaf.clone(),
            intermediates: shown.intermediates.clone(),
            known: None,
        }),
    })
}

impl Registration {
    /// The client proves itself by the method that it registered.
    pub(super) fn require_method(&self, method: Method) -> Result<(), ClientError> {
        let registered = self.authentication.method;
        if registered == method {
            return Ok(());
        }
        let registered = registered.as_str();
        Err(ClientError::Method { registered })
    }
}

/// What was shown, if anything was.
pub(crate) fn presented(tls: &MutualTls) -> Result<Option<&Arc<ClientCertificate>>, ClientError> {
    match tls {
        MutualTls::Absent => Ok(None),
        MutualTls::Presented(shown) => Ok(Some(shown)),
        MutualTls::Unusable(error) => Err((*error).into()),
    }
}

/// Whether a certificate is that of a registered app: trusted in the registration's community and in no
/// other's name.
pub(crate) async fn judge(
    server: &Server,
    registration: &Registration,
    shown: &ClientCertificate,
    now: UnixTime,
) -> Result<Verdict, ClientError> {
    let trust = server.communities.trust();
    let (community, leaf) = (&registration.community, &shown.leaf);
    let verdict = trust
        .verify(community, leaf, &shown.intermediates, now)
        .await?;
    if !registration.is_named_by(leaf) {
        let error = AssertionError::NotInCertificate {
            uri: registration.uri.to_string(),
            names: leaf.uri_names().to_vec(),
        };
        return Err(error.into());
    }
    Ok(verdict)
}

impl Server {
    /// What a community's tokens may or must be bound to.
    pub(crate) fn binding_in(&self, community: &str) -> Result<Binding, ClientError> {
        // An issuer of statements has no rules of its own.
        if self.statement_issuers.get(community).is_some() {
            return Ok(Binding::default());
        }
        let served = self.communities.select(Some(community));
        let served = served.ok_or_else(|| ClientError::CommunityGone {
            community: community.to_owned(),
        })?;
        Ok(served.binding())
    }

    /// What a member may do by its certificate alone (UDAP Mutual TLS §4), where a community has that.
    pub(crate) async fn member_of(
        &self,
        shown: &ClientCertificate,
        remote: Option<IpAddr>,
    ) -> Member {
        let offered = |community: &str| {
            let binding = self.binding_in(community);
            binding.is_ok_and(|binding| binding.certificate_access)
        };
        let all = self.communities.all();
        if !all
            .iter()
            .any(|served| offered(served.community.uri.as_str()))
        {
            return Member::NotOffered;
        }
        match self.member(shown, remote, offered).await {
            Ok(record) => Member::Record(record),
            Err(error) => {
                let wire = error.to_wire();
                Member::Refused {
                    code: wire.code,
                    why: wire.description,
                }
            }
        }
    }

    async fn member(
        &self,
        shown: &ClientCertificate,
        remote: Option<IpAddr>,
        offered: impl Fn(&str) -> bool,
    ) -> Result<String, AssertedError> {
        let now = clock::now();
        let (leaf, intermediates) = (&shown.leaf, &shown.intermediates);
        let offered = |served: &Served| offered(served.community.uri.as_str());
        let (all, trust) = (self.communities.all(), self.communities.trust());
        let mut offering = all.iter().filter(|served| offered(served));
        let stranger = !offering.any(|served| {
            let uri = served.community.uri.as_str();
            trust.has_accepted(uri, leaf, intermediates)
        });
        let accepted = async {
            let accepted = self
                .communities
                .accept_in(offered, leaf, intermediates, now);
            accepted.await.map_err(|why| match why {
                NotAccepted::Refused(error) => ClientError::Trust(error),
                NotAccepted::Ambiguous(communities) => ClientError::Ambiguous { communities },
            })
        };
        let verdict = judged(self, remote.filter(|_| stranger), now, accepted).await?;
        let registration = self.only_registration(verdict.community(), leaf).await?;
        for limits in registration.limits.iter() {
            let key = leaf.public_key().map_err(|_| ClientError::Unavailable)?;
            limits.check_key(key).map_err(ClientError::from)?;
            limits.check_address(remote).map_err(ClientError::from)?;
        }
        // It gets no further than by a token that it asks for itself: by the same grant, the same rules of
        // its community and the same ceilings. Nothing that a handshake shows could hold an extension
        // object, so where one is required nobody is served so.
        let grant = CLIENT_CREDENTIALS;
        let registered = registration.grant.map_or(&[][..], |grant| grant.types());
        if !registered.contains(&grant) {
            return Err(ClientError::GrantNotRegistered { grant }.into());
        }
        let served = asserted::community_of(self, &registration)?;
        // Nor could it prove a key, which a thief of the certificate's key would not have.
        if registration.authentication.key_bound || served.binding().dpop == DpopRule::Required {
            return Err(ClientError::KeyBound.into());
        }
        let sent = serde_json::Map::new();
        let asserted = asserted::judge(self, &served, &registration, &sent, None, now).await?;
        let nothing = |error: ScopeError| ClientError::Nothing { code: error.code() };
        let mut scope = scopes::grant(&registration.scope, &self.scopes).map_err(nothing)?;
        if let Some(ceiling) = &served.community.scopes {
            scope = scopes::grant(&scope, ceiling).map_err(nothing)?;
        }
        let record = AccessToken {
            iss: Arc::clone(&self.base().issuer),
            aud: self.base().base_url.as_str().into(),
            client_id: registration.client_id.clone(),
            scope,
            iat: now,
            exp: now.plus_secs(MEMBER_SECS),
            jti: registration.token_id(),
            community: registration.community.clone(),
            uri: registration.uri.clone(),
            extensions: asserted.carried,
            cnf: Confirmation {
                certificate: Some(*leaf.sha256()),
                key: None,
            },
        };
        Ok(record.record())
    }

    /// The registration that a certificate stands for. Without a `client_id` it must be the only one.
    async fn only_registration(
        &self,
        community: &str,
        leaf: &udap_pki::Certificate,
    ) -> Result<Arc<Registration>, ClientError> {
        let mut found: Option<Arc<Registration>> = None;
        for uri in leaf.uri_names() {
            let registration = self
                .registrations
                .by_uri(&self.base().registrar, community, uri)
                .await
                .map_err(|error| {
                    tracing::error!(%error, "a registration could not be read");
                    ClientError::Unavailable
                })?;
            if let Some(registration) = registration
                && found.replace(registration).is_some()
            {
                return Err(ClientError::SeveralRegistrations);
            }
        }
        let registration = found.ok_or(ClientError::NotRegistered)?;
        if registration.state != State::Active {
            let code = registration.state.code();
            return Err(ClientError::NotActive { code });
        }
        registration.require_method(Method::TlsClientAuth)?;
        Ok(registration)
    }
}
