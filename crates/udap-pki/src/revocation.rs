//! Whether the certificates of a path are revoked: CRLs by RFC 5280 §6.3, OCSP by RFC 6960 §3.2.
//!
//! Every certificate but the anchor is looked at. Current evidence that says *revoked* refuses, whatever other
//! evidence says; and since revocation is for good (save a hold), so does evidence that has gone stale.

use crate::crl::{Revoked, number_at_most};
use crate::error::WorkLimit;
use crate::extensions::{DistributionPoint, IssuingDistributionPoint, PointName};
use crate::general_name::GeneralName;
use crate::ocsp::{self, CertStatus};
use crate::path::{Built, Engine, Role, limit};
use crate::trace::{Check, Detail, Mark};
use crate::verify::{Asking, limits};
use crate::{
    Certificate, Crl, Name, Need, OcspResponse, Reason, Revocation, RevocationGap, RevocationReason, RevocationSource,
    UnixTime,
};
use std::sync::Arc;

/// What is known about a path.
pub(crate) enum PathStatus {
    Good { expires: UnixTime, checked: bool },
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
            return PathStatus::Good { expires: UnixTime::NO_EXPIRY, checked: false };
        }
        let mut expires = UnixTime::NO_EXPIRY;
        let mut checked = true;
        let mut refused = None;
        let mut asked = false;
        for at in (0..path.len().saturating_sub(1)).rev() {
            let place = Place { path, at, nesting };
            let (Some(certificate), Some(issuer)) = (self.at(place.certificate()), self.at(place.issuer())) else {
                return PathStatus::Refused(limit(WorkLimit::Steps));
            };
            let needs_before = self.needs.len();
            let group = self.trace.open(Check::Revocation, Some(certificate), Detail::None);
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
                    self.trace.note(Mark::Failed, Check::Revocation, Some(certificate), Detail::Reason(reason.clone()));
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
                    self.trace.note(mark, Check::Revocation, Some(certificate), Detail::Gap(Box::new(gap.clone())));
                    let reason = Reason::RevocationUnavailable { certificate: certificate.label(), gap };
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

    fn status(&mut self, place: Place<'_>, certificate: &'a Certificate, issuer: &'a Certificate) -> Status {
        let (at, by, anchor) = (place.certificate(), place.issuer(), place.anchor());
        let known =
            self.known.iter().find(|known| known.certificate == at && known.issuer == by && known.anchor == anchor);
        if let Some(known) = known {
            return known.status.clone();
        }
        // RFC 9608: its CA says that nothing will ever be known. Whoever names a source all the same is asked.
        if certificate.extensions().no_revocation_available && !certificate.is_ca() && !names_revocation(certificate) {
            let text = Detail::Text("its CA offers no revocation for it (noRevAvail, RFC 9608)");
            self.trace.note(Mark::Skipped, Check::Revocation, Some(certificate), text);
            return Status::Good { expires: UnixTime::NO_EXPIRY };
        }
        let by_ocsp = self.ocsp_status(place, certificate, issuer);
        let by_crl = if matches!(by_ocsp, Status::Revoked(_)) {
            Status::Unknown(RevocationGap::NotAtHand)
        } else {
            self.crl_status(place, certificate)
        };
        let status = match (by_ocsp, by_crl) {
            (revoked @ Status::Revoked(_), _) | (_, revoked @ Status::Revoked(_)) => revoked,
            (Status::Good { expires: a }, Status::Good { expires: b }) => Status::Good { expires: a.max(b) },
            (good @ Status::Good { .. }, _) | (_, good @ Status::Good { .. }) => good,
            (Status::Unknown(a), Status::Unknown(b)) => {
                Status::Unknown(if b == RevocationGap::NotAtHand { a } else { b })
            }
        };
        // A signer still in progress may yet turn out well; that answer is not kept.
        if self.signers_in_progress.is_empty() {
            self.known.push(Known { certificate: at, issuer: by, anchor, status: status.clone() });
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
            let mut needs = point.urls().map(|url| Need::Crl { url: url.to_owned() });
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
        let request = ocsp::request(certificate, issuer, None);
        let need = urls.find_map(|url| {
            let need = Need::Ocsp { url: url.clone(), request: request.clone() };
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

    // CRLs

    /// RFC 5280 §6.3.3 over every CRL at hand that speaks for the certificate.
    fn crl_status(&mut self, place: Place<'_>, certificate: &'a Certificate) -> Status {
        let evidence = self.evidence;
        let mut gap = RevocationGap::NotAtHand;
        let mut speaking: Vec<(&'a Arc<Crl>, u16)> = Vec::new();
        for crl in evidence.crls() {
            if !may_speak(crl, certificate) {
                continue;
            }
            match reasons_spoken_for(crl, certificate) {
                0 => {
                    widen(&mut gap, RevocationGap::OutOfScope);
                    self.note_crl(Mark::Skipped, certificate, crl, Some(RevocationGap::OutOfScope));
                }
                _ if crl.delta_base().is_some() => widen(&mut gap, RevocationGap::DeltaWithoutBase),
                reasons => speaking.push((crl, reasons)),
            }
        }
        // The newest list of each scope counts, once it has proved to be genuine.
        speaking.sort_by_key(|(crl, _)| std::cmp::Reverse(crl.this_update()));
        let mut covered = 0;
        let mut expires = UnixTime::NO_EXPIRY;
        let mut used: Vec<&Arc<Crl>> = Vec::new();
        for (crl, reasons) in speaking {
            if used.iter().any(|newer| newer.same_scope(crl)) {
                self.note_crl(Mark::Skipped, certificate, crl, None);
                continue;
            }
            match self.look_up(place, certificate, crl) {
                Ok(Looked { revoked: Some(revoked), .. }) => {
                    self.note_crl(Mark::Failed, certificate, crl, None);
                    return Status::Revoked(Box::new(refusal(certificate, revoked, RevocationSource::Crl, crl.issuer())));
                }
                Ok(Looked { until, .. }) => {
                    match until {
                        Ok(until) => {
                            used.push(crl);
                            covered |= reasons;
                            expires = expires.min(until);
                            self.note_crl(Mark::Ok, certificate, crl, None);
                        }
                        Err(stale) => {
                            self.note_crl(Mark::Failed, certificate, crl, Some(stale.clone()));
                            gap = stale;
                        }
                    }
                }
                Err(useless) => {
                    self.note_crl(Mark::Failed, certificate, crl, Some(useless.clone()));
                    gap = useless;
                }
            }
        }
        if covered == ALL_REASONS {
            Status::Good { expires }
        } else if covered != 0 {
            Status::Unknown(RevocationGap::SomeReasonsOnly)
        } else {
            Status::Unknown(gap)
        }
    }

    /// What one genuine list, together with its newest delta, says.
    fn look_up(&mut self, place: Place<'_>, certificate: &Certificate, crl: &'a Arc<Crl>) -> Result<Looked, RevocationGap> {
        if let Some(oid) = crl.unknown_critical() {
            let source_kind = RevocationSource::Crl;
            return Err(RevocationGap::UnknownCriticalExtension { source_kind, oid: oid.to_string() });
        }
        if let Err(error) = crl.signature_scheme() {
            return Err(RevocationGap::AlgorithmRefused { source_kind: RevocationSource::Crl, error: error.clone() });
        }
        if crl.this_update() > self.now.plus_secs(limits::SKEW_SECS) {
            let source_kind = RevocationSource::Crl;
            return Err(RevocationGap::NotYetValid { source_kind, this_update: crl.this_update() });
        }
        let (signer, signer_expires) = self.crl_signer(place, crl)?;
        let mut until = self.fresh(RevocationSource::Crl, crl.this_update(), crl.next_update());
        let mut found = crl.find(certificate.serial(), certificate.issuer());
        // A delta brings the list up to date (§5.2.4): what it says of a certificate replaces what the list says.
        if let Some((delta, delta_until)) = self.newest_delta(crl, signer) {
            until = Ok(until.map_or(delta_until, |until| until.min(delta_until)));
            self.note_crl(Mark::Ok, certificate, delta, None);
            found = delta.find(certificate.serial(), certificate.issuer()).or(found);
        }
        let revoked = found.filter(|found| match found.reason {
            RevocationReason::RemoveFromCrl => false,
            // A hold may have been lifted since.
            RevocationReason::CertificateHold => until.is_ok(),
            _ => true,
        });
        Ok(Looked { revoked, until: until.map(|until| until.min(signer_expires)) })
    }

    /// §6.3.3 (f) and (g): a key that may sign this list and did, and until when it may.
    fn crl_signer(&mut self, place: Place<'_>, crl: &'a Arc<Crl>) -> Result<(u32, UnixTime), RevocationGap> {
        let mut gap = RevocationGap::SignatureInvalid { source_kind: RevocationSource::Crl };
        // CAs of this very path, the issuer first: they are judged already.
        for at in place.path.iter().skip(place.at + 1) {
            let Some(signer) = self.at(*at).filter(|signer| signer.subject() == crl.issuer()) else { continue };
            if !self.signed_crl(signer, crl) {
                continue;
            }
            if signer.key_usage().is_none_or(|usage| usage.crl_sign()) {
                return Ok((*at, UnixTime::NO_EXPIRY));
            }
            gap = RevocationGap::SignerKeyUsage { signer: signer.label() };
        }
        // Somebody else of that name, who must lead to the same anchor.
        for at in self.subjects(crl.issuer()) {
            if place.path.iter().skip(place.at + 1).any(|member| *member == at) {
                continue;
            }
            let Some(signer) = self.at(at) else { continue };
            if !self.signed_crl(signer, crl) {
                continue;
            }
            // The signer's own certificate, whose CA named this very signer (cRLIssuer) to tell its status: the CA's choice,
            // and asking on would go round in a circle.
            let own = at == place.certificate() && self.signers_in_progress.last() == Some(&at);
            if own && signer.issuer() != crl.issuer() {
                return Ok((at, UnixTime::NO_EXPIRY));
            }
            match self.trusted_signer(place, at, signer) {
                Ok(expires) => return Ok((at, expires)),
                Err(refused) => gap = refused,
            }
        }
        Err(gap)
    }

    fn signed_crl(&mut self, signer: &Certificate, crl: &Crl) -> bool {
        let Ok(key) = signer.public_key() else { return false };
        crl.known_signed_by(key).unwrap_or_else(|| self.spend_signature() && crl.is_signed_by(key))
    }

    /// Whether a CRL signer beside the path leads to the anchor of the path.
    fn trusted_signer(&mut self, place: Place<'_>, at: u32, signer: &'a Certificate) -> Usable {
        let refused = |code| RevocationGap::SignerNotTrusted {
            source_kind: RevocationSource::Crl,
            signer: signer.label(),
            code,
        };
        if place.nesting >= limits::NESTING || self.signers_in_progress.contains(&at) {
            return Err(refused("revocation-unavailable"));
        }
        let group = self.trace.open(Check::Signer, Some(signer), Detail::None);
        self.signers_in_progress.push(at);
        let built = self.build(at, Role::CrlSigner, Some(place.anchor()), place.nesting + 1);
        self.signers_in_progress.pop();
        let result = match built {
            Built::Valid(found) => Ok(found.expires),
            Built::Undecided(reason) | Built::Refused(reason) => Err(refused(reason.code())),
        };
        self.trace.close(group, if result.is_ok() { Mark::Ok } else { Mark::Failed });
        result
    }

    /// §6.3.3 (c) and (h): the newest current delta of this list, signed with the same key.
    fn newest_delta(&mut self, base: &Crl, signer: u32) -> Option<(&'a Arc<Crl>, UnixTime)> {
        let number = base.number()?;
        let evidence = self.evidence;
        let signer = self.at(signer)?;
        let mut newest: Option<(&'a Arc<Crl>, UnixTime)> = None;
        for delta in evidence.crls() {
            let fits = delta.delta_base().is_some_and(|from| number_at_most(from, number))
                && delta.number().is_some_and(|to| !number_at_most(to, number))
                && delta.same_scope(base)
                && delta.authority_key_id() == base.authority_key_id()
                && delta.unknown_critical().is_none()
                && newest.as_ref().is_none_or(|(newest, _)| newest.this_update() < delta.this_update());
            if !fits {
                continue;
            }
            let Ok(until) = self.fresh(RevocationSource::Crl, delta.this_update(), delta.next_update()) else { continue };
            if self.signed_crl(signer, delta) {
                newest = Some((delta, until));
            }
        }
        newest
    }

    fn note_crl(&mut self, mark: Mark, certificate: &Certificate, crl: &Arc<Crl>, gap: Option<RevocationGap>) {
        self.trace.note(mark, Check::Crl, Some(certificate), Detail::Crl(Arc::clone(crl), gap.map(Box::new)));
    }

    // OCSP

    /// RFC 6960 §3.2 over every response at hand.
    fn ocsp_status(&mut self, place: Place<'_>, certificate: &'a Certificate, issuer: &'a Certificate) -> Status {
        let evidence = self.evidence;
        let mut good: Option<UnixTime> = None;
        let mut gap = RevocationGap::NotAtHand;
        for response in evidence.ocsp() {
            for single in response.responses().iter().filter(|single| single.is_about(certificate, issuer)) {
                let source_kind = RevocationSource::Ocsp;
                let critical = response.unknown_critical().or_else(|| single.unknown_critical());
                let usable = match critical {
                    Some(oid) => Err(RevocationGap::UnknownCriticalExtension { source_kind, oid: oid.to_string() }),
                    None => self.responder(place, issuer, response),
                };
                let fresh = self.fresh(source_kind, single.this_update(), single.next_update());
                let status = single.status();
                if let (Ok(_), CertStatus::Revoked { at, reason }) = (&usable, status) {
                    // As with CRLs: stale or not, revoked is revoked, save a hold.
                    let from_future = matches!(fresh, Err(RevocationGap::NotYetValid { .. }));
                    if fresh.is_ok() || (reason != RevocationReason::CertificateHold && !from_future) {
                        self.note_ocsp(Mark::Failed, certificate, response, None);
                        let revoked = Revoked { at, reason };
                        return Status::Revoked(Box::new(refusal(certificate, revoked, source_kind, issuer.subject())));
                    }
                }
                match usable.and_then(|signer_expires| fresh.map(|until| until.min(signer_expires))) {
                    Ok(until) if status == CertStatus::Good => {
                        self.note_ocsp(Mark::Ok, certificate, response, None);
                        good = Some(good.map_or(until, |known| known.max(until)));
                    }
                    Ok(_) => {
                        self.note_ocsp(Mark::Skipped, certificate, response, Some(RevocationGap::OcspUnknown));
                        gap = RevocationGap::OcspUnknown;
                    }
                    Err(useless) => {
                        self.note_ocsp(Mark::Failed, certificate, response, Some(useless.clone()));
                        gap = useless;
                    }
                }
            }
        }
        good.map_or(Status::Unknown(gap), |expires| Status::Good { expires })
    }

    /// §4.2.2.2: the issuer's own key, or a delegate that the issuer itself certified for the purpose.
    fn responder(&mut self, place: Place<'_>, issuer: &'a Certificate, response: &'a Arc<OcspResponse>) -> Usable {
        let source_kind = RevocationSource::Ocsp;
        if let Err(error) = response.signature_scheme() {
            return Err(RevocationGap::AlgorithmRefused { source_kind, error: error.clone() });
        }
        if response.names(issuer) && self.signed_ocsp(issuer, response) {
            return Ok(UnixTime::NO_EXPIRY);
        }
        let mut gap = RevocationGap::SignatureInvalid { source_kind };
        let pool: Vec<&'a Certificate> = self.certificates.clone();
        let known = pool.into_iter().filter(|certificate| {
            certificate.extended_key_usage().is_some_and(|usages| usages.contains(&crate::validate::OCSP_SIGNING))
        });
        for delegate in response.certificates().iter().chain(known) {
            if !response.names(delegate) || delegate.issuer() != issuer.subject() {
                continue;
            }
            match self.delegate(place, delegate, response) {
                Ok(expires) => return Ok(expires),
                Err(Some(refused)) => gap = refused,
                Err(None) => {}
            }
        }
        Err(gap)
    }

    fn signed_ocsp(&mut self, signer: &Certificate, response: &OcspResponse) -> bool {
        let Ok(key) = signer.public_key() else { return false };
        response.known_signed_by(key).unwrap_or_else(|| self.spend_signature() && response.is_signed_by(key))
    }

    /// Until when a delegate may speak; `Err(None)` when it did not sign or is not the issuer's.
    fn delegate(
        &mut self,
        place: Place<'_>,
        delegate: &'a Certificate,
        response: &OcspResponse,
    ) -> Result<UnixTime, Option<RevocationGap>> {
        let refused = |code| RevocationGap::SignerNotTrusted {
            source_kind: RevocationSource::Ocsp,
            signer: delegate.label(),
            code,
        };
        if place.nesting >= limits::NESTING {
            return Err(Some(refused("revocation-unavailable")));
        }
        let at = self.number(delegate);
        if self.edge(at, place.issuer()).is_err() || !self.signed_ocsp(delegate, response) {
            return Err(None);
        }
        // The delegate's own path: itself, then the path from the issuer on.
        let mut path = vec![at];
        path.extend(place.path.iter().skip(place.at + 1));
        let group = self.trace.open(Check::Signer, Some(delegate), Detail::None);
        let mut result = self.check_leaf(delegate, Role::OcspDelegate).map_err(|reason| refused(reason.code()));
        if result.is_ok() {
            let validated = self.validate(&path, Role::OcspDelegate);
            result = validated.map(|_| ()).map_err(|reason| refused(reason.code()));
        }
        let mut expires = delegate.not_after();
        if result.is_ok() && !delegate.extensions().ocsp_no_check {
            // §4.2.2.2.1: without ocsp-nocheck the delegate is checked like anybody, by CRL so as not to go round in a
            // circle. Where its certificate names nothing to check with, the standard leaves it to local policy: its
            // CA chose that, and a CRL at hand that revokes it still counts.
            let place = Place { path: &path, at: 0, nesting: place.nesting + 1 };
            result = match self.crl_status(place, delegate) {
                Status::Good { expires: until } => {
                    expires = expires.min(until);
                    Ok(())
                }
                Status::Revoked(reason) => Err(refused(reason.code())),
                Status::Unknown(_) if !names_revocation(delegate) => Ok(()),
                Status::Unknown(_) if self.policy.revocation == Revocation::Prefer => Ok(()),
                Status::Unknown(_) => {
                    if let Some(issuer) = self.at(place.issuer()) {
                        self.ask(delegate, issuer);
                    }
                    Err(refused("revocation-unavailable"))
                }
            };
        }
        self.trace.close(group, if result.is_ok() { Mark::Ok } else { Mark::Failed });
        result.map(|()| expires).map_err(Some)
    }

    /// The place of a certificate that came with a response.
    fn number(&mut self, certificate: &'a Certificate) -> u32 {
        let known = self.certificates.iter().position(|known| *known == certificate);
        let at = known.unwrap_or_else(|| {
            self.certificates.push(certificate);
            self.certificates.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn note_ocsp(&mut self, mark: Mark, certificate: &Certificate, response: &Arc<OcspResponse>, gap: Option<RevocationGap>) {
        let detail = Detail::Ocsp(Arc::clone(response), gap.map(Box::new));
        self.trace.note(mark, Check::Ocsp, Some(certificate), detail);
    }

    /// Until when evidence of this age counts.
    fn fresh(&self, source_kind: RevocationSource, this_update: UnixTime, next_update: Option<UnixTime>) -> Usable {
        if this_update > self.now.plus_secs(limits::SKEW_SECS) {
            return Err(RevocationGap::NotYetValid { source_kind, this_update });
        }
        let next_update = match (next_update, source_kind) {
            (Some(next), _) => next,
            // RFC 6960 §2.4: newer data is to be had at any time, so this is believed only for a moment.
            (None, RevocationSource::Ocsp) => this_update.plus_secs(limits::OCSP_WITHOUT_NEXT_UPDATE_SECS),
            (None, RevocationSource::Crl) => return Err(RevocationGap::NoNextUpdate { source_kind }),
        };
        let until = next_update.plus_secs(self.policy.grace_secs.clamp(0, limits::GRACE_SECS));
        if self.now > until { Err(RevocationGap::Stale { source_kind, next_update }) } else { Ok(until) }
    }
}

/// What a list says of a certificate, and until when the list counts.
struct Looked {
    revoked: Option<Revoked>,
    until: Usable,
}

fn refusal(certificate: &Certificate, revoked: Revoked, source_kind: RevocationSource, by: &Name) -> Reason {
    Reason::CertificateRevoked {
        certificate: certificate.label(),
        serial: certificate.serial_hex(),
        at: revoked.at,
        reason: revoked.reason,
        source_kind,
        by: by.to_string(),
    }
}

/// A gap that says more than "not at hand" is kept; the first of two that say little is.
fn widen(gap: &mut RevocationGap, other: RevocationGap) {
    if *gap == RevocationGap::NotAtHand {
        *gap = other;
    }
}

/// Whether a certificate says where its status is to be had.
fn names_revocation(certificate: &Certificate) -> bool {
    let extensions = certificate.extensions();
    !extensions.distribution_points.is_empty()
        || !extensions.freshest_crl.is_empty()
        || !extensions.ocsp_urls.is_empty()
}

/// Whether the issuer of a list is one that may speak about the certificate at all.
fn may_speak(crl: &Crl, certificate: &Certificate) -> bool {
    let named = |point: &DistributionPoint| names(&point.crl_issuer, crl.issuer());
    crl.issuer() == certificate.issuer() || certificate.extensions().distribution_points.iter().any(named)
}

fn names(list: &[GeneralName], wanted: &Name) -> bool {
    list.iter().any(|name| matches!(name, GeneralName::Directory(name) if name == wanted))
}

/// §6.3.3 (b) and (d): the reasons for which this list speaks about this certificate, by any of its distribution
/// points or, being its issuer's, by none.
fn reasons_spoken_for(crl: &Crl, certificate: &Certificate) -> u16 {
    let everything = IssuingDistributionPoint::default();
    let scope = crl.scope().unwrap_or(&everything);
    if scope.only_attribute || (scope.only_user && certificate.is_ca()) || (scope.only_ca && !certificate.is_ca()) {
        return 0;
    }
    let list_reasons = scope.reasons.unwrap_or(ALL_REASONS) & ALL_REASONS;
    let list_names = scope.name.as_ref().map(|name| full_names(name, crl.issuer()));
    let mut reasons = 0;
    for point in &certificate.extensions().distribution_points {
        // (b) (1): who issues.
        let issuer_fits = if point.crl_issuer.is_empty() {
            crl.issuer() == certificate.issuer()
        } else {
            scope.indirect && names(&point.crl_issuer, crl.issuer())
        };
        if !issuer_fits {
            continue;
        }
        // (b) (2): which shard.
        let name_fits = match (&list_names, &point.name) {
            (None, _) => true,
            (Some(list), Some(name)) => {
                let base = point.crl_issuer.iter().find_map(|name| match name {
                    GeneralName::Directory(name) => Some(name),
                    _ => None,
                });
                share_a_name(list, &full_names(name, base.unwrap_or(certificate.issuer())))
            }
            (Some(list), None) => share_a_name(list, &point.crl_issuer),
        };
        if name_fits {
            reasons |= list_reasons & point.reasons.unwrap_or(ALL_REASONS);
        }
    }
    // The last paragraph of §6.3.3: the issuer's own list, as if its name were the distribution point.
    if crl.issuer() == certificate.issuer() {
        let own = [GeneralName::Directory(certificate.issuer().clone())];
        if list_names.as_ref().is_none_or(|list| share_a_name(list, &own)) {
            reasons |= list_reasons;
        }
    }
    reasons
}

fn full_names(name: &PointName, base: &Name) -> Vec<GeneralName> {
    match name {
        PointName::Full(names) => names.clone(),
        PointName::Relative(rdn) => base.below(rdn).map(GeneralName::Directory).into_iter().collect(),
    }
}

fn share_a_name(a: &[GeneralName], b: &[GeneralName]) -> bool {
    a.iter().any(|name| !matches!(name, GeneralName::Other(_)) && b.contains(name))
}

/// Every bit of ReasonFlags but `unused`.
const ALL_REASONS: u16 = 0x7f80;
