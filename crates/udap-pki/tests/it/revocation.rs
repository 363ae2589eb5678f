//! Revocation: each rule of CRLs and OCSP with what it accepts and what it refuses.

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
    let request = ocsp::request(&chain.leaf, &chain.ca, None);
    assert_eq!(
        incomplete.needs,
        [Need::Ocsp {
            url: OCSP_URL.to_owned(),
            request
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

#[test]
fn lists_for_users_for_cas_and_for_attributes() {
    let (chain, root_crl) = chain_and_root_crl();
    let flags = |flag: u8| {
        CrlSpec::new("CA", 1)
            .with(issuing_point(&[], &[flag], None))
            .sign(&chain.ca_key)
    };
    let verdict = |crl| chain.judge(&require(), &evidence([root_crl.clone(), crl]));
    assert_eq!(code(&verdict(flags(1))), "accepted");
    assert_eq!(gap(&verdict(flags(2))), RevocationGap::OutOfScope);
    assert_eq!(gap(&verdict(flags(5))), RevocationGap::OutOfScope);
    let for_cas = CrlSpec::new("Root", 1)
        .with(issuing_point(&[], &[2], None))
        .sign(&chain.root_key);
    let for_users = CrlSpec::new("Root", 1)
        .with(issuing_point(&[], &[1], None))
        .sign(&chain.root_key);
    let [_, ca_crl] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([for_cas, ca_crl.clone()]))),
        "accepted"
    );
    assert_eq!(
        gap(&chain.judge(&require(), &evidence([for_users, ca_crl]))),
        RevocationGap::OutOfScope
    );
}

#[test]
fn shards_by_distribution_point() {
    const SHARD: &str = "http://ca.example.com/7.crl";
    let chain = Chain::with(|at, spec| {
        if at == 0 {
            spec.with(crl_url(SHARD))
        } else {
            spec
        }
    });
    let [root_crl, _] = chain.crls();
    let shard = |url: &str, revoke| {
        let spec = CrlSpec::new("CA", 1).with(issuing_point(&[uri(url)], &[], None));
        let spec = if revoke {
            spec.revoke(Chain::serial(&chain.leaf))
        } else {
            spec
        };
        spec.sign(&chain.ca_key)
    };
    let offline = |crls: Vec<Arc<Crl>>| {
        let evidence = evidence(crls.into_iter().chain([root_crl.clone()]));
        let anchors = [Anchor::new(chain.root.clone())];
        let intermediates = [chain.ca.clone()];
        let policy = require();
        verify_offline(&Request {
            leaf: &chain.leaf,
            intermediates: &intermediates,
            anchors: &anchors,
            evidence: &evidence,
            now: NOW,
            policy: &policy,
        })
    };
    assert_eq!(code(&offline(vec![shard(SHARD, false)])), "accepted");
    assert_eq!(
        code(&offline(vec![shard(SHARD, true)])),
        "certificate-revoked"
    );
    // A shard for others says nothing about this one, be it good or bad.
    let other = "http://ca.example.com/8.crl";
    assert_eq!(
        gap(&offline(vec![shard(other, false)])),
        RevocationGap::OutOfScope
    );
    assert_eq!(
        gap(&offline(vec![shard(other, true)])),
        RevocationGap::OutOfScope
    );
    assert_eq!(
        code(&offline(vec![shard(other, true), shard(SHARD, false)])),
        "accepted"
    );
}

#[test]
fn reasons_must_be_complete() {
    let (chain, root_crl) = chain_and_root_crl();
    let some = |number, reasons: &[u8]| {
        CrlSpec::new("CA", number)
            .with(issuing_point(&[], &[], Some(reasons)))
            .sign(&chain.ca_key)
    };
    let key = some(1, &[1]);
    let rest = some(2, &[2, 3, 4, 5, 6, 7, 8]);
    let verdict = |crls: Vec<Arc<Crl>>| {
        chain.judge(
            &require(),
            &evidence(crls.into_iter().chain([root_crl.clone()])),
        )
    };
    assert_eq!(
        gap(&verdict(vec![key.clone()])),
        RevocationGap::SomeReasonsOnly
    );
    assert_eq!(
        gap(&verdict(vec![rest.clone()])),
        RevocationGap::SomeReasonsOnly
    );
    assert_eq!(code(&verdict(vec![key, rest])), "accepted");
}

