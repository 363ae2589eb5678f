//! Rounds in which certifications are looked at, while other things happen.

use crate::certifications::{AUDIT, PRIVACY, audit, certifier, register, watched, with};
use crate::support::{Holder, assertion, hold, world};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};
use udap_host::db::sqlx;
use udap_testkit::{Answer, TestServer};
use udap_trust::clock;

/// What becomes required while certifiers take their time to answer is looked at all the same, and again
/// where the database failed meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_becomes_required_during_a_round_is_looked_at_in_the_next() {
    let slow = Arc::new(AtomicBool::new(false));
    let wait = Arc::clone(&slow);
    let server = TestServer::https(move |_| {
        hold(&wait);
        Answer::json(200, &json!({"valid": true}))
    })
    .await;
    let holder = watched(&server, "").await;
    let (asked, bare) = (
        world().a.app("https://slow.app.example"),
        world().a.app("https://bare.app.example"),
    );
    let certification = audit(&asked).claim("certification_status_endpoint", server.url("/"));
    let reply = register(&holder, &asked, &[certification.sign()]).await;
    assert_eq!(reply.status, 201, "{reply}");
    let id = holder.registered(&bare).await;

    let before = server.asked().len();
    slow.store(true, Ordering::Relaxed);
    let now = clock::now().plus_secs(1000);
    let meanwhile = async {
        while server.asked().len() == before {
            tokio::task::yield_now().await;
        }
        let path = holder.directory().join("udap.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let required = format!("certifications_required = [\"{AUDIT}\"]\ncertifications_supp");
        std::fs::write(&path, text.replacen("certifications_supp", &required, 1)).unwrap();
        holder.server.reload_communities().await;
        slow.store(false, Ordering::Relaxed);
    };
    tokio::join!(holder.server.watch_certifications(now), meanwhile);

    let mut db = holder.database().await;
    let mut rename = async |from, to| {
        let sql = format!("ALTER TABLE registration RENAME COLUMN {from} TO {to}");
        let sql = sqlx::query(sqlx::AssertSqlSafe(sql));
        sql.execute(&mut db).await.unwrap();
    };
    rename("changed", "lost").await;
    holder.server.watch_certifications(now).await;
    rename("lost", "changed").await;
    let token = async || holder.token(&assertion(&bare, &id).sign()).await;
    assert_eq!(token().await.status, 200);
    holder.server.watch_certifications(now).await;
    let lapsed = "400 invalid_client certification-lapsed";
    assert_eq!(token().await.refusal(), lapsed);
}

/// A registration that waits for a certifier while its community's rules change is judged by those in which
/// it is written: nobody would look for it later, since all apps are looked at once with each change.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rules_that_change_while_a_registration_is_judged_count_for_it() {
    let (slow, next) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (wait, waits) = (Arc::clone(&slow), Arc::clone(&next));
    let server = TestServer::https(move |_| {
        // The registration, and not the round beside it.
        if waits.swap(false, Ordering::Relaxed) {
            hold(&wait);
        }
        Answer::json(200, &json!({"valid": true}))
    })
    .await;
    let holder = watched(&server, "").await;
    let app = world().a.app("https://between.app.example");
    // With what its community says from then on.
    let meanwhile = async |more: &str| {
        let certification = audit(&app).claim("certification_status_endpoint", server.url("/"));
        let sent = [certification.sign()];
        let before = server.asked().len();
        slow.store(true, Ordering::Relaxed);
        next.store(true, Ordering::Relaxed);
        let change = async {
            while server.asked().len() == before {
                tokio::task::yield_now().await;
            }
            let path = holder.directory().join("udap.toml");
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replacen(
                "certifications_supp",
                &format!("{more}certifications_supp"),
                1,
            );
            std::fs::write(&path, text).unwrap();
            let known = holder.server.community_reloads();
            holder.server.reload_communities().await;
            assert_eq!(holder.server.trouble(), []);
            assert_eq!(holder.server.community_reloads(), (known.0 + 1, known.1));
            holder.server.watch_certifications(clock::now()).await;
            slow.store(false, Ordering::Relaxed);
        };
        let (reply, ()) = tokio::join!(register(&holder, &app, &sent), change);
        reply
    };

    // It is tried again, and what is registered of it is within the new rules.
    let reply = meanwhile("scopes = [\"system/Patient.rs\"]\n").await;
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.text("scope"), "system/Patient.rs");
    let id = reply.text("client_id");

    let required = format!("certifications_required = [\"{PRIVACY}\"]\n");
    let reply = meanwhile(&required).await;
    let expected = "400 invalid_client_metadata certification-required";
    assert_eq!(reply.refusal(), expected);
    // What was registered before rests.
    let token = holder.token(&assertion(&app, &id).sign()).await;
    let lapsed = "400 invalid_client certification-lapsed";
    assert_eq!(token.refusal(), lapsed);
}

