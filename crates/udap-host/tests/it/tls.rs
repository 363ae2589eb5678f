//! What the listener negotiates, what it refuses, and how its certificate changes.

use std::{fs, os::unix::fs::PermissionsExt};

use rustls::{
    AlertDescription, HandshakeKind, NamedGroup, ProtocolVersion,
    crypto::aws_lc_rs::{cipher_suite, kx_group},
};
use udap_host::listen::{self, Listen, ListenError, TlsFiles};

use crate::support::*;

#[tokio::test]
async fn prefers_tls13_the_post_quantum_group_and_its_own_first_suite() {
    let files = Files::new();
    let server = serve(&files);
    let stream = connect(server.addr(), &Client::new().config(&files.cert))
        .await
        .unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let group = session.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    let suite = session.negotiated_cipher_suite();
    assert_eq!(suite, Some(cipher_suite::TLS13_AES_128_GCM_SHA256));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn takes_each_group_it_names_and_no_other() {
    let files = Files::new();
    let server = serve(&files);
    for group in [
        kx_group::X25519MLKEM768,
        kx_group::X25519,
        kx_group::SECP256R1,
        kx_group::SECP384R1,
    ] {
        let mut client = Client::new();
        client.provider.kx_groups = vec![group];
        let stream = connect(server.addr(), &client.config(&files.cert))
            .await
            .unwrap();
        let used = stream
            .get_ref()
            .1
            .negotiated_key_exchange_group()
            .unwrap()
            .name();
        assert_eq!(used, group.name());
    }
    for group in [kx_group::MLKEM1024, kx_group::SECP256R1MLKEM768] {
        let mut client = Client::new();
        client.provider.kx_groups = vec![group];
        let refused = connect(server.addr(), &client.config(&files.cert))
            .await
            .unwrap_err();
        assert_eq!(
            alert(&refused),
            AlertDescription::HandshakeFailure,
            "{group:?}"
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn takes_each_cipher_suite_it_names() {
    let files = Files::new();
    let server = serve(&files);
    for suite in [
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ] {
        let mut client = Client::new();
        client.provider.cipher_suites = vec![suite];
        client.versions = vec![suite.version()];
        let stream = connect(server.addr(), &client.config(&files.cert))
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.negotiated_cipher_suite(), Some(suite));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn serves_rsa_keys_over_tls12() {
    let files = Files::new();
    let cert = write_pair(&files.tls, &rcgen::PKCS_RSA_SHA256);
    let server = serve(&files);
    for suite in [
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ] {
        let mut client = Client::new();
        client.provider.cipher_suites = vec![suite];
        client.versions = vec![&rustls::version::TLS12];
        let stream = connect(server.addr(), &client.config(&cert)).await.unwrap();
        assert_eq!(stream.get_ref().1.negotiated_cipher_suite(), Some(suite));
    }
    server.stop().await.unwrap();
}

/// OpenSSL offers what rustls cannot: TLS 1.1, CBC, static RSA.
#[tokio::test]
async fn refuses_old_versions_and_suites_that_openssl_offers() {
    let files = Files::new();
    write_pair(&files.tls, &rcgen::PKCS_RSA_SHA256);
    let server = serve(&files);
    let offers: [&[&str]; 4] = [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"],
        &[
            "-tls1_2",
            "-cipher",
            "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
        ],
    ];
    for offer in offers {
        assert!(!openssl(server.addr().port(), offer).await, "{offer:?}");
    }
    // The same tool does get through with what is offered.
    assert!(openssl(server.addr().port(), &["-tls1_2"]).await);
    assert!(openssl(server.addr().port(), &["-tls1_3"]).await);
    server.stop().await.unwrap();
}

async fn openssl(port: u16, offer: &[&str]) -> bool {
    let connect = format!("localhost:{port}");
    tokio::process::Command::new("openssl")
        .args(["s_client", "-connect", &connect, "-verify_quiet"])
        .args(offer)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .expect("openssl is needed for this test")
        .status
        .success()
}

#[tokio::test]
async fn negotiates_h2_first_then_http11() {
    let files = Files::new();
    let server = serve(&files);
    for (offered, agreed) in [
        (vec!["http/1.1", "h2"], Some("h2")),
        (vec!["http/1.1"], Some("http/1.1")),
        (vec![], None),
    ] {
        let mut client = Client::new();
        client.alpn = offered;
        let stream = connect(server.addr(), &client.config(&files.cert))
            .await
            .unwrap();
        let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(alpn.as_deref(), agreed.map(str::as_bytes));
        let response = if agreed == Some("h2") {
            http2(stream)
                .await
                .send_request(get_request("/"))
                .await
                .unwrap()
        } else {
            http1(stream)
                .await
                .send_request(get_request("/"))
                .await
                .unwrap()
        };
        assert_eq!(text(response).await, "hello");
    }
    let mut client = Client::new();
    client.alpn = vec!["spdy/1"];
    let refused = connect(server.addr(), &client.config(&files.cert))
        .await
        .unwrap_err();
    assert_eq!(alert(&refused), AlertDescription::NoApplicationProtocol);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn resumes_by_ticket_without_early_data() {
    let files = Files::new();
    let server = serve(&files);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut client = Client::new();
        client.versions = vec![version];
        let config = client.config(&files.cert);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = connect(server.addr(), &config).await.unwrap();
            assert_eq!(
                stream.get_ref().1.handshake_kind(),
                Some(expected),
                "{version:?}"
            );
            assert!(!stream.get_ref().1.is_early_data_accepted());
            // The ticket of TLS 1.3 comes after the handshake: an answer has been read by then.
            let response = http1(stream)
                .await
                .send_request(get_request("/"))
                .await
                .unwrap();
            assert_eq!(text(response).await, "hello");
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_open_connections_stay() {
    let files = Files::new();
    let server = serve(&files);
    let old = Client::new().config(&files.cert);
    let mut open = http1(connect(server.addr(), &old).await.unwrap()).await;

    let renewed = write_pair(&files.tls, &rcgen::PKCS_ECDSA_P384_SHA384);
    let new = Client::new().config(&renewed);
    eventually("the renewed certificate serves", async || {
        connect(server.addr(), &new).await.is_ok()
    })
    .await;
    let response = open.send_request(get_request("/")).await.unwrap();
    assert_eq!(text(response).await, "hello");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_bad_new_certificate_keeps_the_old_and_a_later_good_one_is_taken() {
    let files = Files::new();
    let server = serve(&files);
    let old = Client::new().config(&files.cert);

    let failed = listen::stats().reloads_failed();
    replace(
        &files.tls.cert,
        "-----BEGIN CERTIFICATE-----\n half of a fi",
        0o644,
    );
    eventually("the bad file is noticed", async || {
        listen::stats().reloads_failed() > failed
    })
    .await;
    connect(server.addr(), &old).await.unwrap();

    let renewed = write_pair(&files.tls, &rcgen::PKCS_ECDSA_P256_SHA256);
    let new = Client::new().config(&renewed);
    eventually("the good file serves", async || {
        connect(server.addr(), &new).await.is_ok()
    })
    .await;
    server.stop().await.unwrap();
}

#[test]
fn files_that_cannot_serve_are_refused_each_with_its_code() {
    let files = Files::new();
    let start = |tls: TlsFiles| listen::spawn(Listen::tls(LOCAL, tls), hello).unwrap_err();
    let with = |cert: &str, key: &str| TlsFiles {
        cert: files.path(cert),
        key: files.path(key),
    };

    let error = start(with("none.pem", "tls.key"));
    assert_eq!(error.code(), "tls-certificate-unreadable");

    fs::write(files.path("text.pem"), "no blocks here").unwrap();
    let error = start(with("text.pem", "tls.key"));
    assert_eq!(error.code(), "tls-certificate-malformed");

    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(files.path("garbage.pem"), garbage).unwrap();
    let error = start(with("garbage.pem", "tls.key"));
    assert_eq!(error.code(), "tls-certificate-malformed");

    let error = start(with("tls.pem", "none.key"));
    assert_eq!(error.code(), "tls-key-unreadable");

    for mode in [0o640, 0o604, 0o644, 0o620, 0o602] {
        fs::set_permissions(&files.tls.key, fs::Permissions::from_mode(mode)).unwrap();
        let error = start(files.tls.clone());
        assert_eq!(
            error,
            ListenError::KeyExposed {
                path: files.tls.key.clone(),
                mode
            }
        );
        assert_eq!(error.code(), "tls-key-exposed");
        assert!(error.hint().contains("chmod 600"), "{}", error.hint());
    }
    fs::set_permissions(&files.tls.key, fs::Permissions::from_mode(0o600)).unwrap();

    replace(&files.path("text.key"), "secret-looking text", 0o600);
    let error = start(with("tls.pem", "text.key"));
    assert_eq!(error.code(), "tls-key-malformed");
    assert!(!error.to_string().contains("secret-looking"));

    let other = with("other.pem", "other.key");
    write_pair(&other, &rcgen::PKCS_ECDSA_P256_SHA256);
    let error = start(with("tls.pem", "other.key"));
    let (cert, key) = (files.tls.cert.clone(), other.key.clone());
    assert_eq!(error, ListenError::KeyMismatch { cert, key });
    assert_eq!(error.code(), "tls-key-mismatch");

    let unknown = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    replace(&files.path("unknown.key"), unknown, 0o600);
    let error = start(with("tls.pem", "unknown.key"));
    assert_eq!(error.code(), "tls-key-unsupported");
}

fn alert(error: &std::io::Error) -> AlertDescription {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        other => panic!("no alert: {other:?}"),
    }
}
