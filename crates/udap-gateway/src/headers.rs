//! Which headers pass, by name, in each direction. Everything that is not named stays behind.
//!
//! A list of what passes instead of what does not: frameworks obey headers that nobody thinks of
//! (`X-HTTP-Method-Override`, `X-Original-URL`, `X-Rewrite-URL`, `X-Cascade`, `If-None-Exist`), and
//! servers tell about themselves in as many (`Server`, `Set-Cookie`, `Alt-Svc`, `X-Powered-By`).
//! Hop-by-hop headers (RFC 9110 §7.6.1) fall away with the rest, those that `Connection` names too.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::{Bases, UpstreamToken};

/// The headers that the upstream gets.
pub(crate) fn to_upstream(
    from: &HeaderMap,
    bases: &Bases,
    client: Option<IpAddr>,
    token: UpstreamToken,
) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(12);
    // Hosts are compared by their own name, so that virtual hosts of the upstream work.
    to.insert(header::HOST, bases.upstream.authority.clone());
    let listed = listed_in_connection(from);
    for (name, value) in from {
        if REQUEST.contains(name) && !listed.is_some_and(|listed| lists(listed, name)) {
            to.append(name, value.clone());
        }
    }
    // Addresses can be replaced only in text that is not compressed.
    to.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    if let Some(value) = from.get("prefer").and_then(handling) {
        to.insert(HeaderName::from_static("prefer"), value);
    }
    if token == UpstreamToken::Forward
        && let Some(value) = from.get(header::AUTHORIZATION)
    {
        let mut value = value.clone();
        value.set_sensitive(true);
        to.insert(header::AUTHORIZATION, value);
    }
    if let Some(value) = forwarded(bases, client) {
        to.insert(header::FORWARDED, value);
    }
    to.insert(header::VIA, HeaderValue::from_static(VIA));
    to
}

/// The headers that the client gets. Those that hold addresses are rewritten, or left out when they
/// would show the upstream's.
pub(crate) fn to_client(from: &HeaderMap, bases: &Bases) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(12);
    let listed = listed_in_connection(from);
    for (name, value) in from {
        if listed.is_some_and(|listed| lists(listed, name)) {
            continue;
        }
        if RESPONSE.contains(name) {
            to.append(name, value.clone());
        } else if ADDRESSES.contains(name)
            && let Some(value) = value
                .to_str()
                .ok()
                .and_then(|value| rewritten(value, bases))
        {
            to.append(name, value);
        }
    }
    to.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    to
}

/// An address, or a list of links, for the client. An absolute path is the upstream's own.
fn rewritten(value: &str, bases: &Bases) -> Option<HeaderValue> {
    let value = match value.strip_prefix(&bases.upstream.path) {
        Some(rest)
            if value.starts_with('/') && !value.starts_with("//") && rest.starts_with('/') =>
        {
            format!("{}{rest}", bases.gateway.path)
        }
        _ => bases.replacements.text(value),
    };
    let upstream = bases.upstream.authority.to_str().ok()?;
    if value.contains(&format!("//{upstream}"))
        && bases.gateway.authority != bases.upstream.authority
    {
        return None;
    }
    HeaderValue::from_str(&value).ok()
}

/// `Prefer: handling=…` (RFC 7240 §4.4, FHIR R4 §3.1.1.5). `respond-async` would move the answer to
/// an address that nobody decides about.
fn handling(value: &HeaderValue) -> Option<HeaderValue> {
    let mut preferences = value.to_str().ok()?.split([',', ';']).map(str::trim);
    preferences.find_map(|preference| match preference {
        "handling=strict" => Some(HeaderValue::from_static("handling=strict")),
        "handling=lenient" => Some(HeaderValue::from_static("handling=lenient")),
        _ => None,
    })
}

/// RFC 7239 §4. What came in under this name was the client's word and is not passed on.
fn forwarded(bases: &Bases, client: Option<IpAddr>) -> Option<HeaderValue> {
    let host = bases.gateway.authority.to_str().ok()?;
    let proto = bases.gateway.scheme;
    // A colon or bracket needs quotes (RFC 7239 §4, §6).
    let quote = if host.contains([':', '[']) { "\"" } else { "" };
    let rest = format!("host={quote}{host}{quote};proto={proto}");
    let value = match client {
        None => rest,
        Some(IpAddr::V4(address)) => format!("for={address};{rest}"),
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\";{rest}"),
    };
    HeaderValue::try_from(value).ok()
}

/// `Connection`, unless it holds only the usual words.
fn listed_in_connection(headers: &HeaderMap) -> Option<&HeaderMap> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .any(|value| {
            !value.as_bytes().eq_ignore_ascii_case(b"keep-alive")
                && !value.as_bytes().eq_ignore_ascii_case(b"close")
        })
        .then_some(headers)
}

fn lists(headers: &HeaderMap, name: &HeaderName) -> bool {
    let lines = headers.get_all(header::CONNECTION);
    lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(name.as_str()))
}

