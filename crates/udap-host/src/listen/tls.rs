//! TLS of the listener: what is offered, and the certificate that can change while running.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, cipher_suite, kx_group},
    },
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;

use super::{
    ClientCertificates, ListenError, Shutdown, TlsFiles, client_certificate::Possession, stats,
};
use crate::files::{self, FileError};

/// The TLS side of one listener, shared by its workers.
pub(super) struct Tls {
    files: TlsFiles,
    /// The files of the certificate in use.
    seen: Seen,
    /// Other ones, and why they are not used: told once.
    failed: Option<(Seen, ListenError)>,
    current: Arc<Current>,
    clients: ClientCertificates,
    /// The issuers that handshakes name.
    named: Vec<Vec<u8>>,
    config: Arc<ArcSwap<ServerConfig>>,
}

/// What handshakes are made with; it may be another one for the next connection.
#[derive(Clone)]
pub(super) struct Acceptor(Arc<ArcSwap<ServerConfig>>);

impl Acceptor {
    pub(super) fn now(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

impl Tls {
    /// Loads the files and builds the one configuration.
    pub(super) fn open(
        files: &TlsFiles,
        clients: &ClientCertificates,
    ) -> Result<Self, ListenError> {
        let seen = Seen::of(files);
        let current = Arc::new(Current(ArcSwap::from_pointee(load(files)?)));
        let named = names(clients);
        let config = server_config(current.clone(), clients, &named)?;
        Ok(Self {
            files: files.clone(),
            seen,
            failed: None,
            current,
            clients: clients.clone(),
            named,
            config: Arc::new(ArcSwap::from_pointee(config)),
        })
    }

    pub(super) fn acceptor(&self) -> Acceptor {
        Acceptor(Arc::clone(&self.config))
    }

    /// Looks at the files and at the issuers to be named, until the stop. New connections get the new certificate; open ones and
    /// resumed sessions keep what they negotiated.
    pub(super) fn watch(mut self, shutdown: &Shutdown) {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "TLS certificate is not watched for changes");
                return;
            }
        };
        runtime.block_on(async {
            while tokio::time::timeout(RELOAD_POLL, shutdown.wait())
                .await
                .is_err()
            {
                self.reload_if_changed();
                self.name_issuers_if_changed();
            }
        });
    }

    fn reload_if_changed(&mut self) {
        let seen = Seen::of(&self.files);
        if seen == self.seen {
            self.failed = None;
            return;
        }
        match load(&self.files) {
            Ok(loaded) => {
                self.current.0.store(Arc::new(loaded));
                self.seen = seen;
                self.failed = None;
                stats().reloaded();
                tracing::info!(cert = %self.files.cert.display(), "TLS certificate reloaded");
            }
            // Half-written, the key not yet replaced, or readable by others until somebody mends its mode,
            // which changes nothing that `Seen` has: the old one serves, and it is tried again.
            Err(error) if self.failed.as_ref() != Some(&(seen, error.clone())) => {
                stats().reload_failed();
                tracing::warn!(code = error.code(), %error, "changed TLS files are not used; the certificate before them stays");
                self.failed = Some((seen, error));
            }
            Err(_) => {}
        }
    }

    fn name_issuers_if_changed(&mut self) {
        let named = names(&self.clients);
        if named == self.named {
            return;
        }
        match server_config(self.current.clone(), &self.clients, &named) {
            Ok(config) => self.config.store(Arc::new(config)),
            Err(error) => {
                tracing::warn!(%error, "handshakes name the issuers of before");
            }
        }
        self.named = named;
    }
}

/// The issuers to be named at this time.
fn names(clients: &ClientCertificates) -> Vec<Vec<u8>> {
    match clients {
        ClientCertificates::Ask { issuers } => issuers.now(),
        ClientCertificates::Off | ClientCertificates::FromProxies(_) => Vec::new(),
    }
}

fn server_config(
    current: Arc<Current>,
    clients: &ClientCertificates,
    named: &[Vec<u8>],
) -> Result<ServerConfig, ListenError> {
    let failed = |error: rustls::Error| ListenError::Tls {
        detail: error.to_string(),
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(failed)?;
    // The handshake checks possession only; the trust loop judges a certificate later, from the
    // request extension that `worker` adds beside `Peer`.
    let builder = match clients {
        ClientCertificates::Ask { .. } => builder.with_client_cert_verifier(Arc::new(Possession {
            issuers: named.iter().cloned().map(Into::into).collect(),
            algorithms: provider().signature_verification_algorithms,
        })),
        ClientCertificates::Off | ClientCertificates::FromProxies(_) => {
            builder.with_no_client_auth()
        }
    };
    let mut config = builder.with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Resumption by ticket only: one secret for all workers, rotated by rustls every 6 hours,
    // and no memory per session.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if matches!(clients, ClientCertificates::Ask { .. }) {
        // A certificate is shown and its key proved with each connection: nothing is resumed.
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(failed)?;
        // One ticket per handshake: API clients keep one connection and resume one at a time.
        config.send_tls13_tickets = 1;
    }
    // Early data can be replayed by anybody on the path (RFC 8446 §8), and a token request must
    // count once.
    config.max_early_data_size = 0;
    // Our order of suites: SHA-256 has instructions of its own on current processors and SHA-384
    // has not, which makes a handshake with AES-128-GCM some 15 % cheaper than with AES-256-GCM,
    // the first choice of most clients. Who wants only AES-256 offers only that.
    config.ignore_client_order = true;
    Ok(config)
}

