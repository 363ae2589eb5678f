//! Who may speak of apps by keys, in place of a community and its certificates: issuers of software
//! statements that the operator configured (RFC 7591 §2.3).
//!
//! A registration belongs to (issuer, app), as a member's belongs to (community, URI); no issuer has the
//! name of a community.

use crate::app::StartError;
use crate::smart_clients::Keys;
use std::sync::Arc;
use udap_host::config::StatementIssuer as Configured;
use udap_proto::jws::JwsAlg;
use udap_proto::vouched::{self, Issuer};

#[derive(Debug, Default)]
pub(crate) struct StatementIssuers(Vec<Arc<StatementIssuer>>);

#[derive(Debug)]
pub(crate) struct StatementIssuer {
    pub(crate) issuer: Issuer,
    pub(crate) keys: Keys,
}

impl StatementIssuers {
    pub(crate) fn open(configured: &[Configured]) -> Result<Self, StartError> {
        let issuers = configured.iter().map(|configured| {
            Ok(Arc::new(StatementIssuer {
                issuer: Issuer {
                    uri: configured.uri.clone(),
                    subjects: configured.subjects.clone(),
                    algorithms: JwsAlg::SSRAA.to_vec(),
                },
                keys: Keys::open(&configured.keys)?,
            }))
        });
        issuers.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, uri: &str) -> Option<&Arc<StatementIssuer>> {
        self.0.iter().find(|known| known.issuer.uri == uri)
    }
}

/// Who vouches for an app that registers: the one place where that is chosen, by what the statement is.
/// Neither is tried when the other one fails.
#[derive(Debug, Clone)]
pub(crate) enum Voucher {
    /// A community, by the certificate in the statement.
    Community,
    /// An issuer, by a key of its own.
    Issuer(Arc<StatementIssuer>),
}

impl Voucher {
    pub(crate) fn of(issuers: &StatementIssuers, statement: &str) -> Self {
        if issuers.is_empty() {
            return Self::Community;
        }
        let claimed = vouched::claimed_issuer(statement);
        let known = claimed.and_then(|uri| issuers.get(&uri).cloned());
        known.map_or(Self::Community, Self::Issuer)
    }
}
