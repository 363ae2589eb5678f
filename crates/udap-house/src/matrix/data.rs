//! The rows as they are written: one a line, five columns between tabs.

use std::fmt;

use super::{Row, Shown, Test};

/// The matrix of this project.
pub const DATA: &str = include_str!("../../data/conformance.tsv");

/// A line that is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    pub line: usize,
    pub why: String,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conformance.tsv, line {}: {}", self.line, self.why)
    }
}

/// Reads the rows; empty lines and those that begin with `#` are for people.
///
/// # Errors
/// [`DataError`] for the first line that is no row.
pub fn read(text: &str) -> Result<Vec<Row>, DataError> {
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let row = read_row(line).map_err(|why| DataError { line: at + 1, why })?;
        rows.push(row);
    }
    Ok(rows)
}

fn read_row(line: &str) -> Result<Row, String> {
    let columns: Vec<_> = line.split('\t').map(str::trim).collect();
    let (id, demand, section, state, by) = match columns[..] {
        // An editor that strips line ends leaves four columns of a row that nothing shows.
        [id, demand, section, state] => (id, demand, section, state, ""),
        [id, demand, section, state, by] => (id, demand, section, state, by),
        _ => return Err(format!("{} columns instead of 5", columns.len())),
    };
    if [id, demand, section].iter().any(|column| column.is_empty()) {
        return Err("an id, a demand or a section is empty".to_owned());
    }
    let shown = match state {
        "test" => Shown::Tests(read_tests(by)?),
        "reason" | "later" if by.is_empty() => return Err(format!("{state} without words")),
        "reason" => Shown::Reason(by.to_owned()),
        "later" => Shown::Later(by.to_owned()),
        other => return Err(format!("`{other}` is none of test, reason, later")),
    };
    Ok(Row {
        id: id.to_owned(),
        demand: demand.to_owned(),
        section: section.to_owned(),
        shown,
    })
}

/// `udap-server it::token::x it::token::y, udap-proto lib::token::tests::z`: a name without `::` is
/// the crate of those that follow.
fn read_tests(text: &str) -> Result<Vec<Test>, String> {
    let mut package = None;
    let mut tests = Vec::new();
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    for word in words {
        if !word.contains("::") {
            package = Some(word);
            continue;
        }
        let package = package.ok_or_else(|| format!("no crate before `{word}`"))?;
        tests.push(Test {
            package: package.to_owned(),
            path: word.to_owned(),
        });
    }
    if tests.is_empty() && !text.is_empty() {
        return Err(format!("`{text}` names no test"));
    }
    Ok(tests)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Row, String> {
        read(line).map(|mut rows| rows.remove(0)).map_err(|e| e.why)
    }

    #[test]
    fn rows_are_read() {
        let text = "# For people.\n\n1\tDo.\t§1\ttest\tudap-a it::x it::y, udap-b lib::z\n";
        let rows = read(text).unwrap();
        let Shown::Tests(tests) = &rows[0].shown else {
            unreachable!()
        };
        let names: Vec<_> = tests.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["udap-a it::x", "udap-a it::y", "udap-b lib::z"]);
        for missing in ["1\tDo.\t§1\ttest\t", "1\tDo.\t§1\ttest"] {
            assert_eq!(one(missing).unwrap().shown, Shown::Tests(Vec::new()));
        }
        let later = one("1\tDo.\t§1\tlater\tsign-in").unwrap();
        assert_eq!(later.shown, Shown::Later("sign-in".to_owned()));
    }

    #[test]
    fn what_is_no_row_is_told_with_its_line() {
        for (line, why) in [
            ("1\tDo.\t§1", "3 columns instead of 5"),
            ("1\tDo.\t§1\ttest\tx::y\tz", "6 columns instead of 5"),
            ("1\t\t§1\ttest\t", "an id, a demand or a section is empty"),
            ("1\tDo.\t§1\treason\t", "reason without words"),
            ("1\tDo.\t§1\tlater", "later without words"),
            (
                "1\tDo.\t§1\tsoon\tx",
                "`soon` is none of test, reason, later",
            ),
            ("1\tDo.\t§1\ttest\tit::x", "no crate before `it::x`"),
            ("1\tDo.\t§1\ttest\tudap-a", "`udap-a` names no test"),
        ] {
            assert_eq!(one(line).unwrap_err(), why, "{line}");
        }
        let error = read("\n1\tDo.").unwrap_err();
        assert_eq!(
            error.to_string(),
            "conformance.tsv, line 2: 2 columns instead of 5"
        );
    }
}
