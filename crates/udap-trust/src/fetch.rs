//! The guarded fetcher: every outbound request of every role goes through it.
//!
//! URLs come from certificates, metadata and partners, so they are attacker-influenced. A URL is
//! parsed and judged; then the addresses behind its host are judged, literal ones like resolved
//! ones, in the very connector that opens the connection, so that the address that was checked is
//! the address that is used. No proxy variables are read, redirects are not followed, sizes and times
//! are capped. Exceptions are hosts that the operator lists, one by one, with their port; there is no
//! switch that opens everything.

mod address;
mod connect;
mod error;
mod stats;
mod validators;

pub use address::is_public;
pub use connect::{CheckedHost, tls_config};
pub use error::FetchError;
pub use stats::{FetchCounts, counts};
pub use validators::Validators;

use bytes::Bytes;
use connect::Connector;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// The longest URL that is looked at, in bytes.
pub const MAX_URL: usize = 2048;
/// The most bytes of an answer: CRLs with 100,000 entries take some 4 MB.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most bytes of an issuer's certificate or an OCSP response, which strangers can make us ask for:
/// a bundle of cross certificates or a response with its delegate's chain fits many times.
pub const MAX_SMALL_BYTES: usize = 64 * 1024;
/// How long one request may take, connecting and reading included.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The same for what a verification waits for (architecture: at most 3 s for all of it).
pub const EVIDENCE_TIMEOUT: Duration = Duration::from_millis(2500);

/// What a URL is fetched for; decides which schemes are allowed and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Metadata, registration, tokens, FHIR: https only.
    Api,
    /// A server's administration by its own operator, with a secret: https, or http to this very machine.
    Administration,
    /// A CRL: signed in itself, so http is allowed (RFC 5280 §8).
    Crl,
    /// An OCSP response: signed in itself, so http is allowed.
    Ocsp,
    /// An issuer's certificate (AIA): signed in itself, so http is allowed.
    Issuer,
    /// A community's bundle: small, fetched on a schedule, https only.
    Document,
    /// Whether a certification still holds: small, waited for, and not signed, so https only.
    Status,
    /// A set of public keys: the same.
    Keys,
}

impl Kind {
    /// Whether http will do for that host.
    fn allows_http(self, host: Option<Host<&str>>) -> bool {
        match self {
            Self::Crl | Self::Ocsp | Self::Issuer => true,
            Self::Administration => match host {
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                Some(Host::Domain(name)) => name == "localhost",
                None => false,
            },
            Self::Api | Self::Document | Self::Status | Self::Keys => false,
        }
    }
    const fn max_bytes(self) -> usize {
        match self {
            Self::Api | Self::Administration | Self::Crl => MAX_BYTES,
            Self::Ocsp | Self::Issuer | Self::Document | Self::Status | Self::Keys => {
                MAX_SMALL_BYTES
            }
        }
    }
    const fn timeout(self) -> Duration {
        match self {
            Self::Api | Self::Administration | Self::Document => TIMEOUT,
            _ => EVIDENCE_TIMEOUT,
        }
    }
}

/// Which certificate authorities vouch for the TLS names of other hosts. They prove hosts, never
/// members of a community.
#[derive(Debug, Clone, Default)]
pub enum TlsRoots {
    /// Those of the operating system.
    #[default]
    System,
    /// These and no others.
    These(Vec<CertificateDer<'static>>),
}

impl TlsRoots {
    /// The roots themselves. Those of the operating system are read anew each time; there may be none.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        match self {
            Self::System => rustls_native_certs::load_native_certs().certs,
            Self::These(certificates) => certificates.clone(),
        }
    }
}

/// What the fetcher may do.
#[derive(Debug, Clone, Default)]
pub struct FetchPolicy {
    /// Hosts, as `host:port`, that may have addresses which are not public.
    pub allow_hosts: Vec<String>,
    /// Who vouches for TLS names.
    pub tls_roots: TlsRoots,
}

/// A client that fetches within its [`FetchPolicy`]. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client<Connector, Full<Bytes>>,
}

impl Fetcher {
    /// A fetcher.
    ///
    /// # Errors
    /// [`FetchError::Roots`] when there is no TLS root to rely on.
    pub fn new(policy: FetchPolicy) -> Result<Self, FetchError> {
        let tls = tls_config(&policy.tls_roots)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(8)
            .build(Connector::new(Arc::new(tls), policy.allow_hosts));
        Ok(Self { client })
    }

    /// Fetches a URL and gives the body of a 200.
    ///
    /// # Errors
    /// [`FetchError`]; [`FetchError::Status`] for any other status, redirects included.
    pub async fn get(&self, kind: Kind, url: &str) -> Result<Fetched, FetchError> {
        self.send(kind, Method::GET, url, HeaderMap::new(), Bytes::new())
            .await
            .and_then(|answer| {
                let status = answer.status();
                if status != StatusCode::OK {
                    return Err(FetchError::Status {
                        url: url.to_owned(),
                        status: status.as_u16(),
                    });
                }
                let (parts, body) = answer.into_parts();
                Ok(Fetched {
                    headers: parts.headers,
                    body,
                })
            })
    }

    /// Sends a request and gives the answer, whatever its status.
    ///
    /// # Errors
    /// [`FetchError`]
    pub async fn send(
        &self,
        kind: Kind,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, FetchError> {
        let answer = self.ask(kind, method, url, headers, body).await;
        let good = answer.as_ref().is_ok_and(|answer| {
            answer.status().is_success() || answer.status() == StatusCode::NOT_MODIFIED
        });
        stats::count(kind, good);
        answer
    }

    async fn ask(
        &self,
        kind: Kind,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, FetchError> {
        let checked = check_url(kind, url)?;
        let mut request = Request::builder()
            .method(method)
            .uri(checked.as_str())
            .body(Full::new(body))
            .map_err(|_| FetchError::Url {
                url: url.to_owned(),
                why: "it cannot be sent as it is",
            })?;
        *request.headers_mut() = headers;
        request.headers_mut().entry(header::USER_AGENT).or_insert(
            header::HeaderValue::from_static(concat!("udap/", env!("CARGO_PKG_VERSION"))),
        );
        let work = async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|e| FetchError::from_client(url, &e))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, kind.max_bytes())
                .collect()
                .await
                .map_err(|e| FetchError::from_body(url, e.as_ref()))?
                .to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        tokio::time::timeout(kind.timeout(), work)
            .await
            .unwrap_or_else(|_| {
                Err(FetchError::Timeout {
                    url: url.to_owned(),
                    after: kind.timeout(),
                })
            })
    }
}

/// What was fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The answer's headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Judges a URL before anything is resolved: its scheme, no user information, a host.
///
/// # Errors
/// [`FetchError::Url`]
pub fn check_url(kind: Kind, url: &str) -> Result<Url, FetchError> {
    let refused = |why| FetchError::Url {
        url: url.chars().take(200).collect(),
        why,
    };
    if url.len() > MAX_URL {
        return Err(refused("it is longer than 2048 bytes"));
    }
    let parsed = Url::parse(url).map_err(|_| refused("it is not an absolute URL"))?;
    match parsed.scheme() {
        "https" => {}
        "http" if kind.allows_http(parsed.host()) => {}
        "http" => return Err(refused("its scheme must be https")),
        _ => return Err(refused("its scheme is not http or https")),
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refused("it has user information"));
    }
    if parsed.host().is_none() {
        return Err(refused("it has no host"));
    }
    Ok(parsed)
}
