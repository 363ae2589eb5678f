//! Why the client did not do what it was asked.

use crate::discover::meant;
use http::response::Parts;
use serde_json::Value;
use std::fmt;
use udap_pki::UnixTime;
use udap_proto::Refusal;
use udap_proto::extensions::ExtensionError;
use udap_proto::metadata::MetadataError;
use udap_proto::registration::ParamError;
use udap_trust::fetch::FetchError;
use udap_trust::signer::SignError;
use udap_trust::verify::TrustError;

/// Why the client did not do what it was asked. Each stops before anything that rests on it is sent.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum ClientError {
    #[error("the base URL `{url}` is refused: {why}")]
    BaseUrl { url: String, why: String },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("`{url}` answered with status {status} and wants to be asked elsewhere: {}", location.as_deref().unwrap_or("it does not say where"))]
    Redirected {
        url: String,
        status: u16,
        location: Option<String>,
    },
    #[error("the server does not offer UDAP: there is nothing at `{url}`")]
    NoUdap { url: String },
    #[error("the server is no member of the community `{community}`: `{url}` has no content")]
    CommunityNotServed { url: String, community: String },
    #[error("`{url}` answered with status {status}")]
    MetadataStatus { url: String, status: u16 },
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("the server is not trusted in the community `{community}`: {error}")]
    Untrusted {
        community: String,
        error: Box<TrustError>,
    },
    #[error("`{member}` cannot be used: {error}")]
    EndpointUrl {
        member: &'static str,
        error: FetchError,
    },
    #[error("the server at `{base_url}` does not say where its `{member}` is")]
    NoEndpoint {
        member: &'static str,
        base_url: String,
    },
    #[error(
        "`{member}` is `{url}`, which is not where the signed token endpoint `{token_endpoint}` is"
    )]
    EndpointElsewhere {
        member: &'static str,
        url: String,
        token_endpoint: String,
    },
    #[error("what was verified of the server at `{base_url}` held until {expires}; it is {now}")]
    DiscoveryExpired {
        base_url: String,
        expires: UnixTime,
        now: UnixTime,
    },
    #[error("no community is configured, so there is nobody to vouch for the server")]
    NoCommunity,
    #[error(
        "none of the configured communities vouches for the server{}",
        list(tried)
    )]
    NoCommunityAccepts { tried: Vec<Tried> },
    #[error("more than one community vouches for the server: {}", communities.join(", "))]
    CommunityAmbiguous { communities: Vec<String> },
    #[error("the client has no identity: no certificate, no key")]
    NoIdentity,
    #[error("the identity has no certificate")]
    NoCertificate,
    #[error("the identity is `{uri}`, but its certificate names `{}`", names.join("`, `"))]
    UriNotInCertificate { uri: String, names: Vec<String> },
    #[error("the private key is not the key of the certificate {subject}")]
    OtherKey { subject: String },
    #[error(
        "the identity belongs to the community `{identity}`, the server was found in `{server}`"
    )]
    OtherCommunity { identity: String, server: String },
    #[error(
        "no anchor of the community `{community}` vouches for the app's certificate {subject}, issued by {issuer}"
    )]
    NotAMember {
        community: String,
        subject: String,
        issuer: String,
    },
    #[error("the server offers {offered:?} in `{list}`, and `{wanted}` is not among them")]
    NotOffered {
        list: &'static str,
        wanted: &'static str,
        offered: Vec<String>,
    },
    #[error(transparent)]
    Param(#[from] ParamError),
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("the header `{name}` cannot be sent as it is")]
    Header { name: &'static str },
    #[error(transparent)]
    Refused(Box<Refused>),
    #[error("the answer of the {endpoint} is not what it must be: {why}")]
    Answer { endpoint: Endpoint, why: String },
    #[error("the server answered with status {status} and did not confirm the cancellation")]
    CancelUnconfirmed { status: u16 },
    #[error("`{url}` is not below the base URL `{base_url}`: {why}")]
    OutsideBase {
        url: String,
        base_url: String,
        why: &'static str,
    },
}

/// A community that does not vouch for a server, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which community.
    pub community: String,
    /// The code of its refusal.
    pub code: &'static str,
    /// Its sentence.
    pub why: String,
}

fn list(tried: &[Tried]) -> String {
    let line = |t: &Tried| format!("; {}: {} ({})", t.community, t.why, t.code);
    tried.iter().map(line).collect()
}

/// Whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// The registration endpoint.
    Registration,
    /// The token endpoint.
    Token,
    /// Where a server says what a token is worth.
    Introspection,
    /// Where a server ends tokens.
    Revocation,
    /// SMART's document.
    Discovery,
    /// The FHIR server.
    Fhir,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registration => "registration endpoint",
            Self::Token => "token endpoint",
            Self::Introspection => "introspection endpoint",
            Self::Revocation => "revocation endpoint",
            Self::Discovery => "SMART configuration",
            Self::Fhir => "FHIR server",
        })
    }
}

