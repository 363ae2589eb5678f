//! `udap community list` and `show`: the profiles that come with the program, and what a description makes of them.

use crate::files;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Map, Value, json};
use std::path::Path;
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::community::{self, Community, CommunityError, Definition, Status};
use udap_trust::clock;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A profile, or a file with a community's description
    #[arg(value_name = "NAME|FILE")]
    name: String,
    /// As TOML, to begin a description of one's own with
    #[arg(long)]
    toml: bool,
}

pub(super) fn list(format: Format) -> Result<(), Problem> {
    let mut rows = Vec::new();
    let mut profiles = Vec::new();
    for profile in community::PROFILES {
        let definition = Definition::from_toml(profile.text).map_err(refused)?;
        let community = read(definition)?;
        let title = community.title.unwrap_or_default();
        let status = status(community.status);
        rows.push([profile.name, community.guide.as_str(), status, &title].map(str::to_owned));
        profiles.push(json!({
            "name": profile.name,
            "guide": community.guide.as_str(),
            "status": status,
            "title": title,
            "source": community.source,
        }));
    }
    match format {
        Format::Human => output::data(&output::table(&[], rows)),
        Format::Json => output::json(&json!({ "profiles": profiles })),
    }
}

pub(super) fn show(args: &Args, format: Format) -> Result<(), Problem> {
    let definition = match community::profile(&args.name) {
        Some(profile) => Definition::from_toml(profile.text),
        None => {
            let bytes = files::read(Path::new(&args.name))?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| files::unusable(Path::new(&args.name), "is not text".to_owned()))?;
            Definition::from_toml(text)
        }
    };
    let definition = definition
        .and_then(Definition::on_its_profile)
        .map_err(refused)?;
    let community = read(definition.clone())?;
    match (format, args.toml) {
        (Format::Json, _) => output::json(&Value::Object(definition.as_map().clone())),
        (Format::Human, true) => output::data(definition.to_toml().map_err(refused)?.trim_end()),
        (Format::Human, false) => output::data(&table(&definition, &community, clock::now())),
    }
}

/// What it comes to, line by line.
fn table(definition: &Definition, community: &Community, now: UnixTime) -> String {
    let list = |texts: &[&str]| match texts {
        [] => "-".to_owned(),
        texts => texts.join(", "),
    };
    let texts = |texts: &[String]| list(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let described = definition.as_map();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let uri = described.get("uri").and_then(Value::as_str);
    let algorithms: Vec<_> = community.algorithms.iter().map(|a| a.as_str()).collect();
    let purposes = community.registration.purpose_in_uri.as_ref();
    let purposes = purposes.map(|codes| list(&codes.in_force(now).collect::<Vec<_>>()));
    let scopes = community.scopes.as_ref().map(ToString::to_string);
    output::pairs(&[
        ("title", text(&community.title)),
        ("source", text(&community.source)),
        ("status", status(community.status).to_owned()),
        (
            "uri",
            uri.unwrap_or("its own, of each community").to_owned(),
        ),
        ("guide", community.guide.as_str().to_owned()),
        ("algorithms", list(&algorithms)),
        (
            "scopes",
            scopes.unwrap_or_else(|| "the data holder's".to_owned()),
        ),
        ("certifications", texts(&community.certifications.supported)),
        (
            "of them required",
            texts(&community.certifications.required),
        ),
        ("extension objects", list(&community.extensions.supported())),
        ("of them required", list(&community.extensions.required())),
        (
            "one purpose an app",
            purposes.unwrap_or_else(|| "-".to_owned()),
        ),
        ("user scopes", user_scopes(described)),
    ])
}

fn user_scopes(described: &Map<String, Value>) -> String {
    let registration = described.get("registration");
    let chosen = registration.and_then(|r| r.get("user_scopes")?.as_str());
    chosen.unwrap_or("leave-out").to_owned()
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Final => "final",
        Status::Draft => "draft",
    }
}

/// A profile has no URI of its own, and is read as if some community stood on it.
fn read(mut definition: Definition) -> Result<Community, Problem> {
    let map = definition.as_map_mut();
    map.entry("uri").or_insert_with(|| "urn:example".into());
    Community::read(definition).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: CommunityError) -> Problem {
    let problem = Problem::new(error.code(), error.to_string()).unreadable();
    match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

pub(super) const LIST_EXAMPLES: &str = "\
EXAMPLES
  udap community list
  udap community list --json";

pub(super) const SHOW_EXAMPLES: &str = "\
EXAMPLES
  udap community show tefca-ff-2.0
  udap community show ssraa-2.0 --toml > community.toml
  udap community show community.toml --json";
