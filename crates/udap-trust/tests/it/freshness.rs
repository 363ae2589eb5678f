//! Keeping CRLs and OCSP responses fresh, and what happens when that fails.

use crate::Reply;
use crate::ask;
use crate::need_loop::Setup;
use crate::pki::at;
use std::time::{Duration, Instant};
use udap_pki::Revocation;
use udap_pki::issue::{OcspStatus, RevocationReason, Urls};
use udap_testkit::{DAY, NOW};

#[tokio::test]
async fn a_refresh_sees_a_revocation_long_before_the_list_lapses() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let (leaf, other) = (pki.leaf(), pki.leaf());
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    server.put("/issuing.crl", Reply::ok(pki.issuing.crl(5, DAY, &[&leaf])));
    // Until somebody looks, the verdict holds.
    assert!(ask(&engine, &pki, &leaf, at(10)).await.is_ok());
    engine.refresh(at(10)).await;
    assert_eq!(
        ask(&engine, &pki, &leaf, at(10)).await.unwrap_err(),
        "certificate-revoked"
    );
    assert!(ask(&engine, &pki, &other, at(10)).await.is_ok());
}

/// What was accepted is known until trust changes, and no stranger's after it.
#[tokio::test]
async fn what_was_accepted_before_is_remembered_as_such() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let (leaf, other) = (pki.leaf(), pki.leaf());
    let issuing = [pki.issuing.certificate.clone()];
    let known = |secs| {
        let verdict = engine.known(&pki.uri, &leaf, &issuing, at(secs));
        (
            verdict.is_some(),
            engine.has_accepted(&pki.uri, &leaf, &issuing),
        )
    };
    assert_eq!(known(0), (false, false));
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    assert_eq!(known(0), (true, true));
    let list = pki.issuing.crl(5, DAY, &[&other]);
    server.put("/issuing.crl", Reply::ok(list));
    engine.refresh(at(10)).await;
    assert_eq!(known(10), (false, true));
    // Not with other certificates, nor what was refused.
    assert!(!engine.has_accepted(&pki.uri, &leaf, &[]));
    assert!(ask(&engine, &pki, &other, at(10)).await.is_err());
    assert!(!engine.has_accepted(&pki.uri, &other, &issuing));
}

#[tokio::test]
async fn an_unchanged_list_is_not_sent_again() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    let list = |from, revoked: &[&_], etag: &str| {
        Reply::ok(pki.issuing.crl(from, DAY, revoked)).etag(etag)
    };
    server.put("/issuing.crl", list(-60, &[], "\"one\""));
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    // The first one proved genuine only with the verdict; from the second on its tag is relied upon.
    engine.refresh(at(10)).await;
    let epoch = engine.epoch().now();
    engine.refresh(at(20)).await;
    engine.refresh(at(30)).await;
    assert_eq!(engine.epoch().now(), epoch);
    server.put("/issuing.crl", list(40, &[&leaf], "\"two\""));
    engine.refresh(at(40)).await;
    assert_eq!(
        ask(&engine, &pki, &leaf, at(40)).await.unwrap_err(),
        "certificate-revoked"
    );
    let log: Vec<_> = server
        .log()
        .into_iter()
        .filter(|line| line.contains("issuing"))
        .collect();
    let of = |status| log.iter().filter(|line| line.ends_with(status)).count();
    assert_eq!((of("200"), of("304")), (3, 2), "{log:?}");
}

#[tokio::test]
async fn an_older_list_never_replaces_a_newer_one() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let (leaf, other) = (pki.leaf(), pki.leaf());
    let old = pki.issuing.crl(-60, DAY, &[]);
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    server.put("/issuing.crl", Reply::ok(pki.issuing.crl(5, DAY, &[&leaf])));
    engine.refresh(at(10)).await;
    // Somebody on the way replays the one from before the revocation.
    server.put("/issuing.crl", Reply::ok(old));
    for secs in [20, 60, 100] {
        engine.refresh(at(secs)).await;
        assert_eq!(
            ask(&engine, &pki, &leaf, at(secs)).await.unwrap_err(),
            "certificate-revoked"
        );
        assert!(ask(&engine, &pki, &other, at(secs)).await.is_ok());
    }
}

/// A list that is dated ahead displaces none of today, nor keeps the next one out: whether the CA's clock was a year
/// ahead for a minute when it was made, or ours was when it was fetched.
#[tokio::test]
async fn a_list_from_the_future_displaces_none_of_today() {
    for (from, until, fetched) in [(365 * DAY, 366 * DAY, 10), (3600, 2 * DAY, 4000)] {
        let Setup {
            server,
            pki,
            engine,
        } = Setup::new().await;
        let (leaf, other) = (pki.leaf(), pki.leaf());
        assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
        let ahead = pki.issuing.crl(from, until, &[]);
        server.put("/issuing.crl", Reply::ok(ahead));
        engine.refresh(at(fetched)).await;
        assert!(ask(&engine, &pki, &leaf, at(fetched)).await.is_ok());
        // The clock is right again, and so is the next list.
        let today = pki.issuing.crl(40, DAY, &[&leaf]);
        server.put("/issuing.crl", Reply::ok(today));
        engine.refresh(at(100)).await;
        assert_eq!(
            ask(&engine, &pki, &leaf, at(100)).await.unwrap_err(),
            "certificate-revoked"
        );
        assert!(ask(&engine, &pki, &other, at(100)).await.is_ok());
    }
}

