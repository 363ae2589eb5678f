//! The verdict cache: acceptances only, for as long as all they rest upon holds.

use crate::ask;
use crate::need_loop::Setup;
use crate::pki::at;
use crate::{Pki, Reply};
use udap_pki::issue::{OcspStatus, Urls};
use udap_pki::{Anchor, Revocation};
use udap_proto::Refusal as _;
use udap_testkit::{DAY, NOW};
use udap_trust::verify::{CommunityTrust, TrustEngine};

#[tokio::test]
async fn a_verdict_of_one_community_never_serves_another() {
    let Setup { pki, .. } = Setup::new().await;
    let other = Pki::new("http://other.example");
    let mut one = pki.trust();
    one.policy.revocation = Revocation::Off;
    let mut two = CommunityTrust::new(
        "https://two.example",
        vec![Anchor::new(other.root.certificate.clone())],
    );
    two.policy.revocation = Revocation::Off;
    let engine = TrustEngine::new(None, vec![one, two]);
    let (leaf, helpers) = (pki.leaf(), [pki.issuing.certificate.clone()]);
    for _ in 0..2 {
        let verdict = engine.verify(&pki.uri, &leaf, &helpers, NOW).await.unwrap();
        assert_eq!(verdict.community(), pki.uri);
        let refused = engine
            .verify("https://two.example", &leaf, &helpers, NOW)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "chain-not-trusted");
    }
}

#[tokio::test]
async fn junk_beside_a_good_leaf_spoils_nothing() {
    let Setup { pki, engine, .. } = Setup::new().await;
    let (leaf, other) = (pki.leaf(), Pki::new("http://other.example"));
    let good = pki.issuing.certificate.clone();
    let junk = [
        other.issuing.certificate.clone(),
        other.root.certificate.clone(),
        other.leaf(),
        leaf.clone(),
    ];
    // Without the issuing CA it is refused, and that is not remembered against the leaf.
    let refused = engine
        .verify(&pki.uri, &leaf, &junk, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "chain-not-trusted");
    assert!(
        engine
            .verify(&pki.uri, &leaf, std::slice::from_ref(&good), NOW)
            .await
            .is_ok()
    );
    let mixed = [&junk[..2], &[good], &junk[2..]].concat();
    assert!(engine.verify(&pki.uri, &leaf, &mixed, NOW).await.is_ok());
    // Nor does the acceptance serve whoever leaves the issuing CA out.
    let refused = engine
        .verify(&pki.uri, &leaf, &junk, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "chain-not-trusted");
}

#[tokio::test]
async fn a_verdict_holds_from_the_last_beginning_to_the_first_end() {
    let Setup { pki, engine, .. } = Setup::new().await;
    let leaf = pki.leaf();
    let verdict = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    assert_eq!(verdict.expires(), at(DAY));
    assert!(ask(&engine, &pki, &leaf, at(DAY - 1)).await.is_ok());
    // The list lapses: what the server still publishes is not good enough.
    assert_eq!(
        ask(&engine, &pki, &leaf, at(DAY + 1)).await.unwrap_err(),
        "revocation-unavailable"
    );
    assert_eq!(
        ask(&engine, &pki, &leaf, at(-DAY - 1)).await.unwrap_err(),
        "certificate-not-yet-valid"
    );
    assert_eq!(
        ask(&engine, &pki, &leaf, at(91 * DAY)).await.unwrap_err(),
        "certificate-expired"
    );
}

#[tokio::test]
async fn when_the_epoch_moves_earlier_verdicts_are_not_believed() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    let before = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    assert_eq!(before.epoch(), engine.epoch().now());
    engine.epoch().advance();
    let after = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    assert!(after.epoch() > before.epoch());
    assert_eq!(server.count("/issuing.crl"), 1);
    // Anchors that are gone take their verdicts with them.
    engine.replace_communities(vec![CommunityTrust::new(&pki.uri, Vec::new())]);
    assert_eq!(
        ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
        "chain-not-trusted"
    );
    engine.replace_communities(Vec::new());
    assert_eq!(
        ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
        "community-unknown"
    );
}

