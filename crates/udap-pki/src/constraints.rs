//! Name constraints (RFC 5280 §4.2.1.10): DNS, IP, e-mail, URI and directory names; every other form is
//! refused as soon as a name of that form appears below a constraint on it.

use crate::asn1::{DerError, Reader, context, context_constructed};
use crate::general_name::{Form, GeneralName, ia5};
use crate::{Certificate, Name};
use std::fmt;
use std::net::IpAddr;

/// The name constraints of one CA certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameConstraints {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

/// One subtree of names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subtree {
    /// In lower case; empty is every host.
    Dns(String),
    Email(Mailboxes),
    /// In lower case; with a leading dot only hosts below; empty is every host.
    Uri(String),
    Ip {
        network: u128,
        mask: u128,
        bits: u8,
    },
    Directory(Name),
    /// A form that is not compared, or one with a minimum or maximum.
    Unsupported(Form),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mailboxes {
    One {
        local: String,
        host: String,
    },
    /// In lower case; with a leading dot only hosts below; empty is every mailbox.
    Host(String),
}

/// Why a name is outside the constraints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// An excluded subtree covers it.
    Excluded { name: String, subtree: String },
    /// Permitted subtrees exist for its form and none covers it.
    NotPermitted { name: String },
    /// It is constrained and cannot be compared.
    Incomparable { name: String },
    /// The comparisons ran out.
    Work,
}

impl NameConstraints {
    pub(crate) fn read(mut reader: Reader<'_>) -> Result<Self, DerError> {
        if reader.is_empty() {
            return Err(DerError::Value("nameConstraints"));
        }
        let mut trees = |tag| match reader.optional(context_constructed(tag))? {
            None => Ok(Vec::new()),
            Some(tlv) => subtrees(Reader::new(tlv.value, "GeneralSubtrees")),
        };
        let permitted = trees(0)?;
        let excluded = trees(1)?;
        reader.finish()?;
        Ok(Self {
            permitted,
            excluded,
        })
    }

    /// Whether every name of `certificate` is inside; `work` counts the comparisons left.
    pub(crate) fn check(&self, certificate: &Certificate, work: &mut u32) -> Result<(), Outside> {
        // §4.2.1.10: the subject, when it is not empty, and every alternative name. The emailAddress attribute
        // is asked for when there is no alternative name; we ask always, since readers use it always.
        if !certificate.subject().is_empty() {
            self.check_name(&Named::Directory(certificate.subject()), work)?;
            if self.constrains(Form::Email) {
                for mailbox in certificate.subject().values(EMAIL_ADDRESS) {
                    self.check_name(&Named::Email(&mailbox), work)?;
                }
            }
        }
        for name in certificate.alternative_names() {
            let named = match name {
                GeneralName::Email(mailbox) => Named::Email(mailbox),
                GeneralName::Dns(host) => Named::Dns(host),
                GeneralName::Directory(name) => Named::Directory(name),
                GeneralName::Uri(uri) => Named::Uri(uri),
                GeneralName::Ip(address) => Named::Ip(*address),
                // RFC 9598 §6: constraints on rfc822Name bind these too.
                GeneralName::SmtpUtf8(mailbox) => {
                    self.check_name(&Named::Other(Form::OtherName), work)?;
                    Named::Email(mailbox)
                }
                GeneralName::Other(form) => Named::Other(*form),
            };
            self.check_name(&named, work)?;
        }
        Ok(())
    }

    fn constrains(&self, form: Form) -> bool {
        self.permitted
            .iter()
            .chain(&self.excluded)
            .any(|tree| tree.form() == form)
    }

