//! `udap jws`

use crate::files;
use crate::input;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use udap_proto::Refusal;
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::{Jws, JwsAlg};

/// JSON Web Signatures: what a token says, and whether its signature is good.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Verify a signature with a key of your choice, or with that of the certificate in the header
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Show header and payload; nothing is verified
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The public key: a JWK, or a JWK set of which `kid` chooses
    #[arg(long, value_name = "FILE", required_unless_present = "x5c")]
    jwk: Option<PathBuf>,
    /// Verify with the first certificate of x5c; whether it is trusted is not looked at
    #[arg(long, conflicts_with = "jwk")]
    x5c: bool,
    /// The only algorithm to accept
    #[arg(long, value_name = "ALG", value_parser = alg)]
    alg: Option<JwsAlg>,
    /// The token in compact form; `-` reads standard input
    #[arg(
        long,
        value_name = "TOKEN|-",
        default_value = "-",
        allow_hyphen_values = true
    )]
    token: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The token in compact form; `-` reads standard input
    #[arg(
        value_name = "TOKEN|-",
        default_value = "-",
        allow_hyphen_values = true
    )]
    token: String,
}

fn alg(name: &str) -> Result<JwsAlg, String> {
    JwsAlg::from_name(name).ok_or_else(|| {
        let known: Vec<_> = JwsAlg::ALL.iter().map(|alg| alg.as_str()).collect();
        format!("not one of {}", known.join(", "))
    })
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Verify(args) => verify(&args, format),
        Command::Show(args) => show(&args, format),
    }
}

fn verify(args: &VerifyArgs, format: Format) -> Result<ExitCode, Problem> {
    let compact = input::token(&args.token)?;
    let keys = args.jwk.as_deref().map(read_keys).transpose()?;
    let jws = Jws::parse(&compact).map_err(|error| Problem::refusal(&error))?;
    let accepted = match &args.alg {
        Some(alg) => std::slice::from_ref(alg),
        None => &JwsAlg::ALL[..],
    };
    let (by, leaf) = match keys {
        None => {
            let signer = jws
                .verify_by_leaf(accepted)
                .map_err(|error| Problem::refusal(&error))?;
            let subject = signer.leaf().subject().to_string();
            (format!("the certificate {subject}"), Some(subject))
        }
        Some(keys) => {
            if !accepted.contains(&jws.alg()) {
                let error = udap_proto::jws::JwsError::AlgRefused {
                    alg: jws.alg().as_str().to_owned(),
                };
                return Err(Problem::refusal(&error));
            }
            keys.for_token(&jws)?
                .verify(&jws)
                .map_err(|error| Problem::refusal(&error))?;
            ("the given key".to_owned(), None)
        }
    };
    match format {
        Format::Human => output::data(&format!(
            "{}\n{}",
            output::well(&format!("the {} signature was made by {by}", jws.alg())),
            output::json_line(&Value::Object(jws.payload().clone()))
        ))?,
        Format::Json => output::json(&json!({
            "accepted": true,
            "alg": jws.alg().as_str(),
            "certificate": leaf,
            "header": jws.header(),
            "payload": jws.payload(),
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What `--jwk` names.
enum Keys {
    /// A key that whoever asks has chosen: the token's `kid` says nothing about it.
    One(serde_json::Map<String, Value>),
    /// A set, of which the token's `kid` chooses.
    Set(JwkSet),
}

impl Keys {
    fn for_token(self, jws: &Jws) -> Result<JwkSet, Problem> {
        match self {
            Self::Set(set) => Ok(set),
            Self::One(mut map) => {
                map.remove("kid");
                if let Some(kid) = jws.kid() {
                    map.insert("kid".into(), kid.into());
                }
                let jwk = Jwk::from_json(&map).map_err(|error| unreadable(&error))?;
                Ok(JwkSet::new(vec![jwk]))
            }
        }
    }
}

fn read_keys(path: &Path) -> Result<Keys, Problem> {
    let map = udap_proto::json::object(&files::read(path)?)
        .map_err(|error| files::unusable(path, format!("is {error}")))?;
    if map.contains_key("keys") {
        return JwkSet::from_json(&map)
            .map(Keys::Set)
            .map_err(|error| unreadable(&error));
    }
    // Read here too, so that a key that is none is told from a signature that is not good.
    Jwk::from_json(&map).map_err(|error| unreadable(&error))?;
    Ok(Keys::One(map))
}

fn unreadable(error: &dyn Refusal) -> Problem {
    Problem::refusal(error).unreadable()
}

fn show(args: &ShowArgs, format: Format) -> Result<ExitCode, Problem> {
    let compact = input::token(&args.token)?;
    let jws = Jws::parse(&compact).map_err(|error| Problem::refusal(&error).unreadable())?;
    let (header, payload) = (
        Value::Object(jws.header().clone()),
        Value::Object(jws.payload().clone()),
    );
    match format {
        Format::Human => {
            output::talk("nothing of this is verified");
            output::data(&output::json_lines(&header))?;
            output::data(&output::json_lines(&payload))?;
        }
        Format::Json => output::json(&json!({"header": header, "payload": payload}))?,
    }
    Ok(ExitCode::SUCCESS)
}

const VERIFY_EXAMPLES: &str = "\
EXAMPLES
  udap jws verify --jwk key.json --token - < token.txt
  udap jws verify --jwk keys.json --alg ES256 --token eyJhbGciOiJFUzI1NiJ9.e30.c2ln
  udap jws verify --x5c --token - < statement.txt";

const SHOW_EXAMPLES: &str = "\
EXAMPLES
  udap jws show eyJhbGciOiJFUzI1NiJ9.e30.c2ln
  udap token https://localhost:8440/fhir | udap jws show -";
