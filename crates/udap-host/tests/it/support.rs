//! A TLS server on a free port, its files, and a client that says what it negotiated.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use udap_host::listen::{self, Listen, Running, TlsFiles};

pub(crate) const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A self-signed certificate for localhost in files of its own.
pub(crate) struct Files {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) tls: TlsFiles,
    pub(crate) cert: CertificateDer<'static>,
}

impl Files {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = TlsFiles {
            cert: dir.path().join("tls.pem"),
            key: dir.path().join("tls.key"),
        };
        let cert = write_pair(&tls, &rcgen::PKCS_ECDSA_P256_SHA256);
        Self { dir, tls, cert }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Puts a new certificate and key in place; by renaming, as renewal tools do.
pub(crate) fn write_pair(
    files: &TlsFiles,
    alg: &'static rcgen::SignatureAlgorithm,
) -> CertificateDer<'static> {
    let key = rcgen::KeyPair::generate_for(alg).unwrap();
    let cert = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    replace(&files.key, &key.serialize_pem(), 0o600);
    replace(&files.cert, &cert.pem(), 0o644);
    cert.der().clone()
}

pub(crate) fn replace(path: &Path, text: &str, mode: u32) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(&next, path).unwrap();
}

pub(crate) fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

pub(crate) fn serve(files: &Files) -> Running {
    listen::spawn(Listen::tls(LOCAL, files.tls.clone()), hello).unwrap()
}

/// A client that trusts one certificate; tests narrow what it offers.
pub(crate) struct Client {
    pub(crate) provider: CryptoProvider,
    pub(crate) versions: Vec<&'static rustls::SupportedProtocolVersion>,
    pub(crate) alpn: Vec<&'static str>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            provider: aws_lc_rs::default_provider(),
            versions: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            alpn: vec![],
        }
    }

    pub(crate) fn config(self, trusted: &CertificateDer<'static>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(self.provider))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = self
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

pub(crate) async fn connect(
    addr: SocketAddr,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config.clone())
        .connect(name, stream)
        .await
}

/// One GET over an open connection; leaves it to the caller to keep the sender.
pub(crate) async fn http1<S>(stream: S) -> hyper::client::conn::http1::SendRequest<Full<Bytes>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) async fn http2<S>(stream: S) -> hyper::client::conn::http2::SendRequest<Full<Bytes>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn get_request(path: &str) -> http::Request<Full<Bytes>> {
    http::Request::builder()
        .uri(format!("https://localhost{path}"))
        .header("host", "localhost")
        .body(Full::default())
        .unwrap()
}

pub(crate) async fn text(response: http::Response<hyper::body::Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Waits for something that another thread does soon.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not within 5 s: {what}");
}
