//! `udap register`

use crate::client::{AppArgs, Certified, ClientArgs, Requests, Session, ShowArgs};
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::json;
use std::process::ExitCode;
use udap_client::{Discovered, Outcome, Plan, Registered, Server};

/// Register this app with a server, change its registration, or cancel it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The FHIR base URL
    #[arg(value_name = "URL")]
    url: String,
    /// Cancel the registration; its tokens end with it
    #[arg(long)]
    cancel: bool,
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    show: ShowArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let session = Session::new(&args.client, &args.url)?;
    let server = match args.show.requests() {
        Requests::Sent => session.discover(&args.url).await?,
        Requests::Shown => {
            let server = session.discover(&args.url).await?;
            show(&args, &session, &server, format).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Requests::Offline => {
            let server = session.recall(&args.url)?;
            show(&args, &session, &server, format).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let (registered, sent) = if args.cancel {
        (session.cancel(&server).await?, Vec::new())
    } else {
        session.register(&server, &args.app).await?
    };
    print(&session, &server, &registered, &sent, format)?;
    Ok(ExitCode::SUCCESS)
}

/// What became of it.
pub(crate) fn print(
    session: &Session<'_>,
    server: &Discovered,
    registered: &Registered,
    sent: &[String],
    format: Format,
) -> Result<(), Problem> {
    let certified = Certified::of(registered, sent);
    match format {
        Format::Human => {
            let uri = session.uri()?;
            output::data(&to_text(server, registered, sent, certified.as_ref(), uri))
        }
        Format::Json => output::json(&json!({
            "registration": registered.outcome.as_str(),
            "client_id": registered.client_id,
            "base_url": server.base_url,
            "community": server.community,
            "uri": session.uri()?,
            "scope": registered.scope.as_ref().map(ToString::to_string),
            "certifications": {
                "sent": sent.len(),
                "accepted": certified.as_ref().map(|certified| &certified.accepted),
                "left_out": certified.as_ref().map(|certified| &certified.left_out),
            },
            "answer": registered.answer,
        })),
    }
}

async fn show(
    args: &Args,
    session: &Session<'_>,
    server: &Server,
    format: Format,
) -> Result<(), Problem> {
    let (what, plan): (&str, Plan) = if args.cancel {
        ("cancel", session.client().plan_cancel(server).await?)
    } else {
        let metadata = args
            .app
            .metadata(server, session.uri()?, session.sandboxed())?;
        let certifications = args.app.certifications(session.uri()?)?;
        let plan = session
            .client()
            .plan_register_certified(server, &metadata, &certifications)
            .await?;
        ("register", plan)
    };
    args.show.print(&[(what, plan)], session.cacert(), format)
}

fn to_text(
    server: &Discovered,
    registered: &Registered,
    sent: &[String],
    certified: Option<&Certified>,
    uri: &str,
) -> String {
    let done = match registered.outcome {
        Outcome::New => "registered with",
        Outcome::Changed => "registration changed at",
        Outcome::Cancelled => "registration cancelled at",
    };
    let mut rows = vec![
        ("client_id", registered.client_id.clone()),
        ("app", uri.to_owned()),
        ("community", server.community.clone()),
    ];
    if let Some(scope) = &registered.scope {
        rows.push(("scope", scope.to_string()));
    }
    let sent = sent.len();
    match certified {
        Some(certified) => {
            if sent > 0 {
                let accepted = sent.saturating_sub(certified.left_out.len());
                rows.push(("certifications", format!("{accepted} of {sent} accepted")));
            }
            let named = |what| move |name: &String| (what, name.clone());
            rows.extend(certified.accepted.iter().map(named("certified")));
            rows.extend(certified.left_out.iter().map(named("left out")));
        }
        None if sent > 0 => {
            let untold = format!("{sent} sent; the server does not say which it accepted");
            rows.push(("certifications", untold));
        }
        None => {}
    }
    format!(
        "{} {}\n{}",
        output::TICK,
        output::bold(&format!("{done} {}", server.base_url)),
        output::pairs(&rows)
    )
}

const EXAMPLES: &str = "\
EXAMPLES
  With the sandbox (`udap dev` in another terminal):
    udap register https://localhost:8440/fhir

  With any server of a community:
    udap register https://fhir.example.org/r4 --community https://community.example \\
      --anchor community.pem --cert app.pem --key app.key --contact mailto:ops@app.example

  See how a revoked app is refused:
    udap register https://localhost:8440/fhir --app revoked

  With what others say about the app:
    udap register https://localhost:8440/fhir \\
      --certification udap-sandbox/apps/good.security-audit.jwt

  The request as a curl command, without sending it:
    udap register https://localhost:8440/fhir --curl

  Leave:
    udap register https://localhost:8440/fhir --cancel";
