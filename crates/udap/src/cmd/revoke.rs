//! `udap revoke`

use crate::client::{ClientArgs, Requests, Revoked, Session, ShowArgs};
use crate::files;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_client::About;

/// End an access token before its time. Tokens are kept nowhere, so say which.
///
/// A server answers the same for a token that it does not know (RFC 7009 §2.2). So it is asked before and
/// after whether the token counts, where the server says so.
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
        let revoked = session.revoke(&server, &client_id, &token).await?;
        let (known, active) = match revoked {
            Revoked::Ended => (Some(true), Some(false)),
            Revoked::Inactive => (None, Some(false)),
            Revoked::Unknown => (None, None),
        };
        match format {
            Format::Human => output::data(&to_text(revoked))?,
            Format::Json => output::json(&json!({
                "revoked": known,
                "active": active,
                "client_id": client_id,
                "base_url": server.base_url,
                "community": server.community,
            }))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let server = session.server(&args.url, args.show.requests()).await?;
    let client_id = session.client_id(&server)?;
    let mut steps = Vec::new();
    for (what, about) in [
        ("introspect", About::Introspection),
        ("revoke", About::Revocation),
        ("introspect", About::Introspection),
    ] {
        if about == About::Introspection && server.introspection_endpoint.is_none() {
            continue;
        }
        let plan = session
            .client()
            .plan_about(&server, about, &client_id, &token);
        steps.push((what, plan.await?));
    }
    args.show.print(&steps, session.cacert(), format)?;
    Ok(ExitCode::SUCCESS)
}

fn to_text(revoked: Revoked) -> String {
    match revoked {
        Revoked::Ended => output::well("the token counts no longer"),
        Revoked::Inactive => {
            "the server took the request; the token does not count for this app, and may \
            never have: it ended before, is another app's, or is no token"
                .to_owned()
        }
        Revoked::Unknown => {
            "the server took the request; it answers the same for a token that it does \
            not know, and does not say whether this one still counts"
                .to_owned()
        }
    }
}

const EXAMPLES: &str = "\
EXAMPLES
  A token of the sandbox (`udap dev` in another terminal):
    udap token https://localhost:8440/fhir > token.txt
    udap revoke https://localhost:8440/fhir --token-file token.txt

  The same without a file:
    udap token https://localhost:8440/fhir | udap revoke https://localhost:8440/fhir --token-file -

  The request as a curl command, without sending it:
    udap revoke https://localhost:8440/fhir --token-file token.txt --curl

EXIT CODES
  0  the server took the request; what became of the token is said, as far as it is known
  1  it was refused, or the token still counts
  2  unreadable input, or wrong usage";
