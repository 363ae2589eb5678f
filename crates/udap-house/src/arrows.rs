//! Which crate may depend on which: ARCHITECTURE.md's picture as a table.

use crate::graph::{Graph, Kind};

const CORE: &[&str] = &["udap-pki", "udap-proto", "udap-trust"];
const ROLE: &[&str] = &[
    "udap-pki",
    "udap-proto",
    "udap-trust",
    "udap-client",
    "udap-host",
];
const LAB: &[&str] = &[
    "udap-pki",
    "udap-proto",
    "udap-trust",
    "udap-client",
    "udap-host",
    "udap-server",
    "udap-gateway",
    "udap-ca",
    "udap-agent",
];
const BINARY: &[&str] = &[
    "udap-pki",
    "udap-proto",
    "udap-trust",
    "udap-client",
    "udap-host",
    "udap-server",
    "udap-gateway",
    "udap-ca",
    "udap-agent",
    "udap-lab",
];

/// A crate, and all that it may depend on. Arrows point down only, and roles do not know each other.
pub const TABLE: &[(&str, &[&str])] = &[
    ("udap-pki", &[]),
    ("udap-proto", &["udap-pki"]),
    ("udap-trust", &["udap-pki", "udap-proto"]),
    ("udap-client", CORE),
    ("udap-host", CORE),
    ("udap-server", ROLE),
    ("udap-gateway", ROLE),
    ("udap-ca", ROLE),
    ("udap-agent", ROLE),
    ("udap-lab", LAB),
    ("udap", BINARY),
    ("udap-testkit", ROLE),
    ("udap-house", &[]),
];

/// What a crate's tests may use besides.
pub const FOR_TESTS: &str = "udap-testkit";

/// Each arrow of the workspace that the table does not have.
#[must_use]
pub fn wrong(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    for member in graph.members() {
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == member) else {
            wrong.push(format!("{member} is not in the table of arrows"));
            continue;
        };
        for (to, kind) in graph.arrows_of(member) {
            // A crate's tests may use the crate itself through another door (an example, a feature).
            let for_tests = kind == Kind::Dev && (to == FOR_TESTS || to == member);
            if !allowed.contains(&to) && !for_tests {
                wrong.push(format!("{member} must not depend on {to} ({kind:?})"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::graph;

    #[test]
    fn an_arrow_up_or_across_is_found() {
        let up = graph(
            &["udap-pki", "udap-trust"],
            &[("udap-pki", "udap-trust", None)],
        );
        assert_eq!(
            wrong(&up),
            ["udap-pki must not depend on udap-trust (Normal)"]
        );
        let across = graph(
            &["udap-server", "udap-gateway"],
            &[("udap-server", "udap-gateway", Some("dev"))],
        );
        assert_eq!(
            wrong(&across),
            ["udap-server must not depend on udap-gateway (Dev)"]
        );
        let build = graph(
            &["udap-host", "udap-client"],
            &[("udap-host", "udap-client", Some("build"))],
        );
        assert_eq!(
            wrong(&build),
            ["udap-host must not depend on udap-client (Build)"]
        );
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        let members = ["udap-server", "udap-testkit"];
        assert!(
            wrong(&graph(
                &members,
                &[("udap-server", "udap-testkit", Some("dev"))]
            ))
            .is_empty()
        );
        let shipped = graph(&members, &[("udap-server", "udap-testkit", None)]);
        assert_eq!(
            wrong(&shipped),
            ["udap-server must not depend on udap-testkit (Normal)"]
        );
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_found() {
        assert_eq!(
            wrong(&graph(&["udap-new"], &[])),
            ["udap-new is not in the table of arrows"]
        );
    }

    #[test]
    fn the_table_has_no_circle() {
        // Every arrow of the table leads to a crate with a strictly smaller set of arrows.
        let size = |name: &str| {
            TABLE
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, to)| to.len())
        };
        for (name, arrows) in TABLE {
            for to in *arrows {
                assert!(size(to) < size(name), "{name} → {to}");
            }
        }
    }
}
