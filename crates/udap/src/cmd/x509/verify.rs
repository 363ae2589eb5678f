//! `udap x509 verify`

use super::batch;
use super::question::{self, Question};
use crate::client::{RevocationArg, host_port};
use crate::cmd::block_on;
use crate::files;
use crate::input;
use crate::output::{self, Format, NO};
use crate::problem::Problem;
use bytes::Bytes;
use clap::builder::PossibleValuesParser;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use udap_host::when::when;
use udap_pki::{
    Certificate, Evidence, NameCheck, ObjectIdentifier, OcspResponse, Policy, Purpose, Reason,
    RevocationGap, Step, Trace, UnixTime, Valid, pem,
};
use udap_trust::clock;
use udap_trust::fetch::{FetchPolicy, Fetcher, Kind, TlsRoots};
use udap_trust::verify::{CommunityTrust, TrustEngine, TrustError};

/// Whether a certificate is to be trusted: path, names, purpose, policies, revocation.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Trust anchors, PEM or DER; repeat for more
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    anchor: Vec<PathBuf>,
    /// The certificate; others behind it in the file may help to reach an anchor
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    cert: Option<PathBuf>,
    /// Certificates that may help to reach an anchor; repeat for more
    #[arg(long, value_name = "FILE")]
    untrusted: Vec<PathBuf>,
    /// CRLs; repeat for more
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// OCSP responses; repeat for more
    #[arg(long, value_name = "FILE")]
    ocsp: Vec<PathBuf>,
    /// The time to judge at; now unless given
    #[arg(long, value_name = "RFC3339", value_parser = UnixTime::parse_rfc3339)]
    time: Option<UnixTime>,
    /// A name that the certificate must have
    #[arg(long, value_name = "uri:U|dns:D|email:E|ip:I", value_parser = question::name)]
    name: Option<NameCheck>,
    /// What the certificate is used for
    #[arg(long, default_value = "any", value_parser = PossibleValuesParser::new(["any", "jwt", "client", "server", "ocsp"]))]
    purpose: String,
    /// Whether revocation must be known
    #[arg(long, value_enum, default_value_t = RevocationArg::Require)]
    revocation: RevocationArg,
    /// A certificate policy that is accepted; repeat for more
    #[arg(long, value_name = "OID", value_parser = question::oid)]
    policy: Vec<ObjectIdentifier>,
    /// The path must be valid for one of them (initial-explicit-policy)
    #[arg(long)]
    require_explicit_policy: bool,
    /// anyPolicy matches nothing (initial-any-policy-inhibit)
    #[arg(long)]
    inhibit_any_policy: bool,
    /// Policies are not mapped (initial-policy-mapping-inhibit)
    #[arg(long)]
    inhibit_policy_mapping: bool,
    /// Certificates between leaf and anchor, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=16))]
    max_path: u8,
    /// Fetch missing issuers, CRLs and OCSP responses
    #[arg(long, conflicts_with_all = ["crl", "ocsp", "batch"])]
    fetch: bool,
    /// A host that may have a private address, `host:port`; repeat for more
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port, requires = "fetch")]
    allow_host: Vec<String>,
    /// Show every candidate path and every check
    #[arg(long)]
    explain: bool,
    /// One JSON request on each line of standard input, one JSON answer on each line of output
    #[arg(long)]
    batch: bool,
}

pub(crate) fn run(args: &Args, format: Format) -> Result<ExitCode, Problem> {
    if args.batch {
        return batch::run();
    }
    let question = args.question()?;
    for ignored in &question.ignored {
        output::talk(&output::printable(&format!("ignored: {ignored}")));
    }
    if args.fetch {
        return fetch(args, &question, format);
    }
    match question.answer().into_result() {
        Ok(valid) => accepted(args, &question, &valid, format),
        Err(invalid) => {
            let (reason, trace) = (&invalid.reason, &invalid.trace);
            refused(args, &question, reason, trace, None, format)
        }
    }
}

