//! A file of the project, and what of it is program and what is test.

use std::{fs, io, path::Path};

/// A text file, its path from the workspace's root with `/` between the parts.
#[derive(Clone, Debug)]
pub struct Source {
    path: String,
    text: String,
}

impl Source {
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Reads every text file below a folder, but for what is built or installed there.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        collect(root, root, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a person wrote it as a program.
    #[must_use]
    pub fn is_program(&self) -> bool {
        [".rs", ".mjs", ".js"]
            .iter()
            .any(|end| self.path.ends_with(end))
    }

    /// Whether all of the file is Rust for tests, benches or examples.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        let in_src = self.path.contains("/src/");
        !in_src
            || matches!(file, "tests.rs" | "testing.rs")
            || file.ends_with("_tests.rs")
            || self.path.contains("/tests/")
    }

    /// The lines that are compiled into the crate, with their numbers: no comment lines, and nothing
    /// under `#[cfg(test)]`.
    pub fn compiled_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut skipping: Option<&str> = None;
        let whole = self.path.ends_with(".rs") && !self.is_test();
        self.text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .filter(move |(_, line)| {
                let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
                if let Some(outer) = skipping {
                    // The item ends with `;` or a lone `}` as far left as its attribute.
                    if indent == outer
                        && (rest == "}" || rest.ends_with(';') && !rest.starts_with("//"))
                    {
                        skipping = None;
                    }
                    return false;
                }
                if rest.starts_with("#[cfg(test)]") {
                    skipping = (!rest.ends_with(';')).then_some(indent);
                    return false;
                }
                whole && !rest.starts_with("//")
            })
    }
}

/// Folders that hold nothing of ours.
const NOT_OURS: &[&str] = &[".git", "target", "node_modules", "udap-sandbox"];

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            if !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                collect(root, &path, found)?;
            }
        } else if kind.is_file() {
            // What is not UTF-8 is no text.
            let Ok(text) = String::from_utf8(fs::read(&path)?) else {
                continue;
            };
            let inside = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            found.push(Source {
                path: parts.join("/"),
                text,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = "\
//! A comment.
fn a() {}
#[cfg(test)]
mod hidden;
fn b() {}
    #[cfg(test)]
    fn helper() {
        let x = 1;
    }
    fn c() {}
#[cfg(test)]
#[expect(
    clippy::panic,
    reason = \"a test\"
)]
mod tests {
    fn d() {
    }
}
fn e() {}
";

    #[test]
    fn what_is_under_cfg_test_is_not_program() {
        let source = Source::new("crates/a/src/lib.rs", MIXED);
        let lines: Vec<_> = source
            .compiled_lines()
            .map(|(at, line)| (at, line.trim()))
            .collect();
        assert_eq!(
            lines,
            [
                (2, "fn a() {}"),
                (5, "fn b() {}"),
                (10, "fn c() {}"),
                (20, "fn e() {}")
            ]
        );
    }

    #[test]
    fn a_test_file_has_no_program() {
        for path in [
            "crates/a/tests/it/main.rs",
            "crates/a/src/x/tests.rs",
            "crates/a/src/x_tests.rs",
            "crates/a/examples/e.rs",
        ] {
            assert_eq!(
                Source::new(path, "fn a() {}").compiled_lines().count(),
                0,
                "{path}"
            );
        }
    }
}
