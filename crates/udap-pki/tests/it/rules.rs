//! One test for each rule that refuses, with its exact code, beside the chain that passes.

use crate::forge::{
    Chain, DAY, Key, NOW, Spec, authority_info, authority_key_id, basic, code, directory, dns,
    ecdsa_sha256, email, evidence, extended_key_usage, extension, int, ip, judge, key_id,
    key_usage, name_constraints, oid, other_name, policies, policy_mappings,
    require_explicit_policy, san, seq, tlv, uri,
};
use udap_pki::{
    Anchor, Certificate, Evidence, NameCheck, Need, ObjectIdentifier, Outcome, Policy, Purpose,
    Reason, Request, Revocation, UnixTime, WorkLimit, verify, verify_offline,
};

fn off() -> Policy {
    Policy {
        revocation: Revocation::Off,
        ..Policy::default()
    }
}

fn with_name(name: NameCheck) -> Policy {
    Policy {
        name: Some(name),
        ..off()
    }
}

/// The verdict on a chain of which one certificate was changed.
fn changed(which: u8, change: impl Fn(Spec) -> Spec) -> &'static str {
    changed_under(&off(), which, change)
}

fn changed_under(policy: &Policy, which: u8, change: impl Fn(Spec) -> Spec) -> &'static str {
    let chain = Chain::with(|at, spec| if at == which { change(spec) } else { spec });
    code(&chain.judge(policy, &Evidence::default()))
}

#[test]
fn a_plain_chain_is_valid_and_says_what_it_is() {
    let chain = Chain::new();
    let Outcome::Valid(valid) = chain.judge(&off(), &Evidence::default()) else {
        panic!("refused")
    };
    assert_eq!(valid.leaf(), &chain.leaf);
    assert_eq!(valid.anchor(), &chain.root);
    assert_eq!(
        valid.path(),
        [chain.leaf.clone(), chain.ca.clone(), chain.root.clone()]
    );
    assert_eq!(valid.expires(), NOW.plus_secs(100 * DAY));
    assert!(!valid.revocation_checked());
    let trace = valid.trace().to_string();
    assert!(
        trace.contains("✓ signature: algorithm ECDSA with SHA-256, issuer CN=CA, key P-256"),
        "{trace}"
    );
    assert!(!trace.contains('✗'), "{trace}");
}

#[test]
fn the_earliest_end_is_when_the_verdict_expires() {
    let chain = Chain::with(|at, spec| spec.valid(-1, [30, 20, 10][usize::from(at)]));
    let Outcome::Valid(valid) = chain.judge(&off(), &Evidence::default()) else {
        panic!("refused")
    };
    assert_eq!(valid.expires(), NOW.plus_secs(10 * DAY));
}

#[test]
fn dates_of_every_certificate_count_and_so_do_the_anchors() {
    for which in 0..3 {
        assert_eq!(
            changed(which, |spec| spec.valid(-20, -1)),
            "certificate-expired"
        );
        assert_eq!(
            changed(which, |spec| spec.valid(1, 20)),
            "certificate-not-yet-valid"
        );
    }
    // Both ends belong to the period.
    assert_eq!(changed(0, |spec| spec.valid(-20, 0)), "accepted");
    assert_eq!(changed(0, |spec| spec.valid(0, 20)), "accepted");
}

#[test]
fn the_reason_carries_the_data() {
    let chain = Chain::with(|at, spec| if at == 1 { spec.valid(-20, -1) } else { spec });
    let Outcome::Invalid(invalid) = chain.judge(&off(), &Evidence::default()) else {
        panic!()
    };
    let not_after = NOW.plus_secs(-DAY);
    assert_eq!(
        invalid.reason,
        Reason::CertificateExpired {
            certificate: "CN=CA".to_owned(),
            not_after,
            now: NOW
        }
    );
    assert_eq!(
        invalid.reason.to_string(),
        format!("CN=CA expired at {not_after}; it is {NOW}")
    );
}

#[test]
fn an_unknown_issuer_is_not_trusted() {
    let chain = Chain::new();
    let other = Chain::new();
    assert_eq!(
        code(&judge(
            &chain.leaf,
            &[],
            &[chain.root.clone()],
            &Evidence::default(),
            &off()
        )),
        "chain-not-trusted"
    );
    assert_eq!(
        code(&judge(
            &chain.leaf,
            &[chain.ca.clone()],
            &[],
            &Evidence::default(),
            &off()
        )),
        "chain-not-trusted"
    );
    // A root of the same name with another key.
    let outcome = judge(
        &chain.leaf,
        &[chain.ca.clone()],
        &[other.root],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "signature-invalid");
}

#[test]
fn a_root_that_is_sent_along_is_no_anchor() {
    let chain = Chain::new();
    let intermediates = [chain.ca.clone(), chain.root.clone()];
    let elsewhere = Spec::ca("Elsewhere", "Elsewhere", &chain.leaf_key).sign(&chain.leaf_key);
    let outcome = judge(
        &chain.leaf,
        &intermediates,
        &[elsewhere],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "chain-not-trusted");
}

