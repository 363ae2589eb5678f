//! The explanation of a verdict: every candidate path and every check, in the order they were made.
//!
//! While a verification runs only handles are noted down; words are made when somebody asks for them.

use crate::{
    Certificate, Crl, OcspResponse, Reason, RevocationGap, UnixTime, cert::hex, key::sha256,
    verify::NameCheck,
};
use std::fmt;
use std::sync::Arc;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// ✓
    Ok,
    /// ✗
    Failed,
    /// –
    Skipped,
}

impl Mark {
    /// The sign it is printed as.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Failed => '✗',
            Self::Skipped => '–',
        }
    }

    /// `ok`, `failed` or `skipped`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check, or a group of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How it went.
    pub mark: Mark,
    /// What was checked, in words.
    pub title: String,
    /// What was looked at: name and value.
    pub data: Vec<(&'static str, String)>,
    /// Where the rule is written.
    pub section: &'static str,
    /// The code of the refusal, when it failed for one.
    pub code: Option<&'static str>,
    /// The parts of this step.
    pub children: Vec<Step>,
}

/// Every candidate path and every check of one verification. `Display` prints it as a tree.
#[derive(Clone, Default)]
pub struct Trace {
    events: Arc<Vec<Event>>,
    now: UnixTime,
}

/// What is noted down while the verification runs.
#[derive(Clone)]
pub(crate) struct Event {
    depth: u8,
    mark: Mark,
    check: Check,
    certificate: Option<Certificate>,
    detail: Detail,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    // Groups.
    Leaf,
    Path,
    Member,
    Revocation,
    Signer,
    // Checks.
    Issuer,
    NoIssuer,
    Validity,
    CriticalExtensions,
    Purpose,
    ExtendedKeyUsage,
    Name,
    MayIssue,
    Signature,
    PathLength,
    NameConstraints,
    Policies,
    Crl,
    Ocsp,
    Pool,
    Limit,
}

#[derive(Clone)]
pub(crate) enum Detail {
    None,
    Reason(Box<Reason>),
    Gap(Box<RevocationGap>),
    Issuer(Certificate),
    Path(Vec<Certificate>),
    Name(NameCheck),
    Crl(Arc<Crl>, Option<Box<RevocationGap>>),
    Ocsp(Arc<OcspResponse>, Option<Box<RevocationGap>>),
    Text(&'static str),
    Policies(Vec<const_oid::ObjectIdentifier>),
}

/// Collects events; past the limit the rest is dropped and said to be.
pub(crate) struct Recorder {
    events: Vec<Event>,
    depth: u8,
    now: UnixTime,
}

impl Recorder {
    pub(crate) fn new(now: UnixTime) -> Self {
        Self {
            events: Vec::with_capacity(32),
            depth: 0,
            now,
        }
    }

    pub(crate) fn note(
        &mut self,
        mark: Mark,
        check: Check,
        certificate: Option<&Certificate>,
        detail: Detail,
    ) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(Event {
                depth: self.depth,
                mark,
                check,
                certificate: certificate.cloned(),
                detail,
            });
        } else if self.events.len() == MAX_EVENTS {
            let detail = Detail::Text("the rest of this trace is left out");
            self.events.push(Event {
                depth: 0,
                mark: Mark::Skipped,
                check: Check::Limit,
                certificate: None,
                detail,
            });
        }
    }

    /// Notes a result and hands it on.
    pub(crate) fn result(
        &mut self,
        check: Check,
        certificate: &Certificate,
        detail: Detail,
        result: Result<(), Reason>,
    ) -> Result<(), Reason> {
        match result {
            Ok(()) => self.note(Mark::Ok, check, Some(certificate), detail),
            Err(ref reason) => {
                self.note(
                    Mark::Failed,
                    check,
                    Some(certificate),
                    Detail::Reason(Box::new(reason.clone())),
                );
            }
        }
        result
    }

    /// Opens a group whose mark is set by [`Self::close`].
    pub(crate) fn open(
        &mut self,
        check: Check,
        certificate: Option<&Certificate>,
        detail: Detail,
    ) -> usize {
        let at = self.events.len();
        self.note(Mark::Ok, check, certificate, detail);
        self.depth = self.depth.saturating_add(1);
        at
    }

    pub(crate) fn close(&mut self, at: usize, mark: Mark) {
        self.depth = self.depth.saturating_sub(1);
        if at < MAX_EVENTS
            && let Some(event) = self.events.get_mut(at)
        {
            event.mark = mark;
        }
    }

    pub(crate) fn finish(self) -> Trace {
        Trace {
            events: Arc::new(self.events),
            now: self.now,
        }
    }
}

