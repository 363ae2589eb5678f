//! `udap bench token`

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use rustls::ClientConfig;
use serde_json::{Map, Value};
use udap_pki::Certificate;
use udap_proto::{
    assertion, jws::JwsAlg, metadata, registration::Body, statement, token::ASSERTION_TYPE,
};
use udap_trust::{
    clock, random,
    signer::{KeySigner, Signer as _},
};

use super::{
    Alg, BenchError, Target, TokenBench, cpu, empty, floor,
    load::{Load, Measured, ready_for},
    place::Place,
    report::{Report, note, per_request},
    require_load,
};
use crate::{
    dev::{app_metadata, purpose, read_chain, read_signer, scopes},
    wire::{self, Address, Wire},
};

pub(super) async fn run(options: TokenBench) -> Result<Report, BenchError> {
    require_load(options.seconds, 60, options.connections)?;
    // The floor needs a TLS certificate and a port, also when somebody else's server is measured.
    let servers: &[&str] = match options.target {
        Some(_) => &[],
        None => &["ca-1", "data-holder"],
    };
    let place = Place::start(servers, |layout| vec![empty::spec(layout)]).await?;
    let result = measure(&options, &place).await;
    place.end().await?;
    result
}

async fn measure(options: &TokenBench, place: &Place) -> Result<Report, BenchError> {
    let target = match &options.target {
        Some(target) => target.clone(),
        None => own(options.alg, place)?,
    };
    let tls = wire::tls_config(target.tls_root.as_deref())?;
    let client = Client::new(&target, options.alg, &tls).await?;
    let address = Address::of(&client.token_endpoint, &tls)?;
    let load = |requests: &Arc<Requests>, address: &Address, duration: Duration| Load {
        address: address.clone(),
        connections: options.connections,
        duration,
        next: next(requests),
        is_good: |answer| answer.status() == 200 && has_token(answer.body()),
    };

    // How fast it is, so that enough is signed in advance; and everything is warm afterwards.
    let few = Arc::new(client.requests(CALIBRATION_REQUESTS, "to see how fast it is")?);
    let rate = load(&few, &address, CALIBRATION).run().await?;
    if rate.requests == 0 {
        return Err(BenchError::Other(format!(
            "no token request succeeded: {}",
            rate.example.unwrap_or_default()
        )));
    }
    let wanted = ready_for(&rate, options.seconds, HEADROOM, MAX_REQUESTS);
    let requests = Arc::new(client.requests(wanted, "for the measurement")?);

    note(&format!("measuring {} seconds", options.seconds));
    let duration = Duration::from_secs(options.seconds.into());
    let before = target.pid.and_then(cpu::of);
    let measured: Measured = load(&requests, &address, duration).run().await?;
    let used = per_request(before, target.pid.and_then(cpu::of), &measured);

    // The same requests to an empty handler, and the bare signatures.
    let again = next(&requests);
    let empty_us = empty::cost(place, options.connections, duration, again).await?;
    let (verify, sign) = floor::signatures(options.alg, client.example.as_bytes())?;
    let alg = client.alg.as_str();
    Ok(Report::new(
        "token",
        alg,
        &measured,
        used,
        vec![
            (format!("verify {alg}"), verify),
            ("sign ES256".to_owned(), sign),
            ("an empty handler".to_owned(), empty_us),
        ],
    ))
}

/// Our own server, in the sandbox made for this.
fn own(alg: Alg, place: &Place) -> Result<Target, BenchError> {
    let name = match alg {
        Alg::RS256 => "good",
        Alg::ES256 => "good-ec",
    };
    let (cert, key) = place.layout.app(name);
    let url = place.layout.data_holder_url();
    Ok(Target {
        url: url
            .parse()
            .map_err(|error| BenchError::Other(format!("{url}: {error}")))?,
        cert,
        key,
        client_id: None,
        pid: place.actors.pid("data-holder"),
        tls_root: Some(place.layout.tls_root()),
    })
}

