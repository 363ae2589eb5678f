//! What of all the secrets that a run used is found afterwards, in database, files and logs.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::json;
use udap_testkit::postgres::{Fsync, Postgres};
use udap_trust::random;

use crate::nodes::{ASSERTION, App, World, encoded, get, post, ran, raw};

/// Database, files and logs at the level debug, after registration, tokens of both kinds, a FHIR request,
/// introspection, revocation, and what operators and their programs do.
#[test]
fn no_secret_of_a_run_is_found_in_database_files_or_logs() {
    let cluster = Postgres::start(Fsync::Off);
    for kind in ["jwt", "opaque"] {
        secrets(kind, None);
        secrets(kind, Some(&cluster));
    }
}

/// What is looked for, and what it is.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// Of a JWT, the signature is what makes it one.
    fn keep(&mut self, what: &'static str, secret: &str) -> String {
        let part = secret.rsplit('.').next().unwrap();
        self.0.push((what, part.to_owned()));
        secret.to_owned()
    }
}

fn secrets(kind: &str, cluster: Option<&Postgres>) {
    let mut secrets = Secrets::default();
    let database_password = random::id();
    let database = cluster.map(Postgres::database);
    let url = database
        .as_ref()
        .map(|url| format!("{url}&password={database_password}"));
    let world = World::start_with(1, url.as_deref(), |ports| {
        let admin = ports + ADMIN;
        format!("admin_listen = \"127.0.0.1:{admin}\"\naccess_token = \"{kind}\"\n")
    });
    let app = world.member("app", "app", "https://app.example");
    let statement = secrets.keep("a statement", &app.statement());
    let (status, body) = world.register(0, &statement).unwrap();
    assert_eq!(status, 201, "{body}");
    let id = body["client_id"].as_str().unwrap();

    tokens(&world, &app, id, kind, &mut secrets);
    administration(&world, id, &mut secrets);

    // Keys: of the app, of the data holder, of the authority, and the one for secrets.
    let read = |file: &str| fs::read_to_string(world.home.path().join(file)).unwrap();
    for (what, pem) in [
        ("the app's key", app.pem.clone()),
        ("the data holder's key", read("holder.key")),
        ("the issuing CA's key", read("ca/issuing.key")),
    ] {
        secrets.keep(what, pem.lines().nth(1).unwrap());
    }
    secrets.keep("the key for secrets", &read("secrets.key"));
    if cluster.is_some() {
        secrets.keep("the database's password", &database_password);
    }
    world.stop();

    let audit = ran(&world.home, &["audit", "export", "--config", "node0.toml"]);
    let mut places = vec![("the audit export".to_owned(), audit.into_bytes())];
    places.push(("the logs".to_owned(), world.log().into_bytes()));
    let config = ran(&world.home, &["config", "show", "--config", "node0.toml"]);
    places.push(("config show".to_owned(), config.into_bytes()));
    files(&world.home.path().join("state0"), &mut places);
    if let (Some(cluster), Some(url)) = (cluster, &database) {
        places.push(("the dump".to_owned(), cluster.dump(Postgres::name(url))));
    }
    let find = |what: &str| {
        let finder = memchr::memmem::Finder::new(what);
        let found = places
            .iter()
            .find(|(_, bytes)| finder.find(bytes).is_some());
        found.map(|(place, _)| place.as_str())
    };
    for (what, secret) in &secrets.0 {
        assert!(secret.len() >= 12, "{what}");
        assert_eq!(find(secret), None, "{what}");
        // Bytes in a dump are hex.
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(find(&hex), None, "{what}, in hex");
    }
    // This test can see.
    let kept = places
        .iter()
        .filter(|(place, _)| place.contains("dump") || place.contains("udap.db"));
    let holds = |what: &str| {
        let mut places = kept.clone();
        places.any(|(_, bytes)| memchr::memmem::find(bytes, what.as_bytes()).is_some())
    };
    for what in [id, OPERATOR, PROGRAM] {
        assert!(holds(what), "{what} is nowhere");
    }
    assert_eq!(find("token-issued"), Some("the audit export"));
    assert!(world.log().contains("serving"));
}

