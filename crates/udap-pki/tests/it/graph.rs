//! Hostile graphs: loops, cross-signatures in every direction, crowds of junk. All must end in milliseconds.

use crate::forge::{
    Chain, Key, NOW, Spec, authority_key_id, basic, code, dns, judge, key_id, key_usage,
    name_constraints, san,
};
use std::time::{Duration, Instant};
use udap_pki::{Certificate, Evidence, Outcome, Policy, Reason, Revocation, WorkLimit, limits};

pub(crate) fn off() -> Policy {
    Policy {
        revocation: Revocation::Off,
        ..Policy::default()
    }
}

/// Generous for a debug build on a busy machine; the bounds themselves are checked by count.
const SOON: Duration = Duration::from_secs(10);

/// `count` CAs, each of which certified every other.
pub(crate) fn clique(count: usize) -> (Vec<Key>, Vec<Certificate>) {
    let keys: Vec<Key> = (0..count).map(|_| Key::new()).collect();
    let mut certificates = Vec::new();
    for subject in 0..count {
        for issuer in 0..count {
            if subject != issuer {
                let spec = Spec::ca(
                    &format!("CA{subject}"),
                    &format!("CA{issuer}"),
                    &keys[subject],
                );
                certificates.push(spec.sign(&keys[issuer]));
            }
        }
    }
    (keys, certificates)
}

#[test]
fn thirty_cross_signing_cas_that_lead_nowhere() {
    let (keys, certificates) = clique(30);
    let leaf = Spec::leaf("Leaf", "CA0", &Key::new()).sign(&keys[0]);
    let elsewhere = Chain::new().root;
    let start = Instant::now();
    let outcome = judge(
        &leaf,
        &certificates,
        &[elsewhere],
        &Evidence::default(),
        &off(),
    );
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(code(&outcome), "work-limit");
}

#[test]
fn the_way_out_of_thirty_cross_signing_cas_is_found() {
    let (keys, mut certificates) = clique(30);
    let leaf = Spec::leaf("Leaf", "CA0", &Key::new()).sign(&keys[0]);
    let root_key = Key::new();
    let root = Spec::ca("Root", "Root", &root_key).sign(&root_key);
    certificates.push(Spec::ca("CA29", "Root", &keys[29]).sign(&root_key));
    let start = Instant::now();
    let outcome = judge(&leaf, &certificates, &[root], &Evidence::default(), &off());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let Outcome::Valid(valid) = outcome else {
        panic!("{}", outcome.trace())
    };
    assert_eq!(valid.path().len(), 4);
}

#[test]
fn a_ring_ends() {
    let keys: Vec<Key> = (0..8).map(|_| Key::new()).collect();
    let ring: Vec<Certificate> = (0..8)
        .map(|at| {
            Spec::ca(
                &format!("CA{at}"),
                &format!("CA{}", (at + 1) % 8),
                &keys[at],
            )
            .sign(&keys[(at + 1) % 8])
        })
        .collect();
    let leaf = Spec::leaf("Leaf", "CA0", &Key::new()).sign(&keys[0]);
    let outcome = judge(
        &leaf,
        &ring,
        &[Chain::new().root],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "chain-not-trusted");
    // With an anchor in the ring it is found from anywhere.
    let outcome = judge(
        &leaf,
        &ring,
        &[ring[5].clone()],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "accepted");
}

#[test]
fn junk_beside_a_good_chain_does_not_spoil_it() {
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(authority_key_id(&[1; 20])),
        1 => spec.with(key_id(&[1; 20])),
        _ => spec,
    });
    let mut pool: Vec<Certificate> = (0..400)
        .map(|_| Spec::ca("CA", "Root", &Key::new()).sign(&chain.leaf_key))
        .collect();
    pool.push(chain.ca.clone());
    let start = Instant::now();
    let outcome = judge(
        &chain.leaf,
        &pool,
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(code(&outcome), "accepted");
}

