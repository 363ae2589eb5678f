//! Rounds in which certifications are looked at, while other things happen.

use crate::certifications::{AUDIT, audit, register, watched};
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
