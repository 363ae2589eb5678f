//! Certificates, CRLs and OCSP responses with any content, right or wrong: DER by hand, signed with fresh P-256 keys.

mod ocsp;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
pub(crate) use ocsp::{OcspSpec, Says};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use udap_pki::{
    Anchor, Certificate, Crl, Evidence, OcspResponse, Outcome, Policy, Request, UnixTime, verify,
};

/// 2026-11-24T16:00:00Z, when nothing is on a boundary.
pub(crate) const NOW: UnixTime = UnixTime(1_795_536_000);
pub(crate) const DAY: i64 = 86_400;

pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        len @ 0..=0x7f => out.push(u8::try_from(len).unwrap()),
        len => {
            let bytes: Vec<u8> = len
                .to_be_bytes()
                .into_iter()
                .skip_while(|byte| *byte == 0)
                .collect();
            out.push(0x80 | u8::try_from(bytes.len()).unwrap());
            out.extend(bytes);
        }
    }
    out.extend(content);
    out
}

pub(crate) fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

/// An OBJECT IDENTIFIER from its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    tlv(
        6,
        &[const_oid::ObjectIdentifier::new_unwrap(dotted).as_bytes()],
    )
}

pub(crate) fn int(value: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = value
        .to_be_bytes()
        .into_iter()
        .skip_while(|byte| *byte == 0)
        .collect();
    if bytes.first().is_none_or(|byte| byte & 0x80 != 0) {
        bytes.insert(0, 0);
    }
    tlv(2, &[&bytes])
}

pub(crate) fn generalized(time: UnixTime) -> Vec<u8> {
    let text: String = time
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_digit())
        .collect();
    tlv(0x18, &[text.as_bytes(), b"Z"])
}

fn time(time: UnixTime) -> Vec<u8> {
    let text: String = time
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_digit())
        .collect();
    if text.as_str() < "2050" && text.as_str() >= "1950" {
        tlv(0x17, &[&text.as_bytes()[2..], b"Z"])
    } else {
        tlv(0x18, &[text.as_bytes(), b"Z"])
    }
}

/// `CN=…`, or for `O=a/CN=b` several RDNs; empty text is the empty name.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = text
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (kind, value) = part.split_once('=').unwrap_or(("CN", part));
            let kind = match kind {
                "O" => "2.5.4.10",
                "OU" => "2.5.4.11",
                "CN" => "2.5.4.3",
                "E" => "1.2.840.113549.1.9.1",
                other => panic!("no attribute {other}"),
            };
            tlv(
                0x31,
                &[&seq(&[&oid(kind), &tlv(0x0c, &[value.as_bytes()])])],
            )
        })
        .collect();
    seq(&[&rdns.concat()])
}

/// ecdsa-with-SHA256.
pub(crate) fn ecdsa_sha256() -> Vec<u8> {
    seq(&[&oid("1.2.840.10045.4.3.2")])
}

pub(crate) fn ml_dsa_spki(arc: u8, key: &[u8]) -> Vec<u8> {
    seq(&[
        &seq(&[&oid(&format!("2.16.840.1.101.3.4.3.{arc}"))]),
        &tlv(3, &[&[0], key]),
    ])
}

#[derive(Clone)]
pub(crate) struct Key {
    pair: Arc<EcdsaKeyPair>,
    pub(crate) spki: Vec<u8>,
}

impl Key {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let algorithm = seq(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]);
        let spki = seq(&[&algorithm, &tlv(3, &[&[0], pair.public_key().as_ref()])]);
        Self {
            pair: Arc::new(pair),
            spki,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .unwrap()
            .as_ref()
            .to_vec()
    }
}

/// A certificate to be. Every field may be changed before it is signed.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) serial: u64,
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) spki: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
}

static SERIAL: AtomicU64 = AtomicU64::new(0x1000);

