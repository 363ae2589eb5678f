//! The resources, indexed once per process.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::data;
use super::filter::Filter;
use super::indexed::{Indexed, index};
use super::parameter::Kind;

/// Every resource of the store, by type. Nothing in it ever changes.
#[derive(Debug)]
pub(super) struct Store {
    kinds: HashMap<Kind, Shelf>,
}

/// The resources of one type, in a fixed order: the order of every search.
#[derive(Debug, Default)]
struct Shelf {
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

/// A resource as it is sent, and what a search looks at.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) body: Vec<u8>,
    /// One list for each of [`Kind::parameters`], in that order.
    indexed: Vec<Vec<Indexed>>,
}

/// The store of this process.
pub(super) fn store() -> &'static Store {
    &STORE
}

static STORE: LazyLock<Store> = LazyLock::new(|| {
    let mut kinds: HashMap<Kind, Shelf> = HashMap::new();
    for resource in data::resources() {
        let text = |name: &str| resource[name].as_str().unwrap_or_default();
        let Some(kind) = Kind::from_name(text("resourceType")) else {
            continue;
        };
        let shelf = kinds.entry(kind).or_default();
        shelf
            .by_id
            .insert(text("id").to_owned(), shelf.entries.len());
        shelf.entries.push(Entry {
            id: text("id").to_owned(),
            body: resource.to_string().into_bytes(),
            indexed: kind
                .parameters()
                .iter()
                .map(|parameter| index(parameter, resource))
                .collect(),
        });
    }
    Store { kinds }
});

impl Store {
    pub(super) fn read(&self, kind: Kind, id: &str) -> Option<&Entry> {
        let shelf = self.kinds.get(&kind)?;
        shelf
            .by_id
            .get(id)
            .map(|&position| &shelf.entries[position])
    }

    /// The resources that meet every filter. A few hundred comparisons take some microseconds, so there is no index.
    pub(super) fn search<'a>(&'a self, kind: Kind, filters: &[Filter]) -> Vec<&'a Entry> {
        let entries = self
            .kinds
            .get(&kind)
            .map_or(&[][..], |shelf| &shelf.entries);
        entries
            .iter()
            .filter(|entry| {
                filters
                    .iter()
                    .all(|f| f.matches(&entry.indexed[f.parameter]))
            })
            .collect()
    }
}
