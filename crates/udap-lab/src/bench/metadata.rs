//! `udap bench metadata`

use std::{sync::Arc, time::Duration};

use http::Request;
use http_body_util::Full;
use udap_proto::metadata;

use super::{
    BenchError, LoadBench, cpu, empty,
    load::Load,
    place::Place,
    report::{Report, note, per_request},
    require_load,
    token::Next,
};
use crate::wire::{self, Address};

pub(super) async fn run(options: LoadBench) -> Result<Report, BenchError> {
    require_load(options.seconds, 600, options.connections)?;
    let place = Place::start(&["ca-1", "data-holder"], |layout| vec![empty::spec(layout)]).await?;
    let result = measure(&options, &place).await;
    place.end().await?;
    result
}

async fn measure(options: &LoadBench, place: &Place) -> Result<Report, BenchError> {
    let base = place.layout.data_holder_url();
    let target = wire::target(&format!("{base}{}", metadata::PATH))?;
    let next: Next = Arc::new(move |_| Request::get(target.as_str()).body(Full::default()).ok());
    let duration = Duration::from_secs(options.seconds.into());
    note(&format!("measuring {} seconds", options.seconds));
    let load = Load {
        address: Address::of(&base, &place.tls)?,
        connections: options.connections,
        duration: WARM_UP,
        next: Arc::clone(&next),
        is_good: |answer| {
            answer.status() == 200
                && memchr::memmem::find(answer.body(), b"\"signed_metadata\"").is_some()
        },
    };
    let pid = place.actors.pid("data-holder");
    load.clone().run().await?;
    let before = pid.and_then(cpu::of);
    let measured = Load { duration, ..load }.run().await?;
    let used = per_request(before, pid.and_then(cpu::of), &measured);
    let empty = empty::cost(place, options.connections, duration, next).await?;
    // Signed in advance: no signature is in it, whatever the key.
    let parts = vec![("an empty handler".to_owned(), empty)];
    Ok(Report::new("metadata", "-", &measured, used, parts))
}

const WARM_UP: Duration = Duration::from_millis(700);
