//! Words that belong in few places, or nowhere.

use crate::Source;

/// Words, where they are looked for, and where alone they may be.
#[derive(Debug)]
pub struct Rule {
    /// What the rule is for, as the end of "… is not for here: ".
    pub why: &'static str,
    pub words: &'static [&'static str],
    pub lines: Lines,
    /// Paths begin with one of these; empty means everywhere.
    pub within: &'static [&'static str],
    /// Parts of a path that are the words' home.
    pub home: &'static [&'static str],
    /// Places that may as well, by the beginning of their path, each with its reason. One that is no longer
    /// needed is reported, so that the list stays true.
    pub except: &'static [(&'static str, &'static str)],
}

/// Which lines of a file count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Those compiled into a crate: neither comments nor tests.
    Compiled,
    /// All of a Rust file.
    Rust,
    /// All of any text file.
    Any,
}

/// Each line that breaks the rule, and each exception without a use.
#[must_use]
pub fn broken(rule: &Rule, sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut used = vec![false; rule.except.len()];
    for source in sources {
        let path = source.path();
        let inside =
            rule.within.is_empty() || rule.within.iter().any(|start| path.starts_with(start));
        let at_home = rule.home.iter().any(|part| path.contains(part));
        if !inside || at_home || rule.lines == Lines::Rust && !path.ends_with(".rs") {
            continue;
        }
        let all = source
            .text()
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line));
        let lines: Vec<(usize, &str)> = match rule.lines {
            Lines::Compiled => source.compiled_lines().collect(),
            Lines::Rust | Lines::Any => all.collect(),
        };
        for (at, line) in lines {
            let Some(word) = rule.words.iter().find(|word| line.contains(**word)) else {
                continue;
            };
            match rule
                .except
                .iter()
                .position(|(start, _)| path.starts_with(start))
            {
                Some(exception) => used[exception] = true,
                None => broken.push(format!(
                    "{path}:{at}: `{word}` is not for here: {}",
                    rule.why
                )),
            }
        }
    }
    let unused = rule.except.iter().zip(used).filter(|(_, used)| !used);
    broken.extend(unused.map(|((start, _), _)| {
        format!("the exception {start} has no use any more ({})", rule.why)
    }));
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        why: "the clock is read in one place",
        words: &["SystemTime::now"],
        lines: Lines::Compiled,
        within: &[],
        home: &["/store/"],
        except: &[("crates/a/src/clock.rs", "the place")],
    };

    #[test]
    fn a_word_in_the_wrong_place_is_found() {
        let clock = Source::new("crates/a/src/clock.rs", "fn now() { SystemTime::now(); }");
        let home = Source::new("crates/b/src/store/mod.rs", clock.text());
        let wrong = Source::new(
            "crates/b/src/lib.rs",
            "// SystemTime::now\nlet x = SystemTime::now();\n",
        );
        assert!(broken(&RULE, std::slice::from_ref(&clock)).is_empty());
        assert_eq!(
            broken(&RULE, &[clock, home, wrong]),
            [
                "crates/b/src/lib.rs:2: `SystemTime::now` is not for here: the clock is read in one place"
            ]
        );
    }

    #[test]
    fn an_exception_without_a_use_is_found() {
        assert_eq!(
            broken(&RULE, &[]),
            [
                "the exception crates/a/src/clock.rs has no use any more (the clock is read in one place)"
            ]
        );
    }

    #[test]
    fn lines_and_folders_decide_what_is_looked_at() {
        let test = Source::new("crates/a/tests/it.rs", "// SystemTime::now");
        let note = Source::new("docs/a.md", "SystemTime::now");
        let count = |lines, within| {
            let rule = Rule {
                lines,
                within,
                except: &[],
                ..RULE
            };
            broken(&rule, &[test.clone(), note.clone()]).len()
        };
        assert_eq!(count(Lines::Compiled, &[]), 0);
        assert_eq!(count(Lines::Rust, &[]), 1);
        assert_eq!(count(Lines::Any, &[]), 2);
        assert_eq!(count(Lines::Any, &["docs/"]), 1);
    }
}
