//! Which JWTs were seen: in memory until they expire, and durably before anybody is answered: by a
//! record of their own in a log, many forced to the disk at once; or, on a busy server, by the
//! log's *mark*, a time up to which every `iat` counts as seen after a crash.
//!
//! A record is 24 bytes: 16 of the SHA-256 over community, `iss` and `jti`, and 8 of the time until
//! which it counts. A log file holds the records of one run, at most a million, and zeros after them;
//! files whose records all have lapsed are deleted. After a crash the last record may be torn; nobody
//! was answered for it.

mod log;
mod rows;

use self::log::{Files, lock, write_log};
use self::rows::Rows;
use crate::app::StartError;
use aws_lc_rs::digest;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thread_local::ThreadLocal;
use tokio::sync::oneshot;
use udap_host::db::Db;
use udap_pki::UnixTime;
use udap_proto::claims::SKEW_SECS;

const RECORD: usize = 24;
/// How many seconds of expiry share a bucket in memory, which is dropped as a whole.
const BUCKET_SECS: i64 = 64;

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

/// Where it is remembered which JWTs were seen.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a server has one, and a box would be a step more for each request"
)]
pub(crate) enum Replay {
    /// Here, for one process.
    Log(ReplayLog),
    /// In the database that the nodes share.
    Rows(Rows),
}

impl Replay {
    /// Rows where the database is shared, the log in the directory otherwise.
    pub(crate) fn open(db: &Db, directory: &Path, now: UnixTime) -> Result<Self, StartError> {
        match Rows::open(db) {
            Some(rows) => Ok(Self::Rows(rows)),
            None => ReplayLog::open(directory, now).map(Self::Log),
        }
    }

    /// Says whether a JWT is new, and remembers it. Returns when that is durable.
    pub(crate) async fn record(&self, jwt: Once<'_>, now: UnixTime) -> Result<Seen, NotDurable> {
        match self {
            Self::Log(log) => log.record(jwt, now).await,
            Self::Rows(rows) => rows.record(jwt, now).await,
        }
    }

    /// To be called when the last request was answered.
    pub(crate) async fn close(&self, now: UnixTime) -> Result<(), NotDurable> {
        match self {
            Self::Log(log) => log.close(now).await,
            Self::Rows(_) => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct ReplayLog {
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

impl ReplayLog {
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

#[cfg(test)]
mod tests;
