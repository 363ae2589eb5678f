//! Certificate revocation lists as evidence: RFC 5280 §6.3.3.

use super::{ALL_REASONS, Place, Status, Usable, refusal};
use crate::crl::{Revoked, number_at_most};
use crate::extensions::{DistributionPoint, IssuingDistributionPoint, PointName};
use crate::general_name::GeneralName;
use crate::path::{Built, Engine, Role};
use crate::trace::{Check, Detail, Mark};
use crate::verify::limits;
use crate::{Certificate, Crl, Name, RevocationGap, RevocationReason, RevocationSource, UnixTime};
use std::sync::Arc;

impl<'a> Engine<'a> {
    /// RFC 5280 §6.3.3 over every CRL at hand that speaks for the certificate.
    pub(super) fn crl_status(&mut self, place: Place<'_>, certificate: &'a Certificate) -> Status {
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
                    self.note_crl(
                        Mark::Skipped,
                        certificate,
                        crl,
                        Some(RevocationGap::OutOfScope),
                    );
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
                Ok(Looked {
                    revoked: Some(revoked),
                    ..
                }) => {
                    self.note_crl(Mark::Failed, certificate, crl, None);
                    return Status::Revoked(Box::new(refusal(
                        certificate,
                        revoked,
                        RevocationSource::Crl,
                        crl.issuer(),
                    )));
                }
                Ok(Looked { until, .. }) => match until {
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
                },
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
    fn look_up(
        &mut self,
        place: Place<'_>,
        certificate: &Certificate,
        crl: &'a Arc<Crl>,
    ) -> Result<Looked, RevocationGap> {
        if let Some(oid) = crl.unknown_critical() {
            let source_kind = RevocationSource::Crl;
            return Err(RevocationGap::UnknownCriticalExtension {
                source_kind,
                oid: oid.to_string(),
            });
        }
        if let Err(error) = crl.signature_scheme() {
            return Err(RevocationGap::AlgorithmRefused {
                source_kind: RevocationSource::Crl,
                error: error.clone(),
            });
        }
        if crl.this_update() > self.now.plus_secs(limits::SKEW_SECS) {
            let source_kind = RevocationSource::Crl;
            return Err(RevocationGap::NotYetValid {
                source_kind,
                this_update: crl.this_update(),
            });
        }
        let (signer, signer_expires) = self.crl_signer(place, crl)?;
        let mut until = self.fresh(RevocationSource::Crl, crl.this_update(), crl.next_update());
        let mut found = crl.find(certificate.serial(), certificate.issuer());
        // A delta brings the list up to date (§5.2.4): what it says of a certificate replaces what the list says.
        if let Some((delta, delta_until)) = self.newest_delta(crl, signer) {
            until = Ok(until.map_or(delta_until, |until| until.min(delta_until)));
            self.note_crl(Mark::Ok, certificate, delta, None);
            found = delta
                .find(certificate.serial(), certificate.issuer())
                .or(found);
        }
        let revoked = found.filter(|found| match found.reason {
            RevocationReason::RemoveFromCrl => false,
            // A hold may have been lifted since.
            RevocationReason::CertificateHold => until.is_ok(),
            _ => true,
        });
        Ok(Looked {
            revoked,
            until: until.map(|until| until.min(signer_expires)),
        })
    }

    /// §6.3.3 (f) and (g): a key that may sign this list and did, and until when it may.
    fn crl_signer(
        &mut self,
        place: Place<'_>,
        crl: &'a Arc<Crl>,
    ) -> Result<(u32, UnixTime), RevocationGap> {
        let mut gap = RevocationGap::SignatureInvalid {
            source_kind: RevocationSource::Crl,
        };
        // CAs of this very path, the issuer first: they are judged already.
        for at in place.path.iter().skip(place.at + 1) {
            let Some(signer) = self
                .at(*at)
                .filter(|signer| signer.subject() == crl.issuer())
            else {
                continue;
            };
            if !self.signed_crl(signer, crl) {
                continue;
            }
            if signer.key_usage().is_none_or(|usage| usage.crl_sign()) {
                return Ok((*at, UnixTime::NO_EXPIRY));
            }
            gap = RevocationGap::SignerKeyUsage {
                signer: signer.label(),
            };
        }
        // Somebody else of that name, who must lead to the same anchor.
        for at in self.subjects(crl.issuer()) {
            if place
                .path
                .iter()
                .skip(place.at + 1)
                .any(|member| *member == at)
            {
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
        let Ok(key) = signer.public_key() else {
            return false;
        };
        crl.known_signed_by(key)
            .unwrap_or_else(|| self.spend_signature() && crl.is_signed_by(key))
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
        self.trace.close(
            group,
            if result.is_ok() {
                Mark::Ok
            } else {
                Mark::Failed
            },
        );
        result
    }

    /// §6.3.3 (c) and (h): the newest current delta of this list, signed with the same key.
    fn newest_delta(&mut self, base: &Crl, signer: u32) -> Option<(&'a Arc<Crl>, UnixTime)> {
        let number = base.number()?;
        let evidence = self.evidence;
        let signer = self.at(signer)?;
        let mut newest: Option<(&'a Arc<Crl>, UnixTime)> = None;
        for delta in evidence.crls() {
            let fits = delta
                .delta_base()
                .is_some_and(|from| number_at_most(from, number))
                && delta.number().is_some_and(|to| !number_at_most(to, number))
                && delta.same_scope(base)
                && delta.authority_key_id() == base.authority_key_id()
                && delta.unknown_critical().is_none()
                && newest
                    .as_ref()
                    .is_none_or(|(newest, _)| newest.this_update() < delta.this_update());
            if !fits {
                continue;
            }
            let Ok(until) = self.fresh(
                RevocationSource::Crl,
                delta.this_update(),
                delta.next_update(),
            ) else {
                continue;
            };
            if self.signed_crl(signer, delta) {
                newest = Some((delta, until));
            }
        }
        newest
    }

    fn note_crl(
        &mut self,
        mark: Mark,
        certificate: &Certificate,
        crl: &Arc<Crl>,
        gap: Option<RevocationGap>,
    ) {
        self.trace.note(
            mark,
            Check::Crl,
            Some(certificate),
            Detail::Crl(Arc::clone(crl), gap.map(Box::new)),
        );
    }
}

/// What a list says of a certificate, and until when the list counts.
struct Looked {
    revoked: Option<Revoked>,
    until: Usable,
}

/// A gap that says more than "not at hand" is kept; the first of two that say little is.
fn widen(gap: &mut RevocationGap, other: RevocationGap) {
    if *gap == RevocationGap::NotAtHand {
        *gap = other;
    }
}

/// Whether the issuer of a list is one that may speak about the certificate at all.
fn may_speak(crl: &Crl, certificate: &Certificate) -> bool {
    let named = |point: &DistributionPoint| names(&point.crl_issuer, crl.issuer());
    crl.issuer() == certificate.issuer()
        || certificate
            .extensions()
            .distribution_points
            .iter()
            .any(named)
}

fn names(list: &[GeneralName], wanted: &Name) -> bool {
    list.iter()
        .any(|name| matches!(name, GeneralName::Directory(name) if name == wanted))
}

/// §6.3.3 (b) and (d): the reasons for which this list speaks about this certificate, by any of its distribution
/// points or, being its issuer's, by none.
fn reasons_spoken_for(crl: &Crl, certificate: &Certificate) -> u16 {
    let everything = IssuingDistributionPoint::default();
    let scope = crl.scope().unwrap_or(&everything);
    if scope.only_attribute
        || (scope.only_user && certificate.is_ca())
        || (scope.only_ca && !certificate.is_ca())
    {
        return 0;
    }
    let list_reasons = scope.reasons.unwrap_or(ALL_REASONS) & ALL_REASONS;
    let list_names = scope
        .name
        .as_ref()
        .map(|name| full_names(name, crl.issuer()));
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
                share_a_name(
                    list,
                    &full_names(name, base.unwrap_or(certificate.issuer())),
                )
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
        if list_names
            .as_ref()
            .is_none_or(|list| share_a_name(list, &own))
        {
            reasons |= list_reasons;
        }
    }
    reasons
}

fn full_names(name: &PointName, base: &Name) -> Vec<GeneralName> {
    match name {
        PointName::Full(names) => names.clone(),
        PointName::Relative(rdn) => base
            .below(rdn)
            .map(GeneralName::Directory)
            .into_iter()
            .collect(),
    }
}

fn share_a_name(a: &[GeneralName], b: &[GeneralName]) -> bool {
    a.iter()
        .any(|name| !matches!(name, GeneralName::Other(_)) && b.contains(name))
}
