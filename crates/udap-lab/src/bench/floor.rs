//! What no server of this kind can be below: the bare signature operations, an empty handler on the
//! same listener, and a way to the upstream on which nothing is checked.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri, header};
use udap_gateway::{GatewayConfig, forward::Upstream};
use udap_host::listen::{self, Listen, Shutdown, TlsFiles};
use udap_proto::jws::JwsAlg;
use udap_trust::{
    keys::{KeyType, generate},
    signer::{KeySigner, Signer as _},
};

use super::{Alg, BenchError, cpu};

/// CPU time of verifying one assertion and signing one access token, on one thread, in microseconds.
pub(super) fn signatures(alg: Alg, message: &[u8]) -> Result<(f64, f64), BenchError> {
    let other = |error: String| BenchError::Other(error);
    let key = |kind| {
        let pkcs8 = generate(kind).map_err(|error| other(error.to_string()))?;
        KeySigner::from_pkcs8(&pkcs8).map_err(|error| other(error.to_string()))
    };
    let (client, jws_alg) = match alg {
        Alg::RS256 => (key(KeyType::Rsa2048)?, JwsAlg::RS256),
        Alg::ES256 => (key(KeyType::P256)?, JwsAlg::ES256),
    };
    let server = key(KeyType::P256)?;
    let signature = client
        .sign_now(jws_alg.scheme(), message)
        .map_err(|error| other(error.to_string()))?;
    let verify = time(|| {
        let verified = client
            .public_key()
            .verify(jws_alg.scheme(), message, &signature);
        verified.is_ok()
    })?;
    let sign = time(|| server.sign_now(JwsAlg::ES256.scheme(), message).is_ok())?;
    Ok((verify, sign))
}

/// CPU time of one call, in microseconds: the best of some rounds, since whatever disturbs a round
/// only makes it longer.
fn time(operation: impl Fn() -> bool) -> Result<f64, BenchError> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (wall, before) = (Instant::now(), cpu::of_this_thread());
        for _ in 0..CALLS {
            if !operation() {
                return Err(BenchError::Other("a signature operation failed".to_owned()));
            }
        }
        let used: Duration = match (before, cpu::of_this_thread()) {
            (Some(before), Some(after)) if after > before => after.abs_diff(before),
            _ => wall.elapsed(),
        };
        best = best.min(used.as_secs_f64() * 1e6 / f64::from(CALLS));
    }
    Ok(best)
}

/// An empty handler on the listener that the authorization server has: it reads the body and answers
/// with as many bytes as a token takes.
pub(crate) fn floor_server(listen: &str, cert: &str, key: &str) -> Result<(), anyhow::Error> {
    let answer = Bytes::from(format!("{{\"access_token\":\"{}\"}}", "x".repeat(1000)));
    serve(listen, cert, key, move || {
        let answer = answer.clone();
        Router::new().fallback(async move |body: Bytes| {
            let mut response = Response::new(Body::from(match body.is_empty() {
                true => Bytes::new(),
                false => answer,
            }));
            let headers = response.headers_mut();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        })
    })
}

/// The gateway's own way to the upstream, without a token, a decision or a rewritten byte.
pub(crate) fn pass_server(
    listen: &str,
    cert: &str,
    key: &str,
    upstream: &str,
) -> Result<(), anyhow::Error> {
    let origin: Uri = upstream.parse()?;
    let host = origin
        .authority()
        .ok_or_else(|| anyhow::anyhow!("{upstream} names no host"))?;
    let host = HeaderValue::from_str(host.as_str())?;
    let config = GatewayConfig::new("https://localhost", upstream);
    let way = Upstream::new(&config)?;
    serve(listen, cert, key, move || {
        let (way, host) = (way.for_worker(), host.clone());
        Router::new().fallback(async move |mut request: Request| {
            request.headers_mut().insert(header::HOST, host);
            match way.send(request).await {
                Ok(response) => response.map(Body::new),
                Err(_) => StatusCode::BAD_GATEWAY.into_response(),
            }
        })
    })
}

fn serve(
    listen: &str,
    cert: &str,
    key: &str,
    router: impl Fn() -> Router + Send + Sync + Clone + 'static,
) -> Result<(), anyhow::Error> {
    let addr: SocketAddr = listen.parse()?;
    let tls = TlsFiles {
        cert: PathBuf::from(cert),
        key: PathBuf::from(key),
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let shutdown = Shutdown::on_signals()?;
    listen::run(Listen::tls(addr, tls), workers, router, shutdown)?;
    Ok(())
}

const ROUNDS: u32 = 5;
const CALLS: u32 = 500;
