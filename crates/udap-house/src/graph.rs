//! What `cargo metadata` says of the workspace and of everything it is built from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Packages and the edges between them, for all platforms.
#[derive(Debug, Default)]
pub struct Graph {
    /// By package id.
    packages: BTreeMap<String, Package>,
    members: Vec<String>,
}

#[derive(Debug)]
struct Package {
    name: String,
    edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
struct Edge {
    to: String,
    kinds: BTreeSet<Kind>,
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Normal,
    Build,
    Dev,
}

impl Graph {
    /// Reads the answer of `cargo metadata --format-version 1`. What it does not understand is a
    /// sentence, so that a new format cannot pass for an empty workspace.
    pub fn read(metadata: &Value) -> Result<Self, String> {
        let mut graph = Self::default();
        let details: BTreeMap<&str, &Value> = list(metadata, "packages")?
            .iter()
            .map(|package| Ok((text(package, "id")?, package)))
            .collect::<Result<_, String>>()?;
        for node in list(&metadata["resolve"], "nodes")? {
            let id = text(node, "id")?;
            let package = details
                .get(id)
                .ok_or(format!("{id} is resolved and not described"))?;
            let edges = list(node, "deps")?
                .iter()
                .filter(|edge| is_active(package, node, edge))
                .map(edge)
                .collect::<Result<_, String>>()?;
            let name = text(package, "name")?.to_owned();
            graph
                .packages
                .insert(id.to_owned(), Package { name, edges });
        }
        for member in list(metadata, "workspace_members")? {
            let id = member.as_str().ok_or("a member's id is not text")?;
            if !graph.packages.contains_key(id) {
                return Err(format!("{id} is a member and not resolved"));
            }
            graph.members.push(id.to_owned());
        }
        if graph.members.is_empty() {
            return Err("the workspace has no members".to_owned());
        }
        Ok(graph)
    }

    /// The names of the workspace's crates.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.members
            .iter()
            .map(|id| self.packages[id].name.as_str())
    }

    /// Which crates of the workspace a crate of the workspace names in its manifest.
    #[must_use]
    pub fn arrows_of(&self, member: &str) -> Vec<(&str, Kind)> {
        let edges = self
            .id_of(member)
            .map_or(&[][..], |id| &self.packages[id].edges);
        edges
            .iter()
            .filter(|edge| self.members.contains(&edge.to))
            .flat_map(|edge| {
                edge.kinds
                    .iter()
                    .map(|kind| (self.packages[&edge.to].name.as_str(), *kind))
            })
            .collect()
    }

    /// Every package that ends up in what is built from a crate, the crate itself included.
    #[must_use]
    pub fn normal_tree(&self, member: &str) -> BTreeSet<&str> {
        self.reach(self.id_of(member).into_iter().collect(), &[Kind::Normal])
    }

    /// Every package that building or testing the workspace needs on any platform.
    #[must_use]
    pub fn everything(&self) -> BTreeSet<&str> {
        let all = [Kind::Normal, Kind::Build, Kind::Dev];
        self.reach(self.members.iter().collect(), &all)
    }

    fn reach<'a>(&'a self, mut open: Vec<&'a String>, kinds: &[Kind]) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let wanted = |edge: &&Edge| edge.kinds.iter().any(|kind| kinds.contains(kind));
                open.extend(
                    self.packages[id]
                        .edges
                        .iter()
                        .filter(wanted)
                        .map(|edge| &edge.to),
                );
            }
        }
        seen.into_iter()
            .map(|id| self.packages[id].name.as_str())
            .collect()
    }

    fn id_of(&self, member: &str) -> Option<&String> {
        self.members
            .iter()
            .find(|id| self.packages[*id].name == member)
    }
}

