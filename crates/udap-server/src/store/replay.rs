//! Which JWTs were seen: in memory until they expire, and durably before anybody is answered: by a
//! record of their own in a log, many forced to the disk at once; or, on a busy server, by the
//! log's *mark*, a time up to which every `iat` counts as seen after a crash.
//!
//! A record is 24 bytes: 16 of the SHA-256 over community, `iss` and `jti`, and 8 of the time until
//! which it counts. A log file holds the records of one run, at most a million, and zeros after them;
//! files whose records all have lapsed are deleted. After a crash the last record may be torn; nobody
//! was answered for it.

use crate::app::StartError;
use aws_lc_rs::digest;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thread_local::ThreadLocal;
use tokio::sync::oneshot;
use udap_pki::UnixTime;
use udap_proto::claims::SKEW_SECS;

const RECORD: usize = 24;
/// How many seconds of expiry share a bucket in memory, which is dropped as a whole.
const BUCKET_SECS: i64 = 64;
/// By how many bytes a log file grows: room for some 2,700 records.
const RESERVE: usize = 64 * 1024;
/// How many records a log file takes before the next one is begun.
const FILE_RECORDS: u64 = 1_000_000;

/// From how many JWTs a second on the mark is used. Below it each has a record of its own, and a crash
/// refuses nobody who was not refused before.
const BUSY: u32 = 100;
/// How far ahead of the clock the mark is set, in seconds: so long a busy server needs no record, and
/// so long after a crash it may refuse JWTs that nobody has seen.
const AHEAD_SECS: i64 = 1;
/// The longest lifetime of a JWT that the mark may stand for, in seconds: longer than any that is
/// accepted today, so that a log file whose mark no longer matters is known.
const MARKED_SECS: i64 = 600;
/// The key of a record that is the log's mark. No SHA-256 is known that begins so.
const MARK: Key = [0xff; 16];

/// How much longer than they count records are kept, in seconds: a request is judged by the time at
/// which it arrived, and may have waited for a CRL since; and clocks are set back now and then.
const KEEP_SECS: i64 = 120;
/// How long a start waits for another process to let go of the log.
const LOCK_PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

type Key = [u8; 16];

/// Whether a JWT was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    New,
    Before,
    /// Signed before the server ended without warning: it may have been used, which nobody knows.
    Unknown,
}

/// What of a JWT tells it from others, and when it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Once<'a> {
    /// Where its issuer is known.
    pub(crate) community: &'a str,
    pub(crate) iss: &'a str,
    pub(crate) jti: &'a str,
    /// As signed by its sender. Without it a JWT always has a record of its own.
    pub(crate) iat: Option<UnixTime>,
    pub(crate) exp: UnixTime,
}

/// The record could not be made durable; the request must not be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDurable;

#[derive(Debug)]
pub(crate) struct Replay {
    memory: Arc<Mutex<Memory>>,
    /// What each worker has taken on and not yet handed to the log's writer.
    taken: ThreadLocal<Arc<Taken>>,
    log: mpsc::Sender<Batch>,
    /// Held as long as this lives. Two processes with one log would not know of each other's JWTs.
    _lock: File,
}

/// The records of a worker's requests that were there at the same time, and who waits for them.
type Taken = Mutex<Vec<([u8; RECORD], oneshot::Sender<bool>)>>;

struct Batch {
    records: Vec<[u8; RECORD]>,
    /// When the first of them came.
    now: UnixTime,
    done: oneshot::Sender<bool>,
}

/// What the requests and the log's writer both look at.
#[derive(Debug)]
struct Memory {
    seen: Buckets,
    /// Every `iat` up to here is in the log already, by its mark.
    mark: i64,
    /// The mark of a run that crashed: what it accepted up to here is not known.
    unknown: i64,
    /// How many came in a second, and in the one before.
    second: i64,
    count: u32,
    before: u32,
    /// The last records are being written; no mark may follow.
    closed: bool,
}