#[test]
fn a_changed_certificate_is_refused() {
    let chain = Chain::new();
    let mut der = chain.leaf.der().to_vec();
    let at = der.windows(4).position(|four| four == b"Leaf").unwrap();
    der[at] = b'B';
    let leaf = Certificate::from_der(&der).unwrap();
    let outcome = judge(
        &leaf,
        &[chain.ca.clone()],
        &[chain.root.clone()],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "signature-invalid");
    // The same when the change is in the intermediate.
    let mut der = chain.ca.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let ca = Certificate::from_der(&der).unwrap();
    let outcome = judge(
        &chain.leaf,
        &[ca],
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "signature-invalid");
}

#[test]
fn any_certificate_can_be_the_anchor() {
    let chain = Chain::new();
    let none = Evidence::default();
    // An intermediate, with or without the root that issued it.
    for intermediates in [
        vec![],
        vec![chain.ca.clone()],
        vec![chain.root.clone(), chain.ca.clone()],
    ] {
        let Outcome::Valid(valid) = judge(
            &chain.leaf,
            &intermediates,
            &[chain.ca.clone()],
            &none,
            &off(),
        ) else {
            panic!("refused")
        };
        assert_eq!(valid.path(), [chain.leaf.clone(), chain.ca.clone()]);
    }
    // The leaf itself, whose own checks still count.
    let alone = judge(&chain.leaf, &[], &[chain.leaf.clone()], &none, &off());
    assert_eq!(code(&alone), "accepted");
    let policy = with_name(NameCheck::Uri("https://other.example.com".to_owned()));
    assert_eq!(
        code(&judge(
            &chain.leaf,
            &[],
            &[chain.leaf.clone()],
            &none,
            &policy
        )),
        "san-uri-mismatch"
    );
    let old = Chain::with(|at, spec| if at == 0 { spec.valid(-20, -1) } else { spec });
    assert_eq!(
        code(&judge(&old.leaf, &[], &[old.leaf.clone()], &none, &off())),
        "certificate-expired"
    );
}

#[test]
fn an_intermediate_anchors_constraints_count() {
    let chain = Chain::with(|at, spec| match at {
        1 => spec.with(name_constraints(&[uri("other.example.com")], &[])),
        _ => spec,
    });
    let outcome = judge(&chain.leaf, &[], &[chain.ca], &Evidence::default(), &off());
    assert_eq!(code(&outcome), "name-constraints");
}

#[test]
fn a_version_1_root_can_be_an_anchor_and_nothing_else() {
    let (root_key, leaf_key) = (Key::new(), Key::new());
    let root = Spec::new("Root", "Root", &root_key).sign(&root_key);
    assert_eq!(root.version(), 1);
    let leaf = Spec::leaf("Leaf", "Root", &leaf_key).sign(&root_key);
    assert_eq!(
        code(&judge(&leaf, &[], &[root], &Evidence::default(), &off())),
        "accepted"
    );
    assert_eq!(changed(1, Spec::without_extensions), "not-a-ca");
}

#[test]
fn who_issues_must_be_a_ca() {
    for which in 1..3 {
        assert_eq!(
            changed(which, |spec| spec
                .without_extensions()
                .with(key_usage(&[5]))),
            "not-a-ca"
        );
        assert_eq!(
            changed(which, |spec| spec
                .without_extensions()
                .with(basic(false, None))
                .with(key_usage(&[5]))),
            "not-a-ca"
        );
    }
    // A member that issues with its own certificate.
    let chain = Chain::new();
    let victim = Spec::leaf("Victim", "Leaf", &Key::new()).sign(&chain.leaf_key);
    let intermediates = [chain.leaf.clone(), chain.ca.clone()];
    assert_eq!(
        code(&judge(
            &victim,
            &intermediates,
            &[chain.root],
            &Evidence::default(),
            &off()
        )),
        "not-a-ca"
    );
}

#[test]
fn who_issues_must_be_allowed_to_sign_certificates() {
    for which in 1..3 {
        assert_eq!(
            changed(which, |spec| spec
                .without_extensions()
                .with(basic(true, None))
                .with(key_usage(&[0, 6]))),
            "key-usage"
        );
        assert_eq!(
            changed(which, |spec| spec
                .without_extensions()
                .with(basic(true, None))),
            "accepted"
        );
    }
}

#[test]
fn path_length() {
    assert_eq!(
        changed(2, |spec| spec
            .without_extensions()
            .with(basic(true, Some(1)))),
        "accepted"
    );
    assert_eq!(
        changed(2, |spec| spec
            .without_extensions()
            .with(basic(true, Some(0)))),
        "path-length"
    );
    assert_eq!(
        changed(1, |spec| spec
            .without_extensions()
            .with(basic(true, Some(0)))),
        "accepted"
    );
    let one = Policy {
        max_intermediates: 1,
        ..off()
    };
    assert_eq!(changed_under(&one, 0, |spec| spec), "accepted");
    let none = Policy {
        max_intermediates: 0,
        ..off()
    };
    assert_eq!(changed_under(&none, 0, |spec| spec), "path-length");
}

