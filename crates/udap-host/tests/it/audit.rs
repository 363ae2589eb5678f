//! The audit trail in a real database.

use std::{sync::Arc, time::Duration};

use udap_host::{
    audit::{self, Action, Audit, Event, Filter, Record, Refusal, Who},
    db::{Db, Location, Migrate, sqlx},
};
use udap_testkit::postgres::{self, Postgres};

async fn open(dir: &tempfile::TempDir) -> Db {
    let migrations = [audit::migration(1)];
    Db::open_at(&location(dir), &migrations, Migrate::Apply)
        .await
        .unwrap()
}

/// The same for one directory.
fn location(dir: &tempfile::TempDir) -> Location {
    if !postgres::wanted() {
        return Location::File(dir.path().join("udap.db"));
    }
    let file = dir.path().join("url");
    let url = std::fs::read_to_string(&file).unwrap_or_else(|_| {
        let url = Postgres::shared().database();
        std::fs::write(&file, &url).unwrap();
        url
    });
    Location::Server(url.parse().unwrap())
}

fn who(n: u32) -> Who {
    Who {
        community: Some("https://community.example".into()),
        client_id: Some(format!("client-{n}").into()),
        uri: Some("https://app.example".into()),
        jti: Some(audit::jti_hash("a-jti-of-the-client")),
        remote: Some("192.0.2.7".parse().unwrap()),
        request_id: Some("abc-1".into()),
        duration: Some(Duration::from_micros(90)),
    }
}

fn refused(detail: &str) -> Event {
    Event::TokenRefused(Refusal {
        code: "certificate-revoked",
        detail: detail.to_owned(),
    })
}

#[tokio::test]
async fn every_kind_of_event_is_stored_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    let refusal = || Refusal {
        code: "scope-missing",
        detail: "a sentence".to_owned(),
    };
    for event in [
        Event::Started {
            version: "1.2.3".to_owned(),
        },
        Event::RegistrationCreated,
        Event::RegistrationModified,
        Event::RegistrationCancelled,
        Event::RegistrationRefused(refusal()),
        Event::CertificationRefused(refusal()),
        Event::RegistrationLapsed(refusal()),
        Event::RegistrationRestored,
        Event::TokenIssued {
            scope: "system/*.rs".into(),
            purpose_of_use: ["TREAT".to_owned()].into(),
        },
        Event::TokenRefused(refusal()),
        Event::TokenRevoked,
        Event::RevocationRefused(refusal()),
        Event::TokenIntrospected { inactive: None },
        Event::TokenIntrospected {
            inactive: Some("token-revoked"),
        },
        Event::IntrospectionRefused(refusal()),
        Event::AccessAllowed {
            interaction: "read Patient".to_owned(),
            status: 200,
        },
        Event::AccessRefused {
            interaction: "search Patient".to_owned(),
            refusal: refusal(),
            token_counts: true,
        },
        Event::RefusalsCounted {
            refusal: refusal(),
            count: 7,
        },
        Event::CertificateTrouble(refusal()),
        Event::CertificateIssued {
            serial: "0a".to_owned(),
            profile: "app".to_owned(),
        },
        Event::CertificateRevoked {
            serial: "0a".to_owned(),
            reason: "key".to_owned(),
        },
        Event::Administered {
            action: Action::Suspended,
            by: "ada".into(),
            to: None,
            reason: Some("asked by the vendor".to_owned()),
        },
        Event::Administered {
            action: Action::OperatorAdded,
            by: "ada".into(),
            to: Some("grace".to_owned()),
            reason: None,
        },
        Event::Administered {
            action: Action::AuditPruned,
            by: "ada".into(),
            to: None,
            reason: Some("3 entries".to_owned()),
        },
        Event::OperatorRefused(refusal()),
        Event::Stopped,
    ] {
        audit.record(who(1), event).await;
        tokio::time::sleep(Duration::from_micros(2)).await;
    }
    audit.flush().await.unwrap();
    let records = audit::recent(&db, &Filter::default(), 100)
        .await
        .unwrap()
        .records;
    let line = |r: &Record| {
        let data = r
            .more
            .data
            .as_ref()
            .map_or("-".to_owned(), ToString::to_string);
        format!("{} {} {data}\n", r.event, r.code.as_deref().unwrap_or("-"))
    };
    insta::assert_snapshot!("events", records.iter().rev().map(line).collect::<String>());
    let newest = &records[0];
    assert_eq!(newest.client_id.as_deref(), Some("client-1"));
    assert_eq!(newest.more.remote, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(newest.more.duration_us, Some(90));
    // What `printf a-jti-of-the-client | sha256sum` says.
    let hash = "664d38ecc11cbbf2cf1ef3ba1fb58d1496f631c0535abd5ff5f999ce762ced60";
    assert_eq!(newest.more.jti.as_deref(), Some(hash));
    assert!(newest.at > 1_700_000_000_000_000);
}

