//! Certificate policies as a graph (RFC 9618, which replaces the tree of RFC 5280 §6.1).
//!
//! One node per policy and depth with edges to its parents: mappings that would make a tree grow
//! exponentially make this grow by what the certificates spell out, no more.

use const_oid::ObjectIdentifier;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");

/// The valid_policy_graph; no levels means NULL.
#[derive(Debug)]
pub(crate) struct PolicyGraph {
    levels: Vec<BTreeMap<ObjectIdentifier, Node>>,
}

#[derive(Debug, Default)]
struct Node {
    expected: BTreeSet<ObjectIdentifier>,
    /// Policies of the parents, one level up.
    parents: BTreeSet<ObjectIdentifier>,
}

/// Whether anyPolicy in a certificate still counts (§6.1.3 (d) (2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyPolicy {
    Counts,
    Inhibited,
}

/// Whether mappings still count (§6.1.4 (b)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    Counts,
    Inhibited,
}

impl PolicyGraph {
    /// §6.1.2 (a): one node, anyPolicy.
    pub(crate) fn new() -> Self {
        let root = Node {
            expected: BTreeSet::from([ANY_POLICY]),
            parents: BTreeSet::new(),
        };
        Self {
            levels: vec![BTreeMap::from([(ANY_POLICY, root)])],
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.levels.is_empty()
    }

    /// §6.1.3 (d) and (e): the policies of the next certificate, if it has any.
    pub(crate) fn add_certificate(
        &mut self,
        policies: Option<&[ObjectIdentifier]>,
        any: AnyPolicy,
    ) {
        let Some(above) = self.levels.last() else {
            return;
        };
        let Some(policies) = policies else {
            self.levels.clear();
            return;
        };
        // Who expects what: each policy's parents.
        let mut expecting: BTreeMap<ObjectIdentifier, BTreeSet<ObjectIdentifier>> = BTreeMap::new();
        for (policy, node) in above {
            for expected in &node.expected {
                expecting.entry(*expected).or_default().insert(*policy);
            }
        }
        let node = |policy, parents| Node {
            expected: BTreeSet::from([policy]),
            parents,
        };
        let mut level = BTreeMap::new();
        for policy in policies.iter().filter(|policy| **policy != ANY_POLICY) {
            let parents = match expecting.get(policy) {
                Some(parents) => parents.clone(),
                None if above.contains_key(&ANY_POLICY) => BTreeSet::from([ANY_POLICY]),
                None => continue,
            };
            level.insert(*policy, node(*policy, parents));
        }
        if any == AnyPolicy::Counts && policies.contains(&ANY_POLICY) {
            for (policy, parents) in expecting {
                level.entry(policy).or_insert_with(|| node(policy, parents));
            }
        }
        self.levels.push(level);
        self.prune();
    }

    /// §6.1.4 (b): the mappings of an intermediate certificate.
    pub(crate) fn map(
        &mut self,
        mappings: &[(ObjectIdentifier, ObjectIdentifier)],
        mapping: Mapping,
    ) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        let mut targets: BTreeMap<ObjectIdentifier, BTreeSet<ObjectIdentifier>> = BTreeMap::new();
        for (issuer_domain, subject_domain) in mappings {
            targets
                .entry(*issuer_domain)
                .or_default()
                .insert(*subject_domain);
        }
        for (policy, expected) in targets {
            match mapping {
                Mapping::Counts => {
                    let any = level.contains_key(&ANY_POLICY);
                    if let Some(node) = level.get_mut(&policy) {
                        node.expected = expected;
                    } else if any {
                        level.insert(
                            policy,
                            Node {
                                expected,
                                parents: BTreeSet::from([ANY_POLICY]),
                            },
                        );
                    }
                }
                Mapping::Inhibited => {
                    level.remove(&policy);
                }
            }
        }
        self.prune();
    }

    /// §6.1.5 (g): the policies that the path is valid for, within those the relying party accepts
    /// (none named means any). Empty when there is none; anyPolicy when there is no bound.
    pub(crate) fn user_constrained(&self, wanted: &[ObjectIdentifier]) -> Vec<ObjectIdentifier> {
        let Some(last) = self.levels.last() else {
            return Vec::new();
        };
        // Policies as the anchor's domain knows them: nodes with an anyPolicy parent that lead to the last level.
        let mut domain = BTreeSet::new();
        let mut reached: BTreeSet<ObjectIdentifier> = last.keys().copied().collect();
        for level in self.levels.iter().rev() {
            let mut above = BTreeSet::new();
            for (policy, node) in level.iter().filter(|(policy, _)| reached.contains(*policy)) {
                if *policy != ANY_POLICY && node.parents.contains(&ANY_POLICY) {
                    domain.insert(*policy);
                }
                above.extend(node.parents.iter().copied());
            }
            reached = above;
        }
        let unbounded = last.contains_key(&ANY_POLICY);
        if wanted.is_empty() || wanted.contains(&ANY_POLICY) {
            if unbounded {
                domain.insert(ANY_POLICY);
            }
            return domain.into_iter().collect();
        }
        wanted
            .iter()
            .copied()
            .filter(|policy| unbounded || domain.contains(policy))
            .collect()
    }

