//! OCSP responses as evidence: RFC 6960 §3.2.

use super::{Place, Status, Usable, names_revocation, refusal};
use crate::crl::Revoked;
use crate::ocsp::CertStatus;
use crate::path::{Engine, Role};
use crate::trace::{Check, Detail, Mark};
use crate::verify::limits;
use crate::{
    Certificate, OcspResponse, Revocation, RevocationGap, RevocationReason, RevocationSource,
    UnixTime,
};
use std::sync::Arc;

impl<'a> Engine<'a> {
    /// RFC 6960 §3.2 over every response at hand.
    pub(super) fn ocsp_status(
        &mut self,
        place: Place<'_>,
        certificate: &'a Certificate,
        issuer: &'a Certificate,
    ) -> Status {
        let evidence = self.evidence;
        let mut good: Option<UnixTime> = None;
        let mut gap = RevocationGap::NotAtHand;
        for response in evidence.ocsp() {
            for single in response
                .responses()
                .iter()
                .filter(|single| single.is_about(certificate, issuer))
            {
                let source_kind = RevocationSource::Ocsp;
                let critical = response
                    .unknown_critical()
                    .or_else(|| single.unknown_critical());
                let usable = match critical {
                    Some(oid) => Err(RevocationGap::UnknownCriticalExtension {
                        source_kind,
                        oid: oid.to_string(),
                    }),
                    None => self.responder(place, issuer, response),
                };
                let fresh = self.fresh(source_kind, single.this_update(), single.next_update());
                let status = single.status();
                if let (Ok(_), CertStatus::Revoked { at, reason }) = (&usable, status) {
                    // As with CRLs: stale or not, revoked is revoked, save a hold.
                    let from_future = matches!(fresh, Err(RevocationGap::NotYetValid { .. }));
                    if fresh.is_ok()
                        || (reason != RevocationReason::CertificateHold && !from_future)
                    {
                        self.note_ocsp(Mark::Failed, certificate, response, None);
                        let revoked = Revoked { at, reason };
                        return Status::Revoked(Box::new(refusal(
                            certificate,
                            revoked,
                            source_kind,
                            issuer.subject(),
                        )));
                    }
                }
                match usable.and_then(|signer_expires| fresh.map(|until| until.min(signer_expires)))
                {
                    Ok(until) if status == CertStatus::Good => {
                        self.note_ocsp(Mark::Ok, certificate, response, None);
                        good = Some(good.map_or(until, |known| known.max(until)));
                    }
                    Ok(_) => {
                        self.note_ocsp(
                            Mark::Skipped,
                            certificate,
                            response,
                            Some(RevocationGap::OcspUnknown),
                        );
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
    fn responder(
        &mut self,
        place: Place<'_>,
        issuer: &'a Certificate,
        response: &'a Arc<OcspResponse>,
    ) -> Usable {
        let source_kind = RevocationSource::Ocsp;
        if let Err(error) = response.signature_scheme() {
            return Err(RevocationGap::AlgorithmRefused {
                source_kind,
                error: error.clone(),
            });
        }
        if response.names(issuer) && self.signed_ocsp(issuer, response) {
            return Ok(UnixTime::NO_EXPIRY);
        }
        let mut gap = RevocationGap::SignatureInvalid { source_kind };
        let pool: Vec<&'a Certificate> = self.certificates.clone();
        let known = pool.into_iter().filter(|certificate| {
            certificate
                .extended_key_usage()
                .is_some_and(|usages| usages.contains(&crate::purpose::OCSP_SIGNING))
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
        let Ok(key) = signer.public_key() else {
            return false;
        };
        response
            .known_signed_by(key)
            .unwrap_or_else(|| self.spend_signature() && response.is_signed_by(key))
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
        let mut result = self
            .check_leaf(delegate, Role::OcspDelegate)
            .map_err(|reason| refused(reason.code()));
        if result.is_ok() {
            let validated = self.validate(&path, Role::OcspDelegate);
            result = validated
                .map(|_| ())
                .map_err(|reason| refused(reason.code()));
        }
        let mut expires = delegate.not_after();
        if result.is_ok() && !delegate.extensions().ocsp_no_check {
            // §4.2.2.2.1: without ocsp-nocheck the delegate is checked like anybody, by CRL so as not to go round in a
            // circle. Where its certificate names nothing to check with, the standard leaves it to local policy: its
            // CA chose that, and a CRL at hand that revokes it still counts.
            let place = Place {
                path: &path,
                at: 0,
                nesting: place.nesting + 1,
            };
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
        self.trace.close(
            group,
            if result.is_ok() {
                Mark::Ok
            } else {
                Mark::Failed
            },
        );
        result.map(|()| expires).map_err(Some)
    }

    /// The place of a certificate that came with a response.
    fn number(&mut self, certificate: &'a Certificate) -> u32 {
        let known = self
            .certificates
            .iter()
            .position(|known| *known == certificate);
        let at = known.unwrap_or_else(|| {
            self.certificates.push(certificate);
            self.certificates.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn note_ocsp(
        &mut self,
        mark: Mark,
        certificate: &Certificate,
        response: &Arc<OcspResponse>,
        gap: Option<RevocationGap>,
    ) {
        let detail = Detail::Ocsp(Arc::clone(response), gap.map(Box::new));
        self.trace
            .note(mark, Check::Ocsp, Some(certificate), detail);
    }
}