/// Whether an edge is one that is built. Cargo also lists an optional dependency that is only named
/// weakly (`ring?/alloc`), because it has to be in the lock file; it is built only where an active
/// feature names it outright.
fn is_active(package: &Value, node: &Value, edge: &Value) -> bool {
    let extern_name = edge["name"].as_str().unwrap_or_default();
    let declared: Vec<&Value> = package["dependencies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|dependency| key(dependency).replace('-', "_") == extern_name)
        .collect();
    // A library may be named otherwise than its package; what cannot be looked up counts as built.
    if declared.is_empty()
        || declared
            .iter()
            .any(|dependency| dependency["optional"] != true)
    {
        return true;
    }
    let name = key(declared[0]);
    let named_outright = [name.to_owned(), format!("dep:{name}")];
    let with_feature = format!("{name}/");
    node["features"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|feature| {
            feature == name
                || package["features"][feature]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .any(|part| {
                        named_outright.iter().any(|n| n == part) || part.starts_with(&with_feature)
                    })
        })
}

/// How a manifest and its features call a dependency.
fn key(dependency: &Value) -> &str {
    dependency["rename"]
        .as_str()
        .or(dependency["name"].as_str())
        .unwrap_or_default()
}

fn edge(edge: &Value) -> Result<Edge, String> {
    let kinds = list(edge, "dep_kinds")?
        .iter()
        .map(|kind| match kind["kind"].as_str() {
            None => Ok(Kind::Normal),
            Some("build") => Ok(Kind::Build),
            Some("dev") => Ok(Kind::Dev),
            Some(other) => Err(format!("unknown kind of dependency: {other}")),
        })
        .collect::<Result<_, _>>()?;
    Ok(Edge {
        to: text(edge, "pkg")?.to_owned(),
        kinds,
    })
}

fn list<'a>(value: &'a Value, member: &str) -> Result<&'a Vec<Value>, String> {
    value[member]
        .as_array()
        .ok_or(format!("cargo's answer has no list `{member}`"))
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str, String> {
    value[member]
        .as_str()
        .ok_or(format!("cargo's answer has no text `{member}`"))
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    /// A workspace of the named members with edges `(from, to, kind)`; every other name is a
    /// package from elsewhere.
    pub(crate) fn graph(members: &[&str], edges: &[(&str, &str, Option<&str>)]) -> Graph {
        let names: BTreeSet<&str> = members
            .iter()
            .copied()
            .chain(edges.iter().flat_map(|e| [e.0, e.1]))
            .collect();
        let nodes: Vec<Value> = names
            .iter()
            .map(|name| {
                let deps: Vec<Value> = edges
                    .iter()
                    .filter(|edge| edge.0 == *name)
                    .map(|(_, to, kind)| json!({"name": to, "pkg": to, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": name, "deps": deps, "features": []})
            })
            .collect();
        let packages: Vec<Value> = names
            .iter()
            .map(|name| json!({"id": name, "name": name, "dependencies": [], "features": {}}))
            .collect();
        let all = json!({"packages": packages, "workspace_members": members, "resolve": {"nodes": nodes}});
        Graph::read(&all).unwrap()
    }

    #[test]
    fn kinds_of_edges_decide_what_is_reached() {
        let graph = graph(
            &["app"],
            &[
                ("app", "lib", None),
                ("lib", "deep", None),
                ("lib", "maker", Some("build")),
                ("app", "check", Some("dev")),
            ],
        );
        assert_eq!(
            graph.normal_tree("app"),
            BTreeSet::from(["app", "lib", "deep"])
        );
        assert_eq!(
            graph.everything(),
            BTreeSet::from(["app", "lib", "deep", "maker", "check"])
        );
    }

    #[test]
    fn an_optional_dependency_counts_only_when_a_feature_names_it() {
        let built = |features: Value, active: Value| {
            let package = json!({
                "id": "a", "name": "a", "features": features,
                "dependencies": [{"name": "ring", "rename": null, "optional": true}],
            });
            let edge = json!({"name": "ring", "pkg": "r", "dep_kinds": [{"kind": null}]});
            is_active(&package, &json!({"features": active}), &edge)
        };
        assert!(!built(
            json!({"alloc": ["ring?/alloc"], "ring": ["dep:ring"]}),
            json!(["alloc"])
        ));
        assert!(built(
            json!({"alloc": ["ring?/alloc"], "ring": ["dep:ring"]}),
            json!(["alloc", "ring"])
        ));
        assert!(built(json!({"fast": ["ring/std"]}), json!(["fast"])));
        assert!(built(json!({"fast": ["ring"]}), json!(["fast"])));
        assert!(!built(json!({"fast": ["ring"]}), json!([])));
    }

    #[test]
    fn another_format_is_an_error_and_not_an_empty_workspace() {
        assert!(Graph::read(&json!({})).is_err());
        assert!(
            Graph::read(
                &json!({"packages": [], "workspace_members": [], "resolve": {"nodes": []}})
            )
            .is_err()
        );
        assert!(
            Graph::read(
                &json!({"packages": [], "workspace_members": ["a"], "resolve": {"nodes": []}})
            )
            .is_err()
        );
    }
}