impl Replay {
    /// Opens the log directory, reads what still counts, and starts the log's writer.
    pub(crate) fn open(directory: &Path, now: UnixTime) -> Result<Self, StartError> {
        let unusable = |path: &Path, e: &std::io::Error| StartError::Unusable {
            path: path.to_owned(),
            code: "replay-log-unusable",
            detail: e.to_string(),
        };
        if !directory.exists() {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(directory)
                .map_err(|e| unusable(directory, &e))?;
        }
        let lock = lock(&directory.join("lock")).map_err(|e| unusable(directory, &e))?;
        let mut memory = Memory::new();
        let mut files = Files::list(directory).map_err(|e| unusable(directory, &e))?;
        for file in &mut files.closed {
            let bytes = std::fs::read(&file.path).map_err(|e| unusable(&file.path, &e))?;
            for record in bytes.chunks_exact(RECORD) {
                if let Some((key, until)) = decode(record) {
                    file.until = file.until.max(counts_until(key, until));
                    if key == MARK {
                        memory.unknown = until;
                    } else if now.0 < until.saturating_add(KEEP_SECS) {
                        memory.seen.insert(key, until, now);
                    }
                }
            }
        }
        if memory.unknown >= now.0 {
            tracing::warn!(
                until = memory.unknown,
                "the server ended without warning; JWTs signed before that are refused"
            );
        }
        files.delete_lapsed(now.0);
        let first = files.begin().map_err(|e| unusable(directory, &e))?;
        let memory = Arc::new(Mutex::new(memory));
        let (log, batches) = mpsc::channel();
        let shared = Arc::clone(&memory);
        std::thread::Builder::new()
            .name("udap-replay".to_owned())
            .spawn(move || write_log(first, files, &shared, &batches))
            .map_err(|e| unusable(directory, &e))?;
        Ok(Self {
            memory,
            taken: ThreadLocal::new(),
            log,
            _lock: lock,
        })
    }

    /// Says whether a JWT is new, and remembers it. Returns when that is on the disk.
    ///
    /// Two requests with one JWT at the same time: exactly one of them is told that it is new.
    pub(crate) async fn record(&self, jwt: Once<'_>, now: UnixTime) -> Result<Seen, NotDurable> {
        let key = key(jwt.community, jwt.iss, jwt.jti);
        let until = jwt.exp.0.saturating_add(SKEW_SECS);
        {
            let mut memory = lock_memory(&self.memory);
            let marked = jwt.iat.map(|iat| iat.0);
            let marked = marked.filter(|iat| until.saturating_sub(*iat) <= MARKED_SECS);
            if marked.is_some_and(|iat| iat <= memory.unknown) {
                return Ok(Seen::Unknown);
            }
            if memory.seen.insert(key, until, now) == Seen::Before {
                return Ok(Seen::Before);
            }
            memory.count(now);
            if marked.is_some_and(|iat| iat <= memory.mark) {
                return Ok(Seen::New);
            }
        }
        let (done, wait) = oneshot::channel();
        let taken = self.taken.get_or_default();
        let first = {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.push((encode(key, until), done));
            taken.len() == 1
        };
        if first {
            // A task of its own: a client that hangs up must not take the others' records with it.
            tokio::spawn(hand_over(
                Handover(Some(Arc::clone(taken))),
                self.log.clone(),
                now,
            ));
        }
        match wait.await {
            Ok(true) => Ok(Seen::New),
            _ => Err(NotDurable),
        }
    }

    /// Writes a record for each JWT that only the mark stands for, and takes the mark back: the next
    /// start then refuses nobody. To be called when the last request was answered.
    pub(crate) async fn close(&self, now: UnixTime) -> Result<(), NotDurable> {
        let (records, unknown) = {
            let mut memory = lock_memory(&self.memory);
            memory.closed = true;
            if memory.mark == i64::MIN {
                return Ok(());
            }
            memory.mark = i64::MIN;
            let all = memory.seen.0.values().flatten();
            let all = all.filter(|(_, until)| now.0 < until.saturating_add(KEEP_SECS));
            let all = all.map(|(key, until)| encode(*key, *until)).collect();
            (all, memory.unknown)
        };
        self.append(records, now).await?;
        // Only when they are on the disk. The mark of a crash goes on counting until it has passed.
        self.append(vec![encode(MARK, unknown)], now).await
    }