#[tokio::test]
async fn nothing_is_lost_or_stored_twice_under_load_from_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    // More than the queue holds: callers are held back, and none of them is turned away.
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let audit = audit.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    for n in 0..7_500 {
                        let event = Event::RegistrationModified;
                        audit.record(who(task * 10_000 + n), event).await;
                    }
                });
            })
        })
        .collect();
    for task in tasks {
        tokio::task::spawn_blocking(|| task.join())
            .await
            .unwrap()
            .unwrap();
    }
    audit.flush().await.unwrap();
    let (all, distinct): (i64, i64) =
        sqlx::query_as("SELECT COUNT(*), COUNT(DISTINCT client_id) FROM audit")
            .fetch_one(db.reader())
            .await
            .unwrap();
    assert_eq!((all, distinct), (30_000, 30_000));
}

/// One question about the trail of years does not look at all of it, says so, and nothing is left out by
/// who asks on.
#[tokio::test]
async fn what_is_rare_is_found_by_asking_on() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    audit.record(who(1), refused("rare")).await;
    let most = usize::try_from(audit::MOST_EXAMINED).unwrap();
    for _ in 0..most {
        audit.record(who(2), Event::Stopped).await;
    }
    audit.flush().await.unwrap();
    let (all, times): (i64, i64) = sqlx::query_as("SELECT COUNT(*), COUNT(DISTINCT at) FROM audit")
        .fetch_one(db.reader())
        .await
        .unwrap();
    assert_eq!(all, i64::from(audit::MOST_EXAMINED) + 1);
    assert_eq!(times, all, "two at one time");

    let rare = Filter {
        client_id: Some("client-1".to_owned()),
        ..Filter::default()
    };
    let first = audit::recent(&db, &rare, 10).await.unwrap();
    assert_eq!(first.records, []);
    let on = Filter {
        until: Some(first.searched_to.expect("there is more to be looked at")),
        ..rare
    };
    let second = audit::recent(&db, &on, 10).await.unwrap();
    assert_eq!(second.records.len(), 1);
    assert_eq!(second.searched_to, None);
    // Refusals have an index of their own; where nothing is left out, nothing is counted off.
    let refusals = Filter {
        refusals: true,
        client_id: on.client_id,
        ..Filter::default()
    };
    assert_eq!(audit::recent(&db, &refusals, 10).await.unwrap(), second);
    let all = audit::recent(&db, &Filter::default(), 10).await.unwrap();
    assert_eq!((all.records.len(), all.searched_to), (10, None));
}

#[tokio::test]
async fn what_is_recorded_before_the_last_handle_goes_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    audit.record(who(1), Event::Stopped).await;
    drop(audit);
    crate::support::eventually("the entry is written", async || {
        audit::recent(&db, &Filter::default(), 1)
            .await
            .unwrap()
            .records
            .len()
            == 1
    })
    .await;
}

/// What anybody can cause does not fill the disk, and none of it is forgotten.
#[tokio::test]
async fn refusals_of_strangers_are_counted_when_they_are_many() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    for _ in 0..1_000 {
        audit.record(who(1), refused("again and again")).await;
    }
    audit.record(who(1), Event::RegistrationModified).await;
    // Also where nobody asks for it before the last handle goes.
    drop(audit);
    let records = async || {
        let records = audit::recent(&db, &Filter::default(), 2_000).await;
        records.unwrap().records
    };
    crate::support::eventually("the count is written", async || {
        records()
            .await
            .iter()
            .any(|r| r.event == "refusals-counted")
    })
    .await;
    let records = records().await;
    let written = records.iter().filter(|r| r.event == "token-refused");
    let written = u64::try_from(written.count()).unwrap();
    assert!((300..1_000).contains(&written), "{written}");
    let counted: Vec<_> = records
        .iter()
        .filter(|r| r.event == "refusals-counted")
        .collect();
    // Two, if a minute ended in between.
    assert!(counted.len() <= 2, "{counted:?}");
    let sum = counted.iter().map(|r| {
        assert_eq!(r.code.as_deref(), Some("certificate-revoked"));
        r.more.data.as_ref().unwrap()["count"].as_u64().unwrap()
    });
    assert_eq!(written + sum.sum::<u64>(), 1_000);
    let by_code = audit::refusals_by_code(&db, 0, 10).await.unwrap();
    let by_code: Vec<_> = by_code
        .iter()
        .map(|of| (of.code.as_str(), of.count))
        .collect();
    assert_eq!(by_code, [("certificate-revoked", 1_000)]);
}

#[tokio::test]
async fn what_is_old_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    // More than goes at once.
    for _ in 0..12_000 {
        audit.record(who(1), Event::RegistrationModified).await;
    }
    audit.flush().await.unwrap();
    let cut = audit::recent(&db, &Filter::default(), 1_000).await.unwrap();
    let cut = cut.records.last().unwrap().at;
    assert_eq!(audit::prune(&db, 0).await.unwrap(), 0);
    assert_eq!(audit::prune(&db, cut).await.unwrap(), 11_000);
    let left = audit::recent(&db, &Filter::default(), 2_000).await.unwrap();
    assert_eq!(left.records.len(), 1_000);
    assert!(left.records.iter().all(|record| record.at >= cut));
}

