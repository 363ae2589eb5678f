//! A data holder in two communities, driven in process, and apps that talk to it.

pub(crate) mod bound;
mod jwt;
mod pki;

pub(crate) use jwt::{Jwt, assertion, statement};
pub(crate) use pki::{Community, DAY, Member, MemberBuilder, rsa, sign, signer, world};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tower_service::Service as _;
use udap_host::config::Config;
use udap_host::db::sqlx::{self, Connection as _};
use udap_pki::issue::Profile;
use udap_server::Server;
use udap_testkit::postgres::{self, Postgres};

pub(crate) const BASE: &str = "https://holder.example/fhir";
pub(crate) const REGISTER: &str = "https://holder.example/fhir/oauth/register";
pub(crate) const TOKEN: &str = "https://holder.example/fhir/oauth/token";
pub(crate) const SCOPES: &str = "system/Patient.rs system/Observation.rs";

/// A server on a state directory of its own.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) server: Server,
    pub(crate) config: Arc<Config>,
    directory: Arc<tempfile::TempDir>,
}

impl Holder {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// With further settings for the top of the file.
    pub(crate) async fn with(settings: &str) -> Self {
        let (directory, config) = prepared(settings);
        let server = Server::open(&config).await.unwrap();
        Self {
            server,
            config: Arc::new(config),
            directory: Arc::new(directory),
        }
    }

    /// A server that was opened elsewhere.
    pub(crate) fn of(server: Server, config: Config, directory: tempfile::TempDir) -> Self {
        Self {
            server,
            config: Arc::new(config),
            directory: Arc::new(directory),
        }
    }

    /// With another configuration, made of the usual one's text.
    pub(crate) async fn edited(edit: impl FnOnce(String) -> String) -> Self {
        Self::made(|_, text| edit(text)).await
    }

    /// The same, where files of the directory can be changed before the server starts. The configuration
    /// is a file there.
    pub(crate) async fn made(edit: impl FnOnce(&Path, String) -> String) -> Self {
        let (directory, config) = made(edit);
        let server = Server::open(&config).await.unwrap();
        Self {
            server,
            config: Arc::new(config),
            directory: Arc::new(directory),
        }
    }

    /// With further settings, and another root for the TLS names of those whom it asks, one host among
    /// them.
    pub(crate) async fn asking(
        server: &udap_testkit::TestServer,
        edit: impl FnOnce(String) -> String,
    ) -> Self {
        let root = udap_pki::pem::encode("CERTIFICATE", &server.tls_root());
        let host = server.host();
        Self::made(|directory, text| {
            let roots = directory.join("roots.pem");
            std::fs::write(&roots, root).unwrap();
            edit(text)
                .replacen(
                    "allow_hosts = [",
                    &format!("allow_hosts = [\"{host}\", "),
                    1,
                )
                .replacen("\"a.anchor.pem\"", &format!("\"{}\"", roots.display()), 1)
        })
        .await
    }

    /// Another server on the same directory, with the configuration changed.
    pub(crate) async fn restarted_with(self, edit: impl FnOnce(&mut Config)) -> Self {
        let Self {
            server,
            config,
            directory,
        } = self;
        drop(server);
        let mut config = Arc::unwrap_or_clone(config);
        edit(&mut config);
        let server = Server::open(&config).await.unwrap();
        Self {
            server,
            config: Arc::new(config),
            directory,
        }
    }

    /// Drops the server as a kill would, and opens another one on what it left.
    pub(crate) async fn killed_and_started_again(self) -> Self {
        let Self {
            server,
            config,
            directory,
        } = self;
        drop(server);
        let server = Server::open(&config).await.unwrap();
        Self {
            server,
            config,
            directory,
        }
    }

    /// The same by what `udap.toml` says now.
    pub(crate) async fn killed_and_started_as_configured(mut self) -> Self {
        let path = self.directory.path().join("udap.toml");
        self.config = Arc::new(udap_host::config::load(&path).unwrap());
        self.killed_and_started_again().await
    }

