//! A process is killed at some moment of `init`, `issue` or `revoke`; the directory stays usable.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use udap_ca::{Ca, InitOptions};
use udap_pki::{Crl, issue::RevocationReason};

use crate::fixture::{Fixture, app, community};

/// What the killed process does: makes the CA and then issues and revokes until its end.
#[tokio::test]
#[ignore = "runs as a child of `killed_at_any_moment`"]
async fn child() {
    let directory = std::env::current_dir().unwrap().join("ca");
    let ca = Ca::init(&directory, InitOptions::new(community()))
        .await
        .unwrap();
    for _ in 0..10_000 {
        let issued = ca.issue(app()).await.unwrap();
        ca.revoke(
            &issued.certificate.serial_hex(),
            RevocationReason::Superseded,
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn killed_at_any_moment() {
    let mut seen_revocations = 0;
    for milliseconds in [5, 15, 20, 25, 30, 40, 60, 90, 150, 300, 600] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--ignored", "--quiet"])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        child.kill().unwrap();
        child.wait().unwrap();

        seen_revocations += is_usable(&directory.path().join("ca")).await;
    }
    assert!(seen_revocations > 0, "no child came as far as a revocation");
}

/// The CA can be made or opened, its list says what its rows say, and it goes on; how many
/// revocations there are.
async fn is_usable(directory: &Path) -> usize {
    let ca = Ca::init(directory, InitOptions::new(community()))
        .await
        .unwrap();
    let rows = ca.list().await.unwrap();
    let revoked: Vec<_> = rows.iter().filter(|row| row.revoked.is_some()).collect();
    let issued = ca.issue(app()).await.unwrap();
    ca.revoke(
        &issued.certificate.serial_hex(),
        RevocationReason::Superseded,
    )
    .await
    .unwrap();
    let count = revoked.len();

    let opened = std::sync::Arc::new(Ca::open(directory).await.unwrap());
    let crl = published(&opened).await;
    assert_eq!(crl.len(), count + 1);
    count
}

async fn published(ca: &std::sync::Arc<Ca>) -> Crl {
    use http_body_util::BodyExt as _;
    use tower_service::Service as _;
    let request = http::Request::get("/crl/issuing.crl")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = udap_ca::router(std::sync::Arc::clone(ca))
        .call(request)
        .await
        .unwrap();
    Crl::from_der(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn a_temporary_file_left_behind_does_no_harm() {
    let fixture = Fixture::new().await;
    let leftover = fixture.path().join("root.key.4711.new");
    std::fs::write(&leftover, "-----BEGIN PRIV").unwrap();
    std::fs::remove_file(fixture.path().join("issuing.pem")).unwrap();
    let opened = fixture.other_process().await;
    opened.issue(app()).await.unwrap();
    let copy = std::fs::read_to_string(fixture.path().join("issuing.pem")).unwrap();
    assert_eq!(copy, fixture.ca.issuing_certificate().to_pem());
    drop(
        Ca::init(&fixture.path(), InitOptions::new(community()))
            .await
            .unwrap(),
    );
    assert!(!leftover.exists());
}
