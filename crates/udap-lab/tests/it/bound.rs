//! A data holder as `udap serve` runs it, over TLS: bound and opaque tokens, and members that their
//! certificate tells, at the port that asks for one and at the port that does not.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use udap_ca::{Ca, Hierarchy, InitOptions, IssueOptions, Issued};
use udap_gateway::{Gateway, GatewayConfig, TokenKeys};
use udap_host::{
    config,
    listen::{self, Issuers, Listen, Running, Shutdown},
    token_status::TokenStatus,
};
use udap_lab::fhir::{self, BENCH_PATIENT};
use udap_pki::issue::{Profile, RevocationReason};
use udap_proto::{
    jwk::Jwk,
    jws::{JwsAlg, Unsigned},
    registration::{Authentication, Method},
    scope::ScopeSet,
    statement,
};
use udap_server::Server;
use udap_testkit::free_ports;
use udap_trust::{
    clock, random,
    signer::{KeySigner, Signer as _},
};

const COMMUNITY: &str = "https://bound.community.example";

struct World {
    ca: Arc<Ca>,
    tls_root: CertificateDer<'static>,
    server: Server,
    /// Where nobody is asked for a certificate, and where everybody is.
    main: u16,
    certified: u16,
    _running: Vec<Running>,
    _directory: tempfile::TempDir,
}

