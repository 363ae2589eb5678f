//! What the FHIR server sees, and what becomes of its answers.

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use udap_gateway::UpstreamToken;

use crate::kit::{Answer, Kit, answer, fhir_json};

#[tokio::test]
async fn the_decided_interaction_is_sent_and_not_the_words_of_the_client() {
    let kit = Kit::new().await;
    for (method, target, sent) in [
        ("GET", "/r4/Patient/1", "/fhir/Patient/1"),
        ("HEAD", "/r4/Patient/1", "/fhir/Patient/1"),
        ("GET", "/r4/%50atient/a%2Db/", "/fhir/Patient/a-b"),
        (
            "GET",
            "https://evil.example/r4/Patient/1",
            "/fhir/Patient/1",
        ),
        (
            "GET",
            "/r4/Patient?name=a;_include=b&name=c",
            "/fhir/Patient?name=a%3B_include%3Db&name=c",
        ),
        (
            "GET",
            "/r4/Observation?subject=https://gw.example/r4/Patient/1",
            &format!("/fhir/Observation?subject={}/Patient/1", kit.fhir.base()),
        ),
    ] {
        let answer = kit.call(kit.request(method, target, "system/*.rs")).await;
        assert_eq!(answer.status(), 200, "{target}");
        let seen = kit.fhir.last();
        assert_eq!(seen.uri.to_string(), sent);
        assert_eq!(seen.method, method);
        assert!(seen.body.is_empty());
    }
}

#[tokio::test]
async fn headers_pass_by_name_and_the_token_does_not() {
    let kit = Kit::new().await;
    let mut request = kit.request("GET", "/r4/Patient/1", "system/*.rs");
    for (name, value) in [
        ("host", "gw.example"),
        ("accept", "application/fhir+json"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-original-url", "/fhir/Observation"),
        ("forwarded", "for=1.2.3.4;host=evil"),
        ("x-forwarded-for", "1.2.3.4"),
        ("cookie", "a=b"),
        ("if-none-match", "W/\"1\""),
        ("connection", "keep-alive, x-secret"),
        ("x-secret", "1"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    kit.call(request).await;
    let headers = kit.fhir.last().headers;
    let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "forwarded",
            "host",
            "if-none-match",
            "via",
            "x-request-id"
        ]
    );
    assert_eq!(headers["host"], kit.fhir.address.to_string().as_str());
    assert_eq!(
        headers["forwarded"],
        "for=192.0.2.7;host=gw.example;proto=https"
    );
}

#[tokio::test]
async fn the_token_is_forwarded_when_configured() {
    let kit = Kit::with(|config| config.upstream_token = UpstreamToken::Forward).await;
    kit.get("/r4/Patient/1", "system/*.rs").await;
    let headers = kit.fhir.last().headers;
    assert!(
        headers["authorization"]
            .to_str()
            .unwrap()
            .starts_with("Bearer ey")
    );
    // Not where it was not verified.
    let mut open = Request::builder()
        .uri("/r4/metadata")
        .body(Body::empty())
        .unwrap();
    open.headers_mut()
        .insert("authorization", "Bearer unverified".parse().unwrap());
    kit.call(open).await;
    assert!(!kit.fhir.last().headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_search_form_is_read_whole_and_written_anew() {
    let kit = Kit::new().await;
    let post = |body: Body, media_type: &str| {
        let mut request = kit.request("POST", "/r4/Patient/_search?_count=2", "system/Patient.s");
        request
            .headers_mut()
            .insert("content-type", media_type.parse().unwrap());
        *request.body_mut() = body;
        request
    };
    let form = "application/x-www-form-urlencoded; charset=UTF-8";
    assert_eq!(
        kit.call(post(Body::from("name=a+b&family=%C3%A4"), form))
            .await
            .status(),
        200
    );
    let seen = kit.fhir.last();
    assert_eq!(
        (seen.method.as_str(), seen.uri.to_string().as_str()),
        ("POST", "/fhir/Patient/_search")
    );
    assert_eq!(
        seen.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(seen.body, "_count=2&name=a%20b&family=%C3%A4");
    let count = kit.fhir.count();
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'a'; 1024]))
    });
    let broken = futures_util::stream::iter([
        Ok(bytes::Bytes::from_static(b"name=")),
        Err(std::io::Error::other("gone")),
    ]);
    for (request, status, code) in [
        (
            post(Body::from("_include=*"), form),
            403,
            "include-undecided",
        ),
        (
            post(Body::from("subject.name=x"), form),
            403,
            "chain-undecided",
        ),
        (post(Body::from("name=%"), form), 400, "query-bad-encoding"),
        (
            post(Body::from("{}"), "application/json"),
            415,
            "form-expected",
        ),
        (
            post(Body::from_stream(endless), form),
            413,
            "form-too-large",
        ),
        (
            post(Body::from_stream(broken), form),
            400,
            "form-incomplete",
        ),
    ] {
        assert_eq!(
            Answer::of(kit.call(request).await).await.refusal(),
            (status, code.to_owned())
        );
    }
    let mut compressed = post(Body::from("x"), form);
    compressed
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(
        Answer::of(kit.call(compressed).await).await.refusal(),
        (415, "form-expected".to_owned())
    );
    // The scopes decide before anything of the form is read.
    let mut forbidden = kit.request("POST", "/r4/Observation/_search", "system/Patient.s");
    *forbidden.body_mut() = Body::from_stream(futures_util::stream::pending::<
        Result<bytes::Bytes, std::io::Error>,
    >());
    assert_eq!(
        Answer::of(kit.call(forbidden).await).await.refusal(),
        (403, "insufficient-scope".to_owned())
    );
    assert_eq!(kit.fhir.count(), count);
}

