//! What an audit entry costs the request that records it, and the writer that stores it.
//!
//! `cargo run --release -p udap-host --example audit_cost [entries]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and fails by panicking"
)]

use std::{
    fs,
    time::{Duration, Instant},
};

use udap_host::{
    audit::{self, Audit, Event, Who},
    db::Db,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let entries: u32 = std::env::args()
        .nth(1)
        .map_or(200_000, |text| text.parse().unwrap());
    let directory = tempfile::tempdir_in(".").unwrap();
    let path = directory.path().join("audit.db");
    let db = Db::open(&path, &[audit::migration(1)]).await.unwrap();
    let audit = Audit::start(db.clone());
    let who = Who {
        community: Some("https://community.example".into()),
        client_id: Some("2f6c1c1e-9d1f-4c0f-8d0e-0c7f5a3b1e11".into()),
        uri: Some("https://app.example/udap".into()),
        jti: Some(audit::jti_hash("d6b1d1d2")),
        remote: Some("192.0.2.7".parse().unwrap()),
        request_id: Some("0123456789ab-1f".into()),
        duration: Some(Duration::from_micros(90)),
    };
    let scope: std::sync::Arc<str> = "system/Patient.rs system/Observation.rs".into();
    let mut recording = Duration::ZERO;
    let start = Instant::now();
    for _ in 0..entries / 100 {
        // In bursts of 100 each 5 ms, as 20,000 requests a second would come.
        let burst = Instant::now();
        for _ in 0..100 {
            let purpose_of_use = vec!["urn:oid:2.16.840.1.113883.5.8#TREAT".to_owned()];
            audit
                .record(
                    who.clone(),
                    Event::TokenIssued {
                        scope: scope.clone(),
                        purpose_of_use: purpose_of_use.into(),
                    },
                )
                .await;
        }
        recording += burst.elapsed();
        tokio::time::sleep(Duration::from_millis(5).saturating_sub(burst.elapsed())).await;
    }
    audit.flush().await.unwrap();
    let elapsed = start.elapsed();
    let per = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(entries);
    println!(
        "recorded in {:.2} µs each; stored at {:.0} entries/s, {:.2} µs of CPU each (all threads); {} bytes each on disk",
        per(recording),
        f64::from(entries) / elapsed.as_secs_f64(),
        per(process_cpu()),
        fs::metadata(&path).unwrap().len() / u64::from(entries),
    );
}

fn process_cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let nanoseconds = tasks.map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanoseconds.sum())
}
