//! `udap serve` as it is run: two processes on one PostgreSQL, killed at any moment.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use udap_pki::pem;
use udap_proto::jws::JwsAlg;
use udap_testkit::postgres::{Fsync, Postgres};
use udap_trust::{clock, random, signer::KeySigner};

use crate::program::{Home, kill};

pub(crate) const BASE: &str = "https://holder.example/fhir";
pub(crate) const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A community, its data holder's nodes, and what was answered.
pub(crate) struct World {
    pub(crate) home: Home,
    upstream: u16,
    nodes: Vec<Mutex<Option<Child>>>,
}

/// A member, by its files.
pub(crate) struct App {
    pub(crate) uri: String,
    signer: KeySigner,
    x5c: Vec<String>,
    pub(crate) pem: String,
}

impl World {
    /// So many nodes on a database, if they have one to share.
    fn start(nodes: usize, database: Option<&str>) -> Self {
        Self::start_with(nodes, database, |_| String::new())
    }

    /// The same with further settings, by their first port.
    pub(crate) fn start_with(
        nodes: usize,
        database: Option<&str>,
        settings: impl Fn(u16) -> String,
    ) -> Self {
        let home = Home::new();
        let community = ["--community", "https://community.example"];
        let ca = ["--base-url", "http://ca.community.example", "--dir", "ca"];
        ran(
            &home,
            &[&["ca", "init"][..], &community[..], &ca[..]].concat(),
        );
        let world = Self {
            upstream: upstream(),
            nodes: (0..nodes).map(|_| Mutex::new(None)).collect(),
            home,
        };
        world.member("holder", "data-holder", BASE);
        let private = |name: &str, text: &str| {
            let path = world.home.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        private("secrets.key", &STANDARD.encode(random::bytes::<32>()));
        private("database.url", database.unwrap_or_default());
        for node in 0..nodes {
            let database = database.map_or("", |_| "database_file = \"database.url\"\n");
            let settings = settings(world.home.port_base);
            let text = format!(
                "base_url = \"{BASE}\"\n\
                 upstream = \"http://127.0.0.1:{}/r4\"\n\
                 tls = \"off\"\n\
                 listen = \"127.0.0.1:{}\"\n\
                 state_dir = \"state{node}\"\n\
                 workers = 2\n\
                 {database}{settings}\
                 secrets_key_file = \"secrets.key\"\n\
                 limits = {{ registrations_per_minute = 1000000, refusals_per_minute = 1000000 }}\n\
                 [[community]]\n\
                 uri = \"https://community.example\"\n\
                 anchors = \"ca/root.pem\"\n\
                 revocation = \"off\"\n\
                 identity = {{ cert = \"holder.pem\", key_file = \"holder.key\" }}\n",
                world.upstream,
                world.port(node),
            );
            fs::write(world.home.path().join(format!("node{node}.toml")), text).unwrap();
            world.run(node);
        }
        world
    }

    pub(crate) fn member(&self, name: &str, profile: &str, uri: &str) -> App {
        let args = [
            "--profile",
            profile,
            "--uri",
            uri,
            "--name",
            name,
            "--out",
            name,
        ];
        ran(
            &self.home,
            &[&["ca", "issue", "--dir", "ca"][..], &args[..]].concat(),
        );
        let read = |ending: &str| {
            fs::read_to_string(self.home.path().join(format!("{name}.{ending}"))).unwrap()
        };
        let pem = read("key");
        let chain = pem::certificates(read("pem").as_bytes()).unwrap();
        App {
            uri: uri.to_owned(),
            signer: KeySigner::from_pem(pem.as_bytes()).unwrap(),
            x5c: chain.iter().map(|c| STANDARD.encode(c.der())).collect(),
            pem,
        }
    }

    pub(crate) fn port(&self, node: usize) -> u16 {
        self.home.port_base + u16::try_from(node).unwrap()
    }

    /// Starts a node, and returns when it answers. What it logs is kept.
    fn run(&self, node: usize) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.home.path().join("log"))
            .unwrap();
        let config = format!("node{node}.toml");
        let mut child = self
            .home
            .command(&["actor", "serve", "--config", &config])
            .env("UDAP_LOG", "debug")
            // Ends when this does.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while get(self.port(node), "/healthz", "").is_err() {
            if let Some(ended) = child.try_wait().unwrap() {
                panic!("node {node} ended: {ended}\n{}", self.log());
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
        *self.nodes[node].lock().unwrap() = Some(child);
    }

    fn kill(&self, node: usize) {
        let mut child = self.nodes[node].lock().unwrap().take().unwrap();
        kill(child.id(), "KILL");
        child.wait().unwrap();
    }

