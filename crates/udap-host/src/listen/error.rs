use std::{net::SocketAddr, path::PathBuf};

/// Why a listener could not start or had to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    #[error("address {} port {} is already in use", addr.ip(), addr.port())]
    AddressInUse { addr: SocketAddr },
    #[error("address {} does not belong to this machine", addr.ip())]
    AddressUnavailable { addr: SocketAddr },
    #[error("this user may not listen on address {} port {}", addr.ip(), addr.port())]
    AddressForbidden { addr: SocketAddr },
    #[error("cannot listen on address {} port {}: {detail}", addr.ip(), addr.port())]
    Bind { addr: SocketAddr, detail: String },
    #[error("cannot read the TLS certificate {}: {detail}", path.display())]
    CertificateUnreadable { path: PathBuf, detail: String },
    #[error("{} does not hold a TLS certificate in PEM form: {detail}", path.display())]
    CertificateMalformed { path: PathBuf, detail: String },
    #[error("cannot read the TLS key {}: {detail}", path.display())]
    KeyUnreadable { path: PathBuf, detail: String },
    #[error("the TLS key {} has mode {mode:04o}: other users can read or write it", path.display())]
    KeyExposed { path: PathBuf, mode: u32 },
    #[error("{} does not hold a private key in PEM form", path.display())]
    KeyMalformed { path: PathBuf },
    #[error("the TLS key {} cannot be used: {detail}", path.display())]
    KeyUnsupported { path: PathBuf, detail: String },
    #[error("the TLS key {} does not belong to the certificate {}", key.display(), cert.display())]
    KeyMismatch { cert: PathBuf, key: PathBuf },
    #[error("TLS cannot be set up: {detail}")]
    Tls { detail: String },
    #[error("signals cannot be received: {detail}")]
    Signals { detail: String },
    #[error("a worker thread cannot be started: {detail}")]
    Thread { detail: String },
    #[error("a worker thread ended unexpectedly; the log says why")]
    WorkerFailed,
}

impl ListenError {
    /// The stable name of the refusal; see [`crate::CATALOGUE`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddressInUse { .. } => "address-in-use",
            Self::AddressUnavailable { .. } => "address-unavailable",
            Self::AddressForbidden { .. } => "address-forbidden",
            Self::Bind { .. } => "listen-failed",
            Self::CertificateUnreadable { .. } => "tls-certificate-unreadable",
            Self::CertificateMalformed { .. } => "tls-certificate-malformed",
            Self::KeyUnreadable { .. } => "tls-key-unreadable",
            Self::KeyExposed { .. } => "tls-key-exposed",
            Self::KeyMalformed { .. } => "tls-key-malformed",
            Self::KeyUnsupported { .. } => "tls-key-unsupported",
            Self::KeyMismatch { .. } => "tls-key-mismatch",
            Self::Tls { .. } => "tls-setup",
            Self::Signals { .. } | Self::Thread { .. } => "system-resources",
            Self::WorkerFailed => "worker-failed",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::AddressInUse { addr } => format!(
                "stop what listens there (`ss -ltnp 'sport = :{}'` names it) or choose another port",
                addr.port()
            ),
            Self::KeyExposed { path, .. } => format!("run `chmod 600 {}`", path.display()),
            _ => crate::catalogue::hint(self.code()).to_owned(),
        }
    }
}
