//! A FHIR server behind TLS.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::kit::Kit;

/// A TLS server for `localhost` that answers each connection once; its root.
async fn server() -> (u16, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![made.cert.der().clone()], key)
    .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = acceptor.accept(socket).await else {
                continue;
            };
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: 2\r\n\r\n{}";
            let _ = socket.write_all(answer.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    });
    (port, roots)
}

fn trust(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    Some(Arc::new(config))
}

#[tokio::test]
async fn a_trusted_server_answers() {
    let (port, roots) = server().await;
    let kit = Kit::with(|config| {
        config.upstream = format!("https://localhost:{port}/fhir");
        config.upstream_tls = trust(roots);
    })
    .await;
    for _ in 0..2 {
        assert_eq!(kit.get("/r4/Patient/1", "system/*.rs").await.text, "{}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_or_has_another_name_is_refused() {
    let (port, roots) = server().await;
    for (host, roots) in [("localhost", RootCertStore::empty()), ("127.0.0.1", roots)] {
        let kit = Kit::with(|config| {
            config.upstream = format!("https://{host}:{port}/fhir");
            config.upstream_tls = trust(roots);
        })
        .await;
        let answer = kit.get("/r4/Patient/1", "system/*.rs").await;
        assert_eq!(answer.refusal(), (502, "upstream-tls".to_owned()), "{host}");
        assert!(!answer.text.contains(&port.to_string()));
    }
}
