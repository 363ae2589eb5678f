//! Whether the certificates of a path are revoked: CRLs by RFC 5280 §6.3, OCSP by RFC 6960 §3.2.
//!
//! Every certificate but the anchor is looked at. Current evidence that says *revoked* refuses, whatever other
//! evidence says; and since revocation is for good (save a hold), so does evidence that has gone stale.

mod lists;
mod responses;

use crate::crl::Revoked;
use crate::error::WorkLimit;
use crate::path::{Engine, limit};
use crate::trace::{Check, Detail, Mark};
use crate::verify::{Asking, limits};
use crate::{
    Certificate, Name, Need, Reason, Revocation, RevocationGap, RevocationSource, UnixTime,
};

/// What is known about a path.
pub(crate) enum PathStatus {
    Good {
        expires: UnixTime,
        checked: bool,
    },
    /// Refused with what is at hand; more evidence may change that.
    Undecided(Reason),
    Refused(Reason),
}

/// What is known about one certificate.
#[derive(Clone)]
enum Status {
    Good { expires: UnixTime },
    Revoked(Box<Reason>),
    Unknown(RevocationGap),
}

/// A status already worked out: certificate, issuer, anchor.
pub(crate) struct Known {
    certificate: u32,
    issuer: u32,
    anchor: u32,
    status: Status,
}

/// Why evidence is of no use, or until when it is.
type Usable = Result<UnixTime, RevocationGap>;

/// Where a certificate stands: in the path, at this place.
#[derive(Clone, Copy)]
struct Place<'p> {
    path: &'p [u32],
    at: usize,
    nesting: u8,
}

impl Place<'_> {
    fn certificate(&self) -> u32 {
        self.path.get(self.at).copied().unwrap_or(u32::MAX)
    }

    fn issuer(&self) -> u32 {
        self.path.get(self.at + 1).copied().unwrap_or(u32::MAX)
    }

    fn anchor(&self) -> u32 {
        self.path.last().copied().unwrap_or(u32::MAX)
    }
}

impl<'a> Engine<'a> {
    /// Every certificate of the path but the anchor, from the anchor down.
    pub(crate) fn check_revocation(&mut self, path: &[u32], nesting: u8) -> PathStatus {
        let mode = self.policy.revocation;
        if mode == Revocation::Off {
            return PathStatus::Good {
                expires: UnixTime::NO_EXPIRY,
                checked: false,
            };
        }
        let mut expires = UnixTime::NO_EXPIRY;
        let mut checked = true;
        let mut refused = None;
        let mut asked = false;
        for at in (0..path.len().saturating_sub(1)).rev() {
            let place = Place { path, at, nesting };
            let (Some(certificate), Some(issuer)) =
                (self.at(place.certificate()), self.at(place.issuer()))
            else {
                return PathStatus::Refused(limit(WorkLimit::Steps));
            };
            let needs_before = self.needs.len();
            let group = self
                .trace
                .open(Check::Revocation, Some(certificate), Detail::None);
            let status = self.status(place, certificate, issuer);
            let mark = match &status {
                Status::Good { .. } => Mark::Ok,
                Status::Revoked(_) => Mark::Failed,
                Status::Unknown(_) if mode == Revocation::Prefer => Mark::Skipped,
                Status::Unknown(_) => Mark::Failed,
            };
            match status {
                Status::Good { expires: until } => expires = expires.min(until),
                Status::Revoked(reason) => {
                    self.trace.note(
                        Mark::Failed,
                        Check::Revocation,
                        Some(certificate),
                        Detail::Reason(reason.clone()),
                    );
                    self.trace.close(group, mark);
                    return PathStatus::Refused(*reason);
                }
                Status::Unknown(gap) => {
                    checked = false;
                    let named = names_revocation(certificate);
                    let must = match mode {
                        Revocation::Require => true,
                        Revocation::WhereNamed => named,
                        Revocation::Prefer | Revocation::Off => false,
                    };
                    self.ask(certificate, issuer);
                    asked |= self.needs.len() > needs_before;
                    let gap = self.explain(gap, certificate, named);
                    self.trace.note(
                        mark,
                        Check::Revocation,
                        Some(certificate),
                        Detail::Gap(Box::new(gap.clone())),
                    );
                    let reason = Reason::RevocationUnavailable {
                        certificate: certificate.label(),
                        gap,
                    };
                    if refused.is_none() && (must || asked) {
                        refused = Some((reason, must));
                    }
                }
            }
            self.trace.close(group, mark);
        }
        match refused {
            Some((reason, _)) if asked => PathStatus::Undecided(reason),
            Some((reason, true)) => PathStatus::Refused(reason),
            _ => PathStatus::Good { expires, checked },
        }
    }

