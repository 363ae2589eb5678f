//! Whether the matrix still fits the source: a test that is renamed must be renamed here too.

use std::collections::HashSet;

use super::{MOST_REASONS, Row, Shown, Test};
use crate::Source;

/// Each id that is there twice, each test that is not in the source, and reasons beyond measure.
#[must_use]
pub fn wrong(rows: &[Row], sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    let reasons = rows
        .iter()
        .filter(|row| matches!(row.shown, Shown::Reason(_)));
    if reasons.count() > MOST_REASONS {
        wrong.push(format!("more than {MOST_REASONS} rows have a reason"));
    }
    for row in rows {
        if !seen.insert(&row.id) {
            wrong.push(format!("{} is there twice", row.id));
        }
        let Shown::Tests(tests) = &row.shown else {
            continue;
        };
        for test in tests {
            if !sources.iter().any(|source| holds(source, test)) {
                wrong.push(format!("{}: there is no test {test}", row.id));
            }
        }
    }
    wrong
}

/// Whether a file is where such a test would be, and has a function of its name.
fn holds(source: &Source, test: &Test) -> bool {
    let mut parts: Vec<_> = test.path.split("::").collect();
    let (Some(name), false) = (parts.pop(), parts.is_empty()) else {
        return false;
    };
    let target = parts.remove(0);
    let crate_folder = format!("crates/{}/", test.package);
    let Some(inside) = source.path().strip_prefix(&crate_folder) else {
        return false;
    };
    let folder = match target {
        "lib" | "bin" => "src".to_owned(),
        other => format!("tests/{other}"),
    };
    let Some(file) = inside
        .strip_suffix(".rs")
        .and_then(|path| path.strip_prefix(&folder))
    else {
        return false;
    };
    let file: Vec<_> = file
        .split('/')
        .filter(|part| !["", "mod", "main", "lib"].contains(part))
        .collect();
    // `mod tests` may be in the file, beside it as `tests.rs`, or as `x_tests.rs`.
    let of_module = |modules: &[&str]| {
        file == modules
            || modules.split_last().is_some_and(|(last, outer)| {
                *last == "tests" && (file == outer || file.join("/") == outer.join("/") + "_tests")
            })
    };
    of_module(&parts) && source.text().contains(&format!("fn {name}("))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::matrix::read;

    fn wrong_with(shown: &str) -> Vec<String> {
        let sources = [
            Source::new("crates/a/src/lib.rs", "fn top() {}"),
            Source::new("crates/a/src/x/mod.rs", "mod tests { fn in_x() {} }"),
            Source::new("crates/a/src/y_tests.rs", "fn beside_y() {}"),
            Source::new("crates/a/src/z/tests.rs", "fn below_z() {}"),
            Source::new("crates/a/tests/it/main.rs", "fn outer() {}"),
            Source::new("crates/a/tests/it/w/v.rs", "async fn deep() {}"),
            Source::new("crates/a/tests/house.rs", "fn alone() {}"),
            Source::new("crates/b/tests/it/main.rs", "fn other() {}"),
        ];
        wrong(&read(shown).unwrap(), &sources)
    }

    #[test]
    fn a_test_is_found_where_its_path_says() {
        for good in [
            "a lib::tests::top",
            "a lib::x::tests::in_x",
            "a lib::y::tests::beside_y",
            "a lib::z::tests::below_z",
            "a it::outer",
            "a it::w::v::deep",
            "a house::alone",
        ] {
            let row = format!("1\tDo.\t§1\ttest\t{good}");
            assert!(wrong_with(&row).is_empty(), "{good}");
        }
        for bad in [
            "a it::renamed",
            "a it::w::deep",
            "a it::other",
            "b it::outer",
            "a lib::x::in_it",
            "a house::w::v::deep",
        ] {
            let row = format!("1\tDo.\t§1\ttest\t{bad}");
            assert_eq!(wrong_with(&row), [format!("1: there is no test {bad}")]);
        }
    }

    #[test]
    fn ids_are_unique_and_reasons_few() {
        let twice = "1\tDo.\t§1\tlater\tx\n1\tDo.\t§1\tlater\tx\n";
        assert_eq!(wrong_with(twice), ["1 is there twice"]);
        let reasons = |n: usize| -> String {
            (0..n)
                .map(|at| format!("{at}\tDo.\t§1\treason\tx\n"))
                .collect()
        };
        assert!(wrong_with(&reasons(MOST_REASONS)).is_empty());
        assert_eq!(
            wrong_with(&reasons(MOST_REASONS + 1)),
            ["more than 10 rows have a reason"]
        );
    }
}
