//! `udap bench start`

use std::time::{Duration, Instant};

use super::{BenchError, StartBench, empty, memory, place::Place, report::note, require};
use crate::dev::{Actors, Spec, specs};

/// What starting took, of the data holder and of an empty handler in the same program.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) data_holder: Process,
    pub(super) floor: Process,
}

/// The median of some starts, and what the last one held.
#[derive(Clone, Debug)]
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
    let (mut of_data_holder, mut of_floor) = (Starts::default(), Starts::default());
    for round in 1..=starts {
        let rest = if round == starts {
            IDLE
        } else {
            Duration::ZERO
        };
        for (spec, so_far) in [(&data_holder, &mut of_data_holder), (&floor, &mut of_floor)] {
            let (ms, held) = once(place, spec, rest).await?;
            so_far.first_answers_ms.push(ms);
            so_far.idle = held;
        }
    }
    Ok(Start {
        data_holder: of_data_holder.process(),
        floor: of_floor.process(),
    })
}

/// What was measured so far.
#[derive(Default)]
struct Starts {
    first_answers_ms: Vec<f64>,
    /// Of the last one.
    idle: Option<memory::Held>,
}

impl Starts {
    fn process(mut self) -> Process {
        self.first_answers_ms.sort_by(f64::total_cmp);
        let median = self.first_answers_ms.get(self.first_answers_ms.len() / 2);
        Process {
            first_answer_ms: median.copied().unwrap_or_default(),
            idle: self.idle,
        }
    }
}

/// Starts a process, and ends it after so long: how many milliseconds it took to answer, and what it held.
async fn once(
    place: &Place,
    spec: &Spec,
    rest: Duration,
) -> Result<(f64, Option<memory::Held>), BenchError> {
    let began = Instant::now();
    let actors = Actors::start(&place.program, std::slice::from_ref(spec), &place.tls).await?;
    let ms = began.elapsed().as_secs_f64() * 1e3;
    tokio::time::sleep(rest).await;
    let held = actors.pid(spec.name).and_then(memory::of);
    actors.stop().await?;
    Ok((ms, held))
}

/// Long enough for what it does after its start.
const IDLE: Duration = Duration::from_secs(3);
