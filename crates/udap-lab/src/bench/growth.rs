//! `udap bench growth`

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::{Request, header};
use http_body_util::Full;
use udap_host::db::{Db, DbError, Location};
use udap_pki::Certificate;
use udap_proto::metadata;

use super::{
    Alg, BenchError, GrowthBench, cpu, empty, floor,
    load::{Load, Measured},
    memory,
    place::Place,
    register::Newcomers,
    report::{Report, note, per_request},
    require, require_load, revoked, store,
    token::{Client, Requests, has_token, json},
};
use crate::{
    dev::{Actors, specs},
    wire::{self, Address, Wire},
};

/// What growing cost.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// Token requests of the active clients among few registrations, and among many, with ten revoked
    /// serial numbers.
    pub(super) few: Report,
    pub(super) many: Report,
    /// One request of each of some clients that never asked before, as a uniform draw of so many brings
    /// them.
    pub(super) uniform: Report,
    /// As `many` and `uniform` with all the revoked serial numbers.
    pub(super) revoked: Report,
    pub(super) revoked_uniform: Report,
    pub(super) registrations: u64,
    pub(super) serials: u64,
    /// Of the server's process at the end, in bytes.
    pub(super) memory: Option<u64>,
    /// What the database grew by for each of the many, in bytes.
    pub(super) disk_each: u64,
}

impl Growth {
    /// In the order in which they were measured.
    pub(super) const fn reports(&self) -> [&Report; 5] {
        [
            &self.few,
            &self.many,
            &self.uniform,
            &self.revoked,
            &self.revoked_uniform,
        ]
    }
}

pub(super) async fn run(options: GrowthBench) -> Result<Growth, BenchError> {
    require_load(options.seconds, 60, options.connections)?;
    require(
        "the number of registrations",
        options.registrations,
        2 * ACTIVE,
        10_000_000,
    )?;
    require(
        "the number of revoked serial numbers",
        options.revoked,
        FEW_REVOKED + 1,
        MAX_REVOKED,
    )?;
    let place = Place::start(&["ca-1"], |layout| vec![empty::spec(layout)]).await?;
    let result = measure(&options, &place).await;
    place.end().await?;
    result
}

async fn measure(options: &GrowthBench, place: &Place) -> Result<Growth, BenchError> {
    let server = start(place).await?;
    let (newcomers, token_endpoint) = endpoints(place).await?;
    let mut bench = Bench {
        options,
        place,
        server,
        address: Address::of(&token_endpoint, &place.tls)?,
        newcomers,
        token_endpoint,
        floor: Vec::new(),
    };
    let strangers = STRANGERS.min((options.registrations - ACTIVE) / 2);

    // A thousand, and ten.
    let active = bench.onboard(ACTIVE).await?;
    bench.revoke(FEW_REVOKED).await?;
    bench.floor = bench.floor(&active).await?;
    let few = bench.token(&active).await?;

    // A million, and ten.
    let first = bench.onboard(strangers).await?;
    let second = bench.onboard(strangers).await?;
    let more = options
        .registrations
        .saturating_sub(ACTIVE + 2 * strangers)
        .max(1);
    note(&format!("adding {more} registrations"));
    let database = place.layout.path("data-holder/state/udap.db");
    let disk_each = grow(database, more).await.map_err(other)? / more;
    bench.restart().await?;
    let many = bench.token(&active).await?;
    let uniform = bench.once_each(&first).await?;

    // A million, and a hundred thousand. Whoever asked before is looked at again when the server starts,
    // so that these are others.
    bench.revoke(options.revoked).await?;
    let revoked = bench.token(&active).await?;
    let revoked_uniform = bench.once_each(&second).await?;
    let memory = bench.pid().and_then(memory::of);
    bench.server.stop().await?;
    Ok(Growth {
        few,
        many,
        uniform,
        revoked,
        revoked_uniform,
        registrations: options.registrations,
        serials: options.revoked,
        memory: memory.map(|held| held.resident),
        disk_each,
    })
}

