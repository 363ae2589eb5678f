//! What the client commands have in common: who this app is, whom it trusts, what it remembers.

mod app;
mod options;
mod session;
mod show;

pub(crate) use app::{AppArgs, Certified, PurposeArgs};
pub(crate) use options::{ClientArgs, RevocationArg, absolute_uri, host_port};
pub(crate) use session::{Revoked, Session};
pub(crate) use show::{Requests, ShowArgs};
