//! `udap bench trust`: what it costs to decide that a certificate is good, beside the signature
//! verifications that nobody can do without.
//!
//! Every figure is CPU time of this thread. The kinds take turns in small batches within one run,
//! and of each kind the quarter of batches that was disturbed least speaks, so that a ratio says
//! something on a busy machine too.

use crate::dev::Format;
use crate::output;
use anyhow::{Context as _, anyhow, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use udap_pki::issue::{
    self, CertificateSpec, CrlEntry, CrlSpec, Issuer, Names, Profile, RevocationReason,
    SignatureAlgorithm, Subject, ToBeSigned, Urls,
};
use udap_pki::{
    Anchor, Certificate, Crl, Evidence, NameCheck, Outcome, Policy, PublicKey, Request, Revocation,
    Scheme, UnixTime, verify,
};
use udap_trust::keys::{KeyType, generate};
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::verify::{CommunityTrust, TrustEngine};
use udap_trust::{clock, random};

/// What `udap bench trust` was asked for.
#[derive(Clone, Debug)]
pub struct TrustBench {
    /// How long to measure, in seconds.
    pub seconds: u32,
    /// How the result is told.
    pub format: Format,
}

/// What was measured; microseconds of CPU time for one operation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrustCost {
    /// A chain of three P-256 certificates: leaf and intermediate read from DER and verified with
    /// revocation required, the CRLs indexed before, nothing remembered.
    pub cold_us: f64,
    /// The two ECDSA verifications inside it, with keys that are parsed already.
    pub cold_floor_us: f64,
    /// `cold_us` by `cold_floor_us`
    pub cold_ratio: f64,
    /// The trust loop when it remembers the chain: it hashes it and looks it up.
    pub warm_us: f64,
    /// As `cold_us` with RSA keys of 2048 bits.
    pub rsa_cold_us: f64,
    /// The two RSA verifications inside it.
    pub rsa_cold_floor_us: f64,
    /// `rsa_cold_us` by `rsa_cold_floor_us`
    pub rsa_cold_ratio: f64,
    /// As `cold_us` where the leaf's CRL has 10 entries.
    pub revoked_10_us: f64,
    /// As `cold_us` where the leaf's CRL has 100,000 entries.
    pub revoked_100000_us: f64,
    /// `revoked_100000_us` by `revoked_10_us`
    pub revoked_ratio: f64,
}

