//! What an access token is bound to: the certificate of the connection on which it is asked for
//! (RFC 8705 §3), the key of the DPoP proof that comes along (RFC 9449 §5), both, or nothing.

use crate::app::{Server, Told};
use crate::client_authentication::{Client, ClientError, Proof, judge, presented};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;
use udap_host::config::{Config, DpopRule, MutualTlsPort};
use udap_host::dpop::{Dpop, HEADER, NONCE_HEADER, ProofError};
use udap_host::listen::{ClientCertificate, MutualTls};
use udap_host::problem::OAuthError;
use udap_pki::UnixTime;
use udap_proto::confirmation::Confirmation;
use udap_proto::dpop::{ALGORITHMS, Expected};
use udap_proto::jws::JwsAlg;
use udap_proto::registration::Method;

/// What a token is to be bound to.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    pub(crate) cnf: Confirmation,
    /// The certificate, where it is another than the one that the client proved itself with. The token
    /// ends with it as well.
    pub(crate) certificate: Option<Arc<ClientCertificate>>,
}

/// The proofs that this server takes. What a community makes of them can change while it runs.
pub(crate) fn proofs(config: &Config) -> Arc<Dpop> {
    let dpop = Dpop::new(config.dpop_nonces);
    if used(config) {
        dpop.advertise();
    }
    Arc::new(dpop)
}

fn used(config: &Config) -> bool {
    let mut rules = config.communities.iter().map(|c| c.binding.dpop);
    rules.any(|rule| rule != DpopRule::Off)
}

/// What is published of it, for whoever knows nothing of UDAP and of its communities.
pub(crate) struct Published {
    pub(crate) port: Option<MutualTlsPort>,
    pub(crate) methods: Vec<&'static str>,
    pub(crate) dpop_algs: &'static [JwsAlg],
}

impl Published {
    pub(crate) fn new(config: &Config) -> Self {
        let mut communities = config.communities.iter();
        Self {
            port: config.mutual_tls.clone(),
            methods: Method::offered(communities.any(|c| c.binding.tls_client_auth)),
            dpop_algs: if used(config) { &ALGORITHMS } else { &[] },
        }
    }
}

/// Decides by the connection, the header and what the app registered.
pub(crate) async fn decide(
    server: &Server,
    client: &Client,
    tls: Option<&MutualTls>,
    headers: &HeaderMap,
    now: UnixTime,
) -> Result<Bound, BindingError> {
    let mut bound = Bound::default();
    let wanted = client.registration.authentication;
    if let Some(tls) = tls
        && let Some(shown) = presented(tls)?
    {
        match &client.proof {
            Proof::Certificate(certified) if certified.leaf == shown.leaf => {}
            // A certificate that is shown is the client's own, or the request is somebody else's too.
            Proof::Certificate(_) => {
                judge(server, &client.registration, shown, now).await?;
                bound.certificate = Some(Arc::clone(shown));
            }
            // Without a community there is nobody to judge it; it counts for its key.
            Proof::Key => {}
        }
        bound.cnf.certificate = Some(*shown.leaf.sha256());
    }
    if wanted.certificate_bound && bound.cnf.certificate.is_none() {
        return Err(ClientError::NoCertificate.into());
    }
    // A proof is looked at only where the community has them, or its app asked for nothing else.
    let rule = match &client.proof {
        Proof::Certificate(certified) => certified.binding.dpop,
        // Who has no community has no rules of one.
        Proof::Key => DpopRule::Off,
    };
    if rule == DpopRule::Off && !wanted.key_bound {
        return Ok(bound);
    }
    let must = rule == DpopRule::Required || wanted.key_bound;
    if !must && !headers.contains_key(HEADER) {
        return Ok(bound);
    }
    let (dpop, base) = (&server.dpop, server.base());
    let endpoint = base.token_endpoint.as_str();
    let alias = base.mutual_tls.as_ref().map(|port| port.token.as_str());
    let both = [endpoint, alias.unwrap_or(endpoint)];
    let expected = Expected {
        method: "POST",
        targets: if tls.is_some() { &both } else { &both[..1] },
        token_sha256: None,
    };
    let proof = dpop.verify(headers, &expected, now)?;
    dpop.take(&proof, &client.registration.client_id, now)?;
    dpop.advertise();
    bound.cnf.key = Some(*proof.thumbprint());
    Ok(bound)
}

/// Gives out a nonce with an answer, where proofs must repeat one (RFC 9449 §8).
pub(crate) fn with_nonce(server: &Server, mut response: Response, now: UnixTime) -> Response {
    let nonce = server.dpop.nonce(now);
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        response.headers_mut().insert(NONCE_HEADER, nonce);
    }
    response
}

/// Why a token cannot be bound as it must.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindingError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl BindingError {
    /// The one mapping to the wire (RFC 9449 §5, §8).
    pub(crate) fn to_wire(&self) -> OAuthError {
        match self {
            Self::Client(error) => error.to_wire(),
            Self::Proof(error) => {
                let status = match error {
                    ProofError::Full => StatusCode::TOO_MANY_REQUESTS,
                    _ => StatusCode::BAD_REQUEST,
                };
                Told::by(error.oauth_error(), error).into_wire(status)
            }
        }
    }
}
