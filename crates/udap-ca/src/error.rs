use std::path::{Path, PathBuf};

use udap_host::{db::DbError, files::FileError};
use udap_pki::{
    CertificateError, UnixTime,
    issue::{CsrError, IssueError, Profile},
    lint::Finding,
};

/// Why the certificate authority did not do what it was asked. Nothing is half done after any of
/// them: files are renamed into place, rows are committed together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The directory or a file in it cannot be read or written.
    #[error("{} cannot be {action}: {detail}", path.display())]
    Directory {
        /// Which file.
        path: PathBuf,
        /// `read`, `written` or `made`.
        action: &'static str,
        /// The system's own words.
        detail: String,
    },
    /// Other users can enter the directory.
    #[error(transparent)]
    Exposed(#[from] FileError),
    /// No space is left on the disk.
    #[error("the disk that holds {} is full", path.display())]
    DiskFull {
        /// The file that did not fit.
        path: PathBuf,
    },
    /// There is no CA in the directory.
    #[error("there is no certificate authority in {}", path.display())]
    NotInitialised {
        /// The directory.
        path: PathBuf,
    },
    /// `init` with other options than the CA in the directory was made with.
    #[error("{} already holds a certificate authority whose {what} is {found}, not {wanted}", path.display())]
    AlreadyInitialised {
        /// The directory.
        path: PathBuf,
        /// Which option differs.
        what: &'static str,
        /// Its value there.
        found: String,
        /// Its value asked for.
        wanted: String,
    },
    /// Another process is making a CA in the same directory at this moment.
    #[error("another process is working on the certificate authority in {}", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A key file holds something else than the CA's key.
    #[error("{} is not the key of this certificate authority: {detail}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A key is under a passphrase, and none was given.
    #[error("{} is under a passphrase", path.display())]
    PassphraseMissing {
        /// The key's file.
        path: PathBuf,
    },
    /// Another passphrase than the one it was sealed under.
    #[error("{} is under another passphrase", path.display())]
    PassphraseWrong {
        /// The key's file.
        path: PathBuf,
    },
    /// A passphrase was given for a key that is under none.
    #[error("{} is under no passphrase", path.display())]
    NotSealed {
        /// The key's file.
        path: PathBuf,
    },
    /// A URL, URI or duration that no CA can be made with.
    #[error("{value:?} cannot be the {what}: {problem}")]
    Setting {
        /// `community URI`, `base URL` or `CRL lifetime`.
        what: &'static str,
        /// The value given.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A community's CA certifies no TLS servers, and a TLS CA no members.
    #[error("this certificate authority does not issue {profile} certificates")]
    ProfileNotOffered {
        /// The profile asked for.
        profile: Profile,
    },
    /// More days than the profile allows, or none at all.
    #[error("{days} days cannot be the validity of a certificate")]
    Days {
        /// The days asked for.
        days: u32,
    },
    /// Issuer and certificate would at no moment both be valid.
    #[error(
        "the certificate would end at {not_after}, before its issuer begins at {issuer_not_before}"
    )]
    NeverValid {
        /// End of the certificate.
        not_after: UnixTime,
        /// Beginning of its issuer.
        issuer_not_before: UnixTime,
    },
    /// The certification request is refused.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// The certificate cannot be built from what was given.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The certificate, signed by a throwaway key, did not pass the lint.
    #[error("the certificate was not signed: {}", join(findings))]
    Lint {
        /// Everything that was found.
        findings: Vec<Finding>,
    },
    /// The certificate, signed by a throwaway key, did not verify; a fault of this program.
    #[error("the certificate was not signed, since it would not verify: {reason}")]
    SelfCheck {
        /// What the verifier said.
        reason: String,
    },
    /// The bundle that was signed is one that no member would take.
    #[error("the bundle is not published, since no member would take it: {detail}")]
    Bundle {
        /// The member's code.
        code: &'static str,
        /// The member's words.
        detail: String,
    },
    /// The key did not sign.
    #[error("the {role} key did not sign: {detail}")]
    Sign {
        /// `root`, `issuing` or `ocsp`.
        role: &'static str,
        /// Why.
        detail: String,
    },
    /// Something that should be a certificate of this CA is none.
    #[error("not a certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// A file given to `revoke` holds no certificate.
    #[error("not a serial number or certificate: {detail}")]
    Target {
        /// What is wrong with it.
        detail: String,
    },
    /// The CA never issued it.
    #[error(
        "this certificate authority never issued a certificate with the serial number {serial}"
    )]
    UnknownSerial {
        /// In hexadecimal.
        serial: String,
    },
    /// No such certification is kept.
    #[error("this certificate authority keeps no certification with the jti {jti}")]
    UnknownCertification {
        /// Its `jti`.
        jti: String,
    },
    /// The root is an anchor; it is removed, not revoked.
    #[error("the root certificate cannot be revoked")]
    RootRevocation,
    /// It is revoked already; the first revocation stands.
    #[error("the certificate {serial} is revoked since {at}")]
    AlreadyRevoked {
        /// In hexadecimal.
        serial: String,
        /// Since when.
        at: UnixTime,
    },
    /// The issuing CA is revoked or expired.
    #[error("the issuing CA cannot issue: {reason}")]
    IssuerUnusable {
        /// `it is revoked` or since when it is over.
        reason: String,
    },
    /// The database does not serve.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A row says what cannot be.
    #[error("the database of the certificate authority is damaged: {detail}")]
    Damaged {
        /// What is wrong.
        detail: String,
    },
}