#[test]
fn deltas() {
    let (chain, root_crl) = chain_and_root_crl();
    let serial = Chain::serial(&chain.leaf);
    let verdict = |crls: Vec<CrlSpec>| {
        let crls = crls
            .into_iter()
            .map(|spec| spec.sign(&chain.ca_key))
            .chain([root_crl.clone()]);
        chain.judge(&require(), &evidence(crls))
    };
    let base = || CrlSpec::new("CA", 5);
    let delta = |from, to| CrlSpec::new("CA", to).with(delta_of(from));
    assert_eq!(code(&verdict(vec![base(), delta(5, 6)])), "accepted");
    assert_eq!(
        code(&verdict(vec![base(), delta(5, 6).revoke(serial)])),
        "certificate-revoked"
    );
    assert_eq!(
        code(&verdict(vec![base(), delta(3, 6).revoke(serial)])),
        "certificate-revoked"
    );
    // A delta that starts from a later list, or brings nothing newer, is not this list's.
    assert_eq!(
        code(&verdict(vec![base(), delta(6, 7).revoke(serial)])),
        "accepted"
    );
    assert_eq!(
        code(&verdict(vec![base(), delta(3, 5).revoke(serial)])),
        "accepted"
    );
    // What a delta takes off the list is off.
    let held = || base().revoke_for(serial, 6);
    assert_eq!(code(&verdict(vec![held()])), "certificate-revoked");
    assert_eq!(
        code(&verdict(vec![held(), delta(5, 6).revoke_for(serial, 8)])),
        "accepted"
    );
    // Alone it is no list; stale it is no delta; of another scope it is another list's.
    assert_eq!(
        gap(&verdict(vec![delta(5, 6)])),
        RevocationGap::DeltaWithoutBase
    );
    assert_eq!(
        code(&verdict(vec![
            held(),
            delta(5, 6).dates(-5, -1).revoke_for(serial, 8)
        ])),
        "certificate-revoked"
    );
    let users = || issuing_point(&[], &[1], None);
    assert_eq!(
        code(&verdict(vec![
            held(),
            delta(5, 6).with(users()).revoke_for(serial, 8)
        ])),
        "certificate-revoked"
    );
    assert_eq!(
        code(&verdict(vec![
            held().with(users()),
            delta(5, 6).with(users()).revoke_for(serial, 8)
        ])),
        "accepted"
    );
    // A current delta carries a stale list on.
    assert_eq!(
        code(&verdict(vec![base().dates(-9, -2), delta(5, 6)])),
        "accepted"
    );
    // A forged one does not count.
    let forged = delta(5, 6).revoke_for(serial, 8).sign(&chain.leaf_key);
    let crls = evidence([root_crl.clone(), held().sign(&chain.ca_key), forged]);
    assert_eq!(code(&chain.judge(&require(), &crls)), "certificate-revoked");
}

/// A chain whose leaf leaves its status to somebody else, and that somebody's key and certificate.
fn indirect() -> (Chain, Key, Certificate) {
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(crl_points(&[point(&[], None, Some("Status"))])),
        _ => spec,
    });
    let key = Key::new();
    let status = Spec::new("Status", "Root", &key)
        .with(key_usage(&[6]))
        .sign(&chain.root_key);
    (chain, key, status)
}

