//! What an app remembers between runs: the servers it knows and its registrations. No secrets.
//!
//! One JSON file, readable by its owner only, replaced as a whole, so that a process that is killed
//! leaves the old one or the new one and never half of either.

use crate::discover::Server;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use udap_pki::UnixTime;

/// A registration of one app at one server in one community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The server's FHIR base URL.
    pub base_url: String,
    /// The community.
    pub community: String,
    /// The app's URI.
    pub uri: String,
    /// What the server calls it.
    pub client_id: String,
    /// The scopes that were registered.
    pub scope: String,
    /// When, in seconds since 1970.
    pub registered_at: i64,
}

/// Everything that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Servers whose metadata was verified, to show requests without a connection.
    #[serde(default)]
    pub servers: Vec<Server>,
    /// Registrations, one for each server, community and app.
    #[serde(default)]
    pub registrations: Vec<Registration>,
}

impl State {
    /// The server, if its metadata was verified before; in any community if `community` is `None`
    /// and there is only one.
    #[must_use]
    pub fn server(&self, base_url: &str, community: Option<&str>) -> Option<&Server> {
        let mut found = self.servers.iter().filter(|server| {
            server.base_url == base_url && community.is_none_or(|c| c == server.community)
        });
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The registration of an app at a server.
    #[must_use]
    pub fn registration(&self, server: &Server, uri: &str) -> Option<&Registration> {
        self.registrations.iter().find(|r| {
            r.base_url == server.base_url && r.community == server.community && r.uri == uri
        })
    }

    /// Remembers a server in place of what was known of it. Where questions about tokens go is kept when
    /// this time nobody asked.
    pub fn put_server(&mut self, server: &Server) {
        let mut new = server.clone();
        self.servers.retain(|old| {
            if old.base_url != new.base_url || old.community != new.community {
                return true;
            }
            if old.token_endpoint == new.token_endpoint {
                let known = (&old.introspection_endpoint, &old.revocation_endpoint);
                new.introspection_endpoint = new.introspection_endpoint.take().or(known.0.clone());
                new.revocation_endpoint = new.revocation_endpoint.take().or(known.1.clone());
            }
            false
        });
        self.servers.push(new);
    }

    /// Remembers a registration in place of an earlier one.
    pub fn put_registration(
        &mut self,
        server: &Server,
        uri: &str,
        client_id: &str,
        scope: &str,
        now: UnixTime,
    ) {
        self.remove_registration(server, uri);
        self.registrations.push(Registration {
            base_url: server.base_url.clone(),
            community: server.community.clone(),
            uri: uri.to_owned(),
            client_id: client_id.to_owned(),
            scope: scope.to_owned(),
            registered_at: now.0,
        });
    }

    /// Forgets a registration.
    pub fn remove_registration(&mut self, server: &Server, uri: &str) {
        self.registrations.retain(|r| {
            r.base_url != server.base_url || r.community != server.community || r.uri != uri
        });
    }
}

/// Why the state was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum StateError {
    #[error("{} cannot be {action}: {why}", path.display())]
    Io {
        path: PathBuf,
        action: &'static str,
        why: String,
    },
    #[error("{} is not what this program wrote: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
}

impl StateError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "state-unusable",
            Self::Damaged { .. } => "state-damaged",
        }
    }
}

/// The directory in which the state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// A directory; it is made when something is to be written.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.join("client.json")
    }

    /// What is remembered; nothing if there is no file yet.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn load(&self) -> Result<State, StateError> {
        let path = self.path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
            Err(error) => return Err(failed(&path, "read", &error)),
        };
        serde_json::from_slice(&text).map_err(|error| StateError::Damaged {
            path,
            why: error.to_string(),
        })
    }

    /// Changes what is remembered. Processes that do so at the same time wait for each other.
    ///
    /// # Errors
    /// [`StateError`]; the file is then as it was.
    pub fn update(&self, change: impl FnOnce(&mut State)) -> Result<State, StateError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&self.0)
            .map_err(|error| failed(&self.0, "made", &error))?;
        let lock_path = self.0.join("client.lock");
        let lock = private(&lock_path, OpenOptions::new().create(true).truncate(false))
            .map_err(|error| failed(&lock_path, "written", &error))?;
        lock.lock()
            .map_err(|error| failed(&lock_path, "locked", &error))?;
        let mut state = self.load()?;
        change(&mut state);
        self.replace(&state)
            .map_err(|error| failed(&self.path(), "written", &error))?;
        // The lock ends with its file.
        drop(lock);
        Ok(state)
    }

    fn replace(&self, state: &State) -> io::Result<()> {
        let path = self.path();
        let temporary = self.0.join("client.json.new");
        let mut file = private(&temporary, OpenOptions::new().create(true).truncate(true))?;
        file.write_all(&serde_json::to_vec_pretty(state)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        File::open(&self.0)?.sync_all()
    }
}

fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.write(true).mode(0o600).open(path)
}

fn failed(path: &Path, action: &'static str, error: &io::Error) -> StateError {
    StateError::Io {
        path: path.to_owned(),
        action,
        why: error.to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn server(base_url: &str, community: &str) -> Server {
        Server {
            base_url: base_url.into(),
            community: community.into(),
            registration_endpoint: "https://a.example/register".into(),
            token_endpoint: "https://a.example/token".into(),
            authorization_endpoint: None,
            introspection_endpoint: None,
            revocation_endpoint: None,
            lists: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn it_remembers_by_server_community_and_app() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("udap"));
        assert_eq!(state.load(), Ok(State::default()));
        let (one, two) = (
            server("https://a.example", "c:1"),
            server("https://a.example", "c:2"),
        );
        state
            .update(|s| {
                s.put_server(&one);
                s.put_registration(&one, "app:1", "id-1", "s", UnixTime(1));
                s.put_registration(&one, "app:1", "id-2", "s", UnixTime(2));
                s.put_registration(&two, "app:1", "id-3", "s", UnixTime(3));
            })
            .unwrap();
        let read = state.load().unwrap();
        assert_eq!(read.registration(&one, "app:1").unwrap().client_id, "id-2");
        assert_eq!(read.registration(&two, "app:1").unwrap().client_id, "id-3");
        assert_eq!(read.registration(&one, "app:2"), None);
        assert_eq!(read.server("https://a.example", None), Some(&one));
        assert_eq!(read.server("https://a.example", Some("c:2")), None);
        let mode = std::fs::metadata(state.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        let after = state
            .update(|s| {
                s.put_server(&two);
                s.remove_registration(&one, "app:1");
            })
            .unwrap();
        assert_eq!(after.registration(&one, "app:1"), None);
        assert_eq!(
            after.server("https://a.example", None),
            None,
            "two communities: one has to be named"
        );
    }

    /// What discovery does not look for is not forgotten by it, unless the server has moved.
    #[test]
    fn where_questions_about_tokens_go_is_kept() {
        let mut state = State::default();
        let mut located = server("https://a.example", "c:1");
        located.introspection_endpoint = Some("https://a.example/introspect".into());
        located.revocation_endpoint = Some("https://a.example/revoke".into());
        state.put_server(&located);
        state.put_server(&server("https://a.example", "c:1"));
        assert_eq!(state.servers, [located.clone()]);
        let mut elsewhere = server("https://a.example", "c:1");
        elsewhere.token_endpoint = "https://b.example/token".into();
        state.put_server(&elsewhere);
        assert_eq!(state.servers, [elsewhere]);
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path());
        std::thread::scope(|scope| {
            for i in 0..8 {
                let state = &state;
                scope.spawn(move || {
                    let server = server(&format!("https://{i}.example"), "c:1");
                    state.update(|s| s.put_server(&server)).unwrap();
                });
            }
        });
        assert_eq!(state.load().unwrap().servers.len(), 8);
    }

    #[test]
    fn a_file_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path());
        std::fs::write(state.path(), "junk").unwrap();
        assert_eq!(state.update(|_| ()).unwrap_err().code(), "state-damaged");
        assert_eq!(std::fs::read(state.path()).unwrap(), b"junk");
        let nowhere = StateDir::new(state.path().join("below-a-file"));
        assert_eq!(nowhere.update(|_| ()).unwrap_err().code(), "state-unusable");
    }
}
