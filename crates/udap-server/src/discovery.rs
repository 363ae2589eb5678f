//! `GET {base}/.well-known/smart-configuration` (SMART App Launch 2.2) and
//! `GET /.well-known/oauth-authorization-server{path of base}` (RFC 8414 §3): what this server does,
//! for those who know nothing of UDAP. From the configuration alone, and written once.

use crate::app::Server;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value};
use udap_proto::discovery::AuthorizationServer;

/// Both documents, as they are sent.
#[derive(Debug)]
pub(crate) struct Discovery {
    smart: Bytes,
    oauth: Bytes,
}

impl Discovery {
    pub(crate) fn new(server: &AuthorizationServer) -> Self {
        let text = |map: Map<String, Value>| Value::Object(map).to_string().into();
        Self {
            smart: text(server.smart_configuration()),
            oauth: text(server.oauth_metadata()),
        }
    }
}

pub(crate) async fn smart_configuration(State(server): State<Server>) -> Response {
    document(server.base().discovery.smart.clone())
}

pub(crate) async fn oauth_metadata(State(server): State<Server>) -> Response {
    document(server.base().discovery.oauth.clone())
}

/// A document that anybody may read.
pub(crate) fn document(json: Bytes) -> Response {
    let mut response = public(Response::new(Body::from(json)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Anybody may read it and keep it for a while, a page in a browser too: HL7 SSRAA §2.1 wants it open.
pub(crate) fn public(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
