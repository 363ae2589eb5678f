#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use std::fs::OpenOptions;
use std::io::Write as _;

const NOW: UnixTime = UnixTime(1_000_000);

/// A JWT signed at `now` and shown at once.
async fn record(
    replay: &ReplayLog,
    [community, iss, jti]: [&str; 3],
    exp: UnixTime,
    now: UnixTime,
) -> Result<Seen, NotDurable> {
    let iat = Some(now);
    let jwt = Once {
        community,
        iss,
        jti,
        iat,
        exp,
    };
    replay.record(jwt, now).await
}

#[tokio::test]
async fn a_jti_counts_once_per_community_and_issuer_until_it_lapses() {
    let directory = tempfile::tempdir().unwrap();
    let replay = ReplayLog::open(&directory.path().join("replay"), NOW).unwrap();
    let exp = NOW.plus_secs(300);
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::New)
    );
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::Before)
    );
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp.plus_secs(9), NOW).await,
        Ok(Seen::Before)
    );
    assert_eq!(
        record(&replay, ["d", "a", "1"], exp, NOW).await,
        Ok(Seen::New)
    );
    assert_eq!(
        record(&replay, ["c", "b", "1"], exp, NOW).await,
        Ok(Seen::New)
    );
    assert_eq!(
        record(&replay, ["c", "a", "2"], exp, NOW).await,
        Ok(Seen::New)
    );
    let last = exp.plus_secs(SKEW_SECS - 1);
    assert_eq!(
        record(&replay, ["c", "a", "1"], last.plus_secs(300), last).await,
        Ok(Seen::Before)
    );
    let after = exp.plus_secs(SKEW_SECS);
    assert_eq!(
        record(&replay, ["c", "a", "1"], after.plus_secs(300), after).await,
        Ok(Seen::New)
    );
}

#[tokio::test]
async fn what_was_seen_survives_a_restart_and_a_torn_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replay");
    let exp = NOW.plus_secs(300);
    for round in 0..3 {
        let replay = ReplayLog::open(&path, NOW).unwrap();
        for earlier in 0..round {
            assert_eq!(
                record(&replay, ["c", "a", &format!("{earlier}")], exp, NOW).await,
                Ok(Seen::Before)
            );
        }
        assert_eq!(
            record(&replay, ["c", "a", &format!("{round}")], exp, NOW).await,
            Ok(Seen::New)
        );
        drop(replay);
        let mut files: Vec<_> = std::fs::read_dir(&path)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        let mut last = OpenOptions::new()
            .append(true)
            .open(files.last().unwrap())
            .unwrap();
        last.write_all(b"torn").unwrap();
    }
    let later = ReplayLog::open(&path, exp.plus_secs(SKEW_SECS)).unwrap();
    let lapsed = exp.plus_secs(SKEW_SECS);
    assert_eq!(
        record(&later, ["c", "a", "0"], exp.plus_secs(600), lapsed).await,
        Ok(Seen::New)
    );
}

#[tokio::test]
async fn of_a_hundred_at_once_one_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let replay = ReplayLog::open(&directory.path().join("replay"), NOW).unwrap();
    let all = futures_util::future::join_all(
        (0..100).map(|_| record(&replay, ["c", "a", "1"], NOW.plus_secs(60), NOW)),
    )
    .await;
    assert_eq!(all.iter().filter(|seen| **seen == Ok(Seen::New)).count(), 1);
}

/// A request that waited for a CRL is judged by the time at which it came, although others that
/// came later were faster.
#[tokio::test]
async fn a_record_outlives_requests_that_take_their_time() {
    let directory = tempfile::tempdir().unwrap();
    let replay = ReplayLog::open(&directory.path().join("replay"), NOW).unwrap();
    let exp = NOW.plus_secs(60);
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::New)
    );
    let came = exp.plus_secs(SKEW_SECS - 1);
    let meanwhile = came.plus_secs(BUCKET_SECS + 3);
    let other = record(&replay, ["c", "b", "2"], meanwhile.plus_secs(60), meanwhile).await;
    assert_eq!(other, Ok(Seen::New));
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, came).await,
        Ok(Seen::Before)
    );
}

#[tokio::test]
async fn files_whose_records_lapsed_are_deleted_at_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replay");
    let logs = || {
        let files = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path());
        files.filter(|f| f.extension().is_some()).count()
    };
    for _ in 0..5 {
        let replay = ReplayLog::open(&path, NOW).unwrap();
        let exp = NOW.plus_secs(60);
        let _ = record(&replay, ["c", "a", "1"], exp, NOW).await;
    }
    // One with the record, one that is open; those without any were deleted.
    assert_eq!(logs(), 2);
    let _ = ReplayLog::open(&path, NOW.plus_secs(3600)).unwrap();
    assert_eq!(logs(), 1);
}

/// As many as it takes for the mark to be used.
async fn be_busy(replay: &ReplayLog) {
    be_busy_at(replay, NOW).await;
}