#[test]
fn self_issued_certificates_do_not_count_for_path_length() {
    // The CA rolls its key over: new key certified by the old one, under the same name.
    let root_key = Key::new();
    let (old, new) = (Key::new(), Key::new());
    let root = Spec::ca("Root", "Root", &root_key).sign(&root_key);
    let ca = Spec::new("CA", "Root", &old)
        .with(basic(true, Some(0)))
        .with(key_usage(&[5]))
        .sign(&root_key);
    let rollover = Spec::ca("CA", "CA", &new).sign(&old);
    let leaf = Spec::leaf("Leaf", "CA", &Key::new()).sign(&new);
    let outcome = judge(
        &leaf,
        &[ca.clone(), rollover],
        &[root.clone()],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "accepted");
    // A CA of another name does count.
    let below = Spec::ca("Sub", "CA", &new).sign(&old);
    let leaf = Spec::leaf("Leaf", "Sub", &Key::new()).sign(&new);
    assert_eq!(
        code(&judge(
            &leaf,
            &[ca, below],
            &[root],
            &Evidence::default(),
            &off()
        )),
        "path-length"
    );
}

#[test]
fn a_leaf_that_signs_jwts_needs_digital_signature() {
    assert_eq!(
        changed(0, |spec| spec.without_extensions().with(key_usage(&[2, 4]))),
        "key-usage"
    );
    assert_eq!(
        changed(0, |spec| spec.without_extensions().with(basic(false, None))),
        "accepted"
    );
    let any = Policy {
        purpose: Purpose::Any,
        ..off()
    };
    assert_eq!(
        changed_under(&any, 0, |spec| spec
            .without_extensions()
            .with(key_usage(&[2]))),
        "accepted"
    );
}

#[test]
fn purposes() {
    const CLIENT: &str = "1.3.6.1.5.5.7.3.2";
    const SERVER: &str = "1.3.6.1.5.5.7.3.1";
    let under = |purpose, which, ids: &'static [&'static str]| {
        changed_under(&Policy { purpose, ..off() }, which, |spec| {
            spec.with(extended_key_usage(ids))
        })
    };
    assert_eq!(under(Purpose::TlsClient, 0, &[CLIENT]), "accepted");
    assert_eq!(
        under(Purpose::TlsClient, 0, &[SERVER]),
        "extended-key-usage"
    );
    assert_eq!(
        under(Purpose::TlsServer, 0, &[CLIENT]),
        "extended-key-usage"
    );
    assert_eq!(under(Purpose::TlsServer, 0, &["2.5.29.37.0"]), "accepted");
    assert_eq!(
        under(Purpose::TlsServer, 1, &[CLIENT]),
        "extended-key-usage"
    );
    assert_eq!(under(Purpose::JwtSigner, 1, &[CLIENT]), "accepted");
    assert_eq!(
        under(Purpose::OcspSigner, 0, &["2.5.29.37.0"]),
        "extended-key-usage"
    );
    assert_eq!(
        under(Purpose::OcspSigner, 0, &["1.3.6.1.5.5.7.3.9"]),
        "accepted"
    );
    assert_eq!(
        changed_under(
            &Policy {
                purpose: Purpose::TlsServer,
                ..off()
            },
            0,
            |spec| spec
        ),
        "accepted"
    );
    assert_eq!(
        changed_under(
            &Policy {
                purpose: Purpose::OcspSigner,
                ..off()
            },
            0,
            |spec| spec
        ),
        "extended-key-usage"
    );
    // A usage that the policy wants must be spelled out.
    let wanted = vec![ObjectIdentifier::new_unwrap("1.2.3.4")];
    let policy = Policy {
        extended_key_usage: wanted,
        ..off()
    };
    assert_eq!(changed_under(&policy, 0, |spec| spec), "extended-key-usage");
    assert_eq!(
        changed_under(&policy, 0, |spec| spec
            .with(extended_key_usage(&["1.2.3.4"]))),
        "accepted"
    );
}

#[test]
fn unknown_critical_extensions_are_refused_everywhere() {
    for which in 0..3 {
        assert_eq!(
            changed(which, |spec| spec.with(extension("1.2.3.4", true, &[5, 0]))),
            "unknown-critical-extension"
        );
        assert_eq!(
            changed(which, |spec| spec.with(extension(
                "1.2.3.4",
                false,
                &[5, 0]
            ))),
            "accepted"
        );
    }
}

