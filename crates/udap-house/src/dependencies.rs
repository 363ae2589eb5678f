//! What must not be in a dependency tree.

use crate::Graph;

/// Crates without I/O, clock and randomness.
pub const PURE: &[&str] = &["udap-pki", "udap-proto"];

/// What a pure crate cannot have anywhere in its tree.
pub const IMPURE: &[&str] = &[
    "tokio", "hyper", "reqwest", "axum", "sqlx", "jiff", "chrono", "rand", "uuid",
];

/// What no crate may have, its tests included: a second cryptographic library is a second set of
/// faults and advisories, and the one that is slower or laxer might be the one in use.
pub const FORBIDDEN: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring"];

/// Each impure package in the tree of a pure crate. `udap-pki` and `udap-proto` have to be there.
#[must_use]
pub fn impure(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for pure in PURE {
        let tree = graph.normal_tree(pure);
        if tree.is_empty() {
            found.push(format!("{pure} is not in the workspace"));
        }
        for package in IMPURE.iter().filter(|package| tree.contains(*package)) {
            found.push(format!("{pure} is pure and has {package} in its tree"));
        }
    }
    found
}

/// Each forbidden package that building or testing the workspace would need.
#[must_use]
pub fn forbidden(graph: &Graph) -> Vec<String> {
    let all = graph.everything();
    FORBIDDEN
        .iter()
        .filter(|package| all.contains(*package))
        .map(|package| format!("{package} is in the dependency tree"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::graph;

    #[test]
    fn a_runtime_deep_in_a_pure_tree_is_found() {
        let edges = [
            ("udap-proto", "udap-pki", None),
            ("udap-pki", "x", None),
            ("x", "tokio", None),
        ];
        let found = impure(&graph(&["udap-pki", "udap-proto"], &edges));
        assert_eq!(
            found,
            [
                "udap-pki is pure and has tokio in its tree",
                "udap-proto is pure and has tokio in its tree"
            ]
        );
    }

    #[test]
    fn a_test_may_use_what_the_crate_may_not() {
        let edges = [
            ("udap-pki", "proptest", Some("dev")),
            ("proptest", "rand", None),
        ];
        assert!(impure(&graph(&["udap-pki", "udap-proto"], &edges)).is_empty());
    }

    #[test]
    fn a_pure_crate_that_is_gone_is_found() {
        assert_eq!(
            impure(&graph(&["udap-pki"], &[])),
            ["udap-proto is not in the workspace"]
        );
    }

    #[test]
    fn a_forbidden_package_is_found_behind_tests_and_builds_too() {
        let edges = [
            ("udap", "a", Some("dev")),
            ("a", "ring", None),
            ("udap", "b", Some("build")),
            ("b", "openssl-sys", None),
        ];
        assert_eq!(
            forbidden(&graph(&["udap"], &edges)),
            [
                "openssl-sys is in the dependency tree",
                "ring is in the dependency tree"
            ]
        );
    }
}