/// Measures the trust engine. Exits with 1 when nothing could be measured.
#[must_use]
pub fn trust(options: &TrustBench) -> ExitCode {
    let measured = measure(Duration::from_secs(options.seconds.into()));
    match measured.and_then(|cost| tell(&cost, options.format)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn tell(cost: &TrustCost, format: Format) -> Result<(), anyhow::Error> {
    if format == Format::Json {
        return output::value(&serde_json::to_value(cost)?);
    }
    let mut out = anstream::stdout().lock();
    let rows = [
        (
            "cold, P-256",
            cost.cold_us,
            cost.cold_floor_us,
            cost.cold_ratio,
            "its two verifications",
            "1.3",
        ),
        (
            "cold, RSA 2048",
            cost.rsa_cold_us,
            cost.rsa_cold_floor_us,
            cost.rsa_cold_ratio,
            "its two verifications",
            "-",
        ),
        (
            "100,000 revoked",
            cost.revoked_100000_us,
            cost.revoked_10_us,
            cost.revoked_ratio,
            "10 revoked",
            "1.2",
        ),
    ];
    for (what, us, floor, ratio, beside, target) in rows {
        writeln!(
            out,
            "{what:<16} {us:>7.1} µs  {ratio:.2} × {beside} ({floor:.1} µs); target {target}"
        )?;
    }
    writeln!(out, "{:<16} {:>7.1} µs  target 4", "warm", cost.warm_us)?;
    Ok(())
}

/// Measures for about so long.
///
/// # Errors
/// When keys or certificates cannot be made, or a chain is not found good.
fn measure(duration: Duration) -> Result<TrustCost, anyhow::Error> {
    let now = clock::now();
    let p256 = Chain::new(KeyType::P256, 10, now)?;
    let many = Chain::new(KeyType::P256, 100_000, now)?;
    let rsa = Chain::new(KeyType::Rsa2048, 10, now)?;
    let warm = Warm::new(&p256, now)?;
    let mut kinds = [
        Kind::new(|n| p256.cold(n)),
        Kind::new(|n| p256.floor(n)),
        Kind::new(|n| rsa.cold(n)),
        Kind::new(|n| rsa.floor(n)),
        Kind::new(|n| many.cold(n)),
        Kind::new(|n| warm.hit(n)),
    ];
    let end = Instant::now() + duration;
    while Instant::now() < end || kinds.iter().any(|kind| kind.samples.len() < MIN_SAMPLES) {
        for kind in &mut kinds {
            kind.sample()?;
        }
    }
    let [
        cold_us,
        cold_floor_us,
        rsa_cold_us,
        rsa_cold_floor_us,
        revoked_100000_us,
        warm_us,
    ] = kinds.map(Kind::micros);
    Ok(TrustCost {
        cold_us,
        cold_floor_us,
        cold_ratio: hundredths(cold_us / cold_floor_us),
        warm_us,
        rsa_cold_us,
        rsa_cold_floor_us,
        rsa_cold_ratio: hundredths(rsa_cold_us / rsa_cold_floor_us),
        revoked_10_us: cold_us,
        revoked_100000_us,
        revoked_ratio: hundredths(revoked_100000_us / cold_us),
    })
}

/// One kind of work, and what its batches took.
struct Kind<'a> {
    /// Does so many and says how long they took.
    work: Box<dyn Fn(u32) -> Result<Duration, anyhow::Error> + 'a>,
    samples: Vec<f64>,
}

/// Some milliseconds a batch: short beside the scheduler's slice, long beside the clock.
const BATCH: u32 = 25;
const MIN_SAMPLES: usize = 20;

impl<'a> Kind<'a> {
    fn new(work: impl Fn(u32) -> Result<Duration, anyhow::Error> + 'a) -> Self {
        Self {
            work: Box::new(work),
            samples: Vec::new(),
        }
    }

    fn sample(&mut self) -> Result<(), anyhow::Error> {
        let took = (self.work)(BATCH)?;
        self.samples
            .push(took.as_secs_f64() * 1e6 / f64::from(BATCH));
        Ok(())
    }

    /// The lower quartile.
    fn micros(mut self) -> f64 {
        self.samples.sort_by(f64::total_cmp);
        let quartile = self.samples.get(self.samples.len() / 4).copied();
        hundredths(quartile.unwrap_or(f64::NAN))
    }
}

/// What is behind is noise.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// CPU time of this thread since it began.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(secs, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A leaf under an intermediate under a root, and the CRLs of both.
struct Chain {
    leaf: Certificate,
    intermediate: Certificate,
    anchors: [Anchor; 1],
    evidence: Evidence,
    policy: Policy,
    now: UnixTime,
}

const DAY: i64 = 86_400;
const URI: &str = "https://app.example/clients/one";

impl Chain {
    fn new(kind: KeyType, revoked: u32, now: UnixTime) -> Result<Self, anyhow::Error> {
        let keys = [signer(kind)?, signer(kind)?, signer(kind)?];
        let [root_key, issuing_key, leaf_key] = &keys;
        let root = certificate(Profile::Root, root_key, None, root_key, now)?;
        let intermediate =
            certificate(Profile::IssuingCa, issuing_key, Some(&root), root_key, now)?;
        let leaf = certificate(
            Profile::App,
            leaf_key,
            Some(&intermediate),
            issuing_key,
            now,
        )?;
        let mut evidence = Evidence::default();
        evidence.add_crl(Arc::new(crl(&root, root_key, 0, now)?));
        evidence.add_crl(Arc::new(crl(&intermediate, issuing_key, revoked, now)?));
        let chain = Self {
            leaf,
            intermediate,
            anchors: [Anchor::new(root)],
            evidence,
            policy: Policy {
                name: Some(NameCheck::Uri(URI.to_owned())),
                ..Policy::default()
            },
            now,
        };
        // Once beforehand: the CRLs' signatures and the root's key are then known, as in a server.
        chain.verify(&chain.leaf, &chain.intermediate)?;
        Ok(chain)
    }

    fn verify(&self, leaf: &Certificate, intermediate: &Certificate) -> Result<(), anyhow::Error> {
        let outcome = verify(&Request {
            leaf,
            intermediates: std::slice::from_ref(intermediate),
            anchors: &self.anchors,
            evidence: &self.evidence,
            now: self.now,
            policy: &self.policy,
        });
        match black_box(outcome) {
            Outcome::Valid(valid) => {
                ensure!(valid.revocation_checked(), "revocation was not looked at");
                Ok(())
            }
            Outcome::Invalid(invalid) => Err(anyhow!("the chain was refused: {}", invalid.reason)),
            Outcome::Incomplete(missing) => {
                Err(anyhow!("something is missing: {}", missing.reason))
            }
        }
    }

    /// From DER, as they come in a header: what one reading remembers does not help the next.
    fn cold(&self, n: u32) -> Result<Duration, anyhow::Error> {
        let start = cpu();
        for _ in 0..n {
            let leaf = Certificate::from_der(black_box(self.leaf.der()))?;
            let intermediate = Certificate::from_der(black_box(self.intermediate.der()))?;
            self.verify(&leaf, &intermediate)?;
        }
        Ok(cpu() - start)
    }

    fn floor(&self, n: u32) -> Result<Duration, anyhow::Error> {
        let root = self
            .anchors
            .first()
            .context("there is a root")?
            .certificate();
        let checks = [
            bare(&self.leaf, &self.intermediate)?,
            bare(&self.intermediate, root)?,
        ];
        let start = cpu();
        for _ in 0..n {
            for (key, scheme, certificate) in &checks {
                key.verify(
                    *scheme,
                    black_box(certificate.tbs_der()),
                    certificate.signature(),
                )?;
            }
        }
        Ok(cpu() - start)
    }
}

fn bare<'a>(
    certificate: &'a Certificate,
    issuer: &'a Certificate,
) -> Result<(&'a PublicKey, Scheme, &'a Certificate), anyhow::Error> {
    let scheme = certificate.signature_scheme().map_err(|e| anyhow!("{e}"))?;
    let key = issuer.public_key().map_err(|e| anyhow!("{e}"))?;
    // Once beforehand: the key is then parsed.
    key.verify(scheme, certificate.tbs_der(), certificate.signature())?;
    Ok((key, scheme, certificate))
}

