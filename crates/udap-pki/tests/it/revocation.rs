//! Revocation: each rule of CRLs and OCSP with what it accepts and what it refuses.

mod lists;
mod responses;

use crate::forge::{
    Chain, CrlSpec, DAY, Key, NOW, OcspSpec, Says, Spec, authority_info, basic, certificate_issuer,
    code, crl_points, crl_url, delta_of, directory, evidence, extended_key_usage, extension, int,
    issuing_point, judge, key_usage, ocsp_no_check, oid, point, seq, tlv, uri,
};
use std::sync::Arc;
use std::time::Instant;
use udap_pki::{
    Anchor, Certificate, Crl, Evidence, Need, OcspResponse, Outcome, Policy, Purpose, Reason,
    Request, Revocation, RevocationGap, RevocationReason, RevocationSource, ocsp, verify_offline,
};

const URL: &str = "http://ca.example.com/ca.crl";
const OCSP_URL: &str = "http://ca.example.com/ocsp";
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";

fn require() -> Policy {
    Policy::default()
}

fn mode(revocation: Revocation) -> Policy {
    Policy {
        revocation,
        ..Policy::default()
    }
}

fn gap(outcome: &Outcome) -> RevocationGap {
    match outcome {
        Outcome::Invalid(invalid) => match &invalid.reason {
            Reason::RevocationUnavailable { gap, .. } => gap.clone(),
            other => panic!("refused for {other}"),
        },
        other => panic!("not refused: {}", other.trace()),
    }
}

/// A chain and the CRL of its root, so that only the CA's revocation data is in question.
fn chain_and_root_crl() -> (Chain, Arc<Crl>) {
    let chain = Chain::new();
    let [root_crl, _] = chain.crls();
    (chain, root_crl)
}

fn with_ca_crl(chain: &Chain, crl: Arc<Crl>) -> Evidence {
    let [root_crl, _] = chain.crls();
    evidence([root_crl, crl])
}

#[test]
fn a_chain_with_current_crls_is_valid_until_the_first_of_them_ends() {
    let chain = Chain::new();
    let Outcome::Valid(valid) = chain.judge(&require(), &evidence(chain.crls())) else {
        panic!("refused")
    };
    assert!(valid.revocation_checked());
    assert_eq!(valid.expires(), NOW.plus_secs(DAY));
}

#[test]
fn every_certificate_of_the_chain_is_checked() {
    let chain = Chain::new();
    let [root_crl, ca_crl] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_crl.clone()]))),
        "revocation-unavailable"
    );
    assert_eq!(
        code(&chain.judge(&require(), &evidence([ca_crl.clone()]))),
        "revocation-unavailable"
    );
    let leaf = Chain::serial(&chain.leaf);
    let ca = Chain::serial(&chain.ca);
    let leaf_revoked = CrlSpec::new("CA", 1)
        .revoke_for(leaf, 1)
        .sign(&chain.ca_key);
    let ca_revoked = CrlSpec::new("Root", 1)
        .revoke_for(ca, 2)
        .sign(&chain.root_key);
    let outcome = chain.judge(&require(), &evidence([root_crl.clone(), leaf_revoked]));
    let Outcome::Invalid(invalid) = &outcome else {
        panic!("accepted")
    };
    let expected = Reason::CertificateRevoked {
        certificate: "CN=Leaf".to_owned(),
        serial: chain.leaf.serial_hex(),
        at: NOW.plus_secs(-2 * DAY),
        reason: RevocationReason::KeyCompromise,
        source_kind: RevocationSource::Crl,
        by: "CN=CA".to_owned(),
    };
    assert_eq!(invalid.reason, expected);
    assert_eq!(
        code(&chain.judge(&require(), &evidence([ca_revoked, ca_crl]))),
        "certificate-revoked"
    );
    // An anchor is trusted by decision: a CRL that lists it changes nothing.
    let root_revoked = CrlSpec::new("Root", 2)
        .revoke(Chain::serial(&chain.root))
        .sign(&chain.root_key);
    let [_, ca_crl] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_revoked, ca_crl]))),
        "accepted"
    );
}