#[test]
fn indirect_lists() {
    let (chain, key, status) = indirect();
    let [root_crl, _] = chain.crls();
    let verdict = |spec: CrlSpec| {
        let crl = spec.with(issuing_point(&[], &[4], None)).sign(&key);
        let pool = [chain.ca.clone(), status.clone()];
        judge(
            &chain.leaf,
            &pool,
            &[chain.root.clone()],
            &evidence([root_crl.clone(), crl]),
            &require(),
        )
    };
    let serial = Chain::serial(&chain.leaf);
    let list = || CrlSpec::new("Status", 1);
    assert_eq!(code(&verdict(list())), "accepted");
    // The entry names the issuer of the certificate; without, it is one of the list's own issuer.
    let of = |name: &str| vec![certificate_issuer(name)];
    assert_eq!(
        code(&verdict(list().revoke_with(serial, &of("CA")))),
        "certificate-revoked"
    );
    assert_eq!(
        code(&verdict(list().revoke_with(serial, &of("Another CA")))),
        "accepted"
    );
    assert_eq!(code(&verdict(list().revoke(serial))), "accepted");
    // The name holds for the entries that follow.
    assert_eq!(
        code(&verdict(list().revoke_with(1, &of("CA")).revoke(serial))),
        "certificate-revoked"
    );
    assert_eq!(
        code(&verdict(
            list()
                .revoke_with(1, &of("CA"))
                .revoke_with(2, &of("X"))
                .revoke(serial)
        )),
        "accepted"
    );
    // A list that does not say it is indirect speaks for its own issuer only.
    let plain = CrlSpec::new("Status", 1).sign(&key);
    let pool = [chain.ca.clone(), status];
    let outcome = judge(
        &chain.leaf,
        &pool,
        &[chain.root.clone()],
        &evidence([root_crl, plain]),
        &require(),
    );
    assert_eq!(gap(&outcome), RevocationGap::OutOfScope);
}

#[test]
fn who_issues_indirect_lists_must_be_trusted_himself() {
    let (chain, key, status) = indirect();
    let [root_crl, _] = chain.crls();
    let crl = CrlSpec::new("Status", 1)
        .with(issuing_point(&[], &[4], None))
        .sign(&key);
    let verdict = |pool: &[Certificate], crls: Vec<Arc<Crl>>| {
        let outcome = judge(
            &chain.leaf,
            pool,
            &[chain.root.clone()],
            &evidence(crls),
            &require(),
        );
        match gap(&outcome) {
            RevocationGap::SignerNotTrusted { code, .. } => code,
            RevocationGap::SignatureInvalid { .. } => "unknown",
            other => panic!("{other}"),
        }
    };
    let both = || vec![root_crl.clone(), crl.clone()];
    assert_eq!(verdict(&[chain.ca.clone()], both()), "unknown");
    let elsewhere = Key::new();
    let stray = Spec::new("Status", "Elsewhere", &key)
        .with(key_usage(&[6]))
        .sign(&elsewhere);
    assert_eq!(
        verdict(&[chain.ca.clone(), stray], both()),
        "chain-not-trusted"
    );
    let no_usage = Spec::new("Status", "Root", &key)
        .with(key_usage(&[0]))
        .sign(&chain.root_key);
    assert_eq!(verdict(&[chain.ca.clone(), no_usage], both()), "key-usage");
    let old = Spec::new("Status", "Root", &key)
        .with(key_usage(&[6]))
        .valid(-9, -1)
        .sign(&chain.root_key);
    assert_eq!(
        verdict(&[chain.ca.clone(), old], both()),
        "certificate-expired"
    );
    let revoking = CrlSpec::new("Root", 2)
        .revoke(Chain::serial(&status))
        .sign(&chain.root_key);
    assert_eq!(
        verdict(&[chain.ca.clone(), status], vec![revoking, crl.clone()]),
        "certificate-revoked"
    );
}

#[test]
fn a_separate_key_for_lists() {
    let (chain, root_crl) = chain_and_root_crl();
    let key = Key::new();
    let signer = Spec::new("CA", "Root", &key)
        .with(key_usage(&[6]))
        .sign(&chain.root_key);
    let crl = CrlSpec::new("CA", 1).sign(&key);
    let revoked = CrlSpec::new("CA", 1)
        .revoke(Chain::serial(&chain.leaf))
        .sign(&key);
    let verdict = |crl| {
        let pool = [chain.ca.clone(), signer.clone()];
        code(&judge(
            &chain.leaf,
            &pool,
            &[chain.root.clone()],
            &evidence([root_crl.clone(), crl]),
            &require(),
        ))
    };
    assert_eq!(verdict(crl), "accepted");
    assert_eq!(verdict(revoked), "certificate-revoked");
}