/// A trust loop that has seen the chain before.
struct Warm<'a> {
    chain: &'a Chain,
    engine: TrustEngine,
    runtime: tokio::runtime::Runtime,
}

const COMMUNITY: &str = "https://community.example";

impl<'a> Warm<'a> {
    fn new(chain: &'a Chain, now: UnixTime) -> Result<Self, anyhow::Error> {
        let mut trust = CommunityTrust::new(COMMUNITY, chain.anchors.to_vec());
        // Without a network there are no CRLs; what is remembered costs the same with them.
        trust.policy.revocation = Revocation::Prefer;
        let engine = TrustEngine::new(None, vec![trust]);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let intermediates = [chain.intermediate.clone()];
        runtime
            .block_on(engine.verify(COMMUNITY, &chain.leaf, &intermediates, now))
            .context("the trust loop refused the chain")?;
        Ok(Self {
            chain,
            engine,
            runtime,
        })
    }

    fn hit(&self, n: u32) -> Result<Duration, anyhow::Error> {
        // Read anew, so that they are hashed anew; reading them is no part of this.
        let fresh = |_| {
            let leaf = Certificate::from_der(self.chain.leaf.der())?;
            Ok((
                leaf,
                [Certificate::from_der(self.chain.intermediate.der())?],
            ))
        };
        let chains = (0..n)
            .map(fresh)
            .collect::<Result<Vec<_>, anyhow::Error>>()?;
        self.runtime.block_on(async {
            let start = cpu();
            for (leaf, intermediates) in &chains {
                let verdict = self
                    .engine
                    .verify(COMMUNITY, leaf, intermediates, self.chain.now)
                    .await;
                black_box(verdict).context("the trust loop refused the chain")?;
            }
            Ok(cpu() - start)
        })
    }
}