#[test]
fn the_modes() {
    let chain = Chain::new();
    let named = Chain::with(|at, spec| {
        if at == 0 {
            spec.with(crl_url(URL))
        } else {
            spec
        }
    });
    let nothing = Evidence::default();
    let offline = |chain: &Chain, policy: &Policy| {
        let anchors = [Anchor::new(chain.root.clone())];
        let intermediates = [chain.ca.clone()];
        code(&verify_offline(&Request {
            leaf: &chain.leaf,
            intermediates: &intermediates,
            anchors: &anchors,
            evidence: &nothing,
            now: NOW,
            policy,
        }))
    };
    for (revocation, plain, naming) in [
        (
            Revocation::Require,
            "revocation-unavailable",
            "revocation-unavailable",
        ),
        (Revocation::WhereNamed, "accepted", "revocation-unavailable"),
        (Revocation::Prefer, "accepted", "accepted"),
        (Revocation::Off, "accepted", "accepted"),
    ] {
        assert_eq!(offline(&chain, &mode(revocation)), plain, "{revocation:?}");
        assert_eq!(offline(&named, &mode(revocation)), naming, "{revocation:?}");
    }
    // Revoked is never accepted, but where nobody looks.
    let revoked = CrlSpec::new("CA", 1)
        .revoke(Chain::serial(&chain.leaf))
        .sign(&chain.ca_key);
    for (revocation, expected) in [
        (Revocation::Require, "certificate-revoked"),
        (Revocation::WhereNamed, "certificate-revoked"),
        (Revocation::Prefer, "certificate-revoked"),
        (Revocation::Off, "accepted"),
    ] {
        let outcome = chain.judge(&mode(revocation), &evidence([revoked.clone()]));
        assert_eq!(code(&outcome), expected, "{revocation:?}");
    }
    // Unknown under Prefer is accepted and said to be unknown.
    let Outcome::Valid(valid) = chain.judge(&mode(Revocation::Prefer), &nothing) else {
        panic!("refused")
    };
    assert!(!valid.revocation_checked());
}

#[test]
fn what_is_named_is_asked_for_and_only_below_an_anchor() {
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(crl_url(URL)),
        1 => spec.with(crl_url("http://root.example.com/root.crl")),
        _ => spec,
    });
    let crl = |url: &str| Need::Crl {
        url: url.to_owned(),
    };
    let needs = |policy: &Policy, evidence: &Evidence| match chain.judge(policy, evidence) {
        Outcome::Incomplete(incomplete) => incomplete.needs,
        other => panic!("{}", other.trace()),
    };
    for policy in [
        require(),
        mode(Revocation::Prefer),
        mode(Revocation::WhereNamed),
    ] {
        assert_eq!(
            needs(&policy, &Evidence::default()),
            [crl("http://root.example.com/root.crl"), crl(URL)]
        );
    }
    let [root_crl, ca_crl] = chain.crls();
    assert_eq!(needs(&require(), &evidence([root_crl.clone()])), [crl(URL)]);
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_crl.clone(), ca_crl]))),
        "accepted"
    );
    // What cannot be had is a refusal under Require, and not under Prefer.
    let mut without = evidence([root_crl]);
    without.mark_unavailable(crl(URL));
    let outcome = chain.judge(&require(), &without);
    assert_eq!(
        gap(&outcome),
        RevocationGap::Unreachable {
            url: URL.to_owned()
        }
    );
    assert_eq!(
        code(&chain.judge(&mode(Revocation::Prefer), &without)),
        "accepted"
    );
    // Nothing is asked for a chain that leads nowhere, nor for a leaf that is refused anyhow.
    let elsewhere = Chain::new();
    let outcome = judge(
        &chain.leaf,
        &[chain.ca.clone()],
        &[elsewhere.root],
        &Evidence::default(),
        &require(),
    );
    assert_eq!(code(&outcome), "signature-invalid");
    let tls = Policy {
        purpose: Purpose::OcspSigner,
        ..require()
    };
    assert_eq!(
        code(&chain.judge(&tls, &Evidence::default())),
        "extended-key-usage"
    );
}

