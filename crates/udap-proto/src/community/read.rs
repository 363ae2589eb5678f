//! From a description to a community that cannot be wrong.

use super::table::{Table, is_uri};
use super::{
    CertificationClaims, Certifications, CodeList, Community, CommunityError, Consent, Definition,
    Demand, Guide, IdentityChain, Pem, Registration, Status, UserScopes, profiles,
};
use crate::extensions::{Extensions, hl7_b2b};
use crate::ids::CommunityUri;
use crate::jws::JwsAlg;
use crate::scope::ScopeSet;
use crate::suggest::suggest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use udap_pki::Revocation;

const KEYS: &[&str] = &[
    "uri",
    "title",
    "source",
    "draft",
    "guide",
    "algorithms",
    "revocation",
    "grace_secs",
    "scopes",
    "anchors",
    "intermediates",
    "certifier_anchors",
    "certifications",
    "registration",
    "codes",
    "extensions",
    "credential_providers",
    "consent",
];

const REVOCATION: [(&str, Revocation); 4] = [
    ("require", Revocation::Require),
    ("where-named", Revocation::WhereNamed),
    ("prefer", Revocation::Prefer),
    ("off", Revocation::Off),
];

/// The longest grace, in seconds: a day, as in a data holder's configuration.
const MAX_GRACE_SECS: i64 = 86_400;
/// A community has few anchors; a file of each may hold several.
const MAX_PEM: usize = 128;

impl Community {
    /// Reads a description, on the profile that it names.
    ///
    /// # Errors
    /// [`CommunityError`], with the key that is wrong.
    pub fn read(definition: Definition) -> Result<Self, CommunityError> {
        let definition = definition.on_its_profile()?;
        let top = Table::new("", definition.as_map(), KEYS)?;
        let uri = top.text("uri")?.ok_or_else(|| top.missing("uri"))?;
        if !is_uri(uri) {
            return Err(top.wrong("uri", "a URI with a scheme and without blanks"));
        }
        let guide = top.choice("guide", &Guide::NAMES)?;
        let guide = guide.ok_or_else(|| top.missing("guide"))?;
        let codes = Codes::read(&top)?;
        let credential_providers = providers(&top)?;
        let extensions = Extensions::read(
            top.map("extensions")?.unwrap_or(&Map::new()),
            &|key, name| codes.find(key, name),
            !credential_providers.is_empty(),
        )?;
        // Wherever client credentials are granted, which is everywhere here.
        if guide.hl7_b2b() == Demand::Required && !extensions.supported().contains(&hl7_b2b::KEY) {
            let expected = format!("supported or required in version {}", guide.as_str());
            return Err(top.wrong("extensions.hl7-b2b", expected));
        }
        Ok(Self {
            uri: CommunityUri::new(uri),
            title: top.text("title")?.map(str::to_owned),
            source: top.text("source")?.map(str::to_owned),
            status: if top.boolean("draft")? {
                Status::Draft
            } else {
                Status::Final
            },
            guide,
            algorithms: algorithms(&top)?,
            revocation: top
                .choice("revocation", &REVOCATION)?
                .unwrap_or(Revocation::Require),
            grace_secs: top
                .integer("grace_secs", 0, MAX_GRACE_SECS)?
                .unwrap_or_default(),
            scopes: scopes(&top)?,
            anchors: pem(&top, "anchors")?,
            intermediates: pem(&top, "intermediates")?,
            certifier_anchors: pem(&top, "certifier_anchors")?,
            certifications: certifications(&top)?,
            registration: registration(&top, &codes)?,
            extensions,
            credential_providers,
            consent: consent(&top)?,
        })
    }
}

/// Lists of codes by name: a description's own, then those that come with the program.
struct Codes(BTreeMap<String, Arc<CodeList>>);

