//! What an app brings along in `certifications`: which of them count, and which it must have (HL7
//! SSRAA §3.3; UDAP Certifications and Endorsements §4).
//!
//! What this data holder does not know is ignored. What it knows and has to refuse is left out of the
//! registration, unless the community requires it: then the registration is refused with that reason.

mod error;
mod rejudge;
mod status;
mod watch;

pub(crate) use error::{Lacking, Refused};
pub(crate) use watch::{STATUS_SECS, Watch};

use crate::communities::{Communities, Served};
use crate::store::Accepted;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use udap_host::config::Certifications;
use udap_pki::UnixTime;
use udap_proto::certification::{self, Kind};
use udap_proto::jws::JwsError;
use udap_proto::registration::ClientMetadata;
use udap_proto::statement;

/// What became of the certifications of one request.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Whether there were any; then the answer says which are accepted, be it none.
    pub(crate) any: bool,
    pub(crate) accepted: Vec<Accepted>,
    /// The programmes it claims that are known here, none where it cannot be read, and why not.
    pub(crate) refused: Vec<(Vec<String>, Refused)>,
}

/// Those who register: the statement that came along, what is registered of it, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applicant<'a> {
    pub(crate) served: &'a Served,
    pub(crate) statement: &'a statement::Verified,
    pub(crate) metadata: &'a ClientMetadata,
    pub(crate) endpoint: &'a str,
}

/// Judges every certification on its own; those of programmes that are not known here cost nothing.
pub(crate) async fn judge(
    communities: &Communities,
    applicant: Applicant<'_>,
    sent: &[String],
    now: UnixTime,
) -> Judged {
    let supported = &applicant.served.certifications.supported;
    let mut judged = Judged {
        any: !sent.is_empty(),
        accepted: Vec::new(),
        refused: Vec::new(),
    };
    if supported.is_empty() {
        return judged;
    }
    let mut known = Vec::new();
    // The same one sent twice is one.
    for compact in sent.iter().collect::<BTreeSet<_>>() {
        match certification::claimed_uris(compact) {
            Err(error) => judged.refused.push((Vec::new(), error.into())),
            Ok(mut programmes) => {
                programmes.retain(|uri| supported.contains(uri));
                programmes.sort_unstable();
                programmes.dedup();
                if !programmes.is_empty() {
                    known.push((programmes, compact));
                }
            }
        }
    }
    let verdicts = known.into_iter().map(|(programmes, compact)| async move {
        let result = one(communities, applicant, &programmes, compact, now).await;
        (programmes, result)
    });
    for (programmes, result) in join_all(verdicts).await {
        match result {
            Ok(accepted) => judged.accepted.push(accepted),
            Err(refused) => judged.refused.push((programmes, refused)),
        }
    }
    // As they were sent.
    judged.accepted.sort_by_key(|accepted| {
        let compact = accepted.certification.compact();
        sent.iter().position(|other| other == compact)
    });
    judged
}

async fn one(
    communities: &Communities,
    applicant: Applicant<'_>,
    programmes: &[String],
    compact: &str,
    now: UnixTime,
) -> Result<Accepted, Refused> {
    let Applicant {
        served,
        statement,
        metadata,
        endpoint,
    } = applicant;
    let rules = &served.certifications;
    // Signature, by the key of x5c[0]. §4.2 step 1.
    let signed = certification::verify_signature(compact, &served.community.algorithms)?;
    // Who may sign for these programmes.
    let programmes = signable(rules, &signed, programmes)?;
    // Trust, on the anchors for certifiers, or on those for members where the app signed. Step 4.
    let verdict = communities
        .certifier(served.community.uri.as_str(), &signed, now)
        .await?;
    // Its names and claims. Step 3.
    let certification = signed.verify(&verdict, statement.uri(), endpoint, now)?;
    // What is registered stays within it. Step 5.
    let key = statement.leaf().public_key();
    let key = key.map_err(|e| JwsError::X5cLeaf { why: e.to_string() })?;
    certification.matches(metadata, key)?;
    // What the programme says of its own.
    for programme in &programmes {
        let (uri, certified) = (statement.uri(), certification.payload());
        served
            .community
            .require_certified(programme, uri, certified, now)?;
    }
    // Its certifier still stands by it. §5.
    if let Some(endpoint) = certification.status_endpoint() {
        let claims = certification.claims();
        status::ask(communities.fetcher(), endpoint, &claims.jti, claims.exp).await?;
    }
    Ok(Accepted {
        programmes,
        certification,
    })
}

/// Those of some programmes for which the signer may certify by the operator's lists.
fn signable(
    rules: &Certifications,
    signed: &certification::Signed,
    programmes: &[String],
) -> Result<Vec<String>, Refused> {
    let mut programmes = programmes.to_vec();
    if signed.claims_self_signed() {
        let first = programmes.first().cloned().unwrap_or_default();
        programmes.retain(|uri| rules.self_signed.contains(uri));
        if programmes.is_empty() {
            return Err(Refused::SelfSigned { programme: first });
        }
    } else if !rules.certifiers.is_empty()
        && !rules.certifiers.iter().any(|c| c == signed.claimed_iss())
    {
        return Err(Refused::NotACertifier {
            iss: signed.claimed_iss().to_owned(),
        });
    }
    Ok(programmes)
}

impl Judged {
    /// Whether everything that the community requires is there. An endorsement recommends an app; it
    /// shows nothing that is required.
    pub(crate) fn require(&self, required: &[String]) -> Result<(), Lacking> {
        let has = |programme: &String| {
            self.accepted.iter().any(|accepted| {
                accepted.certification.kind() == Kind::Certification
                    && accepted.programmes.contains(programme)
            })
        };
        let Some(programme) = required.iter().find(|programme| !has(programme)) else {
            return Ok(());
        };
        let by = |wanted: fn(&[String], &String) -> bool| {
            self.refused
                .iter()
                .find(|(programmes, _)| wanted(programmes, programme))
        };
        let because = by(|programmes, programme| programmes.contains(programme))
            .or_else(|| by(|programmes, _| programmes.is_empty()));
        Err(Lacking {
            programme: programme.clone(),
            because: because.map(|(_, refused)| refused.clone()),
        })
    }

    /// The JWTs that were accepted, as they were sent.
    pub(crate) fn compact(&self) -> Vec<&str> {
        self.accepted
            .iter()
            .map(|accepted| accepted.certification.compact())
            .collect()
    }
}
