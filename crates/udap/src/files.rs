//! Files that the command line names.

use crate::problem::Problem;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use udap_pki::{Anchor, Certificate, pem};
use udap_trust::fetch::TlsRoots;
use udap_trust::signer::KeySigner;
use zeroize::Zeroizing;

/// The most that is read of any file or of standard input.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The bytes of a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| unusable(path, format!("cannot be read: {error}"));
    let mut bytes = Vec::new();
    let source: &mut dyn std::io::Read = if path == Path::new("-") {
        &mut std::io::stdin().lock()
    } else {
        &mut std::fs::File::open(path).map_err(failed)?
    };
    source
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unusable(path, "is larger than is read (64 MiB)".into()));
    }
    Ok(bytes)
}

/// Every certificate of a PEM bundle, or the one of a DER file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>, Problem> {
    pem::certificates(&read(path)?)
        .map_err(|error| unusable(path, format!("does not hold certificates: {error}")))
}

/// The same as trust anchors.
pub(crate) fn anchors(path: &Path) -> Result<Vec<Anchor>, Problem> {
    Ok(certificates(path)?.into_iter().map(Anchor::new).collect())
}

/// A private key.
pub(crate) fn signer(path: &Path) -> Result<KeySigner, Problem> {
    let pem = Zeroizing::new(read(path)?);
    KeySigner::from_pem(&pem).map_err(|error| {
        Problem::new(error.code(), format!("{}: {error}", path.display())).unreadable()
    })
}

/// An access token, alone in a file: no blank belongs to it.
pub(crate) fn token(path: &Path) -> Result<Zeroizing<String>, Problem> {
    let bytes = Zeroizing::new(read(path)?);
    let text = std::str::from_utf8(&bytes)
        .map(str::trim)
        .unwrap_or_default();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable(path, "does not hold one access token".to_owned()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// TLS roots of a file.
pub(crate) fn tls_roots(path: &Path) -> Result<TlsRoots, Problem> {
    let roots = certificates(path)?;
    let roots = roots.iter().map(|root| root.der().to_vec().into());
    Ok(TlsRoots::These(roots.collect()))
}

/// Whether others may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Mode 0644.
    Public,
    /// Mode 0600.
    Private,
}

/// Writes a file that is not there yet.
pub(crate) fn create(path: &Path, bytes: &[u8], privacy: Privacy) -> Result<(), Problem> {
    let mode = match privacy {
        Privacy::Public => 0o644,
        Privacy::Private => 0o600,
    };
    let mut options = OpenOptions::new();
    let write = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    write.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => unusable(path, "is there already".into())
            .hint("name another file; nothing is overwritten"),
        _ => unusable(path, format!("cannot be written: {error}")),
    })
}

/// A file that is not what it should be: exit code 2.
pub(crate) fn unusable(path: &Path, why: String) -> Problem {
    let name = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    Problem::new("file-unusable", format!("{name} {why}")).unreadable()
}