    /// The same where the next server does not start; why.
    pub(crate) async fn killed_and_not_started_again(self) -> &'static str {
        drop(self.server);
        Server::open(&self.config).await.unwrap_err().code()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let mut router = self.server.router();
        let response = router.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send(request(Method::GET, target, &[], "")).await
    }

    /// Registers with a statement and nothing else.
    pub(crate) async fn register(&self, statement: &str) -> Reply {
        let body = serde_json::json!({"software_statement": statement, "udap": "1"});
        self.post_registration(body.to_string()).await
    }

    pub(crate) async fn post_registration(&self, body: impl Into<Body>) -> Reply {
        let kind = [("content-type", "application/json")];
        self.send(request(Method::POST, "/fhir/oauth/register", &kind, body))
            .await
    }

    /// Registers an app as it should; its `client_id`.
    pub(crate) async fn registered(&self, app: &Member) -> String {
        let reply = self.register(&statement(app).sign()).await;
        assert_eq!(reply.status, 201, "{reply}");
        reply.text("client_id")
    }

    /// Asks for a token with an assertion, everything else as it should be.
    pub(crate) async fn token(&self, assertion: &str) -> Reply {
        self.post_form(&form(assertion)).await
    }

    pub(crate) async fn post_form(&self, form: &[(&str, &str)]) -> Reply {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send(request(
            Method::POST,
            "/fhir/oauth/token",
            &kind,
            encoded(form),
        ))
        .await
    }

    /// A connection of its own to the database, as an operator's tool has it.
    pub(crate) async fn database(&self) -> sqlx::AnyConnection {
        sqlx::any::install_default_drivers();
        let url = match &self.config.database {
            Some(secret) => String::from_utf8(secret.read().unwrap().to_vec()).unwrap(),
            None => format!(
                "sqlite://{}",
                self.config.state_dir.join("udap.db").display()
            ),
        };
        sqlx::AnyConnection::connect(&url).await.unwrap()
    }

    /// Whether the state directory holds what makes a JWT one, or any other text.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let end = text.rsplit('.').next().unwrap();
        let part = &end.as_bytes()[..end.len().min(40)];
        let mut files = self.kept().into_iter();
        files.any(|(_, bytes)| bytes.windows(part.len()).any(|window| window == part))
    }

    /// All that is kept, wherever: the files of the state directory, and what a backup of the database
    /// server has.
    pub(crate) fn kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut kept = self.state();
        if self.config.database.is_some() {
            kept.push(("dump".into(), Postgres::shared().dump(&self.name())));
        }
        kept
    }

    /// What a statement at the database server's console gives.
    pub(crate) fn sql(&self, sql: &str) -> String {
        Postgres::shared().sql(&self.name(), sql)
    }

    fn name(&self) -> String {
        let url = self.config.database.as_ref().unwrap().read().unwrap();
        Postgres::name(std::str::from_utf8(&url).unwrap()).to_owned()
    }

    /// The bytes of all files of the state directory, by name.
    pub(crate) fn state(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.config.state_dir.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    files.push((path, bytes));
                }
            }
        }
        files
    }
}