#[tokio::test]
async fn a_search_form_that_stalls_is_given_up() {
    let kit = Kit::with(|config| config.timeouts.idle = Duration::from_millis(50)).await;
    let mut request = kit.request("POST", "/r4/Patient/_search", "system/Patient.s");
    request.headers_mut().insert(
        "content-type",
        "application/x-www-form-urlencoded".parse().unwrap(),
    );
    *request.body_mut() = Body::from_stream(futures_util::stream::pending::<
        Result<bytes::Bytes, std::io::Error>,
    >());
    assert_eq!(
        Answer::of(kit.call(request).await).await.refusal(),
        (408, "form-slow".to_owned())
    );
}

#[tokio::test]
async fn answers_that_lead_around_the_gateway_are_replaced() {
    let kit = Kit::new().await;
    let secret = format!("at {}", kit.fhir.address);
    for (status, media_type, extra, expected_status, code) in [
        (
            301,
            "text/html",
            ("location", "http://10.0.0.5/"),
            502,
            "upstream-redirect",
        ),
        (
            307,
            "application/fhir+json",
            ("location", "/elsewhere"),
            502,
            "upstream-redirect",
        ),
        (
            401,
            "application/fhir+json",
            ("www-authenticate", "Basic"),
            502,
            "upstream-unauthorized",
        ),
        (
            407,
            "application/fhir+json",
            ("proxy-authenticate", "Basic"),
            502,
            "upstream-unauthorized",
        ),
        (
            500,
            "application/fhir+json",
            ("x-a", "b"),
            502,
            "upstream-failed",
        ),
        (
            503,
            "text/html",
            ("retry-after", "5"),
            503,
            "upstream-unavailable",
        ),
        (504, "text/html", ("x-a", "b"), 504, "upstream-timeout"),
        (404, "text/html", ("x-a", "b"), 404, "upstream-refused"),
        (200, "text/html", ("x-a", "b"), 502, "upstream-media-type"),
        (
            200,
            "application/fhir+turtle",
            ("x-a", "b"),
            502,
            "upstream-media-type",
        ),
        (
            200,
            "application/fhir+json",
            ("content-encoding", "gzip"),
            502,
            "upstream-compressed",
        ),
        (
            200,
            "application/fhir+json; charset=utf-16",
            ("x-a", "b"),
            502,
            "upstream-charset",
        ),
    ] {
        let body = secret.clone();
        let media_type = media_type.to_owned();
        kit.fhir.answers(move |_| {
            let mut response = answer(status, &media_type, body.clone());
            response
                .headers_mut()
                .insert(extra.0, extra.1.parse().unwrap());
            response
        });
        let answer = kit.get("/r4/Patient/1", "system/*.rs").await;
        assert_eq!(
            answer.refusal(),
            (expected_status, code.to_owned()),
            "{status}"
        );
        assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
        assert!(
            !answer.headers.contains_key("location")
                && !answer.headers.contains_key("www-authenticate")
        );
    }
}

