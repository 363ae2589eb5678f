//! What was found, in the order in which it was looked at.

use crate::catalogue;
use crate::output::printable;
use crate::problem::Problem;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// As it should be.
    Well,
    /// It works, and will not for long, or not for everybody.
    Warning,
    /// A partner is stopped by it.
    Problem,
    /// It could not be looked at.
    Unknown,
}

impl Mark {
    const fn sign(self) -> &'static str {
        match self {
            Self::Well => "\x1b[32m✓\x1b[0m",
            Self::Warning => "\x1b[33m!\x1b[0m",
            Self::Problem => "\x1b[31m✗\x1b[0m",
            Self::Unknown => "–",
        }
    }
    const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug)]
struct Finding {
    /// What was looked at, in a word or two.
    thing: String,
    mark: Mark,
    text: String,
    code: Option<String>,
    hint: Option<String>,
}

/// All findings.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn well(&mut self, thing: &str, text: impl Into<String>) {
        self.add(thing, Mark::Well, text.into(), None, None);
    }

    /// With a code of the catalogue, whose hint is told.
    pub(super) fn warning(&mut self, thing: &str, code: &str, text: impl Into<String>) {
        let hint = catalogue::find(code).map(|entry| entry.hint.to_owned());
        self.add(thing, Mark::Warning, text.into(), Some(code.into()), hint);
    }

    /// With a code of the catalogue, whose hint is told.
    pub(super) fn failed(&mut self, thing: &str, code: &str, text: impl Into<String>) {
        let hint = catalogue::find(code).map(|entry| entry.hint.to_owned());
        self.add(thing, Mark::Problem, text.into(), Some(code.into()), hint);
    }

    pub(super) fn problem(&mut self, thing: &str, problem: &Problem) {
        let code = Some(problem.code().to_owned());
        let text = problem.message().to_owned();
        self.add(thing, Mark::Problem, text, code, problem.hint_or_general());
    }

    pub(super) fn unknown(&mut self, thing: &str, why: impl Into<String>) {
        self.add(thing, Mark::Unknown, why.into(), None, None);
    }

    fn add(
        &mut self,
        thing: &str,
        mark: Mark,
        text: String,
        code: Option<String>,
        hint: Option<String>,
    ) {
        self.0.push(Finding {
            thing: thing.to_owned(),
            mark,
            text,
            code,
            hint: hint.filter(|hint| !hint.is_empty()),
        });
    }

    /// Whether nothing stands in a partner's way.
    pub(super) fn is_well(&self) -> bool {
        self.count(Mark::Problem) == 0
    }

    fn count(&self, mark: Mark) -> usize {
        self.0.iter().filter(|finding| finding.mark == mark).count()
    }

    pub(super) fn to_text(&self) -> String {
        let things = self.0.iter().map(|finding| finding.thing.chars().count());
        let width = things.max().unwrap_or(0);
        let mut text = String::new();
        // Writing to a string does not fail.
        for finding in &self.0 {
            let code = finding
                .code
                .as_ref()
                .map(|code| format!(" [{}]", printable(code)));
            let _ = writeln!(
                text,
                "{} {:width$}  {}{}",
                finding.mark.sign(),
                printable(&finding.thing),
                printable(&finding.text),
                code.unwrap_or_default()
            );
            if let Some(hint) = &finding.hint {
                let _ = writeln!(text, "  {:width$}  → {}", "", printable(hint));
            }
        }
        let many = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {one}s"),
        };
        let _ = write!(
            text,
            "\n{}, {}",
            many(self.count(Mark::Problem), "problem"),
            many(self.count(Mark::Warning), "warning")
        );
        text
    }

    pub(super) fn to_json(&self) -> Value {
        let findings = self.0.iter().map(|finding| {
            json!({
                "thing": finding.thing,
                "mark": finding.mark.name(),
                "text": finding.text,
                "code": finding.code,
                "hint": finding.hint,
            })
        });
        json!({
            "well": self.is_well(),
            "problems": self.count(Mark::Problem),
            "warnings": self.count(Mark::Warning),
            "findings": findings.collect::<Vec<_>>(),
        })
    }
}
