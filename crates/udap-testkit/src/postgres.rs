//! PostgreSQL for tests: a cluster of this process's own, a database for each test, and nothing left
//! when the process ends, however it ends.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};
use udap_trust::random;

/// Whether the suite is to run on PostgreSQL: `UDAP_TEST_DATABASE=postgres`.
#[must_use]
pub fn wanted() -> bool {
    std::env::var("UDAP_TEST_DATABASE").is_ok_and(|wanted| wanted == "postgres")
}

/// A cluster, reached by a socket in its directory.
#[derive(Debug)]
pub struct Postgres {
    directory: PathBuf,
    programs: PathBuf,
    /// Who runs it, if not we: PostgreSQL refuses root.
    user: Option<(u32, u32)>,
    settings: String,
    databases: AtomicU32,
    /// Ends what is left when its standard input does, which is when this is dropped or the process
    /// ends, be it by a kill -9.
    watchdog: Mutex<Child>,
}

/// What becomes of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Writes are not forced to the disk: quick.
    Off,
    /// They are, as where it counts.
    On,
}

impl Postgres {
    /// The cluster of this test process, made when it is first asked for.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(Fsync::Off));
        &SHARED
    }

    /// A cluster of its own, which may be killed.
    #[must_use]
    pub fn start(fsync: Fsync) -> Self {
        let programs = programs();
        let directory = std::env::temp_dir().join(format!("udap-pg-{}", random::id()));
        std::fs::create_dir(&directory).unwrap();
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&directory, mode).unwrap();
        let user = other_than_root(&directory);
        if let Some((user, group)) = user {
            chown(&directory, Some(user), Some(group)).unwrap();
        }
        let mut settings = format!(
            "-k {} -c listen_addresses= -c max_connections=1500 -c shared_buffers=32MB",
            directory.display()
        );
        if fsync == Fsync::Off {
            settings += " -c fsync=off -c full_page_writes=off";
        }
        let mut watchdog = Command::new("sh");
        watchdog
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let watchdog = run_as(&mut watchdog, user).spawn().unwrap();
        let cluster = Self {
            directory,
            programs,
            user,
            settings,
            databases: AtomicU32::new(0),
            watchdog: Mutex::new(watchdog),
        };
        let data = cluster.data();
        let made = cluster
            .program("initdb")
            .args([
                "-N",
                "-A",
                "trust",
                "-U",
                USER,
                "-E",
                "UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        cluster.run();
        cluster
    }

    /// Starts the server again, and returns when it answers.
    pub fn run(&self) {
        let begun = Instant::now();
        // What a kill left of the last one ends on its own, and must have.
        loop {
            let started = self
                .program("pg_ctl")
                .args(["start", "-w", "-t", "60", "-D"])
                .arg(self.data())
                .arg("-l")
                .arg(self.directory.join("log"))
                .args(["-o", &self.settings])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            if started.status.success() {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "PostgreSQL does not start: {}",
                std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Makes the server, which must be stopped, a standby, as one is that was put out of service.
    pub fn demote(&self) {
        let file = self.data().join("standby.signal");
        std::fs::write(&file, b"").unwrap();
        if let Some((user, group)) = self.user {
            chown(&file, Some(user), Some(group)).unwrap();
        }
    }

    /// Makes a standby that runs take writes.
    pub fn promote(&self) {
        let promoted = self
            .program("pg_ctl")
            .args(["promote", "-w", "-D"])
            .arg(self.data())
            .output()
            .unwrap();
        assert!(promoted.status.success());
    }

    /// Ends the server at once, as a crash of it would. The processes of its connections see that and end
    /// as well; until the last one has, it may answer one more statement, so that is waited for.
    pub fn kill(&self) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let process = file.lines().next().unwrap();
        let children = children(process);
        let killed = Command::new("kill").args(["-9", process]).status().unwrap();
        assert!(killed.success());
        let begun = Instant::now();
        while children.iter().any(|child| lives(child)) {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the server in an orderly way, connections included.
    pub fn stop(&self) {
        let stopped = self
            .program("pg_ctl")
            .args(["stop", "-w", "-m", "fast", "-D"])
            .arg(self.data())
            .output()
            .unwrap();
        assert!(
            stopped.status.success(),
            "{}",
            String::from_utf8_lossy(&stopped.stderr)
        );
    }

    /// A new, empty database, by its URL.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        );
        self.url(&name)
    }

    /// The URL of a database of this cluster.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!(
            "postgres:///{name}?host={}&user={USER}",
            self.directory.display()
        )
    }

    /// Runs a statement as the owner of everything; what it gives, a line for each row.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let done = self
            .program("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                USER,
                "-h",
            ])
            .arg(&self.directory)
            .args(["-d", database, "-c", sql])
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap()
    }

    /// Everything that a database holds, as a backup has it.
    #[must_use]
    pub fn dump(&self, database: &str) -> Vec<u8> {
        let dump = self
            .program("pg_dump")
            .args(["-U", USER, "-h"])
            .arg(&self.directory)
            .arg(database)
            .output()
            .unwrap();
        assert!(
            dump.status.success(),
            "{}",
            String::from_utf8_lossy(&dump.stderr)
        );
        dump.stdout
    }

    /// The name of a database of this cluster in a URL of [`Self::database`].
    #[must_use]
    pub fn name(url: &str) -> &str {
        let path = url.strip_prefix("postgres:///").unwrap();
        path.split('?').next().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(&self.directory);
        run_as(&mut command, self.user);
        command
    }
}

/// The state and the parent of a process, where the system tells.
fn process(id: &str) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind its name, which is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
}

fn children(of: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().into_string().ok());
    ids.filter(|id| process(id).is_some_and(|(_, parent)| parent == of))
        .collect()
}

/// One that has ended and that nobody has asked about is a zombie.
fn lives(id: &str) -> bool {
    process(id).is_some_and(|(state, _)| state != "Z")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let watchdog = self.watchdog.get_mut().unwrap();
        drop(watchdog.stdin.take());
        let _ = watchdog.wait();
    }
}

fn run_as(command: &mut Command, user: Option<(u32, u32)>) -> &mut Command {
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// User and group for the cluster, if we are root, whom it refuses.
fn other_than_root(directory: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata(directory).unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let named = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(named("postgres").or_else(|| named("nobody")).unwrap())
}

/// Where PostgreSQL's programs are: in PATH, or where Debian puts them.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> = versions
            .filter_map(|v| Some(v.ok()?.path().join("bin")))
            .collect();
        versions.sort();
        found.extend(versions.into_iter().rev());
    }
    let all = ["initdb", "postgres", "pg_ctl", "pg_dump", "psql"];
    let found = found
        .into_iter()
        .find(|path| all.iter().all(|program| path.join(program).is_file()));
    found.expect("PostgreSQL is not installed; `./check tools` does that")
}

const USER: &str = "udap";

const WATCHDOG: &str = r#"
read -r _
if [ -f "$1/data/postmaster.pid" ]; then
  process=$(head -n 1 "$1/data/postmaster.pid")
  kill -QUIT "$process"
  for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$process" && sleep 0.1; done
fi
cd / && rm -rf "$1"
"#;