/// What is offered, by name: AEAD and ephemeral key exchange only, so that a later rustls cannot
/// widen it unseen (RFC 9325 §4.2, §4.4).
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    }
}

/// Reads certificate and key and checks that they belong together.
pub(super) fn load(files: &TlsFiles) -> Result<CertifiedKey, ListenError> {
    let path = || files.cert.clone();
    let pem = std::fs::read(&files.cert).map_err(|error| ListenError::CertificateUnreadable {
        path: path(),
        detail: error.to_string(),
    })?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ListenError::CertificateMalformed {
            path: path(),
            detail: error.to_string(),
        })?;
    if chain.is_empty() {
        let detail = "there is no CERTIFICATE block".to_owned();
        return Err(ListenError::CertificateMalformed {
            path: path(),
            detail,
        });
    }

    let path = || files.key.clone();
    let pem = files::read_private(&files.key).map_err(|error| match error {
        FileError::Unreadable { path, detail } => ListenError::KeyUnreadable { path, detail },
        FileError::Exposed { path, mode } | FileError::Directory { path, mode } => {
            ListenError::KeyExposed { path, mode }
        }
    })?;
    // The parser's own error could quote the file: say only that it failed.
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| ListenError::KeyMalformed { path: path() })?;

    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => ListenError::KeyMismatch {
            cert: files.cert.clone(),
            key: path(),
        },
        rustls::Error::InvalidCertificate(error) => ListenError::CertificateMalformed {
            path: files.cert.clone(),
            detail: format!("{error:?}"),
        },
        error => ListenError::KeyUnsupported {
            path: path(),
            detail: error.to_string(),
        },
    })
}

/// The certificate in use, whatever name the client asks for: one listener, one certificate.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// What tells a changed file: a rename over it, a symbolic link turned to another, a rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen([Option<(u64, u64, Option<SystemTime>)>; 2]);

impl Seen {
    fn of(files: &TlsFiles) -> Self {
        let of = |path: &Path| {
            std::fs::metadata(path)
                .ok()
                .map(|m| (m.ino(), m.size(), m.modified().ok()))
        };
        Self([of(&files.cert), of(&files.key)])
    }
}

/// Two `stat` calls a second are not measurable, and a renewal is in force before its log line
/// has been read.
const RELOAD_POLL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{
        fs::{Permissions, set_permissions, write},
        os::unix::fs::PermissionsExt,
    };

    use super::*;

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// The time of a file is coarse, so that it is set.
    fn renew(files: &TlsFiles, at: u64) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        write(&files.cert, params.self_signed(&key).unwrap().pem()).unwrap();
        write(&files.key, key.serialize_pem()).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        let cert = std::fs::File::options().write(true).open(&files.cert);
        cert.unwrap().set_modified(time).unwrap();
    }

    /// `chmod` changes neither contents nor their time.
    #[test]
    fn a_key_that_could_not_be_read_is_read_when_it_can_be() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            cert: directory.path().join("tls.pem"),
            key: directory.path().join("tls.key"),
        };
        renew(&files, 1);
        mode(&files.key, 0o600);
        let mut tls = Tls::open(&files, &ClientCertificates::Off).unwrap();
        let serving = |tls: &Tls| tls.current.0.load().cert.clone();
        let (old, failures, loads) = (serving(&tls), stats().reloads_failed(), stats().reloads());
        tls.reload_if_changed();
        assert_eq!(stats().reloads(), loads);

        renew(&files, 2);
        mode(&files.key, 0o644);
        for _ in 0..3 {
            tls.reload_if_changed();
            assert_eq!(serving(&tls), old);
            assert_eq!(stats().reloads_failed(), failures + 1, "told once");
        }
        write(&files.key, "half of a fi").unwrap();
        mode(&files.key, 0o600);
        tls.reload_if_changed();
        assert_eq!(stats().reloads_failed(), failures + 2, "another reason");
        renew(&files, 3);
        mode(&files.key, 0o640);
        tls.reload_if_changed();
        mode(&files.key, 0o600);
        tls.reload_if_changed();
        assert_ne!(serving(&tls), old);
        assert_eq!(stats().reloads(), loads + 1);
        tls.reload_if_changed();
        assert_eq!(
            (stats().reloads(), stats().reloads_failed()),
            (loads + 1, failures + 3)
        );
    }
}
