//! What a data holder exports for Prometheus beside its requests: fetches, exchanged communities, the trust
//! epoch, and what ends when. Every label is by configuration or one of a few words.

use crate::admin::certificates::{ADMIN_TLS, leaf, tls_files};
use crate::app::Server;
use crate::communities::certifiers_of;
use std::fmt;
use std::path::PathBuf;
use udap_host::config::Config;
use udap_host::metrics::prometheus_client::collector::Collector;
use udap_host::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use udap_host::metrics::prometheus_client::metrics::MetricType;
use udap_host::metrics::prometheus_client::metrics::counter::ConstCounter;
use udap_host::metrics::prometheus_client::metrics::gauge::ConstGauge;
use udap_host::metrics::prometheus_client::registry::Registry;
use udap_pki::{Certificate, UnixTime};
use udap_trust::fetch;

impl Server {
    /// Registers everything that this server counts, and when the TLS certificates of its configuration end.
    pub fn register_metrics(&self, config: &Config, registry: &mut Registry) {
        self.audit.events().register(registry);
        registry.register_collector(Box::new(Facts(self.clone(), tls_files(config))));
    }
}

/// Asked when somebody scrapes.
#[derive(Debug)]
struct Facts(Server, Vec<(&'static str, PathBuf)>);

impl Collector for Facts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut fetches = encoder.encode_descriptor(
            "fetches",
            "CRLs, OCSP responses and the like that were fetched",
            None,
            MetricType::Counter,
        )?;
        for counts in fetch::counts() {
            for (result, count) in [("good", counts.good), ("failed", counts.failed)] {
                let labels = [("kind", counts.kind), ("result", result)];
                let family = fetches.encode_family(&labels)?;
                ConstCounter::new(count).encode(family)?;
            }
        }
        let trust = self.0.communities.trust();
        let epoch = i64::try_from(trust.epoch().now()).unwrap_or(i64::MAX);
        gauge(
            &mut encoder,
            "trust_epoch",
            "Rises with each change of what is trusted",
            epoch,
        )?;
        let failing = i64::from(self.0.audit.trouble().is_some());
        gauge(
            &mut encoder,
            "audit_failing",
            "1 while the audit trail cannot be written",
            failing,
        )?;

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
        gauge(
            &mut encoder,
            "community_trouble",
            "Communities that are not as they are configured",
            trouble,
        )?;
        let mut expires = encoder.encode_descriptor(
            "certificate_expires_seconds",
            "When the earliest certificate of that use ends, as a Unix time",
            None,
            MetricType::Gauge,
        )?;
        for served in self.0.communities.all().iter() {
            let uri = served.community.uri.as_str();
            let anchors = |world: &str| {
                let anchors = trust.community(world).map(|trust| trust.anchors);
                let anchors = anchors.unwrap_or_default();
                anchors
                    .iter()
                    .map(|anchor| anchor.certificate().not_after())
                    .min()
            };
            for (used_for, ends) in [
                (
                    "identity",
                    served.identities().map(Certificate::not_after).min(),
                ),
                ("anchor", anchors(uri)),
                ("certifier-anchor", anchors(&certifiers_of(uri))),
            ] {
                let Some(UnixTime(ends)) = ends else { continue };
                let labels = [("community", uri), ("used_for", used_for)];
                ConstGauge::new(ends).encode(expires.encode_family(&labels)?)?;
            }
        }
        for (name, path) in &self.1 {
            let Some(leaf) = leaf(path) else { continue };
            let used_for = if *name == ADMIN_TLS {
                "admin-tls"
            } else {
                "tls"
            };
            let UnixTime(ends) = leaf.not_after();
            ConstGauge::new(ends).encode(expires.encode_family(&[("used_for", used_for)])?)?;
        }
        let mut lapses = encoder.encode_descriptor(
            "revocation_data_expires_seconds",
            "When the first CRL or OCSP response in use lapses, as a Unix time",
            None,
            MetricType::Gauge,
        )?;
        let crls = trust
            .known_crls()
            .into_iter()
            .map(|(uri, _, until, _)| (uri, until));
        let responses = trust
            .known_ocsp()
            .into_iter()
            .map(|(uri, _, until)| (uri, until));
        let known: Vec<_> = crls.chain(responses).collect();
        for served in self.0.communities.all().iter() {
            let uri = served.community.uri.as_str();
            let of_it = known.iter().filter(|(community, _)| community == uri);
            let Some(UnixTime(until)) = of_it.filter_map(|(_, until)| *until).min() else {
                continue;
            };
            let labels = [("community", uri)];
            ConstGauge::new(until).encode(lapses.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: i64,
) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
