//! Certifiers who lose the trust that they had when an app registered.

use crate::certifications::{
    AUDIT, AUDITOR, PRIVACY, audit, audit_by, audited, auditor, certifier, privacy, register,
    requiring, supporting, watched,
};
use crate::support::{Holder, Jwt, Member, assertion, world, write_private};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use udap_pki::issue::Profile;
use udap_trust::clock;

/// Whether the app gets a token: `200`, or the refusal.
async fn token(holder: &Holder, app: &Member, client_id: &str) -> String {
    let reply = holder.token(&assertion(app, client_id).sign()).await;
    match reply.status.as_u16() {
        200 => "200".to_owned(),
        _ => reply.refusal(),
    }
}

/// Registers an app with one certification; its `client_id`.
async fn certified(holder: &Holder, app: &Member, certification: &Jwt) -> String {
    let reply = register(holder, app, &[certification.sign()]).await;
    assert_eq!(reply.status, 201, "{reply}");
    reply.text("client_id")
}

/// One round of the background, with what is said of certifications since.
async fn round(holder: &Holder, minutes: i64) -> Vec<String> {
    holder.server.refresh().await;
    let at = clock::now().plus_secs(minutes * 60);
    holder.server.watch_certifications(at).await;
    let mut events = audited(holder).await;
    events.retain(|event| event.starts_with("certification-refused"));
    events
}

const LAPSED: &str = "400 invalid_client certification-lapsed";

/// What a compromised certifier signed ends with its certificate, not with its own `exp`.
#[tokio::test]
async fn a_certifier_that_is_revoked_takes_what_it_signed_along() {
    let holder = requiring().await;
    let a = &world().a;
    let (lost, kept) = (
        a.app("https://lost.certifier.example"),
        a.app("https://kept.certifier.example"),
    );
    let compromised = auditor();
    let lost_id = certified(&holder, &lost, &audit_by(&compromised, &lost)).await;
    let kept_id = certified(&holder, &kept, &audit(&kept)).await;
    assert_eq!(round(&holder, 0).await, [""; 0]);
    world().auditors.revoke(compromised.leaf());
    let revoked = ["certification-refused certificate-revoked"];
    assert_eq!(round(&holder, 0).await, revoked);
    assert_eq!(token(&holder, &lost, &lost_id).await, LAPSED);
    assert_eq!(token(&holder, &kept, &kept_id).await, "200");
    // It stays so, is said once, and a restart changes nothing.
    assert_eq!(round(&holder, 20).await, revoked);
    let holder = holder.killed_and_started_again().await;
    assert_eq!(round(&holder, 0).await, revoked);
    assert_eq!(token(&holder, &lost, &lost_id).await, LAPSED);
    assert_eq!(token(&holder, &kept, &kept_id).await, "200");
    // The certification of one that is trusted lets the app go on.
    let again = register(&holder, &lost, &[audit(&lost).sign()]).await;
    assert_eq!(again.status, 200, "{again}");
    assert_eq!(token(&holder, &lost, &lost_id).await, "200");
}

/// Like the registration, which is the URI's.
#[tokio::test]
async fn what_an_app_says_of_itself_stays_when_its_certificate_is_replaced() {
    let more = format!("certifications_required = [\"{PRIVACY}\"]\n");
    let holder = supporting(&more).await;
    let app = world().a.app("https://renewed.certifier.example");
    let id = certified(&holder, &app, &privacy(&app)).await;
    let renewed = world().a.app("https://renewed.certifier.example");
    world().a.revoke(app.leaf());
    assert_eq!(round(&holder, 0).await, [""; 0]);
    let revoked = "400 invalid_client certificate-revoked";
    assert_eq!(token(&holder, &app, &id).await, revoked);
    assert_eq!(token(&holder, &renewed, &id).await, "200");
}

/// An outage is no loss of trust.
#[tokio::test]
async fn a_certifier_of_whom_nothing_can_be_told_keeps_what_it_signed() {
    let holder = requiring().await;
    let app = world().a.app("https://outage.certifier.example");
    let id = certified(&holder, &app, &audit(&app)).await;
    let hosts = holder.config.fetch.allow_hosts.clone();
    let holder = holder
        .restarted_with(|config| config.fetch.allow_hosts.clear())
        .await;
    for minutes in [0, 20] {
        assert_eq!(round(&holder, minutes).await, [""; 0]);
        let unknown = "400 invalid_client revocation-unavailable";
        assert_eq!(token(&holder, &app, &id).await, unknown);
    }
    let holder = holder
        .restarted_with(|config| config.fetch.allow_hosts = hosts)
        .await;
    assert_eq!(token(&holder, &app, &id).await, "200");
}