    /// Ends all nodes in order.
    pub(crate) fn stop(&self) {
        for node in &self.nodes {
            let mut child = node.lock().unwrap().take().unwrap();
            // Open until it has ended: it ends at once when that does.
            let _stdin = child.stdin.take();
            kill(child.id(), "TERM");
            assert!(child.wait().unwrap().success(), "{}", self.log());
        }
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.path().join("log")).unwrap()).into_owned()
    }

    pub(crate) fn token(
        &self,
        node: usize,
        assertion: &str,
    ) -> Result<(u16, Value), std::io::Error> {
        let form = encoded(&[
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
            ("udap", "1"),
        ]);
        post(
            self.port(node),
            "/fhir/oauth/token",
            "application/x-www-form-urlencoded",
            &form,
        )
    }

    pub(crate) fn register(
        &self,
        node: usize,
        statement: &str,
    ) -> Result<(u16, Value), std::io::Error> {
        let body = json!({ "software_statement": statement, "udap": "1" }).to_string();
        post(
            self.port(node),
            "/fhir/oauth/register",
            "application/json",
            &body,
        )
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for node in &self.nodes {
            if let Some(mut child) = node.lock().unwrap().take() {
                // It may have ended already.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl App {
    pub(crate) fn statement(&self) -> String {
        self.sign(json!({
            "iss": self.uri, "sub": self.uri, "aud": format!("{BASE}/oauth/register"),
            "client_name": "App", "contacts": ["mailto:ops@app.example"],
            "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
            "scope": "system/Patient.rs",
        }))
    }

    pub(crate) fn assertion(&self, client_id: &str, endpoint: &str) -> String {
        self.sign(json!({
            "iss": client_id, "sub": client_id, "aud": format!("{BASE}/oauth/{endpoint}"),
            "extensions": {"hl7-b2b": {
                "version": "1",
                "organization_id": "https://clinic.example/Organization/1",
                "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
            }},
        }))
    }

    pub(crate) fn sign(&self, mut claims: Value) -> String {
        let now = clock::now();
        claims["jti"] = random::id().into();
        claims["iat"] = now.0.into();
        claims["exp"] = now.plus_secs(300).0.into();
        let header = json!({"alg": "ES256", "x5c": self.x5c});
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self
            .signer
            .sign_now(JwsAlg::ES256.scheme(), input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }
}

/// So much is to be answered between the kills.
const TOKENS: usize = 100;
const REGISTERED: usize = 8;

/// While apps register and ask for tokens at both nodes, one or the other is killed, and the database's
/// server too. What was acknowledged is known to both afterwards.
#[test]
fn nodes_and_their_database_are_killed_at_any_moment() {
    let cluster = Postgres::start(Fsync::On);
    let world = Arc::new(World::start(2, Some(&cluster.database())));
    let stop = Arc::new(AtomicBool::new(false));
    // What was accepted: assertions by their apps, and apps with their `client_id`.
    let accepted = Arc::new(Mutex::new(Vec::<String>::new()));
    let registered = Arc::new(Mutex::new(Vec::<(usize, String)>::new()));
    let unanswered = Arc::new(AtomicUsize::new(0));
    let apps: Vec<App> = (0..16)
        .map(|n| {
            world.member(
                &format!("app{n}"),
                "app",
                &format!("https://app{n}.example"),
            )
        })
        .collect();
    let apps = Arc::new(apps);

    let clients: Vec<_> = (0..4_usize)
        .map(|client| {
            let (world, stop, apps) = (Arc::clone(&world), Arc::clone(&stop), Arc::clone(&apps));
            let (accepted, registered) = (Arc::clone(&accepted), Arc::clone(&registered));
            let unanswered = Arc::clone(&unanswered);
            thread::spawn(move || {
                let mut own: Vec<(usize, String)> = Vec::new();
                let mut fresh: Vec<usize> = (client * 4..client * 4 + 4).collect();
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let node = (round + client) % 2;
                    // A new app now and then, and tokens for those that are there.
                    let answer = match (own.is_empty() || round % 40 == 39, fresh.last().copied()) {
                        (true, Some(app)) => {
                            let answer = world.register(node, &apps[app].statement());
                            if let Ok((201 | 200, body)) = &answer {
                                let id = body["client_id"].as_str().unwrap().to_owned();
                                registered.lock().unwrap().push((app, id.clone()));
                                own.push((app, id));
                                fresh.pop();
                            }
                            answer
                        }
                        _ if own.is_empty() => continue,
                        _ => {
                            let (app, id) = &own[round % own.len()];
                            let jwt = apps[*app].assertion(id, "token");
                            let answer = world.token(node, &jwt);
                            if let Ok((200, _)) = &answer {
                                accepted.lock().unwrap().push(jwt);
                            }
                            answer
                        }
                    };
                    match answer {
                        Ok((200 | 201, _)) => {}
                        Ok((503, body)) => {
                            assert_eq!(body["error"], "temporarily_unavailable", "{body}");
                            unanswered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok((status, body)) => panic!("{status} {body}"),
                        Err(_) => {
                            unanswered.fetch_add(1, Ordering::Relaxed);
                            thread::sleep(Duration::from_millis(5));
                        }
                    }
                    // All of it has to be asked once more while it still counts.
                    thread::sleep(Duration::from_millis(20));
                }
            })
        })
        .collect();

    // As many as are asked for below; a machine that has much else to do needs more rounds for them.
    let enough = || {
        accepted.lock().unwrap().len() >= TOKENS && registered.lock().unwrap().len() >= REGISTERED
    };
    let begun = Instant::now();
    for round in 0_u64.. {
        if round >= 10 && (enough() || begun.elapsed() > Duration::from_secs(60)) {
            break;
        }
        // The moment differs from round to round.
        thread::sleep(Duration::from_millis(
            200 + u64::from(u16::from_be_bytes(random::bytes())) % 500,
        ));
        if round % 5 == 3 {
            cluster.kill();
            thread::sleep(Duration::from_millis(150 * (round % 3)));
            cluster.run();
        } else {
            let node = usize::try_from(round % 2).unwrap();
            world.kill(node);
            world.run(node);
        }
    }
    // One of them never saw the others' last moments.
    world.kill(0);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    world.run(0);

    let accepted = accepted.lock().unwrap();
    let registered = registered.lock().unwrap();
    assert!(
        accepted.len() >= TOKENS,
        "only {} tokens were issued",
        accepted.len()
    );
    assert!(
        registered.len() >= REGISTERED,
        "only {} apps registered",
        registered.len()
    );
    assert!(unanswered.load(Ordering::Relaxed) > 0, "no kill was felt");
    let ids: BTreeSet<_> = registered.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), registered.len());
    for node in 0..2 {
        for (app, id) in registered.iter() {
            let (status, body) = world
                .token(node, &apps[*app].assertion(id, "token"))
                .unwrap();
            assert_eq!(status, 200, "{id} at node {node}: {body}");
        }
        for jwt in accepted.iter() {
            let (status, body) = world.token(node, jwt).unwrap();
            assert_eq!(
                (status, &body["udap_code"]),
                (400, &"jwt-replayed".into()),
                "{body}"
            );
        }
    }
    world.stop();
}

pub(crate) fn ran(home: &Home, args: &[&str]) -> String {
    let ran = home.run(args);
    assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    ran.out
}

/// A FHIR server that knows one answer, as long as the test runs.
fn upstream() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                request.push(byte[0]);
            }
            let body = r#"{"resourceType":"Bundle","type":"searchset","entry":[]}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            // The gateway may have gone.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

