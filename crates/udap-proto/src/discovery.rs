//! The discovery documents beside UDAP metadata: SMART's `{base}/.well-known/smart-configuration`
//! (SMART App Launch 2.2, Conformance) and OAuth's authorization server metadata (RFC 8414).
//!
//! Nobody signs them, so a UDAP client goes by UDAP metadata; they say the same to clients and to
//! resource servers that know nothing of UDAP.

use crate::jws::JwsAlg;
use serde_json::{Map, Value};

/// Where SMART's document is, behind the FHIR base URL.
pub const SMART_PATH: &str = "/.well-known/smart-configuration";
/// Where OAuth's is: in front of the path of the issuer (RFC 8414 §3.1).
pub const OAUTH_PATH: &str = "/.well-known/oauth-authorization-server";

/// What an authorization server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationServer {
    /// `iss` of its access tokens.
    pub issuer: String,
    /// `token_endpoint`
    pub token_endpoint: String,
    /// `registration_endpoint`
    pub registration_endpoint: String,
    /// `jwks_uri`: the keys of its access tokens.
    pub jwks_uri: String,
    /// `introspection_endpoint` (RFC 7662)
    pub introspection_endpoint: Option<String>,
    /// `revocation_endpoint` (RFC 7009)
    pub revocation_endpoint: Option<String>,
    /// `grant_types_supported`
    pub grant_types: Vec<&'static str>,
    /// `scopes_supported`
    pub scopes: Vec<String>,
    /// How clients may prove who they are, at each of its endpoints.
    pub auth_methods: Vec<&'static str>,
    /// The endpoints where clients show a certificate, if there are such (RFC 8705 §5).
    pub mutual_tls: Option<MutualTlsEndpoints>,
    /// What proofs of possession may be signed with (RFC 9449 §5.1); empty where none is looked at.
    pub dpop_algs: Vec<JwsAlg>,
    /// What clients may sign their assertions with, at each of its endpoints.
    pub algs: Vec<JwsAlg>,
    /// SMART's `capabilities`
    pub capabilities: Vec<&'static str>,
}

/// `mtls_endpoint_aliases`: a port of its own, since a browser is bothered where it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutualTlsEndpoints {
    /// `token_endpoint`
    pub token: String,
    /// `introspection_endpoint`
    pub introspection: String,
    /// `revocation_endpoint`
    pub revocation: String,
}

impl AuthorizationServer {
    /// SMART's document. `issuer` is left out: it would name an OpenID provider.
    #[must_use]
    pub fn smart_configuration(&self) -> Map<String, Value> {
        let mut map = Map::new();
        self.common(&mut map);
        // Always demanded, and S256 is all that it may be. There is no authorization endpoint at
        // which it could be used.
        map.insert(
            "code_challenge_methods_supported".into(),
            ["S256"].as_slice().into(),
        );
        map.insert("capabilities".into(), self.capabilities.clone().into());
        map
    }

    /// OAuth's document.
    #[must_use]
    pub fn oauth_metadata(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("issuer".into(), self.issuer.clone().into());
        self.common(&mut map);
        // Demanded (RFC 8414 §2); empty, for there is no authorization endpoint.
        map.insert("response_types_supported".into(), Value::Array(Vec::new()));
        for (endpoint, url) in [
            ("introspection", &self.introspection_endpoint),
            ("revocation", &self.revocation_endpoint),
        ] {
            if url.is_some() {
                self.authentication(endpoint, &mut map);
            }
        }
        map
    }

    fn common(&self, map: &mut Map<String, Value>) {
        for (name, url) in [
            ("token_endpoint", Some(&self.token_endpoint)),
            ("registration_endpoint", Some(&self.registration_endpoint)),
            ("jwks_uri", Some(&self.jwks_uri)),
            (
                "introspection_endpoint",
                self.introspection_endpoint.as_ref(),
            ),
            ("revocation_endpoint", self.revocation_endpoint.as_ref()),
        ] {
            if let Some(url) = url {
                map.insert(name.into(), url.clone().into());
            }
        }
        map.insert(
            "grant_types_supported".into(),
            self.grant_types.clone().into(),
        );
        map.insert("scopes_supported".into(), self.scopes.clone().into());
        self.authentication("token", map);
        if let Some(port) = &self.mutual_tls {
            let aliases = serde_json::json!({
                "token_endpoint": port.token,
                "introspection_endpoint": port.introspection,
                "revocation_endpoint": port.revocation,
            });
            map.insert("mtls_endpoint_aliases".into(), aliases);
            let bound = "tls_client_certificate_bound_access_tokens";
            map.insert(bound.into(), true.into());
        }
        if !self.dpop_algs.is_empty() {
            let algs: Vec<_> = self.dpop_algs.iter().map(|alg| alg.as_str()).collect();
            map.insert("dpop_signing_alg_values_supported".into(), algs.into());
        }
    }

    fn authentication(&self, endpoint: &str, map: &mut Map<String, Value>) {
        let algs: Vec<_> = self.algs.iter().map(|alg| alg.as_str()).collect();
        map.insert(
            format!("{endpoint}_endpoint_auth_methods_supported"),
            self.auth_methods.clone().into(),
        );
        map.insert(
            format!("{endpoint}_endpoint_auth_signing_alg_values_supported"),
            algs.into(),
        );
    }
}
