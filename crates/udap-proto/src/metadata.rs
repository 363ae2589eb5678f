//! UDAP server metadata, `{base}/.well-known/udap` (HL7 SSRAA §2; UDAP Server Metadata).

use crate::claims::{ClaimError, Claims, text};
use crate::error::Refusal;
use crate::json::{self, JsonError};
use crate::jws::{Jws, JwsAlg, JwsError, Signer, Unsigned};
use serde_json::{Map, Value};
use udap_pki::{Certificate, UnixTime, Valid};

/// Where it is, behind the base URL.
pub const PATH: &str = "/.well-known/udap";
/// The longest lifetime of `signed_metadata`, in seconds (HL7 SSRAA §2.3).
pub const MAX_LIFETIME_SECS: i64 = 366 * 86_400;

const ENDPOINTS: [&str; 3] = [
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
];

/// What a server says it does, before anybody signs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// `udap_profiles_supported`
    pub profiles: Vec<&'static str>,
    /// `udap_authorization_extensions_supported`
    pub extensions_supported: Vec<String>,
    /// `udap_authorization_extensions_required`
    pub extensions_required: Vec<String>,
    /// `udap_certifications_supported`
    pub certifications_supported: Vec<String>,
    /// `udap_certifications_required`
    pub certifications_required: Vec<String>,
    /// `grant_types_supported`
    pub grant_types: Vec<&'static str>,
    /// `scopes_supported`
    pub scopes: Vec<String>,
    /// `authorization_endpoint`, only with `authorization_code`
    pub authorization_endpoint: Option<String>,
    /// `token_endpoint`
    pub token_endpoint: String,
    /// `registration_endpoint`
    pub registration_endpoint: String,
    /// `token_endpoint_auth_methods_supported`
    pub auth_methods: Vec<&'static str>,
    /// `token_endpoint_auth_signing_alg_values_supported`
    pub token_algs: Vec<JwsAlg>,
    /// `registration_endpoint_jwt_signing_alg_values_supported`
    pub registration_algs: Vec<JwsAlg>,
}

impl Metadata {
    /// The JSON form with its signed part.
    #[must_use]
    pub fn to_json(&self, signed_metadata: &str) -> Map<String, Value> {
        let algs = |algs: &[JwsAlg]| -> Value {
            algs.iter().map(|a| a.as_str()).collect::<Vec<_>>().into()
        };
        let mut map = Map::new();
        map.insert("udap_versions_supported".into(), ["1"].as_slice().into());
        map.insert(
            "udap_profiles_supported".into(),
            self.profiles.clone().into(),
        );
        let extensions = &self.extensions_supported;
        map.insert(
            "udap_authorization_extensions_supported".into(),
            extensions.clone().into(),
        );
        if !extensions.is_empty() {
            map.insert(
                "udap_authorization_extensions_required".into(),
                self.extensions_required.clone().into(),
            );
        }
        let certifications = &self.certifications_supported;
        map.insert(
            "udap_certifications_supported".into(),
            certifications.clone().into(),
        );
        if !certifications.is_empty() {
            map.insert(
                "udap_certifications_required".into(),
                self.certifications_required.clone().into(),
            );
        }
        map.insert(
            "grant_types_supported".into(),
            self.grant_types.clone().into(),
        );
        map.insert("scopes_supported".into(), self.scopes.clone().into());
        for (name, url) in self.endpoints() {
            map.insert(name.into(), url.into());
        }
        map.insert(
            "token_endpoint_auth_methods_supported".into(),
            self.auth_methods.clone().into(),
        );
        map.insert(
            "token_endpoint_auth_signing_alg_values_supported".into(),
            algs(&self.token_algs),
        );
        map.insert(
            "registration_endpoint_jwt_signing_alg_values_supported".into(),
            algs(&self.registration_algs),
        );
        map.insert("signed_metadata".into(), signed_metadata.into());
        map
    }

    /// The signed part, ready to be signed: who it is, until when it holds, and every endpoint.
    #[must_use]
    pub fn unsigned(
        &self,
        alg: JwsAlg,
        chain: &[Certificate],
        base_url: &str,
        now: UnixTime,
        exp: UnixTime,
        jti: &str,
    ) -> Unsigned {
        let mut claims = Map::new();
        claims.insert("iss".into(), base_url.into());
        claims.insert("sub".into(), base_url.into());
        claims.insert("iat".into(), now.0.into());
        claims.insert("exp".into(), exp.0.into());
        claims.insert("jti".into(), jti.into());
        for (name, url) in self.endpoints() {
            claims.insert(name.into(), url.into());
        }
        Unsigned::with_x5c(alg, chain, &claims)
    }

    fn endpoints(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let urls = [
            self.authorization_endpoint.as_deref(),
            Some(self.token_endpoint.as_str()),
            Some(self.registration_endpoint.as_str()),
        ];
        ENDPOINTS
            .into_iter()
            .zip(urls)
            .filter_map(|(name, url)| Some((name, url?)))
    }
}

/// Why metadata was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum MetadataError {
    #[error("the metadata is {0}")]
    Json(#[from] JsonError),
    #[error("the metadata has no `signed_metadata`")]
    NotSigned,
    #[error("`{member}` is missing or malformed in the metadata")]
    Member { member: &'static str },
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("the verdict is about another certificate than the one that signed")]
    OtherVerdict,
    #[error("claim `iss` is `{iss}`, but the certificate names {names:?}")]
    NotInCertificate { iss: String, names: Vec<String> },
    #[error("`{endpoint}` is `{plain}` in the plain metadata, but the signed part says {signed}")]
    Endpoint {
        endpoint: &'static str,
        plain: String,
        signed: String,
    },
}

