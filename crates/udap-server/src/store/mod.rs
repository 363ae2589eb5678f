//! What is kept: registrations in the database, seen JWTs in a log of their own or, where nodes share a
//! database, there too. One file each.

mod apps;
mod bundles;
mod certifications;
mod changes;
mod opaque_tokens;
mod operators;
mod registrations;
mod replay;
mod revocations;
mod secrets;
mod signers;
mod standing;

pub(crate) use apps::{Act, Acted, After, Detailed, Listed, Wanted};
pub(crate) use bundles::{Bundles, Kept, KeptBundle};
pub(crate) use certifications::{Accepted, Among, Askable};
pub(crate) use changes::{BEHIND, Changes, Remembered};
pub(crate) use opaque_tokens::{NotDurable, OpaqueTokens, sha256};
pub(crate) use operators::Operators;
pub(crate) use registrations::Registration;
pub(crate) use registrations::{Cancelled, NewRegistration, Registrations, State, Written};
pub(crate) use replay::{Once, Replay, Seen};
pub(crate) use revocations::Revocations;
pub(crate) use secrets::{is_kept as holds_secret, shared as shared_secret};
pub(crate) use signers::{ActiveSigner, Signers};
pub(crate) use standing::{CertificationKey, KeptCertification, REFUSED, Standing};

use udap_host::audit;
use udap_host::db::Migration;

/// The schema, step by step.
pub const MIGRATIONS: &[Migration] = &[
    registrations::MIGRATION,
    audit::migration(2),
    certifications::MIGRATION,
    revocations::migration(4),
    signers::migration(5),
    registrations::registrars(6),
    registrations::grants_migration(7),
    opaque_tokens::migration(8),
    bundles::migration(9),
    registrations::without_statements(10),
    changes::migration(11),
    operators::migration(12),
    bundles::ends_migration(13),
    secrets::migration(14),
];
