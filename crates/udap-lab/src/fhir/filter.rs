//! One search criterion, and whether a resource meets it (<https://hl7.org/fhir/R4/search.html#ptypes>).

use super::answer::Refusal;
use super::indexed::Indexed;
use super::instant::{Comparison, Interval};
use super::parameter::{Compared, Parameter};
use super::text::folded;

/// One `parameter:modifier=value,value` of a search; any one of its values will do.
#[derive(Debug, PartialEq)]
pub(super) struct Filter {
    /// The place of the parameter in [`super::parameter::Kind::parameters`].
    pub(super) parameter: usize,
    test: Test,
}

#[derive(Debug, PartialEq)]
enum Test {
    StartsWith(Vec<String>),
    Contains(Vec<String>),
    Exactly(Vec<String>),
    Token(Vec<TokenTest>),
    NoToken(Vec<TokenTest>),
    Date(Vec<(Comparison, Interval)>),
    Reference(Vec<String>),
    Absent,
    Present,
}

/// `code`, `system|code`, `|code` (no system), `system|` (any code of it).
#[derive(Debug, PartialEq)]
struct TokenTest {
    system: SystemTest,
    code: Option<String>,
}

#[derive(Debug, PartialEq)]
enum SystemTest {
    Any,
    None,
    Is(String),
}

impl Filter {
    /// Reads what is behind the parameter's name. `base` is this server's own address: references by absolute URL are
    /// the same as relative ones under it.
    pub(super) fn parse(
        (position, parameter): (usize, &Parameter),
        modifier: Option<&str>,
        value: &str,
        base: &str,
    ) -> Result<Self, Refusal> {
        let values = || split_unescaped(value, ',').into_iter();
        let test = match (parameter.compared, modifier) {
            (_, Some("missing")) => match value {
                "true" => Test::Absent,
                "false" => Test::Present,
                _ => return Err(invalid(parameter, value)),
            },
            (Compared::String, None) => {
                Test::StartsWith(values().map(|v| folded(&unescape(v))).collect())
            }
            (Compared::String, Some("contains")) => {
                Test::Contains(values().map(|v| folded(&unescape(v))).collect())
            }
            (Compared::String, Some("exact")) => Test::Exactly(values().map(unescape).collect()),
            (Compared::Token | Compared::Code(_), None) => {
                Test::Token(values().map(TokenTest::parse).collect())
            }
            (Compared::Token | Compared::Code(_), Some("not")) => {
                Test::NoToken(values().map(TokenTest::parse).collect())
            }
            (Compared::Date, None) => Test::Date(
                values()
                    .map(|v| {
                        let (comparison, date) = Comparison::split(v);
                        Some((comparison, Interval::parse(date)?))
                    })
                    .collect::<Option<_>>()
                    .ok_or_else(|| invalid(parameter, value))?,
            ),
            (Compared::Reference, None | Some("Patient")) => Test::Reference(
                values()
                    .map(|v| relative_reference(&unescape(v), base))
                    .collect(),
            ),
            (_, Some(modifier)) => {
                return Err(Refusal::Modifier {
                    parameter: parameter.name,
                    modifier: modifier.to_owned(),
                });
            }
        };
        Ok(Self {
            parameter: position,
            test,
        })
    }

    pub(super) fn matches(&self, values: &[Indexed]) -> bool {
        let any = |test: &dyn Fn(&Indexed) -> bool| values.iter().any(test);
        match &self.test {
            Test::StartsWith(starts) => any(&|v| {
                v.folded()
                    .is_some_and(|v| starts.iter().any(|s| v.starts_with(s)))
            }),
            Test::Contains(parts) => any(&|v| {
                v.folded()
                    .is_some_and(|v| parts.iter().any(|p| v.contains(p)))
            }),
            Test::Exactly(texts) => {
                any(&|v| matches!(v, Indexed::Text { exact, .. } if texts.contains(exact)))
            }
            Test::Token(tests) => any(&|v| tests.iter().any(|test| test.matches(v))),
            Test::NoToken(tests) => !any(&|v| tests.iter().any(|test| test.matches(v))),
            Test::Date(dates) => any(&|v| match v {
                Indexed::Date(interval) => dates
                    .iter()
                    .any(|(comparison, asked)| comparison.holds(*interval, *asked)),
                _ => false,
            }),
            Test::Reference(references) => {
                any(&|v| matches!(v, Indexed::Reference(text) if references.contains(text)))
            }
            Test::Absent => values.is_empty(),
            Test::Present => !values.is_empty(),
        }
    }
}

impl TokenTest {
    fn parse(value: &str) -> Self {
        let parts = split_unescaped(value, '|');
        match parts.as_slice() {
            [system, rest @ ..] if !rest.is_empty() => {
                let (system, code) = (unescape(system), unescape(&rest.join("|")));
                Self {
                    system: if system.is_empty() {
                        SystemTest::None
                    } else {
                        SystemTest::Is(system)
                    },
                    code: (!code.is_empty()).then_some(code),
                }
            }
            _ => Self {
                system: SystemTest::Any,
                code: Some(unescape(value)),
            },
        }
    }

    fn matches(&self, value: &Indexed) -> bool {
        let Indexed::Token { system, code } = value else {
            return false;
        };
        let system_fits = match &self.system {
            SystemTest::Any => true,
            SystemTest::None => system.is_none(),
            SystemTest::Is(asked) => system.as_ref() == Some(asked),
        };
        system_fits && self.code.as_ref().is_none_or(|asked| asked == code)
    }
}

/// `amelia-shaw`, `Patient/amelia-shaw` and `{base}/Patient/amelia-shaw` are one; every reference here is to a Patient.
fn relative_reference(value: &str, base: &str) -> String {
    let own = value
        .strip_prefix(base)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(value);
    if own.contains('/') {
        own.to_owned()
    } else {
        format!("Patient/{own}")
    }
}

/// Cuts at a separator that no backslash precedes (<https://hl7.org/fhir/R4/search.html#escaping>).
fn split_unescaped(value: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in value.char_indices() {
        if c == separator && !escaped {
            parts.push(&value[start..at]);
            start = at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&value[start..]);
    parts
}

fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next) if c == '\\' && matches!(next, ',' | '|' | '$' | '\\') => {
                plain.push(next);
                chars.next();
            }
            _ => plain.push(c),
        }
    }
    plain
}

fn invalid(parameter: &Parameter, value: &str) -> Refusal {
    Refusal::Value {
        parameter: parameter.name,
        value: value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_can_be_escaped() {
        assert_eq!(split_unescaped(r"a\,b,c", ','), [r"a\,b", "c"]);
        assert_eq!(split_unescaped(r"a\\,b", ','), [r"a\\", "b"]);
        assert_eq!(unescape(r"a\,b\|c\\d\e"), r"a,b|c\d\e");
    }

    #[test]
    fn a_token_has_four_forms() {
        let parse = TokenTest::parse;
        assert_eq!(
            parse("x"),
            TokenTest {
                system: SystemTest::Any,
                code: Some("x".into())
            }
        );
        assert_eq!(
            parse("s|x"),
            TokenTest {
                system: SystemTest::Is("s".into()),
                code: Some("x".into())
            }
        );
        assert_eq!(
            parse("|x"),
            TokenTest {
                system: SystemTest::None,
                code: Some("x".into())
            }
        );
        assert_eq!(
            parse("s|"),
            TokenTest {
                system: SystemTest::Is("s".into()),
                code: None
            }
        );
        assert_eq!(
            parse(r"s\|t"),
            TokenTest {
                system: SystemTest::Any,
                code: Some("s|t".into())
            }
        );
    }
}
