//! The values of a resource that searches look at, taken out once.

use serde_json::Value;

use super::instant::Interval;
use super::parameter::{Compared, Parameter, each};
use super::text::folded;

/// A value of a resource, ready to be compared.
#[derive(Debug, PartialEq)]
pub(super) enum Indexed {
    Text {
        exact: String,
        folded: String,
    },
    Token {
        system: Option<String>,
        code: String,
    },
    Date(Interval),
    /// `Patient/amelia-shaw`
    Reference(String),
}

/// The values of a resource for one parameter.
pub(super) fn index(parameter: &Parameter, resource: &Value) -> Vec<Indexed> {
    let elements = parameter.elements(resource).into_iter();
    match parameter.compared {
        Compared::String => elements
            .flat_map(texts)
            .map(|text| Indexed::Text {
                exact: text.to_owned(),
                folded: folded(text),
            })
            .collect(),
        Compared::Token => elements.flat_map(tokens).collect(),
        Compared::Code(system) => strings(elements)
            .map(|code| token(Some(system), code))
            .collect(),
        Compared::Date => strings(elements)
            .filter_map(Interval::parse)
            .map(Indexed::Date)
            .collect(),
        Compared::Reference => strings(elements)
            .map(|text| Indexed::Reference(text.to_owned()))
            .collect(),
    }
}

impl Indexed {
    /// The text as searches compare it.
    pub(super) fn folded(&self) -> Option<&str> {
        match self {
            Self::Text { folded, .. } => Some(folded),
            _ => None,
        }
    }
}

/// A string, or the parts of a HumanName that a search by `name` looks at.
fn texts(element: &Value) -> Vec<&str> {
    match element {
        Value::String(text) => vec![text],
        name => ["text", "family", "given", "prefix", "suffix"]
            .iter()
            .filter_map(|part| name.get(part))
            .flat_map(each)
            .filter_map(Value::as_str)
            .collect(),
    }
}

/// A bare code or id, an Identifier, or the codings of a CodeableConcept.
fn tokens(element: &Value) -> Vec<Indexed> {
    if let Some(code) = element.as_str() {
        return vec![token(None, code)];
    }
    let of = |element: &Value, name: &str| {
        Some(token(
            element.get("system").and_then(Value::as_str),
            element.get(name)?.as_str()?,
        ))
    };
    match element.get("coding") {
        Some(codings) => each(codings)
            .filter_map(|coding| of(coding, "code"))
            .collect(),
        None => of(element, "value").into_iter().collect(),
    }
}

fn token(system: Option<&str>, code: &str) -> Indexed {
    Indexed::Token {
        system: system.map(str::to_owned),
        code: code.to_owned(),
    }
}

fn strings<'a>(elements: impl Iterator<Item = &'a Value>) -> impl Iterator<Item = &'a str> {
    elements.filter_map(Value::as_str)
}
