//! A community in a directory: its authority, a data holder in front of a FHIR server, an app.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use udap_testkit::free_ports;

pub(crate) const COMMUNITY: &str = "https://community.example";
pub(crate) const APP: &str = "https://app.example";

pub(crate) struct Community {
    dir: TempDir,
    running: Vec<Running>,
    pub(crate) base_url: String,
    /// Of the administration.
    pub(crate) admin_url: String,
    ca_host: String,
    host: String,
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| {
            unreachable!("no JSON: {error}\n{self:?}");
        })
    }

    /// The code of the error, as `--json` gives it.
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        json["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `udap` in a directory, with nothing remembered elsewhere.
pub(crate) fn udap(dir: &Path, args: &[&str]) -> Said {
    command(dir).args(args).output().unwrap().into()
}

pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udap"));
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env_remove("XDG_STATE_HOME")
        .env_remove("UDAP_LOG");
    command
}

/// Waits for what another process does soon; whether it did is for the caller to see.
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Community {
    /// Everything up and ready.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same with further settings of the community.
    pub(crate) fn start_with(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ports = free_ports();
        let [server, ca, fhir, admin] = [0, 1, 2, 3].map(|at| ports + at);
        let mut community = Self {
            admin_url: format!("http://127.0.0.1:{admin}"),
            base_url: format!("https://localhost:{server}/fhir"),
            ca_host: format!("localhost:{ca}"),
            host: format!("localhost:{server}"),
            running: Vec::new(),
            dir,
        };
        let ca_url = format!("http://localhost:{ca}");
        community.ok(&[
            "ca",
            "init",
            "--dir",
            "ca",
            "--community",
            COMMUNITY,
            "--base-url",
            &ca_url,
        ]);
        let base_url = community.base_url.clone();
        community.issue("data-holder", &base_url, "server");
        community.issue("app", APP, "app");
        community.tls();
        let config = format!(
            "base_url = \"{base_url}\"\nupstream = \"http://localhost:{fhir}/fhir\"\n\
             listen = \"127.0.0.1:{server}\"\nadmin_listen = \"127.0.0.1:{admin}\"\nworkers = 1\nstate_dir = \"state\"\n\
             tls = {{ cert = \"tls.pem\", key_file = \"tls.key\" }}\n\
             [fetch]\nallow_hosts = [\"{}\"]\n\
             [[community]]\nuri = \"{COMMUNITY}\"\nanchors = \"ca/root.pem\"\n\
             identity = {{ cert = \"server.pem\", key_file = \"server.key\" }}\n{settings}",
            community.ca_host
        );
        std::fs::write(community.path("udap.toml"), &config).unwrap();
        // The server looks at its own configuration while it runs; tests change the other one.
        std::fs::write(community.path("serving.toml"), config).unwrap();
        let listen = format!("127.0.0.1:{ca}");
        community.run(&["ca", "serve", "--dir", "ca", "--listen", &listen], ca);
        let (listen, fhir_url) = (
            format!("127.0.0.1:{fhir}"),
            format!("http://localhost:{fhir}/fhir"),
        );
        community.run(&["actor", "fhir", &listen, &fhir_url], fhir);
        community.run(&["serve", "--config", "serving.toml"], server);
        community
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn ca_host(&self) -> &str {
        &self.ca_host
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn issue(&self, profile: &str, uri: &str, out: &str) {
        self.ok(&[
            "ca",
            "issue",
            "--dir",
            "ca",
            "--profile",
            profile,
            "--name",
            out,
            "--uri",
            uri,
            "--out",
            out,
        ]);
    }

    /// A client command with everything that it needs to know said.
    pub(crate) fn client(&self, args: &[&str]) -> Said {
        self.client_as("app", args)
    }

    pub(crate) fn client_as(&self, app: &str, args: &[&str]) -> Said {
        let (cert, key) = (format!("{app}.pem"), format!("{app}.key"));
        let mut all = args.to_vec();
        all.extend([
            "--community",
            COMMUNITY,
            "--anchor",
            "ca/root.pem",
            "--tls-root",
            "tls-root.pem",
            "--allow-host",
            &self.host,
            "--allow-host",
            &self.ca_host,
            "--cert",
            &cert,
            "--key",
            &key,
        ]);
        udap(self.dir.path(), &all)
    }

    /// A signal to the data holder, which was started last.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.running.last().unwrap().0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Ends the data holder, which was started last.
    pub(crate) fn without_data_holder(&mut self) {
        self.running.pop();
    }

    /// Ends the authority, which was started first.
    pub(crate) fn without_authority(&mut self) {
        self.running.remove(0);
    }

    pub(crate) fn ok(&self, args: &[&str]) -> Said {
        let said = udap(self.dir.path(), args);
        assert_eq!(said.code, 0, "{args:?} {said:?}");
        said
    }

    /// TLS for localhost, by a root that vouches for nothing else. Two authorities of this very
    /// program: the TLS one has no command, so that the files come from the test kit.
    fn tls(&self) {
        let tls = udap_testkit::tls_files();
        for (name, text) in [
            ("tls.pem", &tls.chain_pem),
            ("tls.key", &tls.key_pem),
            ("tls-root.pem", &tls.root_pem),
        ] {
            std::fs::write(self.path(name), text).unwrap();
        }
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        std::fs::set_permissions(self.path("tls.key"), mode).unwrap();
    }

    fn run(&mut self, args: &[&str], port: u16) {
        let log = std::fs::File::create(self.path(&format!("{}.log", args[0]))).unwrap();
        let child = command(self.dir.path())
            .args(args)
            // Kept open: an actor ends when its standard input does.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running.push(Running(child));
        let end = Instant::now() + Duration::from_secs(20);
        while !listens(port) {
            assert!(Instant::now() < end, "{args:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test asks whether its own process on loopback listens"
)]
fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}
