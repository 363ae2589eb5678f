//! The explanation: what was tried, in order, with what it looked at.

use crate::forge::{Chain, CrlSpec, Key, OcspSpec, Says, Spec, evidence, issuing_point, judge};
use udap_pki::{Evidence, Mark, Outcome, Policy, Revocation, Step};

fn find<'a>(steps: &'a [Step], title: &str) -> Option<&'a Step> {
    let mut waiting: Vec<&Step> = steps.iter().rev().collect();
    while let Some(step) = waiting.pop() {
        if step.title == title {
            return Some(step);
        }
        waiting.extend(step.children.iter().rev());
    }
    None
}

#[test]
fn a_revoked_leaf_is_explained_down_to_the_list() {
    let chain = Chain::new();
    let [root_crl, _] = chain.crls();
    let elsewhere = CrlSpec::new("CA", 8)
        .with(issuing_point(&[], &[2], None))
        .sign(&chain.ca_key);
    let revoking = CrlSpec::new("CA", 9)
        .revoke_for(Chain::serial(&chain.leaf), 1)
        .sign(&chain.ca_key);
    let outcome = chain.judge(
        &Policy::default(),
        &evidence([root_crl, elsewhere, revoking]),
    );
    let steps = outcome.trace().steps();
    let path = find(&steps, "a path that reaches an anchor").unwrap();
    assert_eq!(path.mark, Mark::Failed);
    assert_eq!(
        path.data,
        [("path", "CN=Leaf ← CN=CA ← CN=Root".to_owned())]
    );
    assert_eq!(path.section, "RFC 5280 §6.1");
    assert_eq!(find(&steps, "revocation of CN=CA").unwrap().mark, Mark::Ok);
    let leaf = find(&steps, "revocation of CN=Leaf").unwrap();
    assert_eq!(leaf.mark, Mark::Failed);
    let marks: Vec<Mark> = leaf.children.iter().map(|step| step.mark).collect();
    assert_eq!(marks, [Mark::Skipped, Mark::Failed, Mark::Failed]);
    assert_eq!(leaf.children[2].code, Some("certificate-revoked"));
    let number = leaf.children[1]
        .data
        .iter()
        .find(|(name, _)| *name == "number")
        .unwrap();
    assert_eq!(number.1, "09");
    let text = outcome.trace().to_string();
    assert!(text.contains("    – CRL: serial"), "{text}");
    assert!(
        text.contains("  ✗ revocation of CN=Leaf (RFC 5280 §6.1.3 (a)(3))"),
        "{text}"
    );
    assert!(text.contains("[certificate-revoked]"), "{text}");
}

#[test]
fn every_candidate_is_there_with_its_reason() {
    let chain = Chain::new();
    let pool = [
        Spec::ca("CA", "Root", &Key::new()).sign(&Key::new()),
        Spec::new("CA", "Root", &chain.ca_key).sign(&chain.root_key),
        chain.ca.clone(),
    ];
    let policy = Policy {
        revocation: Revocation::Off,
        ..Policy::default()
    };
    // The good one is not trusted here either.
    let outcome = judge(
        &chain.leaf,
        &pool,
        &[Chain::new().root],
        &Evidence::default(),
        &policy,
    );
    let codes: Vec<Option<&str>> = outcome
        .trace()
        .steps()
        .iter()
        .map(|step| step.code)
        .collect();
    for code in ["signature-invalid", "not-a-ca"] {
        assert!(
            codes.contains(&Some(code)),
            "{codes:?}\n{}",
            outcome.trace()
        );
    }
}

#[test]
fn the_words_and_signs_of_marks() {
    let marks = [
        (Mark::Ok, '✓', "ok"),
        (Mark::Failed, '✗', "failed"),
        (Mark::Skipped, '–', "skipped"),
    ];
    for (mark, sign, word) in marks {
        assert_eq!((mark.sign(), mark.word()), (sign, word));
    }
}

#[test]
fn an_ocsp_answer_is_shown() {
    let chain = Chain::new();
    let [root_crl, _] = chain.crls();
    let mut evidence = evidence([root_crl]);
    evidence.add_ocsp(
        OcspSpec::by_name("CA")
            .says(&chain.leaf, &chain.ca, Says::Good)
            .sign(&chain.ca_key),
    );
    let outcome = chain.judge(&Policy::default(), &evidence);
    assert!(matches!(outcome, Outcome::Valid(_)));
    assert!(
        outcome
            .trace()
            .to_string()
            .contains("✓ OCSP response: serial"),
        "{}",
        outcome.trace()
    );
}

#[test]
fn a_trace_ends_somewhere() {
    let chain = Chain::new();
    let pool: Vec<_> = (0..999)
        .map(|at| {
            Spec::new(
                if at % 2 == 0 { "CA" } else { "Root" },
                "Root",
                &chain.leaf_key,
            )
        })
        .collect();
    let pool: Vec<_> = pool.iter().map(|spec| spec.sign(&chain.leaf_key)).collect();
    let policy = Policy {
        revocation: Revocation::Off,
        ..Policy::default()
    };
    let outcome = judge(
        &chain.leaf,
        &pool,
        &[Chain::new().root],
        &Evidence::default(),
        &policy,
    );
    let lines = outcome.trace().to_string().lines().count();
    assert!(lines <= 1_001, "{lines}");
}