    /// §6.1.3 (d) (3): what has no child above the last level goes.
    fn prune(&mut self) {
        let Some(mut needed) = self.levels.last().map(parents) else {
            return;
        };
        if self.levels.last().is_some_and(BTreeMap::is_empty) {
            self.levels.clear();
            return;
        }
        let below_last = self.levels.len().saturating_sub(1);
        for level in self.levels.iter_mut().take(below_last).rev() {
            level.retain(|policy, _| needed.contains(policy));
            needed = parents(level);
        }
    }
}

fn parents(level: &BTreeMap<ObjectIdentifier, Node>) -> BTreeSet<ObjectIdentifier> {
    level
        .values()
        .flat_map(|node| node.parents.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(number: u32) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999")
            .push_arc(number)
            .unwrap_or(ANY_POLICY)
    }

    #[test]
    fn the_common_policy_survives() {
        let mut graph = PolicyGraph::new();
        graph.add_certificate(Some(&[p(1), p(2)]), AnyPolicy::Counts);
        graph.add_certificate(Some(&[p(2), p(3)]), AnyPolicy::Counts);
        assert_eq!(graph.user_constrained(&[]), [p(2)]);
        assert_eq!(graph.user_constrained(&[p(2), p(3)]), [p(2)]);
        assert_eq!(graph.user_constrained(&[p(1)]), []);
        graph.add_certificate(None, AnyPolicy::Counts);
        assert!(graph.is_null());
    }

    #[test]
    fn any_policy_passes_what_is_expected_unless_inhibited() {
        let mut graph = PolicyGraph::new();
        graph.add_certificate(Some(&[p(1)]), AnyPolicy::Counts);
        graph.add_certificate(Some(&[ANY_POLICY]), AnyPolicy::Counts);
        assert_eq!(graph.user_constrained(&[]), [p(1)]);
        graph.add_certificate(Some(&[ANY_POLICY]), AnyPolicy::Inhibited);
        assert!(graph.is_null());
        let mut graph = PolicyGraph::new();
        graph.add_certificate(Some(&[ANY_POLICY]), AnyPolicy::Counts);
        assert_eq!(graph.user_constrained(&[]), [ANY_POLICY]);
        assert_eq!(graph.user_constrained(&[p(7)]), [p(7)]);
    }

    #[test]
    fn mappings_lead_back_to_the_domain_of_the_anchor() {
        let mut graph = PolicyGraph::new();
        graph.add_certificate(Some(&[p(1)]), AnyPolicy::Counts);
        graph.map(&[(p(1), p(2)), (p(1), p(3))], Mapping::Counts);
        graph.add_certificate(Some(&[p(3)]), AnyPolicy::Counts);
        assert_eq!(graph.user_constrained(&[p(1)]), [p(1)]);
        assert_eq!(graph.user_constrained(&[p(3)]), []);
    }

    #[test]
    fn inhibited_mappings_drop_the_policy() {
        let mut graph = PolicyGraph::new();
        graph.add_certificate(Some(&[p(1), p(4)]), AnyPolicy::Counts);
        graph.map(&[(p(1), p(2))], Mapping::Inhibited);
        assert_eq!(graph.user_constrained(&[]), [p(4)]);
        graph.map(&[(p(4), p(2))], Mapping::Inhibited);
        assert!(graph.is_null());
    }

    #[test]
    fn a_mapping_of_what_only_any_policy_allows_makes_a_node() {
        let mut graph = PolicyGraph::new();
        graph.add_certificate(Some(&[ANY_POLICY]), AnyPolicy::Counts);
        graph.map(&[(p(1), p(2))], Mapping::Counts);
        graph.add_certificate(Some(&[p(2)]), AnyPolicy::Counts);
        assert_eq!(graph.user_constrained(&[p(1)]), [p(1)]);
        assert_eq!(graph.user_constrained(&[p(2)]), []);
    }

    #[test]
    fn mappings_that_explode_a_tree_do_not_explode_this() {
        let width = 64;
        let policies: Vec<_> = (0..width).map(p).collect();
        let mappings: Vec<_> = policies
            .iter()
            .flat_map(|from| policies.iter().map(|to| (*from, *to)))
            .collect();
        let mut graph = PolicyGraph::new();
        for _ in 0..12 {
            graph.add_certificate(Some(&policies), AnyPolicy::Counts);
            graph.map(&mappings, Mapping::Counts);
        }
        assert_eq!(graph.user_constrained(&[]).len(), width as usize);
        assert!(
            graph
                .levels
                .iter()
                .all(|level| level.len() <= width as usize + 1)
        );
    }

    type PoliciesAndMappings = (
        Vec<ObjectIdentifier>,
        Vec<(ObjectIdentifier, ObjectIdentifier)>,
    );

    /// The tree of RFC 5280 §6.1, written as plainly as it can be: a chain of policies from the anchor
    /// down, one for each way. Small inputs only.
    fn tree(certificates: &[PoliciesAndMappings]) -> BTreeSet<ObjectIdentifier> {
        struct Way {
            first: Option<ObjectIdentifier>,
            policy: ObjectIdentifier,
            expected: BTreeSet<ObjectIdentifier>,
        }
        let mut ways = vec![Way {
            first: None,
            policy: ANY_POLICY,
            expected: BTreeSet::from([ANY_POLICY]),
        }];
        for (at, (policies, mappings)) in certificates.iter().enumerate() {
            let mut next: Vec<Way> = Vec::new();
            let step = |way: &Way, policy: ObjectIdentifier| Way {
                first: way.first.or((policy != ANY_POLICY).then_some(policy)),
                policy,
                expected: BTreeSet::from([policy]),
            };
            for policy in policies.iter().filter(|policy| **policy != ANY_POLICY) {
                let mut matched = false;
                for way in ways.iter().filter(|way| way.expected.contains(policy)) {
                    matched = true;
                    next.push(step(way, *policy));
                }
                if !matched {
                    next.extend(
                        ways.iter()
                            .filter(|way| way.policy == ANY_POLICY)
                            .map(|way| step(way, *policy)),
                    );
                }
            }
            if policies.contains(&ANY_POLICY) {
                for way in &ways {
                    for policy in &way.expected {
                        if !policies.contains(policy) || *policy == ANY_POLICY {
                            next.push(step(way, *policy));
                        }
                    }
                }
            }
            if at + 1 < certificates.len() {
                let froms: BTreeSet<_> = mappings.iter().map(|(from, _)| *from).collect();
                for from in froms {
                    let to: BTreeSet<_> = mappings
                        .iter()
                        .filter(|(f, _)| *f == from)
                        .map(|(_, to)| *to)
                        .collect();
                    let mut matched = false;
                    for way in next.iter_mut().filter(|way| way.policy == from) {
                        way.expected.clone_from(&to);
                        matched = true;
                    }
                    if !matched && next.iter().any(|way| way.policy == ANY_POLICY) {
                        next.push(Way {
                            first: Some(from),
                            policy: from,
                            expected: to,
                        });
                    }
                }
            }
            ways = next;
        }
        ways.iter()
            .map(|way| way.first.unwrap_or(ANY_POLICY))
            .collect()
    }

    proptest! {
        #[test]
        fn the_graph_agrees_with_the_tree(
            raw in prop::collection::vec(
                (prop::collection::btree_set(0_u32..5, 1..4), prop::collection::btree_set((1_u32..5, 1_u32..5), 0..4)),
                1..5,
            ),
        ) {
            let oid = |number: &u32| if *number == 0 { ANY_POLICY } else { p(*number) };
            let certificates: Vec<PoliciesAndMappings> = raw
                .iter()
                .map(|(policies, mappings)| (policies.iter().map(oid).collect(), mappings.iter().map(|(a, b)| (oid(a), oid(b))).collect()))
                .collect();
            let mut graph = PolicyGraph::new();
            for (at, (policies, mappings)) in certificates.iter().enumerate() {
                graph.add_certificate(Some(policies), AnyPolicy::Counts);
                if at + 1 < certificates.len() && !mappings.is_empty() {
                    graph.map(mappings, Mapping::Counts);
                }
            }
            let graph: BTreeSet<_> = graph.user_constrained(&[]).into_iter().collect();
            prop_assert_eq!(graph, tree(&certificates));
        }
    }
}
