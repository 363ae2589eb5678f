//! `udap community`

mod profiles;

use crate::client::RevocationArg;
use crate::cmd::block_on;
use crate::files;
use crate::input::{self, Source};
use crate::output::{self, Format, NO};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use udap_host::config::{self, BundleSigner};
use udap_host::when::when;
use udap_pki::{Anchor, Certificate, UnixTime};
use udap_proto::Refusal as _;
use udap_proto::bundle::{self, Pinned, Signed, Verified};
use udap_proto::jws::JwsAlg;
use udap_trust::clock;
use udap_trust::fetch::{Fetcher, Kind};
use udap_trust::verify::{CommunityTrust, TrustEngine};

/// Trust communities: what they say about themselves.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The profiles that a `[[community]]` can stand on
    #[command(after_help = profiles::LIST_EXAMPLES)]
    List,
    /// A profile or a description, with everything that it inherits
    #[command(after_help = profiles::SHOW_EXAMPLES)]
    Show(profiles::Args),
    /// Show a community's signed bundle, and whether it would be accepted
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    source: Source,
    /// Whom this data holder pins, and which bundle was the last, by its configuration
    #[arg(long, value_name = "FILE", conflicts_with_all = ["signer_anchor", "signer_key_sha256"])]
    config: Option<PathBuf>,
    /// Anchors for the certificate of whoever signs, PEM or DER; repeat for more
    #[arg(long, value_name = "FILE")]
    signer_anchor: Vec<PathBuf>,
    /// The SHA-256 of the one key that may sign
    #[arg(long, value_name = "HEX", value_parser = sha256, conflicts_with = "signer_anchor")]
    signer_key_sha256: Option<[u8; 32]>,
    /// The community; the one that the bundle names unless given
    #[arg(long, value_name = "URI")]
    community: Option<String>,
    /// Whether revocation of the signer must be known
    #[arg(long, value_enum, default_value_t = RevocationArg::Require)]
    revocation: RevocationArg,
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::List => profiles::list(format).map(|()| ExitCode::SUCCESS),
        Command::Show(args) => profiles::show(&args, format).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify(&args, format),
    }
}

/// By whom a bundle has to be signed.
enum Pin {
    Key([u8; 32]),
    Anchors(CommunityTrust),
    /// Nothing says so.
    Open,
}

/// What counts here.
struct Expected {
    pin: Pin,
    community: String,
    /// The sequence of the last one that was in force.
    last: Option<i64>,
}

fn verify(args: &VerifyArgs, format: Format) -> Result<ExitCode, Problem> {
    let bytes = args.source.read(Kind::Document)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Problem::new("input-unreadable", "the bundle is not text").unreadable())?;
    let compact = text.trim();
    let signed = bundle::verify_signature(compact, &JwsAlg::SSRAA);
    let signed = signed.map_err(|error| Problem::refusal(&error))?;
    let leaf = signed.signer().leaf().clone();
    // As its own key has signed it: what it says, before whether that counts.
    let now = clock::now();
    let key = leaf
        .public_key()
        .map_err(|e| input::unreadable("input-unreadable", &args.source, &e))?;
    let own = *key.sha256();
    let claimed = claimed(compact);
    let community = args.community.clone().unwrap_or(claimed);
    let said = signed.clone().verify(Pinned::Key(&own), &community, now);
    let said = said.map_err(|error| Problem::refusal(&error))?;
    let expected = expected(args, community)?;
    let fetcher = args.source.fetcher()?;
    let judged = block_on(async { Ok(judge(signed, &expected, fetcher, now).await) })?;
    let accepted = judged
        .as_ref()
        .is_ok_and(|()| !matches!(expected.pin, Pin::Open));
    show(&said, &leaf, &own, &judged, &expected, now, format)?;
    Ok(if accepted {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    })
}