/// Puts as many endorsements as two to the power of `doublings` before the one certification of an app, with
/// that status endpoint.
async fn copied(holder: &Holder, client_id: &str, doublings: u32, endpoint: &str) {
    let mut db = holder.database().await;
    let mut run = async |sql: String| {
        let sql = sqlx::query(sqlx::AssertSqlSafe(sql));
        sql.execute(&mut db).await.unwrap().rows_affected()
    };
    let copy = |at: &str, wanted: &str| {
        format!(
            "INSERT INTO certification (client_id, position, programme, kind, name, issuer, issuer_name,
                    jti, expires, ends, status_endpoint, limits, compact)
             SELECT client_id, {at}, programme, 'endorsement', name, issuer, issuer_name,
                    jti, expires, ends, '{endpoint}', limits, compact
             FROM certification WHERE client_id = '{client_id}' AND {wanted}"
        )
    };
    let moved = format!("UPDATE certification SET position = 1000 WHERE client_id = '{client_id}'");
    assert_eq!(run(moved).await, 1);
    assert_eq!(run(copy("0", "position = 1000")).await, 1);
    for known in (0..doublings).map(|at| 1 << at) {
        let at = format!("position + {known}");
        assert_eq!(run(copy(&at, "position < 1000")).await, known);
    }
}

/// A certifier's server that never answers is nobody else's trouble: what others signed is asked about in the
/// same round although it comes last, and what has expired counts no more.
#[tokio::test]
async fn a_certifier_that_hangs_keeps_nobody_waiting() {
    let says = Arc::new(AtomicU16::new(1));
    let server = certifier(&says).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("localhost:{}", silent.local_addr().unwrap().port());
    let more = format!("certifications_required = [\"{AUDIT}\"]\n");
    let holder = Holder::asking(&server, |text| {
        let hosts = format!("allow_hosts = [\"{silent}\", ");
        with(&text, &more).replacen("allow_hosts = [", &hosts, 1)
    })
    .await;
    let now = clock::now();
    holder.server.watch_certifications(now).await;
    let (asked, expiring) = (
        world().a.app("https://asked.rounds.example"),
        world().a.app("https://expiring.rounds.example"),
    );
    let certification = audit(&asked).claim("certification_status_endpoint", server.url("/"));
    let reply = register(&holder, &asked, &[certification.sign()]).await;
    let asked_id = reply.text("client_id");
    let short = audit(&expiring).times(0, 1800);
    let reply = register(&holder, &expiring, &[short.sign()]).await;
    let expiring_id = reply.text("client_id");
    copied(&holder, &asked_id, 9, &format!("https://{silent}/")).await;

    let before = server.asked().len();
    // Its certifier's last word does not count any more by then.
    let at = now.plus_secs(3700);
    for round in 0..2 {
        let begun = Instant::now();
        holder.server.watch_certifications(at).await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(20), "{round}: {took:?}");
        // Once, and then again when it is time.
        assert_eq!(server.asked().len(), before + 1, "{round}");
        let lapsed = "400 invalid_client certification-lapsed";
        let token = async |app, id: &str| holder.token(&assertion(app, id).sign()).await;
        assert_eq!(token(&expiring, &expiring_id).await.refusal(), lapsed);
        assert_eq!(token(&asked, &asked_id).await.status, 200);
    }
}

/// Whoever was left alone is asked about everything when it is time again.
#[tokio::test]
async fn a_certifier_that_was_away_is_asked_about_everything_when_it_is_back() {
    let says = Arc::new(AtomicU16::new(1));
    let server = certifier(&says).await;
    let holder = watched(&server, "").await;
    let app = world().a.app("https://away.rounds.example");
    let certification = audit(&app).claim("certification_status_endpoint", server.url("/"));
    let reply = register(&holder, &app, &[certification.sign()]).await;
    copied(&holder, &reply.text("client_id"), 6, &server.url("/")).await;

    let now = clock::now();
    let round = async |minutes: i64| {
        let before = server.asked().len();
        let at = now.plus_secs(minutes * 60);
        holder.server.watch_certifications(at).await;
        server.asked().len() - before
    };
    assert_eq!(round(20).await, 65);
    says.store(500, Ordering::Relaxed);
    // Besides those that were on their way.
    let in_vain = round(40).await;
    assert!((16..16 + 8).contains(&in_vain), "{in_vain}");
    says.store(1, Ordering::Relaxed);
    assert_eq!(round(60).await, 65);
}
