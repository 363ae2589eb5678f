//! Administration: what operators see and do, as pages for people and as JSON for programs, on a port of
//! its own.
//!
//! `router.rs` has every route on a page; each subject is one file, with what is shown of it, as JSON and
//! as a page. People log in and have a session; programs have a token; neither takes the place of the
//! other, so that no page of another site can use somebody's session on the API.

mod access;
mod api_document;
mod app;
mod apps;
mod audit_trail;
mod catalogue;
mod certificate;
pub(crate) mod certificates;
mod communities;
mod dashboard;
mod error;
mod explain;
mod local;
mod login;
mod page;
mod password;
mod refusals;
mod router;

pub use access::Role;
pub use catalogue::CATALOGUE;
pub use error::OperatorError;
pub use local::{LocalAdmin, LocalError};
pub use password::MIN_PASSWORD;

use crate::app::Server;
use crate::store::Operators;
use password::Passwords;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use udap_host::config::Config;
use udap_host::rate::Rate;
use udap_pki::Explanation;

/// Attempts to log in, right or wrong, from one network in a minute.
const LOGINS_PER_ADDRESS: u32 = 10;
/// For one name, from wherever they come: far too few to guess what has twelve characters, and enough that
/// somebody who tries has trouble to keep an operator out.
const LOGINS_PER_NAME: u32 = 30;

/// The administration of one server. Clones share one state.
#[derive(Clone, Debug)]
pub struct Admin(Arc<Shared>);

/// What its endpoints share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) server: Server,
    pub(crate) operators: Operators,
    passwords: Passwords,
    login_rate: Rate<IpAddr>,
    name_rate: Rate<Box<str>>,
    /// TLS certificates that this server shows, by what for.
    tls: Vec<(&'static str, PathBuf)>,
    /// The first of its base URLs: what this server is called.
    base_url: String,
    /// What a code means, also one of the gateway's.
    explain: fn(&str) -> Option<&'static Explanation>,
}

impl Admin {
    /// The administration of a server with that configuration; `explain` knows what codes mean.
    #[must_use]
    pub fn new(
        server: &Server,
        config: &Config,
        explain: fn(&str) -> Option<&'static Explanation>,
    ) -> Self {
        Self(Arc::new(Shared {
            server: server.clone(),
            operators: Operators::new(server.db.clone()),
            passwords: Passwords::default(),
            login_rate: Rate::new(LOGINS_PER_ADDRESS),
            name_rate: Rate::new(LOGINS_PER_NAME),
            tls: certificates::tls_files(config),
            base_url: config.base_url.clone(),
            explain,
        }))
    }

    /// The routes, to be served on a port that partners do not reach.
    pub fn router(&self) -> axum::Router {
        router::routes(self.clone())
    }
}

impl Deref for Admin {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The OpenAPI documents: of what partners reach, and of the administration.
#[must_use]
pub fn openapi(document: &str) -> Option<&'static str> {
    api_document::named(document)
}