#[test]
fn ocsp_is_asked_for_where_no_crl_can_be_had() {
    let chain = Chain::with(|at, spec| match at {
        0 => spec
            .with(crl_url(URL))
            .with(authority_info(None, Some(OCSP_URL))),
        _ => spec,
    });
    let [root_crl, _] = chain.crls();
    let mut evidence = evidence([root_crl]);
    evidence.mark_unavailable(Need::Crl {
        url: URL.to_owned(),
    });
    let Outcome::Incomplete(incomplete) = chain.judge(&require(), &evidence) else {
        panic!()
    };
    assert_eq!(
        incomplete.needs,
        [Need::Ocsp {
            url: OCSP_URL.to_owned(),
            certificate: chain.leaf.clone(),
            issuer: chain.ca.clone(),
        }]
    );
    evidence.mark_unavailable(incomplete.needs[0].clone());
    assert_eq!(
        code(&chain.judge(&require(), &evidence)),
        "revocation-unavailable"
    );
}

#[test]
fn only_http_is_asked_for_and_the_second_url_when_the_first_is_dead() {
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(crl_points(&[point(
            &[
                uri("ldap://ca.example.com/x"),
                uri("http://a.example.com/x"),
                uri("https://b.example.com/x"),
            ],
            None,
            None,
        )])),
        _ => spec,
    });
    assert_eq!(
        chain.leaf.crl_urls(),
        ["http://a.example.com/x", "https://b.example.com/x"]
    );
    let [root_crl, _] = chain.crls();
    let mut evidence = evidence([root_crl]);
    for url in ["http://a.example.com/x", "https://b.example.com/x"] {
        let Outcome::Incomplete(incomplete) = chain.judge(&require(), &evidence) else {
            panic!()
        };
        let need = Need::Crl {
            url: url.to_owned(),
        };
        assert_eq!(incomplete.needs, [need.clone()]);
        evidence.mark_unavailable(need);
    }
    assert_eq!(
        code(&chain.judge(&require(), &evidence)),
        "revocation-unavailable"
    );
}

#[test]
fn freshness_and_grace() {
    let (chain, root_crl) = chain_and_root_crl();
    let judge_dates = |from, to, grace_days: i64| {
        let crl = CrlSpec::new("CA", 1).dates(from, to).sign(&chain.ca_key);
        let policy = Policy {
            grace_secs: grace_days * DAY,
            ..require()
        };
        chain.judge(&policy, &evidence([root_crl.clone(), crl]))
    };
    let source_kind = RevocationSource::Crl;
    assert_eq!(code(&judge_dates(-2, 0, 0)), "accepted");
    let stale = RevocationGap::Stale {
        source_kind,
        next_update: NOW.plus_secs(-DAY),
    };
    assert_eq!(gap(&judge_dates(-2, -1, 0)), stale);
    assert_eq!(code(&judge_dates(-2, -1, 1)), "accepted");
    assert_eq!(code(&judge_dates(-3, -2, 1)), "revocation-unavailable");
    let early = RevocationGap::NotYetValid {
        source_kind,
        this_update: NOW.plus_secs(DAY),
    };
    assert_eq!(gap(&judge_dates(1, 2, 0)), early);
    // Half a minute is a clock that differs.
    let mut soon = CrlSpec::new("CA", 1);
    soon.this_update = NOW.plus_secs(30);
    assert_eq!(
        code(&chain.judge(&require(), &with_ca_crl(&chain, soon.sign(&chain.ca_key)))),
        "accepted"
    );
    let mut endless = CrlSpec::new("CA", 1);
    endless.next_update = None;
    let outcome = chain.judge(
        &require(),
        &with_ca_crl(&chain, endless.sign(&chain.ca_key)),
    );
    assert_eq!(gap(&outcome), RevocationGap::NoNextUpdate { source_kind });
}

#[test]
fn what_was_revoked_stays_revoked_in_a_stale_list_save_a_hold() {
    let (chain, root_crl) = chain_and_root_crl();
    let serial = Chain::serial(&chain.leaf);
    let judge_reason = |reason| {
        let crl = CrlSpec::new("CA", 1)
            .dates(-9, -2)
            .revoke_for(serial, reason)
            .sign(&chain.ca_key);
        code(&chain.judge(
            &mode(Revocation::Prefer),
            &evidence([root_crl.clone(), crl]),
        ))
    };
    assert_eq!(judge_reason(1), "certificate-revoked");
    assert_eq!(judge_reason(6), "accepted");
}