impl Args {
    fn question(&self) -> Result<Question, Problem> {
        let mut ignored = Vec::new();
        let mut anchors = Vec::new();
        for path in &self.anchor {
            anchors.extend(files::anchors(path)?);
        }
        // clap sees to it that there is one.
        let cert = self.cert.clone().unwrap_or_default();
        let (leaf, mut intermediates) = leaf(&cert, &mut ignored)?;
        for path in &self.untrusted {
            let (found, not) =
                input::readable_certificates(&files::read(path)?).map_err(|why| {
                    files::unusable(path, format!("does not hold certificates: {why}"))
                })?;
            intermediates.extend(found);
            ignored.extend(
                not.into_iter()
                    .map(|why| format!("{}: {why}", path.display())),
            );
        }
        let mut evidence = Evidence::default();
        for path in &self.crl {
            let crls = pem::crls(&files::read(path)?)
                .map_err(|error| files::unusable(path, format!("does not hold CRLs: {error}")))?;
            for crl in crls {
                evidence.add_crl(Arc::new(crl));
            }
        }
        for path in &self.ocsp {
            let unusable =
                |why: String| files::unusable(path, format!("is not an OCSP response: {why}"));
            let der = input::ocsp_der(&files::read(path)?).map_err(unusable)?;
            let response = OcspResponse::from_der(&der).map_err(|e| unusable(e.to_string()))?;
            evidence.add_ocsp(Arc::new(response));
        }
        Ok(Question {
            leaf,
            intermediates,
            anchors,
            evidence,
            now: self.time.unwrap_or_else(clock::now),
            policy: self.policy(),
            ignored,
        })
    }

    fn policy(&self) -> Policy {
        Policy {
            revocation: self.revocation.into(),
            // clap took one of the words.
            purpose: question::purpose(&self.purpose).unwrap_or(Purpose::Any),
            name: self.name.clone(),
            policies: self.policy.clone(),
            explicit_policy: self.require_explicit_policy,
            inhibit_policy_mapping: self.inhibit_policy_mapping,
            inhibit_any_policy: self.inhibit_any_policy,
            max_intermediates: self.max_path,
            ..Policy::default()
        }
    }
}

/// The first certificate of the file; what is behind it only helps, so that it may be unreadable.
fn leaf(
    path: &std::path::Path,
    ignored: &mut Vec<String>,
) -> Result<(Certificate, Vec<Certificate>), Problem> {
    let unusable =
        |why: String| files::unusable(path, format!("does not hold a certificate: {why}"));
    let bytes = files::read(path)?;
    let ders = pem::ders(&bytes, &["CERTIFICATE", "X509 CERTIFICATE"], "certificate")
        .map_err(|error| unusable(error.to_string()))?;
    let mut ders = ders.iter();
    let first = ders
        .next()
        .ok_or_else(|| unusable("it is empty".to_owned()))?;
    let leaf = Certificate::from_der(first).map_err(|error| {
        Problem::new(error.code(), format!("{}: {error}", path.display())).unreadable()
    })?;
    let mut others = Vec::new();
    for (at, der) in ders.enumerate() {
        match Certificate::from_der(der) {
            Ok(certificate) => others.push(certificate),
            Err(error) => {
                ignored.push(format!(
                    "{}: certificate {}: {error}",
                    path.display(),
                    at + 2
                ));
            }
        }
    }
    Ok((leaf, others))
}

/// By the trust loop, which asks the same engine and fetches what it needs.
fn fetch(args: &Args, question: &Question, format: Format) -> Result<ExitCode, Problem> {
    const WORLD: &str = "the anchors of the command line";
    let fetcher = Fetcher::new(FetchPolicy {
        allow_hosts: args.allow_host.clone(),
        tls_roots: TlsRoots::System,
    })?;
    let mut trust = CommunityTrust::new(WORLD, question.anchors.clone());
    trust.policy = question.policy.clone();
    let engine = TrustEngine::new(Some(fetcher.clone()), vec![trust]);
    let (verdict, not_had) = block_on(async {
        let (leaf, others) = (&question.leaf, &question.intermediates);
        let verdict = engine.verify(WORLD, leaf, others, question.now).await;
        let not_had = match &verdict {
            Err(TrustError::Refused { reason, .. }) => not_had(&fetcher, reason).await,
            _ => None,
        };
        Ok((verdict, not_had))
    })?;
    match verdict {
        Ok(verdict) => accepted(args, question, &verdict, format),
        Err(TrustError::Refused { reason, trace, .. }) => {
            refused(args, question, &reason, &trace, not_had, format)
        }
        Err(error) => Err(Problem::refusal(&error)),
    }
}

