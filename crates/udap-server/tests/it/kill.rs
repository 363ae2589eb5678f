//! A server that ends without a word, and the next one on what it left.

use crate::support::{Holder, assertion, statement, world};
use std::io::Write as _;

#[tokio::test]
async fn what_was_answered_is_remembered() {
    let mut holder = Holder::new().await;
    let app = world().a.app("https://killed.app.example");
    let once = statement(&app).sign();
    let reply = holder.register(&once).await;
    let id = reply.text("client_id");
    let mut used = Vec::new();
    for _ in 0..3 {
        let jwt = assertion(&app, &id).sign();
        assert_eq!(holder.token(&jwt).await.status, 200);
        used.push(jwt);
        // A torn record at the end, as a power failure leaves it.
        for (path, _) in holder.state() {
            if path.extension().is_some_and(|e| e == "log") {
                let mut log = std::fs::OpenOptions::new().append(true).open(path).unwrap();
                log.write_all(b"torn").unwrap();
            }
        }
        holder = holder.killed_and_started_again().await;
        for jwt in &used {
            assert_eq!(
                holder.token(jwt).await.refusal(),
                "400 invalid_client jwt-replayed"
            );
        }
        let reply = holder.register(&once).await;
        assert_eq!(
            reply.refusal(),
            "400 invalid_software_statement jwt-replayed"
        );
        assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
        let reply = holder.register(&statement(&app).sign()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text("client_id")),
            (200, id.clone())
        );
    }
}

/// A busy server does not write down each JWT. Killed, it refuses what it may have accepted.
#[tokio::test]
async fn what_was_signed_before_a_busy_server_was_killed_is_refused() {
    if udap_testkit::postgres::wanted() {
        return; // The log is the record of a server that shares no database.
    }
    let mut holder = Holder::new().await;
    let app = world().a.app("https://busy.app.example");
    let id = holder
        .register(&statement(&app).sign())
        .await
        .text("client_id");
    let (unused, late) = (assertion(&app, &id).sign(), statement(&app).sign());
    let mut used = Vec::new();
    for _ in 0..30 {
        let round: Vec<_> = (0..150).map(|_| assertion(&app, &id).sign()).collect();
        let all = futures_util::future::join_all(round.iter().map(|jwt| holder.token(jwt))).await;
        assert!(all.iter().all(|reply| reply.status == 200));
        used.extend(round);
        if has_mark(&holder) {
            break;
        }
    }
    assert!(has_mark(&holder), "never busy enough");
    let last = assertion(&app, &id).sign();
    assert_eq!(holder.token(&last).await.status, 200);
    used.push(last);
    holder = holder.killed_and_started_again().await;
    for jwt in &used {
        let refused = holder.token(jwt).await.refusal();
        assert!(refused.starts_with("400 invalid_client jwt-"), "{refused}");
    }
    assert_eq!(
        holder.token(&unused).await.refusal(),
        "400 invalid_client jwt-before-restart"
    );
    assert_eq!(
        holder.register(&late).await.refusal(),
        "400 invalid_software_statement jwt-before-restart"
    );
    // Two seconds later all is as before.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
}

fn has_mark(holder: &Holder) -> bool {
    let files = holder.state().into_iter();
    files
        .filter(|(path, _)| path.extension().is_some_and(|e| e == "log"))
        .any(|(_, bytes)| {
            bytes
                .chunks(24)
                .any(|record| record.starts_with(&[0xff; 16]))
        })
}

/// Two servers on one directory would not know of each other's JWTs.
#[tokio::test]
async fn a_directory_serves_one_server_at_a_time() {
    if udap_testkit::postgres::wanted() {
        return; // The log is the record of a server that shares no database.
    }
    let holder = Holder::new().await;
    let error = udap_server::Server::open(&holder.config).await.unwrap_err();
    assert_eq!(error.code(), "replay-log-unusable");
    assert!(error.to_string().contains("another process"), "{error}");
}

#[tokio::test]
async fn a_damaged_key_is_named_and_not_replaced() {
    if udap_testkit::postgres::wanted() {
        return; // The key is in the database; see `nodes`.
    }
    let holder = Holder::new().await;
    let path = holder.config.state_dir.join("access-token.key");
    crate::support::write_private(&path, b"not a key");
    let error = holder.killed_and_not_started_again().await;
    assert_eq!(error, "access-key-unusable");
}
