//! `[[community]]`: a profile or a community's own description, and what is set here over it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Map, Value};
use udap_proto::{
    Refusal as _,
    community::{
        self as data, Community as Rules, CommunityError, Definition, MAX_BYTES, Pem, Status,
    },
};

use super::{
    Certificates, Certifications, Community, ConfigError, Identity, Layers, MutualTlsPort, Origin,
    Problem, Revocation, binding,
    read::{Seconds, Shown, absolute_uri, choice, paths, seconds, secret, uris},
    section::{Field, Section},
};

pub(super) fn communities(
    top: &Section<'_>,
    port: Option<&MutualTlsPort>,
) -> Result<Vec<Community>, ConfigError> {
    let field = top
        .find("community")
        .ok_or_else(|| top.missing("community", COMMUNITY_EXAMPLE))?;
    let list = field.list("one or more [[community]] tables")?;
    if list.is_empty() {
        return Err(top.missing("community", COMMUNITY_EXAMPLE));
    }
    let mut communities: Vec<Community> = Vec::with_capacity(list.len());
    for field in list {
        let community = community(&field, port)?;
        if communities.iter().any(|other| other.uri == community.uri) {
            return Err(field.error(Problem::CommunityTwice { uri: community.uri }));
        }
        communities.push(community);
    }
    Ok(communities)
}

fn community(field: &Field<'_>, port: Option<&MutualTlsPort>) -> Result<Community, ConfigError> {
    let section = field.table("a [[community]] table", KEYS)?;
    let base = Base::read(&section)?;
    let mut own = Map::new();
    let mut set = |table: &str, key: &str, value: Value| {
        let table = match table {
            "" => &mut own,
            table => {
                let table = own.entry(table).or_insert_with(|| Map::new().into());
                let Value::Object(table) = table else { return };
                table
            }
        };
        table.insert(key.to_owned(), value);
    };

    // What a description cannot know, or what its operator wants to be otherwise.
    let uri = match (section.find("uri"), base.text("uri")) {
        (None, Some(uri)) => section.inherit("uri", uri.to_owned(), &base.origin),
        _ => section.need("uri", "uri = \"https://community.example\"", absolute_uri)?,
    };
    set("", "uri", uri.as_str().into());
    for key in WRITTEN {
        if let Some(field) = section.find(key) {
            set("", key, field.show(field.json())?);
        }
    }
    let revocation = section.find("revocation").map(|field| {
        let known = REVOCATION.map(|(name, value)| (name, Shown(name, value)));
        field.show(choice(&field, &known)?)
    });
    if let Some(revocation) = revocation.transpose()? {
        set("", "revocation", revocation.0.into());
    }
    if let Some(field) = section.find("grace") {
        let grace = field.show(seconds(&field, 0, 86_400)?)?;
        set("", "grace_secs", grace.0.into());
    }
    for (key, name) in CERTIFICATIONS {
        if let Some(field) = section.find(key) {
            set("certifications", name, field.show(uris(&field)?)?.into());
        }
    }

    let own = Definition::from_map(own);
    let rules = Rules::read(own.clone().over(base.definition.clone()));
    let rules = rules.map_err(|error| base.refuse(field, &section, error))?;
    inherited(&section, &base, &rules);

    let anchors = base.certificates(&section, "anchors", &rules.anchors)?;
    if anchors.is_empty() {
        return Err(match section.find("anchors") {
            Some(field) => field.invalid("[]", "a community without an anchor trusts nobody"),
            None => section.missing("anchors", "anchors = \"community.pem\""),
        });
    }
    let intermediates = base.certificates(&section, "intermediates", &rules.intermediates)?;
    let identities = identities(&section)?;
    let certifiers = base.certificates(&section, "certifier_anchors", &rules.certifier_anchors)?;
    let resource_servers = section.get("resource_servers", Vec::new(), uris)?;
    let assertion_issuers = section.get("assertion_issuers", Vec::new(), uris)?;
    let binding = binding::community(&section, port, &rules)?;
    let bundle = super::bundle::bundle(&section)?;
    let certifications = rules.certifications.clone();
    Ok(Community {
        uri,
        anchors,
        intermediates,
        identities,
        revocation: rules.revocation,
        grace_secs: rules.grace_secs,
        certifications: Certifications {
            supported: certifications.supported,
            required: certifications.required,
            self_signed: certifications.self_signed,
            anchors: certifiers,
            certifiers: certifications.certifiers,
        },
        resource_servers,
        assertion_issuers,
        binding,
        definition: base.file,
        rules: Arc::new(rules),
        layers: Layers {
            own,
            base: base.definition,
        },
        bundle,
    })
}