/// A data holder in its sandbox, which is started anew before each measurement: verdicts,
/// registrations and CRLs are in its memory only, and none of them may be from before.
struct Bench<'a> {
    options: &'a GrowthBench,
    place: &'a Place,
    server: Actors,
    address: Address,
    newcomers: Newcomers,
    token_endpoint: String,
    /// What no token request can be below, measured once.
    floor: Vec<(String, f64)>,
}

async fn start(place: &Place) -> Result<Actors, BenchError> {
    let all = specs(&place.layout);
    let server: Vec<_> = all.into_iter().filter(|spec| spec.name == SERVER).collect();
    Ok(Actors::start(&place.program, &server, &place.tls).await?)
}

async fn endpoints(place: &Place) -> Result<(Newcomers, String), BenchError> {
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
    Ok((newcomers, endpoint("token_endpoint")?))
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

impl Bench<'_> {
    fn pid(&self) -> Option<u32> {
        self.server.pid(SERVER)
    }

    async fn restart(&mut self) -> Result<(), BenchError> {
        let next = Actors::none();
        std::mem::replace(&mut self.server, next).stop().await?;
        self.server = start(self.place).await?;
        Ok(())
    }

    /// So many clients that are registered.
    async fn onboard(&self, count: u64) -> Result<Vec<Client>, BenchError> {
        note(&format!("registering {count} apps"));
        let mut clients = Vec::new();
        let mut wire = Wire::open(&Address::of(&self.newcomers.endpoint, &self.place.tls)?).await?;
        for _ in 0..count {
            clients.push(self.register(&mut wire).await?.0);
        }
        Ok(clients)
    }

    async fn register(&self, wire: &mut Wire) -> Result<(Client, Certificate), BenchError> {
        let (leaf, body) = self.newcomers.app()?;
        let request = Request::post(wire::target(&self.newcomers.endpoint)?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(other)?;
        let answer = json(&self.newcomers.endpoint, wire.send(request).await?)?;
        let client_id = answer["client_id"].as_str();
        let client_id = client_id.ok_or_else(|| other("no client_id was assigned"))?;
        let client = Client::registered(
            vec![leaf.clone(), self.newcomers.issuing.clone()],
            self.newcomers.app_key.clone(),
            client_id.to_owned(),
            self.token_endpoint.clone(),
        );
        Ok((client, leaf))
    }

    /// Has the authority's CRL grow to so many entries and the server take it. One of those revoked is a
    /// client: by its refusal we know that the server does have that list.
    async fn revoke(&mut self, serials: u64) -> Result<(), BenchError> {
        note(&format!("revoking {serials} serial numbers"));
        let mut wire = Wire::open(&Address::of(&self.newcomers.endpoint, &self.place.tls)?).await?;
        let (client, leaf) = self.register(&mut wire).await?;
        revoked::publish(self.place, &leaf, serials).await?;
        self.restart().await?;
        let requests = client.requests(1, "")?;
        let request = requests
            .request(0)
            .ok_or_else(|| other("nothing was signed"))?;
        let answer = Wire::open(&self.address).await?.send(request).await?;
        let code = b"\"certificate-revoked\"";
        match memchr::memmem::find(answer.body(), code) {
            Some(_) => Ok(()),
            None => Err(other(format!(
                "a revoked client was answered {}: {}",
                answer.status(),
                String::from_utf8_lossy(answer.body())
            ))),
        }
    }

    /// Token requests of some clients, in turn, for so long; measured when each has asked before.
    async fn token(&self, clients: &[Client]) -> Result<Report, BenchError> {
        let warm = self.send(&each(clients, WARM_UP)?, LONGEST).await?;
        let wanted = warm.rps() * f64::from(self.options.seconds) * HEADROOM;
        let per_client = per_client(wanted, clients.len());
        note(&format!(
            "signing {} assertions",
            per_client * clients.len()
        ));
        let requests = each(clients, per_client)?;
        let duration = Duration::from_secs(self.options.seconds.into());
        let (measured, used) = self.measured(&requests, duration).await?;
        Ok(self.report(&measured, used))
    }

    /// One request of each client, none of which has asked before: neither its registration nor its
    /// certificate is remembered. In batches, of which the quarter that was disturbed least speaks: the
    /// whole is over in a second or two, and each request waits for a disk.
    async fn once_each(&self, clients: &[Client]) -> Result<Report, BenchError> {
        let (mut all, mut batches) = (Measured::default(), Vec::new());
        for batch in clients.chunks(BATCH) {
            let (measured, used) = self.measured(&each(batch, 1)?, LONGEST).await?;
            batches.extend(used);
            all = all.and(measured);
        }
        batches.sort_by(f64::total_cmp);
        let used = batches.get(batches.len() / 4).copied();
        Ok(self.report(&all, used))
    }

    async fn measured(
        &self,
        requests: &Arc<Vec<Requests>>,
        duration: Duration,
    ) -> Result<(Measured, Option<f64>), BenchError> {
        let before = self.pid().and_then(cpu::of);
        let measured = self.send(requests, duration).await?;
        let used = per_request(before, self.pid().and_then(cpu::of), &measured);
        Ok((measured, used))
    }

    fn report(&self, measured: &Measured, used: Option<f64>) -> Report {
        Report::new("token", "ES256", measured, used, self.floor.clone())
    }

    async fn send(
        &self,
        requests: &Arc<Vec<Requests>>,
        duration: Duration,
    ) -> Result<Measured, BenchError> {
        let load = Load {
            address: self.address.clone(),
            connections: self.options.connections,
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

    async fn floor(&self, clients: &[Client]) -> Result<Vec<(String, f64)>, BenchError> {
        let requests = each(clients, FLOOR_REQUESTS)?;
        let (connections, duration) = (self.options.connections, Duration::from_secs(FLOOR_SECS));
        let empty = empty::cost(self.place, connections, duration, again(&requests)).await?;
        let example = clients.first().map(Client::form).transpose()?;
        let (verify, sign) = floor::signatures(Alg::ES256, &example.unwrap_or_default())?;
        Ok(vec![
            ("verify ES256".to_owned(), verify),
            ("sign ES256".to_owned(), sign),
            ("an empty handler".to_owned(), empty),
        ])
    }
}

fn each(clients: &[Client], count: usize) -> Result<Arc<Vec<Requests>>, BenchError> {
    let all = clients.iter().map(|client| client.requests(count, ""));
    Ok(Arc::new(all.collect::<Result<_, _>>()?))
}

fn in_turn(requests: &Arc<Vec<Requests>>) -> super::token::Next {
    let requests = Arc::clone(requests);
    Arc::new(move |number| {
        let number = usize::try_from(number).ok()?;
        let client = requests.get(number.checked_rem(requests.len())?)?;
        client.request(number / requests.len())
    })
}

/// The first of each client over and over, for a server that does not look at them.
fn again(requests: &Arc<Vec<Requests>>) -> super::token::Next {
    let (requests, next) = (requests.len() as u64, in_turn(requests));
    Arc::new(move |number| next(number.checked_rem(requests)?))
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

const SERVER: &str = "data-holder";
/// Clients that ask again and again.
const ACTIVE: u64 = 1_000;
/// Clients that ask once, with few revoked serial numbers and as many again with many.
const STRANGERS: u64 = 1_500;
/// Serial numbers that are revoked at first.
const FEW_REVOKED: u64 = 10;
/// A CRL of so many entries is somewhat below the 16 MiB that are read of one.
const MAX_REVOKED: u64 = 250_000;
/// Of clients that ask once, so many at a time.
const BATCH: usize = 250;
/// Requests of each client before the measurement.
const WARM_UP: usize = 3;
const HEADROOM: f64 = 1.3;
/// The most that a measurement without a length of its own takes.
const LONGEST: Duration = Duration::from_secs(60);
const FLOOR_SECS: u64 = 3;
const FLOOR_REQUESTS: usize = 1;
