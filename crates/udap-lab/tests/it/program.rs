//! The program as people run it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use udap_testkit::free_ports;

/// A directory with the program in it, whose processes can be told from all others.
pub(crate) struct Home {
    dir: tempfile::TempDir,
    pub(crate) port_base: u16,
}

/// What a run printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Each line of JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
            .collect()
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("udap");
        if fs::hard_link(&*PROGRAM, &program).is_err() {
            fs::copy(&*PROGRAM, &program).unwrap();
        }
        Self {
            dir,
            port_base: free_ports(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path().join("udap"));
        command
            .args(args)
            .current_dir(self.path())
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `udap dev` in this directory, at this home's ports.
    pub(crate) fn dev(&self, more: &[&str]) -> Ran {
        let port_base = self.port_base.to_string();
        self.run(&[&["dev", "--port-base", &port_base], more].concat())
    }

    /// The same, left to run.
    pub(crate) fn start(&self, more: &[&str]) -> Running {
        let port_base = self.port_base.to_string();
        let args = [&["dev", "--json", "--port-base", &port_base], more].concat();
        let mut child = self.command(&args).spawn().unwrap();
        Running {
            out: BufReader::new(child.stdout.take().unwrap()),
            err: child.stderr.take().unwrap(),
            child,
        }
    }

    /// Ids and arguments of this home's processes that are running.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let program = self.path().join("udap");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(pid) = name.parse() else { continue };
            if fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program) {
                let args = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&args).replace('\0', " ")));
            }
        }
        found
    }

    /// Fails if a process is left once all had time to end.
    pub(crate) fn require_nothing_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while !self.processes().is_empty() {
            assert!(Instant::now() < deadline, "left: {:?}", self.processes());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// `udap dev`, running.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: BufReader<ChildStdout>,
    err: ChildStderr,
}

impl Running {
    /// The next line of JSON; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.out.read_line(&mut line).unwrap() {
            0 => None,
            _ => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    /// Reads on until everything is up; where that is, and what to try.
    pub(crate) fn until_up(&mut self) -> Value {
        loop {
            let Some(step) = self.next() else {
                let mut err = String::new();
                std::io::Read::read_to_string(&mut self.err, &mut err).unwrap();
                panic!("it ended before it was up: {err}");
            };
            assert_ne!(step["ok"], false, "{step}");
            if step["step"] == "all" {
                return step["detail"].clone();
            }
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(self.child.id(), signal);
    }

    /// The rest of the output and the exit code.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<Value>) {
        let mut lines = Vec::new();
        while let Some(line) = self.next() {
            lines.push(line);
        }
        (self.child.wait().unwrap().code(), lines)
    }
}

/// A test that fails leaves nothing running: the actors see that it is gone.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal; the process may be gone already.
pub(crate) fn kill(pid: u32, signal: &str) {
    let pid = pid.to_string();
    let sent = Command::new("kill")
        .args(["-s", signal, &pid])
        .stderr(Stdio::null())
        .status();
    sent.unwrap();
}

/// Built for these tests if it is not there or older than its sources.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    let profile_dir = test.parent().unwrap().parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "-p", "udap", "--target-dir"])
        .arg(profile_dir.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile_dir.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(
        cargo.status().unwrap().success(),
        "the program does not build"
    );
    profile_dir.join("udap")
});
