//! The OCSP responses about one certificate: the newest that proved genuine, and one that has not.
//!
//! They come over http as CRLs do, and whoever is on the way may answer with junk or with a response from
//! before a revocation. The issuer is known from the need, so that a response proves genuine when it comes; one
//! of a delegate whose certificate does not come with it is for the core to judge.

use std::sync::Arc;
use udap_pki::{Certificate, OcspResponse, UnixTime, limits::SKEW_SECS};

#[derive(Debug, Default)]
pub(super) struct Responses {
    proven: Option<Proven>,
    latest: Option<Arc<OcspResponse>>,
}

#[derive(Debug)]
struct Proven {
    response: Arc<OcspResponse>,
    /// As of when it speaks about the certificate.
    this_update: UnixTime,
}

impl Responses {
    /// Takes a fetched response. Says whether it is the one to go by: not if it is older than the genuine one
    /// that is known, or not known to be genuine beside one that is.
    pub(super) fn take(
        &mut self,
        response: Arc<OcspResponse>,
        certificate: &Certificate,
        issuer: &Certificate,
        now: UnixTime,
    ) -> bool {
        let is_ahead = |this_update: UnixTime| this_update > now.plus_secs(SKEW_SECS);
        let genuine = response.genuine(certificate, issuer, now);
        let Some(this_update) = genuine
            .map(|single| single.this_update())
            .filter(|this_update| !is_ahead(*this_update))
        else {
            self.latest = Some(response);
            return self.proven.is_none();
        };
        // As with CRLs: unless it is our own clock that was ahead.
        let is_older =
            |known: &Proven| this_update < known.this_update && !is_ahead(known.this_update);
        if self.proven.as_ref().is_some_and(is_older) {
            return false;
        }
        self.proven = Some(Proven {
            response,
            this_update,
        });
        self.latest = None;
        true
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<OcspResponse>> {
        let proven = self.proven.iter().map(|proven| &proven.response);
        proven.chain(&self.latest)
    }
}
