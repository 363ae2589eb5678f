//! What Prometheus is told.

use crate::support::{Holder, assertion, statement, world};
use udap_host::listen::TlsFiles;
use udap_host::metrics::Metrics;
use udap_pki::pem;

#[tokio::test]
async fn registrations_tokens_refusals_fetches_and_certificates_are_counted() {
    let holder = Holder::new().await;
    let metrics = Metrics::new(|registry| holder.server.register_metrics(&holder.config, registry));
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

#[tokio::test]
async fn the_end_of_the_tls_certificate_is_told_as_the_file_is_now() {
    let holder = Holder::new().await;
    let mut config = (*holder.config).clone();
    let identity = config.communities[0].identities[0].clone();
    let directory = tempfile::tempdir().unwrap();
    let cert = directory.path().join("tls.pem");
    config.tls = Some(TlsFiles {
        cert: cert.clone(),
        key: directory.path().join("tls.key"),
    });
    let metrics = Metrics::new(|registry| holder.server.register_metrics(&config, registry));
    let line = "udap_certificate_expires_seconds{used_for=\"tls\"} ";
    assert!(!metrics.encode().contains(line), "there is none yet");
    std::fs::copy(&identity.cert, &cert).unwrap();
    let leaf = pem::certificates(&std::fs::read(&cert).unwrap()).unwrap();
    let ends = format!("{line}{}\n", leaf[0].not_after().0);
    let text = metrics.encode();
    assert!(text.contains(&ends), "{ends} is not in\n{text}");
}
