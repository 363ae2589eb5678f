//! Ranges of addresses, as a certification's `ip_allowed` has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses from which an app may ask for tokens: one, from one to another, or a prefix (UDAP
/// Certifications and Endorsements §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// Reads `A`, `A-B` or `A/BITS`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let one = |text: &str| text.parse::<IpAddr>().ok();
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (one(first)?, one(last)?);
            return (first.is_ipv4() == last.is_ipv4() && first <= last)
                .then_some(Self { first, last });
        }
        let Some((address, bits)) = text.split_once('/') else {
            return one(text).map(|only| Self {
                first: only,
                last: only,
            });
        };
        // `parse` alone would take a sign.
        if !bits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let bits: u32 = bits.parse().ok()?;
        Some(match one(address)? {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(bits).filter(|_| bits <= 32);
                let host = host.or((bits == 32).then_some(0))?;
                let address = u32::from(v4);
                Self {
                    first: Ipv4Addr::from(address & !host).into(),
                    last: Ipv4Addr::from(address | host).into(),
                }
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(bits).filter(|_| bits <= 128);
                let host = host.or((bits == 128).then_some(0))?;
                let address = u128::from(v6);
                Self {
                    first: Ipv6Addr::from(address & !host).into(),
                    last: Ipv6Addr::from(address | host).into(),
                }
            }
        })
    }

    /// Whether an address lies within; an IPv4-mapped IPv6 address counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.first.is_ipv4() == address.is_ipv4() && (self.first..=self.last).contains(&address)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        for (range, within, without) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7-192.0.2.9", "::ffff:192.0.2.9", "192.0.2.10"),
            ("192.0.2.200/24", "192.0.2.0", "192.0.3.0"),
            ("192.0.2.1/32", "192.0.2.1", "192.0.2.0"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let read = AddressRange::parse(range).unwrap();
            assert!(read.contains(within.parse().unwrap()), "{range} {within}");
            assert!(
                !read.contains(without.parse().unwrap()),
                "{range} {without}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "host.example",
            "192.0.2.1/33",
            "192.0.2.1/+8",
            "192.0.2.1/",
            "2001:db8::/129",
            "192.0.2.9-192.0.2.1",
            "192.0.2.1-2001:db8::1",
            "192.0.2",
            "192.0.2.1 - 192.0.2.2",
        ] {
            assert_eq!(AddressRange::parse(text), None, "{text}");
        }
    }
}
