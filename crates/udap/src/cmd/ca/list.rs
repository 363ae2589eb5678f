//! `udap ca list`

use super::DirArgs;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::process::ExitCode;
use udap_ca::Listed;
use udap_host::when::when;
use udap_pki::UnixTime;
use udap_trust::clock;

/// Everything that was issued, and what became of it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let ca = args.dir.open().await?;
    let listed = ca.list().await?;
    ca.close().await;
    let now = clock::now();
    match format {
        Format::Human => output::data(&table(&listed, now))?,
        Format::Json => {
            let values: Vec<Value> = listed.iter().map(|row| to_json(row, now)).collect();
            output::json(&json!({ "certificates": values }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn state(row: &Listed, now: UnixTime) -> &'static str {
    match (&row.revoked, now > row.not_after) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "good",
    }
}

fn table(listed: &[Listed], now: UnixTime) -> String {
    let cells = |row: &Listed| {
        let names = if row.names.is_empty() {
            row.subject.clone()
        } else {
            row.names.join("\n")
        };
        [
            state(row, now).to_owned(),
            row.profile.to_string(),
            row.serial.clone(),
            names,
            when(row.not_after, now),
        ]
    };
    let rows = listed.iter().map(cells).collect();
    output::table(&["STATE", "PROFILE", "SERIAL", "NAMES", "EXPIRES"], rows)
}

fn to_json(row: &Listed, now: UnixTime) -> Value {
    json!({
        "state": state(row, now),
        "profile": row.profile.as_str(),
        "serial": row.serial,
        "subject": row.subject,
        "names": row.names,
        "not_before": row.not_before.to_string(),
        "not_after": row.not_after.to_string(),
        "issued_at": row.issued_at.to_string(),
        "revoked_at": row.revoked.map(|(at, _)| at.to_string()),
        "reason": row.revoked.map(|(_, reason)| reason.as_str()),
    })
}

const EXAMPLES: &str = "\
EXAMPLES
  udap ca list
  udap ca list --dir udap-sandbox/community-1/ca --json";
