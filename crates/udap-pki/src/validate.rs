//! Path validation: the state machine of RFC 5280 §6.1, over a path whose signatures were checked while it
//! was built. An anchor's own dates and constraints count (RFC 5937).

use crate::constraints::{NameConstraints, Outside};
use crate::error::WorkLimit;
use crate::path::{Engine, Role, limit};
use crate::policies::{ANY_POLICY, AnyPolicy, Mapping, PolicyGraph};
use crate::purpose::{Usage, check_name, lacks_extended};
use crate::trace::{Check, Detail, Mark};
use crate::{Certificate, ObjectIdentifier, Purpose, Reason, UnixTime};

/// The state variables of §6.1.2.
struct State<'a> {
    graph: PolicyGraph,
    explicit_policy: u32,
    policy_mapping: u32,
    inhibit_any_policy: u32,
    /// How many CA certificates may still follow, and who said so.
    path_length: Option<(u32, u32, &'a Certificate)>,
    constraints: Vec<(&'a NameConstraints, &'a Certificate)>,
}

impl<'a> Engine<'a> {
    /// Judges a path (leaf first) in everything but the leaf's own checks and revocation, and gives the
    /// policies it is valid for.
    pub(crate) fn validate(
        &mut self,
        path: &[u32],
        role: Role,
    ) -> Result<Vec<ObjectIdentifier>, Reason> {
        let members: Vec<&'a Certificate> = path.iter().filter_map(|at| self.at(*at)).collect();
        let Some((anchor, members)) = members.split_last() else {
            return Err(limit(WorkLimit::Steps));
        };
        let n = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let policy = self.policy;
        let member = role == Role::Member;
        let skip = |is_set: bool| {
            if is_set && member {
                0
            } else {
                n.saturating_add(1)
            }
        };
        let mut state = State {
            graph: PolicyGraph::new(),
            explicit_policy: skip(policy.explicit_policy),
            policy_mapping: skip(policy.inhibit_policy_mapping),
            inhibit_any_policy: skip(policy.inhibit_any_policy),
            path_length: None,
            constraints: Vec::new(),
        };
        if n == 0 {
            // The leaf is itself the anchor: trusted as it is, and its own checks are all there are.
            return Ok(vec![ANY_POLICY]);
        }

        let group = self.trace.open(
            Check::Member,
            Some(anchor),
            Detail::Text("the trust anchor"),
        );
        let result = self.anchor(anchor, role, &mut state);
        self.trace.close(group, mark(&result));
        result?;
        for (at, certificate) in members.iter().enumerate().rev() {
            let group = self
                .trace
                .open(Check::Member, Some(certificate), Detail::None);
            let issuer = members.get(at + 1).unwrap_or(anchor);
            self.trace.note(
                Mark::Ok,
                Check::Signature,
                Some(certificate),
                Detail::Issuer((*issuer).clone()),
            );
            let result = if at == 0 {
                self.basic(certificate, &mut state, Position::Leaf)
            } else {
                self.basic(certificate, &mut state, Position::Intermediate)
                    .and_then(|()| self.intermediate(certificate, role, &mut state))
            };
            self.trace.close(group, mark(&result));
            result?;
        }
        self.wrap_up(members.first().copied().unwrap_or(anchor), &mut state, role)
    }

    /// The anchor's own dates, right to issue and constraints.
    fn anchor(
        &mut self,
        anchor: &'a Certificate,
        role: Role,
        state: &mut State<'a>,
    ) -> Result<(), Reason> {
        let now = self.now;
        self.trace.result(
            Check::Validity,
            anchor,
            Detail::None,
            check_dates(anchor, now),
        )?;
        self.trace.result(
            Check::MayIssue,
            anchor,
            Detail::None,
            anchor_may_issue(anchor),
        )?;
        self.trace.result(
            Check::CriticalExtensions,
            anchor,
            Detail::None,
            check_critical(anchor),
        )?;
        let result = self.check_issuer_purpose(anchor, role);
        if result.is_err() {
            self.trace
                .result(Check::ExtendedKeyUsage, anchor, Detail::None, result)?;
        }
        // RFC 5937 §3.2: what an anchor's certificate constrains is taken as input. Its policies, when it names any,
        // bound the graph as the first certificate's would.
        let extensions = anchor.extensions();
        if extensions.policies.is_some() {
            state
                .graph
                .add_certificate(extensions.policies.as_deref(), AnyPolicy::Counts);
        }
        self.take_constraints(anchor, state)
    }

