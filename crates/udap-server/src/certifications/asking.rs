//! Certifiers are asked time and again whether what they signed still holds. No round of it takes long, and who
//! keeps this server waiting is asked apart from the others: one host that does not answer must not be the end of
//! what others certified, which rests when nobody asked about it for an hour.

use super::status::{self, StatusError};
use super::watch::STATUS_SECS;
use crate::app::{Server, short};
use crate::store::{Askable, Registrations};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use udap_host::db::DbError;
use udap_pki::UnixTime;
use url::Url;

/// How often certifiers are asked, in seconds.
const ASK_SECS: i64 = 900;
/// How many are asked at once in each lap.
const AT_ONCE: usize = 8;
/// How many certifications are read at once.
const PAGE: i64 = 500;
/// How long one round goes on asking; the next one goes on where it was left.
const ROUND: Duration = Duration::from_secs(10);
/// The same for those who answer at once, until all of them were asked since the start: nobody could ask while
/// the server was down, and whoever is not asked in that round may rest at its end.
const FIRST: Duration = Duration::from_secs(120);
/// Whoever takes as long for an answer is late.
const LATE: Duration = Duration::from_secs(1);

/// How far certifiers were asked.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Those that are not known to be late.
    quick: Lap,
    /// Those that are.
    slow: Lap,
    /// Which servers were late.
    late: HashSet<String>,
    /// Which of them since the slow lap began; the others are quick from the next one on.
    again: HashSet<String>,
    /// Whether a quick lap has come to its end since the start.
    through: bool,
}

/// A way through all certifications, which may take several rounds.
#[derive(Debug, Default)]
struct Lap {
    /// Whether the next one begins when this one has come to its end.
    due: bool,
    /// Behind which one it goes on, until it is done.
    after: Option<(String, i64)>,
    /// What was read.
    page: VecDeque<Askable>,
    /// How many have not answered yet.
    open: usize,
}

impl Lap {
    /// Goes on with what is there by now, or begins anew; whether it did.
    fn begin(&mut self) -> bool {
        self.page.clear();
        self.open = 0;
        let begins = self.after.is_none() && std::mem::take(&mut self.due);
        if begins {
            self.after = Some(Default::default());
        }
        begins
    }

    /// The next one whose turn it is in this lap.
    async fn next(
        &mut self,
        registrations: &Registrations,
        now: UnixTime,
        mine: impl Fn(&Askable) -> bool,
    ) -> Result<Option<Askable>, DbError> {
        while let Some((client_id, position)) = &self.after {
            if self.page.is_empty() {
                let page = registrations.askable(now, (client_id, *position), PAGE);
                self.page = page.await?.into();
            }
            let one = self.page.pop_front();
            self.after = one
                .as_ref()
                .map(|one| (one.client_id.clone(), one.position));
            if let Some(one) = one.filter(&mine) {
                self.open += 1;
                return Ok(Some(one));
            }
        }
        Ok(None)
    }
}

impl Asking {
    fn begin(&mut self, due: bool) {
        self.quick.due |= due;
        self.slow.due |= due;
        self.quick.begin();
        if self.slow.begin() {
            self.late = std::mem::take(&mut self.again);
        }
    }

    async fn next(
        &mut self,
        slow: bool,
        registrations: &Registrations,
        now: UnixTime,
    ) -> Result<Option<Askable>, DbError> {
        let late = &self.late;
        let lap = match slow {
            true => &mut self.slow,
            false => &mut self.quick,
        };
        if slow && late.is_empty() {
            lap.after = None;
        }
        let mine = |one: &Askable| late.contains(&server_of(&one.endpoint)) == slow;
        lap.next(registrations, now, mine).await
    }

    fn lap(&mut self, slow: bool) -> &mut Lap {
        match slow {
            true => &mut self.slow,
            false => &mut self.quick,
        }
    }

    /// One has answered, or has not.
    fn answered(&mut self, asked: &Asked) {
        let lap = self.lap(asked.slow);
        lap.open = lap.open.saturating_sub(1);
        if asked.late {
            let server = server_of(&asked.one.endpoint);
            self.again.insert(server.clone());
            // What the quick lap leaves out from here on is for the slow one.
            self.slow.due |= self.late.insert(server);
        }
    }
}

/// An answer.
struct Asked {
    one: Askable,
    answer: Result<(), StatusError>,
    slow: bool,
    late: bool,
}

impl Server {
    /// Asks certifiers whose turn it is. What fails is tried again in the next round.
    pub(super) async fn ask_certifiers(&self, now: UnixTime) -> Result<(), DbError> {
        let mut asking = self.watch.asking.lock().await;
        let last = &self.watch.asked;
        let due = now.0 >= last.load(Ordering::Relaxed).saturating_add(ASK_SECS);
        if due {
            // Written down first: an exchange while they answer has them asked once more.
            last.store(now.0, Ordering::Relaxed);
        }
        asking.begin(due);
        let done = self.ask_for_a_while(&mut asking, now).await;
        if done.is_err() {
            last.store(0, Ordering::Relaxed);
        }
        asking.through |= asking.quick.after.is_none();
        done
    }

    async fn ask_for_a_while(&self, asking: &mut Asking, now: UnixTime) -> Result<(), DbError> {
        let started = Instant::now();
        let mut open = FuturesUnordered::new();
        loop {
            let quick = if asking.through { ROUND } else { FIRST };
            for (slow, most) in [(false, quick), (true, ROUND)] {
                while started.elapsed() < most && asking.lap(slow).open < AT_ONCE {
                    let Some(one) = asking.next(slow, &self.registrations, now).await? else {
                        break;
                    };
                    open.push(self.ask(one, slow));
                }
            }
            let Some(asked) = open.next().await else {
                return Ok(());
            };
            asking.answered(&asked);
            self.take_status(&asked.one, asked.answer, now).await?;
        }
    }

    async fn ask(&self, one: Askable, slow: bool) -> Asked {
        let begun = Instant::now();
        let fetcher = self.communities.fetcher();
        let answer = status::ask(fetcher, &one.endpoint, &one.jti, one.expires).await;
        let late = begun.elapsed() >= LATE;
        Asked {
            one,
            answer,
            slow,
            late,
        }
    }

    async fn take_status(
        &self,
        one: &Askable,
        answer: Result<(), StatusError>,
        now: UnixTime,
    ) -> Result<(), DbError> {
        match answer {
            Ok(()) => {
                let ends = one.expires.min(now.plus_secs(STATUS_SECS));
                self.registrations.set_ends(one, ends).await?;
                if one.rests {
                    self.revive(&one.community, &one.client_id, &one.uri, now)
                        .await?;
                }
                Ok(())
            }
            Err(StatusError::Ended) => self.registrations.set_ends(one, UnixTime(0)).await,
            Err(StatusError::Unknown { why }) => {
                let why = short(&why);
                tracing::warn!(
                    client_id = one.client_id,
                    why,
                    "a certifier did not say whether a certification still holds"
                );
                Ok(())
            }
        }
    }
}

/// Whom a status endpoint belongs to.
fn server_of(endpoint: &str) -> String {
    let url = Url::parse(endpoint);
    url.map(|url| url.origin().ascii_serialization())
        .unwrap_or_default()
}
