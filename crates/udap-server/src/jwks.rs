//! `GET {base}/oauth/jwks`: the keys that access tokens are signed with.

use crate::app::Server;
use axum::Json;
use axum::extract::State;
use serde_json::Value;

pub(crate) async fn get(State(server): State<Server>) -> Json<Value> {
    Json(server.access_key.keys().to_json())
}
