//! The address that audit and limits use: the peer, or what a trusted proxy says about it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use http::HeaderMap;
use serde::{Serialize, Serializer};

/// The client's address. The peer's own, unless it is a trusted proxy: then the last address in
/// `Forwarded` (RFC 7239) or else `X-Forwarded-For` that is not itself a trusted proxy. What
/// stands left of that is what the client says about itself and is not looked at. Where both headers
/// stand and do not agree, the proxy wrote one of them and passed the client's other one on, and nobody
/// knows which: then it is the proxy's own address.
pub fn client_ip(peer: SocketAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if !trusted.contains(peer) {
        return peer;
    }
    let told = |name: &str, parse| {
        headers
            .contains_key(name)
            .then(|| nearest(peer, hops(headers, name, parse), trusted))
    };
    match (
        told("forwarded", forwarded_for as fn(&str) -> Option<IpAddr>),
        told("x-forwarded-for", parse_node),
    ) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => peer,
    }
}

/// The last of the hops that is not a trusted proxy.
fn nearest(peer: IpAddr, hops: Vec<Option<IpAddr>>, trusted: &TrustedProxies) -> IpAddr {
    let mut client = peer;
    for hop in hops.into_iter().rev() {
        // An obfuscated or broken element hides what is left of it.
        let Some(hop) = hop else { break };
        client = hop;
        if !trusted.contains(hop) {
            break;
        }
    }
    client
}

/// All elements of a list header, over several lines of it too.
fn hops(headers: &HeaderMap, name: &str, parse: fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| match line.to_str() {
            Ok(line) => line
                .split(',')
                .map(|element| parse(element.trim()))
                .collect(),
            Err(_) => vec![None],
        })
        .collect()
}

/// RFC 7239 §4: `for=192.0.2.60;proto=http`, `For="[2001:db8::17]:4711"`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for")
            .then(|| parse_node(value))?
    })
}

/// An address with or without quotes, brackets and port.
fn parse_node(node: &str) -> Option<IpAddr> {
    let node = node.trim().trim_matches('"');
    let address = node
        .parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| node.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Networks of proxies whose headers are believed. Empty believes nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Adds `10.0.0.1`, `10.0.0.0/8` or `fd00::/8`; the error says what is wrong with it.
    pub fn add(&mut self, text: &str) -> Result<(), &'static str> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| "it must be an address or a network such as 10.0.0.0/8")?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= width)
                .ok_or("the number after the slash is too large or not a number")?,
        };
        if bits(address) & !mask(prefix, width) != 0 {
            return Err("the address has bits set beyond the prefix");
        }
        // Addresses are compared as IPv4 where they are such, also `::ffff:10.0.0.1`.
        let (address, prefix) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_)) => {
                let prefix = prefix.checked_sub(96);
                (
                    mapped,
                    prefix.ok_or("the prefix is shorter than ::ffff:0:0/96")?,
                )
            }
            _ => (address, prefix),
        };
        self.0.push(Network { address, prefix });
        Ok(())
    }

    /// Whether nobody is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Serialize for TrustedProxies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        self.address.is_ipv4() == address.is_ipv4()
            && bits(address) & mask(self.prefix, width) == bits(self.address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// `prefix` ones, then zeros, in the low `width` bits.
fn mask(prefix: u32, width: u32) -> u128 {
    let all = u128::MAX >> (128 - width);
    all.checked_shl(width - prefix).unwrap_or(0) & all
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn ip(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut trusted = TrustedProxies::default();
        trusted.add("10.0.0.0/8").unwrap();
        trusted.add("fd00::1").unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        client_ip(peer.parse().unwrap(), &headers.collect(), &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let lies = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.2"),
        ];
        assert_eq!(ip("203.0.113.9:1", &lies), "203.0.113.9");
        assert_eq!(ip("[::ffff:203.0.113.9]:1", &lies), "203.0.113.9");
    }

    #[test]
    fn a_proxy_is_believed_about_its_own_peer_only() {
        assert_eq!(ip("10.1.1.1:1", &[]), "10.1.1.1");
        assert_eq!(
            ip(
                "10.1.1.1:1",
                &[("x-forwarded-for", "1.1.1.1, 192.0.2.1, 10.2.2.2")]
            ),
            "192.0.2.1"
        );
        let twice = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "192.0.2.7:4711"),
        ];
        assert_eq!(ip("[fd00::1]:1", &twice), "192.0.2.7");
        let forwarded = [(
            "forwarded",
            "for=9.9.9.9, For=\"[2001:db8::17]:4711\";proto=https",
        )];
        assert_eq!(ip("10.1.1.1:1", &forwarded), "2001:db8::17");
        assert_eq!(
            ip("10.1.1.1:1", &[("forwarded", "for=192.0.2.1, for=_hidden")]),
            "10.1.1.1"
        );
        assert_eq!(
            ip("10.1.1.1:1", &[("x-forwarded-for", "192.0.2.1, garbage")]),
            "10.1.1.1"
        );
    }

    /// nginx and others add to one header and pass the other one on as the client sent it.
    #[test]
    fn a_client_does_not_choose_its_address_by_the_header_that_its_proxy_does_not_write() {
        for lie in ["for=192.0.2.99", "for=10.9.9.9", "for=_hidden", "garbage"] {
            let both = [("x-forwarded-for", "203.0.113.9"), ("forwarded", lie)];
            assert_eq!(ip("10.1.1.1:1", &both), "10.1.1.1", "{lie}");
            let both = [
                ("forwarded", "for=203.0.113.9"),
                ("x-forwarded-for", "192.0.2.99"),
            ];
            assert_eq!(ip("10.1.1.1:1", &both), "10.1.1.1");
        }
        let both = [
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=203.0.113.9"),
        ];
        assert_eq!(ip("10.1.1.1:1", &both), "203.0.113.9");
    }

    /// As a dual-stack listener shows its peers.
    #[test]
    fn a_mapped_network_is_the_one_in_it() {
        let mut trusted = TrustedProxies::default();
        trusted.add("::ffff:10.0.0.0/104").unwrap();
        trusted.add("::ffff:192.0.2.1").unwrap();
        assert_eq!(
            serde_json::to_string(&trusted).unwrap(),
            r#"["10.0.0.0/8","192.0.2.1/32"]"#
        );
        let headers = http::HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-for"),
            "203.0.113.9".parse().unwrap(),
        )]);
        for (peer, client) in [
            ("10.1.1.1:1", "203.0.113.9"),
            ("[::ffff:10.1.1.1]:1", "203.0.113.9"),
            ("192.0.2.1:1", "203.0.113.9"),
            ("192.0.2.2:1", "192.0.2.2"),
            ("[::10.1.1.1]:1", "::a01:101"),
        ] {
            let found = client_ip(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer}");
        }
    }

    #[test]
    fn networks_are_checked() {
        let mut trusted = TrustedProxies::default();
        for wrong in [
            "",
            "x",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0.0/-1",
            "10/8",
            "::ffff:10.0.0.0/95",
            "::ffff:10.0.0.1/104",
        ] {
            assert!(trusted.add(wrong).is_err(), "{wrong}");
        }
        for right in ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1", "::/0", "fd00::/8"] {
            trusted.add(right).unwrap();
        }
        assert_eq!(
            serde_json::to_string(&trusted).unwrap(),
            r#"["0.0.0.0/0","10.0.0.0/8","192.0.2.1/32","::/0","fd00::/8"]"#
        );
    }
}