impl Codes {
    fn read(top: &Table<'_>) -> Result<Self, CommunityError> {
        let mut lists = BTreeMap::new();
        for (name, text) in profiles::CODES {
            let list = CodeList::read(name, Definition::from_toml(text)?.as_map())?;
            lists.insert(name.to_owned(), Arc::new(list));
        }
        if let Some(own) = top.map("codes")? {
            Table::open("codes.", own)?;
            for (name, list) in own {
                let Value::Object(list) = list else {
                    return Err(top.wrong(&format!("codes.{name}"), "a table"));
                };
                lists.insert(name.clone(), Arc::new(CodeList::read(name, list)?));
            }
        }
        Ok(Self(lists))
    }

    /// A list by its name; `key` is where it is named.
    fn find(&self, key: &str, name: &str) -> Result<Arc<CodeList>, CommunityError> {
        if let Some(list) = self.0.get(name) {
            return Ok(Arc::clone(list));
        }
        let names: Vec<_> = self.0.keys().map(String::as_str).collect();
        Err(CommunityError::UnknownName {
            key: key.to_owned(),
            name: name.chars().take(80).collect(),
            what: "a list of codes",
            suggestion: suggest(name, &names).map(str::to_owned),
        })
    }
}

fn algorithms(top: &Table<'_>) -> Result<Vec<JwsAlg>, CommunityError> {
    let Some(names) = top.texts("algorithms")? else {
        return Ok(JwsAlg::SSRAA.to_vec());
    };
    let mut algorithms = Vec::new();
    for name in &names {
        let alg = JwsAlg::from_name(name).filter(|alg| !algorithms.contains(alg));
        let known = JwsAlg::ALL.map(JwsAlg::as_str).join(", ");
        algorithms.push(alg.ok_or_else(|| {
            top.wrong(
                "algorithms",
                format!("a list of some of {known}, each once"),
            )
        })?);
    }
    // HL7 SSRAA §7.1.2: everybody understands RS256, and metadata is signed with it.
    if !algorithms.contains(&JwsAlg::RS256) {
        return Err(top.wrong(
            "algorithms",
            "a list with RS256, which everybody has to know",
        ));
    }
    Ok(algorithms)
}

fn scopes(top: &Table<'_>) -> Result<Option<ScopeSet>, CommunityError> {
    let Some(scopes) = top.texts("scopes")? else {
        return Ok(None);
    };
    if scopes.is_empty()
        || scopes
            .iter()
            .any(|scope| scope.contains(char::is_whitespace))
    {
        return Err(top.wrong(
            "scopes",
            "a list of one scope at least, each without blanks",
        ));
    }
    let set = ScopeSet::read(&scopes.join(" "));
    set.map(Some)
        .ok_or_else(|| top.wrong("scopes", crate::scope::LIMITS))
}

fn pem(top: &Table<'_>, key: &str) -> Result<Vec<Pem>, CommunityError> {
    let one = std::slice::from_ref;
    let items = match top.value(key) {
        None => return Ok(Vec::new()),
        Some(value @ Value::String(_)) => one(value),
        Some(Value::Array(items)) if items.len() <= MAX_PEM => items,
        Some(_) => &[Value::Null],
    };
    let read = |item: &Value| match item.as_str()?.trim() {
        "" => None,
        text if text.starts_with("-----BEGIN ") => Some(Pem::Text(text.to_owned())),
        path => Some(Pem::Path(path.to_owned())),
    };
    let expected = "one or more files with certificates, or certificates in PEM";
    items
        .iter()
        .map(|item| read(item).ok_or_else(|| top.wrong(key, expected)))
        .collect()
}

fn certifications(top: &Table<'_>) -> Result<Certifications, CommunityError> {
    let empty = Map::new();
    let table = Table::new(
        "certifications.",
        top.map("certifications")?.unwrap_or(&empty),
        &[
            "supported",
            "required",
            "self_signed",
            "certifiers",
            "claims",
        ],
    )?;
    let certifications = Certifications {
        supported: table.uris("supported")?,
        required: table.uris("required")?,
        self_signed: table.uris("self_signed")?,
        certifiers: table.uris("certifiers")?,
        claims: claims(&table)?,
    };
    for (key, listed) in [
        ("required", &certifications.required),
        ("self_signed", &certifications.self_signed),
    ] {
        if listed
            .iter()
            .any(|uri| !certifications.supported.contains(uri))
        {
            return Err(table.wrong(key, "a list of some of `certifications.supported`"));
        }
    }
    Ok(certifications)
}

