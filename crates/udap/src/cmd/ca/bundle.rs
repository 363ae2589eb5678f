//! `udap ca bundle`

use super::DirArgs;
use crate::certify::table;
use crate::files::{self, NewFile, Privacy};
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use udap_ca::BundleOptions;
use udap_host::when::when;
use udap_pki::Certificate;
use udap_trust::clock;
use udap_trust::signer::Signer as _;

/// Sign and publish what the community says about itself; its members follow it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The community's description, TOML or JSON; files of certificates that it names go into the bundle.
    /// Anchors and intermediates are the authority's own unless it names others
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
    /// Whom the community trusts to certify apps, PEM; repeat for more
    #[arg(long, value_name = "FILE")]
    certifier_anchor: Vec<PathBuf>,
    /// The certificate for the community's URI, PEM, with those of its issuers
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// How long it holds; members that get no newer one report it then, or stop
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=90))]
    days: i64,
    /// Also write it to a file, for another web server
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let mut description = match &args.definition {
        Some(path) => inlined(table(path, &files::read(path)?)?, path)?,
        None => Map::new(),
    };
    if !args.certifier_anchor.is_empty() {
        let mut anchors = Vec::new();
        for path in &args.certifier_anchor {
            anchors.extend(pem_texts(path)?);
        }
        description.insert("certifier_anchors".into(), anchors.into());
    }
    let chain = files::certificates(&args.cert)?;
    let signer = files::signer(&args.key)?;
    let own = |leaf: &&Certificate| leaf.spki_der() == signer.public_key().spki_der();
    if chain.first().filter(own).is_none() {
        let cert = args.cert.display();
        let why = format!("is not the key of the first certificate in {cert}");
        return Err(files::unusable(&args.key, why));
    }
    // Before it is signed: a sequence is spent with it, and members follow it.
    let out = args.out.as_deref();
    let out = out.map(|path| NewFile::open(path, Privacy::Public));
    let out = out.transpose()?;
    let ca = args.dir.open().await?;
    let published = ca
        .publish_bundle(BundleOptions {
            description,
            chain: &chain,
            signer: &signer,
            lifetime_secs: args.days.saturating_mul(86_400),
        })
        .await?;
    ca.close().await;
    if let Some(file) = out {
        let written = file.finish(published.compact.as_bytes());
        written.map_err(|why| {
            let (sequence, why) = (published.sequence, why.message());
            Problem::new(
                "bundle-file-lost",
                format!("bundle {sequence} is published, and {why}"),
            )
        })?;
    }
    match format {
        Format::Human => output::data(&output::pairs(&[
            ("sequence", published.sequence.to_string()),
            ("ends", when(published.expires, clock::now())),
            ("key", output::hex(signer.public_key().sha256())),
        ]))?,
        Format::Json => output::json(&json!({
            "sequence": published.sequence,
            "expires": published.expires.to_string(),
            "signer_key_sha256": output::hex(signer.public_key().sha256()),
            "bundle": published.compact,
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A description whose certificates stand in it: a member has none of the community's files.
fn inlined(
    mut description: Map<String, Value>,
    path: &Path,
) -> Result<Map<String, Value>, Problem> {
    let directory = path.parent().unwrap_or(Path::new(""));
    for key in ["anchors", "intermediates", "certifier_anchors"] {
        let Some(value) = description.get_mut(key) else {
            continue;
        };
        let named = match &*value {
            Value::Array(named) => named.clone(),
            one => vec![one.clone()],
        };
        let mut texts = Vec::new();
        for one in named {
            let Some(one) = one.as_str() else {
                return Err(files::unusable(
                    path,
                    format!("has `{key}` that is not text"),
                ));
            };
            if one.trim_start().starts_with("-----BEGIN ") {
                texts.push(one.to_owned());
            } else {
                texts.extend(pem_texts(&directory.join(one))?);
            }
        }
        *value = texts.into();
    }
    Ok(description)
}

fn pem_texts(path: &Path) -> Result<Vec<String>, Problem> {
    let certificates = files::certificates(path)?;
    Ok(certificates.iter().map(Certificate::to_pem).collect())
}

const EXAMPLES: &str = "\
EXAMPLES
  A certificate for the community itself, and its first bundle:
    udap ca issue --profile app --name 'Example community' --uri https://community.example \\
      --out community
    udap ca bundle --cert community.pem --key community.key

  With rules of its own and the auditors that it trusts:
    udap ca bundle --definition community.toml --certifier-anchor auditors.pem \\
      --cert community.pem --key community.key --days 14";
