//! What Prometheus is told.

use crate::support::{Holder, assertion, statement, world};
use udap_host::metrics::Metrics;

#[tokio::test]
async fn registrations_tokens_refusals_fetches_and_certificates_are_counted() {
    let holder = Holder::new().await;
    let metrics = Metrics::new(|registry| holder.server.register_metrics(registry));
    let app = world().a.app("https://counted.metrics.example");
    let id = holder.registered(&app).await;
    let once = assertion(&app, &id).sign();
    assert_eq!(holder.token(&once).await.status, 200);
    assert_eq!(holder.token(&once).await.status, 400);
    // What a stranger writes is no label.
    let wrong = statement(&app).claim("aud", "https://stranger.example/x");
    holder.register(&wrong.sign()).await;
    holder.token("not even a JWT").await;
    holder.server.audit().flush().await.unwrap();

    let text = metrics.encode();
    let a = &world().a.uri;
    for line in [
        "udap_events_total{event=\"registration-created\",code=\"\"} 1",
        "udap_events_total{event=\"token-issued\",code=\"\"} 1",
        "udap_events_total{event=\"token-refused\",code=\"jwt-replayed\"} 1",
        "udap_events_total{event=\"registration-refused\",code=\"aud-mismatch\"} 1",
        "udap_event_seconds_count{event=\"token-refused\"} 2",
        "# TYPE udap_trust_epoch gauge",
        "udap_audit_failing 0",
        &format!("udap_certificate_expires_seconds{{community=\"{a}\",used_for=\"identity\"}} "),
        &format!("udap_certificate_expires_seconds{{community=\"{a}\",used_for=\"anchor\"}} "),
        &format!("udap_revocation_data_expires_seconds{{community=\"{a}\"}} "),
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(
        !text.contains("stranger.example") && !text.contains(&id),
        "{text}"
    );
    let fetched = text
        .lines()
        .find_map(|line| line.strip_prefix("udap_fetches_total{kind=\"crl\",result=\"good\"} "));
    assert!(fetched.unwrap().parse::<u64>().unwrap() > 0, "{text}");
}