fn claims(table: &Table<'_>) -> Result<BTreeMap<String, CertificationClaims>, CommunityError> {
    let mut claims = BTreeMap::new();
    for (programme, named) in table.map("claims")?.into_iter().flatten() {
        let Value::Object(named) = named else {
            return Err(table.wrong(&format!("claims.\"{programme}\""), "a table"));
        };
        let prefix = table.name(&format!("claims.\"{programme}\"."));
        let named = Table::new(&prefix, named, &["purpose", "home_community_id"])?;
        let named = CertificationClaims {
            purpose: named.text("purpose")?.map(str::to_owned),
            home_community_id: named.text("home_community_id")?.map(str::to_owned),
        };
        claims.insert(programme.clone(), named);
    }
    Ok(claims)
}

fn registration(top: &Table<'_>, codes: &Codes) -> Result<Registration, CommunityError> {
    let empty = Map::new();
    let table = Table::new(
        "registration.",
        top.map("registration")?.unwrap_or(&empty),
        &["user_scopes", "purpose_in_uri", "identity_with_issuer"],
    )?;
    let user_scopes = table.choice(
        "user_scopes",
        &[
            ("leave-out", UserScopes::LeaveOut),
            ("refuse", UserScopes::Refuse),
        ],
    )?;
    let purpose_in_uri = table
        .text("purpose_in_uri")?
        .map(|name| codes.find(&table.name("purpose_in_uri"), name))
        .transpose()?;
    Ok(Registration {
        user_scopes: user_scopes.unwrap_or_default(),
        purpose_in_uri: purpose_in_uri.map(Arc::unwrap_or_clone),
        identity: if table.boolean("identity_with_issuer")? {
            IdentityChain::LeafAndIssuer
        } else {
            IdentityChain::Leaf
        },
    })
}

/// Issuers are fetched from, so each is an https URL without query and fragment (OpenID Connect
/// Discovery §3).
fn providers(top: &Table<'_>) -> Result<Vec<String>, CommunityError> {
    let issuers = top.uris("credential_providers")?;
    let good = |issuer: &String| {
        url::Url::parse(issuer).is_ok_and(|url| {
            url.scheme() == "https"
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        })
    };
    if issuers.iter().all(good) {
        return Ok(issuers);
    }
    Err(top.wrong(
        "credential_providers",
        "a list of https URLs without query and fragment",
    ))
}

fn consent(top: &Table<'_>) -> Result<Vec<Consent>, CommunityError> {
    let items = top.list("consent")?.unwrap_or_default();
    let one = |(at, item): (usize, &Value)| {
        let Value::Object(item) = item else {
            return Err(top.wrong("consent", "a list of tables"));
        };
        let prefix = format!("consent[{at}].");
        let table = Table::new(&prefix, item, &["purposes", "policies", "form"])?;
        let consent = Consent {
            purposes: table.uris("purposes")?,
            policies: table.uris("policies")?,
            form: table.text("form")?.map(str::to_owned),
        };
        if consent.purposes.is_empty() {
            return Err(table.missing("purposes"));
        }
        if consent
            .purposes
            .iter()
            .any(|purpose| !purpose.contains('#'))
        {
            return Err(table.wrong("purposes", "a list of codes, each `system#code`"));
        }
        if consent.policies.is_empty() {
            return Err(table.missing("policies"));
        }
        if consent.form.as_deref().is_some_and(|form| !is_uri(form)) {
            return Err(table.wrong("form", "a URL"));
        }
        Ok(consent)
    };
    items.iter().enumerate().map(one).collect()
}
