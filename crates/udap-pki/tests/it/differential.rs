//! The same chains before this engine, rustls-webpki and `openssl verify`. Chains are generated with every feature
//! alone and in combinations, by rcgen and by hand, and then mutated byte by byte. Where the engines disagree,
//! `tests/differences.md` must say why; and what it says must still be so.

mod judges;

use crate::forge::{
    Key, NOW, Spec, basic, directory, dns, ecdsa_sha256, email, extended_key_usage, extension, ip,
    key_usage, name_constraints, oid, policies, require_explicit_policy, san, seq, tlv, uri,
};
use judges::{Difference, by_openssl, by_webpki, differences, explained, has_openssl, ours};
use rustls_pki_types::{CertificateDer, UnixTime as PkiTime};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use udap_pki::{
    Anchor, Certificate, Evidence, Outcome, Policy, Purpose, Request, Revocation, pem,
    verify_offline,
};

const DIFFERENCES: &str = include_str!("../differences.md");

/// CAs with some features, and leaves below them with some more.
struct Family {
    features: Vec<&'static str>,
    anchor: Vec<u8>,
    intermediates: Vec<Vec<u8>>,
    leaves: Vec<Leaf>,
}

struct Leaf {
    features: Vec<&'static str>,
    der: Vec<u8>,
}

