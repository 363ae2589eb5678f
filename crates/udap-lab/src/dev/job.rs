//! The main job: what a trust community is for, and what it must refuse, done for real against the
//! running actors. One file for each step; this page is their order.

mod discover;
mod leave;
mod other_community;
mod phisher;
mod read;
mod register;
mod replay;
mod revoked;
mod search;
mod step;
mod tls;
mod token;
mod trust;
mod world;
mod wrong_key;

use std::time::Instant;

use serde_json::{Value, json};

use super::{actors::Actors, output::Reporter};

pub(crate) use step::{Failure, Told};
pub(crate) use world::{World, app_metadata, purpose, scopes};

/// Runs every step in order until one fails. `up` is told with the last one.
pub(crate) async fn run(
    world: &mut World<'_>,
    actors: &mut Actors,
    reporter: &Reporter,
    up: Value,
) -> Result<(), Failure> {
    let started = Instant::now();
    macro_rules! steps {
        ($($name:literal => $step:path),+ $(,)?) => {$(
            let began = Instant::now();
            let told = $step(world).await;
            // A step that failed because an actor is gone says so rather than `no connection`.
            let told = told.map_err(|failure| match actors.require_all_alive() {
                Ok(()) => failure,
                Err(gone) => gone.into(),
            });
            reporter.step($name, began.elapsed(), &told);
            told?;
        )+};
    }
    steps! {
        "tls" => tls::run,
        "discover" => discover::run,
        "trust" => trust::run,
        "register" => register::run,
        "token" => token::run,
        "read" => read::run,
        "search" => search::run,
        "phisher" => phisher::run,
        "other-community" => other_community::run,
        "revoked" => revoked::run,
        "wrong-key" => wrong_key::run,
        "replay" => replay::run,
        "leave" => leave::run,
    }
    let all = Told {
        line: "everything that must work worked, and everything that must be refused was"
            .to_owned(),
        detail: up,
    };
    reporter.step("all", started.elapsed(), &Ok(all));
    Ok(())
}

/// The steps' answers for a person are one line, for a program an object.
fn told(line: impl Into<String>, detail: Value) -> Result<Told, Failure> {
    Ok(Told {
        line: line.into(),
        detail,
    })
}

/// What a refusal is told as.
fn refusal(error: &str, code: &str) -> Value {
    json!({ "error": error, "code": code })
}
