//! Bodies stream both ways: nobody holds more of them than is on its way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use udap_gateway::{
    GatewayConfig,
    forward::{Asker, Upstream, UpstreamBody, UpstreamError},
};

use crate::kit::{BASE, Kit, answer};

const PIECE: usize = 64 * 1024;
const PIECES: usize = 1024;

/// 64 MiB in pieces, and how many bytes were made so far.
fn large(piece: Bytes) -> (Body, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let pieces = futures_util::stream::iter((0..PIECES).map(move |_| {
        counter.fetch_add(piece.len(), Ordering::Relaxed);
        Ok::<_, std::io::Error>(piece.clone())
    }));
    (Body::from_stream(pieces), made)
}

/// Sockets, buffers of both sides, and what TCP windows grow to on loopback.
const ON_ITS_WAY: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn a_large_answer_waits_for_a_slow_client() {
    for (target, media_type) in [
        ("/r4/Patient/1", "application/fhir+json"),
        ("/r4/Binary/1", "video/mp4"),
    ] {
        let kit = Kit::new().await;
        let text = format!("\"{}/Patient/1\", ", kit.fhir.base());
        let piece = Bytes::from(text.repeat(PIECE / text.len()));
        let (body, made) = large(piece.clone());
        let body = std::sync::Mutex::new(Some(body));
        kit.fhir
            .answers(move |_| answer(200, media_type, body.lock().unwrap().take().unwrap()));
        let mut body = kit
            .call(kit.request("GET", target, "system/*.rs"))
            .await
            .into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(!first.is_empty());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let ahead = made.load(Ordering::Relaxed);
        assert!(
            ahead < ON_ITS_WAY,
            "{ahead} bytes were made for a client that took {}",
            first.len()
        );
        let mut read = first.len();
        while let Some(frame) = body.frame().await {
            read += frame.unwrap().into_data().unwrap().len();
        }
        let replaced = text.replace(&kit.fhir.base(), BASE);
        let expected = match media_type {
            "video/mp4" => PIECES * piece.len(),
            _ => PIECES * (PIECE / text.len()) * replaced.len(),
        };
        assert_eq!(read, expected);
        assert_eq!(made.load(Ordering::Relaxed), PIECES * piece.len());
    }
}

#[tokio::test]
async fn a_large_request_waits_for_a_slow_server() {
    // Writes are not decided yet, so this is the way to the server itself.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let go = Arc::new(tokio::sync::Notify::new());
    let gone = Arc::clone(&go);
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; PIECE];
        let mut read = socket.read(&mut buffer).await.unwrap();
        gone.notified().await;
        // The end of a chunked body.
        while !buffer[..read].ends_with(b"0\r\n\r\n") {
            read = socket.read(&mut buffer).await.unwrap();
        }
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
    });
    let upstream = Upstream::new(&GatewayConfig::new(BASE, format!("http://{address}"))).unwrap();
    let (body, made) = large(Bytes::from(vec![b'x'; PIECE]));
    let request = Request::put("/Binary/1")
        .header("host", address.to_string())
        .body(body)
        .unwrap();
    let sending = tokio::spawn(async move { upstream.send(request).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ahead = made.load(Ordering::Relaxed);
    assert!(
        ahead > 0 && ahead < ON_ITS_WAY,
        "{ahead} bytes were made for a server that took {PIECE}"
    );
    go.notify_one();
    assert_eq!(sending.await.unwrap().unwrap().status(), 200);
    assert_eq!(made.load(Ordering::Relaxed), PIECES * PIECE);
    server.await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    let kit = Kit::new().await;
    let (body, made) = large(Bytes::from(vec![b' '; PIECE]));
    let body = std::sync::Mutex::new(Some(body));
    kit.fhir.answers(move |_| {
        answer(
            200,
            "application/json",
            body.lock().unwrap().take().unwrap(),
        )
    });
    let mut body = kit
        .call(kit.request("GET", "/r4/Patient/1", "system/*.rs"))
        .await
        .into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        made.load(Ordering::Relaxed) < PIECES * PIECE,
        "the server went on writing for nobody"
    );
    // The broken connection is not used again.
    kit.fhir.answers(|_| answer(200, "application/json", "{}"));
    assert_eq!(kit.get("/r4/Patient/1", "system/*.rs").await.text, "{}");
}

/// A FHIR server that begins each answer and never ends it.
async fn endless() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 4096]).await;
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{";
                socket.write_all(head).await.unwrap();
                // Until the gateway goes.
                let _ = socket.read(&mut [0; 1]).await;
            });
        }
    });
    address
}

/// Over HTTP/2 a client that opens no window leaves its answers unread without a byte of cost to it.
#[tokio::test]
async fn clients_that_take_nothing_do_not_keep_the_connections_from_others() {
    let address = endless().await;
    let mut config = GatewayConfig::new(BASE, format!("http://{address}"));
    // Longer than it takes to open all connections.
    config.timeouts.idle = Duration::from_secs(6);
    let upstream = Upstream::new(&config).unwrap();
    let send = async |asker| {
        let request = || {
            let request = Request::get("/metadata").header("host", "fhir");
            request.body(Body::empty()).unwrap()
        };
        upstream.send_safe(asker, request).await
    };
    // Strangers have a part of them.
    let mut kept = Vec::new();
    for _ in 0..32 {
        kept.push(send(Asker::Stranger).await.unwrap());
    }
    let refused = send(Asker::Stranger).await.map(drop);
    assert_eq!(refused, Err(UpstreamError::Busy));
    let mut taken = send(Asker::Known).await.unwrap();
    assert!(taken.frame().await.unwrap().is_ok());
    while kept.len() < 255 {
        kept.push(send(Asker::Known).await.unwrap());
    }
    let refused = send(Asker::Known).await.map(drop);
    assert_eq!(refused, Err(UpstreamError::Busy));

    // Whoever took something a moment ago keeps its own; the others lose theirs when it is needed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let waits = async |taken: &mut http::Response<UpstreamBody>| {
        let frame = tokio::time::timeout(Duration::from_millis(1), taken.frame());
        frame.await.is_err()
    };
    assert!(waits(&mut taken).await);
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert!(send(Asker::Known).await.is_ok());
    assert!(send(Asker::Stranger).await.is_ok());
    for mut answer in kept {
        assert!(answer.frame().await.unwrap().is_err());
    }
    assert!(waits(&mut taken).await);
}
