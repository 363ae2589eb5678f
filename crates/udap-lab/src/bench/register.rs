//! `udap bench register`

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use udap_pki::{
    Certificate,
    issue::{self, CertificateSpec, Issuer, Names, Profile, SignatureAlgorithm, Subject, Urls},
};
use udap_proto::{jws::JwsAlg, metadata, registration::Body, statement};
use udap_trust::{
    clock,
    keys::{KeyType, generate},
    random,
    signer::{KeySigner, Signer as _},
};

use super::{
    Alg, BenchError, LoadBench, cpu, empty, floor,
    load::{Load, ready_for},
    place::Place,
    report::{Report, note, per_request},
    require_load,
    token::{Next, json},
};
use crate::{
    dev::{app_metadata, read_chain, read_signer},
    wire::{self, Address},
};

pub(super) async fn run(options: LoadBench) -> Result<Report, BenchError> {
    require_load(options.seconds, 60, options.connections)?;
    let place = Place::start(&["ca-1", "data-holder"], |layout| vec![empty::spec(layout)]).await?;
    let result = measure(&options, &place).await;
    place.end().await?;
    result
}

async fn measure(options: &LoadBench, place: &Place) -> Result<Report, BenchError> {
    let base = place.layout.data_holder_url();
    let url = format!("{base}{}", metadata::PATH);
    let found = json(&url, wire::get(&url, None, &place.tls).await?)?;
    let endpoint = found["registration_endpoint"].as_str();
    let endpoint = endpoint
        .ok_or_else(|| BenchError::Other(format!("{url} has no registration_endpoint")))?
        .to_owned();
    let newcomers = Newcomers::new(&place.layout.path("community-1/ca"), endpoint)?;
    let address = Address::of(&newcomers.endpoint, &place.tls)?;
    let load = |bodies: &Arc<Vec<Bytes>>, duration| -> Result<Load, BenchError> {
        Ok(Load {
            address: address.clone(),
            connections: options.connections,
            duration,
            next: next(bodies, &newcomers.endpoint)?,
            is_good: |answer| answer.status() == 201,
        })
    };
    let few = Arc::new(newcomers.statements(CALIBRATION_APPS)?);
    let rate = load(&few, CALIBRATION)?.run().await?;
    if rate.requests == 0 {
        let example = rate.example.unwrap_or_default();
        return Err(BenchError::Other(format!(
            "no app was registered: {example}"
        )));
    }
    let wanted = ready_for(&rate, options.seconds, HEADROOM, MAX_APPS);
    let bodies = Arc::new(newcomers.statements(wanted)?);
    note(&format!("measuring {} seconds", options.seconds));
    let duration = Duration::from_secs(options.seconds.into());
    let pid = place.actors.pid("data-holder");
    let before = pid.and_then(cpu::of);
    let measured = load(&bodies, duration)?.run().await?;
    let used = per_request(before, pid.and_then(cpu::of), &measured);

    let again = next(&bodies, &newcomers.endpoint)?;
    let empty = empty::cost(place, options.connections, duration, again).await?;
    let example = bodies.first().cloned().unwrap_or_default();
    let (verify, _) = floor::signatures(Alg::ES256, &example)?;
    let parts = vec![
        (
            "verify statement, leaf and issuing CA".to_owned(),
            3.0 * verify,
        ),
        ("an empty handler".to_owned(), empty),
    ];
    Ok(Report::new("register", "ES256", &measured, used, parts))
}

/// Apps that nobody has seen, each with a certificate of its own. They share one key, which the server
/// has no reason to notice and which saves making as many.
pub(super) struct Newcomers {
    pub(super) issuing: Certificate,
    issuing_key: KeySigner,
    pub(super) app_key: KeySigner,
    pub(super) endpoint: String,
    /// How many there are so far.
    count: AtomicU64,
}

impl Newcomers {
    pub(super) fn new(authority: &Path, endpoint: String) -> Result<Self, BenchError> {
        let issuing = read_chain(&authority.join("issuing.pem"))?;
        let issuing = issuing.into_iter().next();
        let key = generate(KeyType::P256).map_err(other)?;
        Ok(Self {
            issuing: issuing
                .ok_or_else(|| BenchError::Other("there is no issuing certificate".to_owned()))?,
            issuing_key: read_signer(&authority.join("issuing.key"))?,
            app_key: KeySigner::from_pkcs8(&key).map_err(other)?,
            endpoint,
            count: AtomicU64::new(0),
        })
    }