    /// §6.1.3, for every certificate of the path.
    fn basic(
        &mut self,
        certificate: &'a Certificate,
        state: &mut State<'a>,
        position: Position,
    ) -> Result<(), Reason> {
        let now = self.now;
        if position == Position::Intermediate {
            self.trace.result(
                Check::Validity,
                certificate,
                Detail::None,
                check_dates(certificate, now),
            )?;
        }
        let self_issued = certificate.is_self_issued();

        // (b) and (c): names, save those of a self-issued certificate inside the path.
        if !state.constraints.is_empty() && (position == Position::Leaf || !self_issued) {
            let result = check_names(certificate, &state.constraints, &mut self.name_work);
            if matches!(result, Err(Reason::WorkLimit(_))) {
                self.exhausted = Some(WorkLimit::NameConstraints);
            }
            self.trace
                .result(Check::NameConstraints, certificate, Detail::None, result)?;
        }

        // (d) and (e): policies.
        let extensions = certificate.extensions();
        let any =
            state.inhibit_any_policy > 0 || (position == Position::Intermediate && self_issued);
        let any = if any {
            AnyPolicy::Counts
        } else {
            AnyPolicy::Inhibited
        };
        state
            .graph
            .add_certificate(extensions.policies.as_deref(), any);

        // (f)
        if state.explicit_policy == 0 && state.graph.is_null() {
            let result = Err(self.policy_refused(certificate));
            return self
                .trace
                .result(Check::Policies, certificate, Detail::None, result);
        }
        Ok(())
    }

    /// §6.1.4, for every certificate but the last.
    fn intermediate(
        &mut self,
        certificate: &'a Certificate,
        role: Role,
        state: &mut State<'a>,
    ) -> Result<(), Reason> {
        let extensions = certificate.extensions();
        // (a) and (b): policy mappings.
        let mappings = &extensions.policy_mappings;
        if !mappings.is_empty() {
            if mappings
                .iter()
                .any(|(from, to)| *from == ANY_POLICY || *to == ANY_POLICY)
            {
                let result = Err(Reason::PolicyMapping {
                    certificate: certificate.label(),
                });
                return self
                    .trace
                    .result(Check::Policies, certificate, Detail::None, result);
            }
            let mapping = if state.policy_mapping > 0 {
                Mapping::Counts
            } else {
                Mapping::Inhibited
            };
            state.graph.map(mappings, mapping);
        }
        // (h): counters, and (l): path length, run down by certificates that are not self-issued.
        if !certificate.is_self_issued() {
            state.explicit_policy = state.explicit_policy.saturating_sub(1);
            state.policy_mapping = state.policy_mapping.saturating_sub(1);
            state.inhibit_any_policy = state.inhibit_any_policy.saturating_sub(1);
            if let Some((left, limit, by)) = state.path_length {
                let Some(left) = left.checked_sub(1) else {
                    let result = Err(Reason::PathLength {
                        certificate: by.label(),
                        limit,
                    });
                    return self
                        .trace
                        .result(Check::PathLength, certificate, Detail::None, result);
                };
                state.path_length = Some((left, limit, by));
            }
        }
        self.take_constraints(certificate, state)?;
        // (k) and (n): may it issue?
        self.trace.result(
            Check::MayIssue,
            certificate,
            Detail::None,
            may_issue(certificate),
        )?;
        // (o)
        self.trace.result(
            Check::CriticalExtensions,
            certificate,
            Detail::None,
            check_critical(certificate),
        )?;
        let result = self.check_issuer_purpose(certificate, role);
        if result.is_err() {
            self.trace
                .result(Check::ExtendedKeyUsage, certificate, Detail::None, result)
        } else {
            Ok(())
        }
    }

