use std::{sync::Arc, time::Duration};

use udap_ca::{CaError, MemberKey};
use udap_host::listen::Shutdown;
use udap_pki::{
    Crl,
    issue::{Profile, RevocationReason},
};

use crate::fixture::{Fixture, app};

#[tokio::test]
async fn a_revocation_is_in_the_list_at_once() {
    let fixture = Fixture::new().await;
    let issued = fixture.app().await;
    let before = Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap();
    assert!(!before.contains(issued.certificate.serial()));

    let revoked = fixture
        .ca
        .revoke_certificate(
            issued.chain_pem().as_bytes(),
            RevocationReason::KeyCompromise,
        )
        .await
        .unwrap();
    assert_eq!(
        (revoked.crl_number, revoked.reason),
        (2, RevocationReason::KeyCompromise)
    );
    let after = Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap();
    assert!(after.contains(issued.certificate.serial()));
    let listed = fixture.ca.list().await.unwrap();
    let row = listed
        .iter()
        .find(|row| row.profile == Profile::App)
        .unwrap();
    assert_eq!(
        row.revoked,
        Some((fixture.clock.now(), RevocationReason::KeyCompromise))
    );
}

#[tokio::test]
async fn a_serving_process_sees_another_ones_revocation_within_a_second() {
    let fixture = Fixture::new().await;
    let shutdown = Shutdown::new();
    let (ca, stop) = (Arc::clone(&fixture.ca), shutdown.clone());
    let serving = tokio::spawn(async move { ca.run_background(stop).await });

    let other = fixture.other_process().await;
    let issued = other.issue(app()).await.unwrap();
    other
        .revoke(
            &issued.certificate.serial_hex(),
            RevocationReason::Superseded,
        )
        .await
        .unwrap();
    // A machine that has much else to do takes longer.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let crl = Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap();
        if crl.contains(issued.certificate.serial()) {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the serving process did not notice"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.trigger();
    serving.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_revoked_is_told_apart() {
    let fixture = Fixture::new().await;
    let issued = fixture.app().await;
    let reason = RevocationReason::Unspecified;
    let refusal = async |serial: &str| fixture.ca.revoke(serial, reason).await.unwrap_err();

    assert_eq!(refusal("xyz").await.code(), "ca-target");
    assert_eq!(refusal("").await.code(), "ca-target");
    assert_eq!(refusal("0123456789").await.code(), "ca-unknown-serial");
    let root = fixture.ca.root_certificate().serial_hex();
    assert_eq!(refusal(&root).await, CaError::RootRevocation);
    let file = fixture
        .ca
        .revoke_certificate(b"hello", reason)
        .await
        .unwrap_err();
    assert_eq!(file.code(), "ca-target");

    // The same serial number, but from another community.
    let other = Fixture::new().await;
    let foreign = fixture
        .ca
        .revoke_certificate(other.app().await.chain_pem().as_bytes(), reason)
        .await
        .unwrap_err();
    assert_eq!(foreign.code(), "ca-unknown-serial");

    // Issuer and serial number of a certificate that was issued, in one that was not.
    let mut forged = issued.certificate.der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = fixture.ca.revoke_certificate(&forged, reason).await;
    assert_eq!(forged.unwrap_err().code(), "ca-unknown-serial");

    fixture
        .ca
        .revoke(
            &issued.certificate.serial_hex(),
            RevocationReason::KeyCompromise,
        )
        .await
        .unwrap();
    let since = fixture.clock.now();
    fixture.clock.advance(60);
    let again = refusal(&issued.certificate.serial_hex()).await;
    assert!(
        matches!(again, CaError::AlreadyRevoked { at, .. } if at == since),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_revoked_issuing_ca_issues_nothing() {
    let fixture = Fixture::new().await;
    let serial = fixture.ca.issuing_certificate().serial_hex();
    fixture
        .ca
        .revoke(&serial, RevocationReason::CaCompromise)
        .await
        .unwrap();
    let crl = Crl::from_der(&fixture.get("/crl/root.crl").await.body).unwrap();
    assert!(crl.contains(fixture.ca.issuing_certificate().serial()));
    let refused = fixture.ca.issue(app()).await.unwrap_err();
    assert_eq!(refused.code(), "ca-issuer-unusable");
    let refused = fixture
        .ca
        .issue(app().key(MemberKey::Request(Vec::new())))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "ca-issuer-unusable");
}

#[tokio::test]
async fn an_entry_stays_until_one_list_after_the_certificates_end() {
    let fixture = Fixture::new().await;
    let issued = fixture.app().await;
    fixture
        .ca
        .revoke(
            &issued.certificate.serial_hex(),
            RevocationReason::Superseded,
        )
        .await
        .unwrap();
    let serial = issued.certificate.serial();
    let list = async || {
        fixture.ca.refresh().await.unwrap();
        Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap()
    };
    fixture.clock.advance(
        issued
            .certificate
            .not_after()
            .secs_since(fixture.clock.now())
            - 10,
    );
    assert!(list().await.contains(serial));
    fixture.clock.advance(13 * 3600);
    assert!(
        list().await.contains(serial),
        "the first list after the end still tells of it"
    );
    fixture.clock.advance(13 * 3600);
    assert!(!list().await.contains(serial));
}

#[tokio::test]
async fn the_root_is_not_revoked_by_itself() {
    let fixture = Fixture::new().await;
    let serial = fixture.ca.root_certificate().serial_hex();
    let error = fixture
        .ca
        .revoke(&serial, RevocationReason::KeyCompromise)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "ca-root-revocation");
}