#[test]
fn name_constraints_of_every_form() {
    let leaf_names = |names: Vec<Vec<u8>>, permitted: &[Vec<u8>], excluded: &[Vec<u8>]| {
        let constraints = name_constraints(permitted, excluded);
        let chain = Chain::with(|at, spec| match at {
            1 => spec.with(constraints.clone()),
            0 => Spec::leaf("Leaf", "CA", &Key::new())
                .without_extensions()
                .with(san(&names)),
            _ => spec,
        });
        code(&chain.judge(&off(), &Evidence::default()))
    };
    let refused = "name-constraints";
    for (names, permitted, excluded, expected) in [
        (
            vec![uri("https://a.example.com/x")],
            vec![uri(".example.com")],
            vec![],
            "accepted",
        ),
        (
            vec![uri("https://example.org/x")],
            vec![uri(".example.com")],
            vec![],
            refused,
        ),
        (
            vec![uri("https://a.example.com/x")],
            vec![],
            vec![uri("a.example.com")],
            refused,
        ),
        (
            vec![uri("urn:oid:1.2.3")],
            vec![uri("a.example.com")],
            vec![],
            refused,
        ),
        (
            vec![dns("a.example.com")],
            vec![dns("example.com")],
            vec![],
            "accepted",
        ),
        (
            vec![dns("a.example.com"), dns("b.example.org")],
            vec![dns("example.com")],
            vec![],
            refused,
        ),
        (
            vec![dns("*.example.com")],
            vec![],
            vec![dns("a.example.com")],
            refused,
        ),
        (
            vec![email("a@example.com")],
            vec![email("example.com")],
            vec![],
            "accepted",
        ),
        (
            vec![email("a@example.org")],
            vec![email("example.com")],
            vec![],
            refused,
        ),
        (
            vec![ip(&[192, 0, 2, 1])],
            vec![ip(&[192, 0, 2, 0, 255, 255, 255, 0])],
            vec![],
            "accepted",
        ),
        (
            vec![ip(&[192, 0, 3, 1])],
            vec![ip(&[192, 0, 2, 0, 255, 255, 255, 0])],
            vec![],
            refused,
        ),
        (
            vec![ip(&[192, 0, 2, 1])],
            vec![],
            vec![ip(&[0; 8])],
            refused,
        ),
        (
            vec![directory("O=a/CN=b")],
            vec![directory("O=a"), directory("CN=Leaf")],
            vec![],
            "accepted",
        ),
        (
            vec![directory("O=b/CN=b")],
            vec![directory("O=a"), directory("CN=Leaf")],
            vec![],
            refused,
        ),
        (vec![dns("x.test")], vec![directory("O=a")], vec![], refused),
        (
            vec![dns("x.test")],
            vec![],
            vec![directory("CN=leaf")],
            refused,
        ),
        // Names of forms that are not constrained are free.
        (
            vec![dns("x.test")],
            vec![uri("a.example.com")],
            vec![],
            "accepted",
        ),
        // A constrained form that is not compared.
        (vec![other_name()], vec![], vec![other_name()], refused),
        (vec![dns("x.test")], vec![], vec![other_name()], "accepted"),
    ] {
        assert_eq!(
            leaf_names(names.clone(), &permitted, &excluded),
            expected,
            "{names:?} {permitted:?} {excluded:?}"
        );
    }
}

#[test]
fn constraints_add_up_along_the_path() {
    let chain = Chain::with(|at, spec| match at {
        2 => spec.with(name_constraints(&[uri(".example.com")], &[])),
        1 => spec.with(name_constraints(
            &[uri("app.example.com"), uri("app.example.org")],
            &[],
        )),
        _ => spec,
    });
    assert_eq!(code(&chain.judge(&off(), &Evidence::default())), "accepted");
    let chain = Chain::with(|at, spec| match at {
        2 => spec.with(name_constraints(&[uri(".example.com")], &[])),
        1 => spec.with(name_constraints(&[uri("app.example.org")], &[])),
        0 => spec
            .without_extensions()
            .with(san(&[uri("https://app.example.org")])),
        _ => spec,
    });
    assert_eq!(
        code(&chain.judge(&off(), &Evidence::default())),
        "name-constraints"
    );
}

#[test]
fn an_email_address_in_the_subject_is_constrained_too() {
    let chain = Chain::with(|at, spec| match at {
        1 => spec.with(name_constraints(&[email("example.com")], &[])),
        0 => Spec::leaf("CN=Leaf/E=a@example.org", "CA", &Key::new()),
        _ => spec,
    });
    assert_eq!(
        code(&chain.judge(&off(), &Evidence::default())),
        "name-constraints"
    );
}

