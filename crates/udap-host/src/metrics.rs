//! Counters and histograms in the Prometheus text format.
//!
//! `/metrics` tells how busy a server is and whom it refuses: serve it on `metrics_listen`, apart
//! from what partners reach.
//!
//! ```
//! use std::time::Duration;
//! use udap_host::metrics::{Events, Metrics};
//!
//! let events = Events::default();
//! let metrics = Metrics::new(|registry| events.register(registry));
//! events.observe("token-issued", "", Some(Duration::from_micros(90)));
//! assert!(metrics.encode().contains("udap_events_total"));
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

/// What the audit trail says, counted: each entry by its event and, where it has one, its code, and how
/// long the request took. Counted by the writer of the trail, so that no request waits for it.
#[derive(Clone, Debug)]
pub struct Events {
    count: Family<Labels, Counter>,
    seconds: Family<Event, Histogram, fn() -> Histogram>,
}

impl Default for Events {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            count: Family::default(),
            seconds: Family::new_with_constructor(histogram),
        }
    }
}

impl Events {
    pub fn register(&self, registry: &mut Registry) {
        registry.register("events", "Entries of the audit trail", self.count.clone());
        registry.register("event_seconds", "Time to answer", self.seconds.clone());
    }

    /// `code` is empty or that of a refusal: known names only, never what a peer sent, or a peer could
    /// fill the memory.
    pub fn observe(&self, event: &'static str, code: &'static str, took: Option<Duration>) {
        self.count.get_or_create(&Labels { event, code }).inc();
        if let Some(took) = took {
            self.seconds
                .get_or_create(&Event { event })
                .observe(took.as_secs_f64());
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    event: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    event: &'static str,
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
    fn events_and_listeners_are_exported() {
        let events = Events::default();
        let metrics = Metrics::new(|registry| events.register(registry));
        events.observe("token-issued", "", Some(Duration::from_micros(90)));
        events.observe(
            "token-refused",
            "jwt-replayed",
            Some(Duration::from_millis(2)),
        );
        events.observe("token-refused", "jwt-replayed", None);
        let text = metrics.encode();
        for line in [
            "udap_events_total{event=\"token-issued\",code=\"\"} 1",
            "udap_events_total{event=\"token-refused\",code=\"jwt-replayed\"} 2",
            "udap_event_seconds_count{event=\"token-refused\"} 1",
            "udap_event_seconds_bucket{le=\"0.0001\",event=\"token-issued\"} 1",
            "# TYPE udap_connections_open gauge",
            "# TYPE udap_tls_reloads_failed counter",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
