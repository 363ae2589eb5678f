//! The URIs of a registration that browsers and servers go to: how they must be written.

use super::{ParamError, param_text, short, wrong};
use serde_json::{Map, Value};
use url::Url;

/// Whether an https URL is written as RFC 3986 has it. A URL parser mends what is not: it drops tabs and line
/// breaks, and takes `\` for `/`; and then what is compared letter for letter is not what is gone to.
fn is_written_out(uri: &str) -> bool {
    let scheme = uri.get(..8);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
        && uri
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte))
}

pub(super) fn redirect_uri(uri: &str) -> Result<(), ParamError> {
    let refused = |why| {
        Err(ParamError::RedirectUri {
            uri: short(uri),
            why,
        })
    };
    let Ok(url) = Url::parse(uri) else {
        return refused("it is not an absolute URI");
    };
    if url.scheme() != "https" {
        return refused("its scheme is not https");
    }
    if !is_written_out(uri) {
        return refused(
            "it is not written as a URI is: `https://`, and no blanks or other characters that must be escaped",
        );
    }
    if uri.contains('#') {
        return refused("it has a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("it has user information");
    }
    if uri.contains('*') {
        return refused("wildcards are not registered");
    }
    Ok(())
}

pub(super) fn logo(payload: &Map<String, Value>) -> Result<String, ParamError> {
    const EXPECTED: &str = "an https URL of a PNG, JPG or GIF image";
    let uri = param_text(payload, "logo_uri")?;
    let image = Url::parse(&uri).is_ok_and(|url| {
        let path = url.path().to_ascii_lowercase();
        url.scheme() == "https"
            && is_written_out(&uri)
            && [".png", ".jpg", ".jpeg", ".gif"]
                .iter()
                .any(|end| path.ends_with(end))
    });
    if image {
        Ok(uri)
    } else {
        Err(wrong("logo_uri", &uri, EXPECTED))
    }
}

/// Compared with the `jku` of authentication tokens letter for letter, so that one spelling is as good
/// as another; fetched by the guarded fetcher only.
pub(super) fn jku(payload: &Map<String, Value>) -> Result<String, ParamError> {
    let url = param_text(payload, "jku")?;
    let plain = url.len() <= MAX_JKU
        && is_written_out(&url)
        && Url::parse(&url).is_ok_and(|parsed| {
            parsed.scheme() == "https"
                && parsed.username().is_empty()
                && parsed.password().is_none()
                && parsed.fragment().is_none()
        });
    if plain {
        return Ok(url);
    }
    Err(wrong("jku", &url, "an https URL of at most 2048 bytes"))
}

/// The longest `jku`, in bytes: no longer URL is fetched.
const MAX_JKU: usize = 2048;
