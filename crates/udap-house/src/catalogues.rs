//! The codes of all catalogues: each in words, and each there once, since `udap explain CODE`
//! looks through them one after the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::Source;

/// Each code that is there twice or not written in words, and each catalogue without codes.
#[must_use]
pub fn wrong(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut catalogues = 0;
    for source in sources
        .iter()
        .filter(|source| source.path().ends_with("/catalogue.rs") && !source.is_test())
    {
        catalogues += 1;
        let codes = codes(source);
        if codes.is_empty() {
            wrong.push(format!("{} has no codes that could be read", source.path()));
        }
        for code in codes {
            if !is_in_words(code) {
                wrong.push(format!(
                    "`{code}` in {} is not words-with-hyphens",
                    source.path()
                ));
            }
            if let Some(other) = first.insert(code, source.path()) {
                wrong.push(format!("`{code}` is in {other} and in {}", source.path()));
            }
        }
    }
    if catalogues == 0 {
        wrong.push("no catalogue was read".to_owned());
    }
    wrong
}

/// Each code that no test names: a refusal without a test is a promise that nobody keeps. Excused are
/// codes that begin as one of `excused` does, each with its reason.
#[must_use]
pub fn untested(sources: &[Source], excused: &[(&str, &str)]) -> Vec<String> {
    let of_tests = |source: &Source| {
        let compiled: BTreeSet<usize> = source.compiled_lines().map(|(at, _)| at).collect();
        source
            .text()
            .lines()
            .enumerate()
            .filter(|(at, line)| {
                !compiled.contains(&(at + 1)) && !line.trim_start().starts_with("//")
            })
            .map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
    };
    let is_shown_in = |source: &&Source| {
        source.path().starts_with("crates/")
            && (source.path().ends_with(".rs") || source.path().ends_with(".snap"))
    };
    let tests: String = sources.iter().filter(is_shown_in).map(of_tests).collect();
    let words: BTreeSet<&str> = tests
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .collect();
    sources
        .iter()
        .filter(|source| source.path().ends_with("/catalogue.rs"))
        .flat_map(|source| {
            codes(source)
                .into_iter()
                .map(move |code| (source.path(), code))
        })
        .filter(|(_, code)| !words.contains(code))
        .filter(|(_, code)| !excused.iter().any(|(start, _)| code.starts_with(start)))
        .map(|(path, code)| format!("`{code}` of {path} is named in no test"))
        .collect()
}

/// The codes of one file, however its table is written: `code: "x"`, `entry("x", …)` or `"x": "Title"`.
fn codes(source: &Source) -> Vec<&str> {
    let lines: Vec<&str> = source
        .compiled_lines()
        .map(|(_, line)| line.trim())
        .collect();
    let mut codes = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let quoted = if let Some(rest) = line.strip_prefix("code: ") {
            rest
        } else if *line == "entry(" {
            lines.get(at + 1).copied().unwrap_or_default()
        } else if let Some(rest) = line.strip_prefix("entry(") {
            rest
        } else if line.starts_with('"')
            && line
                .split_once("\":")
                .is_some_and(|(code, _)| is_in_words(&code[1..]))
        {
            line
        } else {
            continue;
        };
        let code = quoted
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'));
        codes.extend(code.map(|(code, _)| code));
    }
    codes
}

/// `san-uri-mismatch`
fn is_in_words(code: &str) -> bool {
    code.split('-').all(|word| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_table_is_read() {
        let text = "Explanation {\n    code: \"a-one\",\n    title: \"code: b\",\n}\nentry(\n    \"a-two\",\n    \"T\",\n\
            )\nentry(\"a-three\", \"T\")\n\"a-four\":\n    \"Title\",\n\"a-five\": \"A title\",\n\"Not: one\",\n";
        let found = codes(&Source::new("crates/a/src/catalogue.rs", text)).join(" ");
        assert_eq!(found, "a-one a-two a-three a-four a-five");
    }

    #[test]
    fn a_code_without_a_test_is_found() {
        let catalogue = Source::new("crates/a/src/catalogue.rs", "    code: \"a-one\",\n");
        let test = |text: &str| [catalogue.clone(), Source::new("crates/a/tests/it.rs", text)];
        assert!(untested(&test("assert_eq!(code, \"a-one\");"), &[]).is_empty());
        for text in ["", "// a-one", "assert_eq!(code, \"a-one-more\");"] {
            assert_eq!(
                untested(&test(text), &[]),
                ["`a-one` of crates/a/src/catalogue.rs is named in no test"]
            );
        }
    }

    #[test]
    fn an_excuse_is_for_codes_that_begin_so() {
        let catalogue = Source::new("crates/a/src/catalogue.rs", "    code: \"disk-failing\",\n");
        let with = |start| untested(std::slice::from_ref(&catalogue), &[(start, "a reason")]).len();
        assert_eq!((with("disk-"), with("isk")), (0, 1));
    }

    #[test]
    fn a_code_that_is_there_twice_is_found() {
        let of = |path: &str, code: &str| Source::new(path, &format!("    code: \"{code}\",\n"));
        let (a, b) = ("crates/a/src/catalogue.rs", "crates/b/src/catalogue.rs");
        assert!(wrong(&[of(a, "one"), of(b, "two")]).is_empty());
        assert_eq!(
            wrong(&[of(a, "one"), of(b, "one")]),
            [format!("`one` is in {a} and in {b}")]
        );
        assert_eq!(
            wrong(&[of(a, "Not_words")]),
            [format!("`Not_words` in {a} is not words-with-hyphens")]
        );
        assert_eq!(
            wrong(&[Source::new(a, "")]),
            [format!("{a} has no codes that could be read")]
        );
        assert_eq!(wrong(&[]), ["no catalogue was read"]);
    }
}
