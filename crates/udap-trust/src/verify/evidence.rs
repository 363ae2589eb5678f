//! What was fetched for one community: issuers, CRLs and OCSP responses by URL, until they lapse.

use crate::epoch::Epoch;
use crate::fetch::{Fetcher, Kind};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use moka::future::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::Instant as Deadline;
use udap_pki::{Certificate, Crl, Evidence, Need, OcspResponse, UnixTime};

/// How long a failed fetch is remembered, so that a dead host is not asked for every request.
const FAILURE_SECS: i64 = 30;
/// How long an issuer's certificate is kept before it is fetched again.
const ISSUER_SECS: i64 = 24 * 3600;
/// How long a CRL without nextUpdate is kept.
const NO_NEXT_UPDATE_SECS: i64 = 3600;
/// The most URLs that are remembered for one community.
const MAX_URLS: u64 = 1000;
/// A CRL that nobody needed for so long is not refreshed.
const UNUSED_SECS: i64 = 3600;

#[derive(Debug)]
pub(super) struct EvidenceStore {
    known: Evidence,
    items: Cache<Need, Arc<Item>>,
    epoch: Epoch,
}

#[derive(Debug)]
struct Item {
    what: What,
    expires: UnixTime,
    last_used: AtomicI64,
}

#[derive(Debug, Clone)]
enum What {
    Issuer(Vec<Certificate>),
    Crl(Arc<Crl>),
    Ocsp(Arc<OcspResponse>),
    /// It could not be had.
    Failed,
}

struct ByExpiry(fn() -> UnixTime);

impl moka::Expiry<Need, Arc<Item>> for ByExpiry {
    fn expire_after_create(&self, _: &Need, item: &Arc<Item>, _: Instant) -> Option<Duration> {
        let secs = item.expires.0.saturating_sub((self.0)().0).max(0);
        Some(Duration::from_secs(u64::try_from(secs).unwrap_or(0)))
    }
    fn expire_after_update(
        &self,
        need: &Need,
        item: &Arc<Item>,
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(need, item, at)
    }
}

impl EvidenceStore {
    pub(super) fn new(intermediates: &[Certificate], epoch: Epoch) -> Self {
        let mut known = Evidence::default();
        for certificate in intermediates {
            known.add_certificate(certificate.clone());
        }
        let items = Cache::builder()
            .max_capacity(MAX_URLS)
            .expire_after(ByExpiry(crate::clock::now))
            .build();
        Self {
            known,
            items,
            epoch,
        }
    }

    /// Everything that is known and has not lapsed. A first question to the core can then be its
    /// last one.
    pub(super) fn current(&self, now: UnixTime) -> Evidence {
        let mut evidence = self.known.clone();
        for (need, item) in &self.items {
            // An OCSP response is about one certificate; it is added when that one is asked about.
            if now < item.expires && !matches!(item.what, What::Ocsp(_)) {
                item.last_used.store(now.0, Ordering::Relaxed);
                item.add_to(&need, &mut evidence);
            }
        }
        evidence
    }

    /// Fetches up to `room` needs at once, or takes them from what is known, and adds the outcome to
    /// the evidence. Concurrent fetches of one need are one. Needs beyond `room`, and those that did
    /// not come in time, are marked unavailable.
    pub(super) async fn gather(
        &self,
        fetcher: &Fetcher,
        needs: &[Need],
        room: usize,
        deadline: Deadline,
        now: UnixTime,
        evidence: &mut Evidence,
    ) {
        let (wanted, surplus) = needs.split_at(needs.len().min(room));
        let fetches = wanted.iter().map(|need| async move {
            let fetch = self.items.get_with_by_ref(need, async {
                Arc::new(Item::fetch(fetcher, need, now).await)
            });
            tokio::time::timeout_at(deadline, fetch).await.ok()
        });
        for (need, item) in wanted.iter().zip(join_all(fetches).await) {
            match item {
                Some(item) => item.add_to(need, evidence),
                None => evidence.mark_unavailable(need.clone()),
            }
        }
        for need in surplus {
            evidence.mark_unavailable(need.clone());
        }
    }

    pub(super) async fn refresh(&self, fetcher: &Fetcher, now: UnixTime) {
        for (need, item) in &self.items {
            let What::Crl(known) = &item.what else {
                continue;
            };
            let last_used = item.last_used.load(Ordering::Relaxed);
            if now.0.saturating_sub(last_used) > UNUSED_SECS {
                continue;
            }
            let fresh = Item::fetch(fetcher, &need, now).await;
            let What::Crl(crl) = &fresh.what else {
                continue;
            };
            // An older CRL is never taken in place of a newer one: a replayed one would undo revocations.
            if crl.der() == known.der() || crl.this_update() < known.this_update() {
                continue;
            }
            fresh.last_used.store(last_used, Ordering::Relaxed);
            self.items.insert((*need).clone(), Arc::new(fresh)).await;
            self.epoch.advance();
        }
    }

