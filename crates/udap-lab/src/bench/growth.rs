//! `udap bench growth`

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::{Request, header};
use http_body_util::Full;
use udap_host::db::{Db, DbError, Location};
use udap_proto::metadata;

use super::{
    Alg, BenchError, GrowthBench, cpu, empty, floor,
    load::{Load, Measured},
    memory,
    place::Place,
    register::Newcomers,
    report::{Report, note, per_request},
    require, require_load, store,
    token::{Client, Requests, has_token, json},
};
use crate::wire::{self, Address, Wire};

/// What growing cost.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// Token requests of the active clients among few registrations, and among many; then one of each of
    /// some clients that never asked before, as a uniform draw of so many brings them.
    pub(super) few: Report,
    pub(super) many: Report,
    pub(super) uniform: Report,
    pub(super) registrations: u64,
    /// Of the server's process at the end, in bytes.
    pub(super) memory: Option<u64>,
    /// What the database grew by for each of the many, in bytes.
    pub(super) disk_each: u64,
}

pub(super) async fn run(options: GrowthBench) -> Result<Growth, BenchError> {
    require_load(options.seconds, 60, options.connections)?;
    require(
        "the number of registrations",
        options.registrations,
        2 * ACTIVE,
        10_000_000,
    )?;
    let place = Place::start(&["ca-1", "data-holder"], |layout| vec![empty::spec(layout)]).await?;
    let result = measure(&options, &place).await;
    place.end().await?;
    result
}

async fn measure(options: &GrowthBench, place: &Place) -> Result<Growth, BenchError> {
    let base = place.layout.data_holder_url();
    let url = format!("{base}{}", metadata::PATH);
    let found = json(&url, wire::get(&url, None, &place.tls).await?)?;
    let endpoint = |name: &str| {
        let endpoint = found[name].as_str().map(str::to_owned);
        endpoint.ok_or_else(|| BenchError::Other(format!("{url} has no {name}")))
    };
    let newcomers = Newcomers::new(
        &place.layout.path("community-1/ca"),
        endpoint("registration_endpoint")?,
    )?;
    let token_endpoint = endpoint("token_endpoint")?;
    let address = Address::of(&token_endpoint, &place.tls)?;

    note(&format!("registering {} apps", ACTIVE + STRANGERS));
    let mut clients = Vec::new();
    let mut wire = Wire::open(&Address::of(&newcomers.endpoint, &place.tls)?).await?;
    for _ in 0..ACTIVE + STRANGERS {
        clients.push(onboard(&newcomers, &token_endpoint, &mut wire).await?);
    }
    let strangers = clients.split_off(usize::try_from(ACTIVE).unwrap_or(usize::MAX));

    let few = token(options, place, &address, &clients).await?;

    let database = place.layout.path("data-holder/state/udap.db");
    let more = options.registrations.saturating_sub(ACTIVE + STRANGERS);
    note(&format!("adding {more} registrations"));
    let disk_each = grow(database, more).await.map_err(other)? / more.max(1);

    let many = token(options, place, &address, &clients).await?;
    let uniform = once_each(options, place, &address, &strangers).await?;
    let memory = place.actors.pid("data-holder").and_then(memory::of);
    let memory = memory.map(|held| held.resident);
    Ok(Growth {
        few,
        many,
        uniform,
        registrations: options.registrations,
        memory,
        disk_each,
    })
}

/// Adds registrations beside the server that runs on that database, and says by how many bytes it grew.
async fn grow(database: PathBuf, more: u64) -> Result<u64, DbError> {
    let db = Db::open_existing(&Location::File(database)).await?;
    let before = store::bytes(&db).await?;
    store::fill(&db, more, |so_far| note(&format!("  {so_far} added"))).await?;
    let after = store::bytes(&db).await?;
    db.close().await;
    Ok(after.saturating_sub(before))
}

async fn onboard(
    newcomers: &Newcomers,
    token_endpoint: &str,
    wire: &mut Wire,
) -> Result<Client, BenchError> {
    let (leaf, body) = newcomers.app()?;
    let request = Request::post(wire::target(&newcomers.endpoint)?)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body))
        .map_err(other)?;
    let answer = json(&newcomers.endpoint, wire.send(request).await?)?;
    let client_id = answer["client_id"].as_str();
    let client_id = client_id.ok_or_else(|| other("no client_id was assigned"))?;
    Ok(Client::registered(
        vec![leaf, newcomers.issuing.clone()],
        newcomers.app_key.clone(),
        client_id.to_owned(),
        token_endpoint.to_owned(),
    ))
}

