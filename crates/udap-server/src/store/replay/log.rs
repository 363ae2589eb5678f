//! The log's files, and the thread that writes them.

use super::{Batch, KEEP_SECS, MARK, Memory, RECORD, counts_until, decode, encode, lock_memory};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};

/// By how many bytes a log file grows: room for some 2,700 records.
const RESERVE: usize = 64 * 1024;
/// How many records a log file takes before the next one is begun.
const FILE_RECORDS: u64 = 1_000_000;
/// How long a start waits for another process to let go of the log.
const LOCK_PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// Takes the lock of the log, which the system takes back when the process ends, however it ends. A
/// process that is just ending is waited for.
pub(super) fn lock(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let begun = std::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(std::io::Error::other("another process uses it"));
            }
        }
    }
}

/// The log's files.
pub(super) struct Files {
    directory: PathBuf,
    next: u64,
    pub(super) closed: Vec<Closed>,
}

/// A file that is not written any more, and until when some record of it counts.
pub(super) struct Closed {
    pub(super) path: PathBuf,
    pub(super) until: i64,
}

impl Files {
    pub(super) fn list(directory: &Path) -> std::io::Result<Self> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if let Some(number) = name
                .strip_suffix(".log")
                .and_then(|n| n.parse::<u64>().ok())
            {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        let next = numbers.last().map_or(1, |n| n + 1);
        let path = |n: &u64| directory.join(format!("{n:010}.log"));
        let closed = numbers
            .iter()
            .map(|n| Closed {
                path: path(n),
                until: 0,
            })
            .collect();
        Ok(Self {
            directory: directory.to_owned(),
            next,
            closed,
        })
    }

    pub(super) fn begin(&mut self) -> std::io::Result<Open> {
        let path = self.directory.join(format!("{:010}.log", self.next));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        // The name must be on the disk too.
        File::open(&self.directory)?.sync_all()?;
        self.next += 1;
        Ok(Open {
            file,
            path,
            records: 0,
            reserved: 0,
            until: 0,
            torn: false,
        })
    }

    pub(super) fn delete_lapsed(&mut self, now: i64) {
        self.closed.retain(|closed| {
            closed.until.saturating_add(KEEP_SECS) > now
                || std::fs::remove_file(&closed.path).is_err()
        });
    }
}

pub(super) struct Open {
    file: File,
    path: PathBuf,
    records: u64,
    /// How far the file reaches, in bytes: zeros after the records.
    reserved: u64,
    until: i64,
    /// A write failed half way; what follows must go to another file.
    torn: bool,
}

impl Open {
    /// Writes records after the others and forces them to the disk.
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let at = self.records * RECORD as u64;
        while at + bytes.len() as u64 > self.reserved {
            // Where a file grows, its new length must be forced to the disk as well, which costs
            // twice the record itself: so rarely, and by much. A record of zeros has lapsed.
            self.file.write_all_at(&[0; RESERVE], self.reserved)?;
            self.file.sync_all()?;
            self.reserved += RESERVE as u64;
        }
        self.file.write_all_at(bytes, at)?;
        self.file.sync_data()?;
        self.records += (bytes.len() / RECORD) as u64;
        Ok(())
    }
}

/// Takes what has gathered, writes it, forces it to the disk, and tells everybody. While the disk
/// works, the next records gather. Where there is much to do the mark goes with them.
pub(super) fn write_log(
    mut open: Open,
    mut files: Files,
    memory: &Mutex<Memory>,
    batches: &mpsc::Receiver<Batch>,
) {
    let mut bytes = Vec::new();
    let mut waiting = Vec::new();
    while let Ok(first) = batches.recv() {
        bytes.clear();
        waiting.clear();
        // Looked at before the batches: once the last one is written, no mark follows.
        let mark = lock_memory(memory).next_mark(first.now);
        if let Some(mark) = mark {
            open.until = open.until.max(counts_until(MARK, mark));
            bytes.extend_from_slice(&encode(MARK, mark));
        }
        for batch in std::iter::once(first).chain(batches.try_iter().take(256)) {
            for record in &batch.records {
                let until = decode(record).map_or(0, |(key, until)| counts_until(key, until));
                open.until = open.until.max(until);
                bytes.extend_from_slice(record);
            }
            waiting.push(batch.done);
        }
        if open.torn || open.records >= FILE_RECORDS {
            match files.begin() {
                Ok(next) => {
                    let until = open.until;
                    let last = std::mem::replace(&mut open, next);
                    open.until = until;
                    files.closed.push(Closed {
                        path: last.path,
                        until,
                    });
                    files.delete_lapsed(udap_trust::clock::now().0);
                }
                Err(error) => tracing::error!(%error, "no new replay log"),
            }
        }
        let written = !open.torn
            && match open.append(&bytes) {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(%error, "the replay log could not be written; requests are refused");
                    open.torn = true;
                    false
                }
            };
        if let Some(mark) = mark.filter(|_| written) {
            let mut memory = lock_memory(memory);
            if !memory.closed {
                memory.mark = mark;
            }
        }
        for done in waiting.drain(..) {
            let _ = done.send(written);
        }
    }
}
