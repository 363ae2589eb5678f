//! Where in a FHIR URL the base URL ends.

use crate::problem::Problem;
use udap_gateway::resource_types;

/// A FHIR URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The base URL, byte for byte as it stands in the URL.
    pub(crate) base_url: String,
    /// The resource type, if the URL has one.
    pub(crate) resource: Option<&'static str>,
}

impl Target {
    /// Takes `url` apart: at `base`, at the longest of the bases that are known, or before the first
    /// segment that is a resource type of FHIR R4 or `metadata`.
    pub(crate) fn split<'a>(
        url: &str,
        base: Option<&str>,
        known: impl Iterator<Item = &'a str>,
    ) -> Result<Self, Problem> {
        let path_only = url.split(['?', '#']).next().unwrap_or(url);
        let below = |base: &str| {
            let rest = path_only.strip_prefix(base)?;
            (rest.is_empty() || rest.starts_with('/') || base.ends_with('/')).then_some(rest)
        };
        if let Some(base) = base {
            return Ok(Self::new(base, below(base).unwrap_or_default()));
        }
        let longest = known
            .filter_map(|base| Some((base, below(base)?)))
            .max_by_key(|(base, _)| base.len());
        if let Some((base, rest)) = longest {
            return Ok(Self::new(base, rest));
        }
        let path_start = path_only
            .find("://")
            .and_then(|at| Some(at + 3 + path_only.get(at + 3..)?.find('/')?))
            .unwrap_or(path_only.len());
        let mut at = path_start;
        for segment in path_only
            .get(path_start..)
            .unwrap_or_default()
            .split('/')
            .skip(1)
        {
            if resource_types::find(segment).is_some() || segment == "metadata" {
                let base = path_only.get(..at).unwrap_or_default();
                return Ok(Self::new(base, path_only.get(at..).unwrap_or_default()));
            }
            at += 1 + segment.len();
        }
        let problem = Problem::new(
            "base-url-unclear",
            format!("in `{url}` no segment is a resource type"),
        );
        let problem = match url.contains("://") {
            true => problem,
            false => problem.hint(format!("did you mean `https://{url}`?")),
        };
        Err(problem.unreadable())
    }

    fn new(base: &str, rest: &str) -> Self {
        let first = rest.trim_start_matches('/').split('/').next();
        Self {
            base_url: base.to_owned(),
            resource: first.and_then(resource_types::find),
        }
    }
}

/// With the base URL that was meant, where a server has no metadata at what is a resource's address.
pub(crate) fn meant(url: &str, problem: Problem) -> Problem {
    let nothing_there = ["metadata-status", "udap-not-offered"].contains(&problem.code());
    match Target::split(url, None, std::iter::empty()) {
        Ok(target) if nothing_there && target.base_url != url => {
            problem.hint(format!("did you mean `{}`?", target.base_url))
        }
        _ => problem,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn split(url: &str, known: &[&str]) -> (String, Option<&'static str>) {
        let target = Target::split(url, None, known.iter().copied()).unwrap();
        (target.base_url, target.resource)
    }

    #[test]
    fn the_base_ends_before_the_resource_type() {
        for (url, base, resource) in [
            (
                "https://a.example/fhir/Patient?family=Shaw",
                "https://a.example/fhir",
                Some("Patient"),
            ),
            (
                "https://a.example/Patient/1",
                "https://a.example",
                Some("Patient"),
            ),
            (
                "https://a.example/FHIR/R4/Patient/1/_history/2",
                "https://a.example/FHIR/R4",
                Some("Patient"),
            ),
            (
                "https://a.example/r4/Patient/1/Observation",
                "https://a.example/r4",
                Some("Patient"),
            ),
            (
                "https://a.example/r4/metadata",
                "https://a.example/r4",
                None,
            ),
        ] {
            assert_eq!(split(url, &[]), (base.to_owned(), resource), "{url}");
        }
    }

    #[test]
    fn an_address_below_a_base_is_told_from_it() {
        let hint = |code: &str, url| {
            let problem = meant(url, Problem::new(code, "no").hint("another"));
            problem.hint_or_general().unwrap()
        };
        let url = "https://a.example/fhir/Patient/1";
        for code in ["metadata-status", "udap-not-offered"] {
            assert_eq!(hint(code, url), "did you mean `https://a.example/fhir`?");
            assert_eq!(hint(code, "https://a.example/fhir"), "another");
        }
        assert_eq!(hint("chain-not-trusted", url), "another");
    }

    #[test]
    fn what_is_known_comes_first() {
        let known = ["https://a.example/Group", "https://a.example/Group/7/fhir"];
        let url = "https://a.example/Group/7/fhir/Patient/1";
        assert_eq!(split(url, &known), (known[1].to_owned(), Some("Patient")));
        assert_eq!(
            Target::split(url, Some("https://a.example/Group/7/fhir"), [].into_iter()).unwrap(),
            Target {
                base_url: known[1].to_owned(),
                resource: Some("Patient")
            }
        );
        assert_eq!(
            split(
                "https://a.example/Groups/Patient",
                &["https://a.example/Group"]
            )
            .0,
            "https://a.example/Groups"
        );
    }

    #[test]
    fn what_is_not_clear_is_asked() {
        for url in [
            "https://a.example",
            "https://a.example/fhir",
            "https://a.example/fhir/patient",
            "x",
        ] {
            let problem = Target::split(url, None, [].into_iter()).unwrap_err();
            assert_eq!(problem.code(), "base-url-unclear", "{url}");
        }
    }
}
