//! Times as people want them: how far away, and when.

use udap_pki::UnixTime;

/// `in 12 days, 2026-12-06` or `3 hours ago, 2026-11-24`.
pub(crate) fn when(time: UnixTime, now: UnixTime) -> String {
    let secs = time.secs_since(now);
    let date: String = time.to_string().chars().take(10).collect();
    let amount = amount(secs.unsigned_abs());
    if secs >= 0 {
        format!("in {amount}, {date}")
    } else {
        format!("{amount} ago, {date}")
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