/// What a FHIR server needs to know of a read or search (FHIR R4 §3.1.0.1), and tracing.
/// Not `Accept-Charset`: FHIR is UTF-8 (R4 §2.6.1), and in other encodings addresses would not be found.
const REQUEST: [HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::USER_AGENT,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// What a client needs to know of an answer. `Content-Length` follows the body that is really sent.
const RESPONSE: [HeaderName; 13] = [
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::RETRY_AFTER,
    header::VARY,
    header::WARNING,
    HeaderName::from_static("x-request-id"),
];

/// What holds addresses.
const ADDRESSES: [HeaderName; 3] = [header::CONTENT_LOCATION, header::LINK, header::LOCATION];

const VIA: &str = "1.1 udap";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::config::GatewayConfig;

    fn bases() -> Bases {
        Bases::new(&GatewayConfig::new(
            "https://gw.example/r4",
            "http://10.0.0.5:8080/fhir",
        ))
        .unwrap()
    }

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(n, v)| (n.parse::<HeaderName>().unwrap(), v.parse().unwrap()))
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn only_named_headers_reach_the_upstream() {
        let from = map(&[
            ("host", "gw.example"),
            ("accept", "application/fhir+json"),
            ("authorization", "Bearer x"),
            ("x-http-method-override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-method-override", "DELETE"),
            ("x-original-url", "/fhir/Observation"),
            ("x-rewrite-url", "/x"),
            ("if-none-exist", "x=1"),
            ("cookie", "a=b"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("range", "bytes=0-1"),
            ("prefer", "respond-async, handling=strict"),
            ("x-request-id", "r1"),
            ("proxy-authorization", "x"),
            ("connection", "keep-alive, traceparent"),
            ("traceparent", "00-1"),
            ("accept-encoding", "gzip"),
        ]);
        let to = to_upstream(
            &from,
            &bases(),
            Some("192.0.2.7".parse().unwrap()),
            UpstreamToken::Withhold,
        );
        assert_eq!(
            names(&to),
            [
                "accept",
                "accept-encoding",
                "forwarded",
                "host",
                "prefer",
                "via",
                "x-request-id"
            ]
        );
        assert_eq!(to["host"], "10.0.0.5:8080");
        assert_eq!(to["accept-encoding"], "identity");
        assert_eq!(to["forwarded"], "for=192.0.2.7;host=gw.example;proto=https");
        assert_eq!(to["prefer"], "handling=strict");
    }

    #[test]
    fn the_token_is_forwarded_only_when_configured() {
        let from = map(&[("authorization", "Bearer x")]);
        assert!(
            !to_upstream(&from, &bases(), None, UpstreamToken::Withhold)
                .contains_key("authorization")
        );
        assert_eq!(
            to_upstream(&from, &bases(), None, UpstreamToken::Forward)["authorization"],
            "Bearer x"
        );
    }

    #[test]
    fn forwarded_quotes_what_needs_it() {
        let bases = Bases::new(&GatewayConfig::new(
            "https://localhost:8440/fhir",
            "http://localhost:8443/fhir",
        ))
        .unwrap();
        assert_eq!(
            forwarded(&bases, Some("2001:db8::1".parse().unwrap())).unwrap(),
            "for=\"[2001:db8::1]\";host=\"localhost:8440\";proto=https"
        );
    }

    #[test]
    fn only_named_headers_reach_the_client() {
        let from = map(&[
            ("content-type", "application/fhir+json"),
            ("content-length", "5"),
            ("etag", "W/\"1\""),
            ("server", "x"),
            ("set-cookie", "a=b"),
            ("alt-svc", "h3=\"10.0.0.5:443\""),
            ("x-powered-by", "x"),
            ("www-authenticate", "Basic"),
            ("connection", "close, etag"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("access-control-allow-origin", "*"),
            ("refresh", "0;url=http://10.0.0.5"),
        ]);
        assert_eq!(
            names(&to_client(&from, &bases())),
            ["content-type", "x-content-type-options"]
        );
    }

    #[test]
    fn addresses_in_headers_become_ours_or_stay_behind() {
        for (name, value, expected) in [
            (
                "location",
                "http://10.0.0.5:8080/fhir/Patient/1/_history/2",
                Some("https://gw.example/r4/Patient/1/_history/2"),
            ),
            ("content-location", "/fhir/Patient/1", Some("/r4/Patient/1")),
            ("content-location", "Patient/1", Some("Patient/1")),
            ("location", "http://10.0.0.5:8080/admin", None),
            ("location", "//10.0.0.5:8080/fhir/x", None),
            (
                "link",
                "<http://10.0.0.5:8080/fhir/Patient?_page=2>; rel=next, <https://x.example>; rel=license",
                Some(
                    "<https://gw.example/r4/Patient?_page=2>; rel=next, <https://x.example>; rel=license",
                ),
            ),
        ] {
            let to = to_client(&map(&[(name, value)]), &bases());
            assert_eq!(
                to.get(name).map(|v| v.to_str().unwrap()),
                expected,
                "{name}: {value}"
            );
        }
    }
}
