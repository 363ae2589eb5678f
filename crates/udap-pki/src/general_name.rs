//! `GeneralName` (RFC 5280 §4.2.1.6) as certificates and CRLs carry it.

use crate::Name;
use crate::asn1::{DerError, Reader, context, context_constructed};
use std::net::IpAddr;

/// One general name. Forms that nothing here compares keep only their kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName {
    /// rfc822Name.
    Email(String),
    /// dNSName.
    Dns(String),
    /// directoryName.
    Directory(Name),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress.
    Ip(IpAddr),
    /// otherName of type SmtpUTF8Mailbox (RFC 9598).
    SmtpUtf8(String),
    /// Another form.
    Other(Form),
}

/// The forms of a general name, by their tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// otherName.
    OtherName,
    /// rfc822Name.
    Email,
    /// dNSName.
    Dns,
    /// x400Address.
    X400,
    /// directoryName.
    Directory,
    /// ediPartyName.
    EdiParty,
    /// uniformResourceIdentifier.
    Uri,
    /// iPAddress.
    Ip,
    /// registeredID.
    RegisteredId,
}

impl GeneralName {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DerError> {
        let tlv = reader.any()?;
        let form = Form::from_tag(tlv.tag).ok_or(DerError::Tag {
            what: "GeneralName",
            found: tlv.tag,
        })?;
        Ok(match form {
            Form::Email => Self::Email(ia5(tlv.value, "rfc822Name")?),
            Form::Dns => Self::Dns(ia5(tlv.value, "dNSName")?),
            Form::Uri => Self::Uri(ia5(tlv.value, "uniformResourceIdentifier")?),
            Form::Directory => Self::Directory(Name::from_der(tlv.value)?),
            Form::Ip => Self::Ip(ip(tlv.value).ok_or(DerError::Value("iPAddress"))?),
            Form::OtherName => match smtp_utf8(tlv.value)? {
                Some(mailbox) => Self::SmtpUtf8(mailbox),
                None => Self::Other(form),
            },
            Form::X400 | Form::EdiParty | Form::RegisteredId => Self::Other(form),
        })
    }

    /// `GeneralNames`, not empty.
    pub(crate) fn read_all(mut reader: Reader<'_>) -> Result<Vec<Self>, DerError> {
        if reader.is_empty() {
            return Err(DerError::Value("GeneralNames"));
        }
        let mut names = Vec::new();
        while !reader.is_empty() {
            if names.len() == MAX_NAMES {
                return Err(DerError::TooMany("GeneralNames"));
            }
            names.push(Self::read(&mut reader)?);
        }
        Ok(names)
    }

    /// Its form.
    #[must_use]
    pub const fn form(&self) -> Form {
        match self {
            Self::Email(_) => Form::Email,
            Self::Dns(_) => Form::Dns,
            Self::Directory(_) => Form::Directory,
            Self::Uri(_) => Form::Uri,
            Self::Ip(_) => Form::Ip,
            Self::SmtpUtf8(_) => Form::OtherName,
            Self::Other(form) => *form,
        }
    }
}

impl std::fmt::Display for GeneralName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Email(name) | Self::SmtpUtf8(name) => write!(f, "email:{name}"),
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Directory(name) => write!(f, "DirName:{name}"),
            Self::Uri(name) => write!(f, "URI:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Other(form) => write!(f, "{form:?}"),
        }
    }
}

impl Form {
    /// Of a context tag, with the constructed bit where the form has one (X.690 §8.14).
    pub(crate) fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            t if t == context_constructed(0) => Self::OtherName,
            t if t == context(1) => Self::Email,
            t if t == context(2) => Self::Dns,
            t if t == context_constructed(3) => Self::X400,
            t if t == context_constructed(4) => Self::Directory,
            t if t == context_constructed(5) => Self::EdiParty,
            t if t == context(6) => Self::Uri,
            t if t == context(7) => Self::Ip,
            t if t == context(8) => Self::RegisteredId,
            _ => return None,
        })
    }
}

pub(crate) fn ia5(value: &[u8], what: &'static str) -> Result<String, DerError> {
    match std::str::from_utf8(value) {
        // A NUL or a line break inside a name serves only to deceive those who print it.
        Ok(text) if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) => Ok(text.to_owned()),
        _ => Err(DerError::Value(what)),
    }
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(value)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
        .ok()
}

/// id-on-SmtpUTF8Mailbox, 1.3.6.1.5.5.7.8.9.
fn smtp_utf8(value: &[u8]) -> Result<Option<String>, DerError> {
    let mut other = Reader::new(value, "otherName");
    let oid = other.oid()?;
    let content = other.inside(context_constructed(0), "otherName")?;
    other.finish()?;
    if oid != const_oid::ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9") {
        return Ok(None);
    }
    let mut content = content;
    let text = content.expect(0x0c)?.value;
    content.finish()?;
    match std::str::from_utf8(text) {
        Ok(text) if !text.chars().any(char::is_control) => Ok(Some(text.to_owned())),
        _ => Err(DerError::Value("SmtpUTF8Mailbox")),
    }
}

/// More names than any member needs; the bound keeps comparison cheap.
const MAX_NAMES: usize = 1024;
