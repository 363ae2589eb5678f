//! The client's certificate: asked for at ports that want it, proved, and told by trusted proxies only.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, Router, routing::get};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderMap;
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    client::ResolvesClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use udap_host::{
    client_ip::TrustedProxies,
    listen::{self, ClientCertificates, Issuers, Listen, MutualTls, Running},
};

use crate::support::*;

/// A self-signed certificate and its key.
struct Pair {
    der: Vec<u8>,
    key: Vec<u8>,
}

fn pair(name: &str) -> Pair {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let subject = &mut params.distinguished_name;
    subject.push(rcgen::DnType::CommonName, name);
    Pair {
        der: params.self_signed(&key).unwrap().der().to_vec(),
        key: key.serialize_der(),
    }
}

/// Shows a chain whatever the server asks for, and counts how often it was asked.
#[derive(Debug)]
struct Shown {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicUsize,
    hints: Mutex<Vec<Vec<u8>>>,
}

impl Shown {
    fn new(chain: &[&[u8]], key: &[u8]) -> Arc<Self> {
        let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec()));
        let key = PrivateKeyDer::try_from(key.to_vec()).unwrap();
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Self::holding(Some(Arc::new(CertifiedKey::new(chain.collect(), key))))
    }
    fn holding(key: Option<Arc<CertifiedKey>>) -> Arc<Self> {
        Arc::new(Self {
            key,
            asked: AtomicUsize::new(0),
            hints: Mutex::default(),
        })
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        *self.hints.lock().unwrap() = hints.iter().map(|hint| hint.to_vec()).collect();
        self.key.clone()
    }
    fn has_certs(&self) -> bool {
        true
    }
}

fn client(
    files: &Files,
    shown: &Arc<Shown>,
    version: &'static SupportedProtocolVersion,
    alpn: &str,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(files.cert.clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::clone(shown) as Arc<dyn ResolvesClientCert>);
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Arc::new(config)
}

/// Tells what it knows of the certificate, and whether a header with one came through.
fn tells() -> Router {
    async fn tell(client: Option<Extension<MutualTls>>, headers: HeaderMap) -> String {
        let client = match client {
            None => "not asked".to_owned(),
            Some(Extension(MutualTls::Absent)) => "absent".to_owned(),
            Some(Extension(MutualTls::Presented(certificate))) => {
                let hash = certificate.leaf.sha256();
                format!(
                    "{:02x}{:02x} +{}",
                    hash[0],
                    hash[1],
                    certificate.intermediates.len()
                )
            }
            Some(Extension(MutualTls::Unusable(error))) => error.code().to_owned(),
        };
        let header =
            headers.contains_key("client-cert") || headers.contains_key("client-cert-chain");
        format!("{client}{}", if header { ", header" } else { "" })
    }
    Router::new().route("/", get(tell))
}

fn name(pair: &Pair, along: usize) -> String {
    let hash = *udap_pki::Certificate::from_der(&pair.der).unwrap().sha256();
    format!("{:02x}{:02x} +{along}", hash[0], hash[1])
}

fn start(listen: Listen, clients: ClientCertificates) -> Running {
    let listen = Listen {
        client_certificates: clients,
        ..listen
    };
    listen::spawn(listen, tells).unwrap()
}

fn asking(files: &Files, issuers: Vec<Vec<u8>>) -> Running {
    let listen = Listen::tls(LOCAL, files.tls.clone());
    let issuers = Issuers::new(move || issuers.clone());
    start(listen, ClientCertificates::Ask { issuers })
}

