//! A server takes all the file descriptors that it may have, and no more connections than they are enough for.

use crate::community::{COMMUNITY, udap};
use std::io::BufRead as _;
use std::process::{Command, Stdio};

#[test]
fn a_server_raises_its_limit_and_says_what_that_is_enough_for() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let base = ["--base-url", "http://ca.community.example"];
    let init = ["ca", "init", "--dir", "ca", "--community", COMMUNITY];
    assert_eq!(udap(dir, &[&init[..], &base].concat()).code, 0);
    let mut server = Command::new("sh")
        .current_dir(dir)
        .args([
            "-c",
            "ulimit -S -n 100; ulimit -H -n 600; exec \"$0\" ca serve --dir ca --listen 127.0.0.1:0",
        ])
        .arg(env!("CARGO_BIN_EXE_udap"))
        .env_remove("UDAP_LOG")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = std::io::BufReader::new(server.stderr.take().unwrap());
    let mut said = String::new();
    for line in log.lines() {
        said.push_str(&line.unwrap());
        said.push('\n');
        if said.contains("publishing") {
            break;
        }
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id()));
    server.kill().unwrap();
    server.wait().unwrap();
    let limits = limits.unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = files.unwrap().split_whitespace().collect();
    assert_eq!(words[3..5], ["600", "600"], "{said}");
    let warning = said
        .lines()
        .find(|line| line.contains("too few file descriptors"));
    assert!(warning.unwrap().contains("300"), "{said}");
}
