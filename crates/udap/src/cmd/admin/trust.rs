//! `udap admin refusals`, `communities`, `certificates`

use super::source::SourceArgs;
use crate::catalogue;
use crate::cmd::audit::time;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::Value;
use std::process::ExitCode;
use udap_host::when::when;
use udap_pki::UnixTime;
use udap_trust::clock;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RefusalsArgs {
    /// Only with this code, e.g. certificate-revoked
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only of this client
    #[arg(long, value_name = "CLIENT_ID", allow_hyphen_values = true)]
    client: Option<String>,
    /// From then on: RFC 3339, or how long ago (30m, 12h, 7d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn refusals(args: RefusalsArgs, format: Format) -> Result<ExitCode, Problem> {
    let now = clock::now();
    let since = args.since.as_deref().map(|text| time(text, now));
    let since = since.transpose()?.map(|since| since.to_string());
    let source = args.source.open().await?;
    let meant = args.code.as_deref().and_then(catalogue::did_you_mean);
    let mut query = vec![("limit", args.limit.to_string())];
    for (name, value) in [
        ("code", args.code),
        ("client_id", args.client),
        ("since", since),
    ] {
        query.extend(value.map(|value| (name, value)));
    }
    let found = source.get("refusals", &query).await?;
    let refusals = list(&found["refusals"]);
    match format {
        Format::Json => output::json(&found)?,
        Format::Human if refusals.is_empty() => {
            let meant = meant.map_or_else(String::new, |meant| format!("; {meant}"));
            output::talk(&format!("nobody was refused like that{meant}"));
        }
        Format::Human => output::data(&refusal_lines(refusals))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Each with its values under one another and what to do.
pub(super) fn refusal_lines(refusals: &[Value]) -> String {
    let mut blocks = Vec::with_capacity(refusals.len());
    for one in refusals {
        let who = [&one["uri"], &one["client_id"], &one["remote"]];
        let who = who.into_iter().find_map(Value::as_str);
        let head = format!(
            "{}  {}, {}",
            output::bold(&text(&one["code"])),
            text(&one["event"]),
            told(&one["at"])
        );
        let mut pairs = vec![("who", who.unwrap_or("not known").to_owned())];
        if one["found"].is_string() {
            pairs.push(("found", text(&one["found"])));
            pairs.push(("expected", text(&one["expected"])));
        } else {
            pairs.push(("why", text(&one["sentence"])));
        }
        pairs.push(("hint", text(&one["hint"])));
        blocks.push(format!("{head}\n{}", output::pairs(&pairs)));
    }
    blocks.join("\n")
}

pub(super) async fn communities(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let found = args.source.open().await?.get("communities", &[]).await?;
    if format == Format::Json {
        output::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut blocks = Vec::new();
    for one in list(&found["communities"]) {
        let mut pairs = vec![("revocation", text(&one["revocation"]))];
        let own = list(&one["identities"]).iter();
        pairs.extend(own.map(|one| ("own certificate", certificate(one))));
        pairs.extend(
            list(&one["anchors"])
                .iter()
                .map(|one| ("anchor", certificate(one))),
        );
        let certifiers = list(&one["certifier_anchors"]).iter();
        pairs.extend(certifiers.map(|one| ("certifier anchor", certificate(one))));
        for data in list(&one["revocation_data"]) {
            let state = if data["fresh"] == true {
                "fresh"
            } else {
                "out of date"
            };
            let next = told(&data["next_update"]);
            let what = format!("{}: {state}, next update {next}", text(&data["url"]));
            pairs.push((if data["kind"] == "CRL" { "CRL" } else { "OCSP" }, what));
        }
        blocks.push(format!(
            "{}\n{}",
            output::bold(&text(&one["uri"])),
            output::pairs(&pairs)
        ));
    }
    output::data(&blocks.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn certificate(one: &Value) -> String {
    format!(
        "{}, ends {}",
        text(&one["subject"]),
        told(&one["not_after"])
    )
}

pub(super) async fn certificates(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let found = args.source.open().await?.get("certificates", &[]).await?;
    if format == Format::Json {
        output::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |one: &Value| {
        [
            text(&one["state"]),
            one["days_left"].to_string(),
            text(&one["used_for"]),
            text(&one["community"]),
            text(&one["subject"]),
            told(&one["not_after"]),
        ]
    };
    let header = [
        "STATE",
        "DAYS LEFT",
        "USED FOR",
        "COMMUNITY",
        "SUBJECT",
        "ENDS",
    ];
    let rows = list(&found["certificates"]).iter().map(row).collect();
    output::data(&output::table(&header, rows))?;
    for one in list(&found["unreadable"]) {
        output::talk(&format!("no certificate could be read: {}", text(one)));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text on one line; `-` for nothing.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => output::printable(text),
        value => value.to_string(),
    }
}

/// A time as people want it.
pub(super) fn told(value: &Value) -> String {
    let time = value
        .as_str()
        .and_then(|text| UnixTime::parse_rfc3339(text).ok());
    time.map_or_else(|| "never".to_owned(), |time| when(time, clock::now()))
}

pub(super) const REFUSALS_EXAMPLES: &str = "\
EXAMPLES
  udap admin refusals
  udap admin refusals --code certificate-revoked --since 12h
  udap admin refusals --client 2xBUc3c2F2diWFy_N459jw --json";

pub(super) const COMMUNITIES_EXAMPLES: &str = "\
EXAMPLES
  udap admin communities

  How fresh revocation data is, which only a running server knows:
    udap admin communities --url https://admin.example.org:9443 --token-file admin.token";

pub(super) const CERTIFICATES_EXAMPLES: &str = "\
EXAMPLES
  udap admin certificates
  udap admin certificates --json";