/// Keeps a test's own server from answering while that is set; not for ever, so that a test that fails ends.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests that use it have several threads"
)]
pub(crate) fn hold(set: &AtomicBool) {
    let begun = Instant::now();
    tokio::task::block_in_place(|| {
        while set.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// Tries until it is too much: after `least` that were answered with this status, and `most` at most. A count of the
/// last minute lets some more through where a minute ends meanwhile.
pub(crate) async fn until_too_often(
    expected: u16,
    (least, most): (usize, usize),
    mut attempt: impl AsyncFnMut(usize) -> Reply,
) -> Reply {
    for at in 0..=most {
        let reply = attempt(at).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(at >= least, "after {at}: {reply}");
            return reply;
        }
        assert_eq!(reply.status, expected, "{at}: {reply}");
    }
    panic!("more than {most} were let through");
}

/// The parameters of a good token request.
pub(crate) fn form(assertion: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs"),
        ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
        ("client_assertion", assertion),
        ("udap", "1"),
    ]
}

pub(crate) fn encoded(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

pub(crate) fn request(
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    pub(crate) fn text(&self, member: &str) -> String {
        let json = self.json();
        let text = json.get(member).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no {member}: {self}"))
            .to_owned()
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// `400 invalid_client jwt-replayed`, after looking at what every refusal must be like.
    pub(crate) fn refusal(&self) -> String {
        let json = self.json();
        assert_eq!(
            self.header(header::CONTENT_TYPE),
            "application/json",
            "{self}"
        );
        assert_eq!(self.header(header::CACHE_CONTROL), "no-store", "{self}");
        assert_eq!(self.header(header::PRAGMA), "no-cache", "{self}");
        let description = self.text("error_description");
        let allowed = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        assert!(description.chars().all(allowed), "{self}");
        assert!(
            !description.is_empty() && description.len() < 2000,
            "{self}"
        );
        // What a URL of the sender's led to from here is not the sender's to learn.
        for seen in [
            "not public",
            "answered with status",
            "no connection to",
            "cannot be resolved",
        ] {
            assert!(!description.contains(seen), "{self}");
        }
        assert!(!self.text("udap_hint").is_empty(), "{self}");
        let code = self.text("udap_code");
        assert!(explained(&code), "`{code}` is in no catalogue");
        for member in json.as_object().unwrap().keys() {
            assert!(
                ["error", "error_description", "udap_code", "udap_hint"].contains(&&**member),
                "{self}"
            );
        }
        format!("{} {} {code}", self.status.as_u16(), self.text("error"))
    }
}

pub(crate) fn explained(code: &str) -> bool {
    [
        udap_pki::CATALOGUE,
        udap_proto::CATALOGUE,
        udap_trust::CATALOGUE,
        udap_host::CATALOGUE,
        udap_server::CATALOGUE,
        udap_server::ADMIN_CATALOGUE,
    ]
    .into_iter()
    .flatten()
    .any(|entry| entry.code == code)
}

/// A directory with a configuration and the files that it names.
pub(crate) fn prepared(settings: &str) -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let text = configuration(directory.path(), settings);
    let path = directory.path().join("udap.toml");
    let config = udap_host::config::parse(&path, &text).unwrap();
    (directory, config)
}

/// The same with the usual text edited, written to the directory.
pub(crate) fn made(edit: impl FnOnce(&Path, String) -> String) -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let text = edit(directory.path(), configuration(directory.path(), ""));
    let path = directory.path().join("udap.toml");
    std::fs::write(&path, text).unwrap();
    let config = udap_host::config::load(&path).unwrap();
    (directory, config)
}

/// An identity of the data holder in a community: `NAME.cert.pem` and `NAME.key.pem`.
pub(crate) fn write_identity(
    directory: &Path,
    name: &str,
    member: MemberBuilder<'_>,
    key: usize,
) -> Member {
    let (signer, pem) = rsa(key);
    let member = member.profile(Profile::DataHolder).key(&signer).issue();
    let chain: String = member.chain.iter().map(|c| c.to_pem()).collect();
    write_private(
        &directory.join(format!("{name}.cert.pem")),
        chain.as_bytes(),
    );
    write_private(&directory.join(format!("{name}.key.pem")), pem.as_bytes());
    member
}

/// The usual configuration, and the files that it names.
pub(crate) fn configuration_in(directory: &Path) -> String {
    configuration(directory, "")
}

/// The configuration with its database on a server.
fn on_postgres(directory: &Path, url: &str, text: &str) -> String {
    write_private(&directory.join("database.url"), url.as_bytes());
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    write_private(&directory.join("secrets.key"), key.as_bytes());
    format!("database_file = \"database.url\"\nsecrets_key_file = \"secrets.key\"\n{text}")
}

/// Two servers on one new PostgreSQL database, each with a state directory of its own.
pub(crate) async fn two_nodes() -> [Holder; 2] {
    two_nodes_on(&Postgres::shared().database()).await
}

pub(crate) async fn two_nodes_on(url: &str) -> [Holder; 2] {
    two_nodes_with(url, "").await
}

/// The same with tables added to the configuration.
pub(crate) async fn two_nodes_with(url: &str, tables: &str) -> [Holder; 2] {
    let directory = tempfile::tempdir().unwrap();
    let mut text = configuration(directory.path(), "") + tables;
    if !postgres::wanted() {
        text = on_postgres(directory.path(), url, &text);
    }
    write_private(&directory.path().join("database.url"), url.as_bytes());
    let directory = Arc::new(directory);
    let node = async |state: &str| {
        let text = text.replacen(
            "state_dir = \"state\"",
            &format!("state_dir = \"{state}\""),
            1,
        );
        let path = directory.path().join("udap.toml");
        let config = udap_host::config::parse(&path, &text).unwrap();
        Holder {
            server: Server::open(&config).await.unwrap(),
            config: Arc::new(config),
            directory: Arc::clone(&directory),
        }
    };
    [node("one").await, node("two").await]
}

fn configuration(directory: &Path, settings: &str) -> String {
    let world = world();
    let mut text = format!(
        "base_url = \"{BASE}\"\n\
         tls = \"off\"\n\
         state_dir = \"state\"\n\
         {settings}\n\
         [fetch]\n\
         allow_hosts = [\"{}\"]\n\
         tls_roots = \"a.anchor.pem\"\n",
        world.web
    );
    if postgres::wanted() {
        text = on_postgres(directory, &Postgres::shared().database(), &text);
    }
    if !settings.contains("scopes_supported") {
        let scopes: Vec<_> = SCOPES.split(' ').collect();
        text = format!("scopes_supported = {scopes:?}\n{text}");
    }
    let auditors = world.auditors.root.certificate.to_pem();
    write_private(&directory.join("auditors.pem"), auditors.as_bytes());
    for (at, (name, community)) in [("a", &world.a), ("b", &world.b)].into_iter().enumerate() {
        let (key, key_pem) = rsa(at);
        let identity = community
            .member(&[BASE])
            .profile(Profile::DataHolder)
            .key(&key)
            .issue();
        let chain: String = identity.chain.iter().map(|c| c.to_pem()).collect();
        let write = |file: &str, text: &str| {
            write_private(&directory.join(format!("{name}.{file}")), text.as_bytes());
        };
        write("anchor.pem", &community.root.certificate.to_pem());
        write("cert.pem", &chain);
        write("key.pem", &key_pem);
        text += &format!(
            "[[community]]\n\
             uri = \"{}\"\n\
             anchors = \"{name}.anchor.pem\"\n\
             identity = {{ cert = \"{name}.cert.pem\", key_file = \"{name}.key.pem\" }}\n",
            community.uri
        );
    }
    text
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