impl Family {
    /// The leaf, what is between, and the anchor: all that a disagreement needs to be seen again.
    fn to_pem(&self, leaf: &Leaf) -> String {
        let rest = self.intermediates.iter().chain([&self.anchor]);
        let all = std::iter::once(&leaf.der).chain(rest);
        all.map(|der| pem::encode("CERTIFICATE", der)).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Accept,
    Refuse,
}

/// What a chain can have that is not plain; each once alone, then in combinations.
const CA_FEATURES: &[&str] = &[
    "anchor-expired",
    "anchor-not-yet-valid",
    "anchor-path-length-0",
    "anchor-without-cert-sign",
    "anchor-name-constraints",
    "anchor-unknown-critical",
    "anchor-is-intermediate",
    "anchor-of-same-name",
    "ca-expired",
    "ca-not-yet-valid",
    "ca-false",
    "ca-without-basic-constraints",
    "ca-without-cert-sign",
    "ca-without-key-usage",
    "ca-unknown-critical",
    "ca-path-length-0",
    "ca-below-path-length-0",
    "ca-rolled-over",
    "ca-rolled-over-path-length-0",
    "ca-signature-broken",
    "ca-permits-dns",
    "ca-excludes-dns",
    "ca-permits-ip",
    "ca-permits-email",
    "ca-permits-uri",
    "ca-excludes-uri",
    "ca-permits-directory",
    "ca-excludes-directory",
    "ca-policy",
    "ca-policy-critical",
    "ca-requires-policy",
    "ca-extended-usage-server",
    "ca-name-in-another-case",
    "ca-name-in-another-string-type",
    "ca-cross-signed-expired",
    "ca-missing",
    "ca-surplus",
    "ca-reversed",
    "ca-key-identifier-misleads",
];

const LEAF_FEATURES: &[&str] = &[
    "leaf-expired",
    "leaf-not-yet-valid",
    "leaf-ends-now",
    "leaf-unknown-critical",
    "leaf-unknown",
    "leaf-without-key-usage",
    "leaf-without-names",
    "leaf-version-1",
    "leaf-is-ca",
    "leaf-path-length-0",
    "leaf-dns",
    "leaf-dns-elsewhere",
    "leaf-dns-wildcard",
    "leaf-dns-wildcard-elsewhere",
    "leaf-ip",
    "leaf-ip-elsewhere",
    "leaf-email",
    "leaf-email-elsewhere",
    "leaf-uri-elsewhere",
    "leaf-uri-without-host",
    "leaf-directory-elsewhere",
    "leaf-subject-elsewhere",
    "leaf-policy",
    "leaf-policy-other",
    "leaf-policy-critical",
    "leaf-signature-broken",
    "leaf-signed-by-another",
    "leaf-issuer-another",
    "leaf-algorithm-inside-differs",
    "leaf-names-twice",
    "leaf-serial-0",
    "leaf-name-constraints",
    "leaf-extended-usage-client",
    "leaf-extended-usage-server",
    "leaf-key-of-foreign-curve",
    "leaf-trailing-byte",
];

const P1: &str = "1.3.6.1.4.1.99999.1";
const P2: &str = "1.3.6.1.4.1.99999.2";

fn family(features: &[&'static str], leaves: &[Vec<&'static str>]) -> Family {
    let has = |feature: &str| features.contains(&feature);
    let (root_key, ca_key) = (Key::new(), Key::new());
    let mut root = Spec::new("O=Example/CN=Root", "O=Example/CN=Root", &root_key);
    let path_length = has("anchor-path-length-0").then_some(0);
    root =
        root.with(basic(true, path_length))
            .with(key_usage(if has("anchor-without-cert-sign") {
                &[6]
            } else {
                &[5, 6]
            }));
    if has("anchor-expired") {
        root = root.valid(-50, -1);
    }
    if has("anchor-not-yet-valid") {
        root = root.valid(1, 50);
    }
    if has("anchor-name-constraints") {
        root = root.with(name_constraints(&[dns("example.com")], &[]));
    }
    if has("anchor-unknown-critical") {
        root = root.with(extension("1.2.3.4", true, &[5, 0]));
    }

    let mut ca = Spec::new("O=Example/CN=CA", "O=Example/CN=Root", &ca_key);
    if !has("ca-without-basic-constraints") {
        let limit = has("ca-path-length-0")
            || has("ca-below-path-length-0")
            || has("ca-rolled-over-path-length-0");
        ca = ca.with(basic(
            !has("ca-false"),
            (limit && !has("ca-false")).then_some(0),
        ));
    }
    if !has("ca-without-key-usage") {
        ca = ca.with(key_usage(if has("ca-without-cert-sign") {
            &[0, 6]
        } else {
            &[5, 6]
        }));
    }
    if has("ca-expired") {
        ca = ca.valid(-50, -1);
    }
    if has("ca-not-yet-valid") {
        ca = ca.valid(1, 50);
    }
    if has("ca-unknown-critical") {
        ca = ca.with(extension("1.2.3.4", true, &[5, 0]));
    }
    let (mut permitted, mut excluded) = (Vec::new(), Vec::new());
    for (feature, base) in [
        ("ca-permits-dns", dns("example.com")),
        ("ca-permits-ip", ip(&[192, 0, 2, 0, 255, 255, 255, 0])),
        ("ca-permits-email", email("example.com")),
        ("ca-permits-uri", uri(".example.com")),
        ("ca-permits-directory", directory("O=Example")),
    ] {
        if has(feature) {
            permitted.push(base);
        }
    }
    for (feature, base) in [
        ("ca-excludes-dns", dns("example.org")),
        ("ca-excludes-uri", uri("app.example.org")),
        ("ca-excludes-directory", directory("O=Elsewhere")),
    ] {
        if has(feature) {
            excluded.push(base);
        }
    }
    if !permitted.is_empty() || !excluded.is_empty() {
        ca = ca.with(name_constraints(&permitted, &excluded));
    }
    if has("ca-policy-critical") {
        ca = ca.with(extension("2.5.29.32", true, &seq(&[&seq(&[&oid(P1)])])));
    } else if has("ca-policy") {
        ca = ca.with(policies(&[P1]));
    }
    if has("ca-requires-policy") {
        ca = ca.with(require_explicit_policy(0));
    }
    if has("ca-extended-usage-server") {
        ca = ca.with(extended_key_usage(&["1.3.6.1.5.5.7.3.1"]));
    }
    if has("ca-key-identifier-misleads") {
        ca = ca.with(crate::forge::key_id(&[7; 20]));
    }
    // What the certificates below write as the CA's name.
    let mut ca_name = "O=Example/CN=CA";
    if has("ca-name-in-another-case") {
        ca_name = "O=eXample/CN=ca";
    }
    if has("ca-name-in-another-string-type") {
        ca.subject = printable(&["2.5.4.10", "2.5.4.3"], &["Example", "CA"]);
    }
    let mut ca_der = ca.der(&root_key);
    if has("ca-signature-broken") {
        break_last_byte(&mut ca_der);
    }
    let mut intermediates = vec![ca_der.clone()];

    // More CAs below.
    let (mut signer, mut issuer) = (ca_key.clone(), ca_name);
    if has("ca-below-path-length-0") {
        let key = Key::new();
        intermediates.push(Spec::ca("O=Example/CN=Sub", issuer, &key).der(&signer));
        (signer, issuer) = (key, "O=Example/CN=Sub");
    }
    if has("ca-rolled-over") || has("ca-rolled-over-path-length-0") {
        let key = Key::new();
        let mut rolled = Spec::ca(issuer, issuer, &key);
        if has("ca-name-in-another-string-type") && issuer == ca_name {
            rolled.subject.clone_from(&ca.subject);
            rolled.issuer.clone_from(&ca.subject);
        }
        intermediates.push(rolled.der(&signer));
        signer = key;
    }
    if has("ca-cross-signed-expired") {
        let cross = Spec::ca("O=Example/CN=CA", "O=Example/CN=Other root", &ca_key).valid(-50, -1);
        intermediates.insert(0, cross.der(&Key::new()));
    }
    if has("ca-surplus") {
        let stray = Key::new();
        intermediates.insert(
            0,
            Spec::ca("O=Example/CN=CA", "O=Example/CN=Root", &stray).der(&stray),
        );
        intermediates.push(Spec::ca("O=Stray/CN=CA", "O=Stray/CN=Root", &stray).der(&stray));
    }
    if has("ca-reversed") {
        intermediates.reverse();
    }
    if has("ca-missing") {
        intermediates.retain(|der| *der != ca_der);
    }
    let root_der = root.der(&root_key);
    let anchor = if has("anchor-is-intermediate") {
        ca_der
    } else if has("anchor-of-same-name") {
        let other = Key::new();
        Spec::ca("O=Example/CN=Root", "O=Example/CN=Root", &other).der(&other)
    } else {
        root_der
    };
    let leaves = leaves
        .iter()
        .map(|features| leaf(features, issuer, &signer))
        .collect();
    Family {
        features: features.to_vec(),
        anchor,
        intermediates,
        leaves,
    }
}

fn leaf(features: &[&'static str], issuer: &str, signer: &Key) -> Leaf {
    let has = |feature: &str| features.contains(&feature);
    let subject = if has("leaf-subject-elsewhere") {
        "O=Elsewhere/CN=App"
    } else {
        "O=Example/CN=App"
    };
    let issuer = if has("leaf-issuer-another") {
        "O=Example/CN=Nobody"
    } else {
        issuer
    };
    let mut spec = Spec::new(subject, issuer, &Key::new());
    if has("leaf-expired") {
        spec = spec.valid(-50, -1);
    }
    if has("leaf-not-yet-valid") {
        spec = spec.valid(1, 50);
    }
    if has("leaf-ends-now") {
        spec = spec.valid(-50, 0);
    }
    if has("leaf-serial-0") {
        spec.serial = 0;
    }
    if has("leaf-key-of-foreign-curve") {
        let algorithm = seq(&[&oid("1.2.840.10045.2.1"), &oid("1.3.132.0.10")]);
        spec.spki = seq(&[&algorithm, &tlv(3, &[&[0], K256_POINT])]);
    }
    if !has("leaf-version-1") {
        if has("leaf-is-ca") {
            spec = spec.with(basic(true, None)).with(key_usage(&[0, 5]));
        } else if !has("leaf-without-key-usage") {
            spec = spec.with(key_usage(&[0]));
        }
        if has("leaf-path-length-0") && !has("leaf-is-ca") {
            spec = spec.with(basic(false, Some(0)));
        }
        let mut names = vec![uri(if has("leaf-uri-elsewhere") {
            "https://app.example.org"
        } else {
            "https://app.example.com"
        })];
        for (feature, name) in [
            ("leaf-dns", dns("app.example.com")),
            ("leaf-dns-elsewhere", dns("app.example.org")),
            ("leaf-dns-wildcard", dns("*.example.com")),
            ("leaf-dns-wildcard-elsewhere", dns("*.example.org")),
            ("leaf-ip", ip(&[192, 0, 2, 9])),
            ("leaf-ip-elsewhere", ip(&[192, 0, 3, 9])),
            ("leaf-email", email("a@example.com")),
            ("leaf-email-elsewhere", email("a@example.org")),
            ("leaf-uri-without-host", uri("urn:uuid:0")),
            ("leaf-directory-elsewhere", directory("O=Elsewhere")),
        ] {
            if has(feature) {
                names.push(name);
            }
        }
        if !has("leaf-without-names") {
            spec = spec.with(san(&names));
        }
        if has("leaf-names-twice") {
            spec = spec
                .with(san(&[dns("app.example.com")]))
                .with(san(&[dns("app.example.com")]));
        }
        if has("leaf-unknown-critical") {
            spec = spec.with(extension("1.2.3.4", true, &[5, 0]));
        }
        if has("leaf-unknown") {
            spec = spec.with(extension("1.2.3.4", false, &[5, 0]));
        }
        if has("leaf-policy-critical") {
            spec = spec.with(extension("2.5.29.32", true, &seq(&[&seq(&[&oid(P1)])])));
        } else if has("leaf-policy") {
            spec = spec.with(policies(&[P1]));
        } else if has("leaf-policy-other") {
            spec = spec.with(policies(&[P2]));
        }
        if has("leaf-name-constraints") {
            spec = spec.with(name_constraints(&[dns("example.com")], &[]));
        }
        if has("leaf-extended-usage-client") {
            spec = spec.with(extended_key_usage(&["1.3.6.1.5.5.7.3.2"]));
        } else if has("leaf-extended-usage-server") {
            spec = spec.with(extended_key_usage(&["1.3.6.1.5.5.7.3.1"]));
        }
    }
    let signer = if has("leaf-signed-by-another") {
        &Key::new()
    } else {
        signer
    };
    let mut der = spec.der(signer);
    if has("leaf-signature-broken") {
        break_last_byte(&mut der);
    }
    if has("leaf-algorithm-inside-differs") {
        let at = der
            .windows(12)
            .position(|window| window == ecdsa_sha256())
            .unwrap();
        der[at + 11] = 3;
    }
    if has("leaf-trailing-byte") {
        der.push(0);
    }
    Leaf {
        features: features.to_vec(),
        der,
    }
}

fn printable(types: &[&str], values: &[&str]) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = types
        .iter()
        .zip(values)
        .map(|(id, value)| tlv(0x31, &[&seq(&[&oid(id), &tlv(0x13, &[value.as_bytes()])])]))
        .collect();
    seq(&[&rdns.concat()])
}

fn break_last_byte(der: &mut [u8]) {
    *der.last_mut().unwrap() ^= 1;
}

/// The generator of secp256k1, a point that exists.
const K256_POINT: &[u8] = &[
    4, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b,
    0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17,
    0x98, 0x48, 0x3a, 0xda, 0x77, 0x26, 0xa3, 0xc4, 0x65, 0x5d, 0xa4, 0xfb, 0xfc, 0x0e, 0x11, 0x08,
    0xa8, 0xfd, 0x17, 0xb4, 0x48, 0xa6, 0x85, 0x54, 0x19, 0x9c, 0x47, 0xd0, 0x8f, 0xfb, 0x10, 0xd4,
    0xb8,
];

struct Comparison {
    known: Vec<Difference>,
    chains: usize,
    accepted: usize,
    /// What is disagreed about, with the first chain of each: keys differ from run to run.
    unexplained: BTreeMap<String, String>,
    openssl: bool,
}

impl Comparison {
    fn new() -> Self {
        Self {
            known: differences(),
            chains: 0,
            accepted: 0,
            unexplained: BTreeMap::new(),
            openssl: has_openssl(),
        }
    }

