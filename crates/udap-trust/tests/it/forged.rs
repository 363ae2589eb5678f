//! What somebody on the way to a publisher, or a stranger with URLs of his own, can and cannot do.

use crate::ask;
use crate::need_loop::Setup;
use crate::pki::at;
use crate::{Ca, Pki, Reply};
use udap_pki::Certificate;
use udap_pki::issue::{OcspStatus, RevocationReason, Urls};
use udap_proto::Refusal as _;
use udap_testkit::{DAY, NOW};

/// A CA of the same name with a key of its own.
fn forger(pki: &Pki) -> Ca {
    Pki::new(&pki.base).issuing
}

#[tokio::test]
async fn a_forged_list_dated_ahead_keeps_no_genuine_one_out() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let (leaf, forger) = (pki.leaf(), forger(&pki));
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    let forged = forger.crl(20, 9000 * DAY, &[&leaf]);
    server.put("/issuing.crl", Reply::ok(forged).etag("\"x\""));
    engine.refresh(at(20)).await;
    assert!(
        ask(&engine, &pki, &leaf, at(20)).await.is_ok(),
        "nobody else revokes a member"
    );
    // The genuine ones are still taken, each in its turn.
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(15, DAY, &[])).etag("\"x\""),
    );
    engine.refresh(at(30)).await;
    assert!(ask(&engine, &pki, &leaf, at(30)).await.is_ok());
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(18, DAY, &[&leaf])),
    );
    engine.refresh(at(40)).await;
    assert_eq!(
        ask(&engine, &pki, &leaf, at(40)).await.unwrap_err(),
        "certificate-revoked"
    );
    // And a forged one takes no revocation away.
    server.put("/issuing.crl", Reply::ok(forger.crl(50, 9000 * DAY, &[])));
    engine.refresh(at(50)).await;
    assert_eq!(
        ask(&engine, &pki, &leaf, at(50)).await.unwrap_err(),
        "certificate-revoked"
    );
}

#[tokio::test]
async fn a_list_forged_from_the_first_is_asked_for_again_soon() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf();
    server.put(
        "/issuing.crl",
        Reply::ok(forger(&pki).crl(-60, 9000 * DAY, &[])),
    );
    for secs in [0, 29] {
        assert_eq!(
            ask(&engine, &pki, &leaf, at(secs)).await.unwrap_err(),
            "revocation-unavailable"
        );
    }
    assert_eq!(server.count("/issuing.crl"), 1);
    server.put("/issuing.crl", Reply::ok(pki.issuing.crl(-60, DAY, &[])));
    assert!(ask(&engine, &pki, &leaf, at(30)).await.is_ok());
}

#[tokio::test]
async fn a_forged_ocsp_response_is_asked_for_again_soon() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf_with(Urls {
        ocsp: vec![server.url("/ocsp")],
        ..Urls::default()
    });
    // Signed by another key, and said to hold for years.
    let forger = Ca {
        certificate: pki.issuing.certificate.clone(),
        ..forger(&pki)
    };
    server.put(
        "/ocsp",
        Reply::ok(forger.ocsp(&leaf, OcspStatus::Good, -60, 9000 * DAY)),
    );
    for secs in [0, 29] {
        assert_eq!(
            ask(&engine, &pki, &leaf, at(secs)).await.unwrap_err(),
            "revocation-unavailable"
        );
    }
    assert_eq!(server.count("/ocsp"), 1);
    server.put(
        "/ocsp",
        Reply::ok(pki.issuing.ocsp(&leaf, OcspStatus::Good, -60, DAY)),
    );
    assert!(ask(&engine, &pki, &leaf, at(30)).await.is_ok());
}

/// When an OCSP responder is asked in [`in_turn`]: what it said before is always due for a refresh.
const TURNS: [i64; 4] = [0, 600, 1000, 1100];

/// What is said of a member about whom these were published in turn; an empty one is none.
async fn in_turn(
    responses: impl Fn(&Pki, &Certificate) -> Vec<Vec<u8>>,
) -> Result<(), &'static str> {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf_with(Urls {
        ocsp: vec![server.url("/ocsp")],
        ..Urls::default()
    });
    let mut said = Ok(());
    for (turn, (secs, response)) in TURNS.into_iter().zip(responses(&pki, &leaf)).enumerate() {
        let status = if response.is_empty() {
            "503 Busy"
        } else {
            "200 OK"
        };
        server.put("/ocsp", Reply::new(status, response));
        engine.refresh(at(secs)).await;
        said = ask(&engine, &pki, &leaf, at(secs)).await.map(|_| ());
        assert_eq!(server.count("/ocsp"), turn + 1);
    }
    said
}

const REVOKED: OcspStatus = OcspStatus::Revoked {
    at: NOW,
    reason: RevocationReason::KeyCompromise,
};

