//! Files that the command line names.

use crate::problem::Problem;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use udap_pki::{Anchor, Certificate, pem};
use udap_trust::fetch::TlsRoots;
use udap_trust::random;
use udap_trust::signer::KeySigner;
use zeroize::Zeroizing;

/// The most that is read of any file or of standard input.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;

const LOOK_AT_PERMISSIONS: &str = "look at the path and its permissions";

/// The bytes of a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let failed = |error: io::Error| {
        unusable(path, format!("cannot be read: {error}")).hint(LOOK_AT_PERMISSIONS)
    };
    let mut bytes = Vec::new();
    let source: &mut dyn io::Read = if path == Path::new("-") {
        &mut io::stdin().lock()
    } else {
        &mut File::open(path).map_err(failed)?
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
    let bytes = read(path)?;
    pem::certificates(&bytes).map_err(|error| {
        let problem = unusable(path, format!("does not hold certificates: {error}"));
        match labels(&bytes).as_slice() {
            [label, others @ ..]
                if !others
                    .iter()
                    .chain([label])
                    .any(|l| l.contains("CERTIFICATE")) =>
            {
                problem.hint(format!("it holds {label}: name the certificate's file"))
            }
            _ => problem,
        }
    })
}

/// What a PEM file says that it holds, block by block.
fn labels(bytes: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let blocks = text.split("-----BEGIN ").skip(1);
    let labels = blocks.filter_map(|block| Some(block.split_once("-----")?.0));
    labels.filter(|label| !label.contains('\n')).collect()
}

/// The same as trust anchors.
pub(crate) fn anchors(path: &Path) -> Result<Vec<Anchor>, Problem> {
    Ok(certificates(path)?.into_iter().map(Anchor::new).collect())
}

/// A private key.
pub(crate) fn signer(path: &Path) -> Result<KeySigner, Problem> {
    let pem = Zeroizing::new(read(path)?);
    KeySigner::from_pem(&pem).map_err(|error| {
        let labels = labels(&pem);
        let encrypted = labels.contains(&"ENCRYPTED PRIVATE KEY")
            || std::str::from_utf8(&pem).is_ok_and(|text| text.contains("4,ENCRYPTED"));
        let problem = |said: &str| {
            Problem::new(error.code(), format!("{}: {said}", path.display())).unreadable()
        };
        if encrypted {
            return problem("the private key is encrypted, and is read only as it is").hint(
                format!(
                    "decrypt it: `openssl pkcs8 -topk8 -nocrypt -in {} -out new.key`",
                    path.display()
                ),
            );
        }
        match labels.as_slice() {
            [label, ..] if !labels.iter().any(|label| label.ends_with("PRIVATE KEY")) => {
                problem(&error.to_string())
                    .hint(format!("it holds {label}: name the private key's file"))
            }
            _ => problem(&error.to_string()),
        }
    })
}

/// An access token, alone in a file: no blank belongs to it.
pub(crate) fn token(path: &Path) -> Result<Zeroizing<String>, Problem> {
    let bytes = Zeroizing::new(read(path)?);
    let text = std::str::from_utf8(&bytes)
        .map(str::trim)
        .unwrap_or_default();
    // RFC 6750 §2.1; JSON that holds one is none.
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_part) {
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
    NewFile::open(path, privacy)?.finish(bytes)
}

/// A file that is not there yet. It gets its name once all of it is on the disk: whatever happens, there is
/// the whole file or none.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    directory: File,
}

impl NewFile {
    /// To be called before what goes into it is made, where that cannot be made again.
    pub(crate) fn open(path: &Path, privacy: Privacy) -> Result<Self, Problem> {
        if path.symlink_metadata().is_ok() {
            return Err(unwritable(path, &io::ErrorKind::AlreadyExists.into()));
        }
        let failed = |error| unwritable(path, &error);
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let temporary = directory.join(format!(".udap-{}", random::id()));
        let mode = match privacy {
            Privacy::Public => 0o644,
            Privacy::Private => 0o600,
        };
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(mode);
        Ok(Self {
            path: path.to_owned(),
            directory: File::open(directory).map_err(failed)?,
            file: options.open(&temporary).map_err(failed)?,
            temporary,
        })
    }

    /// Writes it.
    pub(crate) fn finish(mut self, bytes: &[u8]) -> Result<(), Problem> {
        let written = self
            .file
            .write_all(bytes)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| self.name());
        written.map_err(|error| unwritable(&self.path, &error))
    }

    /// Gives it its name, and replaces nothing.
    fn name(&self) -> io::Result<()> {
        let named = match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // There are file systems without hard links, which say so in many ways; a rename replaces only
            // what was made for it.
            Err(_) => {
                File::create_new(&self.path)?;
                fs::rename(&self.temporary, &self.path)
            }
        };
        named
            .and_then(|()| self.directory.sync_all())
            // It is ours; an error says that it is not there.
            .inspect_err(|_| drop(fs::remove_file(&self.path)))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone where it was renamed. One that cannot be removed is no worse than the error before.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::AlreadyExists => unusable(path, "is there already".into())
            .hint("name another with `--out`; nothing is overwritten"),
        _ => unusable(path, format!("cannot be written: {error}")).hint(LOOK_AT_PERMISSIONS),
    }
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
