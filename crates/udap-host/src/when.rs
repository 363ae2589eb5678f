//! Times as people want them: how far away, and when.

use serde::{Serialize, Serializer};
use udap_pki::UnixTime;

/// `in 12 days, 2026-12-06`, `3 hours ago, 2026-11-24` or `just now, 2026-11-24`.
pub fn when(time: UnixTime, now: UnixTime) -> String {
    let secs = time.secs_since(now);
    let date: String = time.to_string().chars().take(10).collect();
    let amount = amount(secs.unsigned_abs());
    match secs {
        0 => format!("just now, {date}"),
        1.. => format!("in {amount}, {date}"),
        _ => format!("{amount} ago, {date}"),
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

/// In a unit of which there are some; years are rounded.
fn amount(secs: u64) -> String {
    let (count, unit) = match secs {
        0..60 => (secs, "second"),
        60..7200 => (secs / 60, "minute"),
        7200..172_800 => (secs / 3600, "hour"),
        172_800..=MAX_IN_DAYS => (secs / DAY, "day"),
        _ => ((secs + YEAR / 2) / YEAR, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

const DAY: u64 = 86_400;
const MAX_IN_DAYS: u64 = 700 * DAY;
/// 365 days and a quarter.
const YEAR: u64 = 31_557_600;

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
        assert_eq!(when(now, now), "just now, 2026-11-24");
        let told = |secs| when(now.plus_secs(secs), now);
        let told = |secs| told(secs).split(',').next().map(str::to_owned);
        for (secs, expected) in [
            (-59, "59 seconds ago"),
            (-60, "1 minute ago"),
            (-115, "1 minute ago"),
            (700 * 86_400, "in 700 days"),
            (701 * 86_400, "in 2 years"),
            (20 * 365 * 86_400, "in 20 years"),
        ] {
            assert_eq!(told(secs).as_deref(), Some(expected));
        }
    }
}