fn plain(port: u16) -> Listen {
    Listen::plain(([127, 0, 0, 1], port).into())
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let ports = free_ports();
        let [main, certified, ca_port, fhir_port] = [0, 1, 2, 3].map(|at| ports + at);
        let hierarchy = Hierarchy::Community {
            uri: COMMUNITY.to_owned(),
            base_url: format!("http://localhost:{ca_port}"),
        };
        let ca = Ca::init(&path("ca"), InitOptions::new(hierarchy)).await;
        let ca = Arc::new(ca.unwrap());
        let web = InitOptions::new(Hierarchy::TlsServers);
        let web = Ca::init(&path("web"), web).await.unwrap();
        let write = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::write(path(name), text).unwrap();
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(path(name), private).unwrap();
        };
        let keep = |name: &str, issued: &Issued| {
            write(&format!("{name}.pem"), &issued.chain_pem());
            write(&format!("{name}.key"), &issued.key_pem().unwrap());
        };
        let base = format!("https://localhost:{main}/fhir");
        let options = IssueOptions::new(Profile::TlsServer, "localhost").dns("localhost");
        keep("tls", &web.issue(options).await.unwrap());
        let options = IssueOptions::new(Profile::DataHolder, "Holder").uri(&base);
        keep("holder", &ca.issue(options).await.unwrap());
        write("anchor.pem", &ca.root_certificate().to_pem());
        let demands_nothing =
            "profile = \"ssraa-2.0\"\n[extensions.hl7-b2b]\nuse = \"supported\"\n";
        write("community.toml", demands_nothing);
        let upstream = format!("http://localhost:{fhir_port}/fhir");
        let text = format!(
            r#"
            base_url = "{base}"
            upstream = "{upstream}"
            tls = {{ cert = "tls.pem", key_file = "tls.key" }}
            listen = "127.0.0.1:{main}"
            access_token = "opaque"
            mtls_listen = "127.0.0.1:{certified}"
            [fetch]
            allow_hosts = ["localhost:{ca_port}"]
            [[community]]
            uri = "{COMMUNITY}"
            definition = "community.toml"
            anchors = "anchor.pem"
            identity = {{ cert = "holder.pem", key_file = "holder.key" }}
            tls_client_auth = true
            certificate_access = true
            dpop = "supported"
            "#
        );
        let config = config::parse(&path("udap.toml"), &text).unwrap();
        let publishing = Arc::clone(&ca);
        let mut running = vec![
            listen::spawn(plain(ca_port), move || {
                udap_ca::router(Arc::clone(&publishing))
            })
            .unwrap(),
        ];
        let store = url::Url::parse(&upstream).unwrap();
        running.push(listen::spawn(plain(fhir_port), move || fhir::router(&store)).unwrap());

        let server = Server::open(&config).await.unwrap();
        let keys = Arc::new(TokenKeys::new((*server.keys()).clone()));
        let port = config.mutual_tls.clone().unwrap();
        let gateway = |address: String| {
            let mut settings = GatewayConfig::new(&base, &upstream);
            settings.base_url = address;
            settings.dpop = Some(server.dpop());
            Gateway::new(
                settings,
                Arc::clone(&keys),
                Arc::new(server.clone()) as Arc<dyn TokenStatus>,
                server.audit().clone(),
                Arc::new(clock::now),
            )
            .unwrap()
        };
        let members = server.clone();
        let issuers = Issuers::new(move || members.issuers());
        let listens = [
            (config.listen(), gateway(base.clone())),
            (
                config.mutual_tls_listen(issuers).unwrap(),
                gateway(port.address_of(&base)),
            ),
        ];
        for (listen, gateway) in listens {
            let server = server.clone();
            let routes = move || server.router().merge(gateway.router());
            running.push(listen::start(listen, 1, routes, Shutdown::new()).unwrap());
        }
        Self {
            ca,
            tls_root: web.root_certificate().der().to_vec().into(),
            server,
            main,
            certified,
            _running: running,
            _directory: directory,
        }
    }

    async fn app(&self, uri: &str) -> Issued {
        let options = IssueOptions::new(Profile::App, "App").uri(uri);
        self.ca.issue(options).await.unwrap()
    }

    /// Registers an app; its `client_id`.
    async fn register(&self, app: &Issued, method: Method) -> String {
        let scope = ScopeSet::parse("system/*.rs");
        let mut metadata =
            udap_client::client_credentials("App", &scope, &["mailto:a@app.example"]);
        metadata.authentication = Authentication {
            method,
            ..Authentication::default()
        };
        let endpoint = format!("https://localhost:{}/fhir/oauth/register", self.main);
        let uri = &app.certificate.uri_names()[0];
        let unsigned = statement::unsigned(
            JwsAlg::ES256,
            &app.chain,
            uri,
            &endpoint,
            clock::now(),
            &random::id(),
            &metadata.to_params(),
        );
        let statement = sign(&signer(app), unsigned);
        let body = json!({"software_statement": statement, "udap": "1"}).to_string();
        let mut link = self.link(self.main, None, "http/1.1").await;
        let json = [("content-type", "application/json")];
        let answer = link.send("POST", "/fhir/oauth/register", &json, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["client_id"].as_str().unwrap().to_owned()
    }

    /// A connection to one of the ports, by a client with this certificate.
    async fn link(&self, port: u16, app: Option<&Issued>, alpn: &str) -> Link {
        let mut roots = RootCertStore::empty();
        roots.add(self.tls_root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match app {
            None => builder.with_no_client_auth(),
            Some(app) => {
                let chain = app.chain.iter().map(|c| c.der().to_vec().into()).collect();
                let key = PrivateKeyDer::try_from(app.key.as_ref().unwrap().to_vec()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(
            stream.get_ref().1.handshake_kind(),
            Some(HandshakeKind::Full)
        );
        let io = TokioIo::new(stream);
        let sender = if alpn == "h2" {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            Sender::One(sender)
        };
        Link { sender, port }
    }
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// A connection that stays open.
struct Link {
    sender: Sender,
    port: u16,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// The status, and the stable code if there is one.
    fn told(&self) -> (u16, &str) {
        let code = self.body["issue"][0]["details"]["coding"][0]["code"].as_str();
        let code = code.or_else(|| self.body["udap_code"].as_str());
        (self.status.as_u16(), code.unwrap_or_default())
    }
}

impl Link {
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let authority = format!("localhost:{}", self.port);
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::from(body));
        let response = match &mut self.sender {
            Sender::One(sender) => {
                let request = request.uri(path).header("host", authority);
                sender.ready().await.unwrap();
                sender.send_request(request.body(body).unwrap()).await
            }
            Sender::Two(sender) => {
                let request = request.uri(format!("https://{authority}{path}"));
                sender.send_request(request.body(body).unwrap()).await
            }
        };
        let (head, body) = response.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    async fn read(&mut self, headers: &[(&str, &str)]) -> Answer {
        let path = format!("/fhir/Patient/{BENCH_PATIENT}");
        self.send("GET", &path, headers, String::new()).await
    }

    async fn token(&mut self, id: &str, headers: &[(&str, &str)]) -> Answer {
        let form =
            format!("grant_type=client_credentials&scope=system%2F*.rs&udap=1&client_id={id}");
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send("POST", "/fhir/oauth/token", &all, form).await
    }
}

fn signer(app: &Issued) -> KeySigner {
    KeySigner::from_pkcs8(app.key.as_ref().unwrap()).unwrap()
}

fn sign(signer: &KeySigner, unsigned: Unsigned) -> String {
    let scheme = JwsAlg::ES256.scheme();
    let signature = signer.sign_now(scheme, unsigned.signing_input()).unwrap();
    unsigned.with_signature(&signature)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_token_serves_over_the_connection_of_its_certificate_and_nowhere_else() {
    let world = World::new().await;
    let app = world.app("https://app.example").await;
    let id = world.register(&app, Method::TlsClientAuth).await;
    for alpn in ["http/1.1", "h2"] {
        let mut own = world.link(world.certified, Some(&app), alpn).await;
        let issued = own.token(&id, &[]).await;
        assert_eq!(issued.status, 200, "{issued:?}");
        let token = issued.body["access_token"].as_str().unwrap();
        assert_eq!(token.len(), 43, "opaque");
        let bearer = format!("Bearer {token}");
        let bearer = [("authorization", bearer.as_str())];
        let read = own.read(&bearer).await;
        assert_eq!(read.status, 200, "{alpn}: {read:?}");
        // Links lead back to where the token serves.
        let search = "/fhir/Patient?_count=1";
        let found = own.send("GET", search, &bearer, String::new()).await;
        let link = found.body["link"][0]["url"].as_str().unwrap();
        let here = format!("https://localhost:{}/fhir/", world.certified);
        assert!(link.starts_with(&here), "{link}");

        // Without it, with another of the same app, and where nobody is asked.
        let renewed = world.app("https://app.example").await;
        let mut other = world.link(world.certified, Some(&renewed), alpn).await;
        let refused = other.read(&bearer).await;
        assert_eq!(refused.told(), (403, "token-certificate-mismatch"));
        let mut none = world.link(world.certified, None, alpn).await;
        assert_eq!(
            none.read(&bearer).await.told(),
            (403, "token-bound-to-certificate")
        );
        let mut main = world.link(world.main, Some(&app), alpn).await;
        assert_eq!(
            main.read(&bearer).await.told(),
            (403, "token-bound-to-certificate")
        );
        let header = base64::engine::general_purpose::STANDARD.encode(app.certificate.der());
        let header = format!(":{header}:");
        let smuggled = [bearer[0], ("client-cert", header.as_str())];
        for link in [&mut main, &mut none, &mut other] {
            assert_eq!(link.read(&smuggled).await.status, 403);
        }
        // The token endpoint alike.
        assert_eq!(
            main.token(&id, &smuggled[1..]).await.told(),
            (400, "parameter-missing")
        );
        let none = none.token(&id, &smuggled[1..]).await;
        assert_eq!(none.told(), (400, "client-certificate-missing"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_revoked_is_refused_on_the_connection_that_it_opened() {
    let world = World::new().await;
    let app = world.app("https://app.example").await;
    let stranger = world.app("https://stranger.example").await;
    let id = world.register(&app, Method::TlsClientAuth).await;
    let mut by_token = world.link(world.certified, Some(&app), "http/1.1").await;
    let mut alone = world.link(world.certified, Some(&app), "h2").await;
    let token = by_token.token(&id, &[]).await.body["access_token"].clone();
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let bearer = [("authorization", bearer.as_str())];
    assert_eq!(by_token.read(&bearer).await.status, 200);
    assert_eq!(alone.read(&[]).await.status, 200);
    // A member that is not registered is refused; at the other port a token is what is missing.
    let mut other = world.link(world.certified, Some(&stranger), "h2").await;
    assert_eq!(
        other.read(&[]).await.told(),
        (403, "certificate-not-registered")
    );
    let mut main = world.link(world.main, Some(&app), "http/1.1").await;
    assert_eq!(main.read(&[]).await.told(), (401, "token-missing"));

    let serial = app.certificate.serial_hex();
    let revoked = world.ca.revoke(&serial, RevocationReason::KeyCompromise);
    revoked.await.unwrap();
    world.server.refresh().await;
    assert_eq!(
        by_token.read(&bearer).await.told(),
        (401, "certificate-revoked")
    );
    assert_eq!(alone.read(&[]).await.told(), (403, "certificate-revoked"));
    let refused = by_token.token(&id, &[]).await;
    assert_eq!(refused.told(), (400, "certificate-revoked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_proves_itself_with_each_request() {
    let world = World::new().await;
    let app = world.app("https://app.example").await;
    let id = world.register(&app, Method::TlsClientAuth).await;
    let key = signer(&world.app("https://key.example").await);
    let jwk = Jwk::from_public_key(key.public_key(), None, None).unwrap();
    let here = format!("https://localhost:{}/fhir", world.certified);
    let proof = |method: &str, path: &str, token: Option<&str>| {
        let mut claims = json!({
            "jti": random::id(), "htm": method, "htu": format!("{here}{path}"), "iat": clock::now().0,
        });
        if let Some(token) = token {
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
            claims["ath"] = URL_SAFE_NO_PAD.encode(hash).into();
        }
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk.to_json()});
        sign(&key, Unsigned::new(&header, &claims))
    };
    let mut link = world.link(world.certified, Some(&app), "h2").await;
    let asked = proof("POST", "/oauth/token", None);
    let issued = link.token(&id, &[("dpop", &asked)]).await;
    assert_eq!(issued.body["token_type"], "DPoP", "{issued:?}");
    let token = issued.body["access_token"].as_str().unwrap();
    let authorization = format!("DPoP {token}");
    let read = format!("/Patient/{BENCH_PATIENT}");
    let good = proof("GET", &read, Some(token));
    let headers = [("authorization", authorization.as_str()), ("dpop", &good)];
    assert_eq!(link.read(&headers).await.status, 200);
    let again = link.read(&headers).await;
    assert_eq!(again.told(), (401, "dpop-proof-replayed"));
    let challenge = again.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("DPoP ") && challenge.contains("invalid_dpop_proof"));
    let elsewhere = proof("GET", "/Patient/other", Some(token));
    let headers = [
        ("authorization", authorization.as_str()),
        ("dpop", &elsewhere),
    ];
    assert_eq!(link.read(&headers).await.told(), (401, "dpop-htu-mismatch"));
    let borne = format!("Bearer {token}");
    let borne = link.read(&[("authorization", &borne)]).await;
    assert_eq!(borne.told(), (401, "token-bound-to-key"));
}