fn signer(kind: KeyType) -> Result<KeySigner, anyhow::Error> {
    Ok(KeySigner::from_pkcs8(&generate(kind)?)?)
}

fn algorithm(signer: &KeySigner) -> SignatureAlgorithm {
    match signer.public_key().kind() {
        udap_pki::KeyKind::Rsa { .. } => SignatureAlgorithm::RsaPkcs1Sha256,
        _ => SignatureAlgorithm::EcdsaP256Sha256,
    }
}

fn certificate(
    profile: Profile,
    key: &KeySigner,
    issuer: Option<&Certificate>,
    issuer_key: &KeySigner,
    now: UnixTime,
) -> Result<Certificate, anyhow::Error> {
    let (name, crl) = match profile {
        Profile::Root => ("Bench root", None),
        Profile::IssuingCa => ("Bench issuing CA", Some("http://ca.example/root.crl")),
        _ => ("Bench app", Some("http://ca.example/issuing.crl")),
    };
    let uris = if profile.is_ca() {
        Vec::new()
    } else {
        vec![URI.to_owned()]
    };
    let spec = CertificateSpec {
        profile,
        serial: &random::bytes::<18>(),
        subject: &Subject::named(name).of_organization("Bench"),
        spki_der: key.public_key().spki_der(),
        issuer: issuer.map_or(Issuer::SelfSigned, Issuer::Certificate),
        not_before: now.plus_secs(-DAY),
        not_after: now.plus_secs(30 * DAY),
        names: Names {
            uris,
            ..Names::default()
        },
        urls: Urls {
            crl: crl.map(str::to_owned).into_iter().collect(),
            ..Urls::default()
        },
        extensions: &[],
        algorithm: algorithm(issuer_key),
    };
    let der = sign(issue::certificate(&spec)?, issuer_key)?;
    Ok(Certificate::from_der(&der)?)
}

fn crl(
    issuer: &Certificate,
    key: &KeySigner,
    revoked: u32,
    now: UnixTime,
) -> Result<Crl, anyhow::Error> {
    let entry = |_| CrlEntry {
        serial: random::bytes::<18>().to_vec(),
        revoked_at: now.plus_secs(-60),
        reason: RevocationReason::KeyCompromise,
    };
    let entries: Vec<_> = (0..revoked).map(entry).collect();
    let to_be_signed = issue::crl(&CrlSpec {
        issuer,
        number: 1,
        this_update: now.plus_secs(-60),
        next_update: now.plus_secs(DAY),
        entries: &entries,
        algorithm: algorithm(key),
    })?;
    Ok(Crl::from_der(&sign(to_be_signed, key)?)?)
}

fn sign(to_be_signed: ToBeSigned, key: &KeySigner) -> Result<Vec<u8>, anyhow::Error> {
    let signature = key.sign_now(to_be_signed.algorithm().scheme(), to_be_signed.bytes())?;
    Ok(to_be_signed.finish(&signature)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Times are not asserted here: this build is not optimised and the machine not idle.
    #[test]
    fn every_figure_is_measured() {
        let cost = measure(Duration::ZERO).unwrap();
        let json = serde_json::to_value(cost).unwrap();
        for name in [
            "cold_us",
            "cold_floor_us",
            "warm_us",
            "rsa_cold_us",
            "revoked_10_us",
            "revoked_100000_us",
        ] {
            assert!(
                json[name].as_f64().is_some_and(|us| us > 0.0),
                "{name}: {json}"
            );
        }
    }
}