#[test]
fn signers_that_vouch_for_each_other_vouch_for_nobody() {
    // Two CRL issuers whose own status is each on the other's list.
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(crl_points(&[point(&[], None, Some("A"))])),
        _ => spec,
    });
    let (a, b) = (Key::new(), Key::new());
    let by = |name| crl_points(&[point(&[], None, Some(name))]);
    let pool = [
        chain.ca.clone(),
        Spec::new("A", "CA", &a)
            .with(key_usage(&[6]))
            .with(by("B"))
            .sign(&chain.ca_key),
        Spec::new("B", "CA", &b)
            .with(key_usage(&[6]))
            .with(by("A"))
            .sign(&chain.ca_key),
    ];
    let [root_crl, _] = chain.crls();
    let list = |name, key: &Key| {
        CrlSpec::new(name, 1)
            .with(issuing_point(&[], &[4], None))
            .sign(key)
    };
    let crls = evidence([root_crl, list("A", &a), list("B", &b)]);
    let start = Instant::now();
    let outcome = judge(&chain.leaf, &pool, &[chain.root.clone()], &crls, &require());
    assert_eq!(code(&outcome), "revocation-unavailable");
    assert!(start.elapsed().as_secs() < 10);
}

#[test]
fn a_list_of_many_costs_what_a_list_of_few_costs() {
    let (chain, root_crl) = chain_and_root_crl();
    let list = |count: u64| {
        let entries = (0..count).map(|at| 0x1000_0000_0000 + at * 7);
        entries
            .fold(CrlSpec::new("CA", 1), CrlSpec::revoke)
            .sign(&chain.ca_key)
    };
    let (few, many) = (list(10), list(100_000));
    assert_eq!(many.len(), 100_000);
    assert!(many.contains(&[0x10, 0, 0, 0, 0, 7]) && !many.contains(&[0x10, 0, 0, 0, 0, 8]));
    let cost = |crl: &Arc<Crl>| {
        let evidence = evidence([root_crl.clone(), crl.clone()]);
        assert_eq!(code(&chain.judge(&require(), &evidence)), "accepted");
        let rounds = (0..20).map(|_| {
            let start = Instant::now();
            for _ in 0..20 {
                assert_eq!(code(&chain.judge(&require(), &evidence)), "accepted");
            }
            start.elapsed()
        });
        rounds.min().unwrap()
    };
    let (few, many) = (cost(&few), cost(&many));
    assert!(many < few * 3, "{few:?} {many:?}");
}

#[test]
fn serial_numbers_are_found_whatever_their_length() {
    let key = Key::new();
    let serials: Vec<u64> = vec![
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0x100,
        0x8000,
        u64::MAX,
        u64::MAX - 1,
        0x0102_0304_0506_0708,
    ];
    let crl = serials
        .iter()
        .fold(CrlSpec::new("CA", 1), |crl, serial| crl.revoke(*serial))
        .sign(&key);
    for serial in serials {
        let der = int(serial);
        assert!(crl.contains(&der[2..]), "{serial:x}");
        assert!(
            !crl.contains(&[&der[2..], &[0x55, 0x55]].concat()),
            "{serial:x}"
        );
    }
    assert!(!crl.contains(&[2]) && !crl.contains(&[]));
    assert_eq!(crl.entries().count(), crl.len());
}

