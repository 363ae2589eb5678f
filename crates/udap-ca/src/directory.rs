use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use udap_host::files::require_private_directory;

use crate::CaError;

/// The directory that holds everything of one CA: keys, database, certificates for copying.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory, made with mode 0700 if it is missing. One that others may enter is refused: who can
    /// write there can put keys and rows of their own in the place of those that are there.
    pub(crate) fn make(path: &Path) -> Result<Self, CaError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| CaError::io(path, "made", &error))?;
        require_private_directory(path)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// The directory of a CA that was made before.
    pub(crate) fn existing(path: &Path) -> Result<Self, CaError> {
        let directory = Self {
            path: path.to_owned(),
        };
        match directory.database().try_exists() {
            Ok(true) => {
                require_private_directory(path)?;
                Ok(directory)
            }
            Ok(false) => Err(CaError::NotInitialised {
                path: path.to_owned(),
            }),
            Err(error) => Err(CaError::io(path, "read", &error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.file("ca.db")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Held by the one process that makes a CA here; the system releases it when the process ends,
    /// however it ends.
    pub(crate) fn lock(&self) -> Result<File, CaError> {
        let path = self.file("init.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|error| CaError::io(&path, "written", &error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(CaError::Locked {
                path: self.path.clone(),
            }),
            Err(TryLockError::Error(error)) => Err(CaError::io(&path, "written", &error)),
        }
    }

    /// Removes half-written keys of processes that were killed. Keys are written under the lock
    /// only, so nobody is still writing them.
    pub(crate) fn remove_leftovers(&self) -> Result<(), CaError> {
        let entries =
            fs::read_dir(&self.path).map_err(|error| CaError::io(&self.path, "read", &error))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.contains(".key.") && name.ends_with(TEMPORARY) {
                fs::remove_file(&path).map_err(|error| CaError::io(&path, "written", &error))?;
            }
        }
        Ok(())
    }

    /// Writes a file so that a reader, or a kill at any moment, sees all of it or nothing: a
    /// temporary file, its contents and then its name made durable.
    pub(crate) fn write(&self, name: &str, contents: &[u8], mode: u32) -> Result<(), CaError> {
        let path = self.file(name);
        let temporary = self.file(&format!("{name}.{}{TEMPORARY}", std::process::id()));
        let write = || {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(mode)
                .open(&temporary)?;
            file.write_all(contents)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error| {
            // The temporary file may hold half a key; the error that matters is the first one.
            drop(fs::remove_file(&temporary));
            CaError::io(&path, "written", &error)
        })
    }
}

/// The end of the name of a file that is not complete yet.
const TEMPORARY: &str = ".new";
