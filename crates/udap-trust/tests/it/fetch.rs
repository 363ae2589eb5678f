//! The guarded fetcher: what it never connects to, follows or reads to the end.

use crate::{Publisher, Reply, fetcher, fetcher_trusting};
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::time::{Duration, Instant};
use udap_testkit::{Answer, TestServer};
use udap_trust::fetch::{Fetcher, Kind, MAX_BYTES, MAX_SMALL_BYTES, TlsRoots};

async fn code(fetcher: &Fetcher, kind: Kind, url: &str) -> &'static str {
    match fetcher.get(kind, url).await {
        Ok(_) => "fetched",
        Err(error) => error.code(),
    }
}

#[tokio::test]
async fn urls_are_judged_before_anything_is_resolved() {
    let fetcher = fetcher(&[]);
    for url in [
        "ftp://ca.example/x.crl",
        "file:///etc/passwd",
        "gopher://ca.example/",
        "ldap://ca.example/cn=x",
        "data:,x",
        "//ca.example/x.crl",
        "ca.example/x.crl",
        "",
        "https://",
        "http://user@ca.example/x.crl",
        "http://user:secret@ca.example/x.crl",
        "http://:secret@ca.example/x.crl",
        "http://localhost@ca.example/x.crl",
        "http://ca.example:99999/",
    ] {
        for kind in [Kind::Crl, Kind::Ocsp, Kind::Issuer, Kind::Api] {
            assert_eq!(code(&fetcher, kind, url).await, "url-refused", "{url}");
        }
    }
    let long = format!("http://ca.example/{}", "x".repeat(2048));
    assert_eq!(code(&fetcher, Kind::Crl, &long).await, "url-refused");
}

#[tokio::test]
async fn http_is_only_for_what_is_signed_in_itself() {
    let server = Publisher::start().await;
    server.put("/x", Reply::ok("x"));
    let fetcher = fetcher(&[server.host()]);
    let url = server.url("/x");
    for kind in [Kind::Api, Kind::Status] {
        assert_eq!(code(&fetcher, kind, &url).await, "url-refused");
    }
    for kind in [Kind::Crl, Kind::Issuer] {
        assert_eq!(code(&fetcher, kind, &url).await, "fetched");
    }
    assert_eq!(server.count("/x"), 2);
}

/// An operator's secret crosses no network in the clear.
#[tokio::test]
async fn an_administration_is_asked_by_http_only_on_this_machine() {
    let server = Publisher::start().await;
    server.put("/x", Reply::ok("x"));
    let listening = server.host();
    let (_, port) = listening.rsplit_once(':').unwrap();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "10.0.0.7",
        "admin.example",
        "localhost.example",
        "[::2]",
    ];
    let listed = hosts.map(|host| format!("{host}:{port}"));
    let fetcher = fetcher(&listed);
    for (host, expected) in hosts.iter().zip([
        "fetched",
        "fetched",
        "url-refused",
        "url-refused",
        "url-refused",
        "url-refused",
    ]) {
        let url = format!("http://{host}:{port}/x");
        assert_eq!(
            code(&fetcher, Kind::Administration, &url).await,
            expected,
            "{url}"
        );
    }
}

