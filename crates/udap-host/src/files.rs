//! Files with secrets in them.

use std::{
    io::Read,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Reads a private key file that only its owner may read and write.
///
/// The mode is asked of the open file, so that nobody can swap it in between.
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let unreadable = |error| unreadable(path, &error);
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & OTHERS_ACCESS != 0 {
        return Err(FileError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    file.by_ref()
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Makes a directory that only its owner may enter, or finds that it is one. One that others may enter is
/// refused and not mended: it may be somebody else's, such as /tmp or /var/lib.
pub fn private_directory(path: &Path) -> Result<(), FileError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| unreadable(path, &error))?;
    require_private_directory(path)
}

/// Whether a directory that is there is one that only its owner may enter.
pub fn require_private_directory(path: &Path) -> Result<(), FileError> {
    let mode = std::fs::metadata(path)
        .map_err(|error| unreadable(path, &error))?
        .permissions()
        .mode()
        & 0o7777;
    if mode & OTHERS != 0 {
        return Err(FileError::Directory {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> FileError {
    FileError::Unreadable {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

/// Why a private file is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}: {detail}", path.display())]
    Unreadable { path: PathBuf, detail: String },
    #[error("{} has mode {mode:04o}: other users can read or write it", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("the directory {} has mode {mode:04o}: other users can enter it", path.display())]
    Directory { path: PathBuf, mode: u32 },
}

impl FileError {
    /// The stable name of the refusal; see [`crate::CATALOGUE`].
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "config-unreadable",
            Self::Exposed { .. } => "config-key-exposed",
            Self::Directory { .. } => "state-directory-exposed",
        }
    }
}

/// Anything for group or for everybody.
const OTHERS: u32 = 0o077;

/// Read or written by group or by everybody.
const OTHERS_ACCESS: u32 = 0o066;

/// A key file is below 16 KiB (RSA-8192 in PEM is 6.3 KiB); more is another file.
const MAX_BYTES: u64 = ROOM as u64 - 32;
const ROOM: usize = 64 * 1024;
