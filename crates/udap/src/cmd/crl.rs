//! `udap crl`

use crate::input;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::process::ExitCode;
use udap_host::when::when;
use udap_pki::{Crl, pem};
use udap_trust::clock;
use udap_trust::fetch::Kind;

/// Certificate revocation lists.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Who issued a CRL, how long it is good, and what it revokes
    #[command(after_help = EXAMPLES)]
    Show(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: input::Source,
    /// How many revoked certificates are shown, in order of their serial numbers
    #[arg(long, value_name = "N", default_value_t = 20)]
    entries: usize,
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    let Command::Show(args) = command;
    let bytes = args.source.read(Kind::Crl)?;
    let crls =
        pem::crls(&bytes).map_err(|error| input::unreadable(error.code(), &args.source, &error))?;
    match format {
        Format::Human => {
            for crl in &crls {
                output::data(&to_text(crl, args.entries))?;
            }
        }
        Format::Json => {
            let values: Vec<Value> = crls.iter().map(|crl| to_json(crl, args.entries)).collect();
            output::json(&json!({ "crls": values }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn to_text(crl: &Crl, entries: usize) -> String {
    let now = clock::now();
    let mut rows = vec![
        ("issuer", crl.issuer().to_string()),
        ("number", crl.number().map_or("none".into(), output::hex)),
        ("this update", when(crl.this_update(), now)),
        (
            "next update",
            crl.next_update()
                .map_or("not said".into(), |t| when(t, now)),
        ),
        (
            "signature",
            crl.signature_scheme()
                .map_or_else(ToString::to_string, |scheme| scheme.to_string()),
        ),
        ("revoked", crl.len().to_string()),
    ];
    if let Some(base) = crl.delta_base() {
        rows.push(("delta to", output::hex(base)));
    }
    let lines: Vec<String> = crl
        .entries()
        .take(entries)
        .map(|(serial, revoked)| {
            format!(
                "{}  {}  {}",
                output::hex(serial),
                revoked.at,
                revoked.reason
            )
        })
        .collect();
    if !lines.is_empty() {
        rows.push(("", lines.join("\n")));
    }
    output::pairs(&rows)
}

fn to_json(crl: &Crl, entries: usize) -> Value {
    let revoked: Vec<Value> = crl
        .entries()
        .take(entries)
        .map(|(serial, revoked)| {
            json!({
                "serial": output::hex(serial),
                "at": revoked.at.to_string(),
                "reason": revoked.reason.to_string(),
            })
        })
        .collect();
    json!({
        "issuer": crl.issuer().to_string(),
        "number": crl.number().map(output::hex),
        "delta_base": crl.delta_base().map(output::hex),
        "this_update": crl.this_update().to_string(),
        "next_update": crl.next_update().map(|t| t.to_string()),
        "revoked": crl.len(),
        "entries": revoked,
    })
}

const EXAMPLES: &str = "\
EXAMPLES
  udap crl show issuing.crl
  udap crl show http://localhost:8441/crl/issuing.crl --allow-host localhost:8441
  udap crl show - --json";
