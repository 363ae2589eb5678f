//! `docs/errors.md`: what `udap explain --all` knows, as a page.

use crate::community::udap;
use serde_json::Value;
use std::path::Path;

/// The one way to change the page is to change the catalogue.
#[test]
fn the_page_of_errors_is_made_from_the_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let said = udap(dir.path(), &["explain", "--all", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let made = page(said.json().as_array().unwrap());

    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let same = std::fs::read_to_string(&kept).unwrap_or_default() == made;
    let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("errors.md");
    if !same {
        std::fs::write(&new, made).unwrap();
    }
    assert!(
        same,
        "docs/errors.md is not what the catalogue says. Look at the difference, then: cp {} docs/errors.md",
        new.display()
    );
}

/// Each code has a heading, so that a link can lead to it.
fn page(entries: &[Value]) -> String {
    let mut page = HEAD.to_owned();
    for entry in entries {
        let text = |member: &str| escaped(entry[member].as_str().unwrap());
        page.push_str(&format!(
            "\n## {}\n\n**{}**\n\n{}\n\n- What to do: {}\n",
            text("code"),
            text("title"),
            text("meaning"),
            text("hint")
        ));
        if !matches!(entry["section"].as_str(), Some("" | "—")) {
            page.push_str(&format!("- Rule: {}\n", text("section")));
        }
    }
    page
}

/// Outside of code, what Markdown would take for its own is shown as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at > 0 {
            escaped.push('`');
        }
        let mut before = ' ';
        let mut letters = part.chars().peekable();
        while let Some(letter) = letters.next() {
            // Between letters it is one more of them.
            let within =
                before.is_alphanumeric() && letters.peek().is_some_and(|c| c.is_alphanumeric());
            if at % 2 == 0 && ("\\*<[".contains(letter) || letter == '_' && !within) {
                escaped.push('\\');
            }
            escaped.push(letter);
            before = letter;
        }
    }
    escaped
}

const HEAD: &str = "\
# Errors

Each refusal has a code: in brackets behind `error` on the command line, `error.code` with `--json`, `udap_code`
in answers of the servers, the coding of an `OperationOutcome` at the gateway; in logs and the audit trail as
well. A code keeps its meaning. Here are all, as `udap explain CODE` tells them and in the order of
`udap explain --all`.

This page is made from the program's catalogue by a test (`cargo test -p udap --test it errors`), which
says how to make it anew; a change made here by hand fails it.
";
