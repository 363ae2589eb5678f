//! `udap discover`

use crate::client::{ClientArgs, Requests, Session, ShowArgs};
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::process::ExitCode;
use udap_client::Discovered;
use udap_host::when::when;
use udap_trust::clock;

/// What a server is, who vouches for it, and whether it can be trusted and why.
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
    if args.show.requests() != Requests::Sent {
        // The metadata itself is what would be fetched: nothing is sent here.
        let identity = session.client().identity().map(|i| i.community.as_str());
        let community = args.client.community.as_deref().or(identity);
        let plan = session.client().plan_discover(&args.url, community)?;
        args.show
            .print(&[("discover", plan)], session.cacert(), format)?;
        if format == Format::Human {
            output::talk(VERIFIED);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let server = session.find(&args.url).await?;
    match format {
        Format::Json => output::json(&to_json(&server, args.client.explain))?,
        Format::Human => {
            output::data(&to_text(&server))?;
            if args.client.explain {
                output::data(&format!("\n{}", server.verdict().trace()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn to_text(server: &Discovered) -> String {
    let now = clock::now();
    let list = |name: &str| match server.list(name) {
        None => "not said".to_owned(),
        Some([]) => "none".to_owned(),
        Some(values) => values.join(", "),
    };
    let leaf = server.metadata().signer().leaf();
    let revocation = if server.verdict().revocation_checked() {
        "checked, not revoked"
    } else {
        "not known"
    };
    let rows = [
        ("community", server.community.clone()),
        (
            "vouched for by",
            server.verdict().anchor().subject().to_string(),
        ),
        (
            "certificate",
            format!(
                "{}, expires {}",
                leaf.subject(),
                when(leaf.not_after(), now)
            ),
        ),
        ("revocation", revocation.to_owned()),
        ("holds until", when(server.expires(), now)),
        ("registration", server.registration_endpoint.clone()),
        ("token", server.token_endpoint.clone()),
        (
            "authorization",
            server
                .authorization_endpoint
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
        ),
        ("profiles", list("udap_profiles_supported")),
        ("grants", list("grant_types_supported")),
        (
            "extensions",
            list("udap_authorization_extensions_supported"),
        ),
        ("required", list("udap_authorization_extensions_required")),
        (
            "algorithms",
            list("token_endpoint_auth_signing_alg_values_supported"),
        ),
        ("scopes", list("scopes_supported")),
    ];
    let rows: Vec<_> = rows.into_iter().collect();
    format!(
        "{} {}\n{}",
        output::TICK,
        output::bold(&format!("{} is trusted", server.base_url)),
        output::pairs(&rows)
    )
}

fn to_json(server: &Discovered, explain: bool) -> Value {
    let leaf = server.metadata().signer().leaf();
    let mut value = json!({
        "trusted": true,
        "base_url": server.base_url,
        "community": server.community,
        "anchor": server.verdict().anchor().subject().to_string(),
        "certificate": {
            "subject": leaf.subject().to_string(),
            "uris": leaf.uri_names(),
            "serial": leaf.serial_hex(),
            "sha256": output::hex(leaf.sha256()),
            "not_after": leaf.not_after().to_string(),
        },
        "revocation_checked": server.verdict().revocation_checked(),
        "expires": server.expires().to_string(),
        "registration_endpoint": server.registration_endpoint,
        "token_endpoint": server.token_endpoint,
        "authorization_endpoint": server.authorization_endpoint,
        "metadata": server.metadata().plain(),
    });
    if explain {
        value["trace"] = server.verdict().trace().to_string().into();
    }
    value
}

const VERIFIED: &str = "\
Of the answer would be verified: the signature of `signed_metadata` by the certificate in its header;
that certificate in the community, not expired and not revoked; that its URI name and `iss` are the
base URL; and that every endpoint in the plain part equals the signed one.";

const EXAMPLES: &str = "\
EXAMPLES
  A server of the sandbox (`udap dev` in another terminal):
    udap discover https://localhost:8440/fhir

  Any server, by the anchor of a community you both belong to:
    udap discover https://fhir.example.org/r4 --community https://community.example \\
      --anchor community.pem

  Each check that led to the verdict:
    udap discover https://localhost:8440/fhir --explain

  The request, without sending it:
    udap discover https://fhir.example.org/r4 --community https://community.example --offline";
