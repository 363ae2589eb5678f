//! What a server does not start with, and what it says then.

use crate::support::{BASE, prepared, rsa, world, write_private};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use udap_pki::issue::Profile;
use udap_pki::pem;
use udap_server::Server;
use udap_trust::keys::{KeyType, generate};
use udap_trust::signer::KeySigner;

async fn refused(change: impl FnOnce(&Path)) -> (&'static str, String) {
    let (directory, config) = prepared("");
    change(directory.path());
    let error = Server::open(&config).await.unwrap_err();
    (error.code(), error.to_string())
}

/// Writes an identity in community a.
fn identity(directory: &Path, uri: &str, key: &KeySigner) {
    let member = world().a.member(&[uri]);
    let member = member.profile(Profile::DataHolder).key(key).issue();
    let chain: String = member.chain.iter().map(|c| c.to_pem()).collect();
    write_private(&directory.join("a.cert.pem"), chain.as_bytes());
}

#[tokio::test]
async fn an_identity_that_cannot_sign_metadata() {
    let der = generate(KeyType::P256).unwrap();
    let (code, text) = refused(|directory| {
        identity(directory, BASE, &KeySigner::from_pkcs8(&der).unwrap());
        let key = pem::encode("PRIVATE KEY", &der);
        write_private(&directory.join("a.key.pem"), key.as_bytes());
    })
    .await;
    assert_eq!(code, "identity-not-rsa");
    assert!(text.contains(&world().a.uri), "{text}");

    let (code, _) = refused(|directory| identity(directory, BASE, &rsa(2).0)).await;
    assert_eq!(code, "community-key-mismatch");

    for uri in [
        "https://holder.example/fhir/",
        "https://HOLDER.example/fhir",
        "https://other.example/fhir",
    ] {
        let (code, text) = refused(|directory| identity(directory, uri, &rsa(0).0)).await;
        assert_eq!(code, "san-uri-mismatch");
        assert!(text.contains(uri) && text.contains(BASE), "{text}");
    }
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be() {
    for (file, bytes, expected) in [
        ("a.cert.pem", &b""[..], "config-certificate-file"),
        ("a.cert.pem", b"junk", "config-certificate-file"),
        ("a.anchor.pem", b"junk", "config-certificate-file"),
        ("b.key.pem", b"junk", "key-unreadable"),
    ] {
        let (code, text) = refused(|directory| write_private(&directory.join(file), bytes)).await;
        assert_eq!(code, expected, "{file}: {text}");
    }
    let (code, _) = refused(|d| std::fs::remove_file(d.join("a.cert.pem")).unwrap()).await;
    assert_eq!(code, "config-unreadable");
    let (code, _) = refused(|directory| {
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(directory.join("a.key.pem"), mode).unwrap();
    })
    .await;
    assert_eq!(code, "config-key-exposed");
    // One anchor for two communities: trust would be a matter of luck.
    let (code, _) = refused(|directory| {
        let anchor = world().b.root.certificate.to_pem();
        write_private(&directory.join("a.anchor.pem"), anchor.as_bytes());
    })
    .await;
    assert_eq!(code, "config-shared-anchor");
}

#[tokio::test]
async fn a_state_directory_that_does_not_serve() {
    // A file where the directory should be.
    let (code, text) = refused(|directory| write_private(&directory.join("state"), b"")).await;
    assert_eq!(code, "config-unreadable", "{text}");
    // One that others can enter; it may be anybody's, and stays as it is.
    for mode in [0o755, 0o710, 0o701, 0o1777] {
        let (code, text) = refused(|directory| make(&directory.join("state"), mode)).await;
        assert_eq!(code, "state-directory-exposed", "{text}");
    }
    if udap_testkit::postgres::wanted() {
        return; // Log and key are in the database; see `nodes`.
    }
    // A file where the replay log should be.
    let (code, _) = refused(|directory| {
        make(&directory.join("state"), 0o700);
        write_private(&directory.join("state/replay"), b"");
    })
    .await;
    assert_eq!(code, "replay-log-unusable");
    // A key that others can read, and one of another kind.
    for (mode, kind, expected) in [
        (0o644, KeyType::P256, "config-key-exposed"),
        (0o600, KeyType::P384, "access-key-unusable"),
    ] {
        let (code, _) = refused(|directory| {
            make(&directory.join("state"), 0o700);
            let path = directory.join("state/access-token.key");
            let der = generate(kind).unwrap();
            write_private(&path, pem::encode("PRIVATE KEY", &der).as_bytes());
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        })
        .await;
        assert_eq!(code, expected);
    }
}

#[tokio::test]
async fn tls_roots_that_are_not_there() {
    let (directory, config) = prepared("");
    let mut config = config;
    config.fetch.tls_roots = udap_host::config::TlsRoots::File(directory.path().join("no.pem"));
    let error = Server::open(&config).await.unwrap_err();
    assert_eq!(error.code(), "tls-roots-missing");
    assert!(error.to_string().contains("no.pem"), "{error}");
}

fn make(directory: &Path, mode: u32) {
    std::fs::create_dir(directory).unwrap();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode)).unwrap();
}
