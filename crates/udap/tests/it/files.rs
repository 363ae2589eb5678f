//! Files that are written whole or not at all, and what was made for one that could not be written.

use crate::community::{APP, COMMUNITY, Said, command, udap};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// An authority under a passphrase.
fn authority(dir: &Path) {
    write_private(&dir.join("passphrase"), true);
    let base = ["--base-url", "http://ca.community.example"];
    let init = ["ca", "init", "--dir", "ca", "--community", COMMUNITY];
    let under = ["--passphrase-file", "passphrase"];
    let said = udap(dir, &[&init[..], &base, &under].concat());
    assert_eq!(said.code, 0, "{said:?}");
}

/// The passphrase, in a file or through a pipe.
fn write_private(path: &Path, create: bool) {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(create).mode(0o600).open(path);
    file.unwrap()
        .write_all(b"a sentence that nobody guesses\n")
        .unwrap();
}

fn issue(uri: &'static str, out: &'static str) -> Vec<&'static str> {
    let args = ["ca", "issue", "--dir", "ca", "--json", "--profile", "app"];
    [&args[..], &["--name", "A", "--uri", uri, "--out", out]].concat()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// The command asks for the passphrase through a pipe, after it looked at where it is to write. Meanwhile
/// somebody else writes there.
fn overtaken(dir: &Path, args: &[&str], path: &str) -> Said {
    let pipe = dir.join("pipe");
    let mut mkfifo = Command::new("mkfifo");
    let made = mkfifo.args(["-m", "600"]).arg(&pipe).status();
    assert!(made.unwrap().success());
    let mut running = command(dir);
    running.args(args).args(["--passphrase-file", "pipe"]);
    let running = running.stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = running.spawn().unwrap();
    let mut options = std::fs::OpenOptions::new();
    // Until it is read.
    let mut writer = options.write(true).open(&pipe).unwrap();
    std::fs::write(dir.join(path), "somebody else's").unwrap();
    writer
        .write_all(b"a sentence that nobody guesses\n")
        .unwrap();
    drop(writer);
    let said = running.wait_with_output().unwrap().into();
    std::fs::remove_file(pipe).unwrap();
    let kept = std::fs::read_to_string(dir.join(path)).unwrap();
    assert_eq!(kept, "somebody else's");
    std::fs::remove_file(dir.join(path)).unwrap();
    said
}

#[test]
fn what_was_issued_and_could_not_be_written_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    authority(dir);
    let under =
        |args: &[&'static str]| udap(dir, &[args, &["--passphrase-file", "passphrase"]].concat());
    let listed = || under(&["ca", "list", "--dir", "ca", "--json"]).json()["certificates"].clone();

    let own = listed().as_array().unwrap().len();

    // What can be known before is known before.
    let nowhere = under(&issue(APP, "nowhere/app"));
    assert_eq!(
        (nowhere.code, nowhere.error().as_str()),
        (2, "file-unusable")
    );
    assert_eq!(listed().as_array().unwrap().len(), own);

    let before = names(dir);
    for (count, path) in [(1, "app.pem"), (2, "app.key")] {
        let lost = overtaken(dir, &issue(APP, "app"), path);
        assert_eq!((lost.code, lost.error().as_str()), (1, "certificate-lost"));
        assert_eq!(names(dir), before, "nothing is left");
        let all = listed();
        assert_eq!(all.as_array().unwrap().len(), own + count);
        let error = lost.json()["error"].clone();
        let told = |serial: &str| {
            error["message"].as_str().unwrap().contains(serial)
                && error["hint"]
                    .as_str()
                    .unwrap()
                    .contains(&format!("udap ca revoke {serial} --dir ca"))
        };
        let mut serials = all
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["serial"].as_str().unwrap());
        assert!(serials.any(told), "{lost:?}");
    }

    assert_eq!(under(&issue(COMMUNITY, "community")).code, 0);
    let bundle = [
        "ca",
        "bundle",
        "--dir",
        "ca",
        "--json",
        "--cert",
        "community.pem",
    ];
    let bundle = [
        &bundle[..],
        &["--key", "community.key", "--out", "bundle.jwt"],
    ]
    .concat();
    let before = names(dir);
    let lost = overtaken(dir, &bundle, "bundle.jwt");
    assert_eq!((lost.code, lost.error().as_str()), (1, "bundle-file-lost"));
    let message = lost.json()["error"]["message"].to_string();
    assert!(message.contains("bundle 1 is published"), "{message}");
    assert_eq!(names(dir), before);
    let second = under(&bundle);
    assert_eq!(second.json()["sequence"], 2, "{second:?}");
    assert_eq!(
        std::fs::read_to_string(dir.join("bundle.jwt")).unwrap(),
        second.json()["bundle"]
    );
}

/// A limit of a file's size does what a full disk does.
#[test]
fn half_a_file_is_not_left() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    authority(dir);
    let under = ["--passphrase-file", "passphrase"];
    let said = udap(dir, &[&issue(APP, "app")[..], &under].concat());
    assert_eq!(said.code, 0, "{said:?}");
    std::fs::write(dir.join("answers.toml"), crate::certify::ANSWERS).unwrap();
    let before = names(dir);
    let output = Command::new("sh")
        .current_dir(dir)
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 1; exec \"$0\" certify --self --json --cert app.pem --key app.key \
             --definition privacy-disclosure --details answers.toml --out privacy.jwt",
        ])
        .arg(env!("CARGO_BIN_EXE_udap"))
        .output();
    let said = Said::from(output.unwrap());
    assert_eq!((said.code, said.error().as_str()), (2, "file-unusable"));
    assert!(said.out.contains("cannot be written"), "{said:?}");
    assert_eq!(names(dir), before);
}
