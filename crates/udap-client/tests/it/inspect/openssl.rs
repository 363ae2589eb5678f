//! Against OpenSSL's own server, which still knows what rustls never did.

use super::codes;
use super::host::{Authority, Leaf};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use udap_client::TlsRoots;
use udap_client::inspect::{Inspection, ProbeResult, Report, inspect};
use udap_pki::pem;
use udap_trust::keys::KeyType;

/// Ends when the test does.
struct Server {
    child: Child,
    port: u16,
    root: rustls::pki_types::CertificateDer<'static>,
    _files: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` where there is no OpenSSL.
fn server(key: KeyType, options: &[&str]) -> Option<Server> {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&Leaf {
        key,
        ..Leaf::default()
    });
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let cert = write("cert.pem", certificate.to_pem());
    let key = write("key.pem", pem::encode("PRIVATE KEY", &key));
    let mut child = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
        .arg("-cert")
        .arg(cert)
        .arg("-key")
        .arg(key)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // It prints `ACCEPT 127.0.0.1:PORT` once it listens.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.strip_prefix("ACCEPT ")?
            .rsplit(':')
            .next()?
            .trim()
            .parse()
            .ok()
    });
    // Its talk has to go somewhere, or it stops.
    std::thread::spawn(move || lines.for_each(drop));
    let port = port.unwrap();
    Some(Server {
        child,
        port,
        root: authority.root(),
        _files: files,
    })
}

async fn report(server: &Server) -> Report {
    let name = format!("localhost:{}", server.port);
    inspect(&Inspection {
        roots: TlsRoots::These(vec![server.root.clone()]),
        allow_hosts: vec![name.clone()],
        ..Inspection::of(name.parse().unwrap())
    })
    .await
    .unwrap()
}

fn offered(report: &Report) -> Vec<&'static str> {
    let found = report
        .probes
        .iter()
        .filter(|p| p.result == ProbeResult::Offered);
    found.map(|p| p.id).collect()
}

#[tokio::test]
async fn rsa_key_exchange_alone_is_no_handshake_and_named() {
    let Some(server) = server(KeyType::Rsa2048, &["-tls1_2", "-cipher", "AES128-SHA"]) else {
        return;
    };
    let report = report(&server).await;
    assert_eq!(codes(&report), ["tls-handshake-failed", "tls-suite-weak"]);
    assert_eq!(offered(&report), ["rsa-key-exchange"]);
    assert_eq!(
        report.probes[4].cipher_suite.as_deref(),
        Some("TLS_RSA_WITH_AES_128_CBC_SHA")
    );
}

#[tokio::test]
async fn cbc_alone_is_no_handshake_and_named() {
    let Some(server) = server(
        KeyType::P256,
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
    ) else {
        return;
    };
    let report = report(&server).await;
    assert_eq!(codes(&report), ["tls-handshake-failed", "tls-suite-weak"]);
    assert_eq!(offered(&report), ["cbc"]);
}

#[tokio::test]
async fn old_versions_are_found() {
    let Some(server) = server(
        KeyType::P256,
        &[
            "-cipher",
            "ALL:@SECLEVEL=0",
            "-ciphersuites",
            "TLS_AES_128_GCM_SHA256",
        ],
    ) else {
        return;
    };
    let report = report(&server).await;
    assert!(report.verdict.trusted, "{report}");
    assert_eq!(codes(&report), ["tls-version-old", "tls-suite-weak"]);
    let offered = offered(&report);
    for id in ["tls1.0", "tls1.1", "tls1.2", "cbc"] {
        assert!(offered.contains(&id), "{id} {offered:?}");
    }
    assert!(!report.negotiated.as_ref().unwrap().post_quantum);
}

#[tokio::test]
async fn suites_without_encryption_and_without_certificate_are_found() {
    let cipher = "aNULL:eNULL:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0";
    let Some(server) = server(KeyType::P256, &["-tls1_2", "-cipher", cipher]) else {
        return;
    };
    let report = report(&server).await;
    assert_eq!(codes(&report), ["tls-suite-weak"]);
    assert_eq!(offered(&report), ["tls1.2", "null", "anonymous"]);
}
