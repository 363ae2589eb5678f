//! `udap ca init`

use super::DirArgs;
use crate::output::{self, Format};
use crate::problem::Problem;
use clap::ValueEnum;
use serde_json::json;
use std::process::ExitCode;
use udap_ca::{Ca, CaKeyType, Hierarchy, InitOptions};

/// Make a root and an issuing CA; nothing happens if the same authority is there already.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The community's URI, by which members name it
    #[arg(long, value_name = "URI")]
    community: String,
    /// Where `udap ca serve` is reached by everybody; it goes into each certificate
    #[arg(long, value_name = "URL")]
    base_url: String,
    #[command(flatten)]
    dir: DirArgs,
    /// The keys of root and issuing CA
    #[arg(long, value_enum, default_value_t = KeyArg::EcdsaP256)]
    key_type: KeyArg,
    /// What the authority is called; the community's host unless given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long a CRL may be used
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=720))]
    crl_hours: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyArg {
    /// Small and fast
    EcdsaP256,
    /// For members that verify RSA only
    Rsa2048,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let mut options = InitOptions::new(Hierarchy::Community {
        uri: args.community,
        base_url: args.base_url,
    });
    options.key_type = match args.key_type {
        KeyArg::EcdsaP256 => CaKeyType::EcdsaP256,
        KeyArg::Rsa2048 => CaKeyType::Rsa2048,
    };
    if let Some(name) = args.name {
        options.name = name;
    }
    options.crl_seconds = args.crl_hours * 3600;
    options.passphrase = super::passphrase(args.dir.passphrase_file.as_deref())?;
    let ca = Ca::init(&args.dir.dir, options).await?;
    let dir = ca.directory().to_owned();
    let root = dir.join("root.pem");
    match format {
        Format::Human => {
            output::talk(&output::well(&format!(
                "certificate authority in {}; its members trust this anchor:",
                dir.display()
            )));
            output::data(&root.display().to_string())?;
        }
        Format::Json => output::json(&json!({
            "dir": dir,
            "anchor_pem": root,
            "crl_url": ca.crl_url(),
            "ocsp_url": ca.ocsp_url(),
        }))?,
    }
    ca.close().await;
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  udap ca init --community https://community.example --base-url http://ca.community.example
  udap ca init --community https://community.example --base-url http://ca.community.example \\
    --dir ca --key-type rsa2048";
