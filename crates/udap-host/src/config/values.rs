use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use udap_pki::{Certificate, pem};
use zeroize::Zeroizing;

use super::{ConfigError, Problem};
use crate::files::{self, FileError};

/// `key = "…"` or `key_file = "…"`.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    Inline(Zeroizing<String>),
    File(PathBuf),
}

impl Secret {
    /// The secret itself; a file is read now and must be private to its owner.
    pub fn read(&self) -> Result<Zeroizing<Vec<u8>>, FileError> {
        match self {
            Self::Inline(text) => Ok(Zeroizing::new(text.as_bytes().to_vec())),
            Self::File(path) => files::read_private(path),
        }
    }

    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Inline(_) => None,
            Self::File(path) => Some(path),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(redacted)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inline(_) => serializer.serialize_str(REDACTED),
            Self::File(path) => path.serialize(serializer),
        }
    }
}

/// Where certificates are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificates {
    File(PathBuf),
    /// In a community's description.
    Text(String),
}

impl Certificates {
    /// The certificates; a file is read now.
    pub fn read(&self) -> Result<Vec<Certificate>, ConfigError> {
        let problem = |problem| ConfigError { at: None, problem };
        let path = match self {
            Self::Text(text) => {
                return pem::certificates(text.as_bytes()).map_err(|error| {
                    problem(Problem::CertificateText {
                        detail: error.to_string(),
                    })
                });
            }
            Self::File(path) => path,
        };
        let bytes = std::fs::read(path).map_err(|error| {
            problem(Problem::Unreadable {
                path: path.clone(),
                detail: error.to_string(),
            })
        })?;
        pem::certificates(&bytes).map_err(|error| {
            problem(Problem::CertificateFile {
                path: path.clone(),
                detail: error.to_string(),
            })
        })
    }
}

/// Whom outbound TLS trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsRoots {
    /// The roots of the operating system.
    System,
    /// The roots in this PEM file and no others.
    File(PathBuf),
}

impl Serialize for TlsRoots {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::System => serializer.serialize_str("system"),
            Self::File(path) => path.serialize(serializer),
        }
    }
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    Human,
    Json,
}

const REDACTED: &str = "(redacted)";
