//! A community, its data holder, an app, an authority and a sandbox, each in a directory with the files that examples name.

use crate::community::{APP, COMMUNITY, Community, udap};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use udap_pki::issue::{CsrSpec, SignatureAlgorithm, Subject, certification_request};
use udap_pki::{Certificate, ocsp, pem};
use udap_proto::jwk::Jwk;
use udap_testkit::{Answer, Member, TestServer, free_ports};
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::{clock, keys};

const AUDITOR: &str = "https://audits.example";
const BUNDLE_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// What all examples have in common.
pub(super) struct Scene {
    community: Community,
    /// Serves the community's bundle, as long as there is a runtime.
    bundles: TestServer,
    _runtime: tokio::runtime::Runtime,
    others: tempfile::TempDir,
    replaced: Vec<(String, String)>,
}

/// Where an example is run.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    /// Where `udap` is found.
    pub(super) programs: PathBuf,
    /// The system's TLS roots.
    pub(super) roots: PathBuf,
    /// What else is replaced here.
    pub(super) replaced: Vec<(String, String)>,
    /// Whether hosts are named in the example, and not by a sandbox.
    pub(super) by_name: bool,
}

impl Scene {
    pub(super) fn start() -> Self {
        let community = Community::start();
        let others = tempfile::tempdir().unwrap();
        for name in ["app", "sandbox", "fresh", "programs"] {
            fs::create_dir(others.path().join(name)).unwrap();
        }
        // `udap dev` starts itself, and a build may put another in place of the one that was built.
        let program = others.path().join("programs/udap");
        let built = env!("CARGO_BIN_EXE_udap");
        if fs::hard_link(built, &program).is_err() {
            fs::copy(built, &program).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        community.issue("app", COMMUNITY, "community");
        let signed = ["ca", "bundle", "--dir", "ca", "--json"];
        let by = ["--cert", "community.pem", "--key", "community.key"];
        let signed = community.ok(&[&signed[..], &by].concat()).json();
        let bundle = text(&signed["bundle"]);
        let served = bundle.clone();
        let bundles = runtime.block_on(TestServer::https(move |_| {
            Answer::new(200, served.clone()).header("content-type", "application/jwt")
        }));
        let mut scene = Self {
            community,
            bundles,
            _runtime: runtime,
            others,
            replaced: Vec::new(),
        };
        scene.holder();
        scene.app(&bundle);
        let key = text(&signed["signer_key_sha256"]);
        scene.replaced = scene.table(&key);
        scene
    }

    /// What stands for something else, and what that is here. The longer comes first.
    fn table(&self, bundle_key: &str) -> Vec<(String, String)> {
        let (base, sandbox, free) = (&self.community.base_url, free_ports(), free_ports());
        let (client, token, request) = self.known();
        let now = clock::now().to_string();
        let localhost = |port: u16| format!("localhost:{port}");
        let here = |port: u16| format!("127.0.0.1:{port}");
        let upstream = self.setting("upstream");
        let signed = self.read("app/token.txt");
        let pairs = [
            ("ALLOWED", self.allowed()),
            // Hosts.
            (
                "https://community.example/bundle",
                self.bundles.url("/bundle"),
            ),
            (
                "fhir.example.org/r4/Patient/1",
                "fhir.example.org/r4/Patient/amelia-shaw".to_owned(),
            ),
            ("https://fhir.example.org/r4", base.clone()),
            (
                "https://admin.example.org:9443",
                self.community.admin_url.clone(),
            ),
            (
                "inspect fhir.example.org:8443",
                format!("inspect {}", self.host()),
            ),
            (
                "inspect fhir.example.org",
                format!("inspect {}", self.host()),
            ),
            ("dns:fhir.example.org", "dns:localhost".to_owned()),
            ("http://localhost:8080/fhir", upstream),
            ("localhost:8440", localhost(sandbox)),
            ("localhost:8441", localhost(sandbox + 1)),
            ("127.0.0.1:8441", here(sandbox + 1)),
            ("0.0.0.0:80", here(free)),
            ("0.0.0.0:443", here(free + 1)),
            ("PORT_BASE", sandbox.to_string()),
            // Files and ids.
            ("/etc/udap/udap.toml", "udap.toml".to_owned()),
            (
                "admin token revoke 2xBUc3c2F2diWFy_N459jw",
                format!("admin token revoke {token}"),
            ),
            ("2xBUc3c2F2diWFy_N459jw", client),
            ("0fd3a1b27c55-1f", request),
            (BUNDLE_KEY, bundle_key.to_owned()),
            (
                "--token eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
                format!("--token {}", signed.trim()),
            ),
            ("--pid 4711", "--pid $$".to_owned()),
            // Times at which certificates of today are good, and for how long something is measured.
            ("2026-01-31T12:00:00Z", now.clone()),
            ("2026-11-24T16:00:00Z", now),
            (
                "bench token --alg RS256 --seconds 30",
                "bench token --alg RS256".to_owned(),
            ),
        ];
        pairs.map(|(from, to)| (from.to_owned(), to)).into()
    }

    pub(super) fn replaced(&self) -> &[(String, String)] {
        &self.replaced
    }

    /// Hosts of this machine, which are asked nothing unless they are named.
    pub(super) fn allowed(&self) -> String {
        let hosts = [&self.host(), self.community.ca_host(), &self.bundles.host()];
        hosts.map(|host| format!("--allow-host {host}")).join(" ")
    }

    /// Ends the data holder, in whose place another serves.
    pub(super) fn without_data_holder(&mut self) {
        self.community.without_data_holder();
    }

    /// Whose example it is.
    pub(super) fn place(&mut self, of: &str, line: &str) -> Place {
        let place = |dir: PathBuf| Place {
            dir,
            programs: self.path("programs"),
            roots: self.path("roots.pem"),
            replaced: Vec::new(),
            by_name: false,
        };
        let holder = ["serve", "doctor", "db", "admin", "audit", "config"];
        let command = of.split(' ').nth(1).unwrap_or_default();
        if ["localhost:844", "udap-sandbox"]
            .iter()
            .any(|part| line.contains(part))
            || line == "udap dev"
        {
            place(self.path("sandbox"))
        } else if line.starts_with("udap dev") {
            let base = ("PORT_BASE".to_owned(), free_ports().to_string());
            Place {
                replaced: vec![base],
                ..place(self.path("fresh"))
            }
        } else if of.starts_with("udap ca ") {
            self.authority(of, place(self.path(&of.replace(' ', "-"))))
        } else if line.contains("/etc/udap")
            || (holder.contains(&command) && !line.contains("fhir.example.org"))
        {
            Place {
                by_name: command == "community",
                ..place(self.community.dir().to_owned())
            }
        } else {
            self.tokens();
            Place {
                by_name: true,
                ..place(self.path("app"))
            }
        }
    }

    /// The data holder's directory, which is also that of its authority.
    fn holder(&self) {
        let community = &self.community;
        let bundle = format!(
            "bundle = {{ url = \"{}\", signer_anchors = \"ca/root.pem\" }}\n",
            self.bundles.url("/bundle")
        );
        let config = fs::read_to_string(community.path("udap.toml")).unwrap() + &bundle;
        let hosts = format!("allow_hosts = [\"{}\", ", self.bundles.host());
        let config = config.replace("allow_hosts = [", &hosts);
        fs::write(community.path("udap.toml"), config).unwrap();
        fs::copy(
            community.path("tls-root.pem"),
            community.path("private-root.pem"),
        )
        .unwrap();
        let password = community.path("ada.password");
        fs::write(&password, "a sentence that nobody guesses\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let create = ["admin", "token", "create", "elsewhere", "--operator"];
        community.ok(&[&create[..], &["--out", "admin.token"]].concat());
        // What vouches for hosts: the roots of both.
        let bundles = Certificate::from_der(&self.bundles.tls_root()).unwrap();
        let root = fs::read_to_string(community.path("tls-root.pem")).unwrap();
        self.write("roots.pem", root + &bundles.to_pem());
    }

    /// The app's directory.
    fn app(&self, bundle: &str) {
        let community = &self.community;
        for (from, to) in [
            ("app.pem", "app.pem"),
            ("app.key", "app.key"),
            ("ca/root.pem", "community.pem"),
            ("ca/root.pem", "root.pem"),
            ("ca/root.pem", "bundles.pem"),
            ("ca/issuing.pem", "issuing.pem"),
            ("tls.pem", "tls.pem"),
            ("tls-root.pem", "tls-root.pem"),
            ("tls-root.pem", "private-root.pem"),
        ] {
            fs::copy(community.path(from), self.path("app").join(to)).unwrap();
        }
        self.write("app/bundle.jwt", bundle);
        self.write("app/answers.toml", crate::certify::ANSWERS);
        for name in ["root.crl", "issuing.crl"] {
            let crl = self.published(&format!("GET /crl/{name}"), &[]);
            self.write(&format!("app/{name}"), crl);
        }
        let member = self.member();
        let asked = ocsp::request(member.leaf(), &member.chain[1], None);
        let response = self.published("POST /ocsp", &asked);
        self.write("app/response.der", response);
        let request = json!({
            "id": 1, "anchors": self.read("app/root.pem"), "cert": self.read("app/app.pem"),
            "revocation": "off",
        });
        self.write("app/requests.jsonl", format!("{request}\n"));
        let found = community.client(&["discover", &community.base_url, "--json"]);
        let metadata = text(&found.json()["metadata"]["signed_metadata"]);
        self.write("app/metadata.txt", metadata);
        let key = Jwk::from_public_key(member.signer.public_key(), Some("k".into()), None);
        let key = key.unwrap().to_json();
        self.write("app/key.json", key.to_string());
        self.write("app/keys.json", json!({ "keys": [key] }).to_string());
        self.tokens();
        fs::copy(self.path("app/statement.txt"), self.path("app/token.txt")).unwrap();
    }

    /// What the app signs, which is good for five minutes.
    fn tokens(&self) {
        let member = self.member();
        let base = &self.community.base_url;
        let now = clock::now().0;
        let claims = |iss: &str, aud: &str, more: Value| {
            let mut claims = json!({
                "iss": iss, "sub": iss, "aud": aud, "iat": now, "exp": now + 300, "jti": "j-1",
            });
            for (name, value) in more.as_object().unwrap() {
                claims[name] = value.clone();
            }
            member.sign(&claims)
        };
        let statement = json!({
            "client_name": "App", "grant_types": ["client_credentials"], "scope": "system/Patient.rs",
            "token_endpoint_auth_method": "private_key_jwt", "contacts": ["mailto:a@b.example"],
        });
        let statement = claims(APP, &format!("{base}/oauth/register"), statement);
        self.write("app/statement.txt", statement);
        let assertion = claims("client-1", &format!("{base}/oauth/token"), json!({}));
        self.write("app/assertion.txt", assertion);
    }

    /// A registered app, a token of the administration, and a request that the data holder remembers.
    fn known(&self) -> (String, String, String) {
        let community = &self.community;
        community.issue("app", "https://known.example", "known");
        let register = ["register", &community.base_url, "--json"];
        let register = [&register[..], &["--contact", "mailto:a@b.example"]].concat();
        let client = text(&community.client_as("known", &register).json()["client_id"]);
        community.ok(&["admin", "token", "create", "one", "--out", "one.token"]);
        let tokens = community.ok(&["admin", "token", "list", "--json"]).json();
        let tokens = tokens["tokens"].as_array().unwrap().iter();
        let mut tokens = tokens.filter(|token| token["name"] == "one");
        let token = text(&tokens.next().unwrap()["id"]);
        let mut request = None;
        // Entries are gathered for a moment before they are written.
        crate::community::until(|| {
            let audit = ["audit", "list", "--client", &client, "--json"];
            let entries = community.ok(&audit).json()["entries"].clone();
            request = entries[0]["request_id"].as_str().map(str::to_owned);
            request.is_some()
        });
        (client, token, request.unwrap())
    }

    /// An authority of its own for each help, with what that help takes for granted.
    fn authority(&mut self, of: &str, place: Place) -> Place {
        let dir = place.dir.clone();
        if of == "udap ca init" || dir.exists() {
            fs::create_dir_all(&dir).unwrap();
            return place;
        }
        fs::create_dir(&dir).unwrap();
        let ca = |args: &[&str]| {
            let said = udap(&dir, &[&["ca"], args].concat());
            assert_eq!(said.code, 0, "{args:?} {said:?}");
            said.out
        };
        let issue = |uri: &str, out: &str| {
            let args = ["issue", "--profile", "app", "--name", out, "--json"];
            let issued = ca(&[&args[..], &["--uri", uri, "--out", out]].concat());
            serde_json::from_str::<Value>(&issued).unwrap()
        };
        let base = "http://ca.community.example";
        ca(&["init", "--community", COMMUNITY, "--base-url", base]);
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
        match of {
            "udap ca issue" => write("member.csr", &csr()),
            "udap ca revoke" => {
                issue(APP, "app");
                let serial = text(&issue(AUDITOR, "other")["serial"]);
                self.replaced.push(("5f0c3a41".to_owned(), serial));
            }
            "udap ca certify" => {
                issue(COMMUNITY, "community");
                write("findings.toml", FINDINGS);
                write("agreement.toml", AGREEMENT);
                write("app.toml", DETAILS);
            }
            "udap ca withdraw" => {
                issue(COMMUNITY, "community");
                write("app.toml", DETAILS);
                let certify = [
                    "certify",
                    "--definition",
                    "data-use-agreement",
                    "--app",
                    APP,
                ];
                let by = [
                    "--cert",
                    "community.pem",
                    "--key",
                    "community.key",
                    "--json",
                ];
                let more = ["--name", "x", "--dir", "udap-ca", "--details", "app.toml"];
                let kept = ca(&[&certify[..], &by, &more].concat());
                let kept: Value = serde_json::from_str(&kept).unwrap();
                let jti = "0b6b0f2c9a7d4e63b0f2c9a7d4e631aa".to_owned();
                self.replaced.push((jti, text(&kept["jti"])));
            }
            "udap ca bundle" => {
                let shown = udap(&dir, &["community", "show", "ssraa-2.0", "--toml"]);
                write("community.toml", &shown.out);
                fs::copy(dir.join("udap-ca/issuing.pem"), dir.join("auditors.pem")).unwrap();
            }
            "udap ca serve" => {
                for end in ["pem", "key"] {
                    let from = self.community.path(&format!("tls.{end}"));
                    fs::copy(from, dir.join(format!("web.{end}"))).unwrap();
                }
            }
            _ => {}
        }
        place
    }

    /// The app as one that signs.
    fn member(&self) -> Member {
        let key_pem = self.read("app/app.key");
        Member {
            chain: pem::certificates(self.read("app/app.pem").as_bytes()).unwrap(),
            signer: KeySigner::from_pem(key_pem.as_bytes()).unwrap(),
            key_pem,
        }
    }

    /// What the community's authority answers.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test asks its own process on loopback, and may wait"
    )]
    fn published(&self, request: &str, body: &[u8]) -> Vec<u8> {
        let host = self.community.ca_host();
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/ocsp-request\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{request}");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        answer.split_off(end.unwrap() + 4)
    }

