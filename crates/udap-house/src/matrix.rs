//! The conformance matrix: each rule of the guide, and the tests that show it.
//!
//! `data/conformance.tsv` says of each rule what it demands and which tests would fail if it were
//! broken. The tests are looked up in what `cargo test` printed, so that a row counts as shown only
//! when its tests ran and passed.

mod data;
mod names;
mod output;

use std::fmt;

pub use data::{DATA, DataError, read};
pub use names::wrong;
pub use output::{Outcome, Runs};

/// More rules than this without a test would be an excuse.
pub const MOST_REASONS: usize = 10;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    /// What it demands, in our own words.
    pub demand: String,
    /// Where the guide, or the specification below it, says so.
    pub section: String,
    pub shown: Shown,
}

/// How the rule is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// By these tests, all of which must pass. Without any it is missing.
    Tests(Vec<Test>),
    /// Not by a test, and why.
    Reason(String),
    /// Not yet: it belongs to this coming work.
    Later(String),
}

/// A test by its crate, its target (`lib`, `bin`, or a file or folder of `tests/`) and its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Test {
    pub package: String,
    pub path: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.path)
    }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Shown,
    Reasoned,
    Later,
    Missing,
    Failing,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Shown,
        Self::Reasoned,
        Self::Later,
        Self::Missing,
        Self::Failing,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Reasoned => "reasoned",
            Self::Later => "later",
            Self::Missing => "missing",
            Self::Failing => "failing",
        }
    }
}

/// The rows, judged.
#[derive(Debug)]
pub struct Report<'a>(Vec<Judged<'a>>);

#[derive(Debug)]
struct Judged<'a> {
    row: &'a Row,
    state: State,
    /// The tests that failed or did not run, the reason, or the coming work.
    because: Vec<String>,
}

/// Judges each row by what ran.
#[must_use]
pub fn judge<'a>(rows: &'a [Row], runs: &Runs) -> Report<'a> {
    Report(rows.iter().map(|row| judge_row(row, runs)).collect())
}

fn judge_row<'a>(row: &'a Row, runs: &Runs) -> Judged<'a> {
    let (state, because) = match &row.shown {
        Shown::Reason(reason) => (State::Reasoned, vec![reason.clone()]),
        Shown::Later(work) => (State::Later, vec![work.clone()]),
        Shown::Tests(tests) if tests.is_empty() => (State::Missing, vec!["no test yet".to_owned()]),
        Shown::Tests(tests) => {
            let mut state = State::Shown;
            let mut because = Vec::new();
            for test in tests {
                let (worse, what) = match runs.outcome(test) {
                    Some(Outcome::Passed) => continue,
                    Some(Outcome::Failed) => (State::Failing, "failed"),
                    Some(Outcome::Ignored) => (State::Missing, "was ignored"),
                    None => (State::Missing, "did not run"),
                };
                state = state.max(worse);
                because.push(format!("{test} {what}"));
            }
            (state, because)
        }
    };
    Judged {
        row,
        state,
        because,
    }
}

impl Report<'_> {
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.0.iter().filter(|judged| judged.state == state).count()
    }

    /// Whether every row is shown, reasoned or knowingly left for later.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.count(State::Missing) == 0 && self.count(State::Failing) == 0
    }
}

/// The table, and the counts as its last line.
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|judged| judged.row.id.chars().count());
        let id = ids.max().unwrap_or(0);
        for Judged {
            row,
            state,
            because,
        } in &self.0
        {
            let (word, demand, section) = (state.word(), &row.demand, &row.section);
            writeln!(f, "{word:<8}  {:<id$}  {demand} ({section})", row.id)?;
            for because in because {
                writeln!(f, "{:<8}  └ {because}", "")?;
            }
        }
        let counts: Vec<_> = State::ALL
            .iter()
            .map(|state| format!("{} {}", self.count(*state), state.word()))
            .collect();
        writeln!(f, "matrix: {}", counts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, shown: Shown) -> Row {
        Row {
            id: id.to_owned(),
            demand: format!("Demand of {id}."),
            section: "§1".to_owned(),
            shown,
        }
    }

    fn tests(paths: &[&str]) -> Shown {
        let test = |path: &&str| Test {
            package: "udap-a".to_owned(),
            path: (*path).to_owned(),
        };
        Shown::Tests(paths.iter().map(test).collect())
    }

    const OUTPUT: &str = "\
     Running unittests src/lib.rs (target/debug/deps/udap_a-0123)
test good ... ok
test bad ... FAILED
test left ... ignored, takes long
";

    #[test]
    fn each_state_is_told() {
        let rows = [
            row("1", tests(&["lib::good"])),
            row("2", Shown::Reason("it cannot be".to_owned())),
            row("3", Shown::Later("sign-in".to_owned())),
            row("4", tests(&[])),
            row("5", tests(&["lib::good", "lib::gone"])),
            row("6", tests(&["lib::left"])),
            row("7", tests(&["lib::gone", "lib::bad"])),
        ];
        let report = judge(&rows, &Runs::read(OUTPUT));
        assert!(!report.passed());
        assert_eq!(
            report.to_string(),
            "\
shown     1  Demand of 1. (§1)
reasoned  2  Demand of 2. (§1)
          └ it cannot be
later     3  Demand of 3. (§1)
          └ sign-in
missing   4  Demand of 4. (§1)
          └ no test yet
missing   5  Demand of 5. (§1)
          └ udap-a lib::gone did not run
missing   6  Demand of 6. (§1)
          └ udap-a lib::left was ignored
failing   7  Demand of 7. (§1)
          └ udap-a lib::gone did not run
          └ udap-a lib::bad failed
matrix: 1 shown, 1 reasoned, 1 later, 3 missing, 1 failing
"
        );
    }

    #[test]
    fn one_missing_or_failing_row_is_enough() {
        let runs = Runs::read(OUTPUT);
        let passed = |shown| judge(&[row("1", shown)], &runs).passed();
        assert!(passed(tests(&["lib::good"])));
        assert!(passed(Shown::Later("sign-in".to_owned())));
        assert!(passed(Shown::Reason("it cannot be".to_owned())));
        assert!(!passed(tests(&["lib::bad"])));
        assert!(!passed(tests(&["lib::gone"])));
        assert!(!passed(tests(&[])));
    }
}