#[test]
fn constraints_bind_intermediates_but_not_self_issued_ones() {
    let (root_key, old, new) = (Key::new(), Key::new(), Key::new());
    let root = Spec::ca("Root", "Root", &root_key)
        .with(name_constraints(&[directory("O=a")], &[]))
        .sign(&root_key);
    let outside = Spec::ca("O=b", "Root", &old).sign(&root_key);
    let leaf = Spec::leaf("O=a/CN=Leaf", "O=b", &Key::new()).sign(&old);
    let outcome = judge(
        &leaf,
        &[outside],
        &[root.clone()],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "name-constraints");
    let rolled = Spec::ca("Root", "Root", &new).sign(&root_key);
    let leaf = Spec::leaf("O=a/CN=Leaf", "Root", &Key::new()).sign(&new);
    assert_eq!(
        code(&judge(
            &leaf,
            &[rolled],
            &[root],
            &Evidence::default(),
            &off()
        )),
        "accepted"
    );
}

#[test]
fn certificate_policies() {
    const P1: &str = "1.3.6.1.4.1.99999.1";
    const P2: &str = "1.3.6.1.4.1.99999.2";
    const ANY: &str = "2.5.29.32.0";
    let wanted = |id: &str| vec![ObjectIdentifier::new_unwrap(id)];
    let judge = |ca: Vec<Vec<u8>>, leaf: Vec<Vec<u8>>, policy: &Policy| {
        let chain = Chain::with(|at, spec| {
            let more = match at {
                1 => &ca,
                0 => &leaf,
                _ => return spec,
            };
            more.iter().cloned().fold(spec, Spec::with)
        });
        code(&chain.judge(policy, &Evidence::default()))
    };
    let explicit = Policy {
        explicit_policy: true,
        ..off()
    };
    let for_p1 = Policy {
        policies: wanted(P1),
        ..explicit.clone()
    };
    let one = || vec![policies(&[P1])];
    let two = || vec![policies(&[P2])];
    assert_eq!(judge(one(), one(), &explicit), "accepted");
    assert_eq!(judge(one(), two(), &explicit), "policy");
    assert_eq!(judge(one(), vec![], &explicit), "policy");
    assert_eq!(judge(one(), two(), &off()), "accepted");
    assert_eq!(judge(one(), one(), &for_p1), "accepted");
    assert_eq!(judge(two(), two(), &for_p1), "policy");
    // A CA can demand it by itself.
    let demanding = vec![policies(&[P1]), require_explicit_policy(0)];
    assert_eq!(judge(demanding.clone(), one(), &off()), "accepted");
    assert_eq!(judge(demanding, two(), &off()), "policy");
    // anyPolicy, and its inhibition.
    let inhibited = Policy {
        inhibit_any_policy: true,
        ..explicit.clone()
    };
    assert_eq!(judge(vec![policies(&[ANY])], one(), &explicit), "accepted");
    assert_eq!(judge(vec![policies(&[ANY])], one(), &inhibited), "policy");
    // Mappings, and their inhibition.
    let mapping = || vec![policies(&[P1]), policy_mappings(&[(P1, P2)])];
    let no_mapping = Policy {
        inhibit_policy_mapping: true,
        ..for_p1.clone()
    };
    assert_eq!(judge(mapping(), two(), &for_p1), "accepted");
    assert_eq!(judge(mapping(), two(), &no_mapping), "policy");
    assert_eq!(
        judge(
            vec![policies(&[P1]), policy_mappings(&[(ANY, P2)])],
            two(),
            &off()
        ),
        "policy-mapping"
    );
}

#[test]
fn algorithms_are_refused_by_name() {
    let null = tlv(5, &[]);
    for (algorithm, expected) in [
        (seq(&[&oid("1.2.840.113549.1.1.5"), &null]), "sha1-refused"),
        (seq(&[&oid("1.2.840.10045.4.1")]), "sha1-refused"),
        (seq(&[&oid("1.2.840.113549.1.1.4"), &null]), "md5-refused"),
        (seq(&[&oid("1.2.840.10040.4.3")]), "dsa-refused"),
        (seq(&[&oid("2.16.840.1.101.3.4.3.2")]), "dsa-refused"),
        (
            seq(&[&oid("1.2.840.113549.1.1.10"), &seq(&[])]),
            "pss-parameters-refused",
        ),
        (
            seq(&[&oid("1.2.840.113549.1.1.10")]),
            "pss-parameters-refused",
        ),
        (
            seq(&[&oid("1.2.840.113549.1.1.14"), &null]),
            "algorithm-refused",
        ),
        (
            seq(&[&oid("1.2.840.10045.4.3.2"), &null]),
            "algorithm-refused",
        ),
        (seq(&[&oid("1.2.3.4")]), "algorithm-refused"),
        (
            seq(&[&oid("1.2.840.113549.1.1.11"), &null]),
            "algorithm-key-mismatch",
        ),
        (seq(&[&oid("1.3.101.112")]), "algorithm-key-mismatch"),
        (ecdsa_sha256(), "accepted"),
    ] {
        for which in 0..2 {
            let verdict = changed(which, |mut spec| {
                spec.algorithm.clone_from(&algorithm);
                spec
            });
            assert_eq!(verdict, expected, "{algorithm:02x?}");
        }
    }
}

