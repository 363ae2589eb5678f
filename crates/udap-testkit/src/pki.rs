//! A community's certificates: a root, an issuing CA, and whichever members a test needs.

use crate::{DAY, NOW};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Mutex;
use udap_pki::issue::{
    self, CertificateSpec, CrlEntry, CrlSpec, Issuer, Names, Profile, RevocationReason,
    SignatureAlgorithm, Subject, Urls,
};
use udap_pki::{Anchor, Certificate, KeyKind, Revocation, UnixTime, pem};
use udap_proto::jws::Unsigned;
use udap_trust::keys::{KeyType, generate};
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::verify::CommunityTrust;

/// A root and an issuing CA (both P-256), valid around [`NOW`].
#[derive(Debug)]
pub struct TestPki {
    community: String,
    root: Authority,
    issuing: Authority,
    publication: Option<String>,
    revoked: Mutex<BTreeSet<Vec<u8>>>,
}

#[derive(Debug)]
struct Authority {
    certificate: Certificate,
    signer: KeySigner,
}

impl TestPki {
    /// A community without CRLs: [`Self::trust`] does not look at revocation.
    #[must_use]
    pub fn new(community: &str) -> Self {
        Self::make(community, None)
    }

    /// A community whose certificates name CRLs below this URL, which a test serves with
    /// [`Self::publish`]: [`Self::trust`] requires revocation to be known.
    #[must_use]
    pub fn publishing_at(community: &str, url: &str) -> Self {
        Self::make(community, Some(url.to_owned()))
    }

    fn make(community: &str, publication: Option<String>) -> Self {
        let crl = |name: &str| {
            let url = publication
                .as_ref()
                .map(|base| format!("{base}/{name}.crl"));
            url.into_iter().collect()
        };
        let root_signer = signer(KeyType::P256);
        let root = Authority {
            certificate: sign(
                &CertificateSpec {
                    profile: Profile::Root,
                    serial: &random::bytes::<18>(),
                    subject: &Subject::named(named("Root", community)),
                    spki_der: root_signer.public_key().spki_der(),
                    issuer: Issuer::SelfSigned,
                    not_before: NOW.plus_secs(-1000 * DAY),
                    not_after: NOW.plus_secs(2000 * DAY),
                    names: Names::default(),
                    urls: Urls::default(),
                    extensions: &[],
                    algorithm: algorithm(&root_signer),
                },
                &root_signer,
            ),
            signer: root_signer,
        };
        let signer = signer(KeyType::P256);
        let certificate = sign(
            &CertificateSpec {
                profile: Profile::IssuingCa,
                serial: &random::bytes::<18>(),
                subject: &Subject::named(named("Issuing CA", community)),
                spki_der: signer.public_key().spki_der(),
                issuer: Issuer::Certificate(&root.certificate),
                not_before: NOW.plus_secs(-900 * DAY),
                not_after: NOW.plus_secs(1000 * DAY),
                names: Names::default(),
                urls: Urls {
                    crl: crl("root"),
                    ..Urls::default()
                },
                extensions: &[],
                algorithm: algorithm(&root.signer),
            },
            &root.signer,
        );
        Self {
            community: community.to_owned(),
            root,
            issuing: Authority {
                certificate,
                signer,
            },
            publication,
            revoked: Mutex::default(),
        }
    }

    /// The community's URI.
    #[must_use]
    pub fn community(&self) -> &str {
        &self.community
    }

    /// The root.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        Anchor::new(self.root.certificate.clone())
    }

    /// The issuing CA.
    #[must_use]
    pub const fn issuing_ca(&self) -> &Certificate {
        &self.issuing.certificate
    }

    /// What a client or server is told about this community.
    #[must_use]
    pub fn trust(&self) -> CommunityTrust {
        let mut trust = CommunityTrust::new(&self.community, vec![self.anchor()]);
        if self.publication.is_none() {
            trust.policy.revocation = Revocation::Off;
        }
        trust
    }

    /// An app with this URI and a P-256 key.
    #[must_use]
    pub fn leaf(&self, uri: &str) -> Member {
        self.member(uri).issue()
    }

    /// A data holder with this FHIR base URL and an RSA key, as metadata needs.
    #[must_use]
    pub fn data_holder(&self, base_url: &str) -> Member {
        let builder = self.member(base_url).profile(Profile::DataHolder);
        builder.key(KeyType::Rsa2048).issue()
    }

    /// A member to be described further.
    #[must_use]
    pub fn member(&self, uri: &str) -> MemberBuilder<'_> {
        MemberBuilder {
            pki: self,
            profile: Profile::App,
            uris: vec![uri.to_owned()],
            key: KeyType::P256,
            not_before: NOW.plus_secs(-DAY),
            not_after: NOW.plus_secs(90 * DAY),
        }
    }

    /// Revokes a member's certificate; the next CRL says so.
    pub fn revoke(&self, member: &Member) {
        let serial = member.leaf().serial().to_vec();
        self.revoked.lock().unwrap().insert(serial);
    }

    /// What is published at a path: `/root.crl` or `/issuing.crl`, good for a day.
    #[must_use]
    pub fn publish(&self, path: &str) -> Option<Vec<u8>> {
        match path {
            "/root.crl" => Some(self.crl(&self.root, &[])),
            "/issuing.crl" => {
                let revoked = self.revoked.lock().unwrap();
                let entries: Vec<_> = revoked
                    .iter()
                    .map(|serial| CrlEntry {
                        serial: serial.clone(),
                        revoked_at: NOW.plus_secs(-60),
                        reason: RevocationReason::KeyCompromise,
                    })
                    .collect();
                Some(self.crl(&self.issuing, &entries))
            }
            _ => None,
        }
    }

    fn crl(&self, authority: &Authority, entries: &[CrlEntry]) -> Vec<u8> {
        let to_be_signed = issue::crl(&CrlSpec {
            issuer: &authority.certificate,
            number: 1,
            this_update: NOW.plus_secs(-60),
            next_update: NOW.plus_secs(DAY),
            entries,
            algorithm: algorithm(&authority.signer),
        })
        .unwrap();
        let scheme = to_be_signed.algorithm().scheme();
        let signature = authority.signer.sign_now(scheme, to_be_signed.bytes());
        to_be_signed.finish(&signature.unwrap()).unwrap()
    }
}