    fn check_name(&self, name: &Named<'_>, work: &mut u32) -> Result<(), Outside> {
        let form = name.form();
        let incomparable = || Outside::Incomparable {
            name: name.to_string(),
        };
        let mut seen = false;
        let mut permitted = false;
        for (tree, excludes) in self
            .excluded
            .iter()
            .map(|tree| (tree, true))
            .chain(self.permitted.iter().map(|tree| (tree, false)))
        {
            if tree.form() != form {
                continue;
            }
            *work = work.checked_sub(1).ok_or(Outside::Work)?;
            let covers = if excludes {
                tree.touches(name)
            } else {
                tree.covers(name)
            }
            .ok_or_else(incomparable)?;
            if excludes && covers {
                return Err(Outside::Excluded {
                    name: name.to_string(),
                    subtree: tree.to_string(),
                });
            }
            if !excludes {
                seen = true;
                permitted |= covers;
            }
        }
        if seen && !permitted {
            Err(Outside::NotPermitted {
                name: name.to_string(),
            })
        } else {
            Ok(())
        }
    }
}

/// A name to be compared.
enum Named<'a> {
    Email(&'a str),
    Dns(&'a str),
    Directory(&'a Name),
    Uri(&'a str),
    Ip(IpAddr),
    Other(Form),
}

impl Named<'_> {
    const fn form(&self) -> Form {
        match self {
            Self::Email(_) => Form::Email,
            Self::Dns(_) => Form::Dns,
            Self::Directory(_) => Form::Directory,
            Self::Uri(_) => Form::Uri,
            Self::Ip(_) => Form::Ip,
            Self::Other(form) => *form,
        }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(name) => write!(f, "email:{name}"),
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Directory(name) => write!(f, "the directory name {name}"),
            Self::Uri(name) => write!(f, "URI:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Other(form) => write!(f, "a name of the form {form:?}"),
        }
    }
}

impl Subtree {
    const fn form(&self) -> Form {
        match self {
            Self::Dns(_) => Form::Dns,
            Self::Email(_) => Form::Email,
            Self::Uri(_) => Form::Uri,
            Self::Ip { .. } => Form::Ip,
            Self::Directory(_) => Form::Directory,
            Self::Unsupported(form) => *form,
        }
    }

    /// Whether the whole of `name` lies in the subtree; `None` when that cannot be told.
    fn covers(&self, name: &Named<'_>) -> Option<bool> {
        match (self, name) {
            (Self::Dns(base), Named::Dns(host)) => {
                let host = host_name(host, Wildcard::Allowed)?;
                Some(host_within(&host, base))
            }
            (Self::Email(mailboxes), Named::Email(mailbox)) => {
                let (local, host) = mailbox.rsplit_once('@')?;
                let host = host_name(host, Wildcard::Refused)?;
                Some(match mailboxes {
                    Mailboxes::One {
                        local: only,
                        host: at,
                    } => local == only && host == *at,
                    Mailboxes::Host(base) => host_exact_or_below(&host, base),
                })
            }
            (Self::Uri(base), Named::Uri(uri)) => {
                let host = host_name(uri_host(uri)?, Wildcard::Refused)?;
                Some(host_exact_or_below(&host, base))
            }
            (
                Self::Ip {
                    network,
                    mask,
                    bits,
                },
                Named::Ip(address),
            ) => {
                let (value, width) = ip_value(*address);
                Some(width == *bits && value & mask == *network)
            }
            (Self::Directory(base), Named::Directory(name)) => Some(name.is_within(base)),
            _ => None,
        }
    }

    /// Whether any part of `name` lies in the subtree. It differs from [`Self::covers`] for wildcards only.
    fn touches(&self, name: &Named<'_>) -> Option<bool> {
        if let (Self::Dns(base), Named::Dns(host)) = (self, name)
            && let Some(parent) = host.strip_prefix("*.")
        {
            let parent = host_name(parent, Wildcard::Refused)?;
            let below = base.strip_prefix('.').unwrap_or(base);
            // `*.example.com` stands also for `bad.example.com`, which an exclusion may name.
            let one_label = below
                .strip_suffix(&parent)
                .and_then(|label| label.strip_suffix('.'));
            return Some(
                host_within(&parent, base)
                    || below == parent
                    || one_label.is_some_and(|l| !l.is_empty()),
            );
        }
        self.covers(name)
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(base) => write!(f, "DNS:{base}"),
            Self::Email(Mailboxes::One { local, host }) => write!(f, "email:{local}@{host}"),
            Self::Email(Mailboxes::Host(base)) => write!(f, "email:{base}"),
            Self::Uri(base) => write!(f, "URI:{base}"),
            Self::Ip {
                network,
                mask,
                bits,
            } => {
                let address = if *bits == 32 {
                    IpAddr::from(u32::try_from(*network).unwrap_or(0).to_be_bytes())
                } else {
                    IpAddr::from(network.to_be_bytes())
                };
                write!(f, "IP:{address}/{}", mask.count_ones())
            }
            Self::Directory(base) => write!(f, "the directory name {base}"),
            Self::Unsupported(form) => write!(f, "a name of the form {form:?}"),
        }
    }
}

fn subtrees(mut reader: Reader<'_>) -> Result<Vec<Subtree>, DerError> {
    if reader.is_empty() {
        return Err(DerError::Value("GeneralSubtrees"));
    }
    let mut trees = Vec::new();
    while !reader.is_empty() {
        if trees.len() == MAX_SUBTREES {
            return Err(DerError::TooMany("GeneralSubtrees"));
        }
        let mut subtree = reader.sequence("GeneralSubtree")?;
        let base = subtree.any()?;
        let form = Form::from_tag(base.tag).ok_or(DerError::Tag {
            what: "GeneralSubtree",
            found: base.tag,
        })?;
        let minimum = subtree.optional(context(0))?;
        let maximum = subtree.optional(context(1))?;
        subtree.finish()?;
        // §4.2.1.10: minimum is zero and maximum absent; anything else is processed by nobody.
        let plain = maximum.is_none() && minimum.is_none_or(|tlv| tlv.value == [0]);
        trees.push(if plain {
            read_base(form, base.value)?
        } else {
            Subtree::Unsupported(form)
        });
    }
    Ok(trees)
}

fn read_base(form: Form, value: &[u8]) -> Result<Subtree, DerError> {
    Ok(match form {
        Form::Dns => Subtree::Dns(ia5(value, "a DNS constraint")?.to_ascii_lowercase()),
        Form::Uri => Subtree::Uri(ia5(value, "a URI constraint")?.to_ascii_lowercase()),
        Form::Email => {
            let text = ia5(value, "an e-mail constraint")?;
            Subtree::Email(match text.rsplit_once('@') {
                Some((local, host)) => Mailboxes::One {
                    local: local.to_owned(),
                    host: host.to_ascii_lowercase(),
                },
                None => Mailboxes::Host(text.to_ascii_lowercase()),
            })
        }
        Form::Ip => {
            let number = |bytes: &[u8]| {
                bytes
                    .iter()
                    .fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte))
            };
            let half = value.len() / 2;
            if !matches!(value.len(), 8 | 32) {
                return Err(DerError::Value("an IP constraint"));
            }
            let (network, mask) = value.split_at(half);
            let bits = if half == 4 { 32 } else { 128 };
            let mask = number(mask);
            // RFC 4632: ones, then zeros.
            if mask.count_ones() + mask.trailing_zeros().min(bits) != bits {
                return Err(DerError::Value("an IP constraint"));
            }
            Subtree::Ip {
                network: number(network) & mask,
                mask,
                bits: u8::try_from(bits).unwrap_or(128),
            }
        }
        Form::Directory => Subtree::Directory(Name::from_der(value)?),
        _ => Subtree::Unsupported(form),
    })
}

