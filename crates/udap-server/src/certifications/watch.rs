//! Certifications after registration: certifiers are asked again, and an app that lacks by now what
//! its community requires rests until it registers with another.

use super::rejudge::Pass;
use super::status::{self, StatusError};
use crate::app::{Server, short};
use crate::store::{Among, Askable};
use futures_util::stream::{self, StreamExt as _};
use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::sync::Mutex;
use udap_host::audit::{Event, Refusal as AuditRefusal, Who};
use udap_host::db::DbError;
use udap_pki::UnixTime;
use url::Url;

/// How often certifiers are asked, in seconds.
const ASK_SECS: i64 = 900;
/// How long a certifier's word counts, in seconds: what cannot be learned for longer is not assumed
/// to be good (UDAP Certifications and Endorsements §5), while one answer that is lost ends nobody's
/// access.
pub(crate) const STATUS_SECS: i64 = 3600;
/// How many certifiers are asked at once.
const AT_ONCE: usize = 8;
/// How often in a row a server may be asked in vain before it is left alone until the next round; with
/// [`AT_ONCE`] and the fetcher's time for an answer that is some 5 seconds.
const MOST_IN_VAIN: u32 = 16;
/// How many certifications are read at once.
const PAGE: i64 = 500;

/// What was looked at, and when.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When certifiers were asked last; 0 is never since the start.
    asked: AtomicI64,
    /// How often communities were exchanged since the start.
    exchanged: AtomicU64,
    /// How often there was a reason to look at all apps since the start: such an exchange, or what an operator
    /// did to one.
    reasons: AtomicU64,
    /// Up to which of these reasons all apps were looked at; 0 is before the start.
    judged: AtomicU64,
    /// How far those that are kept were judged again.
    pub(super) pass: Mutex<Pass>,
}

impl Watch {
    /// How often what is trusted may have changed, which it may have before the start.
    pub(super) fn exchanged(&self) -> u64 {
        self.exchanged.load(Ordering::Relaxed).saturating_add(1)
    }

    /// How often there was a reason to look at all apps, the start included.
    fn reasons(&self) -> u64 {
        self.reasons.load(Ordering::Acquire).saturating_add(1)
    }
}

impl Server {
    /// Asks certifiers whether what they signed still holds, when it is time to, and lets apps rest that
    /// lack by now what their community requires: one round of [`Self::run_background`].
    pub async fn watch_certifications(&self, now: UnixTime) {
        if let Err(error) = self.watch(now).await {
            tracing::error!(%error, "certifications could not be looked at");
        }
    }

    /// What is required may have changed, and who may certify.
    pub(crate) fn look_at_certifications_again(&self) {
        self.watch.exchanged.fetch_add(1, Ordering::Relaxed);
        self.watch.asked.store(0, Ordering::Relaxed);
        self.look_at_all_apps_again();
    }

    /// Somebody's state may not be what the rules here make of it: an operator restored an app by the command
    /// line, which knows a community's rules as they were written down last. Who may certify is as before.
    pub(crate) fn look_at_all_apps_again(&self) {
        self.watch.reasons.fetch_add(1, Ordering::Release);
    }

    async fn watch(&self, now: UnixTime) -> Result<(), DbError> {
        // What is required may have changed, either way, with each exchange and while this server was
        // down. Until a round that began after it has come to its end, all apps are looked at.
        let reasons = self.watch.reasons();
        let among = match self.watch.judged.load(Ordering::Relaxed) >= reasons {
            true => Among::Ended,
            false => Among::All,
        };
        // Before certifiers are asked: the word of one that is not trusted any more is worth nothing.
        self.judge_again(now).await?;
        let asked = &self.watch.asked;
        if now.0 >= asked.load(Ordering::Relaxed).saturating_add(ASK_SECS) {
            // Written down first: an exchange while they answer has them asked once more.
            asked.store(now.0, Ordering::Relaxed);
            let all = self.ask_certifiers(now).await;
            all.inspect_err(|_| asked.store(0, Ordering::Relaxed))?;
        }
        if among == Among::All {
            // Whoever was let in by the rules before is written from here on, and found.
            self.registrations.settled().await?;
        }
        for served in self.communities.all().iter() {
            let community = served.community.uri.as_str();
            if among == Among::All {
                for (client_id, uri) in self.registrations.resting(community).await? {
                    self.revive(community, &client_id, &uri, now).await?;
                }
            }
            for programme in &served.certifications.required {
                let lapsed = self.registrations.lapse(community, programme, now, among);
                for app in lapsed.await? {
                    let who = self.watched(community, &app.client_id, &app.uri);
                    let refusal = AuditRefusal {
                        code: "certification-lapsed",
                        detail: format!("no certification of `{}` is in force", app.programme),
                    };
                    self.audit
                        .record(who, Event::RegistrationLapsed(refusal))
                        .await;
                }
            }
        }
        self.watch.judged.store(reasons, Ordering::Relaxed);
        Ok(())
    }

    /// Asks about each certification that names a place to ask at. A server that does not answer is not waited
    /// for again and again: what others certified must be asked about within the hour, too.
    async fn ask_certifiers(&self, now: UnixTime) -> Result<(), DbError> {
        let in_vain = InVain::default();
        let mut after = (String::new(), -1);
        loop {
            let page = self
                .registrations
                .askable(now, (&after.0, after.1), PAGE)
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = (last.client_id.clone(), last.position);
            let fetcher = self.communities.fetcher();
            let answers = stream::iter(page).map(|one| async {
                let server = server_of(&one.endpoint);
                if in_vain.is_given_up(&server) {
                    return None;
                }
                let answer = status::ask(fetcher, &one.endpoint, &one.jti, one.expires).await;
                in_vain.note(server, &answer);
                Some((one, answer))
            });
            let mut answers = answers.buffer_unordered(AT_ONCE);
            while let Some(asked) = answers.next().await {
                if let Some((one, answer)) = asked {
                    self.take_status(&one, answer, now).await?;
                }
            }
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

    pub(super) async fn revive(
        &self,
        community: &str,
        client_id: &str,
        uri: &str,
        now: UnixTime,
    ) -> Result<(), DbError> {
        let Some(served) = self.communities.select(Some(community)) else {
            return Ok(());
        };
        let required = &served.certifications.required;
        if self.registrations.revive(client_id, required, now).await? {
            let who = self.watched(community, client_id, uri);
            self.audit.record(who, Event::RegistrationRestored).await;
        }
        Ok(())
    }

    pub(super) fn watched(&self, community: &str, client_id: &str, uri: &str) -> Who {
        Who {
            community: Some(community.into()),
            client_id: Some(client_id.into()),
            uri: Some(uri.into()),
            ..Who::default()
        }
    }
}

/// Which servers were asked in vain in one round, and how often since their last answer.
#[derive(Default)]
struct InVain(std::sync::Mutex<HashMap<String, u32>>);

impl InVain {
    fn is_given_up(&self, server: &str) -> bool {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked
            .get(server)
            .is_some_and(|count| *count >= MOST_IN_VAIN)
    }

    fn note(&self, server: String, answer: &Result<(), StatusError>) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Err(StatusError::Unknown { .. }) => *asked.entry(server).or_default() += 1,
            Ok(()) | Err(StatusError::Ended) => {
                asked.remove(&server);
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
