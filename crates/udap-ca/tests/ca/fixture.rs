use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower_service::Service as _;
use udap_ca::{Ca, CaKeyType, Clock, Hierarchy, InitOptions, IssueOptions, Issued};
use udap_pki::{Certificate, UnixTime, issue::Profile};

pub(crate) const COMMUNITY: &str = "https://community.example";
pub(crate) const BASE_URL: &str = "http://ca.community.example";
pub(crate) const DAY: i64 = 86_400;

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Frozen(Arc<AtomicI64>);

impl Frozen {
    /// Begins at the real time, since openssl compares with its own clock.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(udap_host::clock::now().0)))
    }

    pub(crate) fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let time = self.clone();
        Arc::new(move || time.now())
    }
}

pub(crate) fn community() -> Hierarchy {
    Hierarchy::Community {
        uri: COMMUNITY.to_owned(),
        base_url: BASE_URL.to_owned(),
    }
}

/// A directory as a CA takes it.
pub(crate) fn private_directory() -> tempfile::TempDir {
    let mode = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new()
        .permissions(mode)
        .tempdir()
        .unwrap()
}

pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) clock: Frozen,
    pub(crate) ca: Arc<Ca>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::of(CaKeyType::EcdsaP256).await
    }

    pub(crate) async fn of(key_type: CaKeyType) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Frozen::new();
        let options = InitOptions {
            clock: clock.clock(),
            key_type,
            ..InitOptions::new(community())
        };
        let ca = Ca::init(&directory.path().join("ca"), options)
            .await
            .unwrap();
        Self {
            directory,
            clock,
            ca: Arc::new(ca),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("ca")
    }

    /// The same CA as another process would open it.
    pub(crate) async fn other_process(&self) -> Ca {
        Ca::open_with_clock(&self.path(), self.clock.clock())
            .await
            .unwrap()
    }

    pub(crate) async fn app(&self) -> Issued {
        self.ca.issue(app()).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let mut router = udap_ca::router(Arc::clone(&self.ca));
        let response = router.call(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(
            Request::builder()
                .method(Method::POST)
                .uri(path)
                .body(body.into())
                .unwrap(),
        )
        .await
    }

    /// Writes a file for openssl to read.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn pem(&self, name: &str, certificate: &Certificate) -> String {
        self.file(name, certificate.to_pem())
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}"))
            .to_str()
            .unwrap()
    }
}

pub(crate) fn app() -> IssueOptions {
    IssueOptions::new(Profile::App, "Example app").uri("https://app.example")
}

/// What openssl says, or `None` where there is no such program.
pub(crate) fn openssl(arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new("openssl").args(arguments).output() else {
        eprintln!("skipped: there is no openssl on this machine");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text))
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
