//! Fetching one need: the request, and its answer read.

use crate::fetch::{Fetcher, Kind, Validators};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use udap_pki::{Certificate, Crl, Need, OcspResponse};

/// The most certificates of one answer: RFC 5280 §4.2.2.1 allows a bundle, and four cross
/// certificates are more than are ever useful.
const MAX_ISSUERS: usize = 4;

/// What came back.
pub(super) enum Got {
    Issuer(Vec<Certificate>),
    Crl(Box<Crl>, Validators),
    /// The CRL that the validators were of is still the one (RFC 9110 §15.4.5).
    UnchangedCrl,
    Ocsp(Box<OcspResponse>),
}

/// Fetches a need; the error is a sentence for the log.
pub(super) async fn get(
    fetcher: &Fetcher,
    need: &Need,
    validators: Validators,
) -> Result<Got, String> {
    match need {
        Need::Issuer { url } => {
            let answer = send(fetcher, Kind::Issuer, url, HeaderMap::new(), Bytes::new()).await?;
            let certificates = udap_pki::pem::certificates(ok(&answer)?).map_err(text)?;
            Ok(Got::Issuer(
                certificates.into_iter().take(MAX_ISSUERS).collect(),
            ))
        }
        Need::Crl { url } => {
            let conditions = validators.conditions();
            let conditional = !conditions.is_empty();
            let answer = send(fetcher, Kind::Crl, url, conditions, Bytes::new()).await?;
            if conditional && answer.status() == StatusCode::NOT_MODIFIED {
                return Ok(Got::UnchangedCrl);
            }
            let crl = Crl::from_der(ok(&answer)?).map_err(text)?;
            Ok(Got::Crl(Box::new(crl), Validators::of(answer.headers())))
        }
        Need::Ocsp {
            url,
            certificate,
            issuer,
        } => {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/ocsp-request"),
            );
            let request = udap_pki::ocsp::request(certificate, issuer, None);
            let answer = send(fetcher, Kind::Ocsp, url, headers, request.into()).await?;
            let response = OcspResponse::from_der(ok(&answer)?).map_err(text)?;
            Ok(Got::Ocsp(Box::new(response)))
        }
    }
}

async fn send(
    fetcher: &Fetcher,
    kind: Kind,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<http::Response<Bytes>, String> {
    let method = if kind == Kind::Ocsp {
        Method::POST
    } else {
        Method::GET
    };
    fetcher
        .send(kind, method, url, headers, body)
        .await
        .map_err(text)
}

fn ok(answer: &http::Response<Bytes>) -> Result<&Bytes, String> {
    match answer.status() {
        StatusCode::OK => Ok(answer.body()),
        other => Err(format!("status {other}")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
