//! The administration: who gets in, what they see, what they can do.

mod api;
mod attempts;
mod local;
mod login;
mod pages;
mod requests;

use crate::support::{Holder, Reply, encoded, request};
use axum::body::Body;
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tower_service::Service as _;
use udap_host::listen::Peer;
use udap_server::{Admin, LocalAdmin, Role};

const HOST: &str = "127.0.0.1:9443";
const PASSWORD: &str = "correct horse battery staple";

/// A data holder with its administration, and two operators.
struct Site {
    holder: Holder,
    admin: Admin,
    local: LocalAdmin,
}

impl Site {
    async fn new() -> Self {
        Self::of(Holder::new().await).await
    }

    async fn of(holder: Holder) -> Self {
        let find = |code: &str| {
            let known = udap_server::CATALOGUE.iter().chain(udap_proto::CATALOGUE);
            known.into_iter().find(|entry| entry.code == code)
        };
        let admin = Admin::new(&holder.server, &holder.config, find);
        let local = LocalAdmin::open((*holder.config).clone(), "command line".to_owned())
            .await
            .unwrap();
        for (name, role) in [("ada", Role::Operator), ("vera", Role::Viewer)] {
            local.add_operator(name, PASSWORD, role).await.unwrap();
        }
        Self {
            holder,
            admin,
            local,
        }
    }

    async fn send(&self, mut request: Request<Body>) -> Reply {
        let headers = request.headers_mut();
        if !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, HOST.parse().unwrap());
        }
        if request.extensions().get::<Peer>().is_none() {
            let peer: SocketAddr = "127.0.0.1:50000".parse().unwrap();
            request.extensions_mut().insert(Peer(peer));
        }
        let response = self.admin.router().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// A token for the API.
    async fn token(&self, role: Role) -> String {
        let made = self.local.create_token("robot", role, 1).await.unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    async fn api(&self, method: Method, path: &str, token: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.send(request(method, path, &headers, body)).await
    }

    async fn get(&self, path: &str, token: &str) -> Reply {
        self.api(Method::GET, path, token, &Value::Null).await
    }

    async fn act(&self, client_id: &str, word: &str, token: &str, reason: &str) -> Reply {
        let path = format!("/api/v1/apps/{client_id}/{word}");
        let reason = json!({ "reason": reason });
        self.api(Method::POST, &path, token, &reason).await
    }

    async fn post_form(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> Reply {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", "http://127.0.0.1:9443"),
            ("sec-fetch-site", "same-origin"),
            ("cookie", cookie),
        ];
        self.send(request(Method::POST, path, &headers, encoded(form)))
            .await
    }

    async fn log_in(&self, name: &str, password: &str) -> Reply {
        let form = [("name", name), ("password", password)];
        self.post_form("/login", "", &form).await
    }

    /// The cookie of somebody who logged in.
    async fn logged_in(&self, name: &str) -> String {
        let reply = self.log_in(name, PASSWORD).await;
        assert_eq!(reply.status, 303, "{reply}");
        let cookie = reply.header(header::SET_COOKIE).to_owned();
        assert!(
            cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"),
            "{cookie}"
        );
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn page(&self, path: &str, cookie: &str) -> Reply {
        self.send(request(Method::GET, path, &[("cookie", cookie)], ""))
            .await
    }

    /// The token that forms of a session carry.
    async fn csrf(&self, cookie: &str) -> String {
        let page = self.page("/", cookie).await;
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        let after = text.split("name=\"csrf\" value=\"").nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    }

    async fn audited(&self, event: &str) -> Vec<Value> {
        let query = [("event", event.to_owned()), ("limit", "500".to_owned())];
        self.holder.server.audit().flush().await.unwrap();
        let found = self.local.get("audit", &query).await.unwrap();
        found["entries"].as_array().unwrap().clone()
    }
}

/// `409 app-state`
fn problem(reply: &Reply) -> String {
    assert_eq!(
        reply.header(header::CONTENT_TYPE),
        "application/problem+json",
        "{reply}"
    );
    let code = reply.text("code");
    assert!(crate::support::explained(&code), "{code}");
    assert!(!reply.text("title").is_empty() && !reply.text("hint").is_empty());
    assert_eq!(reply.json()["status"], reply.status.as_u16());
    format!("{} {code}", reply.status.as_u16())
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}
