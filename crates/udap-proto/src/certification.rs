//! Certifications and endorsements: what somebody says about an app, or an app about itself (UDAP
//! Certifications and Endorsements for Client Applications §§2–4), in three stages like a statement.

mod address;
mod definition;
mod draft;
mod limits;
mod redirect;
mod restrictions;

pub use address::AddressRange;
pub use definition::{Answer, Definition, DefinitionError, Need, Question, SignedBy};
pub use draft::{Certifier, Draft, DraftError};
pub use limits::RequestLimits;
pub use redirect::RedirectPattern;
pub use restrictions::{Mismatch, Restrictions};

use crate::claims::{ClaimError, Claims, text};
use crate::error::Refusal;
use crate::jwk::JwkError;
use crate::jws::{Jws, JwsAlg, JwsError, Signer};
use crate::registration::ClientMetadata;
use restrictions::texts;
use serde_json::{Map, Value};
use std::net::IpAddr;
use udap_pki::{Certificate, PublicKey, UnixTime, Valid};
use url::Url;

/// The longest lifetime, in seconds: three years, one of them a leap year (§2).
pub const MAX_LIFETIME_SECS: i64 = (3 * 365 + 1) * 86_400;

/// The claims that nothing but a certification has.
const OWN_CLAIMS: [&str; 5] = [
    "certification_name",
    "certification_issuer",
    "certification_uris",
    "certification_status_endpoint",
    "is_endorsement",
];

/// Whether these claims are a certification's. A self-signed one has the issuer, subject and
/// parameters of a software statement, may name the same audience and may be as short-lived, so only
/// these members tell the two apart.
#[must_use]
pub(crate) fn is_one(payload: &Map<String, Value>) -> bool {
    OWN_CLAIMS.iter().any(|claim| payload.contains_key(*claim))
}

/// Why a certification was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum CertificationError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("claim `iss` is `{iss}`, but the certificate names {names:?}")]
    NotInCertificate { iss: String, names: Vec<String> },
    #[error("the verdict is about another certificate than the one that signed")]
    OtherVerdict,
    #[error("claim `sub` is `{sub}`, but the app is `{app}`")]
    OtherApp { sub: String, app: String },
    #[error("`exp` ({exp}) is later than the end of the signer's certificate ({not_after})")]
    OutlivesSigner { exp: UnixTime, not_after: UnixTime },
    #[error("claim `{claim}` has no place here: {why}")]
    Misplaced {
        claim: &'static str,
        why: &'static str,
    },
    #[error("claim `jwks` cannot be used: {0}")]
    Keys(JwkError),
}

impl Refusal for CertificationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::NotInCertificate { .. } => "san-uri-mismatch",
            Self::OtherVerdict => "verdict-mismatch",
            Self::OtherApp { .. } => "certification-sub-mismatch",
            Self::OutlivesSigner { .. } => "certification-outlives-signer",
            Self::Misplaced { .. } => "certification-claim-misplaced",
            Self::Keys(e) => e.code(),
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            Self::NotInCertificate { iss, names } => crate::claims::nearest_name(names, iss),
            Self::OtherApp { sub, app } => crate::claims::near_miss(app, sub)
                .map(|how| format!("the two differ {how}; URIs are compared byte for byte")),
            _ => None,
        }
    }
}

/// Which of the two it is (claim `is_endorsement`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The issuer vouches for facts.
    Certification,
    /// The issuer recommends the app.
    Endorsement,
}

/// A certification that its signer signed; whether the signer is trusted is still open.
#[derive(Debug, Clone)]
pub struct Signed {
    compact: String,
    payload: Map<String, Value>,
    signer: Signer,
}

/// Reads a certification and verifies its signature with the key of `x5c[0]`.
///
/// # Errors
/// [`JwsError`]
pub fn verify_signature(compact: &str, accepted: &[JwsAlg]) -> Result<Signed, JwsError> {
    let jws = Jws::parse(compact)?;
    jws.require_plain_typ()?;
    let signer = jws.verify_by_leaf(accepted)?;
    Ok(Signed {
        compact: compact.to_owned(),
        payload: jws.payload().clone(),
        signer,
    })
}

/// Which programmes a JWT claims to be a certification of, nothing verified: one that nobody here
/// knows is not worth a look.
///
/// # Errors
/// [`JwsError`] for what is no JWT at all.
pub fn claimed_uris(compact: &str) -> Result<Vec<String>, JwsError> {
    let jws = Jws::parse(compact)?;
    let uris = jws.payload().get("certification_uris");
    let uris = uris.and_then(Value::as_array).into_iter().flatten();
    // A blank is in no URI; a network's own document has printed one behind it.
    let uris = uris.filter_map(Value::as_str).map(str::trim);
    Ok(uris.map(str::to_owned).collect())
}

impl Signed {
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Who it claims to be by, not verified: to choose whom to ask for trust, and for logs.
    #[must_use]
    pub fn claimed_iss(&self) -> &str {
        self.claimed("iss")
    }

    /// Whether it claims to be by the app that it is about, not verified.
    #[must_use]
    pub fn claims_self_signed(&self) -> bool {
        !self.claimed_iss().is_empty() && self.claimed_iss() == self.claimed("sub")
    }

