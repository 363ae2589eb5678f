//! `/healthz`: the process answers. `/readyz`: it can do its work.

use std::{fmt, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};

/// What must hold for the server to do its work. A check answers from memory.
#[derive(Clone, Default)]
pub struct Readiness(Vec<(&'static str, Weight, Check)>);

/// Whether requests are better sent to another node when a check fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Ready,
    Told,
}

type Check = Arc<dyn Fn() -> Result<(), &'static str> + Send + Sync>;

impl Readiness {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check; its error is a stable code, which anybody may read.
    #[must_use]
    pub fn check(
        mut self,
        name: &'static str,
        check: impl Fn() -> Result<(), &'static str> + Send + Sync + 'static,
    ) -> Self {
        self.0.push((name, Weight::Ready, Arc::new(check)));
        self
    }

    /// The same for what is told and takes nothing from being ready: what every node shares, or what
    /// works on as it was.
    #[must_use]
    pub fn tell(
        mut self,
        name: &'static str,
        check: impl Fn() -> Result<(), &'static str> + Send + Sync + 'static,
    ) -> Self {
        self.0.push((name, Weight::Told, Arc::new(check)));
        self
    }

    /// `/healthz` and `/readyz`
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .with_state(self)
    }
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let mut status = StatusCode::OK;
    let mut checks = serde_json::Map::new();
    for (name, weight, check) in &readiness.0 {
        let result = check();
        if result.is_err() && *weight == Weight::Ready {
            status = StatusCode::SERVICE_UNAVAILABLE;
        }
        checks.insert((*name).to_owned(), result.err().unwrap_or("ok").into());
    }
    let ready = status.is_success();
    let body = serde_json::json!({ "ready": ready, "checks": checks });
    crate::problem::json(status, "application/json", &body)
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, ..)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::body::Body;
    use tower_service::Service as _;

    use super::*;

    #[tokio::test]
    async fn ready_only_while_every_check_holds() {
        let full = Arc::new(AtomicBool::new(false));
        let seen = full.clone();
        let audit = move || {
            if seen.load(Ordering::Relaxed) {
                Err("disk-full")
            } else {
                Ok(())
            }
        };
        let mut router = Readiness::new()
            .check("audit", audit)
            .check("other", || Ok(()))
            .tell("told", || Err("identity-expired"))
            .router();
        let mut get = async |path: &str| {
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            let response = router.call(request).await.unwrap();
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(response.into_body(), 1000)
                .await
                .unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        let ok = r#"{"ready":true,"checks":{"audit":"ok","other":"ok","told":"identity-expired"}}"#;
        assert_eq!(get("/readyz").await, (200, ok.to_owned()));
        full.store(true, Ordering::Relaxed);
        let failed = r#"{"ready":false,"checks":{"audit":"disk-full","other":"ok","told":"identity-expired"}}"#;
        assert_eq!(get("/readyz").await, (503, failed.to_owned()));
        assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    }
}
