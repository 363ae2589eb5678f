//! What of refused accesses is written into the audit trail, one by one or as a number.

use axum::body::Body;
use http::Request;
use udap_host::{
    audit::{self, Audit, Filter},
    db::Db,
    dpop::{Dpop, Nonces},
    listen::MutualTls,
};
use udap_proto::{access_token::AccessToken, confirmation::Confirmation};

use crate::kit::{Kit, claims};
use std::sync::Arc;

const ATTEMPTS: usize = 400;

/// How many such requests are written one by one, and how many counted; and who is named.
async fn trail(prepare: impl FnOnce(&Kit) -> Request<()>) -> (usize, u64, Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udap.db");
    let db = Db::open(&path, &[audit::migration(1)]).await.unwrap();
    let dpop = Arc::new(Dpop::new(Nonces::Off));
    let kit = Kit::told_to(Audit::start(db.clone()), |config| config.dpop = Some(dpop)).await;
    let request = prepare(&kit);
    for _ in 0..ATTEMPTS {
        let refused = kit.call(request.clone().map(|()| Body::empty())).await;
        assert!(refused.status().is_client_error(), "{refused:?}");
    }
    kit.audit.finish().await.unwrap();
    let found = audit::recent(&db, &Filter::default(), 1_000).await.unwrap();
    let mut rows = found.records.iter();
    let name = rows.find(|row| row.event == "access-refused");
    let name = name.and_then(|row| row.client_id.clone());
    let of = |event| found.records.iter().filter(move |row| row.event == event);
    let counted = of("refusals-counted").map(|row| {
        let data = row.more.data.as_ref().unwrap();
        data["count"].as_u64().unwrap()
    });
    (of("access-refused").count(), counted.sum(), name)
}

/// A registration that was suspended, a certificate or key that somebody else holds: the token is still
/// well signed until it ends, and whoever has it fills no disk with it.
#[tokio::test]
async fn refusals_with_a_token_that_does_not_count_are_counted_when_they_are_many() {
    let with = |kit: &Kit, cnf: Confirmation| {
        let token = AccessToken {
            cnf,
            ..claims("system/*.rs")
        };
        let authorization = format!("Bearer {}", kit.issuer.sign(&token));
        let request = Request::get("/r4/Patient/1").header("authorization", authorization);
        request.extension(MutualTls::Absent).body(()).unwrap()
    };
    let certificate = Confirmation {
        certificate: Some([7; 32]),
        key: None,
    };
    let key = Confirmation {
        certificate: None,
        key: Some([7; 32]),
    };
    for (what, ended, cnf) in [
        ("ended", true, Confirmation::default()),
        ("of another certificate", false, certificate),
        ("of another key", false, key),
    ] {
        let (written, counted, name) = trail(|kit| {
            if ended {
                kit.status.end("registration-suspended");
            }
            with(kit, cnf)
        })
        .await;
        // Some more where a minute ended meanwhile.
        assert!((300..ATTEMPTS).contains(&written), "{what}: {written}");
        assert_eq!(written as u64 + counted, 400, "{what}");
        assert_eq!(name.as_deref(), Some("client-1"), "{what}");
    }
}

/// Whoever has one that counts is known, and each of its refusals is in the trail.
#[tokio::test]
async fn refusals_with_a_token_that_counts_are_written_one_by_one() {
    for target in ["/r4/Observation/1", "/r4/Patient?_include=x", "/r4/x/y/z"] {
        let request = |kit: &Kit| {
            let request = kit.request("GET", target, "system/Patient.rs");
            request.map(|_| ())
        };
        let (written, counted, name) = trail(request).await;
        assert_eq!((written, counted), (ATTEMPTS, 0), "{target}");
        assert_eq!(name.as_deref(), Some("client-1"), "{target}");
    }
}
