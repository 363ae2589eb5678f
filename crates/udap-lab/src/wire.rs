//! HTTP/1.1 over one connection, with nothing between the caller and the wire: no pool, no cache, no
//! second try. The sandbox asks its actors with it, and the benchmarks measure with it.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use udap_trust::fetch::{self, TlsRoots};
use url::Url;

/// Why there was no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("{url} names no host and port")]
    Url { url: String },
    #[error("no connection to {host}:{port}: {detail}")]
    Connect {
        host: String,
        port: u16,
        detail: String,
    },
    #[error("no TLS with {host}:{port}: {detail}")]
    Tls {
        host: String,
        port: u16,
        detail: String,
    },
    #[error("no answer from {host}:{port}: {detail}")]
    Answer {
        host: String,
        port: u16,
        detail: String,
    },
    #[error("TLS roots in {path} cannot be used: {detail}")]
    Roots { path: String, detail: String },
}

/// Where to connect to.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Address {
    /// The origin of a URL; `tls` is used for https.
    pub(crate) fn of(url: &str, tls: &Arc<ClientConfig>) -> Result<Self, WireError> {
        let bad = || WireError::Url {
            url: url.to_owned(),
        };
        let parsed = Url::parse(url).map_err(|_| bad())?;
        Ok(Self {
            host: parsed.host_str().ok_or_else(bad)?.to_owned(),
            port: parsed.port_or_known_default().ok_or_else(bad)?,
            tls: (parsed.scheme() == "https").then(|| Arc::clone(tls)),
        })
    }

    async fn tcp(&self) -> Result<TcpStream, WireError> {
        let failed = |detail: String| WireError::Connect {
            host: self.host.clone(),
            port: self.port,
            detail,
        };
        let connect = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout(CONNECT_TIMEOUT, connect).await {
            Err(_) => return Err(failed("it takes too long".to_owned())),
            Ok(stream) => stream.map_err(|error| failed(error.to_string()))?,
        };
        stream
            .set_nodelay(true)
            .map_err(|error| failed(error.to_string()))?;
        Ok(stream)
    }

    /// A verified TLS connection, to look at.
    pub(crate) async fn handshake(
        &self,
        config: &Arc<ClientConfig>,
    ) -> Result<TlsStream<TcpStream>, WireError> {
        let failed = |detail: String| WireError::Tls {
            host: self.host.clone(),
            port: self.port,
            detail,
        };
        let stream = self.tcp().await?;
        let name =
            ServerName::try_from(self.host.clone()).map_err(|error| failed(error.to_string()))?;
        let connect = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        match timeout(CONNECT_TIMEOUT, connect).await {
            Err(_) => Err(failed("it takes too long".to_owned())),
            Ok(stream) => stream.map_err(|error| failed(error.to_string())),
        }
    }
}

/// One connection that is kept alive.
#[derive(Debug)]
pub(crate) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    port: u16,
}

impl Wire {
    /// Connects. The connection is driven by a task of the current runtime and ends with `self`.
    pub(crate) async fn open(address: &Address) -> Result<Self, WireError> {
        let failed = |error: hyper::Error| WireError::Answer {
            host: address.host.clone(),
            port: address.port,
            detail: error.to_string(),
        };
        let sender = match &address.tls {
            Some(config) => {
                let stream = address.handshake(config).await?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(failed)?;
                tokio::spawn(connection);
                sender
            }
            None => {
                let stream = address.tcp().await?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(failed)?;
                tokio::spawn(connection);
                sender
            }
        };
        Ok(Self {
            sender,
            host: address.host.clone(),
            port: address.port,
        })
    }

    /// Sends a request, whose URI is a path, and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, WireError> {
        let failed = |error: hyper::Error| WireError::Answer {
            host: self.host.clone(),
            port: self.port,
            detail: error.to_string(),
        };
        if let Ok(host) = format!("{}:{}", self.host, self.port).parse() {
            request.headers_mut().insert(header::HOST, host);
        }
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(failed)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

/// One GET over a connection of its own.
pub(crate) async fn get(
    url: &str,
    bearer: Option<&str>,
    tls: &Arc<ClientConfig>,
) -> Result<Response<Bytes>, WireError> {
    let bad = || WireError::Url {
        url: url.to_owned(),
    };
    let address = Address::of(url, tls)?;
    let mut request = Request::get(target(url)?)
        .body(Full::default())
        .map_err(|_| bad())?;
    if let Some(token) = bearer {
        let value = format!("Bearer {token}").parse().map_err(|_| bad())?;
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let answer = async { Wire::open(&address).await?.send(request).await };
    match timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(WireError::Answer {
            host: address.host,
            port: address.port,
            detail: "it takes too long".to_owned(),
        }),
    }
}

/// Path and query of a URL: what goes into a request line.
pub(crate) fn target(url: &str) -> Result<String, WireError> {
    let parsed = Url::parse(url).map_err(|_| WireError::Url {
        url: url.to_owned(),
    })?;
    Ok(match parsed.query() {
        Some(query) => format!("{}?{query}", parsed.path()),
        None => parsed.path().to_owned(),
    })
}

/// TLS that trusts the roots in this PEM file and no others; the system's if there is none.
pub(crate) fn tls_config(roots: Option<&Path>) -> Result<Arc<ClientConfig>, WireError> {
    let path = || {
        roots.map_or_else(
            || "the system".to_owned(),
            |path| path.display().to_string(),
        )
    };
    let failed = |detail: String| WireError::Roots {
        path: path(),
        detail,
    };
    let roots = tls_roots(roots)?;
    let config = fetch::tls_config(&roots).map_err(|error| failed(error.to_string()))?;
    Ok(Arc::new(config))
}

/// The roots themselves.
pub(crate) fn tls_roots(path: Option<&Path>) -> Result<TlsRoots, WireError> {
    let Some(path) = path else {
        return Ok(TlsRoots::System);
    };
    let failed = |detail: String| WireError::Roots {
        path: path.display().to_string(),
        detail,
    };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificates =
        udap_pki::pem::certificates(&pem).map_err(|error| failed(error.to_string()))?;
    Ok(TlsRoots::These(
        certificates
            .iter()
            .map(|certificate| CertificateDer::from(certificate.der().to_vec()))
            .collect(),
    ))
}

/// Everything that is asked here is near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