impl Refusal for MetadataError {
    fn code(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Member { .. } => "metadata-malformed",
            Self::NotSigned => "metadata-not-signed",
            Self::Jws(e) => e.code(),
            Self::Claim(e) => e.code(),
            Self::OtherVerdict => "verdict-mismatch",
            Self::NotInCertificate { .. } => "san-uri-mismatch",
            Self::Endpoint { .. } => "metadata-endpoint-mismatch",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Claim(e) => e.hint(),
            Self::NotInCertificate { iss, names } => crate::claims::nearest_name(names, iss),
            _ => None,
        }
    }
}

/// Metadata whose signed part was signed by its signer; whether the signer is trusted is open.
#[derive(Debug, Clone)]
pub struct Signed {
    plain: Map<String, Value>,
    payload: Map<String, Value>,
    signer: Signer,
}

/// Reads metadata and verifies the signature of its signed part with the key of `x5c[0]`.
///
/// # Errors
/// [`MetadataError`]
pub fn verify_signature(body: &[u8], accepted: &[JwsAlg]) -> Result<Signed, MetadataError> {
    let plain = json::object(body)?;
    // The base specification calls it `signed_endpoints`; HL7 SSRAA renamed it.
    let Some(compact) = ["signed_metadata", "signed_endpoints"]
        .into_iter()
        .find_map(|name| plain.get(name))
        .and_then(Value::as_str)
    else {
        return Err(MetadataError::NotSigned);
    };
    let jws = Jws::parse(compact)?;
    jws.require_plain_typ()?;
    let signer = jws.verify_by_leaf(accepted)?;
    Ok(Signed {
        payload: jws.payload().clone(),
        plain,
        signer,
    })
}

impl Signed {
    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }
    /// The plain metadata, not verified: for tools that show it.
    #[must_use]
    pub const fn plain(&self) -> &Map<String, Value> {
        &self.plain
    }

    /// Checks the signed part against a verdict about the signer's certificate and the base URL it
    /// was fetched from: `iss` is that URL and a name of the certificate, it is in force, and every
    /// endpoint of the plain part stands in the signed part with the same value (UDAP Server
    /// Metadata §3).
    ///
    /// # Errors
    /// [`MetadataError`]: do not go on (HL7 SSRAA §2.3).
    pub fn verify(
        self,
        verdict: &Valid,
        base_url: &str,
        now: UnixTime,
    ) -> Result<Verified, MetadataError> {
        if verdict.leaf() != self.signer.leaf() {
            return Err(MetadataError::OtherVerdict);
        }
        let claims = Claims::read(&self.payload)?;
        let names = self.signer.leaf().uri_names();
        if !names.contains(&claims.iss) {
            return Err(MetadataError::NotInCertificate {
                iss: claims.iss,
                names: names.to_vec(),
            });
        }
        claims.require_sub_is_iss()?;
        claims.require_issuer(base_url)?;
        claims.require_in_force(now, MAX_LIFETIME_SECS)?;
        for endpoint in ENDPOINTS {
            let Some(plain) = self.plain.get(endpoint) else {
                continue;
            };
            let signed = self.payload.get(endpoint);
            if signed != Some(plain) {
                return Err(MetadataError::Endpoint {
                    endpoint,
                    plain: plain.as_str().unwrap_or("not a string").to_owned(),
                    signed: signed
                        .map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`")),
                });
            }
        }
        let endpoint = |member: &'static str| {
            text(&self.payload, member)
                .ok()
                .filter(|url| url::Url::parse(url).is_ok())
                .ok_or(MetadataError::Member { member })
        };
        Ok(Verified {
            token_endpoint: endpoint("token_endpoint")?,
            registration_endpoint: endpoint("registration_endpoint")?,
            authorization_endpoint: self
                .payload
                .contains_key("authorization_endpoint")
                .then(|| endpoint("authorization_endpoint"))
                .transpose()?,
            exp: claims.exp,
            plain: self.plain,
            signer: self.signer,
        })
    }
}

/// Metadata that may be relied upon until it expires.
#[derive(Debug, Clone)]
pub struct Verified {
    token_endpoint: String,
    registration_endpoint: String,
    authorization_endpoint: Option<String>,
    exp: UnixTime,
    plain: Map<String, Value>,
    signer: Signer,
}

impl Verified {
    /// Where tokens are asked for, from the signed part.
    #[must_use]
    pub fn token_endpoint(&self) -> &str {
        &self.token_endpoint
    }
    /// Where apps register, from the signed part.
    #[must_use]
    pub fn registration_endpoint(&self) -> &str {
        &self.registration_endpoint
    }
    /// Where users sign in, from the signed part.
    #[must_use]
    pub fn authorization_endpoint(&self) -> Option<&str> {
        self.authorization_endpoint.as_deref()
    }
    /// Until when it holds.
    #[must_use]
    pub const fn exp(&self) -> UnixTime {
        self.exp
    }
    /// Who signed it.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }
    /// The members of the plain part.
    #[must_use]
    pub const fn plain(&self) -> &Map<String, Value> {
        &self.plain
    }
    /// A member that is a list of texts; `None` when it is absent, in which case nothing is to be
    /// assumed (UDAP Server Metadata §2).
    #[must_use]
    pub fn list(&self, member: &str) -> Option<Vec<&str>> {
        self.plain
            .get(member)?
            .as_array()?
            .iter()
            .map(Value::as_str)
            .collect()
    }
}
