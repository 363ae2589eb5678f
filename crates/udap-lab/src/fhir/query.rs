//! A search as it was asked, read once (<https://hl7.org/fhir/R4/search.html>).

use std::borrow::Cow;

use http::HeaderMap;
use url::form_urlencoded;

use super::answer::Refusal;
use super::filter::Filter;
use super::parameter::Kind;

/// What to look for, how much of it to send, and the parameters that were understood.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) filters: Vec<Filter>,
    pub(super) extent: Extent,
    pub(super) total: Total,
    /// What the self link says: everything that was used, and nothing that was ignored. Without the page.
    pub(super) used: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Page {
        count: usize,
        offset: usize,
    },
    /// The number of matches alone (`_summary=count` or `_count=0`).
    CountOnly,
}

/// Whether the Bundle says how many matches there are. Counting costs nothing here, so an estimate is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Total {
    Given,
    Omitted,
}

/// What becomes of a parameter that is not known here (<https://hl7.org/fhir/R4/search.html#errors>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handling {
    Lenient,
    Strict,
}

impl Handling {
    pub(super) fn asked(headers: &HeaderMap) -> Self {
        let preferences = headers
            .get_all("prefer")
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        let strict = preferences
            .flat_map(|value| value.split([',', ';']))
            .any(|preference| preference.trim().eq_ignore_ascii_case("handling=strict"));
        if strict { Self::Strict } else { Self::Lenient }
    }
}

impl Query {
    /// Reads the query of the address and a posted form, which count as one.
    pub(super) fn parse(
        kind: Kind,
        parts: [&[u8]; 2],
        handling: Handling,
        base: &str,
    ) -> Result<Self, Refusal> {
        let mut query = Self {
            filters: Vec::new(),
            extent: Extent::CountOnly,
            total: Total::Given,
            used: Vec::new(),
        };
        let (mut count, mut offset, mut count_only) = (DEFAULT_COUNT, 0, false);
        for (name, value) in parts.into_iter().flat_map(form_urlencoded::parse) {
            // A parameter without a value asks for nothing.
            let understood = !value.is_empty()
                && match &*name {
                    // They change the form of the answer, and are looked at elsewhere or have one answer only.
                    "_format" | "_pretty" => continue,
                    "_count" => {
                        count = number("_count", &value)?.min(MOST_COUNT);
                        true
                    }
                    OFFSET => {
                        offset = number(OFFSET, &value)?;
                        continue;
                    }
                    "_summary" => match &*value {
                        "count" => {
                            count_only = true;
                            true
                        }
                        "false" => true,
                        "true" | "text" | "data" => false,
                        _ => {
                            return Err(Refusal::Value {
                                parameter: "_summary",
                                value: value.into_owned(),
                            });
                        }
                    },
                    "_total" => {
                        query.total = match &*value {
                            "none" => Total::Omitted,
                            "estimate" | "accurate" => Total::Given,
                            _ => {
                                return Err(Refusal::Value {
                                    parameter: "_total",
                                    value: value.into_owned(),
                                });
                            }
                        };
                        true
                    }
                    _ => query.filter(kind, &name, &value, base)?,
                };
            if understood {
                query.used.push((name.into_owned(), value.into_owned()));
            } else if handling == Handling::Strict {
                return Err(Refusal::Parameter(name.into_owned()));
            }
        }
        if !count_only && count > 0 {
            query.extent = Extent::Page { count, offset };
        }
        Ok(query)
    }

    /// Adds the filter if its parameter is one of this type's.
    fn filter(&mut self, kind: Kind, name: &str, value: &str, base: &str) -> Result<bool, Refusal> {
        let (name, modifier) = name
            .split_once(':')
            .map_or((name, None), |(name, modifier)| (name, Some(modifier)));
        let Some(parameter) = kind
            .parameters()
            .iter()
            .enumerate()
            .find(|(_, known)| known.name == name)
        else {
            return Ok(false);
        };
        self.filters
            .push(Filter::parse(parameter, modifier, value, base)?);
        Ok(true)
    }
}

/// The value of `_format`, which goes before `Accept`.
pub(super) fn format(query: &str) -> Option<Cow<'_, str>> {
    // Nearly no request has one, and reads are what benchmarks count.
    if !query.contains("_format") {
        return None;
    }
    form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == "_format").then_some(value))
}

fn number(parameter: &'static str, value: &str) -> Result<usize, Refusal> {
    value.parse().map_err(|_| Refusal::Value {
        parameter,
        value: value.to_owned(),
    })
}

/// Where a page begins; only links that this server made carry it.
pub(super) const OFFSET: &str = "_offset";
/// Entries of a page when nothing is asked for.
const DEFAULT_COUNT: usize = 20;
/// Entries of a page at most: some 200 kilobytes.
const MOST_COUNT: usize = 100;
