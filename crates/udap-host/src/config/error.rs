use std::{fmt, path::PathBuf};

use udap_proto::{Refusal as _, community::CommunityError};

/// Why a configuration is refused: `udap.toml:3:1: unknown setting upstreem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, if it is about a place in the file.
    pub at: Option<At>,
    pub problem: Problem,
}

/// A place in the file; line and column count from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    pub path: PathBuf,
    pub line: usize,
    pub column: usize,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    #[error("cannot read {}: {detail}", path.display())]
    Unreadable { path: PathBuf, detail: String },
    #[error("this is not TOML: {detail}")]
    Syntax { detail: String },
    #[error("there is no setting `{key}`")]
    UnknownKey {
        key: String,
        suggestion: Option<String>,
        known: &'static [&'static str],
    },
    #[error("`{key}` is missing")]
    Missing { key: String, example: &'static str },
    #[error("`{key}` must be {expected}, not {found}")]
    WrongType {
        key: String,
        expected: &'static str,
        found: &'static str,
    },
    #[error("`{key}` cannot be `{value}`: {reason}")]
    Invalid {
        key: String,
        value: String,
        reason: String,
    },
    #[error("`{key}` is {value}; it must be from {min} to {max}")]
    OutOfRange {
        key: String,
        value: i64,
        min: i64,
        max: i64,
    },
    #[error("`{key}` and `{key}_file` are both set")]
    SecretTwice { key: String },
    #[error("the base URLs {first} and {second} overlap: by path, a request could be for either")]
    BasesOverlap { first: String, second: String },
    #[error("community `{uri}` is configured twice")]
    CommunityTwice { uri: String },
    #[error("communities `{first}` and `{second}` have one trust anchor: {anchor}")]
    SharedAnchor {
        anchor: String,
        first: String,
        second: String,
    },
    #[error(
        "community `{community}`: {anchor} vouches for members and for certifiers, and the certifiers are not named"
    )]
    CertifiersUnnamed { anchor: String, community: String },
    #[error("the TLS certificate {} or its key is also the identity in community `{community}`", path.display())]
    TlsIsIdentity { path: PathBuf, community: String },
    #[error("{} does not hold certificates: {detail}", path.display())]
    CertificateFile { path: PathBuf, detail: String },
    #[error("a certificate in the description of the community cannot be read: {detail}")]
    CertificateText { detail: String },
    #[error("{} has mode {mode:04o}: other users can read or write it", path.display())]
    KeyExposed { path: PathBuf, mode: u32 },
    #[error("{} does not hold a key of 256 bits", path.display())]
    SecretsKey { path: PathBuf },
    #[error(
        "several nodes share secrets by way of the database, and `secrets_key_file` is missing"
    )]
    SecretsKeyMissing,
    #[error("this community cannot be: {0}")]
    Community(Box<CommunityError>),
    #[error("the description of the community in {}: {error}", path.display())]
    Definition {
        path: PathBuf,
        error: Box<CommunityError>,
    },
    #[error(transparent)]
    Tls(crate::listen::ListenError),
}

impl ConfigError {
    /// The stable name of the refusal; see [`crate::CATALOGUE`].
    pub fn code(&self) -> &'static str {
        match &self.problem {
            Problem::Unreadable { .. } => "config-unreadable",
            Problem::Syntax { .. } => "config-syntax",
            Problem::UnknownKey { .. } => "config-unknown-key",
            Problem::Missing { .. } => "config-missing-key",
            Problem::WrongType { .. } => "config-wrong-type",
            Problem::Invalid { .. } => "config-invalid-value",
            Problem::OutOfRange { .. } => "config-out-of-range",
            Problem::SecretTwice { .. } => "config-secret-twice",
            Problem::BasesOverlap { .. } => "config-bases-overlap",
            Problem::CommunityTwice { .. } => "config-community-twice",
            Problem::SharedAnchor { .. } => "config-shared-anchor",
            Problem::CertifiersUnnamed { .. } => "config-certifiers-unnamed",
            Problem::TlsIsIdentity { .. } => "config-tls-is-identity",
            Problem::CertificateFile { .. } | Problem::CertificateText { .. } => {
                "config-certificate-file"
            }
            Problem::KeyExposed { .. } => "config-key-exposed",
            Problem::SecretsKey { .. } => "secrets-key-unusable",
            Problem::SecretsKeyMissing => "secrets-key-missing",
            Problem::Community(error) | Problem::Definition { error, .. } => error.code(),
            Problem::Tls(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match &self.problem {
            Problem::UnknownKey {
                suggestion: Some(suggestion),
                ..
            } => {
                format!("did you mean `{suggestion}`?")
            }
            Problem::UnknownKey { known, .. } => format!("known here: {}", known.join(", ")),
            Problem::Missing { example, .. } => format!("for example `{example}`"),
            Problem::SecretTwice { key } => {
                format!("keep `{key}_file`, so that the secret is not in the configuration")
            }
            Problem::KeyExposed { path, .. } => format!("run `chmod 600 {}`", path.display()),
            Problem::Community(error) | Problem::Definition { error, .. } => {
                super::community::hint(error)
            }
            Problem::Tls(error) => error.hint(),
            _ => crate::catalogue::hint(self.code()).to_owned(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(At { path, line, column }) = &self.at {
            write!(f, "{}:{line}:{column}: ", path.display())?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for ConfigError {}
