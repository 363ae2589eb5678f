//! A TLS server with a certificate of our own making, and a CA that speaks about it.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use udap_pki::Certificate;
use udap_pki::issue::{
    self, CertId, CertIdHash, CertificateSpec, CrlEntry, CrlSpec, Issuer, Names, OcspAnswer,
    OcspSpec, OcspStatus, Profile, RevocationReason, SignatureAlgorithm, Subject, ToBeSigned, Urls,
};
use udap_testkit::DAY;
use udap_trust::clock::now;
use udap_trust::keys::{KeyType, generate};
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _};

const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaP256Sha256;

/// A root that signs servers, CRLs and OCSP responses.
pub(super) struct Authority {
    certificate: Certificate,
    signer: KeySigner,
    issued: Mutex<Vec<Vec<u8>>>,
}

/// What a server's certificate and its TLS are like.
pub(super) struct Leaf {
    pub(super) dns: &'static str,
    /// From and until when, in seconds from now.
    pub(super) valid: (i64, i64),
    pub(super) staple: Option<OcspStatus>,
    pub(super) garbage_staple: bool,
    /// Whether the server signs with another key than the certificate's.
    pub(super) foreign_key: bool,
    pub(super) crl: Option<String>,
    pub(super) key: KeyType,
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            dns: "localhost",
            valid: (-DAY, 30 * DAY + 60),
            staple: None,
            garbage_staple: false,
            foreign_key: false,
            crl: None,
            key: KeyType::P256,
            versions: rustls::DEFAULT_VERSIONS,
        }
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("Inspected root")
    }

    pub(super) fn named(name: &str) -> Self {
        let signer = KeySigner::from_pkcs8(&generate(KeyType::P256).unwrap()).unwrap();
        let spec = CertificateSpec {
            profile: Profile::Root,
            serial: &random::bytes::<18>(),
            subject: &Subject::named(name),
            spki_der: signer.public_key().spki_der(),
            issuer: Issuer::SelfSigned,
            not_before: now().plus_secs(-1000 * DAY),
            not_after: now().plus_secs(1000 * DAY),
            names: Names::default(),
            urls: Urls::default(),
            extensions: &[],
            algorithm: ALGORITHM,
        };
        let der = sign(issue::certificate(&spec).unwrap(), &signer);
        Self {
            certificate: Certificate::from_der(&der).unwrap(),
            signer,
            issued: Mutex::default(),
        }
    }

    pub(super) fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.certificate.der().to_vec())
    }

    /// The serial numbers of everything it issued.
    pub(super) fn issued(&self) -> Vec<Vec<u8>> {
        self.issued.lock().unwrap().clone()
    }

    pub(super) fn crl(&self, revoked: &[Vec<u8>]) -> Vec<u8> {
        let entry = |serial: &Vec<u8>| CrlEntry {
            serial: serial.clone(),
            revoked_at: now().plus_secs(-60),
            reason: RevocationReason::KeyCompromise,
        };
        let spec = CrlSpec {
            issuer: &self.certificate,
            number: 1,
            this_update: now().plus_secs(-60),
            next_update: now().plus_secs(DAY),
            entries: &revoked.iter().map(entry).collect::<Vec<_>>(),
            algorithm: ALGORITHM,
        };
        sign(issue::crl(&spec).unwrap(), &self.signer)
    }

    /// A certificate with its key, PKCS#8.
    pub(super) fn issue(&self, leaf: &Leaf) -> (Certificate, Vec<u8>) {
        let key = generate(leaf.key).unwrap();
        let public = KeySigner::from_pkcs8(&key).unwrap();
        let spec = CertificateSpec {
            profile: Profile::TlsServer,
            serial: &random::bytes::<18>(),
            subject: &Subject::named("Inspected server"),
            spki_der: public.public_key().spki_der(),
            issuer: Issuer::Certificate(&self.certificate),
            not_before: now().plus_secs(leaf.valid.0),
            not_after: now().plus_secs(leaf.valid.1),
            names: Names {
                dns: vec![leaf.dns.to_owned()],
                ..Names::default()
            },
            urls: Urls {
                crl: leaf.crl.iter().cloned().collect(),
                ..Urls::default()
            },
            extensions: &[],
            algorithm: ALGORITHM,
        };
        let der = sign(issue::certificate(&spec).unwrap(), &self.signer);
        let certificate = Certificate::from_der(&der).unwrap();
        self.issued
            .lock()
            .unwrap()
            .push(certificate.serial().to_vec());
        (certificate, key.to_vec())
    }

    fn ocsp(&self, certificate: &Certificate, status: OcspStatus) -> Vec<u8> {
        let spec = OcspSpec {
            responder: &self.certificate,
            certificates: &[],
            answers: &[OcspAnswer {
                cert_id: CertId::new(&self.certificate, certificate.serial(), CertIdHash::Sha1)
                    .unwrap(),
                status,
                this_update: now().plus_secs(-60),
                next_update: now().plus_secs(DAY),
            }],
            produced_at: now().plus_secs(-60),
            nonce: None,
            algorithm: ALGORITHM,
        };
        sign(issue::ocsp_answer(&spec).unwrap(), &self.signer)
    }
}

fn sign(to_be_signed: ToBeSigned, signer: &KeySigner) -> Vec<u8> {
    let signature = signer
        .sign_now(ALGORITHM.scheme(), to_be_signed.bytes())
        .unwrap();
    to_be_signed.finish(&signature).unwrap()
}

/// A server on a free port of `localhost`; it answers one request on each connection.
pub(super) struct TlsHost {
    pub(super) port: u16,
    pub(super) root: CertificateDer<'static>,
    pages: Arc<Mutex<HashMap<String, Value>>>,
    connections: Arc<AtomicUsize>,
}

impl TlsHost {
    pub(super) async fn start(authority: &Authority, leaf: Leaf) -> Self {
        let (certificate, key) = authority.issue(&leaf);
        let staple = match leaf.staple {
            Some(status) => authority.ocsp(&certificate, status),
            None if leaf.garbage_staple => b"nothing".to_vec(),
            None => Vec::new(),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = if leaf.foreign_key {
            generate(leaf.key).unwrap().to_vec()
        } else {
            key
        };
        let key = PrivateKeyDer::try_from(key).unwrap();
        let mut certified = CertifiedKey::new(
            vec![CertificateDer::from(certificate.der().to_vec())],
            provider.key_provider.load_private_key(key).unwrap(),
        );
        certified.ocsp = Some(staple).filter(|staple| !staple.is_empty());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(leaf.versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self {
            port: listener.local_addr().unwrap().port(),
            root: authority.root(),
            pages: Arc::default(),
            connections: Arc::default(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (pages, connections) = (Arc::clone(&host.pages), Arc::clone(&host.connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (acceptor, pages) = (acceptor.clone(), Arc::clone(&pages));
                tokio::spawn(async move {
                    // Most of these handshakes are meant to fail.
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut request = vec![0; 4096];
                    let Ok(read @ 1..) = stream.read(&mut request).await else {
                        return;
                    };
                    let request = String::from_utf8_lossy(&request[..read]).into_owned();
                    let path = request
                        .split(['?', ' '])
                        .nth(1)
                        .unwrap_or_default()
                        .to_owned();
                    let page = pages.lock().unwrap().get(&path).map(ToString::to_string);
                    let status = if page.is_some() {
                        "200 OK"
                    } else {
                        "404 Not Found"
                    };
                    let body = page.unwrap_or_default();
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n"
                    );
                    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        host
    }

    /// `localhost:port`
    pub(super) fn name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub(super) fn serve(&self, path: &str, page: Value) {
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}
