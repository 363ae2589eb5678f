//! How often somebody may do something: counts over the last minute, in memory.
//!
//! For what costs the server more than the sender, or is tried again and again. The count slides: of the
//! minute before, that part counts which the last sixty seconds still reach into.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use udap_pki::UnixTime;

/// A limit, and who is how near to it.
#[derive(Debug)]
pub struct Rate<K> {
    per_minute: u32,
    counts: Mutex<Counts<K>>,
}

#[derive(Debug)]
struct Counts<K> {
    minute: i64,
    this: HashMap<K, u32>,
    last: HashMap<K, u32>,
}

/// Too often: to be tried again in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    pub retry_after_secs: u32,
}

impl<K: Hash + Eq> Rate<K> {
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            counts: Mutex::new(Counts {
                minute: i64::MIN,
                this: HashMap::new(),
                last: HashMap::new(),
            }),
        }
    }

    /// Counts one more, unless that is one too many.
    pub fn take(&self, who: K, now: UnixTime) -> Result<(), TooOften> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now);
        self.check_in(&counts, &who, now)?;
        counts.add(who);
        Ok(())
    }

    /// Whether one more would be one too many; counts nothing.
    pub fn check(&self, who: &K, now: UnixTime) -> Result<(), TooOften> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now);
        self.check_in(&counts, who, now)
    }

    /// Counts one more, whatever the limit.
    pub fn add(&self, who: K, now: UnixTime) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now);
        counts.add(who);
    }

    /// Counts one less: what was taken at that time proved not to be what is counted.
    pub fn give_back(&self, who: &K, taken: UnixTime) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = taken.0.div_euclid(MINUTE);
        let counted = match counts.minute.checked_sub(minute) {
            Some(0) => &mut counts.this,
            Some(1) => &mut counts.last,
            _ => return,
        };
        if let Some(count) = counted.get_mut(who) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counted.remove(who);
            }
        }
    }

    fn check_in(&self, counts: &Counts<K>, who: &K, now: UnixTime) -> Result<(), TooOften> {
        let gone = now.0.rem_euclid(MINUTE);
        let this = i64::from(counts.this.get(who).copied().unwrap_or(0));
        let last = i64::from(counts.last.get(who).copied().unwrap_or(0));
        let sliding = this + last * (MINUTE - gone) / MINUTE;
        if sliding < i64::from(self.per_minute) {
            return Ok(());
        }
        let wait = u32::try_from(MINUTE - gone).unwrap_or(1);
        Err(TooOften {
            retry_after_secs: wait.max(1),
        })
    }
}

impl<K: Hash + Eq> Counts<K> {
    /// Begins another minute where one has begun. A clock that is set back begins one too.
    fn turn(&mut self, now: UnixTime) {
        let minute = now.0.div_euclid(MINUTE);
        if minute == self.minute {
            return;
        }
        let this = std::mem::take(&mut self.this);
        self.last = match self.minute.checked_add(1) == Some(minute) {
            true => this,
            false => HashMap::new(),
        };
        self.minute = minute;
    }

    /// Beyond [`MAX_KEYS`] newcomers are not counted: whoever has so many addresses is not stopped by a
    /// count of each, and memory has an end.
    fn add(&mut self, who: K) {
        if self.this.len() < MAX_KEYS || self.this.contains_key(&who) {
            let count = self.this.entry(who).or_default();
            *count = count.saturating_add(1);
        }
    }
}

/// Whom an address stands for: an IPv6 customer has at least the 2^64 addresses of one network.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            v6.to_ipv4_mapped()
                .map_or_else(|| Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into(), IpAddr::V4)
        }
    }
}

const MINUTE: i64 = 60;

/// Some 10 MiB at most.
const MAX_KEYS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_slides() {
        let rate = Rate::new(10);
        let at = |secs: i64| UnixTime(6_000 + secs);
        for _ in 0..10 {
            assert_eq!(rate.take("a", at(30)), Ok(()));
        }
        let full = |secs| {
            Err(TooOften {
                retry_after_secs: secs,
            })
        };
        assert_eq!(rate.take("a", at(31)), full(29));
        assert_eq!(rate.check(&"a", at(59)), full(1));
        // Somebody else is not held up.
        assert_eq!(rate.take("b", at(31)), Ok(()));
        // Half of the next minute: five of the ten still count.
        assert_eq!(rate.take("a", at(60)), full(60));
        for _ in 0..5 {
            assert_eq!(rate.take("a", at(90)), Ok(()));
        }
        assert_eq!(rate.take("a", at(90)), full(30));
        // Two minutes later nothing counts any more; nor when the clock is set back.
        assert_eq!(rate.take("a", at(240)), Ok(()));
        for _ in 0..20 {
            rate.add("a", at(241));
        }
        assert!(rate.check(&"a", at(242)).is_err());
        assert_eq!(rate.check(&"a", at(-600)), Ok(()));
    }

    #[test]
    fn what_is_given_back_was_not_counted() {
        let rate = Rate::new(2);
        let at = |secs: i64| UnixTime(6_000 + secs);
        for secs in 0..10 {
            assert_eq!(rate.take("a", at(secs)), Ok(()));
            rate.give_back(&"a", at(secs));
        }
        assert!(
            rate.counts
                .lock()
                .is_ok_and(|counts| counts.this.is_empty())
        );
        assert_eq!(rate.take("a", at(58)), Ok(()));
        assert_eq!(rate.take("a", at(59)), Ok(()));
        // In the next minute it is one of the minute before, and nothing begins anew.
        assert!(rate.take("a", at(60)).is_err());
        rate.give_back(&"a", at(59));
        assert_eq!(rate.take("a", at(60)), Ok(()));
        assert!(rate.take("a", at(60)).is_err());
        // One of long ago, and one that nobody took.
        rate.give_back(&"a", at(-60));
        rate.give_back(&"b", at(60));
        assert!(rate.take("a", at(60)).is_err());
    }

    #[test]
    fn memory_has_an_end() {
        let rate = Rate::new(1);
        let now = UnixTime(0);
        for who in 0..MAX_KEYS + 10 {
            rate.add(who, now);
        }
        assert!(rate.check(&(MAX_KEYS - 1), now).is_err());
        assert_eq!(rate.check(&(MAX_KEYS + 1), now), Ok(()));
    }

    #[test]
    fn an_ipv6_network_is_one() {
        let of = |text: &str| text.parse().map(network).map(|ip| ip.to_string());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), Ok("2001:db8:1:2::".to_owned()));
        assert_eq!(of("::ffff:192.0.2.1"), Ok("192.0.2.1".to_owned()));
        assert_eq!(of("192.0.2.1"), Ok("192.0.2.1".to_owned()));
    }
}
