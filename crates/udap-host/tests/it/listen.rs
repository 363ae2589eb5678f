//! Ports, limits and the graceful stop, over plain HTTP.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, Router, routing::get};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use udap_host::listen::{self, Listen, ListenError, Peer, Shutdown};

use crate::support::*;

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = listen::spawn(Listen::plain(LOCAL), hello).unwrap();
    let addr = first.addr();
    // The first listener shares its port among workers; a second server must not slip in.
    let error = listen::spawn(Listen::plain(addr), hello).unwrap_err();
    assert_eq!(error, ListenError::AddressInUse { addr });
    assert_eq!(error.code(), "address-in-use");
    assert_eq!(
        error.to_string(),
        format!("address 127.0.0.1 port {} is already in use", addr.port())
    );
    assert!(error.hint().contains(&addr.port().to_string()));
    first.stop().await.unwrap();

    // Once stopped, the port is free at once.
    listen::spawn(Listen::plain(addr), hello)
        .unwrap()
        .stop()
        .await
        .unwrap();
}

#[test]
fn an_address_of_another_machine_is_named() {
    let addr: SocketAddr = "203.0.113.7:8443".parse().unwrap();
    let error = listen::spawn(Listen::plain(addr), hello).unwrap_err();
    assert_eq!(error, ListenError::AddressUnavailable { addr });
    assert_eq!(error.code(), "address-unavailable");
}

