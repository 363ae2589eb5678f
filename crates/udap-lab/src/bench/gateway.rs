//! `udap bench gateway`

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;

use super::{
    Alg, BenchError, LoadBench, Target, cpu,
    load::{Load, Measured},
    place::Place,
    report::{Report, note, per_request},
    require_load,
    token::Client,
};
use crate::{
    dev::{Layout, READY_WITHIN, Spec},
    fhir::BENCH_PATIENT,
    wire::{self, Address, Wire},
};

pub(super) async fn run(options: LoadBench) -> Result<Report, BenchError> {
    require_load(options.seconds, 600, options.connections)?;
    let place = Place::start(&["ca-1", "fhir", "data-holder"], |layout| {
        vec![pass_spec(layout)]
    })
    .await?;
    let result = measure(&options, &place).await;
    place.end().await?;
    result
}

async fn measure(options: &LoadBench, place: &Place) -> Result<Report, BenchError> {
    let token = token(place).await?;
    let duration = Duration::from_secs(options.seconds.into());
    let gateway = place.layout.data_holder_url();
    let pass = format!("https://localhost:{}/fhir", pass_port(&place.layout));
    let mut results = Vec::new();
    for (name, base_url) in [("data-holder", &gateway), (PASS, &pass)] {
        note(&format!("measuring {name} for {} seconds", options.seconds));
        let pid = place.actors.pid(name);
        let load = load(base_url, &token, options.connections, place)?;
        Load {
            duration: WARM_UP,
            ..load.clone()
        }
        .run()
        .await?;
        let before = pid.and_then(cpu::of);
        let measured = Load { duration, ..load }.run().await?;
        let used = per_request(before, pid.and_then(cpu::of), &measured);
        results.push((measured, used));
    }
    let [(measured, used), (without, floor)]: [(Measured, Option<f64>); 2] = results
        .try_into()
        .map_err(|_| BenchError::Other("a measurement is missing".to_owned()))?;
    let floor = floor.filter(|_| without.errors == 0).ok_or_else(|| {
        BenchError::Other("the way without a check could not be measured".to_owned())
    })?;
    let parts = vec![("the same way without a check".to_owned(), floor)];
    Ok(Report::new("gateway", "ES256", &measured, used, parts))
}

fn load(
    base_url: &str,
    token: &str,
    connections: usize,
    place: &Place,
) -> Result<Load, BenchError> {
    let target = wire::target(&format!("{base_url}/Patient/{BENCH_PATIENT}"))?;
    let bearer = format!("Bearer {token}");
    Ok(Load {
        address: Address::of(base_url, &place.tls)?,
        connections,
        duration: WARM_UP,
        next: Arc::new(move |_| {
            Request::get(target.as_str())
                .header(header::AUTHORIZATION, bearer.as_str())
                .header(header::ACCEPT, "application/fhir+json")
                .body(Full::default())
                .ok()
        }),
        is_good,
    })
}

fn is_good(answer: &Response<Bytes>) -> bool {
    answer.status() == 200 && answer.body().len() > 1000
}

/// A token as any client gets it.
async fn token(place: &Place) -> Result<String, BenchError> {
    let (cert, key) = place.layout.app("good-ec");
    let url = place.layout.data_holder_url();
    let target = Target {
        url: url
            .parse()
            .map_err(|error| BenchError::Other(format!("{url}: {error}")))?,
        cert,
        key,
        client_id: None,
        pid: None,
        tls_root: None,
    };
    let client = Client::new(&target, Alg::ES256, &place.tls).await?;
    let request = Request::post(wire::target(&client.token_endpoint)?)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(client.form()?))
        .map_err(|error| BenchError::Other(error.to_string()))?;
    let mut wire = Wire::open(&Address::of(&client.token_endpoint, &place.tls)?).await?;
    let answer = wire.send(request).await?;
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let token = body["access_token"].as_str().map(str::to_owned);
    token.ok_or_else(|| BenchError::Refused {
        url: client.token_endpoint.clone(),
        status: answer.status().as_u16(),
        text: String::from_utf8_lossy(answer.body())
            .chars()
            .take(500)
            .collect(),
    })
}

/// The process without a check, in front of the same FHIR server.
fn pass_spec(layout: &Layout) -> Spec {
    let port = pass_port(layout);
    let path = |name: &str| layout.path(name).display().to_string();
    Spec {
        name: PASS,
        port,
        also: Vec::new(),
        args: vec![
            PASS.to_owned(),
            format!("127.0.0.1:{port}"),
            path("tls/data-holder.pem"),
            path("tls/data-holder.key"),
            format!("http://localhost:{}", layout.fhir_port()),
        ],
        ready_url: format!("https://localhost:{port}/fhir/metadata"),
        ready_within: READY_WITHIN,
        log: layout.log(PASS),
    }
}

const fn pass_port(layout: &Layout) -> u16 {
    layout.admin_port() + 1
}

const PASS: &str = "pass";
const WARM_UP: Duration = Duration::from_millis(500);
