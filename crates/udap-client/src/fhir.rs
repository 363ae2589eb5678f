//! Reading FHIR with a token that goes to its own server and nowhere else.

use crate::client::{Client, success};
use crate::error::{ClientError, Endpoint};
use crate::plan::Plan;
use crate::token::AccessToken;
use bytes::Bytes;
use http::StatusCode;
use udap_trust::fetch::{Kind, check_url};
use url::Url;

/// What a FHIR server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FhirAnswer {
    /// The status, a success.
    pub status: StatusCode,
    /// FHIR JSON.
    pub body: Bytes,
}

impl Client {
    /// Reads a URL of the server that issued the token. Links to further pages are read the same way.
    ///
    /// # Errors
    /// [`ClientError::OutsideBase`] before anything is sent, when the URL is not below the token's
    /// base URL; [`ClientError::Refused`] with the server's OperationOutcome.
    pub async fn get(&self, token: &AccessToken, url: &str) -> Result<FhirAnswer, ClientError> {
        let mut plan = self.plan_get(token.base_url(), url)?;
        plan.headers
            .push(("authorization", format!("Bearer {}", token.secret())));
        let answer = self.send(&plan).await?;
        let (status, body) = success(Endpoint::Fhir, answer)?;
        Ok(FhirAnswer { status, body })
    }

    /// The request that [`Self::get`] sends, without its token.
    ///
    /// # Errors
    /// [`ClientError::OutsideBase`]
    pub fn plan_get(&self, base_url: &str, url: &str) -> Result<Plan, ClientError> {
        let url = require_under_base(base_url, url)?;
        Ok(Plan::get(url, "application/fhir+json"))
    }
}

/// The URL as it will be sent, if it is at or below the base URL: same scheme, host and port, and a
/// path below the base's. Dot segments are resolved before the comparison. Refused is what servers and
/// proxies read in several ways: a backslash, an encoded slash, a path parameter (`..;`), and what is
/// encoded twice. None of it is in the type or the id of a resource.
///
/// # Errors
/// [`ClientError::OutsideBase`]
pub fn require_under_base(base_url: &str, url: &str) -> Result<Url, ClientError> {
    let outside = |why| ClientError::OutsideBase {
        url: url.chars().take(200).collect(),
        base_url: base_url.to_owned(),
        why,
    };
    let parsed = check_url(Kind::Api, url).map_err(|_| outside("it is not a plain https URL"))?;
    let base = crate::discover::check_base_url(base_url)?;
    if parsed.origin() != base.origin() {
        return Err(outside("its scheme, host or port is another"));
    }
    let path = parsed.path().to_ascii_lowercase();
    if path.contains("%2f") || path.contains("//") {
        return Err(outside("its path has an encoded or an empty segment"));
    }
    if path.contains(';') || path.contains("%3b") {
        return Err(outside("its path has a parameter (`;`)"));
    }
    if path.contains("%25") {
        return Err(outside("its path is encoded twice"));
    }
    // One as it is was a slash to the parser.
    let raw = url.split(['?', '#']).next().unwrap_or_default();
    if raw.contains('\\') || path.contains("%5c") {
        return Err(outside("its path has a backslash"));
    }
    let below = parsed
        .path()
        .strip_prefix(base.path().trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !below {
        return Err(outside("its path is not below the base's"));
    }
    if parsed.fragment().is_some() {
        return Err(outside("it has a fragment"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use udap_proto::Refusal as _;

    #[test]
    fn a_token_goes_to_its_own_server_and_nowhere_else() {
        let under = |url: &str| {
            require_under_base("https://fhir.example/r4", url).map_err(|error| error.code())
        };
        for url in [
            "https://fhir.example/r4",
            "https://fhir.example/r4/Patient/1",
            "https://fhir.example:443/r4/Patient?name=a%2Fb",
            "https://FHIR.example/r4/metadata",
            "https://fhir.example/r4/Patient/A-1.b/_history/2",
            "https://fhir.example/r4/Patient/$match",
            "https://fhir.example/r4/Patient?name=a;b%3Bc\\d%5Ce%25f",
        ] {
            assert!(under(url).is_ok(), "{url}");
        }
        for url in [
            "http://fhir.example/r4/Patient/1",
            "https://fhir.example.evil.example/r4/Patient/1",
            "https://fhir.example:8443/r4/Patient/1",
            "https://fhir.example@evil.example/r4/Patient/1",
            "https://evil.example/r4/Patient/1",
            "https://fhir.example/r44/Patient/1",
            "https://fhir.example/admin",
            "https://fhir.example/r4/../admin",
            "https://fhir.example/r4/%2e%2e/admin",
            "https://fhir.example/r4/..%2fadmin",
            "https://fhir.example/r4/..%5Cadmin",
            "https://fhir.example/r4/..\\Patient",
            "https://fhir.example/r4/Patient\\1",
            "https://fhir.example/r4/..;/admin/x",
            "https://fhir.example/r4/..%3B/admin",
            "https://fhir.example/r4/..%3bx/admin",
            "https://fhir.example/r4/%252e%252e/admin",
            "https://fhir.example/r4/..%252fadmin",
            "https://fhir.example/r4//Patient",
            "https://fhir.example/r4/Patient/1#x",
            "/r4/Patient/1",
        ] {
            assert_eq!(under(url), Err("url-outside-base"), "{url}");
        }
    }
}
