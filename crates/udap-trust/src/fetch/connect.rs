//! The connector: where addresses are judged and then, the same ones, connected to.

use super::{FetchError, TlsRoots, is_public};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long one address may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How many addresses of one host are tried.
const MAX_ADDRESSES: usize = 4;

/// TLS for outbound connections: 1.3 and 1.2, the library's own suites and groups by name of the
/// provider, these roots.
///
/// # Errors
/// [`FetchError::Roots`]
pub fn tls_config(roots: &TlsRoots) -> Result<ClientConfig, FetchError> {
    let broken = |why: String| FetchError::Roots { why };
    let mut store = RootCertStore::empty();
    match roots {
        TlsRoots::System => {
            let (_, _) = store.add_parsable_certificates(roots.certificates());
            if store.is_empty() {
                tracing::warn!(
                    "the operating system has no TLS roots; every outbound https connection will be refused"
                );
            }
        }
        TlsRoots::These(certificates) => {
            for certificate in certificates {
                store
                    .add(certificate.clone())
                    .map_err(|e| broken(e.to_string()))?;
            }
            if store.is_empty() {
                return Err(broken("the file holds no certificate".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| broken(e.to_string()))?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug, Clone)]
pub(super) struct Connector {
    tls: Arc<ClientConfig>,
    allow_hosts: Arc<[String]>,
}

impl Connector {
    pub(super) fn new(tls: Arc<ClientConfig>, allow_hosts: Vec<String>) -> Self {
        Self {
            tls,
            allow_hosts: allow_hosts.into(),
        }
    }

    async fn connect(self, uri: http::Uri) -> Result<Stream, FetchError> {
        let https = uri.scheme_str() == Some("https");
        let literal = uri
            .host()
            .unwrap_or_default()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = CheckedHost::resolve(&literal, port, &self.allow_hosts).await?;
        let tcp = host.open().await?;
        let host = host.host;
        if !https {
            return Ok(Stream::Plain(tcp));
        }
        let name = ServerName::try_from(literal).map_err(|_| FetchError::Url {
            url: host.clone(),
            why: "its host is no name that TLS can verify",
        })?;
        let tls = TlsConnector::from(self.tls)
            .connect(name, tcp)
            .await
            .map_err(|e| FetchError::Tls {
                host,
                why: e.to_string(),
            })?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

/// A host whose addresses were judged: what is connected to is what was judged. For whoever speaks
/// another protocol than HTTP, or looks at TLS itself; all others ask the fetcher.
#[derive(Debug, Clone)]
pub struct CheckedHost {
    host: String,
    addresses: Vec<SocketAddr>,
}

impl CheckedHost {
    /// Resolves a name, or takes an address literal (IPv6 without brackets), and judges what it finds.
    ///
    /// # Errors
    /// [`FetchError::Resolve`]; [`FetchError::Address`] when an address is not public and
    /// `host:port` is not listed.
    pub async fn resolve(
        literal: &str,
        port: u16,
        allow_hosts: &[String],
    ) -> Result<Self, FetchError> {
        let host = match literal.contains(':') {
            true => format!("[{literal}]:{port}"),
            false => format!("{literal}:{port}"),
        };
        let listed = allow_hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(&host));
        let addresses = resolve(literal, port, &host).await?;
        match addresses.iter().find(|a| !is_public(a.ip())) {
            Some(bad) if !listed => Err(FetchError::Address {
                host,
                address: bad.ip(),
            }),
            _ => Ok(Self { host, addresses }),
        }
    }

    /// `host:port`
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Opens a connection to the first of its addresses that answers.
    ///
    /// # Errors
    /// [`FetchError::Connect`]
    pub async fn open(&self) -> Result<TcpStream, FetchError> {
        open(&self.addresses, &self.host).await
    }

    /// The same host at that one of its addresses that a stream is connected to, so that several
    /// connections meet one and the same server. Any other address leaves it as it was.
    #[must_use]
    pub fn pinned_to(mut self, peer: SocketAddr) -> Self {
        if self.addresses.contains(&peer) {
            self.addresses = vec![peer];
        }
        self
    }
}

async fn resolve(literal: &str, port: u16, host: &str) -> Result<Vec<SocketAddr>, FetchError> {
    if let Ok(address) = literal.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = tokio::net::lookup_host((literal, port))
        .await
        .map_err(|e| FetchError::Resolve {
            host: host.to_owned(),
            why: e.to_string(),
        })?;
    let mut addresses: Vec<_> = found.collect();
    // IPv4 first: where only one family works it mostly is this one, and loopback listeners here
    // are IPv4.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() {
        return Err(FetchError::Resolve {
            host: host.to_owned(),
            why: "it has no address".into(),
        });
    }
    Ok(addresses)
}

async fn open(addresses: &[SocketAddr], host: &str) -> Result<TcpStream, FetchError> {
    let mut why = String::from("no address was tried");
    for address in addresses.iter().take(MAX_ADDRESSES) {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(e)) => why = e.to_string(),
            Err(_) => why = format!("no answer within {CONNECT_TIMEOUT:?}"),
        }
    }
    Err(FetchError::Connect {
        host: host.to_owned(),
        why,
    })
}

impl tower_service::Service<http::Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, FetchError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map(TokioIo::new) })
    }
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_write(cx, buf),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_shutdown(cx),
        }
    }
}
