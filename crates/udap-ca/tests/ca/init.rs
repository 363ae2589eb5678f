use std::{os::unix::fs::PermissionsExt as _, path::Path};

use udap_ca::{Ca, CaError, CaKeyType, Hierarchy, InitOptions, IssueOptions};
use udap_pki::{KeyKind, issue::Profile};

use crate::fixture::{
    BASE_URL, COMMUNITY, Fixture, Frozen, community, mode, openssl, private_directory,
};

#[tokio::test]
async fn a_root_and_an_issuing_ca_are_made() {
    let fixture = Fixture::new().await;
    let (root, issuing) = (
        fixture.ca.root_certificate(),
        fixture.ca.issuing_certificate(),
    );
    assert_eq!(root.subject().to_string(), "CN=community.example root");
    assert_eq!(
        issuing.subject().to_string(),
        "CN=community.example issuing CA"
    );
    assert!(root.is_ca() && root.crl_urls().is_empty());
    assert_eq!(issuing.path_len(), Some(0));
    assert_eq!(issuing.crl_urls(), [format!("{BASE_URL}/crl/root.crl")]);
    assert_eq!(
        issuing.ca_issuer_urls(),
        [format!("{BASE_URL}/certs/root.cer")]
    );
    assert_eq!(root.public_key().unwrap().kind(), KeyKind::P256);
    assert_eq!(
        fixture.ca.crl_url().unwrap(),
        format!("{BASE_URL}/crl/issuing.crl")
    );
    assert_eq!(fixture.ca.ocsp_url().unwrap(), format!("{BASE_URL}/ocsp"));

    let listed = fixture.ca.list().await.unwrap();
    assert_eq!(
        listed
            .iter()
            .filter(|row| row.profile == Profile::Root)
            .count(),
        1
    );
    assert_eq!(
        listed
            .iter()
            .filter(|row| row.profile == Profile::IssuingCa)
            .count(),
        1
    );
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn openssl_verifies_the_issuing_ca_of_each_key_type() {
    for key_type in [CaKeyType::EcdsaP256, CaKeyType::Rsa2048] {
        let fixture = Fixture::of(key_type).await;
        let root = fixture.pem("root.pem", fixture.ca.root_certificate());
        let issuing = fixture.pem("issuing.pem", fixture.ca.issuing_certificate());
        if let Some((good, text)) = openssl(&["verify", "-x509_strict", "-CAfile", &root, &issuing])
        {
            assert!(good, "{text}");
        }
    }
}

#[tokio::test]
async fn keys_are_for_the_owner_alone() {
    let fixture = Fixture::new().await;
    assert_eq!(mode(&fixture.path()), 0o700);
    for file in ["root.key", "issuing.key", "ca.db"] {
        assert_eq!(mode(&fixture.path().join(file)), 0o600, "{file}");
    }
    let key = std::fs::read_to_string(fixture.path().join("root.key")).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    let left: Vec<_> = std::fs::read_dir(fixture.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().ends_with(".new")),
        "{left:?}"
    );
}

#[tokio::test]
async fn init_again_opens_what_is_there() {
    let fixture = Fixture::new().await;
    let again = Ca::init(&fixture.path(), InitOptions::new(community()))
        .await
        .unwrap();
    assert_eq!(again.root_certificate(), fixture.ca.root_certificate());
    assert_eq!(
        again.issuing_certificate(),
        fixture.ca.issuing_certificate()
    );
}

#[tokio::test]
async fn init_with_other_options_is_refused_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let other = |change: &dyn Fn(&mut InitOptions)| {
        let mut options = InitOptions::new(community());
        change(&mut options);
        let path = fixture.path();
        async move { Ca::init(&path, options).await.unwrap_err() }
    };
    let moved = other(&|o| {
        o.hierarchy = Hierarchy::Community {
            uri: COMMUNITY.to_owned(),
            base_url: "http://elsewhere.example".to_owned(),
        };
    })
    .await;
    assert_eq!(moved.code(), "ca-already-initialised");
    assert!(
        matches!(
            moved,
            CaError::AlreadyInitialised {
                what: "base URL",
                ..
            }
        ),
        "{moved:?}"
    );
    assert!(!moved.hint().is_empty());
    let rsa = other(&|o| o.key_type = CaKeyType::Rsa2048).await;
    assert!(
        matches!(
            rsa,
            CaError::AlreadyInitialised {
                what: "key type",
                ..
            }
        ),
        "{rsa:?}"
    );
    let crl = other(&|o| o.crl_seconds = 3600).await;
    assert!(
        matches!(
            crl,
            CaError::AlreadyInitialised {
                what: "CRL lifetime",
                ..
            }
        ),
        "{crl:?}"
    );
    let tls = other(&|o| o.hierarchy = Hierarchy::TlsServers).await;
    assert!(
        matches!(
            tls,
            CaError::AlreadyInitialised {
                what: "community",
                ..
            }
        ),
        "{tls:?}"
    );
    assert_eq!(
        fixture.other_process().await.root_certificate(),
        fixture.ca.root_certificate()
    );
}