/// Anchors are exchanged while a list is on its way: the verdict is of those that are in force by then.
#[tokio::test]
async fn a_verification_that_anchors_overtake_is_made_anew() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    let slow = Reply::ok(pki.issuing.crl(0, DAY, &[])).after(std::time::Duration::from_millis(300));
    server.put("/issuing.crl", slow);
    let exchange = async {
        while server.count("/issuing.crl") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        engine.replace_communities(vec![CommunityTrust::new(&pki.uri, Vec::new())]);
    };
    let (verdict, ()) = tokio::join!(ask(&engine, &pki, &leaf, NOW), exchange);
    assert_eq!(verdict.unwrap_err(), "chain-not-trusted");
    assert_eq!(
        ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
        "chain-not-trusted"
    );
}

#[tokio::test]
async fn what_did_not_change_is_kept_when_communities_are_exchanged() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    let first = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    let same = pki.trust();
    // Nothing is another: nothing is judged anew.
    engine.change_communities(std::slice::from_ref(&same), vec![same.clone()]);
    assert_eq!(engine.epoch().now(), first.epoch());
    // Another community comes: what is believed is judged anew, on the lists that are known.
    let more = CommunityTrust::new("https://more.example", Vec::new());
    engine.change_communities(std::slice::from_ref(&same), vec![same.clone(), more]);
    let second = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    assert!(second.epoch() > first.epoch());
    assert_eq!(server.count("/issuing.crl"), 1);
    // It is judged by other rules now.
    let mut strict = same.clone();
    strict.policy.grace_secs = 60;
    engine.change_communities(std::slice::from_ref(&same), vec![strict]);
    assert!(engine.epoch().now() > second.epoch());
}

/// A registration reads the epoch when it writes: a revocation that lands in between has moved it.
#[tokio::test]
async fn a_revocation_between_verification_and_write_is_seen_in_the_epoch() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    let verdict = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    assert_eq!(engine.epoch().now(), verdict.epoch());
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(10, DAY, &[&leaf])),
    );
    engine.refresh(at(10)).await;
    assert!(engine.epoch().now() > verdict.epoch());
    assert_eq!(
        ask(&engine, &pki, &leaf, at(10)).await.unwrap_err(),
        "certificate-revoked"
    );
}

/// A list that was fetched for one member moves the epoch for all: it may be about any of them.
#[tokio::test]
async fn a_list_seen_for_the_first_time_moves_the_epoch() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let urls = Urls {
        ocsp: vec![server.url("/ocsp")],
        ..Urls::default()
    };
    let leaf = pki.leaf_with(urls);
    server.put(
        "/ocsp",
        Reply::ok(pki.issuing.ocsp(&leaf, OcspStatus::Good, -60, DAY)),
    );
    let verdict = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(-5, DAY, &[&leaf])),
    );
    assert!(ask(&engine, &pki, &pki.leaf(), NOW).await.is_ok());
    assert!(engine.epoch().now() > verdict.epoch());
    assert_eq!(
        ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
        "certificate-revoked"
    );
}

#[tokio::test]
async fn what_prefer_accepts_unknown_is_asked_about_again_soon() {
    let setup = Setup::with(|trust| trust.policy.revocation = Revocation::Prefer).await;
    let Setup {
        server,
        pki,
        engine,
    } = setup;
    let leaf = pki.leaf();
    server.put("/issuing.crl", Reply::new("503 Busy", ""));
    let verdict = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    assert!(!verdict.revocation_checked());
    assert_eq!(verdict.expires(), at(30));
    assert!(ask(&engine, &pki, &leaf, at(29)).await.is_ok());
    assert_eq!(server.count("/issuing.crl"), 1);
    // The host is back, and says what it could not say before.
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(-60, DAY, &[&leaf])),
    );
    assert_eq!(
        ask(&engine, &pki, &leaf, at(30)).await.unwrap_err(),
        "certificate-revoked"
    );
}
