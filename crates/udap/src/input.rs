//! Certificates, CRLs, OCSP responses and tokens from a file, a URL or standard input.

use crate::client::host_port;
use crate::cmd::block_on;
use crate::files;
use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use std::fmt;
use std::path::{Path, PathBuf};
use udap_pki::{Certificate, pem};
use udap_trust::fetch::{FetchPolicy, Fetcher, Kind, TlsRoots};

/// Where something is read from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// A file, a URL, or `-` for standard input
    #[arg(value_name = "FILE|URL|-")]
    pub(crate) source: String,
    /// A host that may have a private address, `host:port`; repeat for more
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    allow_host: Vec<String>,
    /// TLS roots in place of the system's
    #[arg(long, value_name = "FILE")]
    tls_root: Option<PathBuf>,
}

impl Source {
    pub(crate) fn read(&self, kind: Kind) -> Result<Vec<u8>, Problem> {
        let is_url = self.source.starts_with("http://") || self.source.starts_with("https://");
        if !is_url {
            return files::read(Path::new(&self.source));
        }
        let fetcher = self.fetcher()?;
        block_on(async {
            let fetched = fetcher.get(kind, &self.source).await?;
            Ok(fetched.body.to_vec())
        })
    }

    pub(crate) fn fetcher(&self) -> Result<Fetcher, Problem> {
        let tls_roots = match &self.tls_root {
            Some(path) => files::tls_roots(path)?,
            None => TlsRoots::System,
        };
        Ok(Fetcher::new(FetchPolicy {
            allow_hosts: self.allow_host.clone(),
            tls_roots,
        })?)
    }
}

/// Input that cannot be read: exit code 2.
pub(crate) fn unreadable(code: &str, source: &Source, why: &dyn fmt::Display) -> Problem {
    Problem::new(code, format!("{}: {why}", source.source)).unreadable()
}

/// The DER of an OCSP response: as it is, in PEM, or in base64.
pub(crate) fn ocsp_der(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if bytes.first() == Some(&0x30) {
        return Ok(bytes.to_vec());
    }
    let labels = ["OCSP RESPONSE", "OCSPRESPONSE"];
    if let Ok(ders) = pem::ders(bytes, &labels, "OCSP response") {
        return ders
            .first()
            .map(|der| der.to_vec())
            .ok_or_else(|| "it is empty".to_owned());
    }
    let compact: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    STANDARD
        .decode(compact)
        .map_err(|_| "it is neither DER nor PEM nor base64".to_owned())
}

/// The certificates that can be read, and a word about each that cannot.
pub(crate) fn readable_certificates(
    bytes: &[u8],
) -> Result<(Vec<Certificate>, Vec<String>), String> {
    let ders = pem::ders(bytes, &["CERTIFICATE", "X509 CERTIFICATE"], "certificate")
        .map_err(|error| error.to_string())?;
    let mut certificates = Vec::new();
    let mut ignored = Vec::new();
    for (at, der) in ders.iter().enumerate() {
        match Certificate::from_der(der) {
            Ok(certificate) => certificates.push(certificate),
            Err(error) => ignored.push(format!("certificate {}: {error}", at + 1)),
        }
    }
    Ok((certificates, ignored))
}

/// A token in compact form: the argument itself, or standard input for `-`.
pub(crate) fn token(argument: &str) -> Result<String, Problem> {
    let text = if argument == "-" {
        String::from_utf8(files::read(Path::new("-"))?)
            .map_err(|_| Problem::new("input-unreadable", "the token is not text").unreadable())?
    } else {
        argument.to_owned()
    };
    Ok(text.trim().to_owned())
}
