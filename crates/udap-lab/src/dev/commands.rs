//! What to try while the sandbox is up.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::layout::{Community, Layout};

/// Commands that work as they are, in the directory that `udap dev` was started in.
pub(crate) fn to_try(layout: &Layout) -> Vec<String> {
    let (current, program) = here();
    commands(layout, &current, &program)
}

/// The same for a program.
pub(crate) fn up(layout: &Layout) -> Value {
    json!({
        "up": layout.data_holder_url(),
        "admin": layout.admin_url(),
        "metrics": layout.metrics_url(),
        "sandbox_json": layout.path("sandbox.json"),
        "try": to_try(layout),
    })
}

/// Pages to look at, and what has to be done first.
pub(crate) fn pages(layout: &Layout) -> [String; 2] {
    let (current, program) = here();
    let config = layout.data_holder_config();
    [
        format!(
            "{}, once somebody may log in: {} admin operator add NAME --config {}",
            layout.admin_url(),
            called(&program, &current),
            quoted(&near(&config, &current).display().to_string())
        ),
        layout.metrics_url(),
    ]
}

/// The directory that this runs in, and the program.
fn here() -> (PathBuf, PathBuf) {
    (
        std::env::current_dir().unwrap_or_default(),
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("udap")),
    )
}

fn commands(layout: &Layout, current: &Path, program: &Path) -> Vec<String> {
    let udap = &called(program, current);
    let url = &layout.data_holder_url();
    let path = |path: PathBuf| quoted(&near(&path, current).display().to_string());
    // The sandbox of the working directory is found without being named.
    let sandbox = &match layout.dir() == current.join("udap-sandbox") {
        true => String::new(),
        false => format!(" --sandbox {}", path(layout.dir().to_owned())),
    };
    let anchor = path(layout.anchor(Community::One));
    let (revoked, _) = layout.app("revoked");
    let revoked = path(revoked);
    let port = layout.ca_port(Community::One);
    let config = path(layout.data_holder_config());
    vec![
        format!("{udap} discover {url}{sandbox}"),
        format!("{udap} register {url}{sandbox}"),
        format!("{udap} get '{url}/Patient?family=Shaw'{sandbox}"),
        format!(
            "{udap} x509 verify --anchor {anchor} --cert {revoked} --fetch --allow-host localhost:{port} --explain"
        ),
        format!("{udap} doctor --config {config}"),
        format!("{udap} admin apps --config {config}"),
        format!("{udap} audit list --config {config} --limit 10"),
    ]
}

/// As a shell finds this program: by its name where programs are installed, by its path elsewhere.
fn called(program: &Path, current: &Path) -> String {
    const INSTALLED: [&str; 4] = [
        "/usr/bin",
        "/usr/local/bin",
        "/opt/homebrew/bin",
        ".cargo/bin",
    ];
    let directory = program.parent().unwrap_or(Path::new(""));
    if INSTALLED.iter().any(|place| directory.ends_with(place)) {
        return "udap".to_owned();
    }
    let path = near(program, current);
    match path.components().count() {
        // A shell looks for a bare name elsewhere.
        1 => quoted(&format!("./{}", path.display())),
        _ => quoted(&path.display().to_string()),
    }
}

fn near<'a>(path: &'a Path, current: &Path) -> &'a Path {
    match path.strip_prefix(current) {
        Ok(below) if !below.as_os_str().is_empty() => below,
        _ => path,
    }
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,%+".contains(c);
    match text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_copied() {
        let (here, program) = (
            Path::new("/home/a"),
            Path::new("/home/a/target/release/udap"),
        );
        let layout = Layout::new("/home/a/udap-sandbox".into(), 8440);
        assert_eq!(
            commands(&layout, here, program),
            [
                "target/release/udap discover https://localhost:8440/fhir",
                "target/release/udap register https://localhost:8440/fhir",
                "target/release/udap get 'https://localhost:8440/fhir/Patient?family=Shaw'",
                "target/release/udap x509 verify --anchor udap-sandbox/community-1/anchor.pem --cert \
                 udap-sandbox/apps/revoked.pem --fetch --allow-host localhost:8441 --explain",
                "target/release/udap doctor --config udap-sandbox/data-holder/udap.toml",
                "target/release/udap admin apps --config udap-sandbox/data-holder/udap.toml",
                "target/release/udap audit list --config udap-sandbox/data-holder/udap.toml --limit 10",
            ]
        );
        let layout = Layout::new("/tmp/my sandbox".into(), 9000);
        assert_eq!(
            commands(&layout, here, Path::new("/usr/local/bin/udap"))[0],
            "udap discover https://localhost:9000/fhir --sandbox '/tmp/my sandbox'"
        );
        assert_eq!(called(Path::new("/home/a/udap"), here), "./udap");
    }
}