    fn judge(&mut self, family: &Family, folder: &Path) {
        let openssl = if self.openssl {
            by_openssl(family, folder)
        } else {
            Vec::new()
        };
        for (at, leaf) in family.leaves.iter().enumerate() {
            self.chains += 1;
            let verdict = ours(family, leaf);
            self.accepted += usize::from(verdict == Verdict::Accept);
            let features = [family.features.as_slice(), leaf.features.as_slice()].concat();
            let others = [
                Some(("webpki", by_webpki(family, leaf))),
                openssl.get(at).map(|other| ("openssl", *other)),
            ];
            for (judge, other) in others.into_iter().flatten() {
                if verdict != other && !explained(&self.known, judge, &features, verdict) {
                    let what = format!(
                        "{judge} says {other:?}, we say {verdict:?}: {}",
                        features.join("+")
                    );
                    let chain = || family.to_pem(leaf);
                    self.unexplained.entry(what).or_insert_with(chain);
                }
            }
        }
    }

    fn finish(self, at_least: usize) {
        assert!(self.chains >= at_least, "only {} chains", self.chains);
        assert!(
            self.accepted > self.chains / 20,
            "only {} of {} accepted",
            self.accepted,
            self.chains
        );
        self.none_unexplained();
    }

    fn none_unexplained(&self) {
        let told = self.unexplained.iter();
        let told: Vec<_> = told
            .map(|(what, chain)| format!("{what}\n{chain}"))
            .collect();
        assert!(
            told.is_empty(),
            "of {} chains:\n{}",
            self.chains,
            told.join("\n")
        );
    }
}

/// Every choice comes from here, so that a failure can be seen again.
struct Choices(u64);

impl Choices {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn some(&mut self, from: &[&'static str], most: usize) -> Vec<&'static str> {
        let count = self.next(most + 1);
        let chosen: BTreeSet<&'static str> =
            (0..count).map(|_| from[self.next(from.len())]).collect();
        chosen.into_iter().collect()
    }
}

#[test]
fn every_feature_alone_and_every_pair_across() {
    let folder = folder("alone");
    let mut comparison = Comparison::new();
    let mut leaves: Vec<Vec<&'static str>> = vec![Vec::new()];
    leaves.extend(LEAF_FEATURES.iter().map(|feature| vec![*feature]));
    comparison.judge(&family(&[], &leaves), &folder.0);
    for feature in CA_FEATURES {
        comparison.judge(&family(&[*feature], &leaves), &folder.0);
    }
    comparison.finish(1_400);
}

#[test]
fn combinations() {
    let folder = folder("combinations");
    let mut comparison = Comparison::new();
    let mut choices = Choices(0x9e37_79b9_7f4a_7c15);
    for _ in 0..120 {
        let features = choices.some(CA_FEATURES, 3);
        let leaves: Vec<Vec<&'static str>> =
            (0..20).map(|_| choices.some(LEAF_FEATURES, 2)).collect();
        comparison.judge(&family(&features, &leaves), &folder.0);
    }
    comparison.finish(2_400);
}

const MUTATED: &str = "mutated";

#[test]
fn mutations() {
    let folder = folder("mutations");
    let mut comparison = Comparison::new();
    let mut choices = Choices(0x2545_f491_4f6c_dd1d);
    for round in 0..40 {
        // Families of rcgen and of our own, by turns.
        let mut family = if round % 2 == 0 {
            family(&[], &[vec![]])
        } else {
            of_rcgen()
        };
        family.features.push(MUTATED);
        let original = family.leaves[0].der.clone();
        for at in 0..40 {
            let mut der = original.clone();
            let place = choices.next(der.len());
            match at % 4 {
                0 => der[place] ^= 1 << choices.next(8),
                1 => der[place] = u8::try_from(choices.next(256)).unwrap(),
                2 => drop(der.remove(place)),
                _ => der.insert(place, u8::try_from(choices.next(256)).unwrap()),
            }
            family.leaves.push(Leaf {
                features: Vec::new(),
                der,
            });
        }
        // And a mutated intermediate under a plain leaf.
        if round % 4 >= 2 {
            let place = choices.next(family.intermediates[0].len());
            family.intermediates[0][place] ^= 1 << choices.next(8);
            family.leaves.truncate(1);
        }
        comparison.judge(&family, &folder.0);
    }
    assert!(comparison.chains > 800);
    assert!(comparison.accepted >= 20, "{}", comparison.accepted);
    comparison.none_unexplained();
}

/// What the file says must still be so: a chain with these features and no others.
#[test]
fn every_known_difference_still_exists() {
    let folder = folder("known");
    let openssl = has_openssl();
    for difference in differences() {
        if difference.judge == "openssl" && !openssl {
            continue;
        }
        let split = |all: &[&'static str]| -> Vec<&'static str> {
            difference
                .features
                .iter()
                .filter(|feature| all.contains(feature))
                .copied()
                .collect()
        };
        let family = family(&split(CA_FEATURES), &[split(LEAF_FEATURES)]);
        let verdict = ours(&family, &family.leaves[0]);
        let other = match difference.judge {
            "webpki" => by_webpki(&family, &family.leaves[0]),
            _ => by_openssl(&family, &folder.0)[0],
        };
        let what = difference.features.join("+");
        assert_eq!(
            verdict, difference.ours,
            "our verdict on {what} is another than the file says"
        );
        assert_ne!(
            verdict, other,
            "{} agrees about {what}: the file is out of date",
            difference.judge
        );
    }
}

fn of_rcgen() -> Family {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
        SanType,
    };
    let key = || KeyPair::generate().unwrap();
    let (root_key, ca_key, leaf_key) = (key(), key(), key());
    let params = |name: &str, is_ca: bool| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        } else {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.subject_alt_names =
                vec![SanType::URI("https://app.example.com".try_into().unwrap())];
        }
        params
    };
    let (root, ca) = (params("Root", true), params("CA", true));
    let anchor = root.self_signed(&root_key).unwrap().der().to_vec();
    let intermediate = ca
        .signed_by(&ca_key, &Issuer::from_params(&root, &root_key))
        .unwrap()
        .der()
        .to_vec();
    let leaf = params("App", false)
        .signed_by(&leaf_key, &Issuer::from_params(&ca, &ca_key))
        .unwrap()
        .der()
        .to_vec();
    let leaf = Leaf {
        features: Vec::new(),
        der: leaf,
    };
    Family {
        features: Vec::new(),
        anchor,
        intermediates: vec![intermediate],
        leaves: vec![leaf],
    }
}

/// A folder for the files that OpenSSL reads; gone when the test is over.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    let folder = std::env::temp_dir().join(format!(
        "udap-pki-differential-{}-{name}",
        std::process::id()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    Folder(folder)
}