#[test]
fn a_crowd_of_same_named_issuers_meets_the_bound() {
    // No key identifiers to choose by: the bound ends it.
    let chain = Chain::new();
    let pool: Vec<Certificate> = (0..400)
        .map(|_| Spec::ca("CA", "Root", &Key::new()).sign(&chain.leaf_key))
        .collect();
    let outcome = judge(
        &chain.leaf,
        &pool,
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    let Outcome::Invalid(invalid) = outcome else {
        panic!("accepted")
    };
    assert_eq!(invalid.reason, Reason::WorkLimit(WorkLimit::Signatures));
}

#[test]
fn many_paths_to_one_anchor_meet_the_bound() {
    // Every path reaches the anchor and fails there: 4 layers of 5 CAs each, all cross-certified, over a root that
    // allows no CA below it.
    let root_key = Key::new();
    let root = Spec::new("Root", "Root", &root_key)
        .with(basic(true, Some(0)))
        .with(key_usage(&[5]))
        .sign(&root_key);
    let layers: Vec<Vec<Key>> = (0..4)
        .map(|_| (0..5).map(|_| Key::new()).collect())
        .collect();
    let mut pool = Vec::new();
    for (depth, layer) in layers.iter().enumerate() {
        for (at, key) in layer.iter().enumerate() {
            let subject = format!("CA{depth}-{at}");
            if depth == 0 {
                pool.push(Spec::ca(&subject, "Root", key).sign(&root_key));
            } else {
                for (above, signer) in layers[depth - 1].iter().enumerate() {
                    pool.push(
                        Spec::ca(&subject, &format!("CA{}-{above}", depth - 1), key).sign(signer),
                    );
                }
            }
        }
    }
    let leaf = Spec::leaf("Leaf", "CA3-0", &Key::new()).sign(&layers[3][0]);
    let start = Instant::now();
    let outcome = judge(&leaf, &pool, &[root], &Evidence::default(), &off());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let Outcome::Invalid(invalid) = outcome else {
        panic!("accepted")
    };
    assert_eq!(invalid.reason, Reason::WorkLimit(WorkLimit::Paths));
}

#[test]
fn a_long_chain_ends_at_the_bound() {
    let keys: Vec<Key> = (0..40).map(|_| Key::new()).collect();
    let root = Spec::ca("CA39", "CA39", &keys[39]).sign(&keys[39]);
    let pool: Vec<Certificate> = (0..39)
        .map(|at| {
            Spec::ca(&format!("CA{at}"), &format!("CA{}", at + 1), &keys[at]).sign(&keys[at + 1])
        })
        .collect();
    let leaf_of = |at: usize| Spec::leaf("Leaf", &format!("CA{at}"), &Key::new()).sign(&keys[at]);
    let far = Policy {
        max_intermediates: 255,
        ..off()
    };
    let verdict = |at, policy: &Policy| {
        code(&judge(
            &leaf_of(at),
            &pool,
            &[root.clone()],
            &Evidence::default(),
            policy,
        ))
    };
    assert_eq!(verdict(0, &far), "path-length");
    assert_eq!(
        verdict(39 - usize::from(limits::INTERMEDIATES), &far),
        "accepted"
    );
    assert_eq!(
        verdict(38 - usize::from(limits::INTERMEDIATES), &far),
        "path-length"
    );
    assert_eq!(verdict(29, &off()), "accepted");
    assert_eq!(verdict(28, &off()), "path-length");
}

#[test]
fn constraints_times_names_meet_the_bound() {
    let bases: Vec<Vec<u8>> = (0..1000).map(|at| dns(&format!("d{at}.test"))).collect();
    let names: Vec<Vec<u8>> = (0..1000)
        .map(|at| dns(&format!("a.d{}.test", at % 1000)))
        .collect();
    let chain = Chain::with(|at, spec| match at {
        1 => spec.with(name_constraints(&bases, &[])),
        0 => spec.without_extensions().with(san(&names)),
        _ => spec,
    });
    let start = Instant::now();
    let outcome = chain.judge(&off(), &Evidence::default());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let Outcome::Invalid(invalid) = outcome else {
        panic!("accepted")
    };
    assert_eq!(
        invalid.reason,
        Reason::WorkLimit(WorkLimit::NameConstraints)
    );
}

#[test]
fn a_pool_beyond_all_measure_is_cut_and_said_to_be() {
    let chain = Chain::new();
    let stray = Key::new();
    let mut pool = vec![chain.ca.clone()];
    pool.extend((0..limits::POOL).map(|at| Spec::ca(&format!("X{at}"), "Y", &stray).sign(&stray)));
    let start = Instant::now();
    let outcome = judge(
        &chain.leaf,
        &pool,
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(code(&outcome), "accepted");
    assert!(
        outcome.trace().to_string().contains("some were ignored"),
        "{}",
        outcome.trace()
    );
    assert!(NOW < chain.leaf.not_after());
}
