//! A server on loopback that answers whatever a test wants, over TLS or plainly.

use crate::{DAY, pki};
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use udap_pki::issue::{CertificateSpec, Issuer, Names, Profile, SignatureAlgorithm, Subject, Urls};
use udap_pki::{Certificate, pem};
use udap_trust::keys::{KeyType, generate};
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _};

/// A request as a [`TestServer`] got it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST`, …
    pub method: Method,
    /// Path and query, as they were sent.
    pub target: String,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Asked {
    /// The path without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What a [`TestServer`] answers.
#[derive(Debug, Clone)]
pub struct Answer(Response<Full<Bytes>>);

impl Answer {
    /// A status and a body.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Self(response)
    }

    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    /// The same with a header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.0.headers_mut().insert(name, value.parse().unwrap());
        self
    }
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server on a free port of `localhost`. It ends with its runtime.
#[derive(Debug)]
pub struct TestServer {
    scheme: &'static str,
    port: u16,
    tls_root: Option<CertificateDer<'static>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl TestServer {
    /// A server whose TLS certificate, for `localhost`, is of a root made for it alone.
    pub async fn https(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (acceptor, root) = tls();
        Self::start(Some(acceptor), Some(root), Arc::new(handler)).await
    }

    /// A server without TLS.
    pub async fn http(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(None, None, Arc::new(handler)).await
    }

    /// A URL of this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port)
    }

    /// `localhost:port`, as a fetcher's list of exceptions wants it.
    #[must_use]
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The root of its TLS certificate.
    #[must_use]
    pub fn tls_root(&self) -> CertificateDer<'static> {
        self.tls_root.clone().unwrap()
    }

    /// Everything that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn start(
        acceptor: Option<TlsAcceptor>,
        tls_root: Option<CertificateDer<'static>>,
        handler: Arc<Handler>,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, log, acceptor) =
                    (Arc::clone(&handler), Arc::clone(&log), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, handler, log).await,
                        // A client that breaks off the handshake is the client's affair.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, handler, log).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            scheme,
            port,
            tls_root,
            asked,
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    handler: Arc<Handler>,
    log: Arc<Mutex<Vec<Asked>>>,
) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
        async move {
            let (parts, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map(|b| b.to_bytes())
                .unwrap_or_default();
            let target = parts
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str());
            let asked = Asked {
                method: parts.method,
                target: target.to_owned(),
                headers: parts.headers,
                body,
            };
            log.lock().unwrap().push(asked.clone());
            Ok::<_, Infallible>(handler(&asked).0)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new();
    // The client may hang up whenever it likes.
    let _ = connection
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A TLS certificate for `localhost` in files, of a root made for it alone.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The root.
    pub root_pem: String,
    /// The certificate.
    pub chain_pem: String,
    /// Its key, PKCS#8.
    pub key_pem: String,
}

/// A TLS certificate for `localhost`, valid in real time: TLS libraries look at the real clock.
#[must_use]
pub fn tls_files() -> TlsFiles {
    let (root, leaf, key) = localhost();
    TlsFiles {
        root_pem: root.to_pem(),
        chain_pem: leaf.to_pem(),
        key_pem: pem::encode("PRIVATE KEY", &key),
    }
}

fn tls() -> (TlsAcceptor, CertificateDer<'static>) {
    let (root, leaf, key) = localhost();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(leaf.der().to_vec())],
            PrivateKeyDer::try_from(key).unwrap(),
        )
        .unwrap();
    let root = CertificateDer::from(root.der().to_vec());
    (TlsAcceptor::from(Arc::new(config)), root)
}

fn localhost() -> (Certificate, Certificate, Vec<u8>) {
    let now = udap_trust::clock::now();
    let make = |profile, subject: &Subject, spki: &[u8], issuer, by: &KeySigner| {
        pki::sign(
            &CertificateSpec {
                profile,
                serial: &random::bytes::<18>(),
                subject,
                spki_der: spki,
                issuer,
                not_before: now.plus_secs(-DAY),
                not_after: now.plus_secs(30 * DAY),
                names: Names {
                    dns: if profile == Profile::TlsServer {
                        vec!["localhost".to_owned()]
                    } else {
                        Vec::new()
                    },
                    ..Names::default()
                },
                urls: Urls::default(),
                extensions: &[],
                algorithm: SignatureAlgorithm::EcdsaP256Sha256,
            },
            by,
        )
    };
    let root_key = KeySigner::from_pkcs8(&generate(KeyType::P256).unwrap()).unwrap();
    let spki = root_key.public_key().spki_der();
    let subject = Subject::named("Test TLS root");
    let root = make(Profile::Root, &subject, spki, Issuer::SelfSigned, &root_key);
    let key = generate(KeyType::P256).unwrap();
    let public = KeySigner::from_pkcs8(&key).unwrap();
    let leaf = make(
        Profile::TlsServer,
        &Subject::named("localhost"),
        public.public_key().spki_der(),
        Issuer::Certificate(&root),
        &root_key,
    );
    (root, leaf, key.to_vec())
}
