//! The codes of all catalogues: each in words, and each there once, since `udap explain CODE`
//! looks through them one after the other.

use std::collections::BTreeMap;

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
