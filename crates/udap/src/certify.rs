//! Making a certification: what `udap certify` and `udap ca certify` have in common.

use crate::files::{self, Privacy};
use crate::output::{self, Format};
use crate::problem::Problem;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use udap_host::when::when;
use udap_pki::Certificate;
use udap_proto::Refusal;
use udap_proto::certification::{Certifier, Definition, Draft};
use udap_proto::claims::Claims;
use udap_proto::jws::Jws;
use udap_proto::registration::Grant;
use udap_trust::signer::{KeySigner, Signer as _, sign_jws};
use udap_trust::{clock, random};

/// The definitions that come with the program, by their names.
const DEFINITIONS: [(&str, &str); 3] = [
    (
        "privacy-disclosure",
        include_str!("../definitions/privacy-disclosure.toml"),
    ),
    (
        "security-audit",
        include_str!("../definitions/security-audit.toml"),
    ),
    (
        "data-use-agreement",
        include_str!("../definitions/data-use-agreement.toml"),
    ),
];

/// What is certified, and with which key.
#[derive(Debug, clap::Args)]
pub(crate) struct DraftArgs {
    /// The definition, TOML or JSON: a file, or `privacy-disclosure`, `security-audit` or
    /// `data-use-agreement`, which come with the program
    #[arg(long, value_name = "NAME|FILE")]
    definition: String,
    /// The URI of the programme, in place of the definition's
    #[arg(long, value_name = "URI")]
    programme: Option<String>,
    /// What is said about the app, TOML or JSON: `answers` to the definition's questions, and
    /// `restrictions` to what the app may register
    #[arg(long, value_name = "FILE")]
    details: Option<PathBuf>,
    /// How the app gets its tokens
    #[arg(long, value_enum, default_value_t = GrantArg::ClientCredentials)]
    grant: GrantArg,
    /// A registration endpoint that it is meant for; repeat for more, leave out for all
    #[arg(long, value_name = "URL")]
    aud: Vec<String>,
    /// How long it holds; never beyond the certificate that signs
    #[arg(long, value_name = "N", default_value_t = 365)]
    days: u32,
    /// The certificate of whoever signs, PEM, with those of its issuers
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where to write the certification; standard output unless given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum GrantArg {
    ClientCredentials,
    AuthorizationCode,
    /// authorization_code with refresh_token
    RefreshToken,
}

/// Who certifies whom.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By<'a> {
    /// The app itself, by a name of its certificate.
    App { uri: Option<&'a str> },
    /// Somebody else.
    Certifier {
        app: &'a str,
        uri: Option<&'a str>,
        name: &'a str,
        status_endpoint: Option<&'a str>,
    },
}

/// A certification that is signed and not yet handed out.
#[derive(Debug)]
pub(crate) struct Signed {
    compact: String,
    pub(crate) claims: Claims,
    pub(crate) definition: Definition,
}

/// Drafts and signs it.
pub(crate) async fn sign(args: &DraftArgs, by: By<'_>) -> Result<Signed, Problem> {
    let mut definition = definition(&args.definition)?;
    if let Some(uri) = &args.programme {
        definition.uri = uri.clone();
    }
    let details = Details::read(args.details.as_deref())?;
    let chain = files::certificates(&args.cert)?;
    let signer = files::signer(&args.key)?;
    let leaf = own_leaf(args, &chain, &signer)?;
    let (app, certifier) = match by {
        By::App { uri } => (name_of(leaf, uri)?, None),
        By::Certifier {
            app,
            uri,
            name,
            status_endpoint,
        } => {
            let uri = name_of(leaf, uri)?;
            let certifier = Certifier {
                uri,
                name,
                status_endpoint,
            };
            (app, Some(certifier))
        }
    };
    let now = clock::now();
    let draft = Draft {
        definition: &definition,
        app,
        certifier,
        grant: match args.grant {
            GrantArg::ClientCredentials => Grant::ClientCredentials,
            GrantArg::AuthorizationCode => Grant::AuthorizationCode,
            GrantArg::RefreshToken => Grant::AuthorizationCodeWithRefresh,
        },
        audience: &args.aud,
        answers: &details.answers,
        restrictions: &details.restrictions,
        lifetime_secs: i64::from(args.days).saturating_mul(86_400),
    };
    let alg = signer.jws_alg();
    let unsigned = draft
        .unsigned(alg, &chain, now, &random::id())
        .map_err(|e| refused(&e))?;
    let compact = sign_jws(&signer, alg, unsigned)
        .await
        .map_err(|e| Problem::new(e.code(), e.to_string()))?;
    let jws = Jws::parse(&compact).map_err(|e| refused(&e))?;
    let claims = Claims::read(jws.payload()).map_err(|e| refused(&e))?;
    Ok(Signed {
        compact,
        claims,
        definition,
    })
}

/// Writes it where it is wanted.
pub(crate) fn write(args: &DraftArgs, signed: &Signed, format: Format) -> Result<(), Problem> {
    let Signed {
        compact,
        claims,
        definition,
    } = signed;
    if let Some(out) = &args.out {
        files::create(out, format!("{compact}\n").as_bytes(), Privacy::Public)?;
    }
    match (format, &args.out) {
        (Format::Human, None) => output::data(compact),
        (Format::Human, Some(out)) => output::data(&output::pairs(&[
            ("certification", out.display().to_string()),
            ("name", definition.name.clone()),
            ("programme", definition.uri.clone()),
            ("app", claims.sub.clone()),
            ("signed by", claims.iss.clone()),
            ("jti", claims.jti.clone()),
            ("expires", when(claims.exp, clock::now())),
        ])),
        (Format::Json, out) => output::json(&json!({
            "certification": compact,
            "file": out,
            "programme": definition.uri,
            "app": claims.sub,
            "iss": claims.iss,
            "jti": claims.jti,
            "expires": claims.exp.to_string(),
        })),
    }
}

/// A definition that comes with the program, or one of a file.
fn definition(named: &str) -> Result<Definition, Problem> {
    let file = match DEFINITIONS.iter().find(|(name, _)| *name == named) {
        Some((name, text)) => table(Path::new(name), text.as_bytes())?,
        None => table(Path::new(named), &files::read(Path::new(named))?)?,
    };
    Definition::read(&file).map_err(|e| refused(&e).unreadable())
}

/// What is said about the app.
#[derive(Debug, Default)]
struct Details {
    answers: Map<String, Value>,
    restrictions: Map<String, Value>,
}

impl Details {
    fn read(path: Option<&Path>) -> Result<Self, Problem> {
        let mut details = Self::default();
        let Some(path) = path else { return Ok(details) };
        for (key, value) in table(path, &files::read(path)?)? {
            let place = match key.as_str() {
                "answers" => &mut details.answers,
                "restrictions" => &mut details.restrictions,
                _ => {
                    let why = format!("has `{key}`; known are `answers` and `restrictions`");
                    return Err(files::unusable(path, why));
                }
            };
            let Value::Object(table) = value else {
                return Err(files::unusable(
                    path,
                    format!("has `{key}`, which is no table"),
                ));
            };
            *place = table;
        }
        Ok(details)
    }
}

/// JSON where it begins like JSON, TOML otherwise.
pub(crate) fn table(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let unusable = |why: String| files::unusable(path, why);
    let text = std::str::from_utf8(bytes).map_err(|_| unusable("is not text".to_owned()))?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|e| unusable(format!("is not JSON: {e}")));
    }
    toml::from_str(text).map_err(|e| unusable(format!("is not TOML: {}", e.message())))
}