    /// §6.1.4 (g), (i), (j) and (m): what this CA certificate says about those below it.
    fn take_constraints(
        &mut self,
        certificate: &'a Certificate,
        state: &mut State<'a>,
    ) -> Result<(), Reason> {
        let extensions = certificate.extensions();
        if let Some(constraints) = &extensions.name_constraints {
            state.constraints.push((constraints, certificate));
        }
        if let Some(skip) = extensions.require_explicit_policy {
            state.explicit_policy = state.explicit_policy.min(skip);
        }
        if let Some(skip) = extensions.inhibit_policy_mapping {
            state.policy_mapping = state.policy_mapping.min(skip);
        }
        if let Some(skip) = extensions.inhibit_any_policy {
            state.inhibit_any_policy = state.inhibit_any_policy.min(skip);
        }
        if let Some(limit) = certificate.path_len()
            && state.path_length.is_none_or(|(left, _, _)| limit < left)
        {
            state.path_length = Some((limit, limit, certificate));
        }
        if certificate.path_len().is_some() {
            self.trace
                .note(Mark::Ok, Check::PathLength, Some(certificate), Detail::None);
        }
        Ok(())
    }

    /// §6.1.5: the last certificate's policy constraints, and the policies that remain.
    fn wrap_up(
        &mut self,
        leaf: &Certificate,
        state: &mut State<'_>,
        role: Role,
    ) -> Result<Vec<ObjectIdentifier>, Reason> {
        // (a) and (b)
        state.explicit_policy = state.explicit_policy.saturating_sub(1);
        if leaf.extensions().require_explicit_policy == Some(0) {
            state.explicit_policy = 0;
        }
        // (g)
        let wanted = if role == Role::Member {
            self.policy.policies.as_slice()
        } else {
            &[]
        };
        let policies = state.graph.user_constrained(wanted);
        if state.explicit_policy == 0 && policies.is_empty() {
            let result = Err(self.policy_refused(leaf));
            self.trace
                .result(Check::Policies, leaf, Detail::None, result)?;
        }
        self.trace.note(
            Mark::Ok,
            Check::Policies,
            Some(leaf),
            Detail::Policies(policies.clone()),
        );
        Ok(policies)
    }

    /// The leaf's own checks: they are the same on every path.
    pub(crate) fn check_leaf(&mut self, leaf: &'a Certificate, role: Role) -> Result<(), Reason> {
        let group = self.trace.open(Check::Leaf, Some(leaf), Detail::None);
        let result = self.check_leaf_inside(leaf, role);
        self.trace.close(group, mark(&result));
        result
    }

    fn check_leaf_inside(&mut self, leaf: &'a Certificate, role: Role) -> Result<(), Reason> {
        let now = self.now;
        let policy = self.policy;
        self.trace
            .result(Check::Validity, leaf, Detail::None, check_dates(leaf, now))?;
        self.trace.result(
            Check::CriticalExtensions,
            leaf,
            Detail::None,
            check_critical(leaf),
        )?;
        let purpose = match role {
            Role::Member => Usage::of(policy.purpose),
            Role::CrlSigner => Usage::CRL_SIGNER,
            Role::OcspDelegate => Usage::of(Purpose::OcspSigner),
        };
        self.trace.result(
            Check::Purpose,
            leaf,
            Detail::None,
            purpose.check_key_usage(leaf),
        )?;
        let spelled_out = if role == Role::Member {
            policy.extended_key_usage.as_slice()
        } else {
            &[]
        };
        let result = purpose.check_extended(leaf).and_then(|()| {
            let missing = spelled_out.iter().find(|wanted| {
                !leaf
                    .extended_key_usage()
                    .is_some_and(|found| found.contains(wanted))
            });
            missing.map_or(Ok(()), |wanted| Err(lacks_extended(leaf, wanted)))
        });
        if purpose.extended.is_some() || !spelled_out.is_empty() {
            self.trace
                .result(Check::ExtendedKeyUsage, leaf, Detail::None, result)?;
        }
        // The key of the leaf signs what comes next; a key that cannot be used makes the certificate useless.
        if let Err(error) = leaf.public_key() {
            let result = Err(Reason::KeyRefused {
                certificate: leaf.label(),
                error: error.clone(),
            });
            self.trace
                .result(Check::Purpose, leaf, Detail::None, result)?;
        }
        match &policy.name {
            Some(expected) if role == Role::Member => self.trace.result(
                Check::Name,
                leaf,
                Detail::Name(expected.clone()),
                check_name(leaf, expected),
            ),
            _ => Ok(()),
        }
    }

