//! Many at once, and some that hang up.

use crate::support::{Holder, assertion, statement, world};
use futures_util::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use udap_host::db::sqlx;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_registrations_of_one_app_leave_one() {
    let holder = Holder::new().await;
    let app = world().a.app("https://hundred.app.example");
    let all = (0..100).map(|_| {
        let (holder, jwt) = (holder.clone(), statement(&app).sign());
        tokio::spawn(async move { holder.register(&jwt).await })
    });
    let replies: Vec<_> = join_all(all)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let created = replies.iter().filter(|r| r.status == 201).count();
    let replaced = replies.iter().filter(|r| r.status == 200).count();
    assert_eq!((created, replaced), (1, 99));
    let ids: BTreeSet<_> = replies.iter().map(|r| r.text("client_id")).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(rows(&holder, "https://hundred.app.example").await, 1);
}

/// Those that wait for the database are written together; each gets its own answer, and one whose client
/// hangs up takes nobody with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_apps_at_once_each_leave_their_own_registration() {
    let holder = Holder::new().await;
    let uri = |at: usize| format!("https://many-{at}.app.example");
    let all = (0..60).map(|at| {
        let jwt = statement(&world().a.app(&uri(at))).sign();
        let holder = holder.clone();
        tokio::spawn(async move {
            let patience = Duration::from_millis(if at % 7 == 3 { 1 } else { 60_000 });
            tokio::time::timeout(patience, holder.register(&jwt)).await
        })
    });
    let replies: Vec<_> = join_all(all).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut ids = BTreeSet::new();
    for (at, reply) in replies.into_iter().enumerate() {
        let Ok(reply) = reply.unwrap() else { continue };
        assert_eq!(reply.status, 201, "{reply}");
        let query = "SELECT uri FROM registration WHERE client_id = $1";
        let registered: String = sqlx::query_scalar(query)
            .bind(reply.text("client_id"))
            .fetch_one(&mut holder.database().await)
            .await
            .unwrap();
        assert_eq!(registered, uri(at));
        ids.insert(reply.text("client_id"));
    }
    assert!(ids.len() >= 51, "{}", ids.len());
}

/// What the database does not take from one app is nobody else's refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_registration_that_cannot_be_written_fails_alone() {
    let holder = Holder::new().await;
    let index =
        "CREATE UNIQUE INDEX only_one ON registration (state) WHERE uri LIKE 'https://bad-%'";
    let mut database = holder.database().await;
    sqlx::query(index).execute(&mut database).await.unwrap();
    let bad = |at: usize| world().a.app(&format!("https://bad-{at}.app.example"));
    holder.registered(&bad(0)).await;
    let all = (1..=60).map(|at| {
        let app = match at % 10 {
            0 => bad(at),
            _ => world().a.app(&format!("https://good-{at}.app.example")),
        };
        let (holder, jwt) = (holder.clone(), statement(&app).sign());
        tokio::spawn(async move { holder.register(&jwt).await })
    });
    for (at, reply) in (1..).zip(join_all(all).await) {
        let expected = if at % 10 == 0 { 503 } else { 201 };
        assert_eq!(reply.unwrap().status, expected, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_uses_of_one_jwt_one_counts() {
    let holder = Holder::new().await;
    let app = world().a.app("https://once.app.example");
    let id = holder.registered(&app).await;
    let token = assertion(&app, &id).sign();
    let change = statement(&app).sign();
    let all = (0..100).map(|at| {
        let (holder, token, change) = (holder.clone(), token.clone(), change.clone());
        tokio::spawn(async move {
            if at % 2 == 0 {
                holder.token(&token).await
            } else {
                holder.register(&change).await
            }
        })
    });
    let replies: Vec<_> = join_all(all)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for half in [0, 1] {
        let half: Vec<_> = replies.iter().skip(half).step_by(2).collect();
        assert_eq!(half.iter().filter(|r| r.status == 200).count(), 1);
        for refused in half.iter().filter(|r| r.status != 200) {
            assert!(refused.refusal().ends_with(" jwt-replayed"), "{refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn registrations_and_cancellations_at_once_leave_one_or_none() {
    let holder = Holder::new().await;
    let app = world().a.app("https://undecided.app.example");
    let all = (0..60).map(|at| {
        let jwt = statement(&app);
        let jwt = if at % 3 == 0 {
            jwt.claim("grant_types", json!([]))
        } else {
            jwt
        };
        let (holder, jwt) = (holder.clone(), jwt.sign());
        tokio::spawn(async move { holder.register(&jwt).await })
    });
    for reply in join_all(all).await {
        let reply = reply.unwrap();
        let fine = reply.status.is_success() || reply.refusal().ends_with(" registration-unknown");
        assert!(fine, "{reply}");
    }
    assert!(rows(&holder, "https://undecided.app.example").await <= 1);
}

/// Whatever moment a client hangs up at: what the database says counts at the token endpoint too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_leaves_nothing_half_done() {
    let holder = Holder::new().await;
    for at in 0..40_u64 {
        let app = world().a.app(&format!("https://hangs-up-{at}.app.example"));
        let id = holder.registered(&app).await;
        // The registration is remembered from here on.
        assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
        let leave = statement(&app).claim("grant_types", json!([])).sign();
        let patience = Duration::from_micros(at * 250);
        let answered = tokio::time::timeout(patience, holder.register(&leave)).await;
        if answered.is_err() {
            // Time enough for whatever still happens to happen, mostly.
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        let begun = Instant::now();
        loop {
            let left = rows(&holder, &format!("https://hangs-up-{at}.app.example")).await == 0;
            let reply = holder.token(&assertion(&app, &id).sign()).await;
            if left == (reply.status == 400) {
                break;
            }
            // It may have happened between the two.
            let late = answered.is_ok() || begun.elapsed() > Duration::from_secs(10);
            assert!(!late, "after {patience:?}: {left} {reply}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn rows(holder: &Holder, uri: &str) -> i64 {
    let query = "SELECT COUNT(*) FROM registration WHERE uri = $1 AND state <> 'cancelled'";
    sqlx::query_scalar(query)
        .bind(uri)
        .fetch_one(&mut holder.database().await)
        .await
        .unwrap()
}