/// Every way to write an address that is not public. The decimal, octal, hexadecimal and short forms
/// are those of RFC 3986's bad memories: the URL standard makes ordinary addresses of them.
#[tokio::test]
async fn literal_addresses_that_are_not_public_are_refused_however_they_are_written() {
    let fetcher = fetcher(&[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "0",
        "127.0.0.1.",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "%31%32%37.0.0.1",
        "①②⑦.⓪.⓪.①",
    ] {
        let url = format!("http://{host}/x.crl");
        assert_eq!(
            code(&fetcher, Kind::Crl, &url).await,
            "address-not-public",
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_unless_its_host_and_port_are_listed() {
    let (listed, other) = (Publisher::start().await, Publisher::start().await);
    for server in [&listed, &other] {
        server.put("/x", Reply::ok("x"));
    }
    let fetcher = fetcher(&[listed.host()]);
    assert_eq!(
        code(&fetcher, Kind::Crl, &listed.url("/x")).await,
        "fetched"
    );
    // The same host at another port, and the same address under another name.
    assert_eq!(
        code(&fetcher, Kind::Crl, &other.url("/x")).await,
        "address-not-public"
    );
    for host in ["127.0.0.1", "[::1]", "127.1"] {
        let url = format!("http://{host}:{}/x", listed.port());
        assert_eq!(
            code(&fetcher, Kind::Crl, &url).await,
            "address-not-public",
            "{url}"
        );
    }
    // Not every resolver knows it with the dot of the root; none leads inside.
    let dotted = format!("http://localhost.:{}/x", listed.port());
    let dotted = code(&fetcher, Kind::Crl, &dotted).await;
    assert!(
        ["address-not-public", "host-unknown"].contains(&dotted),
        "{dotted}"
    );
    // Case does not matter in a host's name.
    let upper = format!("http://LOCALHOST:{}/x", listed.port());
    assert_eq!(code(&fetcher, Kind::Crl, &upper).await, "fetched");
    // Nobody reached the other server, and that a connection to the first is open opens no other.
    assert_eq!(other.count("/x"), 0);
    assert_eq!(listed.count("/x"), 2);
}

#[tokio::test]
async fn the_default_port_counts_as_written() {
    // Listed as `localhost:80`: that is where `http://localhost/` goes, and not `https://localhost/`.
    let fetcher = fetcher(&["localhost:80".to_owned()]);
    let plain = code(&fetcher, Kind::Crl, "http://localhost/x").await;
    assert!(
        ["connection-failed", "fetch-status", "fetched"].contains(&plain),
        "{plain}"
    );
    assert_eq!(
        code(&fetcher, Kind::Crl, "https://localhost/x").await,
        "address-not-public"
    );
}

#[tokio::test]
async fn names_that_do_not_resolve_are_named() {
    let fetcher = fetcher(&[]);
    let code = code(&fetcher, Kind::Crl, "http://nowhere.invalid/x").await;
    // Without a network some resolvers go on trying.
    assert!(["host-unknown", "fetch-timeout"].contains(&code), "{code}");
}

#[tokio::test]
async fn nothing_listens() {
    let port = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let host = format!("localhost:{port}");
    let fetcher = fetcher(std::slice::from_ref(&host));
    assert_eq!(
        code(&fetcher, Kind::Crl, &format!("http://{host}/")).await,
        "connection-failed"
    );
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let (server, target) = (Publisher::start().await, Publisher::start().await);
    target.put("/x", Reply::ok("x"));
    let fetcher = fetcher(&[server.host(), target.host()]);
    for status in [
        "301 Moved",
        "302 Found",
        "303 See",
        "307 Temporary",
        "308 Permanent",
        "300 Many",
    ] {
        let to = format!("Location: {}", target.url("/x"));
        server.put("/r", Reply::new(status, "").header(&to));
        assert_eq!(
            code(&fetcher, Kind::Crl, &server.url("/r")).await,
            "fetch-status",
            "{status}"
        );
    }
    for status in ["204 No", "206 Partial", "404 Not", "500 Oops"] {
        server.put("/r", Reply::new(status, ""));
        assert_eq!(
            code(&fetcher, Kind::Crl, &server.url("/r")).await,
            "fetch-status",
            "{status}"
        );
    }
    assert!(target.log().is_empty());
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit() {
    let server = Publisher::start().await;
    let fetcher = fetcher(&[server.host()]);
    server.put("/full", Reply::ok(vec![0; MAX_BYTES]));
    assert_eq!(
        code(&fetcher, Kind::Crl, &server.url("/full")).await,
        "fetched"
    );
    server.put("/more", Reply::ok(vec![0; MAX_BYTES + 1]));
    assert_eq!(
        code(&fetcher, Kind::Crl, &server.url("/more")).await,
        "answer-too-large"
    );
    // What a stranger can make us ask for is read less far.
    server.put("/small", Reply::ok(vec![0; MAX_SMALL_BYTES + 1]));
    for kind in [Kind::Issuer, Kind::Ocsp] {
        assert_eq!(
            code(&fetcher, kind, &server.url("/small")).await,
            "answer-too-large"
        );
    }
    // Without an announced length: the connection is dropped where the limit is reached.
    server.put("/endless", Reply::ok("").endless());
    let begun = Instant::now();
    assert_eq!(
        code(&fetcher, Kind::Crl, &server.url("/endless")).await,
        "answer-too-large"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_never_finishes_is_left() {
    let server = Publisher::start().await;
    let fetcher = fetcher(&[server.host()]);
    server.put("/trickle", Reply::ok(vec![0; 100_000]).trickled());
    server.put("/silent", Reply::ok("x").after(Duration::from_secs(60)));
    for path in ["/trickle", "/silent"] {
        let begun = Instant::now();
        assert_eq!(
            code(&fetcher, Kind::Crl, &server.url(path)).await,
            "fetch-timeout"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{path} {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH\r\n").await;
        }
    });
    let fetcher = fetcher(std::slice::from_ref(&host));
    assert_eq!(
        code(&fetcher, Kind::Crl, &format!("http://{host}/")).await,
        "exchange-broken"
    );
}

#[tokio::test]
async fn a_broken_answer_is_no_answer() {
    let server = Publisher::start().await;
    let fetcher = fetcher(&[server.host()]);
    for (path, header) in [
        ("/short", "Transfer-Encoding: chunked"),
        ("/twice", "Content-Length: 3"),
    ] {
        server.put(path, Reply::ok("not what was announced").header(header));
        assert_eq!(
            code(&fetcher, Kind::Crl, &server.url(path)).await,
            "exchange-broken",
            "{path}"
        );
    }
}

#[tokio::test]
async fn tls_names_are_verified() {
    let server = TestServer::https(|_| Answer::new(200, "x")).await;
    let (url, host) = (server.url("/"), server.host());
    let by_address = host.replace("localhost", "127.0.0.1");
    let allow = [host, by_address.clone()];
    let right = fetcher_trusting(&allow, TlsRoots::These(vec![server.tls_root()]));
    assert_eq!(code(&right, Kind::Api, &url).await, "fetched");
    // The certificate is for `localhost` and for no address.
    assert_eq!(
        code(&right, Kind::Api, &format!("https://{by_address}/")).await,
        "tls-failed"
    );
    // Another root, and those of the system.
    let stranger = TestServer::https(|_| Answer::new(200, "x")).await;
    let wrong = fetcher_trusting(&allow, TlsRoots::These(vec![stranger.tls_root()]));
    assert_eq!(code(&wrong, Kind::Api, &url).await, "tls-failed");
    assert_eq!(code(&fetcher(&allow), Kind::Api, &url).await, "tls-failed");
    // A server without TLS.
    let plain = Publisher::start().await;
    let fetcher = fetcher(&[plain.host()]);
    let url = format!("https://{}/", plain.host());
    assert!(["tls-failed", "fetch-timeout"].contains(&code(&fetcher, Kind::Crl, &url).await));
}

#[test]
fn tls_needs_a_root() {
    let refused = udap_trust::fetch::tls_config(&TlsRoots::These(Vec::new())).unwrap_err();
    assert_eq!(refused.code(), "tls-roots-missing");
}

#[tokio::test]
async fn an_api_answer_comes_with_its_status() {
    let server = TestServer::https(|asked| {
        assert_eq!(asked.headers.get("x-test").unwrap(), "1");
        Answer::new(400, "no").header("location", "https://elsewhere.example/")
    })
    .await;
    let fetcher = fetcher_trusting(&[server.host()], TlsRoots::These(vec![server.tls_root()]));
    let mut headers = HeaderMap::new();
    headers.insert("x-test", "1".parse().unwrap());
    let body = Bytes::from_static(b"body");
    let answer = fetcher
        .send(
            Kind::Api,
            Method::POST,
            &server.url("/a?b=c"),
            headers,
            body,
        )
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_ref()),
        (400, &b"no"[..])
    );
    let asked = server.asked();
    assert_eq!(
        (asked[0].target.as_str(), asked[0].body.as_ref()),
        ("/a?b=c", &b"body"[..])
    );
}

const CHILD_URL: &str = "UDAP_TEST_CHILD_URL";

/// Proxy variables are read at the start of a process, so this takes one.
#[tokio::test]
async fn proxy_variables_are_not_looked_at() {
    let (server, proxy) = (Publisher::start().await, Publisher::start().await);
    server.put("/x", Reply::ok("x"));
    let through = format!("http://127.0.0.1:{}", proxy.port());
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "fetch::in_a_process_with_proxy_variables"]);
    child.env(CHILD_URL, server.url("/x"));
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        child.env(name, &through);
    }
    let output = child.output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(server.count("/x"), 1);
    assert!(proxy.log().is_empty(), "{:?}", proxy.log());
}

/// The child of the test above; by itself it has nothing to do.
#[tokio::test]
async fn in_a_process_with_proxy_variables() {
    let Ok(url) = std::env::var(CHILD_URL) else {
        return;
    };
    let host = url.split('/').nth(2).unwrap().to_owned();
    assert_eq!(code(&fetcher(&[host]), Kind::Crl, &url).await, "fetched");
}