pub(crate) fn encoded(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

pub(crate) fn get(port: u16, target: &str, token: &str) -> Result<(u16, Value), std::io::Error> {
    let authorization = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    exchange(
        port,
        &format!("GET {target} HTTP/1.1\r\n{authorization}"),
        "",
    )
}

pub(crate) fn post(
    port: u16,
    path: &str,
    kind: &str,
    body: &str,
) -> Result<(u16, Value), std::io::Error> {
    let head = format!(
        "POST {path} HTTP/1.1\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n",
        body.len()
    );
    exchange(port, &head, body)
}

/// One request on a connection of its own; an answer that is not whole is none.
fn exchange(port: u16, head: &str, body: &str) -> Result<(u16, Value), std::io::Error> {
    let (status, _, body) = raw(port, head, body)?;
    Ok((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
}

/// The same with all of the answer: status, head and body.
#[expect(
    clippy::disallowed_methods,
    reason = "the client of a test, to a server of this test"
)]
pub(crate) fn raw(
    port: u16,
    head: &str,
    body: &str,
) -> Result<(u16, String, String), std::io::Error> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let host = "host: holder.example\r\naccept: application/json\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{head}{host}{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let broken = || std::io::Error::other("an answer that is not whole");
    let text = String::from_utf8(answer).map_err(|_| broken())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head
        .get(9..12)
        .and_then(|s| s.parse().ok())
        .ok_or_else(broken)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    if length.is_some_and(|length| length != body.len()) {
        return Err(broken());
    }
    Ok((status, head.to_owned(), body.to_owned()))
}
