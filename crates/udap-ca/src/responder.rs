use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use udap_pki::{
    Certificate, UnixTime,
    issue::{
        self, CertId, Names, OcspAnswer, OcspRequest, OcspSpec, OcspStatus, OcspUnsigned, Profile,
        Subject,
    },
};

use crate::{Ca, CaError, check::serial_hex, keys::SigningKey, publish::BACKDATE};

/// Answers OCSP for the issuing CA (RFC 6960), by a delegate that the CA itself certifies.
///
/// Without a nonce the answer is signed once and kept until something is revoked or it grows old;
/// with one (RFC 9654) it is signed on the spot, within a rate. A status always comes from the
/// database, never from a certificate's absence in a list.
#[derive(Debug, Default)]
pub(crate) struct Responder {
    delegate: ArcSwapOption<Delegate>,
    renewing: tokio::sync::Mutex<()>,
    answers: Mutex<HashMap<Vec<u8>, Cached>>,
    rate: Mutex<Rate>,
}

/// The responder's certificate and its key, which never touches the disk: each process makes its
/// own, short-lived (RFC 6960 §4.2.2.2).
#[derive(Debug)]
struct Delegate {
    certificate: Certificate,
    key: SigningKey,
}

#[derive(Clone, Debug)]
struct Cached {
    /// What was published when the status was read; another epoch means it may be wrong.
    epoch: i64,
    der: Bytes,
    tag: String,
    this_update: UnixTime,
    next_update: UnixTime,
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// From the store of signed answers; caches may keep it for a short while.
    PreSigned {
        der: Bytes,
        tag: String,
        this_update: UnixTime,
        next_update: UnixTime,
    },
    /// For this request only.
    Live(Bytes),
    /// A status without signature.
    Unsigned(OcspUnsigned),
}

impl Responder {
    pub(crate) async fn answer(&self, ca: &Ca, request: &OcspRequest) -> Result<Answer, CaError> {
        // RFC 5019 §2.2.3: unauthorized, when we do not speak for the issuer.
        let Some(issuing) = &ca.issuing else {
            return Ok(Answer::Unsigned(OcspUnsigned::Unauthorized));
        };
        if !request
            .cert_ids()
            .iter()
            .all(|id| id.is_issued_by(&issuing.certificate))
        {
            return Ok(Answer::Unsigned(OcspUnsigned::Unauthorized));
        }

        let now = ca.now();
        let epoch = ca.published.load().epoch;
        if let (None, [cert_id]) = (request.nonce(), request.cert_ids()) {
            if let Some(cached) = self.cached(cert_id, epoch, now) {
                return Ok(cached.into());
            }
            let status = status(ca, cert_id).await?;
            // A serial number that was never issued could be anything; only what we issued is kept.
            // So is only the usual form of a name, or one certificate could fill the store.
            let is_usual =
                CertId::new(&issuing.certificate, cert_id.serial(), cert_id.hash())? == *cert_id;
            if status != OcspStatus::Unknown && is_usual {
                let (der, next_update) = self.sign(ca, &[(cert_id, status)], None, now).await?;
                let tag = format!("{epoch}-{}-{}", serial_hex(cert_id.serial()), now.0);
                let this_update = now.plus_secs(-BACKDATE);
                let cached = Cached {
                    epoch,
                    der,
                    tag,
                    this_update,
                    next_update,
                };
                self.keep(cert_id, cached.clone());
                return Ok(cached.into());
            }
        }

        if !lock(&self.rate).allow(now) {
            return Ok(Answer::Unsigned(OcspUnsigned::TryLater));
        }
        let mut statuses = Vec::with_capacity(request.cert_ids().len());
        for cert_id in request.cert_ids() {
            statuses.push((cert_id, status(ca, cert_id).await?));
        }
        let (der, _) = self.sign(ca, &statuses, request.nonce(), now).await?;
        Ok(Answer::Live(der))
    }

    /// Drops every signed answer: something changed that they may contradict.
    pub(crate) fn forget(&self) {
        lock(&self.answers).clear();
    }

    /// Certifies a new delegate when there is none or half of its life is over.
    pub(crate) async fn renew(&self, ca: &Ca) -> Result<(), CaError> {
        let is_good = || {
            self.delegate
                .load()
                .as_ref()
                .is_some_and(|delegate| !delegate.is_due(ca.now()))
        };
        if is_good() {
            return Ok(());
        }
        let _one_at_a_time = self.renewing.lock().await;
        if is_good() {
            return Ok(());
        }
        let key = SigningKey::generate("ocsp", ca.key_type).await?;
        let now = ca.now();
        let dates = (
            now.plus_secs(-BACKDATE),
            now.plus_secs(DELEGATE_SECONDS)
                .min(ca.issuer().certificate.not_after()),
        );
        let subject = Subject::named("OCSP responder");
        let certificate = ca
            .certify(
                Profile::OcspSigner,
                &subject,
                key.spki_der(),
                Names::default(),
                dates,
            )
            .await?;
        tracing::info!(serial = certificate.serial_hex(), until = %certificate.not_after(), "OCSP responder certified");
        self.delegate
            .store(Some(Arc::new(Delegate { certificate, key })));
        // Answers of the old delegate would be refused once its certificate is over.
        self.forget();
        Ok(())
    }

