//! The certificates that a host sent, judged question by question and then as a whole.

use super::handshake::Seen;
use super::near_miss::near_miss;
use super::report::{CertificateInfo, Chain, Finding};
use super::{Inspection, RevocationData};
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use udap_pki::{
    Anchor, Certificate, Evidence, Invalid, NameCheck, OcspResponse, Outcome, Policy, Purpose,
    Reason, Request, Revocation, UnixTime, Valid,
};
use udap_proto::Refusal as _;
use udap_trust::fetch::Fetcher;
use udap_trust::verify::{CommunityTrust, TrustEngine, TrustError};
use url::Host;

/// Certificates beside the leaf that are looked at; honest servers send one or two.
const MAX_CHAIN: usize = 16;

/// Judges what was sent; `None` when there was nothing.
pub(super) async fn judge(
    seen: &Seen,
    inspection: &Inspection,
    roots: &[CertificateDer<'static>],
    fetcher: Option<&Fetcher>,
    now: UnixTime,
) -> Option<Chain> {
    let verdict = seen.verdict.clone()?;
    let mut certificates = Vec::new();
    for der in seen.chain.iter().take(MAX_CHAIN) {
        match Certificate::from_der(der) {
            Ok(certificate) => certificates.push(certificate),
            // A leaf that cannot be read ends it; another is as if it had not been sent.
            Err(error) if certificates.is_empty() => {
                let finding = Finding::failed(
                    format!("the certificate cannot be read: {error}"),
                    error.code(),
                    None,
                );
                return Some(Chain::unreadable(finding, verdict));
            }
            Err(_) => {}
        }
    }
    let (leaf, intermediates) = certificates.split_first()?;
    let judge = Judge {
        leaf,
        intermediates,
        anchors: anchors(roots),
        stapled: staple(&seen.ocsp),
        now,
    };
    let trusted = judge.issuer();
    let name = judge.name(&inspection.target.host);
    let dates = judge.dates(trusted.as_ref().ok());
    let revocation = judge
        .revocation(inspection, trusted.as_ref().ok(), fetcher)
        .await;
    let issuer = match &trusted {
        Ok(valid) => Finding::ok(format!("{} vouches for it", label(valid.anchor()))),
        Err(invalid) => refused(invalid),
    };
    Some(Chain {
        certificates: certificates.iter().map(CertificateInfo::new).collect(),
        issuer,
        dates,
        revocation,
        name,
        stapled_ocsp: !seen.ocsp.is_empty(),
        rustls: match verdict {
            Ok(()) => Finding::ok("rustls accepts the host as well".to_owned()),
            Err(why) => Finding::failed(
                format!("rustls refuses the host: {why}"),
                "tls-host-refused",
                None,
            ),
        },
    })
}

struct Judge<'a> {
    leaf: &'a Certificate,
    intermediates: &'a [Certificate],
    anchors: Vec<Anchor>,
    stapled: Result<Option<Arc<OcspResponse>>, String>,
    now: UnixTime,
}

