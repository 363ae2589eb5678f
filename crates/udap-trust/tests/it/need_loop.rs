//! The need loop: what is missing is fetched, once for all who need it, and within a budget.

use crate::pki::at;
use crate::{Ca, Pki, Publisher, Reply, ask, fetcher};
use futures_util::future::join_all;
use std::time::{Duration, Instant};
use udap_pki::Revocation;
use udap_pki::issue::{OcspStatus, Profile, RevocationReason, Urls};
use udap_proto::Refusal as _;
use udap_testkit::{DAY, NOW};
use udap_trust::verify::TrustEngine;

pub(crate) struct Setup {
    pub(crate) server: Publisher,
    pub(crate) pki: Pki,
    pub(crate) engine: TrustEngine,
}

impl Setup {
    /// A community that publishes good CRLs, and an engine that knows it.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl Fn(&mut udap_trust::verify::CommunityTrust)) -> Self {
        let server = Publisher::start().await;
        let pki = Pki::new(&server.url(""));
        server.put("/root.crl", Reply::ok(pki.root.crl(-60, 30 * DAY, &[])));
        server.put("/issuing.crl", Reply::ok(pki.issuing.crl(-60, DAY, &[])));
        let mut trust = pki.trust();
        change(&mut trust);
        let engine = TrustEngine::new(Some(fetcher(&[server.host()])), vec![trust]);
        Self {
            server,
            pki,
            engine,
        }
    }
}

#[tokio::test]
async fn crls_are_fetched_once_for_all_members() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    for _ in 0..5 {
        let verdict = ask(&engine, &pki, &pki.leaf(), NOW).await.unwrap();
        assert!(verdict.revocation_checked());
        assert_eq!(verdict.expires(), at(DAY));
    }
    assert_eq!(
        (server.count("/root.crl"), server.count("/issuing.crl")),
        (1, 1)
    );
    let known = engine.known_crls();
    assert_eq!(known.len(), 2);
    assert_eq!(known[0].2, Some(at(DAY)));
}

#[tokio::test]
async fn a_missing_issuer_is_fetched_and_then_known() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    server.put("/issuing.cer", Reply::ok(pki.issuing.certificate.der()));
    let leaf = || {
        pki.leaf_with(Urls {
            crl: vec![server.url("/issuing.crl")],
            ca_issuers: vec![server.url("/issuing.cer")],
            ..Urls::default()
        })
    };
    for _ in 0..3 {
        let verdict = engine.verify(&pki.uri, &leaf(), &[], NOW).await.unwrap();
        assert_eq!(verdict.path().len(), 3);
    }
    // It proved good, so a member that does not say where it is may rely on it as well.
    assert!(engine.verify(&pki.uri, &pki.leaf(), &[], NOW).await.is_ok());
    assert_eq!(server.count("/issuing.cer"), 1);
}

#[tokio::test]
async fn an_ocsp_response_is_fetched_and_kept_until_it_lapses() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let leaf = pki.leaf_with(Urls {
        ocsp: vec![server.url("/ocsp")],
        ..Urls::default()
    });
    let good = |from| Reply::ok(pki.issuing.ocsp(&leaf, OcspStatus::Good, from, from + 3600));
    server.put("/ocsp", good(-10));
    let verdict = ask(&engine, &pki, &leaf, NOW).await.unwrap();
    assert_eq!(verdict.expires(), at(3590));
    // A cold verification takes it from what is known.
    engine.epoch().advance();
    assert!(ask(&engine, &pki, &leaf, at(3000)).await.is_ok());
    assert_eq!(server.count("/ocsp"), 1);
    server.put("/ocsp", good(3600));
    assert!(ask(&engine, &pki, &leaf, at(3601)).await.is_ok());
    assert_eq!(server.count("/ocsp"), 2);
    // Revoked: refused, whoever asks.
    let at_once = OcspStatus::Revoked {
        at: at(7100),
        reason: RevocationReason::KeyCompromise,
    };
    server.put(
        "/ocsp",
        Reply::ok(pki.issuing.ocsp(&leaf, at_once, 7201, 9000)),
    );
    assert_eq!(
        ask(&engine, &pki, &leaf, at(7202)).await.unwrap_err(),
        "certificate-revoked"
    );
}

