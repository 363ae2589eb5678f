//! The CPU time that a process has used, to the nanosecond where the kernel tells it so.

use std::{fs, time::Duration};

/// User and system time of all threads of a process so far. `None` when it cannot be told: no such
/// process, or a system without `/proc`.
pub(super) fn of(pid: u32) -> Option<Duration> {
    by_schedstat(pid).or_else(|| by_ticks(pid))
}

/// The same of the calling thread.
pub(super) fn of_this_thread() -> Option<Duration> {
    nanoseconds(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

/// The first figure of `schedstat` is nanoseconds on a CPU; that of a process counts its first thread
/// only. A thread that has ended is not there any more: servers keep theirs.
fn by_schedstat(pid: u32) -> Option<Duration> {
    let mut all = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let path = thread.ok()?.path().join("schedstat");
        // One that ends in this moment used what it used before.
        if let Ok(text) = fs::read_to_string(path) {
            all += nanoseconds(&text)?;
        }
    }
    (all > Duration::ZERO).then_some(all)
}

fn nanoseconds(schedstat: &str) -> Option<Duration> {
    let first = schedstat.split_ascii_whitespace().next()?;
    first.parse().ok().map(Duration::from_nanos)
}

/// `utime` and `stime` of `stat`, in ticks of 10 ms.
fn by_ticks(pid: u32) -> Option<Duration> {
    ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn ticks(stat: &str) -> Option<Duration> {
    // The name in brackets may hold spaces and brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let before = of(std::process::id()).unwrap();
        let thread = of_this_thread().unwrap();
        let mut x = 1_u64;
        for i in 1..50_000_000_u64 {
            x = std::hint::black_box(x.wrapping_mul(i | 1));
        }
        assert_ne!(x, 0);
        assert!(of(std::process::id()).unwrap() > before);
        assert!(of_this_thread().unwrap() > thread);
        assert_eq!(of(u32::MAX), None);
    }

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks(stat), Some(Duration::from_secs(2)));
    }
}