/// Zero or more labels to the left of the base; with a leading dot, one or more.
fn host_within(host: &str, base: &str) -> bool {
    if base.is_empty() {
        return true;
    }
    match base.strip_prefix('.') {
        Some(_) => host.ends_with(base) && host.len() > base.len(),
        None => {
            host == base
                || host
                    .strip_suffix(base)
                    .is_some_and(|left| left.ends_with('.'))
        }
    }
}

/// The one host, or with a leading dot those below it.
fn host_exact_or_below(host: &str, base: &str) -> bool {
    if base.is_empty() {
        return true;
    }
    if base.starts_with('.') {
        host.ends_with(base) && host.len() > base.len()
    } else {
        host == base
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    Allowed,
    Refused,
}

/// A host in lower case, if it is one: letters, digits, hyphens and underscores in labels of 1 to 63.
fn host_name(host: &str, wildcard: Wildcard) -> Option<String> {
    let bare = if wildcard == Wildcard::Allowed {
        host.strip_prefix("*.").unwrap_or(host)
    } else {
        host
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let fits = !bare.is_empty() && bare.len() <= 253 && bare.split('.').all(label);
    // §4.2.1.10: a URI constraint binds host names, and an address is not one.
    let address = bare
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    (fits && !address).then(|| host.to_ascii_lowercase())
}

/// The host of a URI's authority (RFC 3986 §3.2).
fn uri_host(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let authority = rest.strip_prefix("//").filter(|_| valid)?;
    let authority = authority.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(name),
        Some(_) => None,
        None => Some(host),
    }
}

fn ip_value(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";
/// Subtrees in one direction of one certificate.
const MAX_SUBTREES: usize = 1024;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dns(base: &str, host: &str) -> Option<bool> {
        Subtree::Dns(base.to_owned()).covers(&Named::Dns(host))
    }

    fn excluded_dns(base: &str, host: &str) -> Option<bool> {
        Subtree::Dns(base.to_owned()).touches(&Named::Dns(host))
    }

    fn uri(base: &str, uri: &str) -> Option<bool> {
        Subtree::Uri(base.to_owned()).covers(&Named::Uri(uri))
    }

    fn email(base: &str, mailbox: &str) -> Option<bool> {
        read_base(Form::Email, base.as_bytes())
            .unwrap()
            .covers(&Named::Email(mailbox))
    }

    #[test]
    fn dns_subtrees() {
        for (base, host, wanted) in [
            ("example.com", "example.com", Some(true)),
            ("example.com", "WWW.Example.com", Some(true)),
            ("example.com", "badexample.com", Some(false)),
            ("example.com", "com", Some(false)),
            (".example.com", "example.com", Some(false)),
            (".example.com", "a.example.com", Some(true)),
            ("", "anything.test", Some(true)),
            ("example.com", "*.example.com", Some(true)),
            ("a.example.com", "*.example.com", Some(false)),
            ("example.com", "example.com.", None),
            ("example.com", "a..example.com", None),
            ("example.com", "exa mple.com", None),
        ] {
            assert_eq!(dns(base, host), wanted, "{base} {host}");
        }
        assert_eq!(excluded_dns("a.example.com", "*.example.com"), Some(true));
        assert_eq!(excluded_dns("a.b.example.com", "*.example.com"), Some(true));
        assert_eq!(excluded_dns(".example.com", "*.example.com"), Some(true));
        assert_eq!(excluded_dns("other.test", "*.example.com"), Some(false));
    }

    #[test]
    fn uri_subtrees() {
        for (base, name, wanted) in [
            ("host.test", "https://host.test/a?b#c", Some(true)),
            ("host.test", "https://user@HOST.test:8443/a", Some(true)),
            ("host.test", "https://a.host.test", Some(false)),
            (".host.test", "https://a.b.host.test/", Some(true)),
            (".host.test", "https://host.test/", Some(false)),
            ("", "https://host.test/", Some(true)),
            ("host.test", "urn:oid:1.2.3", None),
            ("host.test", "https://192.0.2.1/", None),
            ("host.test", "https://[2001:db8::1]/", None),
            ("host.test", "https:///a", None),
            ("host.test", "host.test", None),
        ] {
            assert_eq!(uri(base, name), wanted, "{base} {name}");
        }
    }

    #[test]
    fn email_subtrees() {
        for (base, mailbox, wanted) in [
            ("a@host.test", "a@HOST.test", Some(true)),
            ("a@host.test", "A@host.test", Some(false)),
            ("host.test", "b@host.test", Some(true)),
            ("host.test", "b@a.host.test", Some(false)),
            (".host.test", "b@a.host.test", Some(true)),
            (".host.test", "b@host.test", Some(false)),
            ("host.test", "no mailbox", None),
            ("host.test", "\u{fc}@host.test", Some(true)),
            ("host.test", "a@h\u{f6}st.test", None),
        ] {
            assert_eq!(email(base, mailbox), wanted, "{base} {mailbox}");
        }
    }

    #[test]
    fn ip_subtrees() {
        let tree = read_base(Form::Ip, &[192, 0, 2, 7, 255, 255, 255, 0]).unwrap();
        assert_eq!(tree.to_string(), "IP:192.0.2.0/24");
        assert_eq!(tree.covers(&Named::Ip([192, 0, 2, 200].into())), Some(true));
        assert_eq!(tree.covers(&Named::Ip([192, 0, 3, 1].into())), Some(false));
        assert_eq!(
            tree.covers(&Named::Ip("::192.0.2.1".parse().unwrap())),
            Some(false)
        );
        assert!(read_base(Form::Ip, &[192, 0, 2, 0, 255, 0, 255, 0]).is_err());
        assert!(read_base(Form::Ip, &[192, 0, 2, 0]).is_err());
        assert_eq!(
            read_base(Form::Ip, &[0; 8])
                .unwrap()
                .covers(&Named::Ip([1, 2, 3, 4].into())),
            Some(true)
        );
        assert_eq!(
            read_base(Form::Ip, &[0; 32])
                .unwrap()
                .covers(&Named::Ip("::1".parse().unwrap())),
            Some(true)
        );
    }

    #[test]
    fn the_work_is_bounded() {
        let constraints = NameConstraints {
            permitted: vec![Subtree::Dns("x".to_owned()); 10],
            excluded: Vec::new(),
        };
        assert_eq!(
            constraints.check_name(&Named::Dns("y.test"), &mut 9),
            Err(Outside::Work)
        );
        assert!(matches!(
            constraints.check_name(&Named::Dns("y.test"), &mut 10),
            Err(Outside::NotPermitted { .. })
        ));
    }

    proptest! {
        #[test]
        fn what_a_base_covers_its_parent_covers(labels in prop::collection::vec("[a-z0-9]{1,8}", 2..6), cut in 1_usize..5) {
            let host = format!("{}.test", labels.join("."));
            let base = host.split('.').skip(cut.min(labels.len())).collect::<Vec<_>>().join(".");
            prop_assert_eq!(dns(&base, &host), Some(true));
            let below = uri(&format!(".{base}"), &format!("https://{host}/x"));
            prop_assert_eq!(below, Some(true));
        }

        #[test]
        fn a_covered_name_is_touched(base in "[.]?[a-c]{1,2}([.][a-c]{1,2}){0,2}", host in "([*][.])?[a-c]{1,2}([.][a-c]{1,2}){0,3}") {
            if dns(&base, &host) == Some(true) {
                prop_assert_eq!(excluded_dns(&base, &host), Some(true));
            }
        }

        #[test]
        fn nothing_panics(base in ".{0,24}", name in ".{0,24}") {
            for form in [Form::Dns, Form::Email, Form::Uri] {
                if let Ok(tree) = read_base(form, base.as_bytes()) {
                    for named in [Named::Dns(&name), Named::Email(&name), Named::Uri(&name)] {
                        let _ = tree.covers(&named);
                        let _ = tree.touches(&named);
                    }
                }
            }
        }
    }
}