    fn claimed(&self, claim: &str) -> &str {
        let text = self.payload.get(claim).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    /// Checks it against a verdict about the signer's certificate (reached among those trusted to
    /// certify) and the app that submits it, `app` being the `iss` of its software statement.
    ///
    /// # Errors
    /// [`CertificationError`]
    pub fn verify(
        self,
        verdict: &Valid,
        app: &str,
        endpoint: &str,
        now: UnixTime,
    ) -> Result<Verified, CertificationError> {
        if verdict.leaf() != self.signer.leaf() {
            return Err(CertificationError::OtherVerdict);
        }
        let claims = Claims::read(&self.payload)?;
        let names = self.signer.leaf().uri_names();
        if !names.contains(&claims.iss) {
            return Err(CertificationError::NotInCertificate {
                iss: claims.iss,
                names: names.to_vec(),
            });
        }
        // Without `aud` it is meant for every endpoint (§2).
        if !claims.aud.is_empty() {
            claims.require_audience(endpoint)?;
        }
        claims.require_in_force(now, MAX_LIFETIME_SECS)?;
        let not_after = self.signer.leaf().not_after();
        if claims.exp > not_after {
            return Err(CertificationError::OutlivesSigner {
                exp: claims.exp,
                not_after,
            });
        }
        let about = About::read(&self.payload, claims.sub == claims.iss)?;
        let restrictions = Restrictions::read(&self.payload)?;
        if claims.sub != app {
            return Err(CertificationError::OtherApp {
                sub: claims.sub,
                app: app.to_owned(),
            });
        }
        Ok(Verified {
            compact: self.compact,
            payload: self.payload,
            claims,
            about,
            restrictions,
            signer: self.signer,
        })
    }
}

/// What it says about itself (§2, table of claims).
#[derive(Debug, Clone)]
struct About {
    name: String,
    issuer: Option<String>,
    uris: Vec<String>,
    status_endpoint: Option<String>,
    kind: Kind,
}

impl About {
    fn read(payload: &Map<String, Value>, self_signed: bool) -> Result<Self, CertificationError> {
        const SELF_SIGNED: &str = "the app signed it itself";
        let optional = |claim| {
            let present = payload.contains_key(claim);
            present.then(|| text(payload, claim)).transpose()
        };
        let name = text(payload, "certification_name")?;
        let uris = texts(payload, "certification_uris")?;
        let issuer = optional("certification_issuer")?;
        let status_endpoint = optional("certification_status_endpoint")?;
        let misplaced = |claim| CertificationError::Misplaced {
            claim,
            why: SELF_SIGNED,
        };
        match (self_signed, &issuer, &uris, &status_endpoint) {
            (true, Some(_), ..) => return Err(misplaced("certification_issuer")),
            (true, _, _, Some(_)) => return Err(misplaced("certification_status_endpoint")),
            (true, _, None, _) => {
                return Err(ClaimError::Missing {
                    claim: "certification_uris",
                }
                .into());
            }
            (false, None, ..) => {
                return Err(ClaimError::Missing {
                    claim: "certification_issuer",
                }
                .into());
            }
            _ => {}
        }
        let https = |url: &String| Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        if !status_endpoint.iter().all(https) {
            return Err(ClaimError::Shape {
                claim: "certification_status_endpoint",
                expected: "an https URL",
            }
            .into());
        }
        let kind = match payload.get("is_endorsement") {
            None | Some(Value::Bool(false)) => Kind::Certification,
            Some(Value::Bool(true)) => Kind::Endorsement,
            Some(_) => {
                return Err(ClaimError::Shape {
                    claim: "is_endorsement",
                    expected: "true or false",
                }
                .into());
            }
        };
        Ok(Self {
            name,
            issuer,
            uris: uris
                .unwrap_or_default()
                .iter()
                .map(|uri| uri.trim().to_owned())
                .collect(),
            status_endpoint,
            kind,
        })
    }
}

/// A certification that holds for the app until it expires, in so far as [`Self::matches`] its
/// registration.
#[derive(Debug, Clone)]
pub struct Verified {
    compact: String,
    payload: Map<String, Value>,
    claims: Claims,
    about: About,
    restrictions: Restrictions,
    signer: Signer,
}

impl Verified {
    /// The certifier's URI: `iss`, and a name of the certificate.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.claims.iss
    }
    /// The certifier's name for people; `None` when the app signed it itself.
    #[must_use]
    pub fn issuer_name(&self) -> Option<&str> {
        self.about.issuer.as_deref()
    }
    /// Whether the app says it about itself.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        self.claims.sub == self.claims.iss
    }
    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.about.name
    }
    /// The certification programmes it is of, compared byte for byte with
    /// `udap_certifications_supported`.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.about.uris
    }
    /// Certification or endorsement.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.about.kind
    }
    /// Where its status can be asked for. What cannot be asked is not assumed to be valid (§5).
    #[must_use]
    pub fn status_endpoint(&self) -> Option<&str> {
        self.about.status_endpoint.as_deref()
    }
    /// Its registered claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
    /// What it is limited to.
    #[must_use]
    pub const fn restrictions(&self) -> &Restrictions {
        &self.restrictions
    }
    /// All claims, a programme's own among them.
    #[must_use]
    pub const fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }
    /// The certificate that signed it.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        self.signer.leaf()
    }
    /// The certification as it was submitted, byte for byte.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.compact
    }

    /// Whether it covers this registration, made with this key: otherwise it is to be rejected
    /// (§4.2).
    ///
    /// # Errors
    /// [`Mismatch`] names the first parameter that goes beyond it.
    pub fn matches(&self, metadata: &ClientMetadata, key: &PublicKey) -> Result<(), Mismatch> {
        self.restrictions.limits.check_key(key)?;
        self.restrictions.check(metadata)
    }

    /// Whether a token request with this key from this address is covered.
    ///
    /// # Errors
    /// [`Mismatch`]
    pub fn matches_request(&self, key: &PublicKey, from: IpAddr) -> Result<(), Mismatch> {
        self.restrictions.limits.check_key(key)?;
        self.restrictions.limits.check_address(Some(from))
    }
}