#[tokio::test]
async fn a_database_that_refuses_keeps_entries_until_it_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let run = async |sql: &'static str| {
        let mut write = db.write().await.unwrap();
        sqlx::query(sql).execute(&mut *write).await.unwrap();
        write.commit().await.unwrap();
    };
    run("ALTER TABLE audit RENAME TO hidden").await;
    let audit = Audit::start(db.clone());
    audit.record(who(1), refused("kept")).await;
    let error = audit.flush().await.unwrap_err();
    assert_eq!(error.code(), "database-error");
    assert_eq!(audit.trouble(), Some(error));

    run("ALTER TABLE hidden RENAME TO audit").await;
    audit.flush().await.unwrap();
    assert_eq!(audit.trouble(), None);
    let records = audit::recent(&db, &Filter::default(), 10)
        .await
        .unwrap()
        .records;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].more.detail.as_deref(), Some("kept"));
}

#[tokio::test]
async fn a_peer_does_not_choose_how_much_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    let long: Arc<str> = "ü".repeat(100_000).into();
    audit
        .record(
            Who {
                uri: Some(long.clone()),
                ..Who::default()
            },
            refused(&long),
        )
        .await;
    audit.flush().await.unwrap();
    let record = &audit::recent(&db, &Filter::default(), 1)
        .await
        .unwrap()
        .records[0];
    assert_eq!(record.more.uri.as_deref().map(str::len), Some(1024));
    assert_eq!(record.more.detail.as_deref().map(str::len), Some(1024));
}

#[tokio::test]
async fn an_audit_in_memory_tells_what_it_got() {
    let audit = Audit::in_memory();
    audit.record(who(1), Event::RegistrationCreated).await;
    audit.record(Who::default(), refused("x")).await;
    let recorded = audit.recorded();
    assert_eq!(recorded[0], (who(1), Event::RegistrationCreated));
    assert_eq!(recorded[1].1.refusal().unwrap().code, "certificate-revoked");
}

#[tokio::test]
async fn entries_are_found_by_time_kind_client_code_and_request() {
    use futures_util::TryStreamExt as _;

    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await;
    let audit = Audit::start(db.clone());
    for (client, code, request) in [
        ("a", "jwt-expired", "abc-1"),
        ("b", "jwt-expired", "abc-2"),
        ("a", "jwt-replayed", "abc-3"),
    ] {
        let who = Who {
            client_id: Some(client.into()),
            uri: Some(r#""request_id":"spoofed""#.into()),
            request_id: Some(request.into()),
            ..Who::default()
        };
        let refusal = Refusal {
            code,
            detail: r#"no: "request_id":"spoofed""#.to_owned(),
        };
        audit.record(who, Event::TokenRefused(refusal)).await;
    }
    audit.record(Who::default(), Event::Stopped).await;
    audit.flush().await.unwrap();

    // As a tool opens it, beside the server.
    let beside = Db::open_existing(&location(&dir)).await.unwrap();
    let count = async |filter: Filter| {
        let found: Vec<_> = audit::entries(&beside, &filter)
            .try_collect()
            .await
            .unwrap();
        assert!(found.is_sorted_by_key(|record| record.at));
        found.len()
    };
    let text = |text: &str| Some(text.to_owned());
    let any = Filter::default();
    assert_eq!(count(any.clone()).await, 4);
    let event = Filter {
        event: text("stopped"),
        ..any.clone()
    };
    assert_eq!(count(event).await, 1);
    let client = Filter {
        client_id: text("a"),
        ..any.clone()
    };
    assert_eq!(count(client.clone()).await, 2);
    let both = Filter {
        code: text("jwt-expired"),
        ..client
    };
    assert_eq!(count(both).await, 1);
    let request = |id: &str| Filter {
        request_id: text(id),
        ..any.clone()
    };
    assert_eq!(count(request("abc-1")).await, 1);
    // Whole and exact, and not what a stranger wrote elsewhere.
    for other in ["abc", "ABC-1", "abc_1", "%", "spoofed"] {
        assert_eq!(count(request(other)).await, 0, "{other}");
    }
    let now = jiff::Timestamp::now().as_microsecond();
    let future = Filter {
        since: Some(now),
        ..any.clone()
    };
    assert_eq!(count(future).await, 0);
    let past = Filter {
        until: Some(now),
        ..any
    };
    assert_eq!(count(past).await, 4);

    let missing = Db::open_existing(&Location::File(dir.path().join("no.db"))).await;
    assert_eq!(missing.unwrap_err().code(), "database-missing");
}