#[test]
fn malformed_lists_are_refused() {
    let key = Key::new();
    let good = CrlSpec::new("CA", 1).revoke(1);
    let refused = |spec: &CrlSpec| {
        assert_eq!(
            Crl::from_der(&spec.der(&key)).unwrap_err().code(),
            "crl-malformed"
        )
    };
    refused(&good.clone().with(extension("2.5.29.20", false, &int(2))));
    refused(
        &good
            .clone()
            .with(extension("2.5.29.28", true, &[0x30, 0, 0])),
    );
    refused(&good.clone().revoke_for(2, 7));
    refused(&good.clone().revoke_with(
        2,
        &[extension("2.5.29.29", true, &seq(&[&uri("http://a")]))],
    ));
    let der = good.der(&key);
    for cut in 0..der.len() {
        assert!(Crl::from_der(&der[..cut]).is_err());
    }
}

// OCSP

fn with_responses(
    chain: &Chain,
    responses: impl IntoIterator<Item = Arc<OcspResponse>>,
) -> Evidence {
    let [root_crl, _] = chain.crls();
    let mut evidence = evidence([root_crl]);
    responses
        .into_iter()
        .for_each(|response| evidence.add_ocsp(response));
    evidence
}

fn judge_ocsp(chain: &Chain, response: Arc<OcspResponse>) -> Outcome {
    chain.judge(&require(), &with_responses(chain, [response]))
}

#[test]
fn ocsp_by_the_issuer_itself() {
    let chain = Chain::new();
    for spec in [OcspSpec::by_name("CA"), OcspSpec::by_key(&chain.ca_key)] {
        let says = |says| {
            spec.clone()
                .says(&chain.leaf, &chain.ca, says)
                .sign(&chain.ca_key)
        };
        let Outcome::Valid(valid) = judge_ocsp(&chain, says(Says::Good)) else {
            panic!("refused")
        };
        assert!(valid.revocation_checked());
        assert_eq!(valid.expires(), NOW.plus_secs(DAY));
        assert_eq!(
            code(&judge_ocsp(&chain, says(Says::Revoked(1)))),
            "certificate-revoked"
        );
        assert_eq!(
            gap(&judge_ocsp(&chain, says(Says::Unknown))),
            RevocationGap::OcspUnknown
        );
        let forged = spec
            .clone()
            .says(&chain.leaf, &chain.ca, Says::Good)
            .sign(&chain.leaf_key);
        let source_kind = RevocationSource::Ocsp;
        assert_eq!(
            gap(&judge_ocsp(&chain, forged)),
            RevocationGap::SignatureInvalid { source_kind }
        );
    }
    // Signed by the issuer, in the name of somebody else.
    let odd = OcspSpec::by_name("Somebody")
        .says(&chain.leaf, &chain.ca, Says::Good)
        .sign(&chain.ca_key);
    assert_eq!(code(&judge_ocsp(&chain, odd)), "revocation-unavailable");
}

#[test]
fn an_ocsp_response_about_others_says_nothing() {
    let chain = Chain::new();
    let other = Chain::new();
    let about = |leaf, issuer| {
        OcspSpec::by_name("CA")
            .says(leaf, issuer, Says::Revoked(1))
            .sign(&chain.ca_key)
    };
    assert_eq!(
        code(&judge_ocsp(&chain, about(&other.leaf, &chain.ca))),
        "revocation-unavailable"
    );
    assert_eq!(
        code(&judge_ocsp(&chain, about(&chain.leaf, &other.ca))),
        "revocation-unavailable"
    );
    let both = OcspSpec::by_name("CA")
        .says(&other.leaf, &chain.ca, Says::Revoked(1))
        .says(&chain.leaf, &chain.ca, Says::Good)
        .sign(&chain.ca_key);
    assert_eq!(code(&judge_ocsp(&chain, both)), "accepted");
}

