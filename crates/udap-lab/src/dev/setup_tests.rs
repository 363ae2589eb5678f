//! The sandbox's directory: made once, used again, renewed, and repaired whatever is wrong with it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use udap_ca::{Ca, Clock};
use udap_pki::{
    Anchor, Certificate, Evidence, Policy, Request, Revocation, UnixTime, verify_offline,
};

use super::{
    error::DevError,
    files,
    layout::{Community, Layout},
    member::{read_chain, read_signer},
    setup,
};

const DAY: i64 = 86_400;

/// What it is called, and what it does to a file.
type Way = (&'static str, fn(&Path));

struct Sandbox {
    layout: Layout,
    _dir: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            layout: Layout::new(dir.path().join("sandbox"), 8440),
            _dir: dir,
        }
    }

    async fn setup(&self, days_later: i64) -> Result<(), DevError> {
        self.setup_at(&self.layout, days_later).await
    }

    async fn setup_at(&self, layout: &Layout, days_later: i64) -> Result<(), DevError> {
        let clock: Clock = Arc::new(move || udap_host::clock::now().plus_secs(days_later * DAY));
        files::make_dir(layout.dir())?;
        setup::setup(layout, "http://localhost:8443/fhir", &clock).await
    }

    /// Every file but databases, whose bytes change as they please, and their contents.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(self.layout.dir(), &mut files);
        files.retain(|path, _| !path.to_string_lossy().contains("ca.db"));
        files
    }

    fn app(&self, name: &str) -> Certificate {
        let (cert, key) = self.layout.app(name);
        let chain = read_chain(&cert).unwrap();
        let signer = read_signer(&key).unwrap();
        use udap_trust::signer::Signer as _;
        assert_eq!(
            signer.public_key().spki_der(),
            chain[0].spki_der(),
            "{name}"
        );
        chain[0].clone()
    }

    /// Everything that a sandbox must have is there and fits together.
    async fn require_whole(&self, days_later: i64) {
        let now = udap_host::clock::now().plus_secs(days_later * DAY);
        for community in Community::BOTH {
            let anchor = read_chain(&self.layout.anchor(community))
                .unwrap()
                .remove(0);
            let apps: &[&str] = match community {
                Community::One => &[
                    "good",
                    "good-ec",
                    "revoked",
                    "expired",
                    "wrong-san",
                    setup::TOUR,
                ],
                Community::Two => &["other-community", setup::NAMESAKE],
            };
            for name in apps {
                self.app(name);
                let (cert, key) = self.layout.app(name);
                let judged = judge(&cert, &anchor, now);
                match *name {
                    "expired" => assert_eq!(judged, Err("certificate-expired")),
                    _ => assert_eq!(judged, Ok(()), "{name}"),
                }
                assert_eq!(
                    fs::metadata(&key).unwrap().permissions().mode() & 0o777,
                    0o600
                );
            }
            let number = community.number();
            let identity = self
                .layout
                .path(&format!("data-holder/community-{number}.pem"));
            assert_eq!(judge(&identity, &anchor, now), Ok(()));
            let ca = Ca::open(&self.layout.ca_dir(community)).await.unwrap();
            let revoked = ca.list().await.unwrap().into_iter().filter(|listed| {
                listed.revoked.is_some() && listed.names.contains(&Layout::app_uri("revoked"))
            });
            let expected = usize::from(community == Community::One);
            assert!(revoked.count() >= expected);
            ca.close().await;
        }
        let root = read_chain(&self.layout.tls_root()).unwrap().remove(0);
        for name in ["data-holder", "phisher"] {
            let chain = read_chain(&self.layout.path(&format!("tls/{name}.pem"))).unwrap();
            assert_eq!(chain[0].dns_names(), ["localhost"]);
            chain[0]
                .verify_signed_by(root.public_key().unwrap())
                .unwrap();
        }
        for config in [
            self.layout.data_holder_config(),
            self.layout.phisher_config(),
        ] {
            let config = udap_host::config::load(&config).unwrap();
            config.check_files().unwrap();
        }
        let json: Value =
            serde_json::from_slice(&fs::read(self.layout.path("sandbox.json")).unwrap()).unwrap();
        for app in json["apps"].as_array().unwrap() {
            assert!(Path::new(app["chain_pem"].as_str().unwrap()).is_file());
        }
    }
}

