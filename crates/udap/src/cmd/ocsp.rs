//! `udap ocsp`

use crate::input;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::process::ExitCode;
use udap_host::when::when;
use udap_pki::ocsp::{CertStatus, Responder};
use udap_pki::{OcspResponse, UnixTime};
use udap_trust::clock;
use udap_trust::fetch::Kind;

/// OCSP responses.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Who answered, about which certificates, and how long it is good
    #[command(after_help = EXAMPLES)]
    Show(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: input::Source,
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    let Command::Show(args) = command;
    let bytes = args.source.read(Kind::Ocsp)?;
    let der = input::ocsp_der(&bytes)
        .map_err(|why| input::unreadable("input-unreadable", &args.source, &why))?;
    let response = OcspResponse::from_der(&der)
        .map_err(|error| input::unreadable(error.code(), &args.source, &error))?;
    let now = clock::now();
    match format {
        Format::Human => output::data(&to_text(&response, now))?,
        Format::Json => output::json(&to_json(&response))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn responder(response: &OcspResponse) -> String {
    match response.responder() {
        Responder::Name(name) => name.to_string(),
        Responder::KeyHash(hash) => format!("key {}", output::hex(hash)),
    }
}

fn status(status: CertStatus) -> String {
    match status {
        CertStatus::Good => "good".to_owned(),
        CertStatus::Revoked { at, reason } => format!("revoked {at} ({reason})"),
        CertStatus::Unknown => "unknown".to_owned(),
    }
}

fn to_text(response: &OcspResponse, now: UnixTime) -> String {
    let mut rows = vec![
        ("responder", responder(response)),
        ("produced", when(response.produced_at(), now)),
        (
            "signature",
            response
                .signature_scheme()
                .map_or_else(ToString::to_string, |scheme| scheme.to_string()),
        ),
        ("nonce", response.nonce().map_or("none".into(), output::hex)),
    ];
    for one in response.responses() {
        let until = one
            .next_update()
            .map_or("not said".to_owned(), |t| when(t, now));
        rows.push((
            "certificate",
            format!(
                "{}: {}\nfrom {}, until {until}",
                output::hex(one.serial()),
                status(one.status()),
                when(one.this_update(), now)
            ),
        ));
    }
    output::pairs(&rows)
}

fn to_json(response: &OcspResponse) -> Value {
    let responses: Vec<Value> = response
        .responses()
        .iter()
        .map(|one| {
            json!({
                "serial": output::hex(one.serial()),
                "status": match one.status() {
                    CertStatus::Good => "good",
                    CertStatus::Revoked { .. } => "revoked",
                    CertStatus::Unknown => "unknown",
                },
                "this_update": one.this_update().to_string(),
                "next_update": one.next_update().map(|t| t.to_string()),
            })
        })
        .collect();
    json!({
        "responder": responder(response),
        "produced_at": response.produced_at().to_string(),
        "nonce": response.nonce().map(output::hex),
        "responses": responses,
    })
}

const EXAMPLES: &str = "\
EXAMPLES
  udap ocsp show response.der
  udap ocsp show - --json";