/// A refusal by the server, in its own words as far as it gave any (RFC 6749 §5.2; RFC 7591 §3.2.2;
/// FHIR OperationOutcome).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Who refused.
    pub endpoint: Endpoint,
    /// The HTTP status.
    pub status: u16,
    /// `error`, or the issue type.
    pub error: Option<String>,
    /// `error_description`, or the diagnostics.
    pub description: Option<String>,
    /// `udap_code`: what a server of this project adds, and `udap explain` takes.
    pub udap_code: Option<String>,
    /// `udap_hint`
    pub hint: Option<String>,
    /// `x-request-id`: what the server's operator finds the request by.
    pub request_id: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} refused with ", self.endpoint)?;
        match &self.error {
            Some(error) => write!(f, "`{error}` (status {})", self.status)?,
            None => write!(f, "status {}", self.status)?,
        }
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        if let Some(code) = &self.udap_code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// The most of a server's own text that is taken over.
const MAX_TEXT: usize = 500;

impl Refused {
    fn hint(&self) -> Option<String> {
        let by_status = match (self.endpoint, self.status) {
            (Endpoint::Fhir, 401) => "the token does not count any more; get a new one",
            (Endpoint::Fhir, 403) => {
                "compare the token's scopes with what you ask for; there may be no scope for it"
            }
            (Endpoint::Fhir, 404 | 410) => "compare the resource's type and id",
            _ => "",
        };
        let own = Some(by_status.to_owned()).filter(|hint| !hint.is_empty());
        self.hint.clone().or(own)
    }

    pub(crate) fn read(endpoint: Endpoint, answer: &Parts, body: &[u8]) -> Self {
        let status = answer.status.as_u16();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        // A stranger's text for a person's terminal: no control characters.
        let clean = |text: &str| {
            let clean: String = text.chars().filter(|c| !c.is_control()).collect();
            Some(clean.chars().take(MAX_TEXT).collect::<String>()).filter(|t| !t.is_empty())
        };
        let text = |value: Option<&Value>| clean(value?.as_str()?);
        let request_id = answer.headers.get("x-request-id");
        let request_id = request_id.and_then(|id| clean(id.to_str().ok()?));
        if body.get("resourceType").is_some() {
            let issue = body.pointer("/issue/0");
            let member = |pointer: &str| text(issue.and_then(|issue| issue.pointer(pointer)));
            return Self {
                endpoint,
                status,
                error: member("/code"),
                description: member("/diagnostics").or_else(|| member("/details/text")),
                udap_code: member("/details/coding/0/code"),
                hint: None,
                request_id,
            };
        }
        Self {
            endpoint,
            status,
            error: text(body.get("error")),
            description: text(body.get("error_description")),
            udap_code: text(body.get("udap_code")),
            hint: text(body.get("udap_hint")),
            request_id,
        }
    }
}

impl ClientError {
    /// Whether another community might still vouch for the server.
    pub(crate) const fn is_about_one_community(&self) -> bool {
        matches!(
            self,
            Self::CommunityNotServed { .. } | Self::Untrusted { .. }
        )
    }
}

impl Refusal for ClientError {
    fn code(&self) -> &'static str {
        match self {
            Self::BaseUrl { .. } => "base-url-invalid",
            Self::Fetch(e) => e.code(),
            Self::Redirected { .. } => "redirect-refused",
            Self::NoUdap { .. } => "udap-not-offered",
            Self::CommunityNotServed { .. } => "community-not-served",
            Self::MetadataStatus { .. } => "metadata-status",
            Self::Metadata(e) => e.code(),
            Self::Untrusted { error, .. } => error.code(),
            Self::EndpointUrl { .. } => "endpoint-url-refused",
            Self::NoEndpoint { .. } => "endpoint-not-offered",
            Self::EndpointElsewhere { .. } => "endpoint-elsewhere",
            Self::DiscoveryExpired { .. } => "discovery-expired",
            Self::NoCommunity => "community-none-configured",
            Self::NoCommunityAccepts { .. } => "community-none-accepts",
            Self::CommunityAmbiguous { .. } => "server-community-ambiguous",
            Self::NoIdentity => "identity-missing",
            Self::NoCertificate => "identity-certificate-missing",
            Self::UriNotInCertificate { .. } => "identity-uri-mismatch",
            Self::OtherKey { .. } => "identity-key-mismatch",
            Self::OtherCommunity { .. } | Self::NotAMember { .. } => "identity-other-community",
            Self::NotOffered { .. } => "not-offered",
            Self::Param(e) => e.code(),
            Self::Extension(e) => e.code(),
            Self::Sign(e) => e.code(),
            Self::Header { .. } => "header-invalid",
            Self::Refused(refused) => match refused.endpoint {
                Endpoint::Registration => "registration-refused",
                Endpoint::Token => "token-refused",
                Endpoint::Introspection => "introspection-refused",
                Endpoint::Revocation => "revocation-refused",
                // No refusal is read there.
                Endpoint::Discovery => "metadata-status",
                Endpoint::Fhir => "fhir-refused",
            },
            Self::Answer { .. } => "answer-malformed",
            Self::CancelUnconfirmed { .. } => "cancel-unconfirmed",
            Self::OutsideBase { .. } => "url-outside-base",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::BaseUrl { url, .. } => meant(url).map(|meant| format!("did you mean `{meant}`?")),
            Self::Metadata(e) => e.hint(),
            Self::Untrusted { error, .. } => error.hint(),
            Self::Param(e) => e.hint(),
            Self::Extension(e) => e.hint(),
            Self::Refused(refused) => refused.hint(),
            Self::Redirected {
                location: Some(location),
                ..
            } => Some(format!(
                "if `{location}` is right, use its base URL in place of this one"
            )),
            _ => None,
        }
    }
}
