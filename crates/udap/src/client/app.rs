//! What an app says about itself when it registers, and about its purpose when it asks for a token.

use super::options::missing;
use crate::files;
use crate::problem::Problem;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use udap_client::{
    ClientMetadata, Extensions, Hl7B2b, Registered, ScopeSet, Server, client_credentials,
};
use udap_proto::certification::CertificationError;
use udap_proto::jws::Jws;
use udap_proto::scope::{Context, Permissions, Scope};

/// HL7's code system of purposes (v3-PurposeOfUse).
const PURPOSES: &str = "urn:oid:2.16.840.1.113883.5.8";
const HL7_B2B: &str = "hl7-b2b";

/// What an app says about itself.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The app")]
pub(crate) struct AppArgs {
    /// What the app is called; its URI unless given
    #[arg(long, value_name = "NAME")]
    client_name: Option<String>,
    /// Whom to reach about it, `mailto:…`; repeat for more
    #[arg(long, value_name = "URI")]
    contact: Vec<String>,
    /// What to register for; all that the server lets systems read, unless given
    #[arg(long, value_name = "SCOPES")]
    register_scope: Option<String>,
    /// A certification or endorsement to register with, a signed JWT; repeat for more
    #[arg(long, value_name = "FILE")]
    certification: Vec<PathBuf>,
}

impl AppArgs {
    /// The certifications, as they are sent. One about somebody else can never count.
    pub(crate) fn certifications(&self, uri: &str) -> Result<Vec<String>, Problem> {
        self.certification
            .iter()
            .map(|path| {
                let text = String::from_utf8(files::read(path)?).unwrap_or_default();
                let compact = text.trim().to_owned();
                let jws = Jws::parse(&compact)
                    .map_err(|e| files::unusable(path, format!("is no certification: {e}")))?;
                let sub = jws.payload().get("sub").and_then(Value::as_str);
                let sub = sub.unwrap_or_default();
                if sub != uri {
                    let error = CertificationError::OtherApp {
                        sub: sub.to_owned(),
                        app: uri.to_owned(),
                    };
                    let problem = Problem::refusal(&error).compare(uri, sub);
                    return Err(problem.about(path).unreadable());
                }
                Ok(compact)
            })
            .collect()
    }

    pub(crate) fn metadata(
        &self,
        server: &Server,
        uri: &str,
        sandboxed: bool,
    ) -> Result<ClientMetadata, Problem> {
        let contacts = if self.contact.is_empty() && sandboxed {
            vec!["mailto:app@localhost.example".to_owned()]
        } else {
            self.contact.clone()
        };
        if contacts.is_empty() {
            return Err(missing(
                "whom the server's operator can reach about this app is not said",
                "--contact mailto:you@example.org",
            ));
        }
        let scope = match &self.register_scope {
            Some(scope) => ScopeSet::parse(scope),
            None => readable(server),
        };
        let name = self.client_name.as_deref().unwrap_or(uri);
        Ok(client_credentials(name, &scope, &contacts))
    }
}

/// What became of the certifications that were sent, by the names that they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certified {
    pub(crate) accepted: Vec<String>,
    pub(crate) left_out: Vec<String>,
}

impl Certified {
    /// The answer has the ones that the server accepted; one without that member tells nothing.
    pub(crate) fn of(registered: &Registered, sent: &[String]) -> Option<Self> {
        let answered = registered.answer.get("certifications")?.as_array()?;
        let accepted: Vec<&str> = answered.iter().filter_map(Value::as_str).collect();
        let left_out = sent.iter().map(String::as_str);
        Some(Self {
            left_out: left_out
                .filter(|one| !accepted.contains(one))
                .map(name)
                .collect(),
            accepted: accepted.into_iter().map(name).collect(),
        })
    }
}

/// What a certification is called by whoever signed it.
fn name(compact: &str) -> String {
    let jws = Jws::parse(compact).ok();
    let name = jws
        .as_ref()
        .and_then(|jws| jws.payload().get("certification_name"));
    name.and_then(Value::as_str)
        .unwrap_or("without a name")
        .to_owned()
}

