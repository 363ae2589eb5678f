//! `[community.bundle]`: what the community publishes about itself, and from whom it is taken.

use super::{
    Bundle, BundleSigner, ConfigError, FollowAnchors,
    read::{Seconds, Shown, choice, paths, seconds},
    section::{Field, Section},
};

pub(super) fn bundle(community: &Section<'_>) -> Result<Option<Bundle>, ConfigError> {
    let Some(field) = community.find("bundle") else {
        return Ok(None);
    };
    let section = field.table("a table with `url` and who signs", KEYS)?;
    let url = section.need("url", "url = \"https://community.example/bundle\"", url)?;
    let signer = match (section.find(KEY), section.find(ANCHORS)) {
        (Some(key), Some(_)) => {
            let reason = "one way to know the signer is enough; leave `signer_anchors` out";
            return Err(key.invalid(key.text()?, reason));
        }
        (Some(key), None) => {
            let sha256 = sha256(&key)?;
            key.show(key.text()?)?;
            BundleSigner::Key(sha256)
        }
        (None, Some(anchors)) => {
            let paths = anchors.show(paths(&anchors)?)?;
            if paths.is_empty() {
                return Err(anchors.invalid("[]", "without an anchor nobody can sign"));
            }
            BundleSigner::Anchors(paths)
        }
        (None, None) => return Err(section.missing(ANCHORS, "signer_anchors = \"bundles.pem\"")),
    };
    let known = [
        ("report", FollowAnchors::Report),
        ("follow", FollowAnchors::Follow),
    ]
    .map(|(name, value)| (name, Shown(name, value)));
    let report = Shown("report", FollowAnchors::Report);
    let anchors = section
        .get("anchors", report, |field| choice(field, &known))?
        .1;
    let every_secs = section
        .get("every", Seconds(EVERY), |field| {
            seconds(field, 60, 7 * 86_400)
        })?
        .0;
    Ok(Some(Bundle {
        url,
        signer,
        anchors,
        every_secs,
    }))
}

fn url(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    match url::Url::parse(text) {
        Ok(url)
            if url.scheme() == "https" && url.username().is_empty() && url.password().is_none() =>
        {
            Ok(text.to_owned())
        }
        _ => Err(field.invalid("(a URL)", "it must be an https URL without credentials")),
    }
}

/// 64 hexadecimal digits, in groups or not.
fn sha256(field: &Field<'_>) -> Result<[u8; 32], ConfigError> {
    let text = field.text()?;
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let reason = "it must be the SHA-256 of a public key: 64 hexadecimal digits";
    bytes.ok_or_else(|| field.invalid(text, reason))
}

const KEYS: &[&str] = &["url", ANCHORS, KEY, "anchors", "every"];
const ANCHORS: &str = "signer_anchors";
const KEY: &str = "signer_key_sha256";

/// Communities change rarely, and each question costs them a few hundred bytes.
const EVERY: i64 = 3600;
