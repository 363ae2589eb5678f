//! The handshake itself, by rustls, with an ear at the certificate.
//!
//! rustls judges the host as it always does and its verdict is kept; then the handshake goes on
//! whatever it was, so that an expired certificate's version and suite are seen too. Nothing is ever
//! sent over such a connection: what follows from a host that is trusted goes through the fetcher.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as RustlsTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, ProtocolVersion,
    RootCertStore, SignatureScheme,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use udap_pki::UnixTime;
use udap_trust::fetch::CheckedHost;

/// How long a handshake may take, connecting apart.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long is waited for tickets, which a server of TLS 1.3 sends when it likes.
const TICKETS_TIMEOUT: Duration = Duration::from_millis(500);

/// What was seen of a handshake that was gone through with, or as far as it came.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The certificates, leaf first, as they were sent.
    pub(super) chain: Vec<Vec<u8>>,
    /// The stapled OCSP response; empty when there is none.
    pub(super) ocsp: Vec<u8>,
    /// What rustls says of the host; `None` when no certificate came.
    pub(super) verdict: Option<Result<(), String>>,
    /// How the server signed the handshake, and whether it verifies.
    pub(super) signature: Option<(SignatureScheme, bool)>,
    /// What the two agreed on.
    pub(super) agreed: Option<Agreed>,
    /// Why the handshake was not gone through with.
    pub(super) error: Option<String>,
}

/// What both sides agreed on.
#[derive(Debug, Clone)]
pub(super) struct Agreed {
    pub(super) version: ProtocolVersion,
    pub(super) suite: rustls::SupportedCipherSuite,
    pub(super) group: Option<&'static str>,
    pub(super) alpn: Option<String>,
    /// Tickets of TLS 1.3 that came.
    pub(super) tickets: u32,
    /// Whether a second connection was a resumption; `None` when there was none.
    pub(super) resumed: Option<bool>,
}

/// Shakes hands twice: the second time to see whether the session is resumed.
pub(super) async fn shake(
    tcp: TcpStream,
    host: &CheckedHost,
    name: &ServerName<'static>,
    roots: &[CertificateDer<'static>],
    now: UnixTime,
) -> Seen {
    let provider = provider();
    let recorder = Arc::new(Recorder::new(&provider, roots));
    let config = match config(provider, Arc::clone(&recorder), now) {
        Ok(config) => Arc::new(config),
        Err(error) => {
            return Seen {
                error: Some(error.to_string()),
                ..Seen::default()
            };
        }
    };
    let first = connect(&config, name, tcp).await;
    let agreed = match first {
        Ok(mut stream) => {
            let tickets = wait_for_tickets(&mut stream).await;
            Ok((agreed(stream.get_ref().1, tickets), stream))
        }
        Err(error) => Err(error),
    };
    let mut seen = recorder.take();
    match agreed {
        Ok((mut agreed, stream)) => {
            drop(stream);
            if let Some(agreed) = &mut agreed
                && let Ok(tcp) = host.open().await
            {
                let second = connect(&config, name, tcp).await;
                let kind = second.ok().and_then(|s| s.get_ref().1.handshake_kind());
                agreed.resumed = kind.map(|kind| kind == HandshakeKind::Resumed);
            }
            seen.agreed = agreed;
        }
        Err(error) => seen.error = Some(error),
    }
    seen
}

/// What rustls is told to speak, and what it therefore offers.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The protocols of the application that are asked for.
pub(super) const ALPN: [&str; 2] = ["h2", "http/1.1"];

fn config(
    provider: Arc<CryptoProvider>,
    recorder: Arc<Recorder>,
    now: UnixTime,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(At(now)))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recorder)
        .with_no_client_auth();
    config.alpn_protocols = ALPN.iter().map(|p| p.as_bytes().to_vec()).collect();
    Ok(config)
}

async fn connect(
    config: &Arc<ClientConfig>,
    name: &ServerName<'static>,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp);
    tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting)
        .await
        .map_err(|_| format!("no end of it within {HANDSHAKE_TIMEOUT:?}"))?
        .map_err(|e| e.to_string())
}

/// Reads, so that tickets are taken in. Whatever else comes is thrown away.
async fn wait_for_tickets(stream: &mut TlsStream<TcpStream>) -> u32 {
    let deadline = tokio::time::Instant::now() + TICKETS_TIMEOUT;
    let mut buffer = [0; 256];
    while stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3)
        && stream.get_ref().1.tls13_tickets_received() == 0
        && tokio::time::Instant::now() < deadline
    {
        let slice = Duration::from_millis(20);
        let read = tokio::time::timeout(slice, stream.read(&mut buffer)).await;
        if matches!(read, Ok(Ok(0) | Err(_))) {
            break;
        }
    }
    stream.get_ref().1.tls13_tickets_received()
}

fn agreed(connection: &ClientConnection, tickets: u32) -> Option<Agreed> {
    let alpn = connection.alpn_protocol();
    Some(Agreed {
        version: connection.protocol_version()?,
        suite: connection.negotiated_cipher_suite()?,
        group: connection
            .negotiated_key_exchange_group()
            .and_then(|g| g.name().as_str()),
        alpn: alpn.map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        tickets,
        resumed: None,
    })
}

/// A clock that stands still, so that both judges judge at one time.
#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<RustlsTime> {
        let secs = u64::try_from(self.0.0).unwrap_or(0);
        Some(RustlsTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// Hands the certificate to rustls's own verifier, keeps what it says, and lets the handshake go on.
#[derive(Debug)]
struct Recorder {
    judge: Result<Arc<WebPkiServerVerifier>, String>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

impl Recorder {
    fn new(provider: &Arc<CryptoProvider>, roots: &[CertificateDer<'static>]) -> Self {
        let mut store = RootCertStore::empty();
        let (_, _) = store.add_parsable_certificates(roots.iter().cloned());
        let judge =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
        Self {
            judge: judge.build().map_err(|e| e.to_string()),
            provider: Arc::clone(provider),
            seen: Mutex::default(),
        }
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn take(&self) -> Seen {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn signed(
        &self,
        dss: &DigitallySignedStruct,
        result: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.note(|seen| seen.signature = Some((dss.scheme, result.is_ok())));
        result
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: RustlsTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = match &self.judge {
            Ok(judge) => judge
                .verify_server_cert(end_entity, intermediates, name, ocsp, now)
                .map(|_| ())
                .map_err(|e| e.to_string()),
            Err(why) => Err(why.clone()),
        };
        self.note(|seen| {
            seen.chain = std::iter::once(end_entity)
                .chain(intermediates)
                .map(|certificate| certificate.to_vec())
                .collect();
            seen.ocsp = ocsp.to_vec();
            seen.verdict = Some(verdict);
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.signed(dss, verify_tls12_signature(message, cert, dss, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.signed(dss, verify_tls13_signature(message, cert, dss, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
