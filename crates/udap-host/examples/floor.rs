//! What an empty handler costs: 2 KB POST over TLS keep-alive, HTTP/1.1, one worker.
//!
//! `cargo run --release -p udap-host --example floor [tls|plain|handshake|handshake-x25519] [seconds] [connections]`
//!
//! Prints requests per second and the CPU time that the worker's thread used per request, as the
//! kernel counts it. `handshake` opens a new TLS 1.3 connection for every request, with the
//! post-quantum group unless told otherwise.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and fails by panicking"
)]

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, routing::post};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use udap_host::listen::{self, Listen, TlsFiles};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "tls".to_owned());
    let seconds = arguments.next().map_or(5, |text| text.parse().unwrap());
    let connections: u32 = arguments.next().map_or(16, |text| text.parse().unwrap());

    let directory = tempfile::tempdir().unwrap();
    let (files, client) = certificate(directory.path(), &mode);
    let local: SocketAddr = ([127, 0, 0, 1], 0).into();
    let listen = if mode == "plain" {
        Listen::plain(local)
    } else {
        Listen::tls(local, files)
    };
    let router = || Router::new().route("/token", post(|_body: Bytes| async { ANSWER }));
    let running = listen::spawn(listen, router).unwrap();
    let addr = running.addr();

    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let load = {
        let (stop, count, mode) = (stop.clone(), count.clone(), mode.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let tasks = (0..connections).map(|_| {
                    tokio::spawn(ask(
                        addr,
                        client.clone(),
                        mode.clone(),
                        stop.clone(),
                        count.clone(),
                    ))
                });
                futures_util::future::join_all(tasks.collect::<Vec<_>>()).await;
            });
        })
    };
    std::thread::sleep(Duration::from_millis(500));
    let (start, cpu, done) = (Instant::now(), worker_cpu(), count.load(Ordering::Relaxed));
    std::thread::sleep(Duration::from_secs(seconds));
    let cpu = worker_cpu() - cpu;
    let done = count.load(Ordering::Relaxed) - done;
    let elapsed = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    load.join().unwrap();
    println!(
        "{mode}: {:.0} requests/s, {:.2} µs of worker CPU per request",
        done as f64 / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / done as f64
    );
}

async fn ask(
    addr: SocketAddr,
    client: Arc<ClientConfig>,
    mode: String,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) {
    let body = Bytes::from("a".repeat(2048));
    while !stop.load(Ordering::Relaxed) {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut sender = if mode == "plain" {
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .unwrap();
            tokio::spawn(connection);
            sender
        } else {
            let name = ServerName::try_from("localhost").unwrap();
            let connector = tokio_rustls::TlsConnector::from(client.clone());
            let stream = connector.connect(name, stream).await.unwrap();
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .unwrap();
            tokio::spawn(connection);
            sender
        };
        while !stop.load(Ordering::Relaxed) {
            let request = http::Request::post("/token")
                .header("host", "localhost")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Full::new(body.clone()))
                .unwrap();
            sender.ready().await.unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(
                response.into_body().collect().await.unwrap().to_bytes(),
                ANSWER
            );
            count.fetch_add(1, Ordering::Relaxed);
            if mode.starts_with("handshake") {
                break;
            }
        }
    }
}

/// CPU time of the worker's thread, in nanoseconds, from the scheduler.
fn worker_cpu() -> Duration {
    let worker = fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .find(|task| {
            fs::read_to_string(task.path().join("comm")).unwrap().trim() == "udap-worker-0"
        });
    let statistics = fs::read_to_string(worker.unwrap().path().join("schedstat")).unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

fn certificate(directory: &std::path::Path, mode: &str) -> (TlsFiles, Arc<ClientConfig>) {
    let files = TlsFiles {
        cert: directory.join("tls.pem"),
        key: directory.join("tls.key"),
    };
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(&files.cert, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if mode == "handshake-x25519" {
        provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
    }
    let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = rustls::client::Resumption::disabled();
    (files, Arc::new(client))
}

const ANSWER: &str = "{\"access_token\":\"…\",\"token_type\":\"Bearer\",\"expires_in\":900}";