/// Tokens asked for, refused, used, asked about and ended.
fn tokens(world: &World, app: &App, id: &str, kind: &str, secrets: &mut Secrets) {
    let good = secrets.keep("an assertion", &app.assertion(id, "token"));
    let (status, body) = world.token(0, &good).unwrap();
    assert_eq!(status, 200, "{body}");
    let token = body["access_token"].as_str().unwrap();
    let token = secrets.keep("an access token", token);
    assert_eq!(token.contains('.'), kind == "jwt");
    assert_eq!(world.token(0, &good).unwrap().0, 400);
    let early = app.assertion("nobody", "token");
    let early = secrets.keep("an assertion refused early", &early);
    assert_eq!(world.token(0, &early).unwrap().0, 400);
    let refused = app.sign(json!({"iss": app.uri}));
    let refused = secrets.keep("a statement that was refused", &refused);
    assert_eq!(world.register(0, &refused).unwrap().0, 400);

    // Query strings hold what patients are called; a token there is refused and not written down.
    let name = secrets.keep("what was searched for", "Unverwechselbar");
    let query = format!("/fhir/Patient?family={name}");
    let found = get(world.port(0), &query, &token).unwrap();
    assert_eq!(found.0, 200, "{}", found.1);
    let query = format!("{query}&access_token={token}");
    assert_eq!(get(world.port(0), &query, "").unwrap().0, 400);

    for endpoint in ["introspect", "revoke"] {
        let assertion = secrets.keep("an assertion elsewhere", &app.assertion(id, endpoint));
        let form = encoded(&[
            ("token", &token),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &assertion),
        ]);
        let path = format!("/fhir/oauth/{endpoint}");
        let (status, body) = post(world.port(0), &path, FORM, &form).unwrap();
        assert_eq!(status, 200, "{body}");
        if endpoint == "introspect" {
            assert_eq!(body["active"], true, "{body}");
        }
    }
    let read = get(world.port(0), "/fhir/Patient/1", &token);
    assert_eq!(read.unwrap().0, 401);
}

/// An operator who mistypes, logs in and acts, and a program of theirs.
fn administration(world: &World, id: &str, secrets: &mut Secrets) {
    let config = ["--config", "node0.toml"];
    let password = secrets.keep("an operator's password", &random::id());
    let file = world.home.path().join("password");
    fs::write(&file, &password).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let add = ["admin", "operator", "add", OPERATOR, "--password-file"];
    ran(
        &world.home,
        &[&add[..], &["password"], &config[..]].concat(),
    );
    let create = [
        "admin",
        "token",
        "create",
        PROGRAM,
        "--operator",
        "--out",
        "api.token",
    ];
    ran(&world.home, &[&create[..], &config[..]].concat());
    let token = fs::read_to_string(world.home.path().join("api.token")).unwrap();
    let token = token.trim();
    // What is behind the prefix, which all have.
    secrets.keep("an API token", token.strip_prefix("udap_admin_").unwrap());

    let port = world.home.port_base + ADMIN;
    let send = |path: &str, headers: &str, form: &[(&str, &str)]| {
        let body = encoded(form);
        let method = if form.is_empty() { "GET" } else { "POST" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\norigin: http://holder.example\r\n{headers}\
             content-type: {FORM}\r\ncontent-length: {}\r\n",
            body.len()
        );
        raw(port, &head, &body).unwrap()
    };
    let log_in =
        |name: &str, password: &str| send("/login", "", &[("name", name), ("password", password)]);
    let wrong = secrets.keep("a password that was wrong", &random::id());
    assert_eq!(log_in(OPERATOR, &wrong).0, 401);
    // In the wrong field.
    assert_eq!(log_in(&password, "what is meant to be here").0, 401);
    let (status, head, _) = log_in(OPERATOR, &password);
    assert_eq!(status, 303, "{head}");
    let (_, cookie) = head.split_once("set-cookie: ").unwrap();
    let (cookie, _) = cookie.split_once(';').unwrap();
    let (_, session) = cookie.split_once('=').unwrap();
    secrets.keep("a session", session);
    let cookie = format!("cookie: {cookie}\r\n");
    let (status, _, page) = send("/", &cookie, &[]);
    assert_eq!(status, 200, "{page}");
    let (_, csrf) = page.split_once("name=\"csrf\" value=\"").unwrap();
    let (csrf, _) = csrf.split_once('"').unwrap();
    secrets.keep("what forms of a session carry", csrf);
    let suspend = format!("/apps/{id}/suspend");
    let form = |csrf| [("csrf", csrf), ("reason", "it leaks")];
    assert_eq!(send(&suspend, &cookie, &form("of another")).0, 403);
    let (status, _, page) = send(&suspend, &cookie, &form(csrf));
    assert_eq!(status, 303, "{page}");
    // The session stays, so that there is one in the database.

    let read = get(port, &format!("/api/v1/apps/{id}"), token).unwrap();
    assert_eq!((read.0, &read.1["state"]), (200, &"suspended".into()));
    let bearer = format!("authorization: Bearer {token}\r\n");
    assert_eq!(send("/apps", &bearer, &[]).0, 303, "a token is no session");
    let mistyped = format!("{token}x");
    let path = format!("/api/v1/apps/{id}");
    assert_eq!(get(port, &path, &mistyped).unwrap().0, 401);
}

fn files(directory: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, places);
        } else {
            places.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

const OPERATOR: &str = "ada-of-the-night-shift";
const PROGRAM: &str = "monitoring-of-the-night";
/// The administration's port, of those of a home.
const ADMIN: u16 = 8;
const FORM: &str = "application/x-www-form-urlencoded";