#[tokio::test]
async fn the_handshake_names_issuers_and_tells_the_certificate_on_each_connection() {
    let files = Files::new();
    let (app, ca) = (pair("app"), pair("ca"));
    let issuer = udap_pki::Certificate::from_der(&ca.der).unwrap();
    let issuers = vec![issuer.subject().der().to_vec()];
    let server = asking(&files, issuers.clone());
    let shown = Shown::new(&[&app.der, &ca.der], &app.key);
    for version in [&TLS13, &TLS12] {
        // One configuration, and so one memory of sessions: nothing must be resumed from it.
        for alpn in ["h2", "http/1.1"] {
            let config = client(&files, &shown, version, alpn);
            for _ in 0..3 {
                let stream = connect(server.addr(), &config).await.unwrap();
                assert_eq!(
                    stream.get_ref().1.handshake_kind(),
                    Some(HandshakeKind::Full)
                );
                let told = if alpn == "h2" {
                    let mut sender = http2(stream).await;
                    let first = text(sender.send_request(get_request("/")).await.unwrap()).await;
                    assert_eq!(first, name(&app, 1));
                    text(sender.send_request(get_request("/")).await.unwrap()).await
                } else {
                    let mut sender = http1(stream).await;
                    let first = text(sender.send_request(get_request("/")).await.unwrap()).await;
                    assert_eq!(first, name(&app, 1));
                    text(sender.send_request(get_request("/")).await.unwrap()).await
                };
                assert_eq!(told, name(&app, 1), "{version:?} {alpn}");
            }
        }
    }
    assert_eq!(*shown.hints.lock().unwrap(), issuers);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn issuers_that_come_or_go_are_named_or_not_without_a_restart() {
    let files = Files::new();
    let name = |name: &str| {
        let certificate = udap_pki::Certificate::from_der(&pair(name).der).unwrap();
        certificate.subject().der().to_vec()
    };
    let (one, other) = (name("one"), name("other"));
    let members = Arc::new(Mutex::new(vec![one.clone()]));
    let listen = Listen::tls(LOCAL, files.tls.clone());
    let now = Arc::clone(&members);
    let issuers = Issuers::new(move || now.lock().unwrap().clone());
    let server = start(listen, ClientCertificates::Ask { issuers });
    let shown = Shown::new(&[&pair("app").der], &pair("app").key);
    let config = client(&files, &shown, &TLS13, "http/1.1");
    for expected in [vec![one.clone()], vec![one, other.clone()], vec![other]] {
        members.lock().unwrap().clone_from(&expected);
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let _ = connect(server.addr(), &config).await;
            if *shown.hints.lock().unwrap() == expected {
                break;
            }
            assert!(Instant::now() < end, "not named within ten seconds");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn who_shows_none_is_let_in_and_known_to_show_none() {
    let files = Files::new();
    let server = asking(&files, Vec::new());
    let nothing = Shown::holding(None);
    for version in [&TLS13, &TLS12] {
        let config = client(&files, &nothing, version, "http/1.1");
        let mut sender = http1(connect(server.addr(), &config).await.unwrap()).await;
        let told = text(sender.send_request(get_request("/")).await.unwrap()).await;
        assert_eq!(told, "absent");
        // A header is no handshake.
        let mut request = get_request("/");
        let lie = format!(":{}:", STANDARD.encode(pair("lie").der));
        request
            .headers_mut()
            .insert("client-cert", lie.parse().unwrap());
        let told = text(sender.send_request(request).await.unwrap()).await;
        assert_eq!(told, "absent");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn somebody_elses_certificate_does_not_pass_the_handshake() {
    let files = Files::new();
    let server = asking(&files, Vec::new());
    let (app, thief) = (pair("app"), pair("thief"));
    let shown = Shown::new(&[&app.der], &thief.key);
    for version in [&TLS13, &TLS12] {
        let config = client(&files, &shown, version, "http/1.1");
        let told = match connect(server.addr(), &config).await {
            Err(error) => Err(error.to_string()),
            // With TLS 1.3 the client learns it with its first read.
            Ok(stream) => {
                let mut sender = http1(stream).await;
                let answer = sender.send_request(get_request("/")).await;
                answer
                    .map(|answer| answer.status())
                    .map_err(|e| e.to_string())
            }
        };
        assert!(told.is_err(), "{version:?}: {told:?}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_that_does_not_want_one_never_asks() {
    let files = Files::new();
    let listen = Listen::tls(LOCAL, files.tls.clone());
    let server = start(listen, ClientCertificates::Off);
    let app = pair("app");
    let shown = Shown::new(&[&app.der], &app.key);
    for version in [&TLS13, &TLS12] {
        let config = client(&files, &shown, version, "http/1.1");
        let mut sender = http1(connect(server.addr(), &config).await.unwrap()).await;
        let mut request = get_request("/");
        let header = format!(":{}:", STANDARD.encode(&app.der));
        request
            .headers_mut()
            .insert("client-cert", header.parse().unwrap());
        let told = text(sender.send_request(request).await.unwrap()).await;
        // The header is there, and no endpoint has a reason to look for it.
        assert_eq!(told, "not asked, header");
    }
    assert_eq!(shown.asked.load(Ordering::Relaxed), 0);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_certificate_of_each_request() {
    let mut proxies = TrustedProxies::default();
    proxies.add("127.0.0.1").unwrap();
    let trusting = start(
        Listen::plain(LOCAL),
        ClientCertificates::FromProxies(proxies),
    );
    let mut others = TrustedProxies::default();
    others.add("192.0.2.0/24").unwrap();
    let wary = start(
        Listen::plain(LOCAL),
        ClientCertificates::FromProxies(others),
    );
    let (one, two) = (pair("one"), pair("two"));
    let field = |pair: &Pair| format!(":{}:", STANDARD.encode(&pair.der));
    let ask = async |server: &Running, headers: &[Vec<(&str, String)>]| {
        let stream = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
        // All over one connection, as a proxy has it.
        let mut sender = http1(stream).await;
        let mut told = Vec::new();
        for headers in headers {
            let mut request = get_request("/");
            for (name, value) in headers {
                let name: http::HeaderName = name.parse().unwrap();
                request.headers_mut().append(name, value.parse().unwrap());
            }
            told.push(text(sender.send_request(request).await.unwrap()).await);
        }
        told
    };
    let requests = [
        vec![("client-cert", field(&one))],
        vec![
            ("client-cert", field(&two)),
            ("client-cert-chain", field(&one)),
        ],
        vec![],
        vec![("client-cert", field(&one)), ("client-cert", field(&two))],
        vec![("client-cert-chain", field(&one))],
        vec![("client-cert", "junk".to_owned())],
    ];
    let malformed = "client-cert-header-malformed";
    assert_eq!(
        ask(&trusting, &requests).await,
        [
            &name(&one, 0),
            &name(&two, 1),
            "absent",
            malformed,
            malformed,
            malformed
        ]
    );
    let refused = "client-cert-header-refused";
    assert_eq!(
        ask(&wary, &requests).await,
        [refused, refused, "absent", refused, refused, refused]
    );
    trusting.stop().await.unwrap();
    wary.stop().await.unwrap();
}