#[test]
fn ocsp_freshness() {
    let chain = Chain::new();
    let at = |from: i64, to: Option<i64>, says| {
        let to = to.map(|secs| NOW.plus_secs(secs));
        let spec =
            OcspSpec::by_name("CA").says_at(&chain.leaf, &chain.ca, says, NOW.plus_secs(from), to);
        judge_ocsp(&chain, spec.sign(&chain.ca_key))
    };
    let source_kind = RevocationSource::Ocsp;
    assert_eq!(code(&at(-600, Some(0), Says::Good)), "accepted");
    let stale = RevocationGap::Stale {
        source_kind,
        next_update: NOW.plus_secs(-1),
    };
    assert_eq!(gap(&at(-600, Some(-1), Says::Good)), stale);
    let early = RevocationGap::NotYetValid {
        source_kind,
        this_update: NOW.plus_secs(31),
    };
    assert_eq!(gap(&at(31, Some(600), Says::Good)), early);
    // Without nextUpdate it is believed for five minutes.
    assert_eq!(code(&at(-300, None, Says::Good)), "accepted");
    assert_eq!(code(&at(-301, None, Says::Good)), "revocation-unavailable");
    // Revoked is for good, save a hold.
    assert_eq!(
        code(&at(-600, Some(-1), Says::Revoked(1))),
        "certificate-revoked"
    );
    assert_eq!(
        code(&at(-600, Some(-1), Says::Revoked(6))),
        "revocation-unavailable"
    );
    assert_eq!(
        code(&at(-600, Some(600), Says::Revoked(6))),
        "certificate-revoked"
    );
}

#[test]
fn delegated_responders() {
    let chain = Chain::new();
    let key = Key::new();
    let delegate = || {
        Spec::new("Responder", "CA", &key)
            .with(key_usage(&[0]))
            .with(extended_key_usage(&[OCSP_SIGNING]))
    };
    let verdict = |delegate: &Certificate, signer: &Key| {
        let spec = OcspSpec::by_name("Responder").says(&chain.leaf, &chain.ca, Says::Good);
        judge_ocsp(&chain, spec.with_certificate(delegate).sign(signer))
    };
    let refused = |spec: Spec, signer: &Key| match gap(&verdict(&spec.sign(signer), &key)) {
        RevocationGap::SignerNotTrusted {
            code,
            source_kind: RevocationSource::Ocsp,
            ..
        } => code,
        RevocationGap::SignatureInvalid { .. } => "not a delegate",
        other => panic!("{other}"),
    };
    assert_eq!(
        code(&verdict(
            &delegate().with(ocsp_no_check()).sign(&chain.ca_key),
            &key
        )),
        "accepted"
    );
    // Without ocsp-nocheck and with nothing to check by, the CA's decision stands.
    assert_eq!(
        code(&verdict(&delegate().sign(&chain.ca_key), &key)),
        "accepted"
    );
    // Who is not certified by the issuer itself, for this purpose, is no delegate.
    assert_eq!(refused(delegate(), &chain.root_key), "not a delegate");
    assert_eq!(refused(delegate(), &Key::new()), "not a delegate");
    let no_purpose = Spec::new("Responder", "CA", &key).with(key_usage(&[0]));
    assert_eq!(
        refused(no_purpose.clone(), &chain.ca_key),
        "extended-key-usage"
    );
    let any = no_purpose.with(extended_key_usage(&["2.5.29.37.0"]));
    assert_eq!(refused(any, &chain.ca_key), "extended-key-usage");
    assert_eq!(
        refused(delegate().valid(-9, -1), &chain.ca_key),
        "certificate-expired"
    );
    let wrong_usage = Spec::new("Responder", "CA", &key)
        .with(key_usage(&[2]))
        .with(extended_key_usage(&[OCSP_SIGNING]));
    assert_eq!(refused(wrong_usage, &chain.ca_key), "key-usage");
    assert_eq!(
        refused(
            delegate().with(extension("1.2.3.4", true, &[5, 0])),
            &chain.ca_key
        ),
        "unknown-critical-extension"
    );
    let genuine = delegate().sign(&chain.ca_key);
    assert_eq!(
        code(&verdict(&genuine, &chain.leaf_key)),
        "revocation-unavailable"
    );
}