#[test]
fn pss_parameters_are_strict() {
    let hash = |id: &str| seq(&[&oid(id), &tlv(5, &[])]);
    let (sha256, sha384, sha1) = (
        "2.16.840.1.101.3.4.2.1",
        "2.16.840.1.101.3.4.2.2",
        "1.3.14.3.2.26",
    );
    let parameters = |of: &str, mask: &str, salt: u64, trailer: Option<u64>| {
        let mgf = seq(&[&oid("1.2.840.113549.1.1.8"), &hash(mask)]);
        let trailer = trailer
            .map(|number| tlv(0xa3, &[&int(number)]))
            .unwrap_or_default();
        let inside = seq(&[
            &tlv(0xa0, &[&hash(of)]),
            &tlv(0xa1, &[&mgf]),
            &tlv(0xa2, &[&int(salt)]),
            &trailer,
        ]);
        udap_pki::Scheme::from_algorithm_identifier(&seq(&[&oid("1.2.840.113549.1.1.10"), &inside]))
    };
    assert_eq!(
        parameters(sha256, sha256, 32, None),
        Ok(udap_pki::Scheme::RsaPssSha256)
    );
    assert_eq!(
        parameters(sha384, sha384, 48, Some(1)),
        Ok(udap_pki::Scheme::RsaPssSha384)
    );
    for refused in [
        parameters(sha256, sha384, 32, None),
        parameters(sha256, sha256, 20, None),
        parameters(sha256, sha256, 32, Some(2)),
        parameters(sha1, sha1, 20, None),
        parameters(sha256, sha1, 32, None),
    ] {
        assert_eq!(refused.unwrap_err().code(), "pss-parameters-refused");
    }
}

#[test]
fn keys_are_refused_by_name() {
    let rsa = |bits: usize| {
        let mut modulus = vec![0xff; bits / 8];
        modulus.insert(0, 0);
        let key = seq(&[&tlv(2, &[&modulus]), &int(65_537)]);
        seq(&[
            &seq(&[&oid("1.2.840.113549.1.1.1"), &tlv(5, &[])]),
            &tlv(3, &[&[0], &key]),
        ])
    };
    let ec = |curve: &[u8], point: &[u8]| {
        seq(&[
            &seq(&[&oid("1.2.840.10045.2.1"), curve]),
            &tlv(3, &[&[0], point]),
        ])
    };
    let k256 = oid("1.3.132.0.10");
    let p256 = oid("1.2.840.10045.3.1.7");
    for (spki, expected) in [
        (rsa(1024), "rsa-key-size"),
        (rsa(2040), "rsa-key-size"),
        (rsa(8200), "rsa-key-size"),
        (rsa(16_384), "rsa-key-size"),
        (ec(&k256, &[4; 65]), "curve-refused"),
        (ec(&seq(&[&int(1)]), &[4; 65]), "curve-refused"),
        (ec(&p256, &[4; 64]), "key-malformed"),
        (ec(&p256, &[6; 65]), "key-malformed"),
        (
            seq(&[&seq(&[&oid("1.2.840.10040.4.1")]), &tlv(3, &[&[0, 1]])]),
            "dsa-refused",
        ),
        (
            seq(&[&seq(&[&oid("1.3.101.113")]), &tlv(3, &[&[0; 58]])]),
            "key-algorithm-refused",
        ),
        (
            seq(&[&seq(&[&oid("1.3.101.112")]), &tlv(3, &[&[0; 32]])]),
            "key-malformed",
        ),
    ] {
        for which in 0..2 {
            let verdict = changed(which, |mut spec| {
                spec.spki.clone_from(&spki);
                spec
            });
            assert_eq!(verdict, expected);
        }
    }
    // A point that is not on its curve is found when the key is used.
    let verdict = changed(1, |mut spec| {
        spec.spki = ec(&p256, &[&[4_u8][..], &[7; 64]].concat());
        spec
    });
    assert_eq!(verdict, "key-malformed");
}

