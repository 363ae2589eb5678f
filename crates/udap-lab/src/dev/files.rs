//! Files that are whole or not there, whenever the process is killed.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::error::DevError;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Owner,
    Everybody,
}

/// A directory that only its owner can look into; those above it are made too.
pub(crate) fn make_dir(path: &Path) -> Result<(), DevError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| DevError::io(path, "made", &error))
}

/// Held as long as the sandbox is in use; the system gives it back however the process ends.
pub(crate) fn lock(dir: &Path) -> Result<File, DevError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| DevError::io(&path, "written", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DevError::Locked {
            path: dir.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(DevError::io(&path, "locked", &error)),
    }
}

/// Writes a file under another name, forces it to the disk, and renames it. What is there already
/// and the same is left alone.
pub(crate) fn write(path: &Path, contents: &[u8], readers: Readers) -> Result<(), DevError> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    if is_as_wanted(path, contents, readers) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    make_dir(directory)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    let write = || {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(mode)
            .open(temporary)?;
        // One that a killed process left may have another mode.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error| {
        // What matters is the first error; the name is used again next time.
        let _ = fs::remove_file(temporary);
        DevError::io(path, "written", &error)
    })
}

fn is_as_wanted(path: &Path, contents: &[u8], readers: Readers) -> bool {
    let private =
        || fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0);
    fs::read(path).is_ok_and(|found| found == contents)
        && (readers == Readers::Everybody || private())
}