/// By a reload or by a restart; and the certifier's own word does not bring back what its anchor lost.
#[tokio::test]
async fn an_anchor_of_certifiers_that_is_taken_away_takes_certifications_along() {
    let says = Arc::new(AtomicU16::new(1));
    let server = certifier(&says).await;
    let more = format!("certifications_required = [\"{AUDIT}\"]\n");
    let mut holder = watched(&server, &more).await;
    let a = &world().a;
    let (plain, asked) = (
        a.app("https://plain.anchor.example"),
        a.app("https://asked.anchor.example"),
    );
    let confirmed = audit(&asked).claim("certification_status_endpoint", server.url("/status"));
    let plain_id = certified(&holder, &plain, &audit(&plain)).await;
    let asked_id = certified(&holder, &asked, &confirmed).await;
    let (good, rogue) = (
        world().auditors.root.certificate.to_pem(),
        world().rogue.root.certificate.to_pem(),
    );
    for restart in [false, true] {
        for (anchor, expected) in [(&rogue, LAPSED), (&good, "200")] {
            let file = holder.directory().join("auditors.pem");
            write_private(&file, anchor.as_bytes());
            if restart {
                holder = holder.killed_and_started_again().await;
            } else {
                holder.server.reload_communities().await;
            }
            // The second time as well, when certifiers were asked again.
            for minutes in [0, 20, 40] {
                round(&holder, minutes).await;
                let state = format!("{restart} {minutes}");
                let plain = token(&holder, &plain, &plain_id).await;
                assert_eq!(plain, expected, "{state}");
                let asked = token(&holder, &asked, &asked_id).await;
                assert_eq!(asked, expected, "{state}");
            }
        }
    }
    // What a certifier took back stays so under whatever anchor.
    says.store(0, Ordering::Relaxed);
    round(&holder, 60).await;
    assert_eq!(token(&holder, &asked, &asked_id).await, LAPSED);
    assert_eq!(token(&holder, &plain, &plain_id).await, "200");
    says.store(1, Ordering::Relaxed);
    let events = round(&holder, 80).await;
    assert_eq!(token(&holder, &asked, &asked_id).await, LAPSED);
    let expected = vec!["certification-refused chain-not-trusted"; 4];
    assert_eq!(events, expected);
}

/// Also where its root is replaced by one of the same name with another key, or the certifier sent along
/// something of that name beforehand.
#[tokio::test]
async fn an_anchor_that_is_gone_takes_certifications_along_whatever_else_has_its_name() {
    let auditors = &world().auditors;
    let rogue = world().rogue.root.certificate.clone();
    let root = || auditors.namesake(Profile::Root);
    let no_ca = auditors.namesake(Profile::App);
    for (sent, anchor, code) in [
        (vec![], root(), "signature-invalid"),
        (vec![root()], rogue.clone(), "signature-invalid"),
        (vec![no_ca], rogue, "not-a-ca"),
    ] {
        let holder = requiring().await;
        let app = world().a.app("https://disguised.certifier.example");
        let auditor = auditor();
        let auditor = auditor.with_chain([auditor.chain.clone(), sent].concat());
        let id = certified(&holder, &app, &audit_by(&auditor, &app)).await;
        let file = holder.directory().join("auditors.pem");
        write_private(&file, anchor.to_pem().as_bytes());
        holder.server.reload_communities().await;
        let refused = format!("certification-refused {code}");
        assert_eq!(round(&holder, 0).await, [refused]);
        assert_eq!(token(&holder, &app, &id).await, LAPSED, "{code}");
    }
}

#[tokio::test]
async fn who_may_certify_is_looked_at_again_when_the_lists_change() {
    let more = format!(
        "certifications_required = [\"{AUDIT}\", \"{PRIVACY}\"]\n\
         certifiers = [\"{AUDITOR}\"]\n"
    );
    let holder = supporting(&more).await;
    let app = world().a.app("https://lists.certifier.example");
    let sent = [audit(&app).sign(), privacy(&app).sign()];
    let reply = register(&holder, &app, &sent).await;
    assert_eq!(reply.status, 201, "{reply}");
    let id = reply.text("client_id");
    let path = holder.directory().join("udap.toml");
    let usual = std::fs::read_to_string(&path).unwrap();
    let other = usual.replacen(
        &format!("certifiers = [\"{AUDITOR}\"]"),
        "certifiers = [\"https://other.example\"]",
        1,
    );
    let nobody = usual.replacen(
        &format!("certifications_self_signed = [\"{PRIVACY}\"]\n"),
        "",
        1,
    );
    for (text, code) in [
        (&other, "certifier-unknown"),
        (&nobody, "certification-self-signed"),
    ] {
        for (text, expected) in [(text, LAPSED), (&usual, "200")] {
            std::fs::write(&path, text).unwrap();
            holder.server.reload_communities().await;
            assert_eq!(holder.server.trouble(), []);
            let events = round(&holder, 0).await;
            let refused = format!("certification-refused {code}");
            assert_eq!(events.last(), Some(&refused));
            assert_eq!(token(&holder, &app, &id).await, expected, "{code}");
        }
    }
}
