//! How an app proves who it is, and what its access tokens are bound to.

use super::{ParamError, param_text, wrong};
use serde_json::{Map, Value};

/// By what a client is known at the token endpoint: `token_endpoint_auth_method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// A signed authentication token (UDAP JWT-Based Client Authentication).
    #[default]
    PrivateKeyJwt,
    /// The certificate of its TLS connection (UDAP Mutual TLS §2; RFC 8705 §2.1), which has the app's
    /// URI as a name.
    TlsClientAuth,
}

impl Method {
    /// The names of those that are offered: a community may have clients that their certificate tells.
    #[must_use]
    pub fn offered(tls_client_auth: bool) -> Vec<&'static str> {
        let mut methods = vec![Self::PrivateKeyJwt.as_str()];
        if tls_client_auth {
            methods.push(Self::TlsClientAuth.as_str());
        }
        methods
    }

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
        }
    }
}

/// What an app registers of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Authentication {
    /// `token_endpoint_auth_method`
    pub method: Method,
    /// `tls_client_certificate_bound_access_tokens` (RFC 8705 §3.4): the app wants no token that is
    /// not bound to the certificate of its connection.
    pub certificate_bound: bool,
    /// `dpop_bound_access_tokens` (RFC 9449 §5.2): nor one that is not bound to its key.
    pub key_bound: bool,
}

/// What a community has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offered {
    /// Clients that their TLS certificate tells.
    pub tls_client_auth: bool,
    /// A port at which certificates are asked for.
    pub certificate_bound: bool,
    /// Proofs of possession.
    pub dpop: bool,
}

const METHOD: &str = "token_endpoint_auth_method";
const CERTIFICATE_BOUND: &str = "tls_client_certificate_bound_access_tokens";
const KEY_BOUND: &str = "dpop_bound_access_tokens";
/// Other names than a certificate can be known by (RFC 8705 §2.1.2). Members of a community are known
/// by their URI; to accept the wish and not heed it would be worse than to refuse.
const OTHER_NAMES: [&str; 4] = [
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
];
const URI_NAME: &str = "tls_client_auth_san_uri";

impl Authentication {
    pub(super) fn read(payload: &Map<String, Value>) -> Result<Self, ParamError> {
        let method = match &*param_text(payload, METHOD)? {
            "private_key_jwt" => Method::PrivateKeyJwt,
            "tls_client_auth" => Method::TlsClientAuth,
            other => {
                let expected = "`private_key_jwt` or, where it is offered, `tls_client_auth`";
                return Err(wrong(METHOD, other, expected));
            }
        };
        if method == Method::TlsClientAuth {
            names(payload)?;
        }
        Ok(Self {
            method,
            certificate_bound: flag(payload, CERTIFICATE_BOUND)?,
            key_bound: flag(payload, KEY_BOUND)?,
        })
    }

    pub(super) fn write(self, map: &mut Map<String, Value>) {
        map.insert(METHOD.into(), self.method.as_str().into());
        for (name, set) in [
            (CERTIFICATE_BOUND, self.certificate_bound),
            (KEY_BOUND, self.key_bound),
        ] {
            if set {
                map.insert(name.into(), true.into());
            }
        }
    }

    /// Whether a community has what the app wants. To register it and not heed it would leave the app
    /// with less than it relies upon.
    ///
    /// # Errors
    /// [`ParamError::Wrong`]
    pub fn require(self, offered: Offered) -> Result<(), ParamError> {
        if self.method == Method::TlsClientAuth && !offered.tls_client_auth {
            let expected = "`private_key_jwt`: the community offers nothing else";
            return Err(wrong(METHOD, self.method.as_str(), expected));
        }
        let expected = "absent or false: no certificates are asked for here";
        if self.certificate_bound && !offered.certificate_bound {
            return Err(wrong(CERTIFICATE_BOUND, "true", expected));
        }
        let expected = "absent or false: the community does not use DPoP";
        if self.key_bound && !offered.dpop {
            return Err(wrong(KEY_BOUND, "true", expected));
        }
        Ok(())
    }
}