/// Why revocation data could not be had: the verdict says from where and no more, so that is asked again.
async fn not_had(fetcher: &Fetcher, reason: &Reason) -> Option<Problem> {
    let Reason::RevocationUnavailable {
        gap: RevocationGap::Unreachable { url },
        ..
    } = reason
    else {
        return None;
    };
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let again = fetcher.send(Kind::Crl, Method::GET, url, headers, body);
    again.await.err().map(Problem::from)
}

fn accepted(
    args: &Args,
    question: &Question,
    valid: &Valid,
    format: Format,
) -> Result<ExitCode, Problem> {
    let path: Vec<String> = valid
        .path()
        .iter()
        .map(|c| c.subject().to_string())
        .collect();
    match format {
        Format::Human => {
            let revocation = if valid.revocation_checked() {
                "checked, not revoked"
            } else {
                "not known"
            };
            output::data(&format!(
                "{} {}\n{}",
                output::TICK,
                output::bold("accepted"),
                output::pairs(&[
                    ("path", path.join("\n")),
                    ("revocation", revocation.to_owned()),
                    ("holds until", when(valid.expires(), question.now)),
                ])
            ))?;
            if args.explain {
                output::data(&format!("\n{}", valid.trace()))?;
            }
        }
        Format::Json => {
            let mut value = json!({
                "accepted": true,
                "path": path,
                "revocation_checked": valid.revocation_checked(),
                "expires": valid.expires().to_string(),
                "policies": valid.policies().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "ignored": question.ignored,
            });
            if args.explain {
                value["trace"] = steps(&valid.trace().steps());
            }
            output::json(&value)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(
    args: &Args,
    question: &Question,
    reason: &Reason,
    trace: &Trace,
    not_had: Option<Problem>,
    format: Format,
) -> Result<ExitCode, Problem> {
    let mut why = reason.to_string();
    let mut hint = reason.hint();
    if let Some(not_had) = &not_had {
        why = format!("{why}: {}", not_had.message());
        hint = not_had.hint_or_general().unwrap_or(hint);
    }
    match format {
        Format::Human => {
            if args.explain {
                output::data(&trace.to_string())?;
            }
            Err(match not_had {
                Some(_) => Problem::new(reason.code(), why).hint(hint),
                None => Problem::reason(reason),
            })
        }
        Format::Json => {
            let mut value = json!({
                "accepted": false,
                "code": reason.code(),
                "reason": why,
                "hint": hint,
                "section": reason.section(),
                "ignored": question.ignored,
            });
            if args.explain {
                value["trace"] = steps(&trace.steps());
            }
            output::json(&value)?;
            Ok(ExitCode::from(NO))
        }
    }
}

fn steps(list: &[Step]) -> Value {
    let one = |step: &Step| {
        let data: serde_json::Map<_, _> = step
            .data
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        json!({
            "outcome": step.mark.word(),
            "check": step.title,
            "data": data,
            "section": step.section,
            "code": step.code,
            "steps": steps(&step.children),
        })
    };
    list.iter().map(one).collect()
}

const EXAMPLES: &str = "\
EXAMPLES
  Is this app's certificate good in this community, and not revoked?
    udap x509 verify --anchor root.pem --cert app.pem --untrusted issuing.pem --crl root.crl \\
      --crl issuing.crl --name uri:https://app.example

  The same with what is missing fetched, and every check shown:
    udap x509 verify --anchor root.pem --cert app.pem --fetch --explain

  A TLS server, as of a day in the past:
    udap x509 verify --anchor tls-root.pem --cert tls.pem --purpose server \\
      --name dns:fhir.example.org --time 2026-01-31T12:00:00Z --revocation off

  Thousands by one process:
    udap x509 verify --batch < requests.jsonl > answers.jsonl";