/// One table, or a list of them.
fn identities(section: &Section<'_>) -> Result<Vec<Identity>, ConfigError> {
    let missing = || section.missing("identity", IDENTITY_EXAMPLE);
    let field = section.find("identity").ok_or_else(missing)?;
    let fields = if field.is_list() {
        field.list("a table with `cert` and `key_file`, or a list of them")?
    } else {
        vec![field]
    };
    if fields.is_empty() {
        return Err(missing());
    }
    fields
        .iter()
        .map(|field| {
            let identity = field.table(
                "a table with `cert` and `key_file`",
                &["cert", "key", "key_file"],
            )?;
            let cert = identity.need("cert", "cert = \"server.pem\"", Field::path)?;
            let key = secret(&identity, "key", "key_file", "key_file = \"server.key\"")?;
            Ok(Identity { cert, key })
        })
        .collect()
}

/// What stands under the settings of one `[[community]]`.
struct Base {
    definition: Definition,
    /// Where it is from.
    origin: Origin,
    /// Its file, if it is one's own.
    file: Option<PathBuf>,
}

impl Base {
    fn read(section: &Section<'_>) -> Result<Self, ConfigError> {
        let profile = section.find("profile");
        let named = profile.as_ref().map(|field| {
            let known = data::PROFILES.map(|profile| (profile.name, profile.name));
            field.show(choice(field, &known)?)
        });
        let named = named.transpose()?;
        let file = section.find("definition");
        // What the guide itself says, unless somebody says more.
        let usual = || match section.find("guide") {
            Some(field) if matches!(field.text(), Ok("1.0" | "1.1")) => "ssraa-1.1",
            _ => "ssraa-2.0",
        };
        let name = match (named, &file) {
            (Some(name), _) => Some(name),
            (None, Some(_)) => None,
            (None, None) => Some(usual()),
        };
        let mut base = Self {
            definition: Definition::default(),
            origin: Origin::Default,
            file: None,
        };
        if let Some(name) = name {
            base.definition = Definition::from_map(
                [("profile".to_owned(), Value::from(name))]
                    .into_iter()
                    .collect(),
            );
            base.origin = Origin::Profile {
                name: name.to_owned(),
            };
            if named.is_none() {
                section.inherit("profile", name, &Origin::Default);
            }
        }
        if let Some(file) = file {
            let path = file.show(file.path()?)?;
            let read = definition(&path).map_err(|problem| file.error(problem))?;
            base.definition = read.over(base.definition);
            base.file = Some(path.clone());
            base.origin = Origin::Definition { path };
        }
        base.definition = base
            .definition
            .on_its_profile()
            .map_err(|error| section.error(Problem::Community(Box::new(error))))?;
        Ok(base)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.definition.as_map().get(key)?.as_str()
    }

    /// Certificates by the setting, or those of the description.
    fn certificates(
        &self,
        section: &Section<'_>,
        key: &str,
        described: &[Pem],
    ) -> Result<Vec<Certificates>, ConfigError> {
        if let Some(field) = section.find(key) {
            let paths = field.show(paths(&field)?)?;
            return Ok(paths.into_iter().map(Certificates::File).collect());
        }
        // Relative paths begin where the description is.
        let directory = self.file.as_deref().and_then(Path::parent);
        let directory = directory.unwrap_or(Path::new(""));
        let certificates: Vec<_> = described
            .iter()
            .map(|pem| match pem {
                Pem::Path(path) => Certificates::File(directory.join(path)),
                Pem::Text(text) => Certificates::Text(text.clone()),
            })
            .collect();
        let origin = match certificates.as_slice() {
            [] => &Origin::Default,
            _ => &self.origin,
        };
        Ok(section.inherit(key, certificates, origin))
    }

    /// What is wrong with the whole stands in one of its layers: where this file has it, that is the
    /// place.
    fn refuse(
        &self,
        field: &Field<'_>,
        section: &Section<'_>,
        error: CommunityError,
    ) -> ConfigError {
        let key = error.key().unwrap_or_default();
        let first = key.split(['.', '[']).next().unwrap_or_default();
        let certification = CERTIFICATIONS
            .iter()
            .find(|(_, name)| key == format!("certifications.{name}"))
            .map_or(first, |(key, _)| *key);
        if let Some(own) = section.find(certification) {
            if let (true, CommunityError::Wrong { expected, .. }) = (certification != first, &error)
            {
                return own.invalid(&own.json().to_string(), format!("it must be {expected}"));
            }
            return own.error(Problem::Community(Box::new(error)));
        }
        match &self.origin {
            Origin::Definition { path } => field.error(Problem::Definition {
                path: path.clone(),
                error: Box::new(error),
            }),
            _ => field.error(Problem::Community(Box::new(error))),
        }
    }
}

