//! `udap introspect`

use crate::client::{AppArgs, ClientArgs, PurposeArgs, Requests, Session, ShowArgs};
use crate::files;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::process::ExitCode;
use udap_client::About;
use zeroize::Zeroizing;

/// Ask the server that issued a token what it says of it. Without a token, get one and ask about that.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The FHIR base URL
    #[arg(value_name = "URL")]
    url: String,
    /// The file that holds the token, as `udap token` printed it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    purpose: PurposeArgs,
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    show: ShowArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let session = Session::new(&args.client, &args.url)?;
    let token = args.token_file.as_deref().map(files::token).transpose()?;
    if args.show.requests() == Requests::Sent {
        let server = session.locate(&args.url).await?;
        let (token, client_id) = match token {
            Some(token) => (token, session.client_id(&server)?),
            None => {
                let asked = session.token(&server, &args.app, &args.purpose, None);
                let (token, client_id) = asked.await?;
                (Zeroizing::new(token.secret().to_owned()), client_id)
            }
        };
        let said = session.introspect(&server, &client_id, &token).await?;
        let active = said.get("active") == Some(&Value::Bool(true));
        match format {
            Format::Human => output::data(&to_text(active, &said))?,
            Format::Json => output::json(&Value::Object(said))?,
        }
        return Ok(ExitCode::from(u8::from(!active)));
    }
    let server = session.server(&args.url, args.show.requests()).await?;
    let (mut steps, client_id) = match &token {
        Some(_) => (Vec::new(), session.client_id(&server)?),
        None => {
            let steps = session.plan_token(&server, &args.app, &args.purpose, None);
            (steps.await?, session.client_id_or_placeholder(&server)?)
        }
    };
    // One that the step before would have brought.
    let token = token.unwrap_or_else(|| Zeroizing::new("ACCESS_TOKEN".to_owned()));
    let plan = session
        .client()
        .plan_about(&server, About::Introspection, &client_id, &token)
        .await?;
    steps.push(("introspect", plan));
    args.show.print(&steps, session.cacert(), format)?;
    Ok(ExitCode::SUCCESS)
}

fn to_text(active: bool, said: &Map<String, Value>) -> String {
    if !active {
        return "\x1b[1;31m✗\x1b[0m the token does not count, or is none of this app's".to_owned();
    }
    let rows: Vec<(&str, String)> = said
        .iter()
        .filter(|(name, _)| *name != "active")
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.as_str(), text)
        })
        .collect();
    let rows = output::pairs(&rows);
    let counts = output::bold("the token counts");
    format!("{} {counts}\n{rows}", output::TICK)
}

const EXAMPLES: &str = "\
EXAMPLES
  What a token of the sandbox is worth (`udap dev` in another terminal):
    udap introspect https://localhost:8440/fhir

  A token that is at hand:
    udap introspect https://localhost:8440/fhir --token-file token.txt

  Does it still count?
    udap introspect https://localhost:8440/fhir --token-file token.txt --json | jq .active

  The requests as curl commands, without sending them:
    udap introspect https://localhost:8440/fhir --curl";