    fn status(
        &mut self,
        place: Place<'_>,
        certificate: &'a Certificate,
        issuer: &'a Certificate,
    ) -> Status {
        let (at, by, anchor) = (place.certificate(), place.issuer(), place.anchor());
        let known = self
            .known
            .iter()
            .find(|known| known.certificate == at && known.issuer == by && known.anchor == anchor);
        if let Some(known) = known {
            return known.status.clone();
        }
        // RFC 9608: its CA says that nothing will ever be known. Whoever names a source all the same is asked.
        if certificate.extensions().no_revocation_available
            && !certificate.is_ca()
            && !names_revocation(certificate)
        {
            let text = Detail::Text("its CA offers no revocation for it (noRevAvail, RFC 9608)");
            self.trace
                .note(Mark::Skipped, Check::Revocation, Some(certificate), text);
            return Status::Good {
                expires: UnixTime::NO_EXPIRY,
            };
        }
        let by_ocsp = self.ocsp_status(place, certificate, issuer);
        let by_crl = if matches!(by_ocsp, Status::Revoked(_)) {
            Status::Unknown(RevocationGap::NotAtHand)
        } else {
            self.crl_status(place, certificate)
        };
        let status = match (by_ocsp, by_crl) {
            (revoked @ Status::Revoked(_), _) | (_, revoked @ Status::Revoked(_)) => revoked,
            (Status::Good { expires: a }, Status::Good { expires: b }) => {
                Status::Good { expires: a.max(b) }
            }
            (good @ Status::Good { .. }, _) | (_, good @ Status::Good { .. }) => good,
            (Status::Unknown(a), Status::Unknown(b)) => {
                Status::Unknown(if b == RevocationGap::NotAtHand { a } else { b })
            }
        };
        // A signer still in progress may yet turn out well; that answer is not kept.
        if self.signers_in_progress.is_empty() {
            self.known.push(Known {
                certificate: at,
                issuer: by,
                anchor,
                status: status.clone(),
            });
        }
        status
    }

    /// What to fetch: CRLs, which serve every member, and OCSP where no CRL can be had.
    fn ask(&mut self, certificate: &Certificate, issuer: &Certificate) {
        if self.asking == Asking::Nothing {
            return;
        }
        let mut covered = 0;
        let mut asked = false;
        for point in &certificate.extensions().distribution_points {
            let reasons = point.reasons.unwrap_or(ALL_REASONS) & ALL_REASONS;
            if reasons & !covered == 0 {
                continue;
            }
            let mut needs = point.urls().map(|url| Need::Crl {
                url: url.to_owned(),
            });
            if let Some(need) = needs.find(|need| !self.is_unavailable(need)) {
                self.need(need);
                covered |= reasons;
                asked = true;
            }
        }
        if asked {
            return;
        }
        let mut urls = certificate.ocsp_urls().iter();
        if urls.len() == 0 {
            return;
        }
        let need = urls.find_map(|url| {
            let need = Need::Ocsp {
                url: url.clone(),
                certificate: certificate.clone(),
                issuer: issuer.clone(),
            };
            (!self.is_unavailable(&need)).then_some(need)
        });
        if let Some(need) = need {
            self.need(need);
        }
    }

    /// The gap in the words that fit: nothing named, not fetched, or not to be had.
    fn explain(&self, gap: RevocationGap, certificate: &Certificate, named: bool) -> RevocationGap {
        if gap != RevocationGap::NotAtHand {
            return gap;
        }
        if !named {
            return RevocationGap::NothingNamed;
        }
        let mut urls = certificate.crl_urls().iter().chain(certificate.ocsp_urls());
        let tried = |url: &&String| {
            self.evidence.unavailable().iter().any(|need| match need {
                Need::Crl { url: failed } | Need::Ocsp { url: failed, .. } => failed == *url,
                Need::Issuer { .. } => false,
            })
        };
        match urls.find(tried) {
            Some(url) => RevocationGap::Unreachable { url: url.clone() },
            None => RevocationGap::NotAtHand,
        }
    }

    /// Until when evidence of this age counts.
    fn fresh(
        &self,
        source_kind: RevocationSource,
        this_update: UnixTime,
        next_update: Option<UnixTime>,
    ) -> Usable {
        if this_update > self.now.plus_secs(limits::SKEW_SECS) {
            return Err(RevocationGap::NotYetValid {
                source_kind,
                this_update,
            });
        }
        let next_update = match (next_update, source_kind) {
            (Some(next), _) => next,
            // RFC 6960 §2.4: newer data is to be had at any time, so this is believed only for a moment.
            (None, RevocationSource::Ocsp) => {
                this_update.plus_secs(limits::OCSP_WITHOUT_NEXT_UPDATE_SECS)
            }
            (None, RevocationSource::Crl) => {
                return Err(RevocationGap::NoNextUpdate { source_kind });
            }
        };
        let until = next_update.plus_secs(self.policy.grace_secs.clamp(0, limits::GRACE_SECS));
        if self.now > until {
            Err(RevocationGap::Stale {
                source_kind,
                next_update,
            })
        } else {
            Ok(until)
        }
    }
}

fn refusal(
    certificate: &Certificate,
    revoked: Revoked,
    source_kind: RevocationSource,
    by: &Name,
) -> Reason {
    Reason::CertificateRevoked {
        certificate: certificate.label(),
        serial: certificate.serial_hex(),
        at: revoked.at,
        reason: revoked.reason,
        source_kind,
        by: by.to_string(),
    }
}

/// Whether a certificate says where its status is to be had.
fn names_revocation(certificate: &Certificate) -> bool {
    let extensions = certificate.extensions();
    !extensions.distribution_points.is_empty()
        || !extensions.freshest_crl.is_empty()
        || !extensions.ocsp_urls.is_empty()
}

/// Every bit of ReasonFlags but `unused`.
const ALL_REASONS: u16 = 0x7f80;
