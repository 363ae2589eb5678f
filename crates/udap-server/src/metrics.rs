//! What the authorization server counts, for `/metrics`.

use crate::app::Server;
use std::fmt;
use udap_host::metrics::prometheus_client::collector::Collector;
use udap_host::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use udap_host::metrics::prometheus_client::metrics::counter::ConstCounter;
use udap_host::metrics::prometheus_client::metrics::gauge::ConstGauge;
use udap_host::metrics::prometheus_client::registry::Registry;

impl Server {
    /// Adds what is counted here.
    pub fn register_metrics(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Communities(self.clone())));
    }
}

#[derive(Debug)]
struct Communities(Server);

impl Collector for Communities {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (reloads, failures) = self.0.community_reloads();
        for (name, help, value) in [
            (
                "community_reloads",
                "Communities exchanged while running",
                reloads,
            ),
            (
                "community_reloads_failed",
                "Changes of communities that could not be used",
                failures,
            ),
        ] {
            let counter = ConstCounter::new(value);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        let trouble = i64::try_from(self.0.trouble().len()).unwrap_or(i64::MAX);
        let gauge = ConstGauge::new(trouble);
        let help = "Communities that are not as they are configured";
        let kind = gauge.metric_type();
        gauge.encode(encoder.encode_descriptor("community_trouble", help, None, kind)?)
    }
}
