//! What every crate takes from the workspace.

use crate::Source;

/// A manifest has each of these lines.
const INHERITED: &[&str] = &[
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "publish.workspace = true",
];

/// The workspace's own manifest has each of these.
const OF_THE_WORKSPACE: &[&str] = &[
    "rust-version = \"1.95\"",
    "license = \"Apache-2.0 OR MIT\"",
    "unsafe_code = \"forbid\"",
    "allow_attributes = \"warn\"",
    "unwrap_used = \"warn\"",
    "expect_used = \"warn\"",
    "panic = \"warn\"",
];

/// Each manifest that goes its own way.
#[must_use]
pub fn wrong(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut crates = 0;
    for manifest in sources
        .iter()
        .filter(|source| source.path().ends_with("Cargo.toml"))
    {
        let has = |line: &&&str| manifest.text().lines().any(|l| l.trim() == **line);
        let required = match manifest.path() {
            "Cargo.toml" => OF_THE_WORKSPACE,
            path if path.starts_with("crates/") => {
                crates += 1;
                if !manifest.text().contains("\n[lints]\nworkspace = true\n") {
                    wrong.push(format!("{path} does not take the workspace's lints"));
                }
                if !manifest.text().contains("\ndescription = \"") {
                    wrong.push(format!("{path} does not say what the crate is"));
                }
                INHERITED
            }
            _ => continue,
        };
        for line in required.iter().filter(|line| !has(line)) {
            wrong.push(format!("{} lacks `{line}`", manifest.path()));
        }
    }
    if crates == 0 {
        wrong.push("no crate was read".to_owned());
    }
    wrong
}

/// Files that would make cargo download another toolchain than the one that is installed.
#[must_use]
pub fn toolchain_files(sources: &[Source]) -> Vec<String> {
    let is_one = |path: &&str| {
        path.rsplit('/')
            .next()
            .is_some_and(|n| n.starts_with("rust-toolchain"))
    };
    sources
        .iter()
        .map(Source::path)
        .filter(is_one)
        .map(|path| format!("{path} chooses a toolchain; `rust-version` is enough"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\ndescription = \"b\"\nversion.workspace = true\n\
        edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\
        publish.workspace = true\n\n[lints]\nworkspace = true\n";

    #[test]
    fn a_manifest_that_goes_its_own_way_is_found() {
        let of = |text: &str| wrong(&[Source::new("crates/a/Cargo.toml", text)]);
        assert!(of(GOOD).is_empty());
        assert_eq!(
            of(&GOOD.replace("license.workspace = true", "license = \"MIT\"")),
            ["crates/a/Cargo.toml lacks `license.workspace = true`"]
        );
        assert_eq!(
            of(&GOOD.replace("[lints]\nworkspace", "[other]\nworkspace")),
            ["crates/a/Cargo.toml does not take the workspace's lints"]
        );
        assert_eq!(
            of(&GOOD.replace("description", "summary")),
            ["crates/a/Cargo.toml does not say what the crate is"]
        );
    }

    #[test]
    fn a_workspace_that_softens_its_lints_is_found() {
        let all = OF_THE_WORKSPACE
            .join("\n")
            .replace("\"forbid\"", "\"deny\"");
        let found = wrong(&[
            Source::new("Cargo.toml", &all),
            Source::new("crates/a/Cargo.toml", GOOD),
        ]);
        assert_eq!(found, ["Cargo.toml lacks `unsafe_code = \"forbid\"`"]);
    }

    #[test]
    fn no_crate_at_all_is_found() {
        assert_eq!(wrong(&[]), ["no crate was read"]);
    }

    #[test]
    fn a_toolchain_file_is_found() {
        let found = toolchain_files(&[Source::new("rust-toolchain.toml", "")]);
        assert_eq!(
            found,
            ["rust-toolchain.toml chooses a toolchain; `rust-version` is enough"]
        );
    }
}
