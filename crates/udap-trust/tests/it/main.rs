//! The guarded fetcher against a hostile server, and the trust loop against a publisher that is slow,
//! dead, stale or forged.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod corpus;
mod fetch;
mod forged;
mod freshness;
mod key_sets;
mod need_loop;
mod pki;
mod publisher;
mod verdicts;

pub(crate) use pki::{Ca, Pki};
pub(crate) use publisher::{Publisher, Reply};

use udap_pki::{Certificate, UnixTime};
use udap_proto::Refusal as _;
use udap_trust::fetch::{FetchPolicy, Fetcher, TlsRoots};
use udap_trust::verify::{TrustEngine, Verdict};

/// A fetcher that may connect to these hosts on loopback.
fn fetcher(allow: &[String]) -> Fetcher {
    fetcher_trusting(allow, TlsRoots::System)
}

fn fetcher_trusting(allow: &[String], tls_roots: TlsRoots) -> Fetcher {
    let allow_hosts = allow.to_vec();
    Fetcher::new(FetchPolicy {
        allow_hosts,
        tls_roots,
    })
    .unwrap()
}

/// What the engine says about a leaf that comes with its issuing CA.
async fn ask(
    engine: &TrustEngine,
    pki: &Pki,
    leaf: &Certificate,
    now: UnixTime,
) -> Result<Verdict, &'static str> {
    let issuing = [pki.issuing.certificate.clone()];
    let answer = engine.verify(&pki.uri, leaf, &issuing, now).await;
    answer.map_err(|e| e.code())
}