/// Two lists of one second: the CA revoked somebody at once.
#[tokio::test]
async fn a_list_of_the_same_second_replaces_the_other() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(-60, DAY, &[&leaf])),
    );
    engine.refresh(NOW).await;
    assert_eq!(
        ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
        "certificate-revoked"
    );
}

#[tokio::test]
async fn a_dead_host_slows_nobody_once_the_lists_are_known() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    assert!(ask(&engine, &pki, &pki.leaf(), NOW).await.is_ok());
    let silent = || Reply::ok("").after(Duration::from_secs(60));
    server.put("/issuing.crl", silent());
    server.put("/root.crl", silent());
    let refresh = engine.refresh(at(60));
    let requests = async {
        for secs in 60..100 {
            let begun = Instant::now();
            assert!(ask(&engine, &pki, &pki.leaf(), at(secs)).await.is_ok());
            // One that waited for the host would wait for 2.5 s.
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(2), "{secs}: {took:?}");
        }
    };
    tokio::join!(refresh, requests);
    // Afterwards as well.
    assert!(ask(&engine, &pki, &pki.leaf(), at(101)).await.is_ok());
}

#[tokio::test]
async fn a_lapsed_list_that_cannot_be_renewed_is_judged_by_policy() {
    for (revocation, grace, good) in [
        (Revocation::Require, 0, Err("revocation-unavailable")),
        (Revocation::Require, 3600, Ok(())),
        (Revocation::Prefer, 0, Ok(())),
    ] {
        let setup = Setup::with(|trust| {
            trust.policy.revocation = revocation;
            trust.policy.grace_secs = grace;
        })
        .await;
        let Setup {
            server,
            pki,
            engine,
        } = setup;
        let (leaf, revoked) = (pki.leaf(), pki.leaf());
        server.put(
            "/issuing.crl",
            Reply::ok(pki.issuing.crl(-60, DAY, &[&revoked])),
        );
        assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
        server.put("/issuing.crl", Reply::new("503 Busy", ""));
        engine.refresh(at(DAY)).await;
        let answer = ask(&engine, &pki, &leaf, at(DAY + 1)).await;
        assert_eq!(
            answer.as_ref().map(|_| ()).map_err(|e| *e),
            good,
            "{revocation:?} {grace}"
        );
        // Whatever the policy: it is not believed for long, and revoked is revoked.
        if let Ok(verdict) = answer {
            assert_eq!(verdict.expires(), at(DAY + 31));
        }
        let answer = ask(&engine, &pki, &revoked, at(DAY + 1)).await;
        assert_eq!(
            answer.unwrap_err(),
            "certificate-revoked",
            "{revocation:?} {grace}"
        );
        // The grace ends.
        let ended = ask(&engine, &pki, &leaf, at(DAY + 3601)).await.is_ok();
        assert_eq!(ended, revocation == Revocation::Prefer);
    }
}

/// A grace is for when a newer list cannot be had, and no reason not to ask for it.
#[tokio::test]
async fn within_the_grace_a_newer_list_is_still_asked_for() {
    let setup = Setup::with(|trust| trust.policy.grace_secs = DAY).await;
    let Setup {
        server,
        pki,
        engine,
    } = setup;
    let leaf = pki.leaf();
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(DAY, 2 * DAY, &[&leaf])),
    );
    assert_eq!(
        ask(&engine, &pki, &leaf, at(DAY + 1)).await.unwrap_err(),
        "certificate-revoked"
    );
    assert_eq!(server.count("/issuing.crl"), 2);
}

#[tokio::test]
async fn what_nobody_uses_is_not_refreshed() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    // A remembered verdict is a use, too: its list is refreshed for as long as it is relied upon.
    assert!(ask(&engine, &pki, &leaf, at(3000)).await.is_ok());
    engine.refresh(at(6000)).await;
    assert_eq!(server.count("/issuing.crl"), 2);
    engine.refresh(at(6601)).await;
    assert_eq!(server.count("/issuing.crl"), 2);
}

#[tokio::test]
async fn an_ocsp_response_is_refreshed_when_half_its_time_has_passed() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf_with(Urls {
        ocsp: vec![server.url("/ocsp")],
        ..Urls::default()
    });
    server.put(
        "/ocsp",
        Reply::ok(pki.issuing.ocsp(&leaf, OcspStatus::Good, 0, 3600)),
    );
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    engine.refresh(at(1700)).await;
    assert_eq!(server.count("/ocsp"), 1);
    // A responder that fails leaves what still holds as it is.
    server.put("/ocsp", Reply::new("503 Busy", ""));
    engine.refresh(at(1900)).await;
    engine.epoch().advance();
    assert!(ask(&engine, &pki, &leaf, at(1900)).await.is_ok());
    assert_eq!(server.count("/ocsp"), 2);
    let revoked = OcspStatus::Revoked {
        at: at(1950),
        reason: RevocationReason::Superseded,
    };
    server.put(
        "/ocsp",
        Reply::ok(pki.issuing.ocsp(&leaf, revoked, 1960, 5000)),
    );
    engine.refresh(at(2800)).await;
    assert_eq!(
        ask(&engine, &pki, &leaf, at(2800)).await.unwrap_err(),
        "certificate-revoked"
    );
}
