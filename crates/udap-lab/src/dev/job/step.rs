//! What a step gives, and what it makes of the answers it gets.

use bytes::Bytes;
use http::Response;
use serde_json::Value;
use udap_client::{ClientError, Refused};
use udap_proto::Refusal as _;
use udap_trust::signer::SignError;

use crate::{
    dev::error::{DevError, general_hint},
    wire::WireError,
};

/// What a step found.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// For a person.
    pub(crate) line: String,
    /// For a program.
    pub(crate) detail: Value,
}

/// Why a step failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) sentence: String,
    pub(crate) hint: String,
}

impl Failure {
    /// Something is not as it must be.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self {
            code: "step-failed".to_owned(),
            sentence: sentence.into(),
            hint: String::new(),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        // The server's own code says more than that it refused.
        let code = match &error {
            ClientError::Refused(refused) => refused.udap_code.clone(),
            _ => None,
        };
        let code = code.unwrap_or_else(|| error.code().to_owned());
        Self {
            sentence: error.to_string(),
            hint: error.hint().unwrap_or_else(|| general_hint(&code)),
            code,
        }
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<DevError> for Failure {
    fn from(error: DevError) -> Self {
        Self {
            code: error.code().to_owned(),
            sentence: error.to_string(),
            hint: error.hint(),
        }
    }
}

/// The refusal that must come: this OAuth error with this code of ours.
pub(super) fn must_refuse<T>(
    what: &str,
    result: Result<T, ClientError>,
    error: &str,
    code: &str,
) -> Result<(), Failure> {
    match result {
        Ok(_) => Err(Failure::new(format!("{what} was accepted"))),
        Err(ClientError::Refused(refused)) => same(what, &refused, error, code),
        Err(other) => Err(Failure::from(other)),
    }
}

/// The same about an answer that was asked for by hand.
pub(super) fn must_be_refused(
    what: &str,
    answer: &Response<Bytes>,
    error: &str,
    code: &str,
) -> Result<(), Failure> {
    if answer.status().is_success() {
        return Err(Failure::new(format!("{what} was accepted")));
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (found, found_code) = (text("error"), text("udap_code"));
    if answer.status() == 400 && found == error && found_code == code {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{what} was to be refused with 400 {error} [{code}], and was with {} {found} [{found_code}]: {}",
        answer.status().as_u16(),
        text("error_description")
    )))
}

fn same(what: &str, refused: &Refused, error: &str, code: &str) -> Result<(), Failure> {
    let found = refused.error.as_deref().unwrap_or("no error");
    let found_code = refused.udap_code.as_deref().unwrap_or("no code");
    if refused.status == 400 && found == error && found_code == code {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{what} was to be refused with 400 {error} [{code}], and was with {} {found} [{found_code}]: {}",
        refused.status,
        refused.description.as_deref().unwrap_or_default()
    )))
}

/// 200, or what came instead.
pub(super) fn must_be_ok(what: &str, answer: &Response<Bytes>) -> Result<Value, Failure> {
    if answer.status() != 200 {
        let body: String = String::from_utf8_lossy(answer.body())
            .chars()
            .take(500)
            .collect();
        return Err(Failure::new(format!(
            "{what} was answered with {}: {body}",
            answer.status()
        )));
    }
    serde_json::from_slice(answer.body())
        .map_err(|error| Failure::new(format!("{what} was answered with no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn answer(status: u16, body: &str) -> Response<Bytes> {
        let body = Bytes::from(body.to_owned());
        Response::builder().status(status).body(body).unwrap()
    }

    #[test]
    fn only_the_refusal_that_must_come_is_one() {
        let refused = |status, body: &str| {
            must_be_refused(
                "it",
                &answer(status, body),
                "invalid_client",
                "jwt-replayed",
            )
            .map_err(|failure| (failure.code, failure.sentence))
        };
        let right = r#"{"error":"invalid_client","udap_code":"jwt-replayed"}"#;
        assert_eq!(refused(400, right), Ok(()));
        for (status, body, said) in [
            (200, "{}", "it was accepted"),
            (500, right, "with 500 invalid_client"),
            (
                400,
                r#"{"error":"invalid_client","udap_code":"client-unknown"}"#,
                "[client-unknown]",
            ),
            (
                400,
                r#"{"error":"invalid_request","udap_code":"jwt-replayed"}"#,
                "invalid_request",
            ),
            (400, "<html>", "400  []"),
        ] {
            let (code, sentence) = refused(status, body).unwrap_err();
            assert_eq!(code, "step-failed");
            assert!(sentence.contains(said), "{sentence}");
        }
    }

    #[test]
    fn a_failure_carries_the_code_of_whoever_refused() {
        let refused = ClientError::Refused(Box::new(Refused {
            endpoint: udap_client::Endpoint::Token,
            status: 400,
            error: Some("invalid_client".to_owned()),
            description: None,
            udap_code: Some("client-unknown".to_owned()),
            hint: None,
            request_id: None,
        }));
        assert_eq!(Failure::from(refused.clone()).code, "client-unknown");
        assert_eq!(
            Failure::from(ClientError::NoIdentity).code,
            "identity-missing"
        );
        let other = must_refuse::<()>("it", Err(ClientError::NoIdentity), "a", "b");
        assert_eq!(other.unwrap_err().code, "identity-missing");
        let other = must_refuse::<()>("it", Err(refused), "invalid_client", "jwt-replayed");
        assert_eq!(other.unwrap_err().code, "step-failed");
    }
}
