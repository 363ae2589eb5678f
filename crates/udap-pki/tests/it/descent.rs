//! Whether a refused leaf is below an anchor at all: what a compromised root takes along when it goes, and what
//! is wrong for the moment does not.

use crate::forge::{Chain, Key, Spec, basic, code, judge, key_usage};
use crate::graph::{clique, off};
use udap_pki::{Certificate, Evidence, NameCheck, Outcome, Policy};

/// The code of a refusal, and whether the leaf is below no anchor.
fn told(outcome: &Outcome) -> (&'static str, bool) {
    let Outcome::Invalid(invalid) = outcome else {
        panic!("{}", code(outcome))
    };
    (code(outcome), invalid.unanchored)
}

fn ask(
    leaf: &Certificate,
    others: &[Certificate],
    anchors: &[Certificate],
) -> (&'static str, bool) {
    told(&judge(leaf, others, anchors, &Evidence::default(), &off()))
}

/// Another root of the same name.
fn namesake() -> Certificate {
    let key = Key::new();
    Spec::ca("Root", "Root", &key).sign(&key)
}

#[test]
fn no_certificate_hides_that_the_anchor_is_gone() {
    let chain = Chain::new();
    let (leaf, ca) = (&chain.leaf, chain.ca.clone());
    let other_key = Key::new();
    let other = [Spec::ca("Elsewhere", "Elsewhere", &other_key).sign(&other_key)];
    assert_eq!(
        ask(leaf, &[ca.clone()], &other),
        ("chain-not-trusted", true)
    );
    // The root is replaced by one of its name with another key.
    assert_eq!(
        ask(leaf, &[ca.clone()], &[namesake()]),
        ("signature-invalid", true)
    );
    // The signer had sent along another one before, or one that is no CA.
    let junk = [ca.clone(), namesake()];
    assert_eq!(ask(leaf, &junk, &other), ("signature-invalid", true));
    let no_ca = Spec::leaf("Root", "Root", &chain.root_key).sign(&chain.root_key);
    assert_eq!(
        ask(leaf, &[ca.clone(), no_ca.clone()], &other),
        ("not-a-ca", true)
    );
    // One that is no CA is no way down either, also as the anchor itself.
    assert_eq!(ask(leaf, &[ca], &[no_ca]), ("not-a-ca", true));
}

#[test]
fn a_member_below_another_anchor_is_no_way_down() {
    let (chain, other_key, member_key) = (Chain::new(), Key::new(), Key::new());
    let other = Spec::ca("Other", "Other", &other_key).sign(&other_key);
    let member = Spec::leaf("Member", "Other", &member_key).sign(&other_key);
    // The key of the CA whose root is gone, certified by a member and by a CA of nobody's.
    let home_made = Spec::ca("Other", "Other", &member_key).sign(&member_key);
    let crossed = |issuer| Spec::ca("CA", issuer, &chain.ca_key).sign(&member_key);
    let sent = [
        chain.ca.clone(),
        crossed("Member"),
        crossed("Other"),
        member,
        home_made,
    ];
    let (_, unanchored) = ask(&chain.leaf, &sent, &[other.clone()]);
    assert!(unanchored);
    // By the anchor, it is below it.
    let crossed = Spec::ca("CA", "Other", &chain.ca_key)
        .valid(-20, -1)
        .sign(&other_key);
    assert_eq!(
        ask(&chain.leaf, &[crossed], &[other]),
        ("certificate-expired", false)
    );
}

#[test]
fn what_is_wrong_with_a_way_is_not_that_there_is_none() {
    let judged = |which: u8, change: &dyn Fn(Spec) -> Spec, policy: &Policy| {
        let chain = Chain::with(|at, spec| if at == which { change(spec) } else { spec });
        told(&chain.judge(policy, &Evidence::default()))
    };
    for which in 0..3 {
        let expired = judged(which, &|spec| spec.valid(-20, -1), &off());
        assert_eq!(expired, ("certificate-expired", false));
    }
    let name = Some(NameCheck::Uri("https://other.example.com".to_owned()));
    let named = Policy { name, ..off() };
    assert_eq!(judged(0, &|spec| spec, &named), ("san-uri-mismatch", false));
    let short = |spec: Spec| {
        let spec = spec.without_extensions().with(basic(true, Some(0)));
        spec.with(key_usage(&[5]))
    };
    assert_eq!(judged(2, &short, &off()), ("path-length", false));
    assert_eq!(
        judged(0, &|spec| spec, &Policy::default()),
        ("revocation-unavailable", false)
    );
    // An anchor is below itself.
    let expired = Spec::leaf("Leaf", "CA", &Key::new())
        .valid(-20, -1)
        .sign(&Key::new());
    assert_eq!(
        ask(&expired, &[], &[expired.clone()]),
        ("certificate-expired", false)
    );
}

#[test]
fn whoever_wears_out_the_search_for_paths_neither_hides_nor_feigns_it() {
    let (keys, mut sent) = clique(30);
    let leaf = Spec::leaf("Leaf", "CA0", &Key::new()).sign(&keys[0]);
    let root_key = Key::new();
    let root = Spec::ca("Root", "Root", &root_key).sign(&root_key);
    let lost = ("work-limit", true);
    assert_eq!(ask(&leaf, &sent, &[root.clone()]), lost);
    let way = Spec::ca("CA29", "Root", &keys[29]).valid(-20, -1);
    sent.push(way.sign(&keys[29]));
    assert_eq!(ask(&leaf, &sent, &[root.clone()]), lost);
    sent.push(way.sign(&root_key));
    assert_eq!(ask(&leaf, &sent, &[root]), ("work-limit", false));
    // More than anybody can send: nothing is said to be lost that is only not found.
    let chain = Chain::new();
    let crowd: Vec<Certificate> = (0..400)
        .map(|_| Spec::ca("CA", "Root", &Key::new()).sign(&chain.leaf_key))
        .collect();
    let told = ask(&chain.leaf, &crowd, &[chain.root.clone()]);
    assert_eq!(told, ("work-limit", false));
}