    /// So many registration requests, each of another app. All cores sign.
    fn statements(&self, count: usize) -> Result<Vec<Bytes>, BenchError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        note(&format!("issuing {count} certificates on {cores} cores"));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|worker| {
                    scope.spawn(move || {
                        let mine = (worker..count).step_by(cores);
                        mine.map(|_| self.app().map(|(_, body)| body))
                            .collect::<Result<Vec<_>, _>>()
                    })
                })
                .collect();
            let mut all = Vec::with_capacity(count);
            for worker in workers {
                let signed = worker.join();
                all.extend(signed.map_err(|_| other("signing broke off"))??);
            }
            Ok(all)
        })
    }

    /// The certificate of one more app, and its registration request.
    pub(super) fn app(&self) -> Result<(Certificate, Bytes), BenchError> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let uri = format!("https://app-{number}.bench.example");
        let leaf = self.certificate(&uri)?;
        let unsigned = statement::unsigned(
            JwsAlg::ES256,
            &[leaf.clone(), self.issuing.clone()],
            &uri,
            &self.endpoint,
            clock::now(),
            &random::id(),
            &app_metadata("Benchmark").to_params(),
        );
        let scheme = JwsAlg::ES256.scheme();
        let signature = self.app_key.sign_now(scheme, unsigned.signing_input());
        let body = Body {
            software_statement: unsigned.with_signature(&signature.map_err(other)?),
            certifications: Vec::new(),
        };
        Ok((leaf, body.to_json().to_string().into()))
    }

    fn certificate(&self, uri: &str) -> Result<Certificate, BenchError> {
        let now = clock::now();
        let to_be_signed = issue::certificate(&CertificateSpec {
            profile: Profile::App,
            serial: &random::bytes::<18>(),
            subject: &Subject::named("Benchmark").of_organization("Benchmark"),
            spki_der: self.app_key.public_key().spki_der(),
            issuer: Issuer::Certificate(&self.issuing),
            not_before: now.plus_secs(-3600),
            not_after: now.plus_secs(24 * 3600),
            names: Names {
                uris: vec![uri.to_owned()],
                ..Names::default()
            },
            // The CRL of the members is the one that the server has already from anybody else.
            urls: Urls {
                crl: self.crl_url(),
                ..Urls::default()
            },
            extensions: &[],
            algorithm: match self.issuing_key.public_key().kind() {
                udap_pki::KeyKind::Rsa { .. } => SignatureAlgorithm::RsaPkcs1Sha256,
                _ => SignatureAlgorithm::EcdsaP256Sha256,
            },
        });
        let to_be_signed = to_be_signed.map_err(other)?;
        let scheme = to_be_signed.algorithm().scheme();
        let signature = self.issuing_key.sign_now(scheme, to_be_signed.bytes());
        let der = to_be_signed.finish(&signature.map_err(other)?);
        Certificate::from_der(&der.map_err(other)?).map_err(other)
    }

    /// The root's CRL has the issuing CA's in the same folder.
    fn crl_url(&self) -> Vec<String> {
        let urls = self.issuing.crl_urls().iter();
        urls.map(|url| url.replace("root.crl", "issuing.crl"))
            .collect()
    }
}

fn next(bodies: &Arc<Vec<Bytes>>, endpoint: &str) -> Result<Next, BenchError> {
    let (bodies, target) = (Arc::clone(bodies), wire::target(endpoint)?);
    Ok(Arc::new(move |number| {
        let body = bodies.get(usize::try_from(number).ok()?)?.clone();
        Request::post(target.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .ok()
    }))
}

fn other(error: impl ToString) -> BenchError {
    BenchError::Other(error.to_string())
}

const CALIBRATION: Duration = Duration::from_millis(700);
const CALIBRATION_APPS: usize = 1_500;
/// The server may get faster than it was in the calibration.
const HEADROOM: f64 = 1.3;
/// 6 KB each.
const MAX_APPS: u64 = 150_000;