impl Spec {
    pub(crate) fn new(subject: &str, issuer: &str, key: &Key) -> Self {
        Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            subject: name(subject),
            issuer: name(issuer),
            not_before: NOW.plus_secs(-10 * DAY),
            not_after: NOW.plus_secs(100 * DAY),
            spki: key.spki.clone(),
            algorithm: ecdsa_sha256(),
            extensions: Vec::new(),
        }
    }

    /// A CA certificate.
    pub(crate) fn ca(subject: &str, issuer: &str, key: &Key) -> Self {
        Self::new(subject, issuer, key)
            .with(basic(true, None))
            .with(key_usage(&[5, 6]))
    }

    /// A member's certificate.
    pub(crate) fn leaf(subject: &str, issuer: &str, key: &Key) -> Self {
        Self::new(subject, issuer, key)
            .with(key_usage(&[0]))
            .with(san(&[uri("https://app.example.com")]))
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn without_extensions(mut self) -> Self {
        self.extensions.clear();
        self
    }

    pub(crate) fn valid(mut self, from_days: i64, to_days: i64) -> Self {
        self.not_before = NOW.plus_secs(from_days * DAY);
        self.not_after = NOW.plus_secs(to_days * DAY);
        self
    }

    pub(crate) fn der(&self, signer: &Key) -> Vec<u8> {
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xa3, &[&seq(&[&self.extensions.concat()])])
        };
        let version = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xa0, &[&int(2)])
        };
        let tbs = seq(&[
            &version,
            &int(self.serial),
            &self.algorithm,
            &self.issuer,
            &seq(&[&time(self.not_before), &time(self.not_after)]),
            &self.subject,
            &self.spki,
            &extensions,
        ]);
        seq(&[&tbs, &self.algorithm, &tlv(3, &[&[0], &signer.sign(&tbs)])])
    }

    pub(crate) fn sign(&self, signer: &Key) -> Certificate {
        Certificate::from_der(&self.der(signer)).unwrap()
    }
}

pub(crate) fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical {
        tlv(1, &[&[0xff]])
    } else {
        Vec::new()
    };
    seq(&[&oid(id), &critical, &tlv(4, &[value])])
}

pub(crate) fn basic(ca: bool, path_len: Option<u64>) -> Vec<u8> {
    let ca = if ca { tlv(1, &[&[0xff]]) } else { Vec::new() };
    extension(
        "2.5.29.19",
        true,
        &seq(&[&ca, &path_len.map(int).unwrap_or_default()]),
    )
}

fn bits(set: &[u8]) -> Vec<u8> {
    let value = set.iter().fold(0_u16, |bits, bit| bits | (0x8000 >> bit));
    let octets = value.to_be_bytes();
    let len = if octets[1] == 0 { 1 } else { 2 };
    let unused = u8::try_from(octets[len - 1].trailing_zeros() % 8).unwrap();
    [&[unused], &octets[..len]].concat()
}

pub(crate) fn key_usage(set: &[u8]) -> Vec<u8> {
    extension("2.5.29.15", true, &tlv(3, &[&bits(set)]))
}

pub(crate) fn uri(uri: &str) -> Vec<u8> {
    tlv(0x86, &[uri.as_bytes()])
}

pub(crate) fn dns(host: &str) -> Vec<u8> {
    tlv(0x82, &[host.as_bytes()])
}

pub(crate) fn email(mailbox: &str) -> Vec<u8> {
    tlv(0x81, &[mailbox.as_bytes()])
}

pub(crate) fn ip(octets: &[u8]) -> Vec<u8> {
    tlv(0x87, &[octets])
}

pub(crate) fn directory(text: &str) -> Vec<u8> {
    tlv(0xa4, &[&name(text)])
}

pub(crate) fn other_name() -> Vec<u8> {
    tlv(0xa0, &[&oid("1.2.3.4"), &tlv(0xa0, &[&int(1)])])
}

pub(crate) fn san(names: &[Vec<u8>]) -> Vec<u8> {
    extension("2.5.29.17", false, &seq(&[&names.concat()]))
}

pub(crate) fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
    let trees = |tag, list: &[Vec<u8>]| {
        let inside: Vec<Vec<u8>> = list.iter().map(|base| seq(&[base])).collect();
        if list.is_empty() {
            Vec::new()
        } else {
            tlv(tag, &[&inside.concat()])
        }
    };
    extension(
        "2.5.29.30",
        true,
        &seq(&[&trees(0xa0, permitted), &trees(0xa1, excluded)]),
    )
}

pub(crate) fn extended_key_usage(ids: &[&str]) -> Vec<u8> {
    let ids: Vec<Vec<u8>> = ids.iter().map(|id| oid(id)).collect();
    extension("2.5.29.37", false, &seq(&[&ids.concat()]))
}

pub(crate) fn policies(ids: &[&str]) -> Vec<u8> {
    let ids: Vec<Vec<u8>> = ids.iter().map(|id| seq(&[&oid(id)])).collect();
    extension("2.5.29.32", false, &seq(&[&ids.concat()]))
}