impl Trace {
    /// The tree, to walk or print as JSON.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        // A stack of open groups; each event closes those that are not above it.
        let mut roots = Vec::new();
        let mut open: Vec<(u8, Step)> = Vec::new();
        let close = |open: &mut Vec<(u8, Step)>, roots: &mut Vec<Step>, depth: u8| {
            while open.last().is_some_and(|(at, _)| *at >= depth) {
                if let Some((_, step)) = open.pop() {
                    match open.last_mut() {
                        Some((_, parent)) => parent.children.push(step),
                        None => roots.push(step),
                    }
                }
            }
        };
        for event in self.events.iter() {
            close(&mut open, &mut roots, event.depth);
            open.push((event.depth, event.step(self.now)));
        }
        close(&mut open, &mut roots, 0);
        roots
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} events)", self.events.len())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in self.events.iter() {
            let step = event.step(self.now);
            let indent = usize::from(event.depth) * 2;
            write!(f, "{:indent$}{} {}", "", step.mark.sign(), step.title)?;
            for (at, (name, value)) in step.data.iter().enumerate() {
                write!(f, "{}{name} {value}", if at == 0 { ": " } else { ", " })?;
            }
            if let Some(code) = step.code {
                write!(f, " [{code}]")?;
            }
            if !step.section.is_empty() {
                write!(f, " ({})", step.section)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Event {
    fn step(&self, now: UnixTime) -> Step {
        let label = self
            .certificate
            .as_ref()
            .map(Certificate::label)
            .unwrap_or_default();
        let mut data = Vec::new();
        let mut code = None;
        if let Some(certificate) = &self.certificate {
            self.check.look(certificate, now, &mut data);
        }
        match &self.detail {
            Detail::None => {}
            Detail::Reason(reason) => {
                code = Some(reason.code());
                data.push(("reason", reason.to_string()));
            }
            Detail::Gap(gap) => {
                code = Some("revocation-unavailable");
                data.push(("reason", gap.to_string()));
            }
            Detail::Issuer(issuer) => {
                data.push(("issuer", issuer.label()));
                if let Ok(key) = issuer.public_key() {
                    data.push(("key", key.kind().to_string()));
                }
            }
            Detail::Path(path) => {
                data.push((
                    "path",
                    path.iter()
                        .map(Certificate::label)
                        .collect::<Vec<_>>()
                        .join(" ← "),
                ));
            }
            Detail::Name(name) => data.push(("expected", name.to_string())),
            Detail::Crl(crl, gap) => {
                look_at_crl(crl, &mut data);
                code = refused(gap.as_deref(), &mut data);
            }
            Detail::Ocsp(response, gap) => {
                data.push(("signed", response.produced_at().to_string()));
                if let Some(next) = response.next_update() {
                    data.push(("nextUpdate", next.to_string()));
                }
                code = refused(gap.as_deref(), &mut data);
            }
            Detail::Text(text) => data.push(("note", (*text).to_owned())),
            Detail::Policies(policies) => data.push(("policies", list(policies.iter()))),
        }
        Step {
            mark: self.mark,
            title: self.check.title(&label, self.mark),
            data,
            section: self.check.section(),
            code,
            children: Vec::new(),
        }
    }
}

fn refused(
    gap: Option<&RevocationGap>,
    data: &mut Vec<(&'static str, String)>,
) -> Option<&'static str> {
    gap.map(|gap| {
        data.push(("reason", gap.to_string()));
        "revocation-unavailable"
    })
}

fn look_at_crl(crl: &Crl, data: &mut Vec<(&'static str, String)>) {
    data.push(("issuer", crl.issuer().to_string()));
    if let Some(number) = crl.number() {
        data.push(("number", hex(number)));
    }
    data.push(("thisUpdate", crl.this_update().to_string()));
    if let Some(next) = crl.next_update() {
        data.push(("nextUpdate", next.to_string()));
    }
    data.push(("entries", crl.len().to_string()));
}

/// As RFC 5280 calls those that are critical somewhere; others by their number.
fn extension_name(oid: &const_oid::ObjectIdentifier) -> String {
    let oid = oid.to_string();
    let name = match oid.as_str() {
        "2.5.29.15" => "keyUsage",
        "2.5.29.17" => "subjectAltName",
        "2.5.29.19" => "basicConstraints",
        "2.5.29.30" => "nameConstraints",
        "2.5.29.32" => "certificatePolicies",
        "2.5.29.33" => "policyMappings",
        "2.5.29.36" => "policyConstraints",
        "2.5.29.37" => "extKeyUsage",
        "2.5.29.54" => "inhibitAnyPolicy",
        _ => return oid,
    };
    name.to_owned()
}

fn list<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let text = items
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(" ");
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

impl Check {
    fn title(self, label: &str, mark: Mark) -> String {
        match self {
            Self::Leaf => format!("the certificate {label}"),
            Self::Path => "a path that reaches an anchor".to_owned(),
            Self::Member => format!("in the path: {label}"),
            Self::Revocation => format!("revocation of {label}"),
            Self::Signer => format!("may {label} sign this?"),
            Self::Issuer if mark == Mark::Skipped => format!("{label} as an issuer"),
            Self::Issuer => format!("{label} as the issuer"),
            Self::NoIssuer => format!("an issuer of {label}"),
            Self::Validity => "dates".to_owned(),
            Self::CriticalExtensions => "critical extensions".to_owned(),
            Self::Purpose => "key usage".to_owned(),
            Self::ExtendedKeyUsage => "extended key usage".to_owned(),
            Self::Name => "name".to_owned(),
            Self::MayIssue => "CA that may issue certificates".to_owned(),
            Self::Signature => "signature".to_owned(),
            Self::PathLength => "path length".to_owned(),
            Self::NameConstraints => "name constraints".to_owned(),
            Self::Policies => "certificate policies".to_owned(),
            Self::Crl => "CRL".to_owned(),
            Self::Ocsp => "OCSP response".to_owned(),
            Self::Pool => "certificates at hand".to_owned(),
            Self::Limit => "bounds".to_owned(),
        }
    }

    const fn section(self) -> &'static str {
        match self {
            Self::Leaf | Self::Member => "",
            Self::Path => "RFC 5280 §6.1",
            Self::Issuer | Self::NoIssuer => "RFC 5280 §6.1.3 (a)(4)",
            Self::Validity => "RFC 5280 §6.1.3 (a)(2)",
            Self::CriticalExtensions => "RFC 5280 §6.1.4 (o)",
            Self::Purpose => "RFC 5280 §4.2.1.3",
            Self::ExtendedKeyUsage => "RFC 5280 §4.2.1.12",
            Self::Name => "RFC 5280 §4.2.1.6",
            Self::MayIssue => "RFC 5280 §6.1.4 (k)(n)",
            Self::Signature => "RFC 5280 §6.1.3 (a)(1)",
            Self::PathLength => "RFC 5280 §6.1.4 (l)(m)",
            Self::NameConstraints => "RFC 5280 §6.1.3 (b)(c)",
            Self::Policies => "RFC 5280 §6.1.3 (d), RFC 9618",
            Self::Revocation => "RFC 5280 §6.1.3 (a)(3)",
            Self::Signer | Self::Crl => "RFC 5280 §6.3.3",
            Self::Ocsp => "RFC 6960 §3.2",
            Self::Pool | Self::Limit => "RFC 5280 §8",
        }
    }

    /// What this check looks at in a certificate.
    fn look(
        self,
        certificate: &Certificate,
        now: UnixTime,
        data: &mut Vec<(&'static str, String)>,
    ) {
        match self {
            Self::Leaf => {
                data.push(("issuer", certificate.issuer().to_string()));
                data.push(("serial", certificate.serial_hex()));
                data.push(("sha256", hex(&sha256(certificate.der()))));
            }
            Self::Validity => {
                data.push(("notBefore", certificate.not_before().to_string()));
                data.push(("notAfter", certificate.not_after().to_string()));
                data.push(("now", now.to_string()));
            }
            Self::Purpose | Self::MayIssue => {
                if self == Self::MayIssue {
                    data.push(("cA", certificate.is_ca().to_string()));
                }
                let usage = certificate.key_usage().map(|usage| list(usage.names()));
                data.push((
                    "keyUsage",
                    usage.unwrap_or_else(|| "not restricted".to_owned()),
                ));
            }
            Self::ExtendedKeyUsage => {
                let usage = certificate
                    .extended_key_usage()
                    .map(|usages| list(usages.iter()));
                data.push((
                    "extKeyUsage",
                    usage.unwrap_or_else(|| "not restricted".to_owned()),
                ));
            }
            Self::Name => data.push(("names", list(certificate.alternative_names().iter()))),
            Self::Signature => {
                if let Ok(scheme) = certificate.signature_scheme() {
                    data.push(("algorithm", scheme.to_string()));
                }
            }
            Self::PathLength => {
                let limit = certificate.path_len().map(|limit| limit.to_string());
                data.push((
                    "pathLenConstraint",
                    limit.unwrap_or_else(|| "none".to_owned()),
                ));
            }
            Self::CriticalExtensions => {
                let critical = certificate
                    .extension_ids()
                    .iter()
                    .filter(|(_, critical)| *critical);
                data.push((
                    "critical",
                    list(critical.map(|(oid, _)| extension_name(oid))),
                ));
            }
            Self::Crl | Self::Ocsp => data.push(("serial", certificate.serial_hex())),
            _ => {}
        }
    }
}

/// Some 40 checks explain an honest chain; the bound is for the others.
const MAX_EVENTS: usize = 1_000;