    pub(super) fn crls(&self) -> Vec<(String, Option<UnixTime>, usize)> {
        self.items
            .iter()
            .filter_map(|(need, item)| match (&*need, &item.what) {
                (Need::Crl { url }, What::Crl(crl)) => {
                    Some((url.clone(), crl.next_update(), crl.len()))
                }
                _ => None,
            })
            .collect()
    }
}

impl Item {
    fn new(what: What, expires: UnixTime, now: UnixTime) -> Self {
        Self {
            what,
            expires,
            last_used: AtomicI64::new(now.0),
        }
    }

    async fn fetch(fetcher: &Fetcher, need: &Need, now: UnixTime) -> Self {
        let outcome = match need {
            Need::Issuer { url } => fetch_issuer(fetcher, url, now).await,
            Need::Crl { url } => fetch_crl(fetcher, url, now).await,
            Need::Ocsp { url, request } => fetch_ocsp(fetcher, url, request, now).await,
        };
        outcome.unwrap_or_else(|why| {
            // The URL stands in a certificate, so it is no secret; queries are left out all the same.
            let url = match need {
                Need::Issuer { url } | Need::Crl { url } | Need::Ocsp { url, .. } => {
                    url.split('?').next()
                }
            };
            tracing::warn!(url, %why, "evidence could not be fetched");
            Self::new(What::Failed, now.plus_secs(FAILURE_SECS), now)
        })
    }

    fn add_to(&self, need: &Need, evidence: &mut Evidence) {
        match &self.what {
            What::Issuer(certificates) => {
                for certificate in certificates {
                    evidence.add_certificate(certificate.clone());
                }
                // The URL was followed; whether it led anywhere, the core can see for itself.
                evidence.mark_unavailable(need.clone());
            }
            What::Crl(crl) => evidence.add_crl(Arc::clone(crl)),
            What::Ocsp(response) => evidence.add_ocsp(Arc::clone(response)),
            What::Failed => evidence.mark_unavailable(need.clone()),
        }
    }
}

async fn fetch_issuer(fetcher: &Fetcher, url: &str, now: UnixTime) -> Result<Item, String> {
    let fetched = fetcher
        .get(Kind::Issuer, url)
        .await
        .map_err(|e| e.to_string())?;
    let certificates = udap_pki::pem::certificates(&fetched.body).map_err(|e| e.to_string())?;
    // RFC 5280 §4.2.2.1 allows a bundle; four cross certificates are more than are ever useful.
    let certificates = certificates.into_iter().take(4).collect();
    Ok(Item::new(
        What::Issuer(certificates),
        now.plus_secs(ISSUER_SECS),
        now,
    ))
}

async fn fetch_crl(fetcher: &Fetcher, url: &str, now: UnixTime) -> Result<Item, String> {
    let fetched = fetcher
        .get(Kind::Crl, url)
        .await
        .map_err(|e| e.to_string())?;
    let crl = Crl::from_der(&fetched.body).map_err(|e| e.to_string())?;
    // One that has lapsed is kept as shortly as a failure: the core then says so in its own words.
    let expires = crl
        .next_update()
        .unwrap_or(now.plus_secs(NO_NEXT_UPDATE_SECS))
        .max(now.plus_secs(FAILURE_SECS));
    Ok(Item::new(What::Crl(Arc::new(crl)), expires, now))
}

async fn fetch_ocsp(
    fetcher: &Fetcher,
    url: &str,
    request: &[u8],
    now: UnixTime,
) -> Result<Item, String> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/ocsp-request"),
    );
    let answer = fetcher
        .send(
            Kind::Ocsp,
            Method::POST,
            url,
            headers,
            Bytes::copy_from_slice(request),
        )
        .await
        .map_err(|e| e.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("status {}", answer.status()));
    }
    let response = OcspResponse::from_der(answer.body()).map_err(|e| e.to_string())?;
    let expires = response
        .next_update()
        .unwrap_or(now.plus_secs(FAILURE_SECS))
        .max(now.plus_secs(FAILURE_SECS));
    Ok(Item::new(What::Ocsp(Arc::new(response)), expires, now))
}
