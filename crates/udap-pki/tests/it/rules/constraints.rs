//! Name constraints and certificate policies.

use super::*;

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
