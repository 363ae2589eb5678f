//! URLs of strangers: those that are to be fetched, and those that a certification allows to be redirected to (on the
//! second line, whichever is registered).

use std::net::IpAddr;
use udap_proto::certification::RedirectPattern;
use udap_trust::fetch::{Kind, check_url, is_public};
use url::{Host, Url};

pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    for kind in [Kind::Api, Kind::Crl, Kind::Ocsp, Kind::Issuer] {
        if let Ok(url) = check_url(kind, first) {
            fetched(kind, &url);
        }
    }
    redirected(first, second);
}

/// What is let through is what the connection will then be made to.
fn fetched(kind: Kind, url: &Url) {
    assert!(url.scheme() == "https" || url.scheme() == "http" && kind != Kind::Api);
    assert!(url.username().is_empty() && url.password().is_none());
    let Ok(uri) = url.as_str().parse::<http::Uri>() else {
        return;
    };
    let host = uri.host().unwrap_or_default();
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match url.host() {
        Some(Host::Ipv4(v4)) => assert_eq!(literal, Ok(v4.into())),
        Some(Host::Ipv6(v6)) => assert_eq!(literal, Ok(v6.into())),
        Some(Host::Domain(name)) => {
            assert!(literal.is_err(), "an address that was taken for a name");
            assert_eq!(name, host);
        }
        None => panic!("no host"),
    }
    if let Ok(address) = literal {
        let mapped = address.to_canonical();
        assert_eq!(
            is_public(address),
            is_public(mapped),
            "the same address in another form"
        );
    }
}

/// A pattern never leads to another host than its own.
fn redirected(pattern: &str, uri: &str) {
    let Some(read) = RedirectPattern::parse(pattern) else {
        return;
    };
    if !pattern.contains('*') {
        assert!(
            read.matches(pattern),
            "a URL without wildcards stands for itself"
        );
    }
    if read.matches(uri)
        && let (Ok(pattern), Ok(uri)) = (Url::parse(pattern), Url::parse(uri))
    {
        assert_eq!(pattern.origin(), uri.origin());
        assert!(uri.username().is_empty() && uri.password().is_none());
        let segments = |url: &Url| url.path().split('/').count();
        assert_eq!(segments(&pattern), segments(&uri));
    }
}
