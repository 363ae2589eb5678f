//! What a process holds in memory, by `/proc`.

/// In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// All that is in memory, the program's own code included.
    pub(super) resident: u64,
    /// Of that, what is in no file, and so is this process's alone.
    pub(super) anonymous: u64,
}

pub(super) fn of(pid: u32) -> Option<Held> {
    read(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn read(status: &str) -> Option<Held> {
    let bytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    };
    Some(Held {
        resident: bytes("VmRSS:")?,
        anonymous: bytes("RssAnon:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read() {
        let status = "Name:\tudap\nVmRSS:\t   30308 kB\nRssAnon:\t    5276 kB\n";
        let held = Held {
            resident: 30_308 * 1024,
            anonymous: 5_276 * 1024,
        };
        assert_eq!(read(status), Some(held));
        assert_eq!(read("VmRSS:\t 1 kB\n"), None);
        assert!(of(std::process::id()).is_some_and(|held| held.resident > held.anonymous));
    }
}
