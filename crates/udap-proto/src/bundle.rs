//! The signed bundle: what a trust community publishes about itself (its description and whom it
//! trusts), so that its members need not copy files by hand. A format of this project's own, read in
//! stages like every other JWT.
//!
//! Two may sign: who has a certificate whose one URI name is the community's, good under anchors that the
//! operator set for bundles; or who has the key that the operator pinned. A member's certificate names the
//! member and never counts.
//!
//! Not here: that a bundle is not older than the last one, which is for whoever keeps them.

use crate::claims::{ClaimError, Claims};
use crate::error::Refusal;
use crate::jws::{Jws, JwsAlg, JwsError, Signer, Unsigned};
use serde_json::{Map, Value};
use udap_pki::{Certificate, UnixTime, Valid, pem};

/// The declared type, without which a JWT is no bundle.
pub const TYP: &str = "udap-bundle+jwt";
/// The longest lifetime, in seconds: 90 days. Whoever can withhold newer bundles from a member can do so
/// for no longer than that.
pub const MAX_LIFETIME_SECS: i64 = 90 * 86_400;
/// The most certificates of one list.
pub const MAX_CERTIFICATES: usize = 128;
/// The largest sequence: every reader of JSON knows it exactly, and every database.
pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;

const ANCHORS: &str = "anchors";
const INTERMEDIATES: &str = "intermediates";
const CERTIFIER_ANCHORS: &str = "certifier_anchors";

/// Why a bundle was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum BundleError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("header `typ` is not `{TYP}`: this is another kind of token")]
    NotABundle,
    #[error("the verdict is about another certificate than the one that signed")]
    OtherVerdict,
    #[error("the certificate names {names:?}, and must name `{community}` and nothing else")]
    NotTheCommunity {
        community: String,
        names: Vec<String>,
    },
    #[error("it was signed by the key with the SHA-256 {found}, not by the one that is pinned")]
    OtherKey { found: String },
    #[error("its description is that of `{uri}`, but it is from `{community}`")]
    OtherCommunity { community: String, uri: String },
    #[error("`community.{key}` does not hold certificates in PEM: {why}")]
    Certificates { key: &'static str, why: String },
}

impl Refusal for BundleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::NotABundle => "not-a-bundle",
            Self::OtherVerdict => "verdict-mismatch",
            Self::NotTheCommunity { .. } => "bundle-signer-mismatch",
            Self::OtherKey { .. } => "bundle-key-mismatch",
            Self::OtherCommunity { .. } => "bundle-community-mismatch",
            Self::Certificates { .. } => "bundle-certificates",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            _ => None,
        }
    }
}

/// Who a bundle is taken from, as the operator set it.
#[derive(Debug, Clone, Copy)]
pub enum Pinned<'a> {
    /// The community by its certificate: a verdict about it, reached on anchors for bundles alone.
    Certificate(&'a Valid),
    /// A key, by the SHA-256 of its SubjectPublicKeyInfo (DER).
    Key(&'a [u8; 32]),
}

/// A bundle that its signer signed; whether the signer is the community is still open.
#[derive(Debug, Clone)]
pub struct Signed {
    compact: String,
    payload: Map<String, Value>,
    signer: Signer,
}

/// Reads a bundle and verifies its signature with the key of `x5c[0]`.
///
/// # Errors
/// [`BundleError::Jws`], [`BundleError::NotABundle`]
pub fn verify_signature(compact: &str, accepted: &[JwsAlg]) -> Result<Signed, BundleError> {
    let jws = Jws::parse(compact)?;
    let typ = jws.typ().unwrap_or_default();
    if !typ.eq_ignore_ascii_case(TYP) && !typ.eq_ignore_ascii_case("application/udap-bundle+jwt") {
        return Err(BundleError::NotABundle);
    }
    let signer = jws.verify_by_leaf(accepted)?;
    Ok(Signed {
        compact: compact.to_owned(),
        payload: jws.payload().clone(),
        signer,
    })
}

impl Signed {
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Checks it for the community that was asked: it is from whom the operator pinned, is about that
    /// community and no other, is in force, and its certificates can be read.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn verify(
        self,
        pinned: Pinned<'_>,
        community: &str,
        now: UnixTime,
    ) -> Result<Verified, BundleError> {
        let leaf = self.signer.leaf();
        match pinned {
            Pinned::Certificate(verdict) => {
                if verdict.leaf() != leaf {
                    return Err(BundleError::OtherVerdict);
                }
                // One that names others beside it could be a member's.
                if leaf.uri_names() != [community] {
                    return Err(BundleError::NotTheCommunity {
                        community: community.to_owned(),
                        names: leaf.uri_names().to_vec(),
                    });
                }
            }
            Pinned::Key(pin) => {
                let found = leaf
                    .public_key()
                    .map_err(|e| JwsError::X5cLeaf { why: e.to_string() })?;
                if found.sha256() != pin {
                    return Err(BundleError::OtherKey {
                        found: hex(found.sha256()),
                    });
                }
            }
        }
        let claims = Claims::read(&self.payload)?;
        claims.require_issuer(community)?;
        claims.require_sub_is_iss()?;
        claims.require_in_force(now, MAX_LIFETIME_SECS)?;
        let sequence = self
            .payload
            .get("sequence")
            .ok_or(ClaimError::Missing { claim: "sequence" })?
            .as_u64()
            .filter(|sequence| (1..=MAX_SEQUENCE).contains(sequence))
            .ok_or(ClaimError::Shape {
                claim: "sequence",
                expected: "a whole number from 1",
            })?;
        let description = self
            .payload
            .get("community")
            .ok_or(ClaimError::Missing { claim: "community" })?
            .as_object()
            .cloned()
            .ok_or(ClaimError::Shape {
                claim: "community",
                expected: "an object",
            })?;
        let uri = description.get("uri").and_then(Value::as_str);
        if uri != Some(community) {
            return Err(BundleError::OtherCommunity {
                community: community.to_owned(),
                uri: uri.unwrap_or_default().chars().take(200).collect(),
            });
        }
        Ok(Verified {
            sequence,
            iat: claims.iat,
            exp: claims.exp,
            anchors: certificates(&description, ANCHORS)?,
            intermediates: certificates(&description, INTERMEDIATES)?,
            certifier_anchors: certificates(&description, CERTIFIER_ANCHORS)?,
            description,
            compact: self.compact,
            community: claims.iss,
        })
    }
}

