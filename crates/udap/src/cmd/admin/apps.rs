//! `udap admin apps`, `udap admin app`

use super::source::SourceArgs;
use super::trust::{self, told};
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only those in this state
    #[arg(long, value_parser = ["active", "suspended", "lapsed", "cancelled"])]
    state: Option<String>,
    /// Only those of this community
    #[arg(long, value_name = "URI")]
    community: Option<String>,
    /// Somewhere in the URI, the client id or what the app says of itself
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// `next` of the page before
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct OneArgs {
    /// The app's `client_id`
    #[arg(value_name = "CLIENT_ID", allow_hyphen_values = true)]
    client_id: String,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn list(args: ListArgs, format: Format) -> Result<ExitCode, Problem> {
    let source = args.source.open().await?;
    let mut query = vec![("limit", args.limit.to_string())];
    for (name, value) in [
        ("state", args.state),
        ("community", args.community),
        ("q", args.search),
        ("after", args.after),
    ] {
        query.extend(value.map(|value| (name, value)));
    }
    let found = source.get("apps", &query).await?;
    if format == Format::Json {
        output::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    let apps = trust::list(&found["apps"]);
    if apps.is_empty() {
        output::talk("no app is like that");
        return Ok(ExitCode::SUCCESS);
    }
    let row = |app: &Value| {
        [
            trust::text(&app["state"]),
            trust::text(&app["client_id"]),
            trust::text(&app["uri"]),
            trust::text(&app["community"]),
            told(&app["registered"]),
            told(&app["last_token"]),
        ]
    };
    let header = [
        "STATE",
        "CLIENT",
        "URI",
        "COMMUNITY",
        "REGISTERED",
        "LAST TOKEN, TO THE HOUR",
    ];
    let rows = apps.iter().map(row).collect();
    output::data(&output::table_or_blocks(&header, rows))?;
    if found["next"].is_string() {
        output::talk(&format!(
            "there are more: --after {}",
            trust::text(&found["next"])
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn one(args: OneArgs, format: Format) -> Result<ExitCode, Problem> {
    let source = args.source.open().await?;
    let app = source.get(&format!("apps/{}", args.client_id), &[]).await?;
    match format {
        Format::Json => output::json(&app)?,
        Format::Human => output::data(&to_text(&app))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is verified first, then what others say, then what it says of itself.
pub(super) fn to_text(app: &Value) -> String {
    let certificate = &app["certificate"];
    let lines = |value: &Value| {
        let all: Vec<_> = trust::list(value).iter().map(trust::text).collect();
        all.join("\n")
    };
    let mut pairs = vec![
        (
            "state",
            format!("{}, {}", trust::text(&app["state"]), told(&app["changed"])),
        ),
        ("client", trust::text(&app["client_id"])),
        ("vouched for by", trust::text(&app["community"])),
        ("registered", told(&app["registered"])),
        ("last token, to the hour", told(&app["last_token"])),
        ("may ask for", lines(&app["scopes"])),
        ("certificate", trust::text(&certificate["subject"])),
        ("  ends", told(&certificate["not_after"])),
    ];
    for one in trust::list(&app["certifications"]) {
        pairs.push((
            "certified",
            format!(
                "{} by {} ({}), ends {}",
                trust::text(&one["name"]),
                trust::text(&one["issuer"]),
                trust::text(&one["state"]),
                told(&one["expires"])
            ),
        ));
    }
    let mut text = format!(
        "{}\n{}",
        output::bold(&trust::text(&app["uri"])),
        output::pairs(&pairs)
    );
    let claimed: Vec<(&str, String)> = app["claimed"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            (
                name.as_str(),
                match value {
                    Value::Array(_) => lines(value),
                    value => trust::text(value),
                },
            )
        })
        .collect();
    text.push_str("\n\nWhat it says of itself; nobody has verified it:\n");
    text.push_str(&output::pairs(&claimed));
    let refusals = trust::list(&app["refusals"]);
    if !refusals.is_empty() {
        text.push_str("\n\nRefusals of the last week:\n");
        text.push_str(&trust::refusal_lines(refusals));
    }
    text
}

pub(super) const LIST_EXAMPLES: &str = "\
EXAMPLES
  udap admin apps
  udap admin apps --state suspended --json
  udap admin apps --search shaw --limit 10

  From elsewhere:
    udap admin apps --url https://admin.example.org:9443 --token-file admin.token";

pub(super) const ONE_EXAMPLES: &str = "\
EXAMPLES
  udap admin app 2xBUc3c2F2diWFy_N459jw";
