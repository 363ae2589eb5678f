//! File descriptors: all that the system allows, and how many connections that is enough for.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many connections a listener may hold of those configured. Shells and service managers start
/// processes with a soft limit of 1,024 descriptors, for the sake of programs that use `select`, and a
/// much higher hard one; this process then has as many as the hard one says.
pub(crate) fn connections(configured: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        // Some systems know no number that is unlimited.
        Err(_) => current,
    };
    let allowed = of_limit(limit, PROMISED.load(Relaxed), configured);
    PROMISED.fetch_add(allowed, Relaxed);
    if allowed < configured {
        tracing::warn!(
            limit,
            max_connections = configured,
            connections = allowed,
            "the system gives too few file descriptors for so many connections; raise the hard limit \
             (systemd: LimitNOFILE) or lower limits.max_connections"
        );
    }
    allowed
}

/// What a listener gets when others of this process were promised so many.
fn of_limit(limit: Option<u64>, promised: usize, configured: usize) -> usize {
    let limit = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let for_connections = limit.saturating_sub(RESERVE).max(limit / 2);
    // With next to none: a few connections, rather than no server.
    let left = for_connections.saturating_sub(promised).max(limit / 16);
    configured.min(left)
}

/// Connections of all listeners of this process.
static PROMISED: AtomicUsize = AtomicUsize::new(0);

/// For what is no connection of a client: the database and its log, the audit trail, the replay log,
/// fetches, and upstream connections, of which each worker has 256 at most.
const RESERVE: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        let alone = |limit, configured| of_limit(limit, 0, configured);
        assert_eq!(alone(None, 10_000), 10_000);
        assert_eq!(alone(Some(524_288), 10_000), 10_000);
        assert_eq!(alone(Some(11_024), 10_000), 10_000);
        assert_eq!(alone(Some(11_023), 10_000), 9_999);
        assert_eq!(alone(Some(1024), 10_000), 512);
        assert_eq!(alone(Some(1024), 500), 500);
        assert_eq!(alone(Some(300), 10_000), 150);
        assert_eq!(alone(Some(0), 10_000), 0);
        // The next one gets what is left.
        assert_eq!(of_limit(Some(524_288), 10_000, 10_000), 10_000);
        assert_eq!(of_limit(Some(16_384), 10_000, 10_000), 5_360);
        assert_eq!(of_limit(Some(1024), 512, 10_000), 64);
        assert_eq!(of_limit(None, usize::MAX, 10_000), 10_000);
    }
}
