//! `udap revoke`

use crate::client::{ClientArgs, Requests, Session, ShowArgs};
use crate::files;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_client::About;

/// End an access token before its time. Tokens are kept nowhere, so say which.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The FHIR base URL
    #[arg(value_name = "URL")]
    url: String,
    /// The file that holds the token, as `udap token` printed it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    show: ShowArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let token = files::token(&args.token_file)?;
    let session = Session::new(&args.client, &args.url)?;
    if args.show.requests() == Requests::Sent {
        let server = session.locate(&args.url).await?;
        let client_id = session.client_id(&server)?;
        session.revoke(&server, &client_id, &token).await?;
        match format {
            // RFC 7009 §2.2: the same is said of a token that there never was.
            Format::Human => output::data(&output::well("the token counts no longer"))?,
            Format::Json => output::json(&json!({
                "revoked": true,
                "client_id": client_id,
                "base_url": server.base_url,
                "community": server.community,
            }))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let server = session.server(&args.url, args.show.requests()).await?;
    let client_id = session.client_id(&server)?;
    let plan = session
        .client()
        .plan_about(&server, About::Revocation, &client_id, &token)
        .await?;
    args.show
        .print(&[("revoke", plan)], session.cacert(), format)?;
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  A token of the sandbox (`udap dev` in another terminal):
    udap token https://localhost:8440/fhir > token.txt
    udap revoke https://localhost:8440/fhir --token-file token.txt

  The same without a file:
    udap token https://localhost:8440/fhir | udap revoke https://localhost:8440/fhir --token-file -

  The request as a curl command, without sending it:
    udap revoke https://localhost:8440/fhir --token-file token.txt --curl";
