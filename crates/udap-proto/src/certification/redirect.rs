//! Redirect URIs with wildcards, as certifications have them.

/// A redirect URI in which `*` stands for one whole path segment or one whole query value (UDAP
/// Certifications and Endorsements §2). `%2A` is an asterisk and stands for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectPattern(String);

impl RedirectPattern {
    /// Reads a pattern; `None` unless it is an https URL without fragment and user information whose
    /// wildcards stand where they may.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts = Parts::of(text)?;
        let url = url::Url::parse(text).ok()?;
        let plain = url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && !text.contains('#');
        let whole = |part: &str| part == "*" || !part.contains('*');
        let fine = plain
            && !parts.origin.contains('*')
            && parts.path.split('/').all(whole)
            && parts.query.is_none_or(|query| {
                query.split('&').all(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    !name.contains('*') && whole(value)
                })
            });
        fine.then(|| Self(text.to_owned()))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a complete redirect URI fits. Compared byte for byte; a wildcard stands for at least
    /// one byte, and never for what a server could take for another path (`.`, `..`, an encoded
    /// slash).
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        let (Some(pattern), Some(found)) = (Parts::of(&self.0), Parts::of(uri)) else {
            return false;
        };
        let queries = match (pattern.query, found.query) {
            (None, None) => true,
            (Some(pattern), Some(found)) => same(pattern, found, '&', |pattern, found| {
                match (pattern.split_once('='), found.split_once('=')) {
                    (Some((name, "*")), Some((same, value))) => name == same && !value.is_empty(),
                    _ => pattern == found,
                }
            }),
            _ => false,
        };
        queries
            && pattern.origin == found.origin
            && same(pattern.path, found.path, '/', |pattern, found| {
                pattern == found || pattern == "*" && is_plain_segment(found)
            })
    }
}

/// A URI cut up where it is written, nothing decoded and nothing made canonical.
struct Parts<'a> {
    /// `https://host:port`
    origin: &'a str,
    /// From the first `/`.
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Option<Self> {
        let authority = uri.find("://")? + 3;
        if uri.contains(['#', '\\']) || uri.chars().any(char::is_whitespace) {
            return None;
        }
        let (hierarchy, query) = match uri.split_once('?') {
            Some((hierarchy, query)) => (hierarchy, Some(query)),
            None => (uri, None),
        };
        let path = hierarchy
            .get(authority..)?
            .find('/')
            .map_or(hierarchy.len(), |at| authority + at);
        let (origin, path) = hierarchy.split_at(path);
        Some(Self {
            origin,
            path,
            query,
        })
    }
}

fn same(pattern: &str, found: &str, at: char, fits: impl Fn(&str, &str) -> bool) -> bool {
    let count = |text: &str| text.split(at).count();
    count(pattern) == count(found)
        && pattern
            .split(at)
            .zip(found.split(at))
            .all(|(pattern, found)| fits(pattern, found))
}

fn is_plain_segment(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    let dots = lower.replace("%2e", ".");
    !matches!(dots.as_str(), "" | "." | "..")
        && !lower.contains("%2f")
        && !lower.contains("%5c")
        && !lower.contains("%25")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_a_whole_segment_or_a_whole_value() {
        for (pattern, fits, does_not) in [
            (
                "https://a.example/cb",
                &["https://a.example/cb"][..],
                &[
                    "https://a.example/cb/",
                    "https://a.example/CB",
                    "https://a.example:443/cb",
                    "https://A.example/cb",
                    "http://a.example/cb",
                    "https://a.example/cb?x=1",
                    "https://a.example/x/../cb",
                ][..],
            ),
            (
                "https://a.example/*/cb",
                &["https://a.example/t1/cb", "https://a.example/%2A/cb"],
                &[
                    "https://a.example/cb",
                    "https://a.example//cb",
                    "https://a.example/t1/t2/cb",
                    "https://a.example/../cb",
                    "https://a.example/./cb",
                    "https://a.example/%2e%2E/cb",
                    "https://a.example/.%2e/cb",
                    "https://a.example/x%2Fy/cb",
                    "https://a.example/x%252fy/cb",
                    "https://a.example/x%5Cy/cb",
                    "https://a.example/x\\y/cb",
                    "https://a.example/t1/cb#f",
                    "https://a.example/t1/cb?x=1",
                    "https://a.example.evil.example/t1/cb",
                    "https://a.example@evil.example/t1/cb",
                ],
            ),
            (
                "https://a.example/cb?t=*&k=1",
                &["https://a.example/cb?t=7&k=1"],
                &[
                    "https://a.example/cb?t=&k=1",
                    "https://a.example/cb?t&k=1",
                    "https://a.example/cb?t=7",
                    "https://a.example/cb?t=7&u=8&k=1",
                    "https://a.example/cb?k=1&t=7",
                    "https://a.example/cb",
                ],
            ),
            (
                "https://a.example/%2A",
                &["https://a.example/%2A"],
                &["https://a.example/x", "https://a.example/*"],
            ),
        ] {
            let read = RedirectPattern::parse(pattern).unwrap();
            for uri in fits {
                assert!(read.matches(uri), "{pattern} should fit {uri}");
            }
            for uri in does_not {
                assert!(!read.matches(uri), "{pattern} should not fit {uri}");
            }
        }
    }

    #[test]
    fn a_wildcard_anywhere_else_is_no_pattern() {
        for text in [
            "https://*.example/cb",
            "https://a.example:*/cb",
            "*://a.example/cb",
            "https://a.example/cb*",
            "https://a.example/x*y/cb",
            "https://a.example/cb?*=1",
            "https://a.example/cb?t=x*",
            "https://a.example/cb?*",
            "https://a.example/cb#*",
            "https://u:p@a.example/cb",
            "http://a.example/*",
            "app:/cb",
            "*",
            "/cb",
        ] {
            assert_eq!(RedirectPattern::parse(text), None, "{text}");
        }
    }
}
