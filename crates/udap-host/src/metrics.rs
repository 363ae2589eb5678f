//! Counters and histograms in the Prometheus text format.
//!
//! `/metrics` tells how busy a server is and whom it refuses: serve it on `metrics_listen`, apart
//! from what partners reach.
//!
//! ```
//! use std::time::Duration;
//! use udap_host::metrics::{Metrics, Requests};
//!
//! let requests = Requests::default();
//! let metrics = Metrics::new(|registry| requests.register(registry));
//! requests.observe("token", "ok", Duration::from_micros(90));
//! assert!(metrics.encode().contains("udap_requests_total"));
//! ```

use std::{fmt, sync::Arc, time::Duration};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
pub use prometheus_client;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::Histogram,
    },
    registry::Registry,
};

use crate::listen;

/// What this process exports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Registry>);

impl Metrics {
    /// A role registers its own beside those of the listener; names get the prefix `udap_`.
    pub fn new(register: impl FnOnce(&mut Registry)) -> Self {
        let mut registry = Registry::with_prefix("udap");
        registry.register_collector(Box::new(Listeners));
        register(&mut registry);
        Self(Arc::new(registry))
    }

    /// `/metrics`
    pub fn router(&self) -> Router {
        Router::new()
            .route("/metrics", get(serve))
            .with_state(self.clone())
    }

    /// The text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail; a collector that does leaves what was written before.
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.0) {
            tracing::error!(%error, "metrics cannot be encoded");
        }
        text
    }
}

async fn serve(State(metrics): State<Metrics>) -> impl IntoResponse {
    (
        [(http::header::CONTENT_TYPE, TEXT_FORMAT)],
        metrics.encode(),
    )
}

/// Requests by endpoint and outcome, and how long they took. Some 100 ns each.
#[derive(Clone, Debug)]
pub struct Requests {
    count: Family<Labels, Counter>,
    seconds: Family<Endpoint, Histogram, fn() -> Histogram>,
}

impl Default for Requests {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            count: Family::default(),
            seconds: Family::new_with_constructor(histogram),
        }
    }
}

impl Requests {
    pub fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests answered", self.count.clone());
        registry.register("request_seconds", "Time to answer", self.seconds.clone());
    }

    /// `outcome` is `ok` or the code of a refusal: known names only, never what a peer sent, or a
    /// peer could fill the memory.
    pub fn observe(&self, endpoint: &'static str, outcome: &'static str, took: Duration) {
        self.count
            .get_or_create(&Labels { endpoint, outcome })
            .inc();
        self.seconds
            .get_or_create(&Endpoint { endpoint })
            .observe(took.as_secs_f64());
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    endpoint: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

/// What the listeners of this process count.
#[derive(Debug)]
struct Listeners;

impl Collector for Listeners {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = listen::stats();
        let open = ConstGauge::new(i64::try_from(stats.open()).unwrap_or(i64::MAX));
        let help = "Connections open now";
        open.encode(encoder.encode_descriptor(
            "connections_open",
            help,
            None,
            open.metric_type(),
        )?)?;
        for (name, help, value) in [
            (
                "connections_accepted",
                "Connections accepted",
                stats.accepted(),
            ),
            (
                "connections_refused",
                "Connections closed because too many were open",
                stats.refused(),
            ),
            (
                "tls_handshakes_failed",
                "TLS handshakes that failed",
                stats.handshakes_failed(),
            ),
            ("tls_reloads", "TLS certificates reloaded", stats.reloads()),
            (
                "tls_reloads_failed",
                "Changed TLS files that could not be used",
                stats.reloads_failed(),
            ),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

/// Seconds: from a cached answer to an upstream that hangs.
const BUCKETS: [f64; 10] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

const TEXT_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_listeners_are_exported() {
        let requests = Requests::default();
        let metrics = Metrics::new(|registry| requests.register(registry));
        requests.observe("token", "ok", Duration::from_micros(90));
        requests.observe("token", "replayed", Duration::from_millis(2));
        let text = metrics.encode();
        for line in [
            "udap_requests_total{endpoint=\"token\",outcome=\"ok\"} 1",
            "udap_requests_total{endpoint=\"token\",outcome=\"replayed\"} 1",
            "udap_request_seconds_count{endpoint=\"token\"} 2",
            "udap_request_seconds_bucket{le=\"0.0001\",endpoint=\"token\"} 1",
            "# TYPE udap_connections_open gauge",
            "# TYPE udap_tls_reloads_failed counter",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
