//! The CRLs of one URL: the newest that proved genuine, and one that has not yet.
//!
//! CRLs mostly come over http, so anybody on the way may answer. What a CRL says about its own age
//! counts only once it proved to be signed by a CA of a path that was found valid: else one forged
//! list, dated far ahead, would keep every genuine one out. The core checks each list's signature
//! anyway; keeping both lets it fall back on the genuine one. A genuine list from the future counts as
//! little: the CA's clock was ahead for a while, and its right lists must not be older ones for as long.

use crate::fetch::Validators;
use std::sync::Arc;
use udap_pki::{Crl, PublicKey, UnixTime, limits::SKEW_SECS};

/// The most CA keys that are remembered for one URL: a CA has one, two while it changes it.
const MAX_KEYS: usize = 4;

#[derive(Debug, Default, Clone)]
pub(super) struct Crls {
    proven: Option<Arc<Crl>>,
    latest: Option<Arc<Crl>>,
    keys: Vec<PublicKey>,
    /// Those of `proven`.
    validators: Validators,
}

/// What a fetched list changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    New,
    Same,
    /// It is genuine and older than the one that is known: a replayed one would undo revocations.
    Older,
}

impl Crls {
    /// Takes a fetched list.
    pub(super) fn take(&mut self, crl: Arc<Crl>, validators: Validators, now: UnixTime) -> Change {
        if is_ahead(&crl, now) || !self.keys.iter().any(|key| crl.is_signed_by(key)) {
            let same = self
                .latest
                .as_ref()
                .is_some_and(|known| known.der() == crl.der());
            self.latest = Some(crl);
            return if same { Change::Same } else { Change::New };
        }
        let change = match &self.proven {
            Some(known) if known.der() == crl.der() => Change::Same,
            // Unless it is our own clock that was ahead and is right again.
            Some(known) if crl.this_update() < known.this_update() && !is_ahead(known, now) => {
                return Change::Older;
            }
            _ => Change::New,
        };
        self.proven = Some(crl);
        self.validators = validators;
        self.latest = None;
        change
    }

    /// Learns a key by which a list may prove genuine. Says whether that was news.
    pub(super) fn learn(&mut self, key: &PublicKey, now: UnixTime) -> bool {
        if self.knows(key) {
            return false;
        }
        if self.keys.len() >= MAX_KEYS {
            self.keys.remove(0);
        }
        self.keys.push(key.clone());
        if let Some(latest) = self.latest.take() {
            let _ = self.take(latest, Validators::default(), now);
        }
        true
    }

    pub(super) fn knows(&self, key: &PublicKey) -> bool {
        self.keys
            .iter()
            .any(|known| known.spki_der() == key.spki_der())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Crl>> {
        self.proven.iter().chain(&self.latest)
    }

    pub(super) fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    pub(super) fn validators(&self) -> Validators {
        self.validators.clone()
    }

    /// Whether there is one that has begun and has not lapsed.
    pub(super) fn fresh(&self, now: UnixTime) -> bool {
        self.all()
            .any(|crl| !is_ahead(crl, now) && crl.next_update().is_none_or(|next| now <= next))
    }
}

fn is_ahead(crl: &Crl, now: UnixTime) -> bool {
    crl.this_update() > now.plus_secs(SKEW_SECS)
}