fn claimed(compact: &str) -> String {
    udap_proto::jws::Jws::parse(compact)
        .ok()
        .and_then(|jws| jws.payload().get("iss")?.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn expected(args: &VerifyArgs, community: String) -> Result<Expected, Problem> {
    let world = |anchors: Vec<Anchor>| CommunityTrust::new("signers of bundles", anchors);
    if let Some(path) = &args.config {
        let config = config::load(path)?;
        let configured = config.communities.iter().find(|c| c.uri == community);
        let settings = configured.and_then(|configured| configured.bundle.as_ref());
        let Some(settings) = settings else {
            let why = format!("has no bundle of {community} configured");
            return Err(files::unusable(path, why));
        };
        let pin = match &settings.signer {
            BundleSigner::Key(key) => Pin::Key(*key),
            BundleSigner::Anchors(paths) => {
                let mut anchors = Vec::new();
                for path in paths {
                    anchors.extend(files::anchors(path)?);
                }
                let mut trust = world(anchors);
                if let Some(configured) = configured {
                    trust.policy.revocation = configured.revocation;
                    trust.policy.grace_secs = configured.grace_secs;
                }
                Pin::Anchors(trust)
            }
        };
        let last =
            block_on(async { Ok(udap_server::last_bundle_sequence(&config, &community).await?) })?;
        return Ok(Expected {
            pin,
            community,
            last,
        });
    }
    let pin = if let Some(key) = args.signer_key_sha256 {
        Pin::Key(key)
    } else if args.signer_anchor.is_empty() {
        Pin::Open
    } else {
        let mut anchors = Vec::new();
        for path in &args.signer_anchor {
            anchors.extend(files::anchors(path)?);
        }
        let mut trust = world(anchors);
        trust.policy.revocation = args.revocation.into();
        Pin::Anchors(trust)
    };
    Ok(Expected {
        pin,
        community,
        last: None,
    })
}

/// Why it would be refused: a code and a sentence.
type Refused = (&'static str, String);

async fn judge(
    signed: Signed,
    expected: &Expected,
    fetcher: Fetcher,
    now: UnixTime,
) -> Result<(), Refused> {
    let community = &expected.community;
    let verified = match &expected.pin {
        Pin::Open => return Ok(()),
        Pin::Key(key) => signed.verify(Pinned::Key(key), community, now),
        Pin::Anchors(trust) => {
            let signer = signed.signer().clone();
            let engine = TrustEngine::new(Some(fetcher), vec![trust.clone()]);
            let verdict = engine
                .verify(&trust.uri, signer.leaf(), signer.intermediates(), now)
                .await
                .map_err(|e| (e.code(), e.to_string()))?;
            signed.verify(Pinned::Certificate(&verdict), community, now)
        }
    };
    let verified = verified.map_err(|e| (e.code(), e.to_string()))?;
    let sequence = verified.sequence();
    match expected.last {
        Some(last) if i64::try_from(sequence).is_ok_and(|sequence| sequence < last) => Err((
            "bundle-older",
            format!("its sequence is {sequence}, and {last} was in force already"),
        )),
        _ => Ok(()),
    }
}

fn show(
    said: &Verified,
    leaf: &Certificate,
    key: &[u8; 32],
    judged: &Result<(), Refused>,
    expected: &Expected,
    now: UnixTime,
    format: Format,
) -> Result<(), Problem> {
    let open = matches!(expected.pin, Pin::Open);
    let rules = Value::Object(said.rules());
    let lists = [
        ("anchors", said.anchors()),
        ("intermediates", said.intermediates()),
        ("certifier anchors", said.certifier_anchors()),
    ];
    let name = |certificate: &Certificate| {
        let sha256 = output::hex(certificate.sha256());
        format!("{} (SHA-256 {sha256})", certificate.subject())
    };
    match format {
        Format::Human => {
            let mut rows = vec![
                ("community", said.community().to_owned()),
                ("sequence", said.sequence().to_string()),
                ("signed", when(said.iat(), now)),
                ("ends", when(said.exp(), now)),
                (
                    "signed by",
                    format!("{}\nkey SHA-256 {}", leaf.subject(), output::hex(key)),
                ),
            ];
            for (what, certificates) in lists {
                if !certificates.is_empty() {
                    let names: Vec<_> = certificates.iter().map(name).collect();
                    rows.push((what, names.join("\n")));
                }
            }
            rows.push(("rules", output::json_text(&rules)));
            rows.push((
                "accepted",
                match judged {
                    Err((code, why)) => format!("no, {code}: {why}"),
                    Ok(()) if open => "not known: nothing says who may sign".to_owned(),
                    Ok(()) => "yes".to_owned(),
                },
            ));
            output::data(&output::pairs(&rows))
        }
        Format::Json => {
            let list = |certificates: &[Certificate]| -> Vec<Value> {
                let one = |c: &Certificate| json!({"subject": c.subject().to_string(), "sha256": output::hex(c.sha256())});
                certificates.iter().map(one).collect()
            };
            output::json(&json!({
                "community": said.community(),
                "sequence": said.sequence(),
                "issued": said.iat().to_string(),
                "expires": said.exp().to_string(),
                "signer": {"subject": leaf.subject().to_string(), "key_sha256": output::hex(key)},
                "anchors": list(said.anchors()),
                "intermediates": list(said.intermediates()),
                "certifier_anchors": list(said.certifier_anchors()),
                "rules": rules,
                "accepted": if open { Value::Null } else { judged.is_ok().into() },
                "refused": judged.as_ref().err().map(|(code, why)| json!({"code": code, "message": why})),
            }))
        }
    }
}

fn sha256(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "it must be 64 hexadecimal digits".to_owned())
}

const VERIFY_EXAMPLES: &str = "\
EXAMPLES
  As this data holder would take it, its last sequence included:
    udap community verify https://community.example/bundle --config /etc/udap/udap.toml

  By a key, or by a certificate under anchors for bundles:
    udap community verify bundle.jwt \\
      --signer-key-sha256 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
    udap community verify bundle.jwt --signer-anchor bundles.pem

  Only what is in it; nothing says who may sign, so that this exits with 1:
    udap community verify bundle.jwt";
