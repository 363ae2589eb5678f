//! File descriptors: all that the system allows, and how many connections that is enough for.

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
    let allowed = of_limit(limit, configured);
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

fn of_limit(limit: Option<u64>, configured: usize) -> usize {
    let limit = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    // With next to none: a few connections, rather than no server.
    configured.min(limit.saturating_sub(RESERVE).max(limit / 2))
}

/// For what is no connection of a client: the database and its log, the audit trail, the replay log,
/// fetches, and upstream connections, of which requests in flight have one each.
const RESERVE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(of_limit(None, 10_000), 10_000);
        assert_eq!(of_limit(Some(524_288), 10_000), 10_000);
        assert_eq!(of_limit(Some(10_256), 10_000), 10_000);
        assert_eq!(of_limit(Some(10_255), 10_000), 9_999);
        assert_eq!(of_limit(Some(1024), 10_000), 768);
        assert_eq!(of_limit(Some(1024), 500), 500);
        assert_eq!(of_limit(Some(300), 10_000), 150);
        assert_eq!(of_limit(Some(0), 10_000), 0);
    }
}