impl Judge<'_> {
    fn verify(
        &self,
        now: UnixTime,
        policy: &Policy,
        anchors: &[Anchor],
        evidence: &Evidence,
    ) -> Outcome {
        udap_pki::verify_offline(&Request {
            leaf: self.leaf,
            intermediates: self.intermediates,
            anchors,
            evidence,
            now,
            policy,
        })
    }

    /// Whether a root vouches for it, its dates apart: those are a finding of their own.
    fn issuer(&self) -> Result<Valid, Invalid> {
        let at = |now| {
            self.verify(
                now,
                &policy(Revocation::Off),
                &self.anchors,
                &Evidence::default(),
            )
            .into_result()
        };
        at(self.now).or_else(|refusal| match refusal.reason {
            Reason::CertificateExpired { not_after, .. } => at(not_after).map_err(|_| refusal),
            Reason::CertificateNotYetValid { not_before, .. } => {
                at(not_before).map_err(|_| refusal)
            }
            _ => Err(refusal),
        })
    }

    /// Of the path that leads to a root, if one does: what is sent besides may be as old as it likes.
    fn dates(&self, path: Option<&Valid>) -> Finding {
        let path = path.map_or(std::slice::from_ref(self.leaf), Valid::path);
        let all = || path.iter();
        if let Some(expired) = all().find(|c| c.not_after() < self.now) {
            let text = format!(
                "{} expired {}",
                label(expired),
                when(expired.not_after(), self.now)
            );
            return Finding::failed(
                text,
                "certificate-expired",
                Some("Renew the certificate.".to_owned()),
            );
        }
        if let Some(early) = all().find(|c| self.now < c.not_before()) {
            let text = format!(
                "{} is valid from {}",
                label(early),
                when(early.not_before(), self.now)
            );
            let hint = "Compare the clocks of this machine and of the CA.".to_owned();
            return Finding::failed(text, "certificate-not-yet-valid", Some(hint));
        }
        let end = all().map(Certificate::not_after).min().unwrap_or(self.now);
        Finding::ok(format!("in date; expires {}", when(end, self.now)))
    }

    fn name(&self, host: &Host<String>) -> Finding {
        let check = name_check(host);
        let policy = Policy {
            name: Some(check),
            ..policy(Revocation::Off)
        };
        // The leaf as its own anchor: nothing but the name can then be wrong, save what is wrong with
        // the leaf itself, and that is found elsewhere.
        let itself = [Anchor::new(self.leaf.clone())];
        let middle = self
            .leaf
            .not_after()
            .min(self.now)
            .max(self.leaf.not_before());
        match self
            .verify(middle, &policy, &itself, &Evidence::default())
            .into_result()
        {
            Err(Invalid {
                reason: reason @ (Reason::SanDnsMismatch { .. } | Reason::SanIpMismatch { .. }),
                ..
            }) => {
                let near = match host {
                    Host::Domain(name) => {
                        let common_names = self.leaf.subject().values("CN");
                        near_miss(name, self.leaf.dns_names(), &common_names)
                    }
                    _ => None,
                };
                let hint = near.unwrap_or_else(|| reason.hint());
                Finding::failed(reason.to_string(), reason.code(), Some(hint))
            }
            Err(invalid) => refused(&invalid),
            Ok(_) => Finding::ok(format!("the certificate names {host}")),
        }
    }

    /// The stapled response first; CRLs and OCSP responders only if that was asked for.
    async fn revocation(
        &self,
        inspection: &Inspection,
        path: Option<&Valid>,
        fetcher: Option<&Fetcher>,
    ) -> Finding {
        let Some(path) = path else {
            return Finding::unknown(
                "not looked at, since no root vouches for the certificate",
                None,
            );
        };
        let mut evidence = Evidence::default();
        match &self.stapled {
            Ok(Some(response)) => evidence.add_ocsp(Arc::clone(response)),
            Ok(None) => {}
            Err(why) => {
                return Finding::failed(
                    format!("the stapled OCSP response cannot be read: {why}"),
                    "tls-staple-unreadable",
                    None,
                );
            }
        }
        let fetching = matches!(inspection.revocation, RevocationData::Fetched)
            .then_some(fetcher)
            .flatten();
        // One that is out of date anyway is judged at its last second, so that its staple is looked at.
        let now = self.now.min(path.expires());
        if let Err(invalid) = self
            .verify(now, &policy(Revocation::Prefer), &self.anchors, &evidence)
            .into_result()
            && matches!(invalid.reason, Reason::CertificateRevoked { .. })
        {
            return refused(&invalid);
        }
        let by_staple = self.staple_speaks_well(path, now, &evidence);
        if let Some(fetcher) = fetching {
            return self.fetched(fetcher, now, by_staple).await;
        }
        match by_staple {
            Some(Ok(())) => Finding::ok("not revoked, says the stapled OCSP response".to_owned()),
            Some(Err(invalid)) => Finding::failed(
                format!(
                    "the stapled OCSP response does not help: {}",
                    invalid.reason
                ),
                invalid.reason.code(),
                Some(invalid.reason.hint()),
            ),
            None => Finding::unknown(
                "whether it is revoked is not known: no OCSP response is stapled, and nothing was fetched",
                Some(
                    "See whether it is revoked with --fetch: its CRLs and OCSP responders are then asked.",
                ),
            ),
        }
    }

    /// Whether the staple is good for the leaf, under whoever issued it.
    fn staple_speaks_well(
        &self,
        path: &Valid,
        now: UnixTime,
        evidence: &Evidence,
    ) -> Option<Result<(), Invalid>> {
        if evidence.ocsp().is_empty() {
            return None;
        }
        let issuer = path.path().get(1)?;
        let anchors = [Anchor::new(issuer.clone())];
        let outcome = self.verify(now, &policy(Revocation::Require), &anchors, evidence);
        Some(outcome.into_result().map(|_| ()))
    }

    async fn fetched(
        &self,
        fetcher: &Fetcher,
        now: UnixTime,
        by_staple: Option<Result<(), Invalid>>,
    ) -> Finding {
        const HOSTS: &str = "tls";
        let engine = TrustEngine::new(
            Some(fetcher.clone()),
            vec![CommunityTrust {
                uri: HOSTS.to_owned(),
                anchors: self.anchors.clone(),
                intermediates: Vec::new(),
                policy: policy(Revocation::WhereNamed),
            }],
        );
        match engine
            .verify(HOSTS, self.leaf, self.intermediates, now)
            .await
        {
            Ok(verdict) if verdict.revocation_checked() => Finding::ok(
                "not revoked, neither it nor any CA above it (CRL or OCSP, fetched)".to_owned(),
            ),
            Ok(_) => match by_staple {
                Some(Ok(())) => {
                    Finding::ok("not revoked, says the stapled OCSP response".to_owned())
                }
                _ => Finding::unknown(
                    "its certificates name neither a CRL nor an OCSP responder",
                    None,
                ),
            },
            Err(TrustError::Refused { reason, .. }) => {
                Finding::failed(reason.to_string(), reason.code(), Some(reason.hint()))
            }
            Err(other) => Finding::failed(other.to_string(), other.code(), other.hint()),
        }
    }
}

