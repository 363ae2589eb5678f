use bytes::Bytes;
use udap_pki::{
    UnixTime,
    issue::{self, CrlEntry, CrlSpec},
};

use crate::{
    Ca, CaError, PublishedBundle,
    authority::{Authority, Role},
    check::serial_bytes,
    store::{self, CrlRow, Store, Write, damaged},
};

/// What the HTTP service hands out, read from the database when the epoch changed.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) epoch: i64,
    crls: Vec<PublishedCrl>,
    bundle: Option<PublishedBundle>,
}

#[derive(Clone, Debug)]
pub(crate) struct PublishedCrl {
    issuer: Role,
    pub(crate) number: i64,
    pub(crate) this_update: UnixTime,
    pub(crate) next_update: UnixTime,
    pub(crate) der: Bytes,
}

impl Published {
    pub(crate) async fn load(store: &Store) -> Result<Self, CaError> {
        // The epoch first: if a list changes in between, the next look finds another epoch.
        let epoch = store.epoch().await?;
        let crls = store
            .crls()
            .await?
            .into_iter()
            .map(|row| {
                Ok(PublishedCrl {
                    issuer: Role::from_name(&row.issuer)?,
                    number: row.number,
                    this_update: row.this_update,
                    next_update: row.next_update,
                    der: row.der.into(),
                })
            })
            .collect::<Result<_, CaError>>()?;
        let bundle = store.bundle().await?;
        Ok(Self {
            epoch,
            crls,
            bundle,
        })
    }

    pub(crate) const fn bundle(&self) -> Option<&PublishedBundle> {
        self.bundle.as_ref()
    }

    pub(crate) fn crl(&self, issuer: Role) -> Option<&PublishedCrl> {
        self.crls.iter().find(|crl| crl.issuer == issuer)
    }
}

impl PublishedCrl {
    /// Half of a CRL's life is left for a member that cannot reach the CA.
    fn is_due(&self, now: UnixTime) -> bool {
        let life = self.next_update.secs_since(self.this_update);
        now.secs_since(self.this_update) >= life / 2 || now < self.this_update
    }
}

impl Ca {
    /// Takes over what the database says, and forgets OCSP answers that it may contradict.
    pub(crate) async fn reload(&self) -> Result<(), CaError> {
        let published = Published::load(&self.store).await?;
        self.published.store(published.into());
        self.responder.forget();
        Ok(())
    }

    /// Makes each CRL anew that is past half of its life.
    pub(crate) async fn renew_crls(&self) -> Result<(), CaError> {
        let now = self.now();
        let mut renewed = false;
        for authority in [Some(&self.root), self.issuing.as_ref()]
            .into_iter()
            .flatten()
        {
            let due = self
                .published
                .load()
                .crl(authority.role)
                .is_some_and(|crl| crl.is_due(now));
            if due {
                let mut write = self.store.write().await?;
                // Another process may have been faster.
                let newest = store::crl_for_update(&mut write, authority.role.as_str()).await?;
                let number = self
                    .published
                    .load()
                    .crl(authority.role)
                    .map(|crl| crl.number);
                if newest.map(|crl| crl.number) == number {
                    let number =
                        issue_crl(&mut write, authority, self.settings.crl_seconds, now).await?;
                    store::commit(write).await?;
                    tracing::info!(issuer = %authority.role, number, "CRL made anew before it lapses");
                }
                renewed = true;
            }
        }
        if renewed {
            self.reload().await?;
        }
        Ok(())
    }
}

/// Signs a CRL of everything `authority` revoked and puts it in place of the one before; its number.
pub(crate) async fn issue_crl(
    write: &mut Write,
    authority: &Authority,
    seconds: i64,
    now: UnixTime,
) -> Result<i64, CaError> {
    let issuer = authority.role.as_str();
    let previous = store::crl_for_update(write, issuer).await?;
    // A little in the past, or members whose clocks lag would refuse a list from the future; but
    // never older than the one it replaces, unless the clock itself was set back.
    let backdated = now.plus_secs(-BACKDATE);
    let this_update = previous
        .as_ref()
        .map_or(backdated, |crl| backdated.max(crl.this_update))
        .min(now);
    let number = previous.as_ref().map_or(1, |crl| crl.number + 1);
    // A list from before the clock was set back is dated ahead, and whoever ended since has not ended.
    let ended_after = previous
        .as_ref()
        .map_or(UnixTime(0), |crl| crl.this_update.min(backdated));

    let entries = store::revoked(write, issuer, ended_after)
        .await?
        .into_iter()
        .map(|row| {
            let serial = serial_bytes(&row.serial)
                .ok_or_else(|| damaged(format!("serial {:?}", row.serial)))?;
            Ok(CrlEntry {
                serial,
                revoked_at: row.revoked_at,
                reason: row.reason,
            })
        })
        .collect::<Result<Vec<_>, CaError>>()?;
    let next_update = now.plus_secs(seconds);
    let to_be_signed = issue::crl(&CrlSpec {
        issuer: &authority.certificate,
        number: u64::try_from(number).map_err(damaged)?,
        this_update,
        next_update,
        entries: &entries,
        algorithm: authority.key.algorithm(),
    })?;
    let signature = authority.key.sign(&to_be_signed).await?;
    let der = to_be_signed.finish(&signature)?;
    store::put_crl(
        write,
        &CrlRow {
            issuer: issuer.to_owned(),
            number,
            this_update,
            next_update,
            der,
        },
    )
    .await?;
    store::raise_epoch(write).await?;
    Ok(number)
}

/// How much members' clocks may lag behind the CA's.
pub(crate) const BACKDATE: i64 = 60;
