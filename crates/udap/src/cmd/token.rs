//! `udap token`

use crate::client::{AppArgs, ClientArgs, PurposeArgs, Requests, Session, ShowArgs};
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::json;
use std::process::ExitCode;
use udap_client::ScopeSet;
use udap_trust::clock;

/// Get an access token, registering first where that was not done yet, and print it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The FHIR base URL
    #[arg(value_name = "URL")]
    url: String,
    /// What the token is to permit; all that was registered, unless given
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
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
    let scope = args.scope.as_deref().map(ScopeSet::parse);
    let requests = args.show.requests();
    if requests == Requests::Offline {
        let server = session.recall(&args.url)?;
        let steps = session
            .plan_token(&server, &args.app, &args.purpose, scope.as_ref())
            .await?;
        args.show.print(&steps, session.cacert(), format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = session.discover(&args.url).await?;
    if requests == Requests::Shown {
        let steps = session
            .plan_token(&server, &args.app, &args.purpose, scope.as_ref())
            .await?;
        args.show.print(&steps, session.cacert(), format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (token, client_id) = session
        .token(&server, &args.app, &args.purpose, scope.as_ref())
        .await?;
    let secs = token.expires().secs_since(clock::now()).max(0);
    match format {
        Format::Human => {
            output::talk(&output::printable(&format!(
                "for {secs} s: {}",
                token.scope()
            )));
            output::data(token.secret())?;
        }
        Format::Json => output::json(&json!({
            "access_token": token.secret(),
            "token_type": "Bearer",
            "expires_in": secs,
            "scope": token.scope().to_string(),
            "client_id": client_id,
            "base_url": server.base_url,
            "community": server.community,
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  From the sandbox (`udap dev` in another terminal):
    udap token https://localhost:8440/fhir

  For one kind of resource only:
    udap token https://localhost:8440/fhir --scope system/Patient.rs

  From any server of a community, for treatment:
    udap token https://fhir.example.org/r4 --community https://community.example \\
      --anchor community.pem --cert app.pem --key app.key --contact mailto:ops@app.example \\
      --purpose TREAT

  What would be sent, without any connection:
    udap token https://localhost:8440/fhir --offline";
