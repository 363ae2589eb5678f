//! `udap jwt`: each kind of UDAP JWT by its own verifier, which takes no other kind.

use crate::client::RevocationArg;
use crate::files;
use crate::input;
use crate::output::{self, Format};
use crate::problem::Problem;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use udap_pki::{
    Certificate, Evidence, Outcome, Policy, Request, UnixTime, Valid, pem, verify_offline,
};
use udap_proto::claims::ClaimError;
use udap_proto::jwk::JwkSet;
use udap_proto::jws::{Jws, JwsAlg, Signer};
use udap_proto::{Refusal, assertion, certification, id_token, metadata, statement};
use udap_trust::clock;

/// UDAP's JSON Web Tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Verify a token as its receiver would: signature, certificate, names, claims
    #[command(after_help = EXAMPLES)]
    Verify(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which kind of token it must be
    #[arg(long, value_enum)]
    profile: Profile,
    /// The community's trust anchors, PEM or DER; repeat for more
    #[arg(long, value_name = "FILE", required_unless_present = "jwks")]
    anchor: Vec<PathBuf>,
    /// Whom it must be meant for: the endpoint's URL; the base URL (metadata); the client_id (id-token)
    #[arg(long, value_name = "AUD")]
    aud: String,
    /// Who must have issued it: the app's URI, the client_id, the base URL, the identity provider
    #[arg(long, value_name = "ISS")]
    iss: Option<String>,
    /// Whose token it must be: the registered URI (authn) or the certified app (certification);
    /// unless given, the certificate's first URI or the token's own subject
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// The identity provider's key set (id-token)
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// The nonce that was sent (id-token); not compared unless given
    #[arg(long, value_name = "NONCE")]
    nonce: Option<String>,
    /// The time to judge at; now unless given
    #[arg(long, value_name = "RFC3339", value_parser = UnixTime::parse_rfc3339)]
    time: Option<UnixTime>,
    /// CRLs, PEM or DER; repeat for more
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// Certificates that may help to reach an anchor; repeat for more
    #[arg(long, value_name = "FILE")]
    untrusted: Vec<PathBuf>,
    /// Whether revocation must be known
    #[arg(long, value_enum, default_value_t = RevocationArg::Require)]
    revocation: RevocationArg,
    /// The token in compact form; `-` reads standard input
    #[arg(
        long,
        value_name = "TOKEN|-",
        default_value = "-",
        allow_hyphen_values = true
    )]
    token: String,
    /// Show each check of the certificate
    #[arg(long)]
    explain: bool,
}

/// The kinds of token that are verified here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// The signed part of a server's metadata
    Metadata,
    /// What an app registers with
    SoftwareStatement,
    /// What an app authenticates with
    Authn,
    /// What somebody says about an app, or an app about itself
    Certification,
    /// What an identity provider says about a user; verified by its key set
    IdToken,
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    let Command::Verify(args) = command;
    let compact = input::token(&args.token)?;
    let judge = Judge::read(&args)?;
    let valid = match args.profile {
        Profile::Metadata => Some(verify_metadata(&args, &judge, &compact)?),
        Profile::SoftwareStatement => Some(verify_statement(&args, &judge, &compact)?),
        Profile::Authn => Some(verify_authn(&args, &judge, &compact)?),
        Profile::Certification => Some(verify_certification(&args, &judge, &compact)?),
        Profile::IdToken => {
            verify_id_token(&args, judge.now, &compact)?;
            None
        }
    };
    let payload = Jws::parse(&compact).map_err(refused)?.payload().clone();
    print(&args, valid.as_ref(), payload, format)?;
    Ok(ExitCode::SUCCESS)
}

