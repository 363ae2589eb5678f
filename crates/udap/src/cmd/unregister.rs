//! `udap unregister`

use crate::client::{ClientArgs, Requests, Session, ShowArgs};
use crate::cmd::register;
use crate::output::Format;
use crate::problem::Problem;
use std::process::ExitCode;

/// Cancel this app's registration with a server; its tokens end with it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The FHIR base URL
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    show: ShowArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let session = Session::new(&args.client, &args.url)?;
    if args.show.requests() == Requests::Sent {
        let server = session.discover(&args.url).await?;
        let cancelled = session.cancel(&server).await?;
        register::print(&session, &server, &cancelled, &[], format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = session.server(&args.url, args.show.requests()).await?;
    let plan = session.client().plan_cancel(&server).await?;
    args.show
        .print(&[("cancel", plan)], session.cacert(), format)?;
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  Leave the sandbox's data holder (`udap dev` in another terminal):
    udap unregister https://localhost:8440/fhir

  Leave any server of a community:
    udap unregister https://fhir.example.org/r4 --community https://community.example \\
      --anchor community.pem --cert app.pem --key app.key

  The request as a curl command, without sending it:
    udap unregister https://localhost:8440/fhir --curl";