/// The only name that a certificate is known by is the URI of the statement.
fn names(payload: &Map<String, Value>) -> Result<(), ParamError> {
    if let Some(name) = OTHER_NAMES.into_iter().find(|n| payload.contains_key(*n)) {
        let found = payload.get(name).map(Value::to_string).unwrap_or_default();
        let expected = "absent: the certificate is known by its URI";
        return Err(wrong(name, &found, expected));
    }
    match (payload.get(URI_NAME), payload.get("iss")) {
        (Some(name), Some(iss)) if name != iss => {
            Err(wrong(URI_NAME, &name.to_string(), "equal to `iss`"))
        }
        _ => Ok(()),
    }
}

fn flag(payload: &Map<String, Value>, param: &'static str) -> Result<bool, ParamError> {
    match payload.get(param) {
        None => Ok(false),
        Some(Value::Bool(set)) => Ok(*set),
        Some(other) => Err(wrong(param, &other.to_string(), "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(params: Value) -> Result<Authentication, &'static str> {
        let map = params.as_object().cloned().unwrap_or_default();
        Authentication::read(&map).map_err(|error| match error {
            ParamError::Wrong { param, .. } | ParamError::Missing { param } => param,
            ParamError::RedirectUri { .. } => "redirect_uris",
        })
    }

    #[test]
    fn methods_and_bindings_go_around() {
        for method in [Method::PrivateKeyJwt, Method::TlsClientAuth] {
            for (certificate_bound, key_bound) in [(false, false), (true, false), (false, true)] {
                let wanted = Authentication {
                    method,
                    certificate_bound,
                    key_bound,
                };
                let mut map = Map::new();
                wanted.write(&mut map);
                assert_eq!(read(Value::Object(map)), Ok(wanted));
            }
        }
        let named = json!({
            METHOD: "tls_client_auth", "iss": "https://app.example", URI_NAME: "https://app.example",
        });
        assert_eq!(read(named).map(|a| a.method), Ok(Method::TlsClientAuth));
    }

    #[test]
    fn what_a_community_does_not_have_is_not_registered() {
        let wanted = |method, certificate_bound, key_bound| Authentication {
            method,
            certificate_bound,
            key_bound,
        };
        let all = Offered {
            tls_client_auth: true,
            certificate_bound: true,
            dpop: true,
        };
        for (wanted, param) in [
            (wanted(Method::TlsClientAuth, false, false), METHOD),
            (
                wanted(Method::PrivateKeyJwt, true, false),
                CERTIFICATE_BOUND,
            ),
            (wanted(Method::PrivateKeyJwt, false, true), KEY_BOUND),
        ] {
            let refused = wanted.require(Offered::default());
            assert!(matches!(refused, Err(ParamError::Wrong { param: p, .. }) if p == param));
            assert_eq!(wanted.require(all), Ok(()));
        }
        assert_eq!(
            Authentication::default().require(Offered::default()),
            Ok(())
        );
        assert_eq!(Method::offered(false), ["private_key_jwt"]);
        assert_eq!(
            Method::offered(true),
            ["private_key_jwt", "tls_client_auth"]
        );
    }

    #[test]
    fn what_would_not_be_heeded_is_refused() {
        let with = |name: &str, value: Value| {
            let mut params = json!({METHOD: "tls_client_auth", "iss": "https://app.example"});
            params[name] = value;
            read(params)
        };
        for name in OTHER_NAMES {
            assert_eq!(with(name, json!("CN=App")), Err(name));
        }
        for name in ["https://other.example", "https://app.example/"] {
            assert_eq!(with(URI_NAME, json!(name)), Err(URI_NAME));
        }
        for flag in [CERTIFICATE_BOUND, KEY_BOUND] {
            assert_eq!(with(flag, json!("true")), Err(flag));
            assert_eq!(with(flag, json!(null)), Err(flag));
        }
        assert_eq!(
            with(METHOD, json!("self_signed_tls_client_auth")),
            Err(METHOD)
        );
        assert_eq!(with(METHOD, json!("none")), Err(METHOD));
    }
}