pub(crate) fn policy_mappings(pairs: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Vec<Vec<u8>> = pairs
        .iter()
        .map(|(from, to)| seq(&[&oid(from), &oid(to)]))
        .collect();
    extension("2.5.29.33", true, &seq(&[&pairs.concat()]))
}

pub(crate) fn require_explicit_policy(skip: u8) -> Vec<u8> {
    extension("2.5.29.36", true, &seq(&[&tlv(0x80, &[&[skip]])]))
}

pub(crate) fn key_id(id: &[u8]) -> Vec<u8> {
    extension("2.5.29.14", false, &tlv(4, &[id]))
}

pub(crate) fn authority_key_id(id: &[u8]) -> Vec<u8> {
    extension("2.5.29.35", false, &seq(&[&tlv(0x80, &[id])]))
}

/// A distribution point: names, reasons (bits of ReasonFlags), cRLIssuer.
pub(crate) fn point(
    names: &[Vec<u8>],
    reasons: Option<&[u8]>,
    crl_issuer: Option<&str>,
) -> Vec<u8> {
    let names = if names.is_empty() {
        Vec::new()
    } else {
        tlv(0xa0, &[&tlv(0xa0, &[&names.concat()])])
    };
    let reasons = reasons
        .map(|set| tlv(0x81, &[&bits(set)]))
        .unwrap_or_default();
    let issuer = crl_issuer
        .map(|text| tlv(0xa2, &[&directory(text)]))
        .unwrap_or_default();
    seq(&[&names, &reasons, &issuer])
}

pub(crate) fn crl_points(points: &[Vec<u8>]) -> Vec<u8> {
    extension("2.5.29.31", false, &seq(&[&points.concat()]))
}

pub(crate) fn crl_url(url: &str) -> Vec<u8> {
    crl_points(&[point(&[uri(url)], None, None)])
}

pub(crate) fn authority_info(ca_issuers: Option<&str>, ocsp: Option<&str>) -> Vec<u8> {
    let access = |id, url: Option<&str>| {
        url.map(|url| seq(&[&oid(id), &uri(url)]))
            .unwrap_or_default()
    };
    let value = seq(&[
        &access("1.3.6.1.5.5.7.48.2", ca_issuers),
        &access("1.3.6.1.5.5.7.48.1", ocsp),
    ]);
    extension("1.3.6.1.5.5.7.1.1", false, &value)
}

pub(crate) fn ocsp_no_check() -> Vec<u8> {
    extension("1.3.6.1.5.5.7.48.1.5", false, &[5, 0])
}

/// A CRL to be.
#[derive(Clone)]
pub(crate) struct CrlSpec {
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: UnixTime,
    pub(crate) next_update: Option<UnixTime>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl CrlSpec {
    pub(crate) fn new(issuer: &str, number: u64) -> Self {
        Self {
            issuer: name(issuer),
            this_update: NOW.plus_secs(-DAY),
            next_update: Some(NOW.plus_secs(DAY)),
            algorithm: ecdsa_sha256(),
            entries: Vec::new(),
            extensions: vec![extension("2.5.29.20", false, &int(number))],
        }
    }

    pub(crate) fn revoke(self, serial: u64) -> Self {
        self.revoke_with(serial, &[])
    }

    /// An entry with a reason.
    pub(crate) fn revoke_for(self, serial: u64, reason: u8) -> Self {
        self.revoke_with(
            serial,
            &[extension("2.5.29.21", false, &tlv(0x0a, &[&[reason]]))],
        )
    }

    pub(crate) fn revoke_with(mut self, serial: u64, extensions: &[Vec<u8>]) -> Self {
        let extensions = if extensions.is_empty() {
            Vec::new()
        } else {
            seq(&[&extensions.concat()])
        };
        self.entries.push(seq(&[
            &int(serial),
            &time(NOW.plus_secs(-2 * DAY)),
            &extensions,
        ]));
        self
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn dates(mut self, this_days: i64, next_days: i64) -> Self {
        self.this_update = NOW.plus_secs(this_days * DAY);
        self.next_update = Some(NOW.plus_secs(next_days * DAY));
        self
    }

    pub(crate) fn der(&self, signer: &Key) -> Vec<u8> {
        let entries = if self.entries.is_empty() {
            Vec::new()
        } else {
            seq(&[&self.entries.concat()])
        };
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xa0, &[&seq(&[&self.extensions.concat()])])
        };
        let tbs = seq(&[
            &int(1),
            &self.algorithm,
            &self.issuer,
            &time(self.this_update),
            &self.next_update.map(time).unwrap_or_default(),
            &entries,
            &extensions,
        ]);
        seq(&[&tbs, &self.algorithm, &tlv(3, &[&[0], &signer.sign(&tbs)])])
    }