    fn cached(&self, cert_id: &CertId, epoch: i64, now: UnixTime) -> Option<Cached> {
        let answers = lock(&self.answers);
        let cached = answers.get(cert_id.der())?;
        let age = now.secs_since(cached.this_update);
        let is_fresh = cached.epoch == epoch && (0..ANSWER_SECONDS / 2).contains(&age);
        is_fresh.then(|| cached.clone())
    }

    fn keep(&self, cert_id: &CertId, cached: Cached) {
        let mut answers = lock(&self.answers);
        if answers.len() >= MAX_ANSWERS {
            answers.clear();
        }
        answers.insert(cert_id.der().to_vec(), cached);
    }

    async fn sign(
        &self,
        ca: &Ca,
        statuses: &[(&CertId, OcspStatus)],
        nonce: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<(Bytes, UnixTime), CaError> {
        self.renew(ca).await?;
        let delegate = self.delegate.load_full();
        let delegate = delegate.ok_or_else(|| CaError::Sign {
            role: "ocsp",
            detail: "it is missing".to_owned(),
        })?;
        let this_update = now.plus_secs(-BACKDATE);
        let next_update = now
            .plus_secs(ANSWER_SECONDS)
            .min(delegate.certificate.not_after());
        let answers: Vec<_> = statuses
            .iter()
            .map(|(cert_id, status)| OcspAnswer {
                cert_id: (*cert_id).clone(),
                status: *status,
                this_update,
                next_update,
            })
            .collect();
        let to_be_signed = issue::ocsp_answer(&OcspSpec {
            responder: &delegate.certificate,
            certificates: std::slice::from_ref(&delegate.certificate),
            answers: &answers,
            produced_at: now,
            nonce,
            algorithm: delegate.key.algorithm(),
        })?;
        let signature = delegate.key.sign(&to_be_signed).await?;
        Ok((to_be_signed.finish(&signature)?.into(), next_update))
    }
}

impl Delegate {
    fn is_due(&self, now: UnixTime) -> bool {
        let (from, until) = (self.certificate.not_before(), self.certificate.not_after());
        now < from || now.secs_since(from) > until.secs_since(from) / 2
    }
}

impl From<Cached> for Answer {
    fn from(
        Cached {
            der,
            tag,
            this_update,
            next_update,
            ..
        }: Cached,
    ) -> Self {
        Self::PreSigned {
            der,
            tag,
            this_update,
            next_update,
        }
    }
}

/// The status as last committed by whatever process.
async fn status(ca: &Ca, cert_id: &CertId) -> Result<OcspStatus, CaError> {
    let row = ca.store.certificate(&serial_hex(cert_id.serial())).await?;
    Ok(match row {
        Some(row) if row.issuer == ca.issuer().role.as_str() => match row.revoked {
            Some((at, reason)) => OcspStatus::Revoked { at, reason },
            None => OcspStatus::Good,
        },
        _ => OcspStatus::Unknown,
    })
}

/// Signatures on the spot, per second: askers with nonces, and about what was never issued.
#[derive(Debug, Default)]
struct Rate {
    second: i64,
    used: u32,
}

impl Rate {
    fn allow(&mut self, now: UnixTime) -> bool {
        if self.second != now.0 {
            *self = Self {
                second: now.0,
                used: 0,
            };
        }
        self.used += 1;
        self.used <= LIVE_PER_SECOND
    }
}

/// A panic while one of these was held leaves a map or a counter, both of which are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An hour: askers that keep an answer to its end learn of a revocation within the hour. Answers
/// are made anew after half of it.
const ANSWER_SECONDS: i64 = 3600;

/// A week, renewed after half of it: a stolen delegate key is of use for days, not years.
const DELEGATE_SECONDS: i64 = 7 * 86_400;

/// RSA-2048 signs in some 0.6 ms, so this is an eighth of one core at worst; P-256 needs 20 µs.
const LIVE_PER_SECOND: u32 = 200;

/// Some 1.5 KB each: 30 MB at most.
const MAX_ANSWERS: usize = 20_000;