fn definition(path: &Path) -> Result<Definition, Problem> {
    let unreadable = |error: std::io::Error| Problem::Unreadable {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let refused = |error| Problem::Definition {
        path: path.to_owned(),
        error: Box::new(error),
    };
    let bytes = std::fs::metadata(path).map_err(unreadable)?;
    let bytes = usize::try_from(bytes.len()).unwrap_or(usize::MAX);
    if bytes > MAX_BYTES {
        let max = MAX_BYTES;
        return Err(refused(CommunityError::TooLarge { bytes, max }));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Definition::from_toml(&text)
        .and_then(Definition::on_its_profile)
        .map_err(refused)
}

/// Rows for what was not set here and counts all the same.
fn inherited(section: &Section<'_>, base: &Base, rules: &Rules) {
    let row = |key: &str, value: Value, given: bool| {
        if section.find(key).is_none() {
            let origin = if given {
                &base.origin
            } else {
                &Origin::Default
            };
            section.inherit(key, value, origin);
        }
    };
    let described = base.definition.as_map();
    let within = |table: &str, key: &str| described.get(table).and_then(|t| t.get(key)).is_some();
    row(
        "status",
        status(rules.status).into(),
        described.contains_key("draft"),
    );
    row("guide", rules.guide.as_str().into(), true);
    let algorithms: Vec<_> = rules.algorithms.iter().map(|alg| alg.as_str()).collect();
    row(
        "algorithms",
        algorithms.into(),
        described.contains_key("algorithms"),
    );
    row(
        "scopes",
        described.get("scopes").cloned().unwrap_or_default(),
        described.contains_key("scopes"),
    );
    row(
        "revocation",
        revocation(rules.revocation).into(),
        described.contains_key("revocation"),
    );
    let grace = serde_json::to_value(Seconds(rules.grace_secs)).unwrap_or_default();
    row("grace", grace, described.contains_key("grace_secs"));
    row(
        "extensions_supported",
        rules.extensions.supported().into(),
        true,
    );
    row(
        "extensions_required",
        rules.extensions.required().into(),
        true,
    );
    row(
        "credential_providers",
        rules.credential_providers.clone().into(),
        described.contains_key("credential_providers"),
    );
    row(
        "consent",
        described.get("consent").cloned().unwrap_or_default(),
        described.contains_key("consent"),
    );
    for ((key, name), list) in CERTIFICATIONS.iter().zip([
        &rules.certifications.supported,
        &rules.certifications.required,
        &rules.certifications.self_signed,
        &rules.certifications.certifiers,
    ]) {
        row(key, list.clone().into(), within("certifications", name));
    }
}

/// `draft` is said wherever a community is shown: its rules may change.
const fn status(status: Status) -> &'static str {
    match status {
        Status::Final => "final",
        Status::Draft => "draft",
    }
}

fn revocation(revocation: Revocation) -> &'static str {
    let name = REVOCATION.iter().find(|(_, known)| *known == revocation);
    name.map_or("require", |(name, _)| name)
}

/// Certificates as they are shown: by file, or that they stand in the description.
impl Serialize for Certificates {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File(path) => path.serialize(serializer),
            Self::Text(_) => serializer.serialize_str("(in the description)"),
        }
    }
}

/// Why a description was refused, for a place in the configuration.
pub(super) fn hint(error: &CommunityError) -> String {
    error
        .hint()
        .unwrap_or_else(|| explained(error.code()).to_owned())
}

fn explained(code: &str) -> &'static str {
    let entry = udap_proto::CATALOGUE
        .iter()
        .find(|entry| entry.code == code);
    entry.map_or("", |entry| entry.hint)
}

const KEYS: &[&str] = &[
    "profile",
    "definition",
    "uri",
    "guide",
    "algorithms",
    "scopes",
    "anchors",
    "intermediates",
    "identity",
    "revocation",
    "grace",
    "certifications_supported",
    "certifications_required",
    "certifications_self_signed",
    "certifier_anchors",
    "certifiers",
    "credential_providers",
    "consent",
    "resource_servers",
    "assertion_issuers",
    binding::COMMUNITY[0],
    binding::COMMUNITY[1],
    binding::COMMUNITY[2],
    "bundle",
];

/// Settings that a description has in the same form.
const WRITTEN: [&str; 5] = [
    "guide",
    "algorithms",
    "scopes",
    "credential_providers",
    "consent",
];

/// Settings that a description has in its table `certifications`.
const CERTIFICATIONS: [(&str, &str); 4] = [
    ("certifications_supported", "supported"),
    ("certifications_required", "required"),
    ("certifications_self_signed", "self_signed"),
    ("certifiers", "certifiers"),
];

const REVOCATION: [(&str, Revocation); 4] = [
    ("require", Revocation::Require),
    ("where-named", Revocation::WhereNamed),
    ("prefer", Revocation::Prefer),
    ("off", Revocation::Off),
];

const COMMUNITY_EXAMPLE: &str = "[[community]]` with `uri`, `anchors` and `identity";
const IDENTITY_EXAMPLE: &str = "identity = { cert = \"server.pem\", key_file = \"server.key\" }";
