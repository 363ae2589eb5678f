//! All SQL of the CA, one file per aggregate.

mod bundles;
mod certificates;
mod certifications;
mod crls;
mod schema;
mod settings;

pub(crate) use bundles::{bundle_for_update, put_bundle};
pub(crate) use certificates::{
    NewCertificate, RevokedRow, certificate_for_update, mark_revoked, put_certificate, revoked,
};
pub(crate) use certifications::{put_certification, withdraw_certification};
pub(crate) use crls::{CrlRow, crl_for_update, put_crl};
pub(crate) use schema::MIGRATIONS;
pub(crate) use settings::{Settings, put_authority, put_settings, raise_epoch};

use std::path::Path;

use sqlx::{Any, Transaction};
use udap_host::db::Db;

use crate::CaError;

/// The CA's database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: Db,
}

/// A write transaction: dropped without commit, it never was.
pub(crate) type Write = Transaction<'static, Any>;

impl Store {
    pub(crate) async fn open(path: &Path) -> Result<Self, CaError> {
        Ok(Self {
            db: Db::open(path, MIGRATIONS).await?,
        })
    }

    pub(crate) async fn write(&self) -> Result<Write, CaError> {
        Ok(self.db.write().await?)
    }

    pub(crate) async fn close(&self) {
        self.db.close().await;
    }
}

pub(crate) async fn commit(write: Write) -> Result<(), CaError> {
    Ok(write.commit().await?)
}

pub(crate) fn damaged(detail: impl ToString) -> CaError {
    CaError::Damaged {
        detail: detail.to_string(),
    }
}