/// A registered client that signs assertions in advance.
pub(super) struct Client {
    chain: Vec<Certificate>,
    signer: KeySigner,
    pub(super) alg: JwsAlg,
    client_id: String,
    pub(super) token_endpoint: String,
    extensions: Map<String, Value>,
    /// What a signature is made over.
    example: String,
}

impl Client {
    pub(super) async fn new(
        target: &Target,
        alg: Alg,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, BenchError> {
        let signer = read_signer(&target.key)?;
        let chain = read_chain(&target.cert)?;
        let wanted = match alg {
            Alg::RS256 => JwsAlg::RS256,
            Alg::ES256 => JwsAlg::ES256,
        };
        if !wanted.fits(signer.public_key().kind()) {
            return Err(BenchError::Other(format!(
                "the key {} does not sign {wanted}",
                target.key.display()
            )));
        }
        let mut client = Self {
            chain,
            signer,
            alg: wanted,
            client_id: target.client_id.clone().unwrap_or_default(),
            token_endpoint: target.url.as_str().to_owned(),
            extensions: purpose(),
            example: String::new(),
        };
        if target.client_id.is_none() {
            client.register(target, tls).await?;
        }
        let unsigned = client.unsigned();
        client.example = String::from_utf8_lossy(unsigned.signing_input()).into_owned();
        Ok(client)
    }

    /// Takes the endpoints from the server's metadata as they are: who measures a server knows it.
    async fn register(
        &mut self,
        target: &Target,
        tls: &Arc<ClientConfig>,
    ) -> Result<(), BenchError> {
        let base = target.url.as_str().trim_end_matches('/');
        let url = format!("{base}{}", metadata::PATH);
        let metadata = json(&url, wire::get(&url, None, tls).await?)?;
        let endpoint = |name: &str| {
            metadata[name]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| BenchError::Other(format!("{url} has no {name}")))
        };
        let registration = endpoint("registration_endpoint")?;
        self.token_endpoint = endpoint("token_endpoint")?;
        let uri = self.chain.first().and_then(|leaf| leaf.uri_names().first());
        let uri =
            uri.ok_or_else(|| BenchError::Other("the certificate names no URI".to_owned()))?;
        let statement = statement::unsigned(
            self.alg,
            &self.chain,
            uri,
            &registration,
            clock::now(),
            &random::id(),
            &app_metadata("Benchmark").to_params(),
        );
        let signature = self.sign(statement.signing_input())?;
        let body = Body {
            software_statement: statement.with_signature(&signature),
            certifications: Vec::new(),
        };
        let request = Request::post(wire::target(&registration)?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_json().to_string()))
            .map_err(|error| BenchError::Other(error.to_string()))?;
        let mut wire = Wire::open(&Address::of(&registration, tls)?).await?;
        let answer = json(&registration, wire.send(request).await?)?;
        let id = answer["client_id"].as_str();
        self.client_id = id
            .ok_or_else(|| BenchError::Other(format!("{registration} gave no client_id")))?
            .to_owned();
        Ok(())
    }

    /// One that is registered already, with a P-256 key.
    pub(super) fn registered(
        chain: Vec<Certificate>,
        signer: KeySigner,
        client_id: String,
        token_endpoint: String,
    ) -> Self {
        Self {
            chain,
            signer,
            alg: JwsAlg::ES256,
            client_id,
            token_endpoint,
            extensions: purpose(),
            example: String::new(),
        }
    }

    fn unsigned(&self) -> udap_proto::jws::Unsigned {
        assertion::unsigned(
            self.alg,
            &self.chain,
            &self.client_id,
            &self.token_endpoint,
            clock::now(),
            &random::id(),
            &self.extensions,
        )
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BenchError> {
        self.signer
            .sign_now(self.alg.scheme(), message)
            .map_err(|error| BenchError::Other(error.to_string()))
    }

    /// One form, complete: what [`Requests`] hands out.
    pub(super) fn form(&self) -> Result<Bytes, BenchError> {
        let one = self.requests(1, "")?;
        one.body(0)
            .ok_or_else(|| BenchError::Other("nothing was signed".to_owned()))
    }

    /// So many requests, each with an assertion of its own. All cores sign; of each request only what
    /// differs is kept.
    pub(super) fn requests(&self, count: usize, what: &str) -> Result<Requests, BenchError> {
        let example = self.unsigned();
        let example = String::from_utf8_lossy(example.signing_input()).into_owned();
        let (header, _) = example.split_once('.').unwrap_or_default();
        let mut start = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", &scopes().to_string())
            .append_pair("client_assertion_type", ASSERTION_TYPE)
            .append_pair("udap", "1")
            .finish();
        // Base64url and dots stand for themselves in a form.
        let _ = write!(start, "&client_assertion={header}");

        let cores = thread::available_parallelism().map_or(1, usize::from);
        if count > 10_000 {
            note(&format!(
                "signing {count} assertions on {cores} cores {what}"
            ));
        }
        let done = AtomicU64::new(0);
        let share = |worker: usize| -> Result<Vec<Box<[u8]>>, BenchError> {
            (worker..count)
                .step_by(cores)
                .map(|_| {
                    let unsigned = self.unsigned();
                    let signature = self.sign(unsigned.signing_input())?;
                    let so_far = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if so_far.is_multiple_of(PROGRESS) {
                        note(&format!("  {so_far} signed"));
                    }
                    let input = unsigned.signing_input();
                    let mut rest = input.get(header.len()..).unwrap_or_default().to_vec();
                    rest.push(b'.');
                    rest.extend_from_slice(URL_SAFE_NO_PAD.encode(signature).as_bytes());
                    Ok(rest.into_boxed_slice())
                })
                .collect()
        };
        let rest = thread::scope(|scope| {
            let share = &share;
            let workers: Vec<_> = (0..cores)
                .map(|worker| scope.spawn(move || share(worker)))
                .collect();
            let mut all = Vec::with_capacity(count);
            for worker in workers {
                let signed = worker
                    .join()
                    .map_err(|_| BenchError::Other("signing broke off".to_owned()))?;
                all.extend(signed?);
            }
            Ok::<_, BenchError>(all)
        })?;
        Ok(Requests {
            target: wire::target(&self.token_endpoint)?,
            start: start.into_bytes(),
            rest,
        })
    }
}

