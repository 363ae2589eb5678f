//! The load: some connections that are kept alive, each with one request under way at a time.

use std::{
    fs,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

use super::{BenchError, report::note};
use crate::wire::{Address, Wire};

/// What to send, and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) address: Address,
    pub(super) connections: usize,
    pub(super) duration: Duration,
    /// The next request, numbered from 0 over all connections; `None` when there are no more.
    pub(super) next: Arc<dyn Fn(u64) -> Option<Request<Full<Bytes>>> + Send + Sync>,
    /// Whether an answer is what it must be.
    pub(super) is_good: fn(&Response<Bytes>) -> bool,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) elapsed: Duration,
    /// In microseconds, sorted.
    latencies: Vec<u32>,
    /// What one of the wrong answers was.
    pub(super) example: Option<String>,
}

impl Measured {
    pub(super) fn rps(&self) -> f64 {
        as_f64(self.requests) / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// The latency that so many of a hundred requests did not exceed, in milliseconds.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let micros = self.latencies.get(last * percent / 100).copied();
        f64::from(micros.unwrap_or_default()) / 1000.0
    }

    /// Both, one after the other.
    pub(super) fn and(mut self, mut other: Self) -> Self {
        self.requests += other.requests;
        self.errors += other.errors;
        self.elapsed += other.elapsed;
        self.latencies.append(&mut other.latencies);
        self.latencies.sort_unstable();
        self.example = self.example.or(other.example);
        self
    }
}

impl Load {
    /// Sends until the time is over or there is nothing more to send, on a thread of its own: the
    /// client is one thread, so that the server's threads find a core. They share the cores with it, so it
    /// is a batch job, which does not break into a request of the server whenever an answer comes.
    pub(super) async fn run(self) -> Result<Measured, BenchError> {
        let (send, receive) = tokio::sync::oneshot::channel();
        thread::Builder::new()
            .name("udap-load".to_owned())
            .spawn(move || {
                if !in_batch() {
                    note("the load cannot be a batch job here, and disturbs the server more");
                }
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let result = match runtime {
                    Ok(runtime) => runtime.block_on(self.drive()),
                    Err(error) => Err(BenchError::Other(error.to_string())),
                };
                // Nobody waits any more when the whole was given up.
                let _ = send.send(result);
            })
            .map_err(|error| BenchError::Other(error.to_string()))?;
        receive
            .await
            .map_err(|_| BenchError::Other("the load broke off".to_owned()))?
    }

    async fn drive(self) -> Result<Measured, BenchError> {
        let mut wires = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            wires.push(Wire::open(&self.address).await?);
        }
        let counter = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let end = began + self.duration;
        let mut tasks = Vec::with_capacity(wires.len());
        for wire in wires {
            let (load, counter) = (self.clone(), Arc::clone(&counter));
            tasks.push(tokio::spawn(load.one(wire, counter, end)));
        }
        let mut all = Measured::default();
        for task in tasks {
            let one = task
                .await
                .map_err(|error| BenchError::Other(error.to_string()))?;
            all.requests += one.requests;
            all.errors += one.errors;
            all.example = all.example.or(one.example);
            all.latencies.extend(one.latencies);
        }
        all.elapsed = began.elapsed();
        all.latencies.sort_unstable();
        Ok(all)
    }

    async fn one(self, mut wire: Wire, counter: Arc<AtomicU64>, end: Instant) -> Measured {
        let mut mine = Measured::default();
        while Instant::now() < end {
            let Some(request) = (self.next)(counter.fetch_add(1, Ordering::Relaxed)) else {
                break;
            };
            let sent = Instant::now();
            let answer = wire.send(request).await;
            let micros = sent.elapsed().as_micros();
            match answer {
                Ok(answer) if (self.is_good)(&answer) => {
                    mine.requests += 1;
                    mine.latencies
                        .push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
                Ok(answer) => {
                    mine.errors += 1;
                    mine.example.get_or_insert_with(|| describe(&answer));
                }
                Err(error) => {
                    mine.errors += 1;
                    mine.example.get_or_insert_with(|| error.to_string());
                    match Wire::open(&self.address).await {
                        Ok(again) => wire = again,
                        Err(_) => break,
                    }
                }
            }
        }
        mine
    }
}

/// Makes the calling thread one of the scheduling policy `SCHED_BATCH`: it waits for a core until whoever
/// has it is done, where it would else take it away when its answer comes.
fn in_batch() -> bool {
    let Some(thread) = fs::read_link("/proc/thread-self").ok() else {
        return false;
    };
    let id = thread.file_name().unwrap_or_default();
    let chrt = Command::new("chrt")
        .args(["--batch", "--pid", "0"])
        .arg(id)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    chrt.is_ok_and(|status| status.success())
}

fn describe(answer: &Response<Bytes>) -> String {
    let text = String::from_utf8_lossy(answer.body());
    let text: String = text.chars().take(300).collect();
    format!("{} {text}", answer.status())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^52"
)]
pub(super) const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// How many requests to make ready for so many seconds at that rate, within a limit.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate times some seconds, clamped"
)]
pub(super) fn ready_for(rate: &Measured, seconds: u32, headroom: f64, most: u64) -> usize {
    let wanted = rate.rps() * f64::from(seconds) * headroom;
    wanted.clamp(1.0, as_f64(most)) as usize
}