fn print(
    args: &Args,
    valid: Option<&Valid>,
    payload: Map<String, Value>,
    format: Format,
) -> Result<(), Problem> {
    let signer = |valid: &Valid| {
        format!(
            "{}, vouched for by {}",
            valid.leaf().subject(),
            valid.anchor().subject()
        )
    };
    match format {
        Format::Human => {
            let by = valid.map_or("a key of the issuer's set".to_owned(), signer);
            output::data(&format!(
                "{}\n{}",
                output::well(&format!("accepted; signed by {by}")),
                output::json_lines(&Value::Object(payload))
            ))?;
            if let (true, Some(valid)) = (args.explain, valid) {
                output::data(&valid.trace().to_string())?;
            }
            Ok(())
        }
        Format::Json => output::json(&json!({
            "accepted": true,
            "certificate": valid.map(|v| v.leaf().subject().to_string()),
            "anchor": valid.map(|v| v.anchor().subject().to_string()),
            "expires": valid.map(|v| v.expires().to_string()),
            "payload": payload,
        })),
    }
}

fn verify_metadata(args: &Args, judge: &Judge, compact: &str) -> Result<Valid, Problem> {
    // The signed part alone: there is no plain part that it could contradict.
    let mut plain = Map::new();
    plain.insert("signed_metadata".into(), compact.into());
    let body = Value::Object(plain).to_string();
    let signed = metadata::verify_signature(body.as_bytes(), &JwsAlg::SSRAA).map_err(refused)?;
    let valid = judge.signer(signed.signer())?;
    let base_url = args.iss.as_deref().unwrap_or(&args.aud);
    signed
        .verify(&valid, base_url, judge.now)
        .map_err(refused)?;
    Ok(valid)
}

fn verify_statement(args: &Args, judge: &Judge, compact: &str) -> Result<Valid, Problem> {
    let signed = statement::verify_signature(compact, &JwsAlg::SSRAA).map_err(refused)?;
    let valid = judge.signer(signed.signer())?;
    let verified = signed
        .verify(&valid, &args.aud, judge.now)
        .map_err(refused)?;
    require_iss(args, verified.claims())?;
    Ok(valid)
}

fn verify_authn(args: &Args, judge: &Judge, compact: &str) -> Result<Valid, Problem> {
    let signed = assertion::parse(compact, &args.aud, judge.now)
        .map_err(refused)?
        .verify_signature(&JwsAlg::SSRAA)
        .map_err(refused)?;
    let valid = judge.signer(signed.signer())?;
    let uri = match (&args.uri, valid.leaf().uri_names()) {
        (Some(uri), _) => uri.clone(),
        (None, [first, ..]) => first.clone(),
        (None, []) => String::new(),
    };
    let verified = signed.verify(&valid, &uri).map_err(refused)?;
    let extensions = verified.extensions().map_err(refused)?;
    udap_proto::extensions::check_everywhere(&extensions).map_err(refused)?;
    require_iss(args, verified.claims())?;
    Ok(valid)
}

fn verify_certification(args: &Args, judge: &Judge, compact: &str) -> Result<Valid, Problem> {
    let signed = certification::verify_signature(compact, &JwsAlg::SSRAA).map_err(refused)?;
    let valid = judge.signer(signed.signer())?;
    let subject = Jws::parse(compact).map_err(refused)?;
    let subject = subject.payload().get("sub").and_then(Value::as_str);
    let app = args.uri.as_deref().or(subject).unwrap_or_default();
    let verified = signed
        .verify(&valid, app, &args.aud, judge.now)
        .map_err(refused)?;
    match &args.iss {
        Some(iss) if iss != verified.issuer() => Err(refused(ClaimError::Issuer {
            expected: iss.clone(),
            found: verified.issuer().to_owned(),
        })),
        _ => Ok(valid),
    }
}

