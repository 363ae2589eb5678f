//! The CRL of the sandbox's authority, made long.

use std::time::{Duration, Instant};

use udap_ca::Ca;
use udap_host::db::{Db, DbError, Location};
use udap_pki::{Certificate, Crl, issue::RevocationReason};

use super::{BenchError, place::Place, store};
use crate::{dev::Community, wire};

/// Revokes that certificate and so many others that the authority's CRL has `serials` entries, and returns
/// when that is what it serves. The others were never issued: all that a server sees of them is the CRL.
pub(super) async fn publish(
    place: &Place,
    certificate: &Certificate,
    serials: u64,
) -> Result<(), BenchError> {
    let directory = place.layout.ca_dir(Community::One);
    // An authority's database has them without the zeros by which DER says that a number is positive.
    let serial = certificate.serial_hex();
    let serial = serial.trim_start_matches("00");
    let database = Location::File(directory.join("ca.db"));
    prepare(&database, serial, serials).await.map_err(other)?;
    // The last one by the authority itself, which signs the CRL of all of them.
    let ca = Ca::open(&directory).await.map_err(other)?;
    let url = ca.crl_url().ok_or_else(|| other("there is no CRL"))?;
    let revoked = ca.revoke(serial, RevocationReason::KeyCompromise).await;
    ca.close().await;
    revoked.map_err(other)?;

    // Its server is another process and looks at the database now and then.
    let begun = Instant::now();
    loop {
        let answer = wire::get(&url, None, &place.tls).await?;
        let crl = Crl::from_der(answer.body()).map_err(other)?;
        if u64::try_from(crl.len()).is_ok_and(|len| len == serials) {
            return Ok(());
        }
        if begun.elapsed() > PUBLISHED_WITHIN {
            return Err(other(format!("{url} has {} entries", crl.len())));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn prepare(database: &Location, serial: &str, serials: u64) -> Result<(), DbError> {
    let db = Db::open_existing(database).await?;
    let prepared = store::revoke_others(&db, serial, serials.saturating_sub(1)).await;
    db.close().await;
    prepared
}

fn other(error: impl ToString) -> BenchError {
    BenchError::Other(error.to_string())
}

const PUBLISHED_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);