    fn host(&self) -> String {
        let base = self.community.base_url.trim_start_matches("https://");
        base.trim_end_matches("/fhir").to_owned()
    }

    /// A text of the data holder's configuration.
    fn setting(&self, key: &str) -> String {
        let config = fs::read_to_string(self.community.path("udap.toml")).unwrap();
        let line = config.lines().find(|line| line.starts_with(key)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.others.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// A request of a member that keeps its key.
fn csr() -> String {
    let key = keys::generate(keys::KeyType::P256).unwrap();
    let signer = KeySigner::from_pkcs8(&key).unwrap();
    let request = certification_request(&CsrSpec {
        subject: &Subject::named("Example app"),
        spki_der: signer.public_key().spki_der(),
        uris: &[],
        algorithm: SignatureAlgorithm::EcdsaP256Sha256,
    })
    .unwrap();
    let scheme = request.algorithm().scheme();
    let signature = signer.sign_now(scheme, request.bytes()).unwrap();
    pem::encode("CERTIFICATE REQUEST", &request.finish(&signature).unwrap())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

const AGREEMENT: &str = include_str!("../../../definitions/data-use-agreement.toml");

const FINDINGS: &str = r#"
[answers]
standard = "Example standard 2"
parts = ["the app"]
examined_on = "2026-11-01"
penetration_tested = true
"#;

const DETAILS: &str = r#"
[answers]
agreement = "Example agreement 1"
signed_on = "2026-11-01"
organization = "Example clinic"
purposes = ["TREAT"]
research = false
passed_on = false
"#;