#[tokio::test]
async fn concurrent_fetches_of_one_url_are_one() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let slow = Duration::from_millis(300);
    server.put(
        "/root.crl",
        Reply::ok(pki.root.crl(-60, DAY, &[])).after(slow),
    );
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(-60, DAY, &[])).after(slow),
    );
    let leaves: Vec<_> = (0..40).map(|_| pki.leaf()).collect();
    let begun = Instant::now();
    let answers = join_all(leaves.iter().map(|leaf| ask(&engine, &pki, leaf, NOW))).await;
    assert!(answers.iter().all(Result::is_ok));
    // One after the other they would take 12 s.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        (server.count("/root.crl"), server.count("/issuing.crl")),
        (1, 1)
    );
}

/// Whoever gives up does not spoil it for the others, or for the next.
#[tokio::test]
async fn a_fetch_goes_on_when_its_asker_leaves() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let slow = Duration::from_millis(200);
    server.put(
        "/issuing.crl",
        Reply::ok(pki.issuing.crl(-60, DAY, &[])).after(slow),
    );
    let leaf = pki.leaf();
    let left = tokio::time::timeout(slow / 4, ask(&engine, &pki, &leaf, NOW)).await;
    assert!(left.is_err());
    tokio::time::sleep(slow).await;
    assert!(ask(&engine, &pki, &leaf, NOW).await.is_ok());
    assert_eq!(server.count("/issuing.crl"), 1);
}

#[tokio::test]
async fn a_failure_is_remembered_for_thirty_seconds() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    server.put("/issuing.crl", Reply::new("503 Busy", ""));
    for secs in [0, 1, 29] {
        let answer = ask(&engine, &pki, &pki.leaf(), at(secs)).await;
        assert_eq!(answer.unwrap_err(), "revocation-unavailable");
    }
    assert_eq!(server.count("/issuing.crl"), 1);
    server.put("/issuing.crl", Reply::ok(pki.issuing.crl(-60, DAY, &[])));
    assert!(ask(&engine, &pki, &pki.leaf(), at(30)).await.is_ok());
    assert_eq!(server.count("/issuing.crl"), 2);
}

#[tokio::test]
async fn what_is_not_what_it_should_be_is_a_failure() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let to_itself = format!("Location: {}", server.url("/root.crl"));
    for (round, reply) in [
        Reply::ok("not a CRL"),
        Reply::ok(""),
        Reply::new("301 Moved", "").header(&to_itself),
        Reply::ok(vec![0x30; 17 * 1024 * 1024]),
        Reply::ok(pki.root.crl(-60, DAY, &[])),
    ]
    .into_iter()
    .enumerate()
    {
        server.put("/issuing.crl", reply);
        let now = at(31 * i64::try_from(round).unwrap());
        let answer = ask(&engine, &pki, &pki.leaf(), now).await;
        assert_eq!(answer.unwrap_err(), "revocation-unavailable", "{round}");
    }
    assert_eq!(server.count("/issuing.crl"), 5);
}

#[tokio::test]
async fn a_url_that_leads_inside_is_not_followed() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let inside = Publisher::start().await;
    for url in [
        inside.url("/issuing.crl"),
        "http://169.254.169.254/latest".to_owned(),
    ] {
        let leaf = pki.leaf_with(Urls {
            crl: vec![url],
            ..Urls::default()
        });
        assert_eq!(
            ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
            "revocation-unavailable"
        );
    }
    assert!(inside.log().is_empty());
    assert_eq!(server.count("/issuing.crl"), 0);
}

#[tokio::test]
async fn two_rounds_and_no_more() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let urls = ["/dead1", "/dead2", "/dead3", "/issuing.crl"].map(|path| server.url(path));
    let leaf = pki.leaf_with(Urls {
        crl: urls.to_vec(),
        ..Urls::default()
    });
    assert_eq!(
        ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
        "revocation-unavailable"
    );
    let mut asked = server.log();
    asked.sort();
    assert_eq!(
        asked,
        ["GET /dead1 404", "GET /dead2 404", "GET /root.crl 200"]
    );
    // The next one begins where this one ended.
    assert!(ask(&engine, &pki, &leaf, at(1)).await.is_ok());
    assert_eq!(server.log().len(), 5);
}

