//! The configurations that README.md, docs and the help of `udap serve` show are ones that the program takes.

use crate::community::udap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use udap_testkit::{TestPki, tls_files};

#[test]
fn every_configuration_of_the_documentation_is_taken() {
    let blocks = blocks();
    assert!(blocks.len() > 8, "{blocks:#?}");
    let (_, first) = &blocks[0];
    let base = Parts::of(first);
    assert!(base.is_whole(), "{first}");
    let (mut whole, mut added) = (0, 0);
    for (at, block) in &blocks {
        let parts = Parts::of(block);
        let text = if parts.is_whole() {
            whole += 1;
            block.clone()
        } else {
            added += 1;
            base.with(&parts)
        };
        let dir = tempfile::tempdir().unwrap();
        files(dir.path(), &text);
        fs::write(dir.path().join("udap.toml"), &text).unwrap();
        for command in ["show", "check"] {
            let said = udap(dir.path(), &["config", command]);
            assert_eq!(said.code, 0, "{at}, {command}: {}\n{text}", said.err);
        }
        // It is read, and not passed over.
        fs::write(dir.path().join("udap.toml"), spoilt(&text, block)).unwrap();
        let said = udap(dir.path(), &["config", "show", "--json"]);
        assert_eq!(
            (said.code, said.error().as_str()),
            (2, "config-unknown-key"),
            "{at}"
        );
    }
    assert!(whole > 0 && added > 0);
}

/// Each TOML block with where it stands.
fn blocks() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = docs
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.sort();
    pages.insert(0, root.join("README.md"));
    let mut found = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let mut block: Option<(String, String)> = None;
        for (number, line) in (1..).zip(text.lines()) {
            match &mut block {
                None if line == "```toml" => {
                    let name = page.file_name().unwrap().to_string_lossy();
                    block = Some((format!("{name}:{number}"), String::new()));
                }
                None => {}
                Some(_) if line == "```" => found.extend(block.take()),
                Some((_, text)) => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        assert_eq!(block, None, "a block has no end");
    }
    let helps = include_str!("../../src/snapshots/udap__cli__tests__help.snap");
    let (_, help) = helps
        .split_once("  A configuration in a few lines:\n")
        .unwrap();
    let help = help
        .lines()
        .map_while(|line| line.strip_prefix("    ").or(line.is_empty().then_some("")));
    let help: Vec<&str> = help.collect();
    found.push(("udap serve --help".to_owned(), help.join("\n")));
    found
}

/// A configuration, or what one adds to another, by where its lines belong.
#[derive(Default)]
struct Parts {
    /// Before any table.
    top: String,
    /// In the `[[community]]` that is there already.
    community: String,
    tables: String,
}

impl Parts {
    fn of(block: &str) -> Self {
        let mut parts = Self::default();
        let begin = block.find("\n[").map_or(block.len(), |at| at + 1);
        let begin = if block.starts_with('[') { 0 } else { begin };
        let (keys, tables) = block.split_at(begin);
        // "has in its table, besides": nothing but the text around it tells these from others.
        if keys.starts_with("certifications_supported") {
            keys.clone_into(&mut parts.community);
        } else {
            keys.clone_into(&mut parts.top);
        }
        // As the text beneath says, it needs a community that demands no extension object.
        if tables.contains("tls_client_auth") {
            parts.community.push_str("definition = \"open.toml\"\n");
        }
        // The rest of that table is the one that is there.
        match tables.strip_prefix("[[community]]\n# …\n") {
            Some(more) => parts.community.push_str(more),
            None => tables.clone_into(&mut parts.tables),
        }
        parts
    }

    fn is_whole(&self) -> bool {
        self.top.starts_with("base_url")
    }

    /// The same configuration with more in it. Its only table is its community, which stands at its end.
    fn with(&self, more: &Self) -> String {
        format!(
            "{}{}{}{}{}",
            more.top, self.top, self.tables, more.community, more.tables
        )
    }
}

/// The text with a key beside the block's first that no table has.
fn spoilt(text: &str, block: &str) -> String {
    let key = block
        .lines()
        .find(|line| line.contains('=') && !line.starts_with('#'));
    text.replacen(key.unwrap(), "no_such_key = 1", 1)
}

/// Whatever file a text names, as far as one is looked into: certificates, their keys, and secrets.
fn files(dir: &Path, text: &str) {
    let tls = tls_files();
    let members = TestPki::new("https://community.example");
    // One certificate for both base URLs.
    let server = members
        .member("https://fhir.example.org/r4")
        .uri("https://fhir.example.org/r4b")
        .issue();
    let names = text.split('"').skip(1).step_by(2);
    for name in names.filter(|name| !name.contains("://") && name.contains('.')) {
        let content = match name {
            "tls.pem" | "admin.pem" => tls.chain_pem.clone(),
            "tls.key" | "admin.key" => tls.key_pem.clone(),
            "server.pem" => server.chain_pem(),
            "server.key" => server.key_pem.clone(),
            "secrets.key" => STANDARD.encode((0..32).collect::<Vec<u8>>()),
            "database.url" => "postgres://udap:of-no-use@db.example/udap".to_owned(),
            "open.toml" => {
                let guide = udap(dir, &["community", "show", "ssraa-2.0", "--toml"]).out;
                guide.replace("use = \"required\"", "use = \"supported\"")
            }
            "reporting.jwks.json" => "{\"keys\":[]}".to_owned(),
            "community.pem" => members.anchor().certificate().to_pem(),
            // Anchors of somebody else; whose is all the same, but each has its own.
            name if name.ends_with(".pem") => {
                let other = TestPki::new("https://other.example");
                other.anchor().certificate().to_pem()
            }
            _ => continue,
        };
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