#[tokio::test]
async fn an_older_ocsp_response_never_replaces_a_newer_one() {
    let old = |pki: &Pki, leaf: &_, until| pki.issuing.ocsp(leaf, OcspStatus::Good, -60, until);
    let replayed = |pki: &Pki, leaf: &_| old(pki, leaf, DAY);
    // Somebody on the way replays one from before the revocation, although a good one was seen before or not.
    let seen = in_turn(|pki, leaf| {
        let revoked = pki.issuing.ocsp(leaf, REVOKED, 500, 1200);
        let replayed = replayed(pki, leaf);
        vec![old(pki, leaf, 1000), revoked, replayed.clone(), replayed]
    });
    assert_eq!(seen.await, Err("certificate-revoked"));
    let unseen = in_turn(|pki, leaf| {
        let revoked = pki.issuing.ocsp(leaf, REVOKED, -30, 1000);
        vec![revoked, replayed(pki, leaf), replayed(pki, leaf)]
    });
    assert_eq!(unseen.await, Err("certificate-revoked"));
    // Or keeps the responder from being reached until the newer one has lapsed.
    let waited = in_turn(|pki, leaf| {
        let revoked = pki.issuing.ocsp(leaf, REVOKED, -30, 300);
        vec![revoked, vec![], vec![], replayed(pki, leaf)]
    });
    assert_eq!(waited.await, Err("certificate-revoked"));
    // A newer one is taken.
    let released = in_turn(|pki, leaf| {
        let good = pki.issuing.ocsp(leaf, OcspStatus::Good, 300, DAY);
        vec![pki.issuing.ocsp(leaf, REVOKED, -30, 1000), good]
    });
    assert_eq!(released.await, Ok(()));
}

#[tokio::test]
async fn a_forged_ocsp_response_replaces_no_genuine_one() {
    type Forge = fn(&Pki, &Certificate, OcspStatus) -> Vec<u8>;
    // By another key, by the right one about another member, and from the future.
    let by_another: Forge = |pki, leaf, status| {
        let forger = Ca {
            certificate: pki.issuing.certificate.clone(),
            ..forger(pki)
        };
        forger.ocsp(leaf, status, 0, 9000 * DAY)
    };
    let of_another: Forge = |pki, _, status| pki.issuing.ocsp(&pki.leaf(), status, 0, DAY);
    let from_the_future: Forge = |pki, leaf, status| pki.issuing.ocsp(leaf, status, DAY, 2 * DAY);
    for junk in [by_another, of_another, from_the_future] {
        let good = in_turn(|pki, leaf| {
            let good = pki.issuing.ocsp(leaf, OcspStatus::Good, -60, 1000);
            vec![good, junk(pki, leaf, OcspStatus::Unknown)]
        });
        assert_eq!(good.await, Ok(()));
        let revoked = in_turn(|pki, leaf| {
            let junk = junk(pki, leaf, OcspStatus::Good);
            let revoked = pki.issuing.ocsp(leaf, REVOKED, -60, 1000);
            vec![revoked, junk.clone(), junk]
        });
        assert_eq!(revoked.await, Err("certificate-revoked"));
        // And it keeps no genuine one out.
        let revoked = in_turn(|pki, leaf| {
            let good = pki.issuing.ocsp(leaf, OcspStatus::Good, -60, 1000);
            let revoked = pki.issuing.ocsp(leaf, REVOKED, 900, DAY);
            vec![good, junk(pki, leaf, OcspStatus::Good), revoked]
        });
        assert_eq!(revoked.await, Err("certificate-revoked"));
    }
}

/// What a stranger's certificate makes us fetch is shown to nobody but the stranger.
#[tokio::test]
async fn a_strangers_issuers_reach_nobody_else() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let stranger = Pki::new(&server.url(""));
    // His certificate says that its issuer is found where in truth our issuing CA's certificate is.
    server.put("/his.cer", Reply::ok(pki.issuing.certificate.der()));
    let his = stranger.leaf_with(Urls {
        ca_issuers: vec![server.url("/his.cer")],
        ..Urls::default()
    });
    let refused = engine.verify(&pki.uri, &his, &[], NOW).await.unwrap_err();
    // His issuer has the name of ours and another key.
    assert_eq!(refused.code(), "signature-invalid");
    assert_eq!(server.count("/his.cer"), 1);
    let refused = engine
        .verify(&pki.uri, &pki.leaf(), &[], NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "chain-not-trusted");
    // He is asked about once in a while, and no CRL of his at all.
    let _ = engine.verify(&pki.uri, &his, &[], at(29)).await;
    let his_crl = stranger.leaf_with(Urls {
        crl: vec![server.url("/his.crl")],
        ..Urls::default()
    });
    assert!(ask(&engine, &pki, &his_crl, NOW).await.is_err());
    assert_eq!((server.count("/his.cer"), server.count("/his.crl")), (1, 0));
}