#[test]
fn a_delegate_can_be_revoked_unless_its_ca_says_it_need_not_be_checked() {
    let chain = Chain::new();
    let [root_crl, _] = chain.crls();
    let key = Key::new();
    let spec = Spec::new("Responder", "CA", &key)
        .with(key_usage(&[0]))
        .with(extended_key_usage(&[OCSP_SIGNING]));
    let verdict = |delegate: &Certificate, crl: Option<Arc<Crl>>| {
        let response = OcspSpec::by_key(&key)
            .says(&chain.leaf, &chain.ca, Says::Good)
            .with_certificate(delegate);
        let mut evidence = evidence(crl.into_iter().chain([root_crl.clone()]));
        evidence.add_ocsp(response.sign(&key));
        chain.judge(&require(), &evidence)
    };
    let revoking = |delegate: &Certificate| {
        let list = CrlSpec::new("CA", 1)
            .with(issuing_point(&[], &[], Some(&[1])))
            .revoke(Chain::serial(delegate));
        Some(list.sign(&chain.ca_key))
    };
    let plain = spec.clone().sign(&chain.ca_key);
    assert_eq!(code(&verdict(&plain, None)), "accepted");
    assert_eq!(
        code(&verdict(&plain, revoking(&plain))),
        "revocation-unavailable"
    );
    let unchecked = spec.clone().with(ocsp_no_check()).sign(&chain.ca_key);
    assert_eq!(code(&verdict(&unchecked, revoking(&unchecked))), "accepted");
    // One that names a CRL is checked by it.
    let named = spec.with(crl_url(URL)).sign(&chain.ca_key);
    let Outcome::Incomplete(incomplete) = verdict(&named, None) else {
        panic!("the delegate's CRL is missing")
    };
    assert_eq!(
        incomplete.needs,
        [Need::Crl {
            url: URL.to_owned()
        }]
    );
    assert_eq!(
        code(&verdict(
            &named,
            Some(CrlSpec::new("CA", 1).sign(&chain.ca_key))
        )),
        "accepted"
    );
}

#[test]
fn what_one_source_revokes_no_other_redeems() {
    let chain = Chain::new();
    let serial = Chain::serial(&chain.leaf);
    let [root_crl, clean] = chain.crls();
    let revoking = CrlSpec::new("CA", 1).revoke(serial).sign(&chain.ca_key);
    let says = |says| {
        OcspSpec::by_name("CA")
            .says(&chain.leaf, &chain.ca, says)
            .sign(&chain.ca_key)
    };
    let mut one = evidence([root_crl.clone(), revoking]);
    one.add_ocsp(says(Says::Good));
    assert_eq!(code(&chain.judge(&require(), &one)), "certificate-revoked");
    let mut other = evidence([root_crl.clone(), clean.clone()]);
    other.add_ocsp(says(Says::Revoked(0)));
    assert_eq!(
        code(&chain.judge(&require(), &other)),
        "certificate-revoked"
    );
    let mut unknown = evidence([root_crl, clean]);
    unknown.add_ocsp(says(Says::Unknown));
    assert_eq!(code(&chain.judge(&require(), &unknown)), "accepted");
}

#[test]
fn ocsp_critical_extensions_algorithms_and_nonces() {
    let chain = Chain::new();
    let good = || OcspSpec::by_name("CA").says(&chain.leaf, &chain.ca, Says::Good);
    let odd = good()
        .with(extension("1.2.3.4", true, &[5, 0]))
        .sign(&chain.ca_key);
    let useless = RevocationGap::UnknownCriticalExtension {
        source_kind: RevocationSource::Ocsp,
        oid: "1.2.3.4".to_owned(),
    };
    assert_eq!(gap(&judge_ocsp(&chain, odd)), useless);
    let mut sha1 = good();
    sha1.algorithm = seq(&[&oid("1.2.840.10045.4.1")]);
    assert_eq!(
        code(&judge_ocsp(&chain, sha1.sign(&chain.ca_key))),
        "revocation-unavailable"
    );

    let with_nonce = good()
        .with(extension(
            "1.3.6.1.5.5.7.48.1.2",
            false,
            &tlv(4, &[&[7; 32]]),
        ))
        .sign(&chain.ca_key);
    assert_eq!(with_nonce.nonce(), Some(&[7; 32][..]));
    assert_eq!(with_nonce.check_nonce(&[7; 32]), Ok(()));
    assert_eq!(
        with_nonce.check_nonce(&[8; 32]).unwrap_err().code(),
        "ocsp-nonce"
    );
    assert_eq!(
        good()
            .sign(&chain.ca_key)
            .check_nonce(&[7; 32])
            .unwrap_err()
            .code(),
        "ocsp-nonce"
    );
    assert_eq!(code(&judge_ocsp(&chain, with_nonce)), "accepted");
}