    pub(crate) fn sign(&self, signer: &Key) -> Arc<Crl> {
        Arc::new(Crl::from_der(&self.der(signer)).unwrap())
    }
}

/// `issuingDistributionPoint`: names, flag tags that are set (1 user, 2 CA, 4 indirect, 5 attribute), reasons.
pub(crate) fn issuing_point(names: &[Vec<u8>], flags: &[u8], reasons: Option<&[u8]>) -> Vec<u8> {
    let names = if names.is_empty() {
        Vec::new()
    } else {
        tlv(0xa0, &[&tlv(0xa0, &[&names.concat()])])
    };
    let flag = |tag: u8| {
        if flags.contains(&tag) {
            tlv(0x80 | tag, &[&[0xff]])
        } else {
            Vec::new()
        }
    };
    let reasons = reasons
        .map(|set| tlv(0x83, &[&bits(set)]))
        .unwrap_or_default();
    extension(
        "2.5.29.28",
        true,
        &seq(&[&names, &flag(1), &flag(2), &reasons, &flag(4), &flag(5)]),
    )
}

pub(crate) fn delta_of(base: u64) -> Vec<u8> {
    extension("2.5.29.27", true, &int(base))
}

pub(crate) fn certificate_issuer(text: &str) -> Vec<u8> {
    extension("2.5.29.29", true, &seq(&[&directory(text)]))
}

/// Root, intermediate, leaf; each key at hand.
pub(crate) struct Chain {
    pub(crate) root_key: Key,
    pub(crate) ca_key: Key,
    pub(crate) leaf_key: Key,
    pub(crate) root: Certificate,
    pub(crate) ca: Certificate,
    pub(crate) leaf: Certificate,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self::with(|_, spec| spec)
    }

    /// Each certificate may be changed: 0 is the leaf, 1 the CA, 2 the root.
    pub(crate) fn with(change: impl Fn(u8, Spec) -> Spec) -> Self {
        let (root_key, ca_key, leaf_key) = (Key::new(), Key::new(), Key::new());
        let root = change(2, Spec::ca("Root", "Root", &root_key)).sign(&root_key);
        let ca = change(1, Spec::ca("CA", "Root", &ca_key)).sign(&root_key);
        let leaf = change(0, Spec::leaf("Leaf", "CA", &leaf_key)).sign(&ca_key);
        Self {
            root_key,
            ca_key,
            leaf_key,
            root,
            ca,
            leaf,
        }
    }

    pub(crate) fn serial(certificate: &Certificate) -> u64 {
        certificate
            .serial()
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }

    /// Judged with its own CA and root.
    pub(crate) fn judge(&self, policy: &Policy, evidence: &Evidence) -> Outcome {
        judge(
            &self.leaf,
            &[self.ca.clone()],
            &[self.root.clone()],
            evidence,
            policy,
        )
    }

    /// Current CRLs of both CAs that revoke nobody.
    pub(crate) fn crls(&self) -> [Arc<Crl>; 2] {
        [
            CrlSpec::new("Root", 1).sign(&self.root_key),
            CrlSpec::new("CA", 1).sign(&self.ca_key),
        ]
    }
}

pub(crate) fn judge(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchors: &[Certificate],
    evidence: &Evidence,
    policy: &Policy,
) -> Outcome {
    let anchors: Vec<Anchor> = anchors.iter().cloned().map(Anchor::new).collect();
    verify(&Request {
        leaf,
        intermediates,
        anchors: &anchors,
        evidence,
        now: NOW,
        policy,
    })
}

pub(crate) fn evidence(crls: impl IntoIterator<Item = Arc<Crl>>) -> Evidence {
    let mut evidence = Evidence::default();
    crls.into_iter().for_each(|crl| evidence.add_crl(crl));
    evidence
}

/// The code of a refusal; `accepted` or `incomplete` otherwise.
pub(crate) fn code(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Valid(_) => "accepted",
        Outcome::Incomplete(_) => "incomplete",
        Outcome::Invalid(invalid) => {
            let reason = &invalid.reason;
            assert!(
                udap_pki::explanation(reason.code()).is_some(),
                "{} is not explained",
                reason.code()
            );
            assert!(
                !reason.hint().is_empty()
                    && !reason.section().is_empty()
                    && !reason.to_string().is_empty()
            );
            reason.code()
        }
    }
}
