//! One test for each rule that refuses, with its exact code, beside the chain that passes.

mod constraints;
mod inputs;

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
    assert!(
        trace.contains("critical basicConstraints keyUsage"),
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