#[test]
fn a_crl_must_be_signed_by_who_may() {
    let (chain, _) = chain_and_root_crl();
    let source_kind = RevocationSource::Crl;
    let verdict = |crl| gap(&chain.judge(&require(), &with_ca_crl(&chain, crl)));
    let forged = CrlSpec::new("CA", 1).sign(&chain.leaf_key);
    assert_eq!(
        verdict(forged),
        RevocationGap::SignatureInvalid { source_kind }
    );
    let foreign = CrlSpec::new("Somebody", 1).sign(&chain.ca_key);
    assert_eq!(verdict(foreign), RevocationGap::NothingNamed);
    let mut sha1 = CrlSpec::new("CA", 1);
    sha1.algorithm = seq(&[&oid("1.2.840.10045.4.1")]);
    let error = udap_pki::AlgorithmError::Sha1;
    assert_eq!(
        verdict(sha1.sign(&chain.ca_key)),
        RevocationGap::AlgorithmRefused { source_kind, error }
    );
    // A CA without cRLSign.
    let chain = Chain::with(|at, spec| match at {
        1 => spec
            .without_extensions()
            .with(basic(true, None))
            .with(key_usage(&[5])),
        _ => spec,
    });
    let outcome = chain.judge(&require(), &evidence(chain.crls()));
    assert_eq!(
        gap(&outcome),
        RevocationGap::SignerKeyUsage {
            signer: "CN=CA".to_owned()
        }
    );
}

#[test]
fn a_forged_newer_list_does_not_hide_a_genuine_one() {
    let (chain, root_crl) = chain_and_root_crl();
    let serial = Chain::serial(&chain.leaf);
    let genuine = CrlSpec::new("CA", 5).revoke(serial).sign(&chain.ca_key);
    let mut forged = CrlSpec::new("CA", 9);
    forged.this_update = NOW;
    let forged = forged.sign(&chain.leaf_key);
    let outcome = chain.judge(&require(), &evidence([root_crl, forged, genuine]));
    assert_eq!(code(&outcome), "certificate-revoked");
}

#[test]
fn the_newer_of_two_lists_counts() {
    let (chain, root_crl) = chain_and_root_crl();
    let serial = Chain::serial(&chain.leaf);
    let old = CrlSpec::new("CA", 1)
        .dates(-3, 1)
        .revoke_for(serial, 6)
        .sign(&chain.ca_key);
    let new = CrlSpec::new("CA", 2).dates(-1, 1).sign(&chain.ca_key);
    let outcome = chain.judge(
        &require(),
        &evidence([root_crl.clone(), old.clone(), new.clone()]),
    );
    assert_eq!(code(&outcome), "accepted");
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_crl, new, old]))),
        "accepted"
    );
}

#[test]
fn unknown_critical_extensions_make_a_list_useless() {
    let (chain, _) = chain_and_root_crl();
    let verdict =
        |crl: CrlSpec| chain.judge(&require(), &with_ca_crl(&chain, crl.sign(&chain.ca_key)));
    let unknown = |critical| extension("1.2.3.4", critical, &[5, 0]);
    let useless = RevocationGap::UnknownCriticalExtension {
        source_kind: RevocationSource::Crl,
        oid: "1.2.3.4".to_owned(),
    };
    assert_eq!(
        gap(&verdict(CrlSpec::new("CA", 1).with(unknown(true)))),
        useless
    );
    assert_eq!(
        gap(&verdict(
            CrlSpec::new("CA", 1).revoke_with(1, &[unknown(true)])
        )),
        useless
    );
    assert_eq!(
        code(&verdict(CrlSpec::new("CA", 1).with(unknown(false)))),
        "accepted"
    );
    assert_eq!(
        code(&verdict(
            CrlSpec::new("CA", 1).revoke_with(1, &[unknown(false)])
        )),
        "accepted"
    );
}
