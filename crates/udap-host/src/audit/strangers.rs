//! Refusals that anybody can cause, without end: in a minute so many are written one by one as tell the story,
//! of one network and of all together. The others are counted, and their counts are written once a minute: the
//! disk fills by what members do, and by nobody else.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use udap_pki::UnixTime;

use super::{Event, Refusal, Who, writer::Entry};
use crate::rate::{self, Rate};

#[derive(Debug)]
pub(super) struct Strangers {
    of_network: Rate<IpAddr>,
    of_all: Rate<()>,
    counts: Mutex<Counts>,
}

/// What was not written, by network and code.
#[derive(Debug, Default)]
struct Counts {
    /// Microseconds since 1970: when the first of them was.
    since: i64,
    of: HashMap<(Option<IpAddr>, &'static str), u64>,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self {
            of_network: Rate::new(OF_NETWORK),
            of_all: Rate::new(OF_ALL),
            counts: Mutex::default(),
        }
    }

    /// Whether it is one too many, and so was counted in place of being written. Tells the first of them, since
    /// somebody has to write the counts when their minute is over.
    pub(super) fn count(&self, entry: &Entry) -> Option<First> {
        let code = code(entry)?;
        let now = UnixTime(entry.at.div_euclid(MICROS));
        let network = entry.who.remote.map(rate::network);
        let few = network.is_none_or(|network| self.of_network.take(network, now).is_ok());
        if few && self.of_all.take((), now).is_ok() {
            return None;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let first = First(counts.of.is_empty());
        if first.0 {
            counts.since = entry.at;
        }
        // Beyond that only what, not from where.
        let known = counts.of.len() < MAX_COUNTS || counts.of.contains_key(&(network, code));
        let network = network.filter(|_| known);
        *counts.of.entry((network, code)).or_default() += 1;
        Some(first)
    }

    /// How long until there are counts to be written.
    pub(super) fn due_in(&self, at: i64) -> Option<Duration> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes none wait for longer.
        let gone = u64::try_from(at - counts.since).unwrap_or(u64::MAX);
        (!counts.of.is_empty()).then(|| EVERY.saturating_sub(Duration::from_micros(gone)))
    }

    /// The counts, each as an entry; from then on they begin anew.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let since = jiff::Timestamp::from_microsecond(counts.since).unwrap_or_default();
        let mut all: Vec<_> = counts.of.drain().collect();
        drop(counts);
        all.sort_unstable();
        let entry = |((remote, code), count): ((Option<IpAddr>, &'static str), u64)| {
            let whence = match remote {
                Some(_) => "from this network",
                None => "from other networks",
            };
            let detail = format!(
                "{count} more of these {whence} since {since:.0} were counted and not written one by one"
            );
            let who = Who {
                remote,
                ..Who::default()
            };
            Entry::now(
                who,
                Event::RefusalsCounted {
                    refusal: Refusal { code, detail },
                    count,
                },
            )
        };
        all.into_iter().map(entry).collect()
    }
}

/// Whether it is the first since counts were written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct First(pub(super) bool);

/// The code of a refusal for which nobody had to prove who he is. A reader with a token that counts is known.
fn code(entry: &Entry) -> Option<&'static str> {
    match &entry.event {
        Event::RegistrationRefused(refusal)
        | Event::TokenRefused(refusal)
        | Event::RevocationRefused(refusal)
        | Event::IntrospectionRefused(refusal)
        | Event::OperatorRefused(refusal) => Some(refusal.code),
        // Not by who is named: a token tells that also when it was ended, or is held by somebody else.
        Event::AccessRefused {
            refusal,
            token_counts: false,
            ..
        } => Some(refusal.code),
        _ => None,
    }
}

/// Of one network in a minute: a partner whose app has gone wrong is seen by far fewer.
const OF_NETWORK: u32 = 300;

/// Of all in a minute: some 2 GB in a day, if somebody with very many addresses never stops.
const OF_ALL: u32 = 3_000;

/// Counts kept at once, some 100 KiB.
const MAX_COUNTS: usize = 1_000;

const EVERY: Duration = Duration::from_secs(60);
const MICROS: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(remote: [u8; 4], at: i64) -> Entry {
        let who = Who {
            client_id: Some("a client".into()),
            remote: Some(remote.into()),
            ..Who::default()
        };
        let refusal = Refusal {
            code: "token-missing",
            detail: "a sentence".to_owned(),
        };
        let interaction = "GET".to_owned();
        let event = Event::AccessRefused {
            interaction,
            refusal,
            token_counts: false,
        };
        Entry {
            at,
            ..Entry::now(who, event)
        }
    }

    fn counted(strangers: &Strangers) -> Vec<(Option<IpAddr>, u64)> {
        let of = |entry: Entry| match entry.event {
            Event::RefusalsCounted { count, .. } => Some((entry.who.remote, count)),
            _ => None,
        };
        strangers.entries().into_iter().filter_map(of).collect()
    }

    #[test]
    fn of_one_network_a_few_are_written_and_the_rest_is_counted() {
        let strangers = Strangers::new();
        let at = 6_000 * MICROS;
        for _ in 0..OF_NETWORK {
            assert_eq!(strangers.count(&entry([192, 0, 2, 1], at)), None);
        }
        assert_eq!(strangers.due_in(at), None);
        for n in 0..5 {
            let first = strangers.count(&entry([192, 0, 2, 1], at));
            assert_eq!(first, Some(First(n == 0)));
        }
        // Others are not kept from the trail by that, nor is whoever is known.
        assert_eq!(strangers.count(&entry([192, 0, 2, 2], at)), None);
        let mut known = entry([192, 0, 2, 1], at);
        if let Event::AccessRefused { token_counts, .. } = &mut known.event {
            *token_counts = true;
        }
        assert_eq!(strangers.count(&known), None);

        assert_eq!(
            strangers.due_in(at + 20 * MICROS),
            Some(Duration::from_secs(40))
        );
        assert_eq!(strangers.due_in(at + 70 * MICROS), Some(Duration::ZERO));
        assert_eq!(strangers.due_in(at - MICROS), Some(Duration::ZERO));
        assert_eq!(counted(&strangers), [(Some([192, 0, 2, 1].into()), 5)]);
        assert_eq!((strangers.due_in(at), counted(&strangers)), (None, vec![]));
        // And later it is written again.
        let later = at + 120 * MICROS;
        assert_eq!(strangers.count(&entry([192, 0, 2, 1], later)), None);
    }

    #[test]
    fn many_networks_together_have_an_end() {
        let strangers = Strangers::new();
        let mut written = 0;
        let networks = 10_000_u64;
        for n in 0..networks {
            let [.., a, b] = n.to_be_bytes();
            let counted = strangers.count(&entry([10, 0, a, b], 6_000 * MICROS));
            written += u64::from(counted.is_none());
        }
        assert_eq!(written, u64::from(OF_ALL));
        let counts = counted(&strangers);
        assert_eq!(counts.len(), MAX_COUNTS + 1);
        assert_eq!(counts[0], (None, 6_000));
        assert_eq!(
            counts.iter().map(|(_, count)| count).sum::<u64>(),
            networks - written
        );
    }
}
