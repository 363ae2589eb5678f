//! `udap get`

use crate::base_url::Target;
use crate::client::{AppArgs, ClientArgs, PurposeArgs, Requests, Session, ShowArgs};
use crate::output::{self, Format};
use crate::problem::Problem;
use crate::spinner;
use serde_json::Value;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use udap_client::{Plan, ScopeSet, Server, require_under_base};

/// Read from a FHIR server: discovery, registration and token happen by themselves.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A resource, a search, or a further page of one
    #[arg(value_name = "URL")]
    url: String,
    /// Where the base URL ends, if the URL does not show it
    #[arg(long, value_name = "URL")]
    base: Option<String>,
    /// What the token is to permit; reading and searching this resource type, unless given
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
    let known = session.known_bases(&session.state()?);
    let known = known.iter().map(String::as_str);
    let target = Target::split(&args.url, args.base.as_deref(), known)?;
    // Before anything is asked for a URL that no token could be sent to.
    require_under_base(&target.base_url, &args.url)?;
    let scope = match (&args.scope, target.resource) {
        (Some(scope), _) => Some(ScopeSet::parse(scope)),
        (None, Some(resource)) => Some(ScopeSet::parse(&format!("system/{resource}.rs"))),
        (None, None) => None,
    };
    let requests = args.show.requests();
    if requests == Requests::Offline {
        let server = session.recall(&target.base_url)?;
        let steps = plan(&args, &session, &server, scope.as_ref()).await?;
        args.show.print(&steps, session.cacert(), format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = session.discover(&target.base_url).await?;
    if requests == Requests::Shown {
        let steps = plan(&args, &session, &server, scope.as_ref()).await?;
        args.show.print(&steps, session.cacert(), format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (token, _) = session
        .token(&server, &args.app, &args.purpose, scope.as_ref())
        .await?;
    let work = session.client().get(&token, &args.url);
    let answer = spinner::wait("reading", work)
        .await
        .map_err(|error| session.problem(error))?;
    if std::io::stdout().is_terminal() {
        match serde_json::from_slice::<Value>(&answer.body) {
            Ok(value) => output::json(&value)?,
            Err(_) => output::data(&String::from_utf8_lossy(&answer.body))?,
        }
    } else {
        // Byte for byte as the server sent it.
        output::bytes(&answer.body)?;
        if !answer.body.ends_with(b"\n") {
            output::bytes(b"\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn plan(
    args: &Args,
    session: &Session<'_>,
    server: &Server,
    scope: Option<&ScopeSet>,
) -> Result<Vec<(&'static str, Plan)>, Problem> {
    let mut steps = session
        .plan_token(server, &args.app, &args.purpose, scope)
        .await?;
    let mut read = session.client().plan_get(&server.base_url, &args.url)?;
    read.headers
        .push(("authorization", "Bearer ACCESS_TOKEN".to_owned()));
    steps.push(("read", read));
    Ok(steps)
}

const EXAMPLES: &str = "\
EXAMPLES
  Search in the sandbox (`udap dev` in another terminal):
    udap get 'https://localhost:8440/fhir/Patient?family=Shaw'

  From any server of a community, for treatment:
    udap get https://fhir.example.org/r4/Patient/1 --community https://community.example \\
      --anchor community.pem --cert app.pem --key app.key --contact mailto:ops@app.example \\
      --purpose TREAT

  The requests as curl commands, in their order:
    udap get https://localhost:8440/fhir/Patient/amelia-shaw --curl";