fn policy(revocation: Revocation) -> Policy {
    Policy {
        revocation,
        purpose: Purpose::TlsServer,
        ..Policy::default()
    }
}

fn name_check(host: &Host<String>) -> NameCheck {
    match host {
        Host::Domain(name) => NameCheck::Dns(name.trim_end_matches('.').to_owned()),
        Host::Ipv4(address) => NameCheck::Ip((*address).into()),
        Host::Ipv6(address) => NameCheck::Ip((*address).into()),
    }
}

/// Roots that cannot be read vouch for nobody.
fn anchors(roots: &[CertificateDer<'static>]) -> Vec<Anchor> {
    roots
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .map(Anchor::new)
        .collect()
}

fn staple(ocsp: &[u8]) -> Result<Option<Arc<OcspResponse>>, String> {
    if ocsp.is_empty() {
        return Ok(None);
    }
    OcspResponse::from_der(ocsp)
        .map(|r| Some(Arc::new(r)))
        .map_err(|e| e.to_string())
}

fn refused(invalid: &Invalid) -> Finding {
    let reason = &invalid.reason;
    let hint = match reason {
        Reason::ChainNotTrusted { .. } => {
            "Name the root with --tls-root FILE if the host's CA is a private one; otherwise have the server send its intermediate certificates.".to_owned()
        }
        _ => reason.hint(),
    };
    Finding::failed(reason.to_string(), reason.code(), Some(hint))
}

fn label(certificate: &Certificate) -> String {
    let subject = certificate.subject();
    if !subject.is_empty() {
        return subject.to_string();
    }
    certificate
        .dns_names()
        .first()
        .cloned()
        .unwrap_or_else(|| certificate.serial_hex())
}

/// Relative and absolute: `in 12 days, 2026-12-06T16:00:00Z`.
pub(super) fn when(then: UnixTime, now: UnixTime) -> String {
    let distance = then.0.abs_diff(now.0);
    let (count, unit) = match distance {
        0..3600 => (distance / 60, "minute"),
        3600..172_800 => (distance / 3600, "hour"),
        _ => (distance / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if then < now {
        format!("{count} {unit}{plural} ago, {then}")
    } else {
        format!("in {count} {unit}{plural}, {then}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_both_ways() {
        let now = UnixTime(1_795_536_000);
        assert_eq!(
            when(now.plus_secs(12 * 86_400), now),
            "in 12 days, 2026-12-06T16:00:00Z"
        );
        assert_eq!(
            when(now.plus_secs(-3600), now),
            "1 hour ago, 2026-11-24T15:00:00Z"
        );
        assert_eq!(
            when(now.plus_secs(60), now),
            "in 1 minute, 2026-11-24T16:01:00Z"
        );
    }
}