#[test]
fn a_nonce_goes_into_the_request_when_its_length_fits() {
    let chain = Chain::new();
    let plain = ocsp::request(&chain.leaf, &chain.ca, None);
    for (len, goes_in) in [(0, false), (1, true), (32, true), (128, true), (129, false)] {
        let request = ocsp::request(&chain.leaf, &chain.ca, Some(&vec![9; len]));
        assert_eq!(request != plain, goes_in, "{len}");
    }
}

#[test]
fn responses_that_are_none() {
    let no_answer =
        |status: u8| OcspResponse::from_der(&seq(&[&tlv(0x0a, &[&[status]])])).unwrap_err();
    for (status, word) in [
        (1, "malformedRequest"),
        (2, "internalError"),
        (3, "tryLater"),
        (5, "sigRequired"),
        (6, "unauthorized"),
    ] {
        assert_eq!(no_answer(status), udap_pki::OcspError::NoAnswer(word));
        assert_eq!(no_answer(status).code(), "ocsp-no-answer");
    }
    assert_eq!(no_answer(4).code(), "ocsp-malformed");
    let chain = Chain::new();
    let der = OcspSpec::by_name("CA")
        .says(&chain.leaf, &chain.ca, Says::Good)
        .der(&chain.ca_key);
    for cut in 0..der.len() {
        assert!(OcspResponse::from_der(&der[..cut]).is_err());
    }
}

#[test]
fn no_revocation_available() {
    let no_revocation = || extension("2.5.29.56", false, &[5, 0]);
    let chain = Chain::with(|at, spec| {
        if at == 0 {
            spec.with(no_revocation())
        } else {
            spec
        }
    });
    let [root_crl, _] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_crl.clone()]))),
        "accepted"
    );
    // A CA cannot have it (RFC 9608 §4), nor does it count beside a source that is named.
    let chain = Chain::with(|at, spec| {
        if at == 1 {
            spec.with(no_revocation())
        } else {
            spec
        }
    });
    let [_, ca_crl] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([ca_crl]))),
        "revocation-unavailable"
    );
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(no_revocation()).with(crl_url(URL)),
        _ => spec,
    });
    let [root_crl, _] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_crl]))),
        "incomplete"
    );
}

#[test]
fn a_relative_distribution_point() {
    // The list's name is the issuer's name and one more RDN (§4.2.1.13 nameRelativeToCRLIssuer).
    let rdn = seq(&[&oid("2.5.4.3"), &tlv(0x0c, &[b"shard 1"])]);
    let relative = seq(&[&tlv(0xa0, &[&tlv(0xa1, &[&rdn])])]);
    let chain = Chain::with(|at, spec| {
        if at == 0 {
            spec.with(crl_points(&[relative.clone()]))
        } else {
            spec
        }
    });
    let [root_crl, _] = chain.crls();
    let verdict = |name: &str| {
        let crl = CrlSpec::new("CA", 1)
            .with(issuing_point(&[directory(name)], &[], None))
            .sign(&chain.ca_key);
        code(&chain.judge(&require(), &evidence([root_crl.clone(), crl])))
    };
    assert_eq!(verdict("CN=CA/CN=Shard 1"), "accepted");
    assert_eq!(verdict("CN=CA/CN=Shard 2"), "revocation-unavailable");
}
