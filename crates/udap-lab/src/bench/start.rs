//! `udap bench start`

use std::time::{Duration, Instant};

use super::{BenchError, StartBench, empty, memory, place::Place, report::note, require};
use crate::dev::{Actors, DevError, Spec, specs};

/// What starting took, of the data holder and of an empty handler in the same program.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) data_holder: Process,
    pub(super) floor: Process,
}

/// The median of some starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    /// From the start to the first answer over TLS, in milliseconds.
    pub(super) first_answer_ms: f64,
    /// What it holds in memory while nobody asks.
    pub(super) idle: Option<memory::Held>,
}

pub(super) async fn run(options: StartBench) -> Result<Start, BenchError> {
    require("the number of starts", options.starts.into(), 1, 1_000)?;
    let place = Place::start(&["ca-1"], |_| Vec::new()).await?;
    let result = measure(options.starts, &place).await;
    place.end().await?;
    result
}

async fn measure(starts: u32, place: &Place) -> Result<Start, BenchError> {
    let all = specs(&place.layout);
    let data_holder = all.into_iter().find(|spec| spec.name == "data-holder");
    let data_holder =
        data_holder.ok_or_else(|| BenchError::Other("there is no data holder".to_owned()))?;
    let floor = empty::spec(&place.layout);
    // It makes its keys and tables the first time, which is not what an operator waits for.
    once(place, &data_holder, Duration::ZERO).await?;
    note(&format!("starting {starts} times"));
    let mut taken = [const { Vec::new() }; 2];
    let mut idle = [None, None];
    for round in 1..=starts {
        let rest = if round == starts {
            IDLE
        } else {
            Duration::ZERO
        };
        for (at, spec) in [&data_holder, &floor].into_iter().enumerate() {
            let (ms, held) = once(place, spec, rest).await?;
            if let (Some(taken), Some(idle)) = (taken.get_mut(at), idle.get_mut(at)) {
                taken.push(ms);
                *idle = held;
            }
        }
    }
    let [of_data_holder, of_floor] = taken.map(median);
    let [data_holder_idle, floor_idle] = idle;
    Ok(Start {
        data_holder: Process {
            first_answer_ms: of_data_holder,
            idle: data_holder_idle,
        },
        floor: Process {
            first_answer_ms: of_floor,
            idle: floor_idle,
        },
    })
}

/// Starts a process, and ends it after so long: how many milliseconds it took to answer, and what it held.
async fn once(
    place: &Place,
    spec: &Spec,
    rest: Duration,
) -> Result<(f64, Option<memory::Held>), BenchError> {
    let program = std::env::current_exe().map_err(|error| DevError::System {
        what: "this program's path",
        detail: error.to_string(),
    })?;
    let began = Instant::now();
    let actors = Actors::start(&program, std::slice::from_ref(spec), &place.tls).await?;
    let ms = began.elapsed().as_secs_f64() * 1e3;
    tokio::time::sleep(rest).await;
    let held = actors.pid(spec.name).and_then(memory::of);
    actors.stop().await?;
    Ok((ms, held))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Long enough for what it does after its start.
const IDLE: Duration = Duration::from_secs(3);