async fn be_busy_at(replay: &ReplayLog, now: UnixTime) {
    for number in 0..=BUSY {
        let jti = format!("busy-{number}-{}", now.0);
        let seen = record(replay, ["c", "a", &jti], now.plus_secs(300), now).await;
        assert_eq!(seen, Ok(Seen::New));
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    files
        .flat_map(|file| std::fs::read(file).unwrap())
        .collect()
}

fn logged(path: &Path, jti: &str) -> bool {
    let key = key("c", "a", jti);
    bytes(path).chunks(RECORD).any(|r| r.starts_with(&key))
}

#[tokio::test]
async fn on_a_busy_server_the_mark_stands_for_records_and_after_a_crash_for_all_it_may_have_seen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replay");
    let exp = NOW.plus_secs(300);
    let replay = ReplayLog::open(&path, NOW).unwrap();
    be_busy(&replay).await;
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::New)
    );
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::Before)
    );
    assert!(logged(&path, "busy-0-1000000"));
    assert!(!logged(&path, "1"));
    // Signed by a clock that is ahead: not covered, so it has a record of its own.
    let ahead = NOW.plus_secs(AHEAD_SECS + 1);
    let jwt = |jti, iat| Once {
        community: "c",
        iss: "a",
        jti,
        iat,
        exp,
    };
    assert_eq!(
        replay.record(jwt("2", Some(ahead)), NOW).await,
        Ok(Seen::New)
    );
    assert!(logged(&path, "2"));
    // Neither is one without a time, nor one that lives for longer than a mark is kept.
    assert_eq!(replay.record(jwt("3", None), NOW).await, Ok(Seen::New));
    assert!(logged(&path, "3"));
    let old = UnixTime(exp.0 - MARKED_SECS);
    assert_eq!(replay.record(jwt("4", Some(old)), NOW).await, Ok(Seen::New));
    assert!(logged(&path, "4"));

    // Without a word it ends.
    drop(replay);
    let replay = ReplayLog::open(&path, NOW).unwrap();
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::Unknown)
    );
    assert_eq!(
        record(&replay, ["c", "a", "never"], exp, NOW).await,
        Ok(Seen::Unknown)
    );
    let before = |seen| assert_eq!(seen, Ok(Seen::Before));
    before(replay.record(jwt("2", Some(ahead)), NOW).await);
    before(replay.record(jwt("3", None), NOW).await);
    before(replay.record(jwt("4", Some(old)), NOW).await);
    assert_eq!(
        record(&replay, ["c", "a", "5"], exp, ahead).await,
        Ok(Seen::New)
    );
    // Ending well does not take back the mark of the crash.
    be_busy_at(&replay, ahead).await;
    replay.close(ahead).await.unwrap();
    drop(replay);
    let replay = ReplayLog::open(&path, ahead).unwrap();
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::Unknown)
    );
    assert_eq!(
        record(&replay, ["c", "a", "5"], exp, ahead).await,
        Ok(Seen::Before)
    );
    assert_eq!(
        record(&replay, ["c", "a", "6"], exp, ahead).await,
        Ok(Seen::New)
    );
}

#[tokio::test]
async fn a_busy_server_that_ends_well_refuses_nobody_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replay");
    let exp = NOW.plus_secs(300);
    let replay = ReplayLog::open(&path, NOW).unwrap();
    be_busy(&replay).await;
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::New)
    );
    replay.close(NOW).await.unwrap();
    // What comes while it ends has a record of its own.
    assert_eq!(
        record(&replay, ["c", "a", "2"], exp, NOW).await,
        Ok(Seen::New)
    );
    drop(replay);
    let replay = ReplayLog::open(&path, NOW).unwrap();
    for jti in ["busy-0-1000000", "1", "2"] {
        assert_eq!(
            record(&replay, ["c", "a", jti], exp, NOW).await,
            Ok(Seen::Before)
        );
    }
    assert_eq!(
        record(&replay, ["c", "a", "3"], exp, NOW).await,
        Ok(Seen::New)
    );
}

#[tokio::test]
async fn a_server_that_is_not_busy_crashes_and_refuses_nobody_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replay");
    let exp = NOW.plus_secs(300);
    let replay = ReplayLog::open(&path, NOW).unwrap();
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::New)
    );
    drop(replay);
    let replay = ReplayLog::open(&path, NOW).unwrap();
    assert_eq!(
        record(&replay, ["c", "a", "1"], exp, NOW).await,
        Ok(Seen::Before)
    );
    assert_eq!(
        record(&replay, ["c", "a", "2"], exp, NOW).await,
        Ok(Seen::New)
    );
}

/// A file is kept as long as its mark matters, which is longer than its records do.
#[tokio::test]
async fn a_mark_is_not_deleted_while_a_jwt_that_it_stands_for_lives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replay");
    let replay = ReplayLog::open(&path, NOW).unwrap();
    for number in 0..=BUSY {
        let jti = format!("{number}");
        let _ = record(&replay, ["c", "a", &jti], NOW.plus_secs(1), NOW).await;
    }
    drop(replay);
    let later = NOW.plus_secs(MARKED_SECS - SKEW_SECS - 1);
    drop(ReplayLog::open(&path, later).unwrap());
    let replay = ReplayLog::open(&path, later).unwrap();
    let jwt = Once {
        community: "c",
        iss: "a",
        jti: "x",
        iat: Some(NOW),
        exp: later,
    };
    assert_eq!(replay.record(jwt, later).await, Ok(Seen::Unknown));
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let error = ReplayLog::open(Path::new("/proc/no/such"), NOW).unwrap_err();
    assert_eq!(error.code(), "replay-log-unusable");
}