#[tokio::test]
async fn handlers_see_the_peer() {
    let router = || {
        Router::new().route(
            "/",
            get(|Extension(Peer(addr)): Extension<Peer>| async move { addr.to_string() }),
        )
    };
    let server = listen::spawn(Listen::plain(LOCAL), router).unwrap();
    let stream = TcpStream::connect(server.addr()).await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    let response = http1(stream)
        .await
        .send_request(get_request("/"))
        .await
        .unwrap();
    assert_eq!(text(response).await, own);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn each_worker_makes_its_router_and_serves() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = made.clone();
    let router = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Router::new().route(
            "/",
            get(|| async { std::thread::current().name().unwrap_or_default().to_owned() }),
        )
    };
    let shutdown = Shutdown::new();
    let server = listen::start(Listen::plain(LOCAL), 3, router, shutdown.clone()).unwrap();
    assert_eq!(made.load(Ordering::Relaxed), 3);
    let mut threads = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let stream = TcpStream::connect(server.addr()).await.unwrap();
        let response = http1(stream)
            .await
            .send_request(get_request("/"))
            .await
            .unwrap();
        threads.insert(text(response).await);
    }
    let all = ["udap-worker-0", "udap-worker-1", "udap-worker-2"];
    assert_eq!(threads.into_iter().collect::<Vec<_>>(), all);
    shutdown.trigger();
    tokio::task::spawn_blocking(|| server.join())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_closes_idle_connections() {
    let entered = Arc::new(tokio::sync::Notify::new());
    let signal = entered.clone();
    let router = move || {
        let signal = signal.clone();
        Router::new().route("/", get(|| async { "hello" })).route(
            "/slow",
            get(|| async move {
                signal.notify_one();
                tokio::time::sleep(Duration::from_millis(300)).await;
                "finished"
            }),
        )
    };
    let server = listen::spawn(Listen::plain(LOCAL), router).unwrap();
    let addr = server.addr();
    let mut idle = http1(TcpStream::connect(addr).await.unwrap()).await;
    let response = idle.send_request(get_request("/")).await.unwrap();
    assert_eq!(text(response).await, "hello");
    let mut slow = http1(TcpStream::connect(addr).await.unwrap()).await;
    let answer = tokio::spawn(async move { slow.send_request(get_request("/slow")).await });
    entered.notified().await;

    server.stop().await.unwrap();
    let response = answer.await.unwrap().unwrap();
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(text(response).await, "finished");
    assert!(idle.send_request(get_request("/")).await.is_err());
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_stop_ends_at_its_deadline() {
    let mut listen = Listen::plain(LOCAL);
    listen.limits.drain = Duration::from_millis(200);
    let entered = Arc::new(tokio::sync::Notify::new());
    let signal = entered.clone();
    let router = move || {
        let signal = signal.clone();
        let never = async move || {
            signal.notify_one();
            std::future::pending::<&str>().await
        };
        Router::new().route("/", get(never))
    };
    let server = listen::spawn(listen, router).unwrap();
    let mut client = http1(TcpStream::connect(server.addr()).await.unwrap()).await;
    let answer = tokio::spawn(async move { client.send_request(get_request("/")).await });
    entered.notified().await;
    let start = Instant::now();
    server.stop().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(answer.await.unwrap().is_err());
}

#[tokio::test]
async fn headers_that_are_too_large_or_too_slow_are_refused() {
    let mut listen = Listen::plain(LOCAL);
    listen.limits.max_header_bytes = 8 * 1024;
    let server = listen::spawn(listen, hello).unwrap();

    let mut client = http1(TcpStream::connect(server.addr()).await.unwrap()).await;
    let mut request = get_request("/");
    request
        .headers_mut()
        .insert("x-large", "x".repeat(9 * 1024).parse().unwrap());
    let response = client.send_request(request).await.unwrap();
    assert_eq!(
        response.status(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
    server.stop().await.unwrap();

    let mut listen = Listen::plain(LOCAL);
    listen.limits.header_read = Duration::from_millis(200);
    let server = listen::spawn(listen, hello).unwrap();
    let mut slow = TcpStream::connect(server.addr()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(start.elapsed() < Duration::from_secs(2));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut() {
    let files = Files::new();
    let mut listen = Listen::tls(LOCAL, files.tls.clone());
    listen.limits.handshake = Duration::from_millis(100);
    let server = listen::spawn(listen, hello).unwrap();
    let failed = listen::stats().handshakes_failed();
    let mut silent = TcpStream::connect(server.addr()).await.unwrap();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    eventually("it is counted", async || {
        listen::stats().handshakes_failed() > failed
    })
    .await;
    server.stop().await.unwrap();
}

/// Limits of connections on which nothing moves, short enough for a test; of a handshake, which is to succeed, long
/// enough for a machine that has much else to do.
fn impatient(mut listen: Listen, header_read: Duration) -> Listen {
    listen.limits.header_read = header_read;
    listen.limits.handshake = Duration::from_secs(1);
    listen
}

/// Reads until the server closes.
async fn closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    let read = async { while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {} };
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .is_ok()
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let soon = Duration::from_millis(150);
    let server = listen::spawn(impatient(Listen::plain(LOCAL), soon), hello).unwrap();
    // The last ones may be the beginning of HTTP/2, and are it.
    for said in ["", "G", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        assert!(closed(&mut stream).await, "{said:?}");
    }
    server.stop().await.unwrap();

    let files = Files::new();
    let listen = impatient(Listen::tls(LOCAL, files.tls.clone()), soon);
    let server = listen::spawn(listen, hello).unwrap();
    for protocol in ["h2", "http/1.1"] {
        let mut client = Client::new();
        client.alpn = vec![protocol];
        let config = client.config(&files.cert);
        let mut stream = connect(server.addr(), &config).await.unwrap();
        assert!(closed(&mut stream).await, "{protocol}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_though_it_answers_pings() {
    let files = Files::new();
    let mut listen = Listen::tls(LOCAL, files.tls.clone());
    listen.limits.header_read = Duration::from_secs(1);
    let server = listen::spawn(listen, hello).unwrap();
    let mut client = Client::new();
    client.alpn = vec!["h2"];
    let config = client.config(&files.cert);
    let mut sender = http2(connect(server.addr(), &config).await.unwrap()).await;
    // It stays while requests come.
    for _ in 0..15 {
        let answer = sender.send_request(get_request("/")).await.unwrap();
        assert_eq!(text(answer).await, "hello");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eventually("it is closed", async || sender.is_closed()).await;
    server.stop().await.unwrap();
}

/// Whoever waits for us is not cut, however long it takes us; whoever takes nothing is.
#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let given_up = Arc::new(AtomicUsize::new(0));
    let counter = given_up.clone();
    let router = move || {
        let counter = counter.clone();
        let endless = move || {
            let dropped = Dropped(counter.clone());
            let pieces = futures_util::stream::repeat_with(move || {
                let _ = &dropped;
                Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'x'; 65_536]))
            });
            std::future::ready(axum::body::Body::from_stream(pieces))
        };
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let piece = async {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                Ok::<_, std::io::Error>("finished")
            };
            axum::body::Body::from_stream(futures_util::stream::once(piece))
        };
        Router::new()
            .route("/endless", get(endless))
            .route("/slow", get(slow))
    };
    let files = Files::new();
    // Requests have to be there within that time as well.
    let limit = Duration::from_secs(1);
    let listen = impatient(Listen::tls(LOCAL, files.tls.clone()), limit);
    let server = listen::spawn(listen, router).unwrap();
    let dial = async |protocol| {
        let mut client = Client::new();
        client.alpn = vec![protocol];
        let config = client.config(&files.cert);
        connect(server.addr(), &config).await.unwrap()
    };
    let over_h1 = async {
        let mut h1 = http1(dial("http/1.1").await).await;
        let answer = h1.send_request(get_request("/slow")).await.unwrap();
        assert_eq!(text(answer).await, "finished");
    };
    let over_h2 = async {
        let mut h2 = http2(dial("h2").await).await;
        let answer = h2.send_request(get_request("/slow")).await.unwrap();
        assert_eq!(text(answer).await, "finished");
    };
    tokio::join!(over_h1, over_h2);

    // The senders and the answers are kept: it is the server that ends it.
    let mut h1 = http1(dial("http/1.1").await).await;
    let _untaken = h1.send_request(get_request("/endless")).await.unwrap();
    let mut h2 = http2(dial("h2").await).await;
    let _untaken = h2.send_request(get_request("/endless")).await.unwrap();
    eventually("both answers are given up", async || {
        given_up.load(Ordering::Relaxed) == 2
    })
    .await;
    server.stop().await.unwrap();
}

/// Counts when it goes.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Each port has its own places: one that is full keeps nobody from another.
#[tokio::test]
async fn connections_over_the_cap_are_closed() {
    let mut listen = Listen::plain(LOCAL);
    listen.limits.max_connections = 1;
    let server = listen::spawn(listen.clone(), hello).unwrap();
    let other = listen::spawn(listen, hello).unwrap();
    let refused = listen::stats().refused();
    let idle = TcpStream::connect(server.addr()).await.unwrap();
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let _ = stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    assert!(listen::stats().refused() > refused);
    let mut stream = TcpStream::connect(other.addr()).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    drop(idle);
    server.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test]
async fn a_router_that_panics_is_a_failed_start_not_a_hang() {
    let error = listen::spawn(Listen::plain(LOCAL), || panic!("no router")).unwrap_err();
    assert_eq!(error, ListenError::WorkerFailed);
    assert_eq!(error.code(), "worker-failed");
}

#[tokio::test]
async fn a_signal_to_the_process_is_a_stop() {
    let shutdown = Shutdown::on_signals().unwrap();
    let server = listen::start(Listen::plain(LOCAL), 1, hello, shutdown.clone()).unwrap();
    assert!(!shutdown.is_triggered());
    let own = std::process::id().to_string();
    let sent = tokio::process::Command::new("kill")
        .args(["-TERM", &own])
        .status()
        .await;
    assert!(sent.unwrap().success());
    tokio::task::spawn_blocking(|| server.join())
        .await
        .unwrap()
        .unwrap();
    assert!(shutdown.is_triggered());
}

/// HTTP/2 gets a GOAWAY: the streams that are open end well.
#[tokio::test]
async fn a_stop_lets_http2_streams_finish() {
    let files = Files::new();
    let entered = Arc::new(tokio::sync::Notify::new());
    let signal = entered.clone();
    let router = move || {
        let signal = signal.clone();
        let slow = async move || {
            signal.notify_one();
            tokio::time::sleep(Duration::from_millis(200)).await;
            "finished"
        };
        Router::new().route("/", get(slow))
    };
    let server = listen::spawn(Listen::tls(LOCAL, files.tls.clone()), router).unwrap();
    let mut client = Client::new();
    client.alpn = vec!["h2"];
    let stream = connect(server.addr(), &client.config(&files.cert))
        .await
        .unwrap();
    let mut sender = http2(stream).await;
    let mut second = sender.clone();
    let answer = tokio::spawn(async move { sender.send_request(get_request("/")).await });
    entered.notified().await;
    server.stop().await.unwrap();
    assert_eq!(text(answer.await.unwrap().unwrap()).await, "finished");
    assert!(second.send_request(get_request("/")).await.is_err());
}