#[tokio::test]
async fn four_fetches_and_no_more() {
    let server = Publisher::start().await;
    let root = Ca::new("Root", Profile::Root, None, Urls::default());
    let mut chain = vec![root];
    for i in 0..6 {
        let urls = Urls {
            crl: vec![server.url(&format!("/{i}.crl"))],
            ..Urls::default()
        };
        let issuer = chain.last().unwrap();
        server.put(&format!("/{i}.crl"), Reply::ok(issuer.crl(-60, DAY, &[])));
        // Roots may have CAs below them; here they are only signed by another.
        chain.push(Ca::new(
            &format!("CA {i}"),
            Profile::Root,
            Some(issuer),
            urls,
        ));
    }
    let issuing = chain.pop().unwrap();
    let pki = Pki {
        issuing,
        ..Pki::new(&server.url(""))
    };
    server.put("/issuing.crl", Reply::ok(pki.issuing.crl(-60, DAY, &[])));
    let anchor = udap_pki::Anchor::new(chain[0].certificate.clone());
    let trust = udap_trust::verify::CommunityTrust::new(&pki.uri, vec![anchor]);
    let engine = TrustEngine::new(Some(fetcher(&[server.host()])), vec![trust]);
    let mut helpers: Vec<_> = chain.iter().map(|ca| ca.certificate.clone()).collect();
    helpers.push(pki.issuing.certificate.clone());
    let leaf = pki.leaf();
    let refused = engine
        .verify(&pki.uri, &leaf, &helpers, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "revocation-unavailable");
    assert_eq!(server.log().len(), 4);
    // What was fetched stays, so the next one gets through.
    assert!(engine.verify(&pki.uri, &leaf, &helpers, NOW).await.is_ok());
    assert_eq!(server.log().len(), 7);
}

#[tokio::test]
async fn three_seconds_and_no_more() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    let silent = || Reply::ok("").after(Duration::from_secs(60));
    for path in ["/a", "/b"] {
        server.put(path, silent());
    }
    let urls = ["/a", "/b"].map(|path| server.url(path)).to_vec();
    let leaf = pki.leaf_with(Urls {
        crl: urls,
        ..Urls::default()
    });
    let begun = Instant::now();
    assert_eq!(
        ask(&engine, &pki, &leaf, NOW).await.unwrap_err(),
        "revocation-unavailable"
    );
    let took = begun.elapsed();
    // The two URLs have 2.5 s each.
    assert!(
        took > Duration::from_millis(2400) && took < Duration::from_millis(4900),
        "{took:?}"
    );
    // And then the dead host slows nobody.
    let asked = server.count("/a");
    let begun = Instant::now();
    let another = pki.leaf_with(Urls {
        crl: vec![server.url("/a")],
        ..Urls::default()
    });
    assert_eq!(
        ask(&engine, &pki, &another, at(3)).await.unwrap_err(),
        "revocation-unavailable"
    );
    assert_eq!(server.count("/a"), asked);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn without_a_fetcher_it_decides_on_what_it_has() {
    let setup = Setup::new().await;
    let (pki, leaf) = (&setup.pki, setup.pki.leaf());
    for (revocation, expected) in [
        (Revocation::Require, Err("revocation-unavailable")),
        (Revocation::WhereNamed, Err("revocation-unavailable")),
        (Revocation::Prefer, Ok(())),
        (Revocation::Off, Ok(())),
    ] {
        let mut trust = pki.trust();
        trust.policy.revocation = revocation;
        let engine = TrustEngine::new(None, vec![trust]);
        assert_eq!(
            ask(&engine, pki, &leaf, NOW).await.map(|_| ()),
            expected,
            "{revocation:?}"
        );
    }
    assert!(setup.server.log().is_empty());
}

#[tokio::test]
async fn a_refusal_shows_every_path_that_was_tried() {
    let Setup {
        server,
        pki,
        engine,
    } = Setup::new().await;
    server.put("/issuing.crl", Reply::new("404 Not Found", ""));
    let issuing = [pki.issuing.certificate.clone()];
    let refused = engine
        .verify(&pki.uri, &pki.leaf(), &issuing, NOW)
        .await
        .unwrap_err();
    assert!(!refused.trace().unwrap().steps().is_empty());
    assert!(refused.to_string().contains("issuing.crl"), "{refused}");
    let unknown = engine
        .verify("https://other.example", &pki.leaf(), &[], NOW)
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), "community-unknown");
    assert!(unknown.trace().is_none());
}
