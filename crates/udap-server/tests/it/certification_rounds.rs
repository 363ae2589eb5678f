//! Rounds in which certifications are looked at, while other things happen.

use crate::certifications::{AUDIT, PRIVACY, audit, register, watched};
use crate::support::{assertion, hold, world};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
