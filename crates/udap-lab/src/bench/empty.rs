//! An empty handler on the listener that the authorization server has, as a process of its own.

use std::time::Duration;

use super::{BenchError, cpu, load::Load, place::Place, report::per_request, token::Next};
use crate::{
    dev::{Layout, READY_WITHIN, Spec},
    wire::Address,
};

const NAME: &str = "floor";
const WARM_UP: Duration = Duration::from_millis(700);
const LONGEST: Duration = Duration::from_secs(3);

pub(super) fn spec(layout: &Layout) -> Spec {
    let port = port(layout);
    let path = |name: &str| layout.path(name).display().to_string();
    Spec {
        name: NAME,
        port,
        also: Vec::new(),
        args: vec![
            NAME.to_owned(),
            format!("127.0.0.1:{port}"),
            path("tls/data-holder.pem"),
            path("tls/data-holder.key"),
        ],
        ready_url: format!("https://localhost:{port}/"),
        ready_within: READY_WITHIN,
        log: layout.log(NAME),
    }
}

/// CPU time of its process for one of these requests, in microseconds.
pub(super) async fn cost(
    place: &Place,
    connections: usize,
    duration: Duration,
    next: Next,
) -> Result<f64, BenchError> {
    let load = Load {
        address: Address {
            host: "localhost".to_owned(),
            port: port(&place.layout),
            tls: Some(place.tls.clone()),
        },
        connections,
        duration: WARM_UP,
        next,
        is_good: |answer| answer.status() == 200,
    };
    let pid = place.actors.pid(NAME);
    let warm = load.clone().run().await?;
    let before = pid.and_then(cpu::of);
    let duration = duration.min(LONGEST);
    let empty = Load { duration, ..load }.run().await?;
    per_request(before, pid.and_then(cpu::of), &empty)
        .filter(|_| warm.errors + empty.errors == 0)
        .ok_or_else(|| BenchError::Other("the empty handler could not be measured".to_owned()))
}

const fn port(layout: &Layout) -> u16 {
    layout.admin_port() + 1
}