fn judge(chain: &Path, anchor: &Certificate, now: UnixTime) -> Result<(), &'static str> {
    let chain = read_chain(chain).unwrap();
    let policy = Policy {
        revocation: Revocation::Off,
        ..Policy::default()
    };
    let outcome = verify_offline(&Request {
        leaf: &chain[0],
        intermediates: &chain[1..],
        anchors: &[Anchor::new(anchor.clone())],
        evidence: &Evidence::default(),
        now,
        policy: &policy,
    });
    match outcome.into_result() {
        Ok(_) => Ok(()),
        Err(invalid) => Err(invalid.reason.code()),
    }
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_uses_what_is_there_and_a_later_one_renews_what_is_over() {
    let sandbox = Sandbox::new();
    sandbox.setup(0).await.unwrap();
    sandbox.require_whole(0).await;
    let first = sandbox.files();
    let mode = fs::metadata(sandbox.layout.dir())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);

    sandbox.setup(0).await.unwrap();
    assert_eq!(sandbox.files(), first);

    // Nine days before the end of certificates of thirty days.
    let (good, expired) = (sandbox.app("good"), sandbox.app("expired"));
    let anchor = fs::read(sandbox.layout.anchor(Community::One)).unwrap();
    sandbox.setup(21).await.unwrap();
    sandbox.require_whole(21).await;
    assert_ne!(sandbox.app("good").serial(), good.serial());
    assert_eq!(sandbox.app("expired").serial(), expired.serial());
    assert_eq!(
        fs::read(sandbox.layout.anchor(Community::One)).unwrap(),
        anchor
    );

    // The issuing CA of five years is about to end: another community, under the same name.
    sandbox.setup(5 * 365 - 90).await.unwrap();
    sandbox.require_whole(5 * 365 - 90).await;
    assert_ne!(
        fs::read(sandbox.layout.anchor(Community::One)).unwrap(),
        anchor
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_or_missing_is_made_anew() {
    let sandbox = Sandbox::new();
    sandbox.setup(0).await.unwrap();
    let ways: [Way; 4] = [
        ("cut", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("overwritten", |path| {
            fs::write(path, "-----BEGIN JUNK-----\n\u{0}").unwrap()
        }),
    ];
    // All of what is not a CA's own, at once.
    for (way, damage) in ways {
        for path in sandbox.files().into_keys() {
            if !path.parent().unwrap().ends_with("ca") {
                damage(&path);
            }
        }
        sandbox
            .setup(0)
            .await
            .unwrap_or_else(|error| panic!("{way}: {error}"));
        sandbox.require_whole(0).await;
    }
    // One after the other of a CA's files, and of its database.
    for (way, damage) in [ways[0], ways[2]] {
        for name in ["root.key", "issuing.key", "root.pem", "ca.db"] {
            let path = sandbox.layout.ca_dir(Community::One).join(name);
            for beside in ["ca.db-wal", "ca.db-shm"] {
                let _ = fs::remove_file(path.with_file_name(beside));
            }
            damage(&path);
            let done = sandbox.setup(0).await;
            done.unwrap_or_else(|error| panic!("{name} {way}: {error}"));
            sandbox.require_whole(0).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_run_left_is_completed() {
    let sandbox = Sandbox::new();
    sandbox.setup(0).await.unwrap();
    let (cert, key) = sandbox.layout.app("good");
    // Killed between a new key and its certificate, and while a file was written.
    fs::copy(sandbox.layout.app("other-community").1, &key).unwrap();
    fs::write(cert.with_extension("pem.new"), "-----BEGIN CERT").unwrap();
    fs::write(key.with_extension("key.new"), "").unwrap();
    fs::set_permissions(
        key.with_extension("key.new"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    sandbox.setup(0).await.unwrap();
    sandbox.require_whole(0).await;
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );

    // A key that everybody can read is nobody's any more.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let before = sandbox.app_serial("good-ec");
    sandbox.setup(0).await.unwrap();
    sandbox.require_whole(0).await;
    assert_eq!(sandbox.app_serial("good-ec"), before);

    // Dropped at some moment of its making, again and again.
    let sandbox = Sandbox::new();
    for millis in [1, 5, 20, 60, 120, 250, 400] {
        let unfinished =
            tokio::time::timeout(std::time::Duration::from_millis(millis), sandbox.setup(0));
        let _ = unfinished.await;
    }
    sandbox.setup(0).await.unwrap();
    sandbox.require_whole(0).await;
}

impl Sandbox {
    fn app_serial(&self, name: &str) -> Vec<u8> {
        self.app(name).serial().to_vec()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_ports_are_other_names() {
    let sandbox = Sandbox::new();
    sandbox.setup(0).await.unwrap();
    let root = fs::read(sandbox.layout.tls_root()).unwrap();
    let moved = Layout::new(sandbox.layout.dir().to_owned(), 9440);
    sandbox.setup_at(&moved, 0).await.unwrap();
    let identity = read_chain(&moved.path("data-holder/community-1.pem")).unwrap();
    assert_eq!(identity[0].uri_names(), ["https://localhost:9440/fhir"]);
    assert_eq!(
        identity[0].crl_urls(),
        ["http://localhost:9441/crl/issuing.crl"]
    );
    assert_eq!(
        fs::read(moved.tls_root()).unwrap(),
        root,
        "TLS names no port"
    );
    let config = udap_host::config::load(&moved.data_holder_config()).unwrap();
    assert_eq!(config.base_url, "https://localhost:9440/fhir");
    assert_eq!(config.listen.port(), 9440);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_json_is_what_programs_were_told() {
    let sandbox = Sandbox::new();
    sandbox.setup(0).await.unwrap();
    let text = fs::read(sandbox.layout.path("sandbox.json")).unwrap();
    let json: Value = serde_json::from_slice(&text).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&json),
        [
            "tls_root_pem",
            "communities",
            "data_holders",
            "apps",
            "smart_clients"
        ]
    );
    let communities = json["communities"].as_array().unwrap();
    assert_eq!(communities.len(), 2);
    for community in communities {
        assert_eq!(
            keys(community),
            ["uri", "anchor_pem", "issuing_ca_pem", "crl_url", "ocsp_url"]
        );
        // What certificates carry is what is said here.
        let app = sandbox.app(
            match community["crl_url"] == "http://localhost:8441/crl/issuing.crl" {
                true => "good",
                false => "other-community",
            },
        );
        assert_eq!(app.crl_urls(), [community["crl_url"].as_str().unwrap()]);
        assert_eq!(
            app.ocsp_urls().first().map(String::as_str),
            community["ocsp_url"].as_str()
        );
    }
    assert_eq!(
        json["data_holders"],
        serde_json::json!([{
            "base_url": "https://localhost:8440/fhir",
            "metadata_url": "https://localhost:8440/fhir/.well-known/udap",
            "communities": ["https://localhost/community-1", "https://localhost/community-2"],
            "admin_url": "http://localhost:8446",
            "config": sandbox.layout.data_holder_config(),
        }])
    );
    let apps = json["apps"].as_array().unwrap();
    let names: Vec<_> = apps
        .iter()
        .map(|app| app["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "good",
            "good-ec",
            "revoked",
            "expired",
            "wrong-san",
            "other-community"
        ]
    );
    for app in apps {
        let mut expected = vec!["name", "uri", "community", "chain_pem", "key_pem"];
        if app["name"] == "good" || app["name"] == "good-ec" {
            expected.push("certifications");
            assert_eq!(app["certifications"].as_array().unwrap().len(), 3);
        }
        assert_eq!(keys(app), expected);
        for file in ["chain_pem", "key_pem"] {
            assert!(Path::new(app[file].as_str().unwrap()).is_absolute());
        }
        let leaf = sandbox.app(app["name"].as_str().unwrap());
        let has = leaf.uri_names().iter().any(|uri| *uri == app["uri"]);
        assert_eq!(has, app["name"] != "wrong-san", "{app}");
    }
    assert_eq!(apps[5]["uri"], apps[0]["uri"]);
    let key = fs::read_to_string(apps[0]["key_pem"].as_str().unwrap()).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"), "PKCS#8");
}

#[test]
fn a_directory_has_one_user() {
    let dir = tempfile::tempdir().unwrap();
    let first = files::lock(dir.path()).unwrap();
    assert_eq!(
        files::lock(dir.path()).unwrap_err().code(),
        "sandbox-locked"
    );
    drop(first);
    files::lock(dir.path()).unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = files::make_dir(&file.join("sandbox")).unwrap_err();
    assert_eq!(error.code(), "sandbox-directory");
    assert!(!error.hint().is_empty());
    let full = DevError::io(&file, "written", &std::io::ErrorKind::StorageFull.into());
    assert_eq!(full.code(), "disk-full");
    assert!(!full.hint().is_empty());
}