    async fn append(&self, records: Vec<[u8; RECORD]>, now: UnixTime) -> Result<(), NotDurable> {
        let (done, wait) = oneshot::channel();
        let sent = self.log.send(Batch { records, now, done });
        match (sent, wait.await) {
            (Ok(()), Ok(true)) => Ok(()),
            _ => Err(NotDurable),
        }
    }
}

impl Memory {
    fn new() -> Self {
        Self {
            seen: Buckets::default(),
            mark: i64::MIN,
            unknown: i64::MIN,
            second: i64::MIN,
            count: 0,
            before: 0,
            closed: false,
        }
    }

    fn count(&mut self, now: UnixTime) {
        if now.0 > self.second {
            self.before = if now.0 == self.second.saturating_add(1) {
                self.count
            } else {
                0
            };
            (self.second, self.count) = (now.0, 0);
        }
        self.count = self.count.saturating_add(1);
    }

    /// Where the mark is to be set now, if there is so much to do that it is worth it.
    fn next_mark(&self, now: UnixTime) -> Option<i64> {
        let mark = now.0.saturating_add(AHEAD_SECS);
        let busy = self.count.max(self.before) >= BUSY;
        (busy && !self.closed && mark > self.mark).then_some(mark)
    }
}

fn lock_memory(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until when a record matters.
fn counts_until(key: Key, until: i64) -> i64 {
    if key == MARK {
        until.saturating_add(MARKED_SECS)
    } else {
        until
    }
}

/// Hands a worker's records to the writer in one go and wakes those who wait for them, so that a
/// request costs a fraction of the two wake-ups between threads that it needs.
async fn hand_over(taken: Handover, log: mpsc::Sender<Batch>, now: UnixTime) {
    // Requests that are ready on this worker by now join.
    tokio::task::yield_now().await;
    let (records, waiting): (Vec<_>, Vec<_>) = taken.take().into_iter().unzip();
    let (done, wait) = oneshot::channel();
    let written = log.send(Batch { records, now, done }).is_ok() && wait.await == Ok(true);
    for waiting in waiting {
        let _ = waiting.send(written);
    }
}

/// What is to be handed over. If that does not happen, since the worker ends, nothing stays behind
/// that the next one would wait for.
struct Handover(Option<Arc<Taken>>);

impl Handover {
    fn take(mut self) -> Vec<([u8; RECORD], oneshot::Sender<bool>)> {
        self.0.take().map_or_else(Vec::new, |taken| empty(&taken))
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(taken) = &self.0 {
            empty(taken);
        }
    }
}

fn empty(taken: &Taken) -> Vec<([u8; RECORD], oneshot::Sender<bool>)> {
    std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Seen keys by the time at which they lapse.
#[derive(Debug, Default)]
struct Buckets(BTreeMap<i64, HashMap<Key, i64, foldhash::quality::RandomState>>);

impl Buckets {
    fn insert(&mut self, key: Key, until: i64, now: UnixTime) -> Seen {
        while let Some(oldest) = self.0.first_entry() {
            let end = oldest.key().saturating_add(1).saturating_mul(BUCKET_SECS);
            if end.saturating_add(KEEP_SECS) > now.0 {
                break;
            }
            oldest.remove();
        }
        // The same JWT under another `exp` would be another JWT, with the same `jti`: it counts as
        // seen while the first one lives. Not longer: the guide demands that it then be accepted.
        if self
            .0
            .values()
            .filter_map(|bucket| bucket.get(&key))
            .any(|known| now.0 < *known)
        {
            return Seen::Before;
        }
        self.0
            .entry(until.div_euclid(BUCKET_SECS))
            .or_default()
            .insert(key, until);
        Seen::New
    }
}

/// Takes the lock of the log, which the system takes back when the process ends, however it ends. A
/// process that is just ending is waited for.
fn lock(path: &Path) -> std::io::Result<File> {
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

fn key(community: &str, iss: &str, jti: &str) -> Key {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [community, iss, jti] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut key = Key::default();
    key.copy_from_slice(context.finish().as_ref().get(..16).unwrap_or(&[0; 16]));
    key
}

fn encode(key: Key, until: i64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let (left, right) = record.split_at_mut(16);
    left.copy_from_slice(&key);
    right.copy_from_slice(&until.to_be_bytes());
    record
}

fn decode(record: &[u8]) -> Option<(Key, i64)> {
    let (key, until) = record.split_at_checked(16)?;
    Some((
        key.try_into().ok()?,
        i64::from_be_bytes(until.try_into().ok()?),
    ))
}

/// The log's files.
struct Files {
    directory: PathBuf,
    next: u64,
    closed: Vec<Closed>,
}

/// A file that is not written any more, and until when some record of it counts.
struct Closed {
    path: PathBuf,
    until: i64,
}

impl Files {
    fn list(directory: &Path) -> std::io::Result<Self> {
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

    fn begin(&mut self) -> std::io::Result<Open> {
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

    fn delete_lapsed(&mut self, now: i64) {
        self.closed.retain(|closed| {
            closed.until.saturating_add(KEEP_SECS) > now
                || std::fs::remove_file(&closed.path).is_err()
        });
    }
}

struct Open {
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
fn write_log(
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::io::Write as _;

    const NOW: UnixTime = UnixTime(1_000_000);

    /// A JWT signed at `now` and shown at once.
    async fn record(
        replay: &Replay,
        [community, iss, jti]: [&str; 3],
        exp: UnixTime,
        now: UnixTime,
    ) -> Result<Seen, NotDurable> {
        let iat = Some(now);
        let jwt = Once {
            community,
            iss,
            jti,
            iat,
            exp,
        };
        replay.record(jwt, now).await
    }

    #[tokio::test]
    async fn a_jti_counts_once_per_community_and_issuer_until_it_lapses() {
        let directory = tempfile::tempdir().unwrap();
        let replay = Replay::open(&directory.path().join("replay"), NOW).unwrap();
        let exp = NOW.plus_secs(300);
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::New)
        );
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::Before)
        );
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp.plus_secs(9), NOW).await,
            Ok(Seen::Before)
        );
        assert_eq!(
            record(&replay, ["d", "a", "1"], exp, NOW).await,
            Ok(Seen::New)
        );
        assert_eq!(
            record(&replay, ["c", "b", "1"], exp, NOW).await,
            Ok(Seen::New)
        );
        assert_eq!(
            record(&replay, ["c", "a", "2"], exp, NOW).await,
            Ok(Seen::New)
        );
        let last = exp.plus_secs(SKEW_SECS - 1);
        assert_eq!(
            record(&replay, ["c", "a", "1"], last.plus_secs(300), last).await,
            Ok(Seen::Before)
        );
        let after = exp.plus_secs(SKEW_SECS);
        assert_eq!(
            record(&replay, ["c", "a", "1"], after.plus_secs(300), after).await,
            Ok(Seen::New)
        );
    }

    #[tokio::test]
    async fn what_was_seen_survives_a_restart_and_a_torn_record() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("replay");
        let exp = NOW.plus_secs(300);
        for round in 0..3 {
            let replay = Replay::open(&path, NOW).unwrap();
            for earlier in 0..round {
                assert_eq!(
                    record(&replay, ["c", "a", &format!("{earlier}")], exp, NOW).await,
                    Ok(Seen::Before)
                );
            }
            assert_eq!(
                record(&replay, ["c", "a", &format!("{round}")], exp, NOW).await,
                Ok(Seen::New)
            );
            drop(replay);
            let mut files: Vec<_> = std::fs::read_dir(&path)
                .unwrap()
                .map(|e| e.unwrap().path())
                .collect();
            files.sort();
            let mut last = OpenOptions::new()
                .append(true)
                .open(files.last().unwrap())
                .unwrap();
            last.write_all(b"torn").unwrap();
        }
        let later = Replay::open(&path, exp.plus_secs(SKEW_SECS)).unwrap();
        let lapsed = exp.plus_secs(SKEW_SECS);
        assert_eq!(
            record(&later, ["c", "a", "0"], exp.plus_secs(600), lapsed).await,
            Ok(Seen::New)
        );
    }

    #[tokio::test]
    async fn of_a_hundred_at_once_one_is_new() {
        let directory = tempfile::tempdir().unwrap();
        let replay = Replay::open(&directory.path().join("replay"), NOW).unwrap();
        let all = futures_util::future::join_all(
            (0..100).map(|_| record(&replay, ["c", "a", "1"], NOW.plus_secs(60), NOW)),
        )
        .await;
        assert_eq!(all.iter().filter(|seen| **seen == Ok(Seen::New)).count(), 1);
    }

    /// A request that waited for a CRL is judged by the time at which it came, although others that
    /// came later were faster.
    #[tokio::test]
    async fn a_record_outlives_requests_that_take_their_time() {
        let directory = tempfile::tempdir().unwrap();
        let replay = Replay::open(&directory.path().join("replay"), NOW).unwrap();
        let exp = NOW.plus_secs(60);
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::New)
        );
        let came = exp.plus_secs(SKEW_SECS - 1);
        let meanwhile = came.plus_secs(BUCKET_SECS + 3);
        let other = record(&replay, ["c", "b", "2"], meanwhile.plus_secs(60), meanwhile).await;
        assert_eq!(other, Ok(Seen::New));
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, came).await,
            Ok(Seen::Before)
        );
    }

    #[tokio::test]
    async fn files_whose_records_lapsed_are_deleted_at_a_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("replay");
        let logs = || {
            let files = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path());
            files.filter(|f| f.extension().is_some()).count()
        };
        for _ in 0..5 {
            let replay = Replay::open(&path, NOW).unwrap();
            let exp = NOW.plus_secs(60);
            let _ = record(&replay, ["c", "a", "1"], exp, NOW).await;
        }
        // One with the record, one that is open; those without any were deleted.
        assert_eq!(logs(), 2);
        let _ = Replay::open(&path, NOW.plus_secs(3600)).unwrap();
        assert_eq!(logs(), 1);
    }

    /// As many as it takes for the mark to be used.
    async fn be_busy(replay: &Replay) {
        be_busy_at(replay, NOW).await;
    }

    async fn be_busy_at(replay: &Replay, now: UnixTime) {
        for number in 0..=BUSY {
            let jti = format!("busy-{number}-{}", now.0);
            let seen = record(replay, ["c", "a", &jti], now.plus_secs(300), now).await;
            assert_eq!(seen, Ok(Seen::New));
        }
    }

    fn bytes(path: &Path) -> Vec<u8> {
        let files = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
        files
            .flat_map(|file| std::fs::read(file).unwrap())
            .collect()
    }

    fn logged(path: &Path, jti: &str) -> bool {
        let key = key("c", "a", jti);
        bytes(path).chunks(RECORD).any(|r| r.starts_with(&key))
    }

    #[tokio::test]
    async fn on_a_busy_server_the_mark_stands_for_records_and_after_a_crash_for_all_it_may_have_seen()
     {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("replay");
        let exp = NOW.plus_secs(300);
        let replay = Replay::open(&path, NOW).unwrap();
        be_busy(&replay).await;
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::New)
        );
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::Before)
        );
        assert!(logged(&path, "busy-0-1000000"));
        assert!(!logged(&path, "1"));
        // Signed by a clock that is ahead: not covered, so it has a record of its own.
        let ahead = NOW.plus_secs(AHEAD_SECS + 1);
        let jwt = |jti, iat| Once {
            community: "c",
            iss: "a",
            jti,
            iat,
            exp,
        };
        assert_eq!(
            replay.record(jwt("2", Some(ahead)), NOW).await,
            Ok(Seen::New)
        );
        assert!(logged(&path, "2"));
        // Neither is one without a time, nor one that lives for longer than a mark is kept.
        assert_eq!(replay.record(jwt("3", None), NOW).await, Ok(Seen::New));
        assert!(logged(&path, "3"));
        let old = UnixTime(exp.0 - MARKED_SECS);
        assert_eq!(replay.record(jwt("4", Some(old)), NOW).await, Ok(Seen::New));
        assert!(logged(&path, "4"));

        // Without a word it ends.
        drop(replay);
        let replay = Replay::open(&path, NOW).unwrap();
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::Unknown)
        );
        assert_eq!(
            record(&replay, ["c", "a", "never"], exp, NOW).await,
            Ok(Seen::Unknown)
        );
        let before = |seen| assert_eq!(seen, Ok(Seen::Before));
        before(replay.record(jwt("2", Some(ahead)), NOW).await);
        before(replay.record(jwt("3", None), NOW).await);
        before(replay.record(jwt("4", Some(old)), NOW).await);
        assert_eq!(
            record(&replay, ["c", "a", "5"], exp, ahead).await,
            Ok(Seen::New)
        );
        // Ending well does not take back the mark of the crash.
        be_busy_at(&replay, ahead).await;
        replay.close(ahead).await.unwrap();
        drop(replay);
        let replay = Replay::open(&path, ahead).unwrap();
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::Unknown)
        );
        assert_eq!(
            record(&replay, ["c", "a", "5"], exp, ahead).await,
            Ok(Seen::Before)
        );
        assert_eq!(
            record(&replay, ["c", "a", "6"], exp, ahead).await,
            Ok(Seen::New)
        );
    }

    #[tokio::test]
    async fn a_busy_server_that_ends_well_refuses_nobody_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("replay");
        let exp = NOW.plus_secs(300);
        let replay = Replay::open(&path, NOW).unwrap();
        be_busy(&replay).await;
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::New)
        );
        replay.close(NOW).await.unwrap();
        // What comes while it ends has a record of its own.
        assert_eq!(
            record(&replay, ["c", "a", "2"], exp, NOW).await,
            Ok(Seen::New)
        );
        drop(replay);
        let replay = Replay::open(&path, NOW).unwrap();
        for jti in ["busy-0-1000000", "1", "2"] {
            assert_eq!(
                record(&replay, ["c", "a", jti], exp, NOW).await,
                Ok(Seen::Before)
            );
        }
        assert_eq!(
            record(&replay, ["c", "a", "3"], exp, NOW).await,
            Ok(Seen::New)
        );
    }

    #[tokio::test]
    async fn a_server_that_is_not_busy_crashes_and_refuses_nobody_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("replay");
        let exp = NOW.plus_secs(300);
        let replay = Replay::open(&path, NOW).unwrap();
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::New)
        );
        drop(replay);
        let replay = Replay::open(&path, NOW).unwrap();
        assert_eq!(
            record(&replay, ["c", "a", "1"], exp, NOW).await,
            Ok(Seen::Before)
        );
        assert_eq!(
            record(&replay, ["c", "a", "2"], exp, NOW).await,
            Ok(Seen::New)
        );
    }

    /// A file is kept as long as its mark matters, which is longer than its records do.
    #[tokio::test]
    async fn a_mark_is_not_deleted_while_a_jwt_that_it_stands_for_lives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("replay");
        let replay = Replay::open(&path, NOW).unwrap();
        for number in 0..=BUSY {
            let jti = format!("{number}");
            let _ = record(&replay, ["c", "a", &jti], NOW.plus_secs(1), NOW).await;
        }
        drop(replay);
        let later = NOW.plus_secs(MARKED_SECS - SKEW_SECS - 1);
        drop(Replay::open(&path, later).unwrap());
        let replay = Replay::open(&path, later).unwrap();
        let jwt = Once {
            community: "c",
            iss: "a",
            jti: "x",
            iat: Some(NOW),
            exp: later,
        };
        assert_eq!(replay.record(jwt, later).await, Ok(Seen::Unknown));
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named() {
        let error = Replay::open(Path::new("/proc/no/such"), NOW).unwrap_err();
        assert_eq!(error.code(), "replay-log-unusable");
    }
}