/// Token requests of some clients, in turn, for so long; measured when each has asked before.
async fn token(
    options: &GrowthBench,
    place: &Place,
    address: &Address,
    clients: &[Client],
) -> Result<Report, BenchError> {
    let each = |count: usize| -> Result<Arc<Vec<Requests>>, BenchError> {
        let all = clients.iter().map(|client| client.requests(count, ""));
        Ok(Arc::new(all.collect::<Result<_, _>>()?))
    };
    let warm = send(options, address, &each(WARM_UP)?, Duration::from_secs(60)).await?;
    let wanted = warm.rps() * f64::from(options.seconds) * HEADROOM;
    let per_client = per_client(wanted, clients.len());
    note(&format!(
        "signing {} assertions",
        per_client * clients.len()
    ));
    let requests = each(per_client)?;
    let pid = place.actors.pid("data-holder");
    let before = pid.and_then(cpu::of);
    let duration = Duration::from_secs(options.seconds.into());
    let measured = send(options, address, &requests, duration).await?;
    let used = per_request(before, pid.and_then(cpu::of), &measured);
    report(options, place, clients, &requests, &measured, used).await
}

/// One request of each client, none of which has asked before: neither its registration nor its
/// certificate is remembered.
async fn once_each(
    options: &GrowthBench,
    place: &Place,
    address: &Address,
    clients: &[Client],
) -> Result<Report, BenchError> {
    let requests = clients.iter().map(|client| client.requests(1, ""));
    let requests = Arc::new(requests.collect::<Result<Vec<_>, _>>()?);
    let pid = place.actors.pid("data-holder");
    let before = pid.and_then(cpu::of);
    let measured = send(options, address, &requests, Duration::from_secs(60)).await?;
    let used = per_request(before, pid.and_then(cpu::of), &measured);
    report(options, place, clients, &requests, &measured, used).await
}

async fn send(
    options: &GrowthBench,
    address: &Address,
    requests: &Arc<Vec<Requests>>,
    duration: Duration,
) -> Result<Measured, BenchError> {
    let load = Load {
        address: address.clone(),
        connections: options.connections,
        duration,
        next: in_turn(requests),
        is_good: |answer| answer.status() == 200 && has_token(answer.body()),
    };
    let measured = load.run().await?;
    match measured.requests {
        0 => Err(other(format!(
            "no token request succeeded: {}",
            measured.example.unwrap_or_default()
        ))),
        _ => Ok(measured),
    }
}

fn in_turn(requests: &Arc<Vec<Requests>>) -> super::token::Next {
    let requests = Arc::clone(requests);
    Arc::new(move |number| {
        let number = usize::try_from(number).ok()?;
        let client = requests.get(number.checked_rem(requests.len())?)?;
        client.request(number / requests.len())
    })
}

async fn report(
    options: &GrowthBench,
    place: &Place,
    clients: &[Client],
    requests: &Arc<Vec<Requests>>,
    measured: &Measured,
    used: Option<f64>,
) -> Result<Report, BenchError> {
    let duration = Duration::from_secs(FLOOR_SECS);
    let empty = empty::cost(place, options.connections, duration, in_turn(requests)).await?;
    let example = clients.first().map(Client::form).transpose()?;
    let (verify, sign) = floor::signatures(Alg::ES256, &example.unwrap_or_default())?;
    let parts = vec![
        ("verify ES256".to_owned(), verify),
        ("sign ES256".to_owned(), sign),
        ("an empty handler".to_owned(), empty),
    ];
    Ok(Report::new("token", "ES256", measured, used, parts))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate times some seconds, clamped"
)]
fn per_client(wanted: f64, clients: usize) -> usize {
    (wanted / clients.max(1) as f64).clamp(1.0, 1_000.0) as usize
}

fn other(error: impl ToString) -> BenchError {
    BenchError::Other(error.to_string())
}

/// Clients that ask again and again.
const ACTIVE: u64 = 1_000;
/// Clients that ask once.
const STRANGERS: u64 = 2_000;
/// Requests of each client before the measurement.
const WARM_UP: usize = 3;
const HEADROOM: f64 = 1.3;
const FLOOR_SECS: u64 = 3;
