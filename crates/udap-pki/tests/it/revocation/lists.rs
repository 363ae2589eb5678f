//! CRLs of every kind: by scope, by shard, by reason, delta and indirect, and who may sign them.

use super::*;

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
    assert!(many < few * 20, "{few:?} {many:?}");
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
