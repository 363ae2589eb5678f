//! The FHIR server's answer, made fit for the client.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body::{Body as HttpBody, Frame};

use crate::{
    config::Bases,
    forward::{UpstreamBody, UpstreamError},
    headers,
    interaction::Interaction,
    rewrite::Rewriter,
};

/// Turns an answer of the FHIR server into the gateway's.
///
/// What has no FHIR form, or would lead the client around the gateway, is replaced by an error of
/// the gateway: redirections, demands for other credentials, texts of a 5xx.
pub(crate) fn for_client(
    interaction: &Interaction,
    method: &Method,
    answer: Response<UpstreamBody>,
    bases: &Bases,
) -> Result<Response, UpstreamError> {
    let (head, body) = answer.into_parts();
    let status = head.status;
    match status.as_u16() {
        304 | 200..=299 | 400 | 402..=406 | 408..=499 => {}
        401 | 407 => {
            return Err(UpstreamError::Unauthorized {
                status: status.as_u16(),
            });
        }
        503 => return Err(UpstreamError::Unavailable),
        504 => return Err(UpstreamError::Timeout),
        500..=599 => {
            return Err(UpstreamError::Failed {
                status: status.as_u16(),
            });
        }
        _ => {
            return Err(UpstreamError::Redirect {
                status: status.as_u16(),
            });
        }
    }
    let text = is_text(&head.headers);
    let empty =
        status == StatusCode::NOT_MODIFIED || (body.is_end_stream() && *method != Method::HEAD);
    if !text && !empty {
        if status.is_client_error() {
            return Err(UpstreamError::Refused { status });
        }
        // Only a Binary is something else. HTML views and the like would show the server's address.
        if !interaction.reads_binary() {
            return Err(UpstreamError::MediaType);
        }
    }
    if text && is_compressed(&head.headers) {
        return Err(UpstreamError::Compressed);
    }
    // The native text of a Binary is nobody's to judge.
    let native = interaction.reads_binary() && status.is_success();
    if text && !empty && !native && !has_ascii(&head.headers) {
        return Err(UpstreamError::Charset);
    }
    let mut headers = headers::to_client(&head.headers, bases);
    let body = if text && !empty {
        Body::new(RewrittenBody {
            inner: Some(body),
            rewriter: bases.replacements.stream(),
        })
    } else {
        // A HEAD says how long the answer to GET would be; elsewhere the length follows the body.
        if *method == Method::HEAD
            && let Some(length) = head.headers.get(header::CONTENT_LENGTH)
        {
            headers.insert(header::CONTENT_LENGTH, length.clone());
        }
        Body::new(body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// FHIR JSON or XML, or their general kinds: text in which addresses are replaced.
fn is_text(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    let Some((kind, sub)) = media_type.split_once('/') else {
        return false;
    };
    let ends = |end: &str| {
        sub.len() >= end.len() && sub[sub.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    (kind.eq_ignore_ascii_case("application") || kind.eq_ignore_ascii_case("text"))
        && (sub.eq_ignore_ascii_case("json")
            || sub.eq_ignore_ascii_case("xml")
            || ends("+json")
            || ends("+xml"))
}

/// Whether the text is said to be in UTF-8, as FHIR has it (R4 §2.6.1), or at least in an encoding in which an address
/// has the same bytes: in others none would be found.
fn has_ascii(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let mut parameters = value.split(';').skip(1).map(str::trim);
    parameters.all(|parameter| {
        let Some(charset) = parameter.strip_prefix("charset") else {
            return true;
        };
        let charset = charset.trim_start().trim_start_matches('=').trim();
        let charset = charset.trim_matches('"');
        matches!(charset, "utf-8" | "utf8" | "us-ascii")
            || charset.starts_with("iso-8859-")
            || charset.starts_with("windows-125")
    })
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// A body in which addresses are replaced as it passes. Its length is not known in advance.
struct RewrittenBody {
    /// `None` once it has ended.
    inner: Option<UpstreamBody>,
    rewriter: Rewriter,
}

impl HttpBody for RewrittenBody {
    type Data = Bytes;
    type Error = <UpstreamBody as HttpBody>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            let Some(inner) = &mut this.inner else {
                return Poll::Ready(None);
            };
            match ready!(Pin::new(inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers stay behind like other headers that are not named.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let mut text = this.rewriter.push(data);
                    if this.inner.as_ref().is_some_and(HttpBody::is_end_stream) {
                        this.inner = None;
                        let rest = this.rewriter.finish();
                        if text.is_empty() {
                            text = rest;
                        } else if !rest.is_empty() {
                            text = [text, rest].concat().into();
                        }
                    }
                    if !text.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(text))));
                    }
                }
                Some(Err(error)) => {
                    this.inner = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.inner = None;
                    let rest = this.rewriter.finish();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn json_and_xml_are_text() {
        for (media_type, expected) in [
            ("application/fhir+json", true),
            (
                "application/fhir+json; charset=utf-8; fhirVersion=4.0",
                true,
            ),
            ("application/json", true),
            ("Application/FHIR+JSON", true),
            ("application/fhir+xml", true),
            ("text/xml", true),
            ("image/svg+xml", false),
            ("text/html", false),
            ("application/fhir+ndjson", false),
            ("application/octet-stream", false),
            ("json", false),
            ("", false),
        ] {
            let headers = [(header::CONTENT_TYPE, media_type.parse().unwrap())]
                .into_iter()
                .collect();
            assert_eq!(is_text(&headers), expected, "{media_type}");
        }
        assert!(!is_text(&HeaderMap::new()));
    }

    #[test]
    fn text_of_another_encoding_is_known() {
        for (media_type, expected) in [
            ("application/fhir+json", true),
            ("application/fhir+json;charset=UTF-8", true),
            (
                "application/fhir+json; fhirVersion=4.0; charset=\"utf-8\"",
                true,
            ),
            ("text/xml; charset=us-ascii", true),
            ("application/fhir+json; charset=utf-16", false),
            ("application/fhir+json; Charset=UTF-16LE", false),
            ("application/fhir+xml; charset=\"iso-8859-1\"", true),
            ("text/xml; charset=windows-1252", true),
            ("text/xml; charset=ebcdic-us", false),
            ("text/xml; charset=utf-7", false),
            ("text/xml; charset=", false),
            (
                "application/fhir+json; charset=utf-8; charset=utf-16",
                false,
            ),
            ("application/fhir+json; charset = utf-16", false),
        ] {
            let headers = [(header::CONTENT_TYPE, media_type.parse().unwrap())]
                .into_iter()
                .collect();
            assert_eq!(has_ascii(&headers), expected, "{media_type}");
        }
        assert!(has_ascii(&HeaderMap::new()));
    }
}
