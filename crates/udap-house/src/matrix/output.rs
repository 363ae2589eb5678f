//! What `cargo test` printed, its standard error and output in one.

use std::collections::HashMap;

use super::Test;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    Ignored,
}

/// Each test that was there.
#[derive(Clone, Debug, Default)]
pub struct Runs(HashMap<Test, Outcome>);

impl Runs {
    /// Reads the lines `Running …` and `test … ok`.
    ///
    /// Cargo names the crate of unit tests only, by the file it built (`…/deps/udap_server-0123`). It
    /// runs a package's targets in a row, those first: what follows belongs to the same crate.
    #[must_use]
    pub fn read(output: &str) -> Self {
        let mut runs = Self::default();
        let (mut package, mut target) = (String::new(), String::new());
        for line in output.lines() {
            let line = plain(line);
            if let Some((source, built)) = running(&line) {
                target = match source {
                    "unittests src/lib.rs" | "unittests src/main.rs" => {
                        package = built.replace('_', "-");
                        let lib = source.ends_with("lib.rs");
                        if lib { "lib" } else { "bin" }.to_owned()
                    }
                    _ => built.to_owned(),
                };
            } else if let Some((name, outcome)) = ended(&line) {
                let test = Test {
                    package: package.clone(),
                    path: format!("{target}::{name}"),
                };
                let known = runs.0.entry(test).or_insert(outcome);
                // Of two runs the worse counts.
                if *known == Outcome::Passed {
                    *known = outcome;
                }
            }
        }
        runs
    }

    #[must_use]
    pub fn outcome(&self, test: &Test) -> Option<Outcome> {
        self.0.get(test).copied()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `Running tests/it/main.rs (target/debug/deps/it-0123)`: the source, and the target it was built as.
fn running(line: &str) -> Option<(&str, &str)> {
    let (source, built) = line
        .trim_start()
        .strip_prefix("Running ")?
        .strip_suffix(')')?
        .rsplit_once(" (")?;
    let (name, _hash) = built.rsplit(['/', '\\']).next()?.rsplit_once('-')?;
    Some((source, name))
}

/// `test a::b ... ok`
fn ended(line: &str) -> Option<(&str, Outcome)> {
    let (name, how) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    let outcome = match how.split([' ', ',']).next()? {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        "ignored" => Outcome::Ignored,
        _ => return None,
    };
    Some((name, outcome))
}

/// The line without the codes that colour it.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' {
            let _ = chars.find(char::is_ascii_alphabetic);
        } else {
            plain.push(char);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
   Compiling udap-a v0.1.0
    Finished `test` profile
\u{1b}[1m\u{1b}[92m     Running\u{1b}[0m unittests src/lib.rs (target/debug/deps/udap_a_b-7c1)

running 3 tests
test x::tests::one ... ok
test x::tests::two - should panic ... ok
test x::tests::three ... ignored, takes long

     Running unittests src/bin/tool.rs (target/debug/deps/tool-7c1)
test main_works ... ok
     Running tests/it/main.rs (target/debug/deps/it-7c1)
test a::good ... ok
test a::bad ... FAILED
test a::slow has been running for over 60 seconds
test result: FAILED. 1 passed; 1 failed
     Running unittests src/main.rs (/tmp/elsewhere/debug/deps/udap-7c1)
test cli::help ... ok
     Running tests/it/main.rs (/tmp/elsewhere/debug/deps/it-8c1)
test a::good ... ok
test a::good ... FAILED
";

    #[test]
    fn each_test_is_found_under_its_crate_and_target() {
        let runs = Runs::read(OUTPUT);
        for (package, path, outcome) in [
            ("udap-a-b", "lib::x::tests::one", Some(Outcome::Passed)),
            ("udap-a-b", "lib::x::tests::two", Some(Outcome::Passed)),
            ("udap-a-b", "lib::x::tests::three", Some(Outcome::Ignored)),
            ("udap-a-b", "tool::main_works", Some(Outcome::Passed)),
            ("udap-a-b", "it::a::good", Some(Outcome::Passed)),
            ("udap-a-b", "it::a::bad", Some(Outcome::Failed)),
            ("udap-a-b", "it::a::slow", None),
            ("udap", "bin::cli::help", Some(Outcome::Passed)),
            ("udap", "it::a::good", Some(Outcome::Failed)),
            ("udap", "it::a::bad", None),
        ] {
            let test = Test {
                package: package.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(runs.outcome(&test), outcome, "{test}");
        }
        assert!(Runs::read("error: could not compile").is_empty());
    }
}
