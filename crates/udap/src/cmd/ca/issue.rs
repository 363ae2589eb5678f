//! `udap ca issue`

use super::DirArgs;
use crate::files::{self, NewFile, Privacy};
use crate::output::{self, Format};
use crate::problem::Problem;
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_ca::{IssueOptions, MemberKey, Validity};
use udap_host::when::when;
use udap_pki::issue::Profile;
use udap_trust::clock;
use udap_trust::keys::KeyType;

/// Issue a certificate for a member, with a new key or for the key of a request.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What the certificate is for
    #[arg(long, value_enum)]
    profile: ProfileArg,
    /// A URI the member is known by, byte for byte; repeat for more
    #[arg(long, value_name = "URI", required = true)]
    uri: Vec<String>,
    /// What the member is called
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The organization behind it
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// Its country, two letters
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    /// Where to write: NAME.pem, and NAME.key if a key is made
    #[arg(long, value_name = "NAME")]
    out: PathBuf,
    /// The member's own request (PKCS#10); no key is made then
    #[arg(long, value_name = "FILE", conflicts_with = "key_type")]
    csr: Option<PathBuf>,
    /// The kind of key to make; RSA for a data holder and P-256 otherwise, unless given
    #[arg(long, value_enum)]
    key_type: Option<KeyArg>,
    /// How long it is valid
    #[arg(long, value_name = "N", default_value_t = 90)]
    days: u32,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProfileArg {
    /// Signs metadata; its URI is a FHIR base URL
    DataHolder,
    /// Signs software statements and authentication tokens
    App,
    /// An identity provider
    IdentityProvider,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyArg {
    P256,
    P384,
    Rsa2048,
    Rsa3072,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let profile = match args.profile {
        ProfileArg::DataHolder => Profile::DataHolder,
        ProfileArg::App => Profile::App,
        ProfileArg::IdentityProvider => Profile::IdentityProvider,
    };
    let mut options = IssueOptions::new(profile, args.name).validity(Validity::Days(args.days));
    options.subject.organization = args.organization;
    options.subject.country = args.country;
    options.uris = args.uri;
    if let Some(path) = &args.csr {
        options.key = MemberKey::Request(files::read(path)?);
    } else if let Some(kind) = args.key_type {
        options.key = MemberKey::Generate(match kind {
            KeyArg::P256 => KeyType::P256,
            KeyArg::P384 => KeyType::P384,
            KeyArg::Rsa2048 => KeyType::Rsa2048,
            KeyArg::Rsa3072 => KeyType::Rsa3072,
        });
    }
    let cert_path = with_end(&args.out, "pem");
    let key_path = with_end(&args.out, "key");
    // Before anything is issued: a certificate that cannot be written has to be revoked.
    let cert_file = NewFile::open(&cert_path, Privacy::Public)?;
    let key_file = match args.csr {
        None => Some(NewFile::open(&key_path, Privacy::Private)?),
        Some(_) => None,
    };
    let ca = args.dir.open().await?;
    let issued = ca.issue(options).await?;
    ca.close().await;
    let certificate = &issued.certificate;
    let lost = |why: Problem| {
        let serial = certificate.serial_hex();
        Problem::new(
            "certificate-lost",
            format!("certificate {serial} was issued, and {}", why.message()),
        )
        .hint(format!(
            "take it back with `udap ca revoke {serial} --dir {}`, then issue another",
            args.dir.dir.display()
        ))
    };
    if let (Some(file), Some(key)) = (key_file, issued.key_pem()) {
        file.finish(key.as_bytes()).map_err(lost)?;
    }
    let written = cert_file.finish(issued.chain_pem().as_bytes());
    written.map_err(|why| {
        // No use without the certificate. Where one was made, it was written just now.
        if args.csr.is_none() {
            drop(std::fs::remove_file(&key_path));
        }
        lost(why)
    })?;
    match format {
        Format::Human => {
            let mut rows = vec![
                ("certificate", cert_path.display().to_string()),
                ("serial", certificate.serial_hex()),
                ("subject", certificate.subject().to_string()),
                ("names", certificate.uri_names().join("\n")),
                ("expires", when(certificate.not_after(), clock::now())),
            ];
            if issued.key.is_some() {
                rows.insert(1, ("key", key_path.display().to_string()));
            }
            output::data(&output::pairs(&rows))?;
        }
        Format::Json => output::json(&json!({
            "cert": cert_path,
            "key": issued.key.is_some().then_some(key_path),
            "serial": certificate.serial_hex(),
            "subject": certificate.subject().to_string(),
            "uris": certificate.uri_names(),
            "not_after": certificate.not_after().to_string(),
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `app` and `pem` are `app.pem`; dots in the name stay (`app.v2`).
fn with_end(out: &std::path::Path, end: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    PathBuf::from(name)
}

const EXAMPLES: &str = "\
EXAMPLES
  An app, with a new key:
    udap ca issue --profile app --name 'Example app' --uri https://app.example --out app

  A data holder, by its FHIR base URL:
    udap ca issue --profile data-holder --name 'Example clinic' \\
      --uri https://fhir.example.org/r4 --out server

  For the member's own key:
    udap ca issue --profile app --name 'Example app' --uri https://app.example \\
      --csr member.csr --out member";