/// Token requests that were signed in advance.
pub(super) struct Requests {
    target: String,
    start: Vec<u8>,
    rest: Vec<Box<[u8]>>,
}

impl Requests {
    fn body(&self, number: usize) -> Option<Bytes> {
        let rest = self.rest.get(number)?;
        Some([&self.start, &**rest].concat().into())
    }

    pub(super) fn request(&self, number: usize) -> Option<Request<Full<Bytes>>> {
        Request::post(self.target.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(self.body(number)?))
            .ok()
    }
}

pub(super) type Next = Arc<dyn Fn(u64) -> Option<Request<Full<Bytes>>> + Send + Sync>;

fn next(requests: &Arc<Requests>) -> Next {
    let requests = Arc::clone(requests);
    Arc::new(move |number| requests.request(usize::try_from(number).ok()?))
}

pub(super) fn has_token(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\"access_token\"").is_some()
}

pub(super) fn json(url: &str, answer: Response<Bytes>) -> Result<Value, BenchError> {
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let refused = || BenchError::Refused {
        url: url.to_owned(),
        status: answer.status().as_u16(),
        text: text.chars().take(500).collect(),
    };
    if !answer.status().is_success() {
        return Err(refused());
    }
    serde_json::from_str(&text).map_err(|_| refused())
}

const CALIBRATION: Duration = Duration::from_millis(700);
const CALIBRATION_REQUESTS: usize = 6_000;
/// A little more than is needed, for a server that becomes faster.
const HEADROOM: f64 = 1.2;
/// At 0.8 KB each, a gigabyte.
const MAX_REQUESTS: u64 = 1_200_000;
const PROGRESS: u64 = 25_000;
