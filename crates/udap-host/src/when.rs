//! Times as people want them: how far away, and when.

use serde::{Serialize, Serializer};
use udap_pki::UnixTime;

/// `in 12 days, 2026-12-06` or `3 hours ago, 2026-11-24`.
pub fn when(time: UnixTime, now: UnixTime) -> String {
    let secs = time.secs_since(now);
    let date: String = time.to_string().chars().take(10).collect();
    let amount = amount(secs.unsigned_abs());
    if secs >= 0 {
        format!("in {amount}, {date}")
    } else {
        format!("{amount} ago, {date}")
    }
}

/// A time as it is told now: to people how far away and when, to programs the time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    pub at: UnixTime,
    pub now: UnixTime,
}

impl When {
    /// Whole days until then; negative once it is over.
    pub fn days(&self) -> i64 {
        self.at.secs_since(self.now).div_euclid(86_400)
    }

    /// To the second: `3 minutes ago, 2026-11-24 16:03:12 UTC`.
    pub fn exact(&self) -> String {
        let (told, time) = (when(self.at, self.now), self.at.to_string());
        let clock = time.get(11..19).unwrap_or_default();
        format!("{told} {clock} UTC")
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&when(self.at, self.now))
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.at)
    }
}

/// The largest unit that is at least one; two for days are as good as any.
fn amount(secs: u64) -> String {
    let (count, unit) = match secs {
        0..120 => (secs, "second"),
        120..7200 => (secs / 60, "minute"),
        7200..172_800 => (secs / 3600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let now = UnixTime(1_795_536_000);
        assert_eq!(
            when(now.plus_secs(12 * 86_400), now),
            "in 12 days, 2026-12-06"
        );
        assert_eq!(
            when(now.plus_secs(-3 * 3600), now),
            "3 hours ago, 2026-11-24"
        );
        assert_eq!(when(now.plus_secs(1), now), "in 1 second, 2026-11-24");
        assert_eq!(
            when(now.plus_secs(119 * 60), now),
            "in 119 minutes, 2026-11-24"
        );
    }
}