/// The certificate that the key belongs to: the first of the file.
fn own_leaf<'a>(
    args: &DraftArgs,
    chain: &'a [Certificate],
    signer: &KeySigner,
) -> Result<&'a Certificate, Problem> {
    let leaf = chain.first();
    leaf.filter(|leaf| leaf.spki_der() == signer.public_key().spki_der())
        .ok_or_else(|| {
            let why = format!(
                "is not the key of the first certificate in {}",
                args.cert.display()
            );
            files::unusable(&args.key, why)
        })
}

/// Under which of its names a certificate speaks.
fn name_of<'a>(leaf: &'a Certificate, wanted: Option<&'a str>) -> Result<&'a str, Problem> {
    match (wanted, leaf.uri_names()) {
        (Some(wanted), _) => Ok(wanted),
        (None, [only]) => Ok(only),
        (None, names) => {
            let message = format!("the certificate has the names {names:?}");
            Err(Problem::new("option-missing", message)
                .hint("say with `--uri` which of them signs")
                .unreadable())
        }
    }
}

fn refused(refusal: &dyn Refusal) -> Problem {
    Problem::new(refusal.code(), refusal.to_string()).hint(refusal.hint().unwrap_or_default())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use udap_proto::certification::SignedBy;

    #[test]
    fn the_definitions_that_come_along_can_be_read() {
        let signers: Vec<_> = DEFINITIONS
            .iter()
            .map(|(name, _)| {
                let definition = definition(name).unwrap();
                assert!(definition.uri.ends_with(name), "{name}");
                assert!(definition.questions.len() >= 5, "{name}");
                definition.signed_by
            })
            .collect();
        use SignedBy::{App, Certifier};
        assert_eq!(signers, [App, Certifier, Certifier]);
    }
}
