//! Why an operator, or a program of theirs, does not get what was asked for.

use crate::store::State;
use udap_host::db::DbError;

/// Why an operator or a token is not made, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum OperatorError {
    #[error("there is an operator `{name}` already")]
    Exists { name: String },
    #[error("there is no operator `{name}`")]
    Unknown { name: String },
    #[error("`{name}` cannot be the name of an operator or a token")]
    Name { name: String },
    #[error(
        "the password has {characters} characters; it needs at least {}",
        super::MIN_PASSWORD
    )]
    PasswordShort { characters: usize },
    #[error("the password has more than {max_bytes} bytes")]
    PasswordLong { max_bytes: usize },
    #[error("the password could not be hashed")]
    Hashing,
    #[error("there is no token `{id}` that could be revoked")]
    TokenUnknown { id: String },
    #[error("a token lives from an hour to {max_days} days")]
    TokenLifetime { max_days: i64 },
    #[error(transparent)]
    Db(#[from] DbError),
}

impl OperatorError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "operator-exists",
            Self::Unknown { .. } => "operator-unknown",
            Self::Name { .. } => "operator-name-invalid",
            Self::PasswordShort { .. } => "password-too-short",
            Self::PasswordLong { .. } => "password-too-long",
            Self::Hashing => "password-hashing",
            Self::TokenUnknown { .. } => "operator-token-unknown",
            Self::TokenLifetime { .. } => "operator-token-lifetime",
            Self::Db(error) => error.code(),
        }
    }
}

/// Why a request to the administration is refused. One mapping to JSON (`api_error`) and one to a page,
/// in `page.rs`, both of this status, code and sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("no bearer token came along")]
    NoToken,
    #[error("the token is not known, has expired or was revoked")]
    TokenInvalid,
    #[error("nobody is logged in")]
    NoSession,
    #[error("this needs the role `operator`, and {name} has `viewer`")]
    Role { name: String },
    #[error("the request did not come from a page of this server: {why}")]
    Forged { why: &'static str },
    #[error("the name or the password is wrong")]
    LoginFailed,
    #[error("there were too many attempts to log in; the next one may come in {secs} seconds")]
    LoginTooOften { secs: u32 },
    #[error("too many people log in at this moment")]
    LoginBusy,
    #[error("there is no app `{client_id}`")]
    AppUnknown { client_id: String },
    #[error("the registration is {}, and cannot be {wanted}", state.as_str())]
    AppState { state: State, wanted: &'static str },
    #[error("a reason is needed, of at most {max} characters")]
    ReasonMissing { max: usize },
    #[error("`{parameter}` cannot be `{value}`: {expected}")]
    Parameter {
        parameter: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error("there is no such page")]
    NotFound,
    #[error("it is asked for with another method")]
    Method,
    #[error("the form or the JSON cannot be read")]
    Body,
    #[error("the server met a fault of its own")]
    Fault(#[from] DbError),
}

impl AdminError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "admin-token-missing",
            Self::TokenInvalid => "admin-token-invalid",
            Self::NoSession => "admin-login-needed",
            Self::Role { .. } => "admin-role",
            Self::Forged { .. } => "admin-request-forged",
            Self::LoginFailed => "login-failed",
            Self::LoginTooOften { .. } => "login-too-often",
            Self::LoginBusy => "login-busy",
            Self::AppUnknown { .. } => "app-unknown",
            Self::AppState { .. } => "app-state",
            Self::ReasonMissing { .. } => "reason-missing",
            Self::Parameter { .. } => "admin-parameter",
            Self::NotFound => "admin-not-found",
            Self::Method => "admin-method",
            Self::Body => "admin-body",
            Self::Fault(_) => "server-error",
        }
    }

    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::NoToken | Self::TokenInvalid | Self::NoSession | Self::LoginFailed => 401,
            Self::Role { .. } | Self::Forged { .. } => 403,
            Self::LoginTooOften { .. } => 429,
            Self::LoginBusy => 503,
            Self::AppUnknown { .. } | Self::NotFound => 404,
            Self::Method => 405,
            Self::AppState { .. } => 409,
            Self::ReasonMissing { .. } | Self::Parameter { .. } | Self::Body => 400,
            Self::Fault(_) => 500,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both lead to another page for people, and are a code in the audit trail.
    #[test]
    fn who_is_not_let_in_is_told_so() {
        let told = |error: AdminError| (error.status(), error.code());
        assert_eq!(told(AdminError::NoSession), (401, "admin-login-needed"));
        assert_eq!(told(AdminError::LoginBusy), (503, "login-busy"));
    }
}