    /// In TLS and OCSP a CA certificate with extended key usages issues for these only, as every TLS library has it.
    fn check_issuer_purpose(&self, issuer: &Certificate, role: Role) -> Result<(), Reason> {
        match (role, self.policy.purpose) {
            (Role::Member, purpose @ (Purpose::TlsClient | Purpose::TlsServer)) => {
                Usage::of(purpose).check_extended(issuer)
            }
            _ => Ok(()),
        }
    }

    fn policy_refused(&self, certificate: &Certificate) -> Reason {
        let accepted = self
            .policy
            .policies
            .iter()
            .map(ObjectIdentifier::to_string)
            .collect();
        Reason::Policy {
            certificate: certificate.label(),
            accepted,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Intermediate,
    Leaf,
}

fn mark(result: &Result<(), Reason>) -> Mark {
    if result.is_ok() {
        Mark::Ok
    } else {
        Mark::Failed
    }
}

/// §6.1.3 (a) (2); both ends belong to the period (§4.1.2.5).
fn check_dates(certificate: &Certificate, now: UnixTime) -> Result<(), Reason> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now > not_after {
        return Err(Reason::CertificateExpired {
            certificate: certificate.label(),
            not_after,
            now,
        });
    }
    if now < not_before {
        return Err(Reason::CertificateNotYetValid {
            certificate: certificate.label(),
            not_before,
            now,
        });
    }
    Ok(())
}

/// §6.1.4 (o), §6.1.5 (f).
fn check_critical(certificate: &Certificate) -> Result<(), Reason> {
    match certificate.extensions().unknown_critical.first() {
        None => Ok(()),
        Some(oid) => Err(Reason::UnknownCriticalExtension {
            certificate: certificate.label(),
            oid: oid.to_string(),
        }),
    }
}

/// §6.1.4 (k) and (n).
pub(crate) fn may_issue(certificate: &Certificate) -> Result<(), Reason> {
    if !certificate.is_ca() {
        return Err(Reason::NotACa {
            certificate: certificate.label(),
        });
    }
    may_sign_certificates(certificate)
}

/// An anchor of version 1 has no way to say that it is a CA; the operator says it.
pub(crate) fn anchor_may_issue(certificate: &Certificate) -> Result<(), Reason> {
    if certificate.version() < 3 {
        may_sign_certificates(certificate)
    } else {
        may_issue(certificate)
    }
}

fn may_sign_certificates(certificate: &Certificate) -> Result<(), Reason> {
    if certificate
        .key_usage()
        .is_some_and(|usage| !usage.key_cert_sign())
    {
        return Err(Reason::KeyUsage {
            certificate: certificate.label(),
            needed: "keyCertSign",
        });
    }
    Ok(())
}

fn check_names(
    certificate: &Certificate,
    constraints: &[(&NameConstraints, &Certificate)],
    work: &mut u32,
) -> Result<(), Reason> {
    for (constraint, by) in constraints {
        let Err(outside) = constraint.check(certificate, work) else {
            continue;
        };
        let violation = match outside {
            Outside::Excluded { name, subtree } => {
                format!("{name} lies within the excluded {subtree}")
            }
            Outside::NotPermitted { name } => {
                format!("{name} lies within none of the permitted names")
            }
            Outside::Incomparable { name } => {
                format!("{name} is constrained and cannot be compared")
            }
            Outside::Work => return Err(limit(WorkLimit::NameConstraints)),
        };
        return Err(Reason::NameConstraints {
            certificate: certificate.label(),
            constrained_by: by.label(),
            violation,
        });
    }
    Ok(())
}