/// Its keys are those that its issuer publishes: no certificate in its header counts.
fn verify_id_token(args: &Args, now: UnixTime, compact: &str) -> Result<(), Problem> {
    let keys = match &args.jwks {
        None => JwkSet::default(),
        Some(path) => {
            let set = udap_proto::json::object(&files::read(path)?)
                .map_err(|error| files::unusable(path, format!("is {error}")))?;
            JwkSet::from_json(&set).map_err(|error| refused(error).unreadable())?
        }
    };
    let jws = Jws::parse(compact).map_err(refused)?;
    let claim = |name: &str| {
        let value = jws.payload().get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let expected = id_token::Expected {
        issuer: &args.iss.clone().unwrap_or_else(|| claim("iss")),
        algorithms: &JwsAlg::SSRAA,
        client_id: &args.aud,
        nonce: &args.nonce.clone().unwrap_or_else(|| claim("nonce")),
    };
    let verified = id_token::verify(compact, &keys, &expected, now);
    verified.map(drop).map_err(|error| {
        let problem = Problem::refusal(&error);
        if args.jwks.is_none() {
            return problem.hint("name the key set of the identity provider with `--jwks FILE`");
        }
        problem
    })
}

fn require_iss(args: &Args, claims: &udap_proto::claims::Claims) -> Result<(), Problem> {
    match &args.iss {
        Some(iss) => claims.require_issuer(iss).map_err(refused),
        None => Ok(()),
    }
}

fn refused(error: impl Refusal) -> Problem {
    Problem::refusal(&error)
}

/// Everything that a certificate is judged by.
struct Judge {
    anchors: Vec<udap_pki::Anchor>,
    untrusted: Vec<Certificate>,
    evidence: Evidence,
    policy: Policy,
    now: UnixTime,
    explain: bool,
}

impl Judge {
    fn read(args: &Args) -> Result<Self, Problem> {
        let mut judge = Self {
            anchors: Vec::new(),
            untrusted: Vec::new(),
            evidence: Evidence::default(),
            policy: Policy {
                revocation: args.revocation.into(),
                ..Policy::default()
            },
            now: args.time.unwrap_or_else(clock::now),
            explain: args.explain,
        };
        for path in &args.anchor {
            judge.anchors.extend(files::anchors(path)?);
        }
        for path in &args.untrusted {
            judge.untrusted.extend(files::certificates(path)?);
        }
        for path in &args.crl {
            let crls = pem::crls(&files::read(path)?)
                .map_err(|error| files::unusable(path, format!("does not hold CRLs: {error}")))?;
            for crl in crls {
                judge.evidence.add_crl(Arc::new(crl));
            }
        }
        Ok(judge)
    }

    fn signer(&self, signer: &Signer) -> Result<Valid, Problem> {
        let mut intermediates = signer.intermediates().to_vec();
        intermediates.extend(self.untrusted.iter().cloned());
        let outcome = verify_offline(&Request {
            leaf: signer.leaf(),
            intermediates: &intermediates,
            anchors: &self.anchors,
            evidence: &self.evidence,
            now: self.now,
            policy: &self.policy,
        });
        match outcome {
            Outcome::Valid(valid) => Ok(valid),
            refused => {
                let trace = refused.trace().clone();
                let problem = match refused.into_result() {
                    Err(invalid) => Problem::reason(&invalid.reason),
                    Ok(valid) => return Ok(valid),
                };
                Err(if self.explain {
                    problem.trace(trace)
                } else {
                    problem
                })
            }
        }
    }
}

const EXAMPLES: &str = "\
EXAMPLES
  udap jwt verify --profile software-statement --anchor community.pem \\
    --aud https://fhir.example.org/r4/oauth/register --crl issuing.crl --crl root.crl \\
    --token - < statement.txt
  udap jwt verify --profile authn --anchor community.pem \\
    --aud https://fhir.example.org/r4/oauth/token --uri https://app.example --revocation off \\
    --token - < assertion.txt
  udap jwt verify --profile metadata --anchor community.pem \\
    --aud https://fhir.example.org/r4 --revocation off --time 2026-11-24T16:00:00Z --token - \\
    < metadata.txt";