impl CaError {
    /// The stable code of this refusal; each is in [`crate::CATALOGUE`] or in that of the crate it
    /// comes from.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "ca-directory",
            Self::Exposed(error) => error.code(),
            Self::DiskFull { .. } => "disk-full",
            Self::NotInitialised { .. } => "ca-not-initialised",
            Self::AlreadyInitialised { .. } => "ca-already-initialised",
            Self::Locked { .. } => "ca-locked",
            Self::Key { .. } => "ca-key",
            Self::PassphraseMissing { .. } => "ca-passphrase-missing",
            Self::PassphraseWrong { .. } => "ca-passphrase-wrong",
            Self::NotSealed { .. } => "ca-key-not-sealed",
            Self::Setting { .. } => "ca-setting",
            Self::ProfileNotOffered { .. } => "ca-profile-not-offered",
            Self::Days { .. } => "ca-days",
            Self::NeverValid { .. } => "ca-never-valid",
            Self::Csr(error) => error.code(),
            Self::Issue(error) => error.code(),
            Self::Lint { findings } => findings
                .first()
                .map_or("ca-self-check", |finding| finding.code.as_str()),
            Self::SelfCheck { .. } => "ca-self-check",
            Self::Bundle { code, .. } => code,
            Self::Sign { .. } => "ca-sign",
            Self::Certificate(error) => error.code(),
            Self::Target { .. } => "ca-target",
            Self::UnknownSerial { .. } => "ca-unknown-serial",
            Self::UnknownCertification { .. } => "ca-unknown-certification",
            Self::RootRevocation => "ca-root-revocation",
            Self::AlreadyRevoked { .. } => "ca-already-revoked",
            Self::IssuerUnusable { .. } => "ca-issuer-unusable",
            Self::Database(error) => error.code(),
            Self::Damaged { .. } => "ca-damaged",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let known = [
            crate::CATALOGUE,
            udap_proto::CATALOGUE,
            udap_host::CATALOGUE,
            udap_pki::CATALOGUE,
            udap_pki::issue::CATALOGUE,
            udap_pki::lint::CATALOGUE,
        ];
        let found = known
            .into_iter()
            .flatten()
            .find(|explanation| explanation.code == self.code());
        found.map_or_else(String::new, |explanation| explanation.hint.to_owned())
    }

    pub(crate) fn io(path: &Path, action: &'static str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path: path.to_owned(),
            },
            _ => Self::Directory {
                path: path.to_owned(),
                action,
                detail: error.to_string(),
            },
        }
    }
}

/// `?` on a query turns sqlx's error into a sentence with a code.
impl From<sqlx::Error> for CaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

fn join(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