#[tokio::test]
async fn fhir_errors_and_not_modified_pass() {
    let kit = Kit::new().await;
    kit.fhir.answers(|_| {
        answer(
            404,
            "application/fhir+json",
            r#"{"resourceType":"OperationOutcome"}"#,
        )
    });
    let gone = kit.get("/r4/Patient/1", "system/*.rs").await;
    assert_eq!(
        (gone.status.as_u16(), gone.text.as_str()),
        (404, r#"{"resourceType":"OperationOutcome"}"#)
    );
    kit.fhir.answers(|_| {
        Response::builder()
            .status(304)
            .header("etag", "W/\"1\"")
            .body(Body::empty())
            .unwrap()
    });
    let same = kit.get("/r4/Patient/1", "system/*.rs").await;
    assert_eq!(
        (same.status.as_u16(), same.header("etag")),
        (304, "W/\"1\"")
    );
}

#[tokio::test]
async fn a_binary_passes_untouched() {
    let kit = Kit::new().await;
    let bytes: Vec<u8> = format!("\u{1}{}/Patient/1\u{2}", kit.fhir.base()).into();
    let sent = bytes.clone();
    kit.fhir
        .answers(move |_| answer(200, "application/pdf", sent.clone()));
    let answer = kit.get("/r4/Binary/1", "system/Binary.r").await;
    assert_eq!(answer.text.as_bytes(), bytes);
    assert_eq!(answer.header("content-type"), "application/pdf");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let kit = Kit::new().await;
    kit.fhir
        .answers(|_| fhir_json(r#"{"resourceType":"Patient"}"#));
    let response = kit
        .call(kit.request("HEAD", "/r4/Patient/1", "system/*.rs"))
        .await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/fhir+json;charset=utf-8"
    );
    assert_eq!(kit.fhir.last().method, "HEAD");
    assert_eq!(Answer::of(response).await.text, "");
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let kit = Kit::new().await;
    for _ in 0..5 {
        assert_eq!(kit.get("/r4/Patient/1", "system/*.rs").await.status, 200);
    }
    let seen = kit.fhir.seen.lock().unwrap().clone();
    assert!(seen.iter().all(|s| s.connection == seen[0].connection));
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    // A server that closes each connection after one answer, without saying so.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (counter, count) = (
        std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)),
        6,
    );
    let accepted = std::sync::Arc::clone(&counter);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: 2\r\n\r\n{}";
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let kit = Kit::with(|config| config.upstream = format!("http://{address}/fhir")).await;
    for _ in 0..count {
        assert_eq!(kit.get("/r4/Patient/1", "system/*.rs").await.status, 200);
    }
    assert_eq!(counter.load(std::sync::atomic::Ordering::Relaxed), count);
}

#[tokio::test]
async fn a_read_is_sent_again_when_a_kept_connection_breaks_under_it() {
    // A server that answers once on each connection and closes it when the next request arrives.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = socket.read(&mut buffer).await;
                let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: 2\r\n\r\n{}";
                let _ = socket.write_all(answer.as_bytes()).await;
                let _ = socket.read(&mut buffer).await;
            });
        }
    });
    let kit = Kit::with(|config| config.upstream = format!("http://{address}/fhir")).await;
    for _ in 0..4 {
        assert_eq!(kit.get("/r4/Patient/1", "system/*.rs").await.status, 200);
    }
}

#[tokio::test]
async fn troubles_behind_the_gateway_have_codes_and_no_addresses() {
    // Nobody listens.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let kit = Kit::with(|config| config.upstream = format!("http://{closed}/fhir")).await;
    let unreachable = kit.get("/r4/Patient/1", "system/*.rs").await;
    assert_eq!(
        unreachable.refusal(),
        (502, "upstream-unreachable".to_owned())
    );
    // Accepts and stays silent; speaks something else; breaks off.
    for (answer, status, code) in [
        (None, 504, "upstream-timeout"),
        (Some("SSH-2.0-OpenSSH_9.2\r\n"), 502, "upstream-broken"),
        (
            Some("HTTP/1.1 200 OK\r\ncontent-le"),
            502,
            "upstream-broken",
        ),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            match answer {
                Some(answer) => socket.write_all(answer.as_bytes()).await.unwrap(),
                None => std::future::pending().await,
            }
        });
        let kit = Kit::with(|config| {
            config.upstream = format!("http://{address}/fhir");
            if answer.is_none() {
                config.timeouts.first_byte = Duration::from_millis(100);
            }
        })
        .await;
        let answer = kit.get("/r4/Patient/1", "system/*.rs").await;
        assert_eq!(answer.refusal(), (status, code.to_owned()));
        assert!(
            !answer.text.contains("127.0.0.1")
                && !answer.text.contains(&address.port().to_string())
        );
    }
}

#[tokio::test]
async fn an_answer_that_stalls_is_broken_off() {
    let kit = Kit::with(|config| config.timeouts.idle = Duration::from_millis(50)).await;
    kit.fhir.answers(|_| {
        use futures_util::StreamExt as _;
        let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(
            bytes::Bytes::from_static(b"{\"a\":"),
        )]);
        fhir_json(Body::from_stream(
            begun.chain(futures_util::stream::pending()),
        ))
    });
    let response = kit
        .call(kit.request("GET", "/r4/Patient/1", "system/*.rs"))
        .await;
    assert_eq!(response.status(), 200);
    let result = http_body_util::BodyExt::collect(response.into_body()).await;
    assert!(result.is_err());
}