#[tokio::test]
async fn two_at_a_time_are_refused() {
    let directory = private_directory();
    let lock = std::fs::File::create(directory.path().join("init.lock")).unwrap();
    lock.lock().unwrap();
    let refused = Ca::init(directory.path(), InitOptions::new(community()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "ca-locked");
    drop(lock);
    Ca::init(directory.path(), InitOptions::new(community()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_a_sentence() {
    let refused = Ca::init(Path::new("/proc/udap-ca"), InitOptions::new(community()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "ca-directory");
    assert!(
        refused
            .to_string()
            .starts_with("/proc/udap-ca cannot be made: "),
        "{refused}"
    );

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = Ca::init(&file.join("ca"), InitOptions::new(community()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "ca-directory");
}

#[tokio::test]
async fn no_ca_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        Ca::open(directory.path()).await.unwrap_err().code(),
        "ca-not-initialised"
    );
    assert_eq!(
        Ca::open(&directory.path().join("none"))
            .await
            .unwrap_err()
            .code(),
        "ca-not-initialised"
    );
    assert!(
        std::fs::read_dir(directory.path())
            .unwrap()
            .next()
            .is_none()
    );
}

#[tokio::test]
async fn keys_that_are_missing_exposed_or_strange_are_refused() {
    let fixture = Fixture::new().await;
    let key = fixture.path().join("issuing.key");
    let good = std::fs::read(&key).unwrap();
    let refusal = |path: std::path::PathBuf| async move { Ca::open(&path).await.unwrap_err() };

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(refusal(fixture.path()).await.code(), "ca-key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    for strange in [&b"hello"[..], b"", &good[..good.len() / 2]] {
        std::fs::write(&key, strange).unwrap();
        assert_eq!(refusal(fixture.path()).await.code(), "ca-key");
    }
    // The key of the root where that of the issuing CA should be.
    std::fs::copy(fixture.path().join("root.key"), &key).unwrap();
    let other = refusal(fixture.path()).await;
    assert!(
        other
            .to_string()
            .contains("does not belong to the issuing certificate"),
        "{other}"
    );
    std::fs::remove_file(&key).unwrap();
    assert_eq!(refusal(fixture.path()).await.code(), "ca-key");
    // And it is not made anew by init, since certificates rest on it.
    let again = Ca::init(&fixture.path(), InitOptions::new(community()))
        .await
        .unwrap_err();
    assert_eq!(again.code(), "ca-key");
}

#[tokio::test]
async fn a_key_that_an_interrupted_run_left_is_used() {
    let directory = private_directory();
    let donor = Fixture::new().await;
    std::fs::copy(
        donor.path().join("root.key"),
        directory.path().join("root.key"),
    )
    .unwrap();
    let ca = Ca::init(directory.path(), InitOptions::new(community()))
        .await
        .unwrap();
    assert_eq!(
        ca.root_certificate().spki_der(),
        donor.ca.root_certificate().spki_der()
    );

    // One of another kind is neither used nor overwritten.
    let directory = private_directory();
    std::fs::copy(
        donor.path().join("root.key"),
        directory.path().join("root.key"),
    )
    .unwrap();
    let options = InitOptions {
        key_type: CaKeyType::Rsa2048,
        ..InitOptions::new(community())
    };
    assert_eq!(
        Ca::init(directory.path(), options)
            .await
            .unwrap_err()
            .code(),
        "ca-key"
    );
}

#[tokio::test]
async fn urls_that_members_cannot_use_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refusal = |uri: &str, base_url: &str| {
        let hierarchy = Hierarchy::Community {
            uri: uri.to_owned(),
            base_url: base_url.to_owned(),
        };
        let path = directory.path().join("ca");
        async move {
            Ca::init(&path, InitOptions::new(hierarchy))
                .await
                .unwrap_err()
                .code()
        }
    };
    for uri in ["", "community", "https://a b"] {
        assert_eq!(refusal(uri, BASE_URL).await, "ca-setting", "{uri:?}");
    }
    for url in [
        "",
        "https://ca.example",
        "ftp://ca.example",
        "ca.example",
        "http://",
        "http://a/?q",
        "http://a/#f",
    ] {
        assert_eq!(refusal(COMMUNITY, url).await, "ca-setting", "{url:?}");
    }
    let short = InitOptions {
        crl_seconds: 59,
        ..InitOptions::new(community())
    };
    assert_eq!(
        Ca::init(&directory.path().join("ca"), short)
            .await
            .unwrap_err()
            .code(),
        "ca-setting"
    );
    assert!(!directory.path().join("ca").exists());
}

#[tokio::test]
async fn the_ca_of_tls_servers_is_a_root_alone() {
    let directory = private_directory();
    let clock = Frozen::new();
    let options = InitOptions {
        clock: clock.clock(),
        ..InitOptions::new(Hierarchy::TlsServers)
    };
    let ca = Ca::init(directory.path(), options).await.unwrap();
    let issued = ca
        .issue(IssueOptions::new(Profile::TlsServer, "localhost").dns("localhost"))
        .await
        .unwrap();
    assert_eq!(issued.chain, std::slice::from_ref(&issued.certificate));
    assert_eq!(issued.certificate.issuer(), ca.root_certificate().subject());
    assert!(issued.certificate.crl_urls().is_empty());
    assert_eq!(ca.crl_url(), None);
    let member = ca.issue(crate::fixture::app()).await.unwrap_err();
    assert_eq!(
        member,
        CaError::ProfileNotOffered {
            profile: Profile::App
        }
    );
    ca.refresh().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_others_may_enter_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new().await;
    let mode =
        |mode| std::fs::set_permissions(fixture.path(), std::fs::Permissions::from_mode(mode));
    for open in [0o777, 0o755, 0o710] {
        mode(open).unwrap();
        let opened = Ca::open(&fixture.path()).await.unwrap_err();
        let made = Ca::init(&fixture.path(), InitOptions::new(community())).await;
        assert_eq!(opened.code(), "state-directory-exposed");
        assert_eq!(made.unwrap_err(), opened);
        let found = std::fs::metadata(fixture.path()).unwrap().permissions();
        assert_eq!(found.mode() & 0o7777, open);
    }
    mode(0o700).unwrap();
    Ca::open(&fixture.path()).await.unwrap();
}