/// What the server lets systems read, as far as it says so.
fn readable(server: &Server) -> ScopeSet {
    let mut set = ScopeSet::default();
    for text in server.list("scopes_supported").unwrap_or_default() {
        let scope = Scope::parse(text);
        if let Scope::Resource {
            context: Context::System,
            permissions,
            ..
        } = &scope
            && Permissions::READ.includes(*permissions)
        {
            set.insert(scope);
        }
    }
    if let Some(all) = set.iter().find(|scope| scope.is_wildcard()) {
        return ScopeSet::parse(all.as_str());
    }
    if set.is_empty() {
        return ScopeSet::parse("system/*.rs");
    }
    set
}

/// What an app says about its purpose.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The purpose (hl7-b2b)")]
pub(crate) struct PurposeArgs {
    /// Why the data is asked for: a code such as TREAT, or `system#code`; repeat for more
    #[arg(long, value_name = "CODE")]
    purpose: Vec<String>,
    /// The organization that asks, a URI; the app's own unless given
    #[arg(long, value_name = "URI")]
    organization_id: Option<String>,
    /// Its name
    #[arg(long, value_name = "NAME")]
    organization_name: Option<String>,
    /// The person on whose behalf it asks
    #[arg(long, value_name = "NAME")]
    subject_name: Option<String>,
    /// That person's identifier, `system#value`
    #[arg(long, value_name = "ID")]
    subject_id: Option<String>,
    /// That person's role, `system#code`
    #[arg(long, value_name = "CODE")]
    subject_role: Option<String>,
    /// A further authorization extension object; repeat for more
    #[arg(long, value_name = "NAME=FILE")]
    extension: Vec<String>,
}

impl PurposeArgs {
    /// The extension objects of a token request. A purpose is an assertion to somebody else, so that
    /// outside a sandbox none is made up.
    pub(crate) fn extensions(
        &self,
        server: &Server,
        uri: &str,
        sandboxed: bool,
    ) -> Result<Extensions, Problem> {
        let mut extensions = Extensions::new();
        for argument in &self.extension {
            let (name, path) = argument.split_once('=').ok_or_else(|| {
                Problem::new("usage", format!("`{argument}` is not NAME=FILE")).unreadable()
            })?;
            let path = Path::new(path);
            let object: Value = serde_json::from_slice(&files::read(path)?)
                .map_err(|error| files::unusable(path, format!("is not JSON: {error}")))?;
            extensions.insert(name.to_owned(), object);
        }
        let wanted = server
            .extensions_required()
            .iter()
            .any(|name| name == HL7_B2B)
            || !self.purpose.is_empty()
            || self.organization_id.is_some();
        if !wanted || extensions.contains_key(HL7_B2B) {
            return Ok(extensions);
        }
        let purposes = match self.purpose.as_slice() {
            [] if sandboxed => vec!["TREAT".to_owned()],
            [] => {
                return Err(missing(
                    "the server wants to know for which purpose the data is asked for",
                    "--purpose TREAT",
                ));
            }
            given => given.to_vec(),
        };
        let object = Hl7B2b {
            subject_name: self.subject_name.clone(),
            subject_id: self.subject_id.clone(),
            subject_role: self.subject_role.clone(),
            organization_name: self.organization_name.clone(),
            organization_id: self
                .organization_id
                .clone()
                .unwrap_or_else(|| uri.to_owned()),
            purpose_of_use: purposes
                .into_iter()
                .map(|code| {
                    if code.contains('#') {
                        code
                    } else {
                        format!("{PURPOSES}#{code}")
                    }
                })
                .collect(),
            consent_policy: Vec::new(),
            consent_reference: Vec::new(),
        };
        extensions.insert(HL7_B2B.to_owned(), object.to_json());
        Ok(extensions)
    }
}
