//! The same over TLS, as a partner's client reaches it.

use crate::support::{Holder, assertion, encoded, form, signer, statement, world, write_private};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use udap_host::listen::{self, Listen, TlsFiles};
use udap_pki::issue::{CertificateSpec, Issuer, Names, Profile, SignatureAlgorithm, Subject, Urls};
use udap_pki::pem;
use udap_trust::fetch::{FetchPolicy, Fetcher, Kind, TlsRoots};
use udap_trust::keys::{KeyType, generate};
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::{clock, random};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_registers_and_gets_a_token() {
    let holder = Holder::new().await;
    let now = clock::now();
    let root_key = signer(KeyType::P256);
    let spec = |profile, subject, spki_der, issuer, names| CertificateSpec {
        profile,
        serial: b"0123456789abcdef",
        subject,
        spki_der,
        issuer,
        not_before: now.plus_secs(-60),
        not_after: now.plus_secs(86_400),
        names,
        urls: Urls::default(),
        extensions: &[],
        algorithm: SignatureAlgorithm::EcdsaP256Sha256,
    };
    let subject = Subject::named("TLS root");
    let spki = root_key.public_key().spki_der();
    let root = spec(
        Profile::Root,
        &subject,
        spki,
        Issuer::SelfSigned,
        Names::default(),
    );
    let root = crate::support::sign(&root, &root_key);
    let key = generate(KeyType::P256).unwrap();
    let public = KeySigner::from_pkcs8(&key).unwrap();
    let names = Names {
        dns: vec!["localhost".to_owned()],
        ..Names::default()
    };
    let subject = Subject::named("localhost");
    let spki = public.public_key().spki_der();
    let issuer = Issuer::Certificate(&root);
    let leaf = spec(Profile::TlsServer, &subject, spki, issuer, names);
    let leaf = crate::support::sign(&leaf, &root_key);
    let tls = TlsFiles {
        cert: holder.directory().join("tls.pem"),
        key: holder.directory().join("tls.key"),
    };
    write_private(&tls.cert, leaf.to_pem().as_bytes());
    write_private(&tls.key, pem::encode("PRIVATE KEY", &key).as_bytes());
    let listen = Listen::tls(([127, 0, 0, 1], 0).into(), tls);
    let server = holder.server.clone();
    let running =
        listen::start(listen, 2, move || server.router(), listen::Shutdown::new()).unwrap();
    let host = format!("localhost:{}", running.addr().port());
    let fetcher = Fetcher::new(FetchPolicy {
        allow_hosts: vec![host.clone()],
        tls_roots: TlsRoots::These(vec![root.der().to_vec().into()]),
    })
    .unwrap();
    let url = |path: &str| format!("https://{host}/fhir{path}");

    let metadata = fetcher
        .get(Kind::Api, &url("/.well-known/udap"))
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&metadata.body).contains("signed_metadata"));
    let post = async |path: &str, kind: &'static str, body: String| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        let body = Bytes::from(body);
        fetcher
            .send(Kind::Api, Method::POST, &url(path), headers, body)
            .await
            .unwrap()
    };
    let app = world()
        .a
        .app(&format!("https://{}.tls.example", random::id()));
    let body = serde_json::json!({"software_statement": statement(&app).sign(), "udap": "1"});
    let reply = post("/oauth/register", "application/json", body.to_string()).await;
    assert_eq!(reply.status(), 201);
    let json: serde_json::Value = serde_json::from_slice(reply.body()).unwrap();
    let id = json["client_id"].as_str().unwrap().to_owned();
    let jwt = assertion(&app, &id).sign();
    let kind = "application/x-www-form-urlencoded";
    let reply = post("/oauth/token", kind, encoded(&form(&jwt))).await;
    assert_eq!(reply.status(), 200);
    let reply = post("/oauth/token", kind, encoded(&form(&jwt))).await;
    assert_eq!(reply.status(), 400);
    // Too large a body is read no further than need be: the answer may come before all of it is sent.
    let body = Bytes::from("x".repeat(1024 * 1024));
    let headers = HeaderMap::new();
    let url = url("/oauth/register");
    if let Ok(reply) = fetcher
        .send(Kind::Api, Method::POST, &url, headers, body)
        .await
    {
        assert_eq!(reply.status(), 413);
    }
    running.stop().await.unwrap();
    // The audit trail knows from where.
    holder.server.close().await.unwrap();
    let seen = holder.kept().iter().any(|(_, bytes)| {
        bytes
            .windows(b"127.0.0.1".len())
            .any(|window| window == b"127.0.0.1")
    });
    assert!(seen);
}