/// A member that is being described.
#[derive(Debug)]
pub struct MemberBuilder<'a> {
    pki: &'a TestPki,
    profile: Profile,
    uris: Vec<String>,
    key: KeyType,
    not_before: UnixTime,
    not_after: UnixTime,
}

impl MemberBuilder<'_> {
    /// What the certificate is for; an app otherwise.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// A further URI name.
    #[must_use]
    pub fn uri(mut self, uri: &str) -> Self {
        self.uris.push(uri.to_owned());
        self
    }

    /// Which kind of key; P-256 otherwise.
    #[must_use]
    pub const fn key(mut self, key: KeyType) -> Self {
        self.key = key;
        self
    }

    /// From and until when it is valid, in seconds from [`NOW`].
    #[must_use]
    pub const fn valid(mut self, from: i64, until: i64) -> Self {
        self.not_before = UnixTime(NOW.0 + from);
        self.not_after = UnixTime(NOW.0 + until);
        self
    }

    /// One that expired an hour ago.
    #[must_use]
    pub const fn expired(self) -> Self {
        self.valid(-30 * DAY, -3600)
    }

    /// Issues the certificate.
    #[must_use]
    pub fn issue(self) -> Member {
        let key = generate(self.key).unwrap();
        let signer = KeySigner::from_pkcs8(&key).unwrap();
        let issuing = &self.pki.issuing;
        let crl = self.pki.publication.as_ref();
        let certificate = sign(
            &CertificateSpec {
                profile: self.profile,
                serial: &random::bytes::<18>(),
                subject: &Subject::named("Test member"),
                spki_der: signer.public_key().spki_der(),
                issuer: Issuer::Certificate(&issuing.certificate),
                not_before: self.not_before,
                not_after: self.not_after,
                names: Names {
                    uris: self.uris,
                    ..Names::default()
                },
                urls: Urls {
                    crl: crl
                        .map(|url| format!("{url}/issuing.crl"))
                        .into_iter()
                        .collect(),
                    ..Urls::default()
                },
                extensions: &[],
                algorithm: algorithm(&issuing.signer),
            },
            &issuing.signer,
        );
        Member {
            chain: vec![certificate, issuing.certificate.clone()],
            signer,
            key_pem: pem::encode("PRIVATE KEY", &key),
        }
    }
}

/// A certificate of a community with its key.
#[derive(Debug, Clone)]
pub struct Member {
    /// Leaf first, then the issuing CA.
    pub chain: Vec<Certificate>,
    /// The leaf's key.
    pub signer: KeySigner,
    /// The same as a PKCS#8 file.
    pub key_pem: String,
}

impl Member {
    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        self.chain.first().unwrap()
    }

    /// The chain as a PEM file.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::to_pem).collect()
    }

    /// A UDAP JWT of this member with these claims, in compact form.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_by(&self.signer, claims)
    }

    /// The same with this member's certificates, signed by another key of the same kind.
    #[must_use]
    pub fn sign_by(&self, signer: &KeySigner, claims: &Value) -> String {
        let alg = signer.jws_alg();
        let claims: &Map<String, Value> = claims.as_object().unwrap();
        let unsigned = Unsigned::with_x5c(alg, &self.chain, claims);
        let signature = signer.sign_now(alg.scheme(), unsigned.signing_input());
        unsigned.with_signature(&signature.unwrap())
    }
}

/// Communities have different names, or their certificates would seem to be each other's.
fn named(role: &str, community: &str) -> String {
    format!(
        "{role} of {}",
        community.chars().take(40).collect::<String>()
    )
}

fn signer(kind: KeyType) -> KeySigner {
    KeySigner::from_pkcs8(&generate(kind).unwrap()).unwrap()
}

fn algorithm(signer: &KeySigner) -> SignatureAlgorithm {
    match signer.public_key().kind() {
        KeyKind::P256 => SignatureAlgorithm::EcdsaP256Sha256,
        KeyKind::P384 => SignatureAlgorithm::EcdsaP384Sha384,
        _ => SignatureAlgorithm::RsaPkcs1Sha256,
    }
}

pub(crate) fn sign(spec: &CertificateSpec<'_>, signer: &KeySigner) -> Certificate {
    let to_be_signed = issue::certificate(spec).unwrap();
    let signature = signer.sign_now(spec.algorithm.scheme(), to_be_signed.bytes());
    let der = to_be_signed.finish(&signature.unwrap()).unwrap();
    Certificate::from_der(&der).unwrap()
}