#[test]
fn what_makes_a_certificate_ambiguous_is_no_certificate() {
    let key = Key::new();
    let refused = |spec: &Spec| {
        let error = Certificate::from_der(&spec.der(&key)).unwrap_err();
        assert_eq!(error.code(), "certificate-malformed");
        error.to_string()
    };
    let spec = Spec::leaf("Leaf", "CA", &key);
    assert!(refused(&spec.clone().with(key_usage(&[1]))).contains("twice"));
    refused(&spec.clone().with(extension("2.5.29.17", false, &[0x30, 0])));
    refused(&spec.clone().with(extension(
        "2.5.29.19",
        false,
        &seq(&[&tlv(1, &[&[0xff]]), &tlv(2, &[&[0x80]])]),
    )));
    refused(
        &spec
            .clone()
            .without_extensions()
            .with(san(&[tlv(0x86, &[b"https://a\0b"])])),
    );
    refused(
        &spec
            .clone()
            .without_extensions()
            .with(san(&[ip(&[1, 2, 3])])),
    );
    let der = spec.der(&key);
    for bad in [
        &der[..der.len() - 1],
        &[&der[..], &[0]].concat(),
        &[],
        &[0x30, 0x80, 0, 0],
    ] {
        assert!(Certificate::from_der(bad).is_err());
    }
    // Two algorithms: the outer one is changed, from ecdsa-with-SHA256 to ecdsa-with-SHA384.
    let mut der = spec.der(&key);
    let outer = der
        .windows(10)
        .rposition(|ten| *ten == ecdsa_sha256()[2..])
        .unwrap();
    der[outer + 9] = 3;
    assert_eq!(
        Certificate::from_der(&der),
        Err(udap_pki::CertificateError::AlgorithmMismatch)
    );
}

#[test]
fn every_kind_of_name_check() {
    let names = || {
        san(&[
            uri("https://a.example.com/x#y"),
            uri("urn:uuid:0"),
            dns("a.example.com"),
            dns("*.b.example.com"),
            email("Ann@Example.com"),
            ip(&[192, 0, 2, 1]),
        ])
    };
    let check = |name| {
        changed_under(&with_name(name), 0, |spec| {
            spec.without_extensions().with(names())
        })
    };
    let of_uri = |text: &str| check(NameCheck::Uri(text.to_owned()));
    let of_dns = |text: &str| check(NameCheck::Dns(text.to_owned()));
    let of_email = |text: &str| check(NameCheck::Email(text.to_owned()));
    assert_eq!(of_uri("https://a.example.com/x#y"), "accepted");
    assert_eq!(of_uri("urn:uuid:0"), "accepted");
    assert_eq!(of_uri("https://a.example.com/x"), "san-uri-mismatch");
    assert_eq!(of_dns("A.example.com"), "accepted");
    assert_eq!(of_dns("c.b.example.com"), "accepted");
    assert_eq!(of_dns("d.c.b.example.com"), "san-dns-mismatch");
    assert_eq!(of_email("Ann@example.COM"), "accepted");
    assert_eq!(of_email("ann@example.com"), "san-email-mismatch");
    assert_eq!(check(NameCheck::Ip([192, 0, 2, 1].into())), "accepted");
    assert_eq!(
        check(NameCheck::Ip([192, 0, 2, 2].into())),
        "san-ip-mismatch"
    );
}

#[test]
fn the_common_name_is_no_name() {
    let policy = with_name(NameCheck::Dns("leaf.example.com".to_owned()));
    let verdict = changed_under(&policy, 0, |_| {
        Spec::leaf("CN=leaf.example.com", "CA", &Key::new()).without_extensions()
    });
    assert_eq!(verdict, "san-dns-mismatch");
}

#[test]
fn trust_comes_before_names() {
    // Whose chain leads nowhere hears that, and not what his certificate says of itself.
    let chain = Chain::new();
    let policy = with_name(NameCheck::Uri("https://other.example.com".to_owned()));
    let outcome = judge(
        &chain.leaf,
        &[],
        &[chain.root],
        &Evidence::default(),
        &policy,
    );
    assert_eq!(code(&outcome), "chain-not-trusted");
}

#[test]
fn an_issuer_is_asked_for_only_when_none_is_known() {
    const URL: &str = "http://ca.example.com/ca.cer";
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(authority_info(Some(URL), None)),
        _ => spec,
    });
    let need = Need::Issuer {
        url: URL.to_owned(),
    };
    let roots = [chain.root.clone()];
    let Outcome::Incomplete(incomplete) =
        judge(&chain.leaf, &[], &roots, &Evidence::default(), &off())
    else {
        panic!("an issuer is missing")
    };
    assert_eq!(incomplete.needs, [need.clone()]);
    assert_eq!(incomplete.reason.code(), "chain-not-trusted");
    // With the issuer, it is good; told that it cannot be had, it is refused.
    let mut with = Evidence::default();
    with.add_certificate(chain.ca.clone());
    assert_eq!(
        code(&judge(&chain.leaf, &[], &roots, &with, &off())),
        "accepted"
    );
    let mut without = Evidence::default();
    without.mark_unavailable(need);
    assert_eq!(
        code(&judge(&chain.leaf, &[], &roots, &without, &off())),
        "chain-not-trusted"
    );
    // Junk of the same name does not keep the question from being asked.
    let junk = Spec::ca("CA", "Root", &Key::new()).sign(&Key::new());
    assert_eq!(
        code(&judge(
            &chain.leaf,
            &[junk],
            &roots,
            &Evidence::default(),
            &off()
        )),
        "incomplete"
    );
    // What the leaf lacks, no issuer mends: nothing is asked for.
    let policy = with_name(NameCheck::Uri("https://other.example.com".to_owned()));
    assert_eq!(
        code(&judge(
            &chain.leaf,
            &[],
            &roots,
            &Evidence::default(),
            &policy
        )),
        "chain-not-trusted"
    );
    // A known issuer that leads nowhere is no reason to ask.
    let elsewhere = Spec::ca("Elsewhere", "Elsewhere", &chain.leaf_key).sign(&chain.leaf_key);
    let outcome = judge(
        &chain.leaf,
        &[chain.ca.clone(), chain.root.clone()],
        &[elsewhere],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "chain-not-trusted");
    // Offline, nothing is ever asked for.
    let anchors = [Anchor::new(chain.root.clone())];
    let none = Evidence::default();
    let request = Request {
        leaf: &chain.leaf,
        intermediates: &[],
        anchors: &anchors,
        evidence: &none,
        now: NOW,
        policy: &off(),
    };
    assert_eq!(code(&verify_offline(&request)), "chain-not-trusted");
    assert_eq!(code(&verify(&request)), "incomplete");
}