/// A list of certificates: in the bundle itself, never in files, which would be the reader's.
fn certificates(
    description: &Map<String, Value>,
    key: &'static str,
) -> Result<Vec<Certificate>, BundleError> {
    let refused = |why: String| BundleError::Certificates { key, why };
    let texts = match description.get(key) {
        None => return Ok(Vec::new()),
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        Some(Value::Array(texts)) => texts,
        Some(_) => return Err(refused("it is not a list of texts".to_owned())),
    };
    let mut all = Vec::new();
    for text in texts {
        let text = text.as_str().unwrap_or_default().trim_start();
        if !text.starts_with("-----BEGIN CERTIFICATE-----") {
            return Err(refused("one of them is no certificate".to_owned()));
        }
        all.extend(pem::certificates(text.as_bytes()).map_err(|e| refused(e.to_string()))?);
        if all.len() > MAX_CERTIFICATES {
            return Err(refused(format!(
                "more than {MAX_CERTIFICATES} are not read"
            )));
        }
    }
    Ok(all)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What the community says of itself; to be put in force if it is not older than the last one.
#[derive(Debug, Clone)]
pub struct Verified {
    community: String,
    compact: String,
    sequence: u64,
    iat: UnixTime,
    exp: UnixTime,
    description: Map<String, Value>,
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    certifier_anchors: Vec<Certificate>,
}

impl Verified {
    /// Its URI.
    #[must_use]
    pub fn community(&self) -> &str {
        &self.community
    }
    /// Rises with every bundle.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
    /// When it was signed.
    #[must_use]
    pub const fn iat(&self) -> UnixTime {
        self.iat
    }
    /// Until when it holds.
    #[must_use]
    pub const fn exp(&self) -> UnixTime {
        self.exp
    }
    /// The description as it is written, certificates included.
    #[must_use]
    pub const fn description(&self) -> &Map<String, Value> {
        &self.description
    }
    /// The rules alone: the description without its certificates, which are judged apart.
    #[must_use]
    pub fn rules(&self) -> Map<String, Value> {
        let mut rules = self.description.clone();
        for key in [ANCHORS, INTERMEDIATES, CERTIFIER_ANCHORS] {
            rules.remove(key);
        }
        rules
    }
    /// Whom the community trusts to vouch for members.
    #[must_use]
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }
    /// Certificates to build paths with, not trusted by themselves.
    #[must_use]
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }
    /// Whom the community trusts to certify apps.
    #[must_use]
    pub fn certifier_anchors(&self) -> &[Certificate] {
        &self.certifier_anchors
    }
    /// The bundle as it came, byte for byte.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.compact
    }
}

/// A bundle, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// The URI of the community.
    pub community: &'a str,
    /// Higher than that of the one before.
    pub sequence: u64,
    /// When it is signed.
    pub iat: UnixTime,
    /// Until when it holds.
    pub exp: UnixTime,
    /// Its own name.
    pub jti: &'a str,
    /// The description, certificates included, with its `uri`.
    pub description: &'a Map<String, Value>,
}

impl Bundle<'_> {
    /// The bundle, ready to be signed by the first certificate of a chain.
    #[must_use]
    pub fn unsigned(&self, alg: JwsAlg, chain: &[Certificate]) -> Unsigned {
        let mut claims = Map::new();
        claims.insert("iss".into(), self.community.into());
        claims.insert("sub".into(), self.community.into());
        claims.insert("iat".into(), self.iat.0.into());
        claims.insert("exp".into(), self.exp.0.into());
        claims.insert("jti".into(), self.jti.into());
        claims.insert("sequence".into(), self.sequence.into());
        claims.insert("community".into(), Value::Object(self.description.clone()));
        Unsigned::with_typ_and_x5c(TYP, alg, chain, &claims)
    }
}