#[test]
fn key_identifiers_are_hints_only() {
    // Wrong ones everywhere: the path is found all the same.
    let chain = Chain::with(|at, spec| {
        spec.with(key_id(&[at; 20]))
            .with(authority_key_id(&[0xee; 20]))
    });
    let decoy = Spec::ca("CA", "Root", &Key::new())
        .with(key_id(&[0xee; 20]))
        .sign(&Key::new());
    let outcome = judge(
        &chain.leaf,
        &[decoy, chain.ca],
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "accepted");
}

#[test]
fn the_reason_is_that_of_the_path_that_came_furthest() {
    // One path fails at an expired cross-certificate, another leads to an unknown root.
    let chain = Chain::with(|at, spec| if at == 1 { spec.valid(-20, -1) } else { spec });
    let stray = Spec::ca("CA", "Unknown root", &chain.ca_key).sign(&Key::new());
    let outcome = judge(
        &chain.leaf,
        &[stray, chain.ca],
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "certificate-expired");
    let steps = outcome.trace().steps();
    let titles: Vec<&str> = steps.iter().map(|step| step.title.as_str()).collect();
    assert!(
        titles
            .iter()
            .any(|title| title.starts_with("an issuer of CN=CA")),
        "{titles:?}"
    );
    assert!(
        titles.contains(&"a path that reaches an anchor"),
        "{titles:?}"
    );
}

#[test]
fn limits_say_their_names() {
    for limit in [
        WorkLimit::Signatures,
        WorkLimit::Steps,
        WorkLimit::Paths,
        WorkLimit::NameConstraints,
    ] {
        let reason = Reason::WorkLimit(limit);
        assert_eq!(reason.code(), "work-limit");
        assert!(reason.to_string().contains("more than"));
    }
}

#[test]
fn the_grace_is_a_day_at_most() {
    let crl = |chain: &Chain| {
        evidence([
            crate::forge::CrlSpec::new("Root", 1).sign(&chain.root_key),
            crate::forge::CrlSpec::new("CA", 1)
                .dates(-9, -2)
                .sign(&chain.ca_key),
        ])
    };
    let chain = Chain::new();
    let policy = Policy {
        grace_secs: i64::MAX,
        ..Policy::default()
    };
    assert_eq!(
        code(&chain.judge(&policy, &crl(&chain))),
        "revocation-unavailable"
    );
    assert_eq!(UnixTime(i64::MAX).plus_secs(i64::MAX), UnixTime(i64::MAX));
}

#[test]
fn bundles_are_read() {
    let chain = Chain::new();
    let bundle = |certificates: &[&[u8]]| {
        let list = tlv(0xa0, &[&certificates.concat()]);
        let signed = seq(&[
            &int(1),
            &tlv(0x31, &[]),
            &seq(&[&oid("1.2.840.113549.1.7.1")]),
            &list,
            &tlv(0x31, &[]),
        ]);
        seq(&[&oid("1.2.840.113549.1.7.2"), &tlv(0xa0, &[&signed])])
    };
    let both = bundle(&[chain.ca.der(), chain.root.der()]);
    let expected = vec![chain.ca.clone(), chain.root.clone()];
    assert_eq!(udap_pki::pem::certificates(&both), Ok(expected.clone()));
    let pem = udap_pki::pem::encode("PKCS7", &both);
    assert_eq!(udap_pki::pem::certificates(pem.as_bytes()), Ok(expected));
    assert_eq!(
        udap_pki::pem::certificates(chain.ca.der()),
        Ok(vec![chain.ca.clone()])
    );
    assert_eq!(
        udap_pki::pem::certificates(&bundle(&[]))
            .unwrap_err()
            .code(),
        "pem-malformed"
    );
    let broken = bundle(&[chain.ca.der(), &seq(&[])]);
    assert_eq!(
        udap_pki::pem::certificates(&broken).unwrap_err().code(),
        "certificate-malformed"
    );
}
