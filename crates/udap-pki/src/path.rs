//! Path building (RFC 4158): every candidate, deepest knowledge last. Names make the graph, key identifiers
//! and dates only order it, and a signature is checked before a step is taken. No recursion, bounded work.

mod descent;

use crate::error::WorkLimit;
use crate::trace::{Check, Detail, Mark, Recorder};
use crate::verify::{Asking, limits};
use crate::{
    Certificate, Evidence, Need, ObjectIdentifier, Policy, Reason, Request, SignatureError, Trace,
    UnixTime,
};
use std::collections::BTreeMap;

/// One verification at work.
pub(crate) struct Engine<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) now: UnixTime,
    pub(crate) policy: &'a Policy,
    pub(crate) asking: Asking,
    /// The leaf, the anchors, the rest; each once. OCSP delegates are added when they are met.
    pub(crate) certificates: Vec<&'a Certificate>,
    /// Which of them are anchors.
    anchor: Vec<bool>,
    /// Which of them may be issuers: all that were there from the beginning.
    pool: usize,
    /// Numbers for subject and issuer names, once the pool is too large to compare names one by one.
    name_numbers: Option<Vec<(u32, u32)>>,
    /// Certificates from here to an anchor, by names alone.
    distance: Option<Vec<u8>>,
    /// Signatures already checked: child, issuer, result.
    edges: Vec<(u32, u32, bool)>,
    signatures: u32,
    steps: u32,
    paths: u32,
    pub(crate) name_work: u32,
    pub(crate) exhausted: Option<WorkLimit>,
    pub(crate) needs: Vec<Need>,
    pub(crate) known: Vec<crate::revocation::Known>,
    pub(crate) signers_in_progress: Vec<u32>,
    pub(crate) trace: Recorder,
}

/// What the first certificate of a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The certificate that was asked about: the policy's purpose and name.
    Member,
    /// Signs CRLs.
    CrlSigner,
    /// Signs OCSP responses.
    OcspDelegate,
}

/// What path building found.
pub(crate) enum Built {
    Valid(Found),
    /// More evidence may change the answer.
    Undecided(Reason),
    Refused(Reason),
}

pub(crate) struct Found {
    pub(crate) path: Vec<u32>,
    pub(crate) expires: UnixTime,
    pub(crate) revocation_checked: bool,
    pub(crate) policies: Vec<ObjectIdentifier>,
}

/// Candidates of one certificate of the path that is being built.
struct Frame {
    candidates: Vec<u32>,
    next: usize,
    /// Whether the key of one of them made the certificate's signature.
    issuer_known: bool,
}

/// How far a refusal came; the furthest is the one people need to read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    DeadEnd(usize),
    Candidate(usize),
    ReachedAnchor,
    WellFormed,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(request: &Request<'a>, asking: Asking) -> Self {
        let mut certificates: Vec<&'a Certificate> = vec![request.leaf];
        let mut anchor = vec![false];
        let mut left_out = 0;
        let mut numbers: BTreeMap<&[u8; 32], usize> = BTreeMap::new();
        let total = 1
            + request.anchors.len()
            + request.intermediates.len()
            + request.evidence.certificates().len();
        let anchors = request
            .anchors
            .iter()
            .map(|anchor| (anchor.certificate(), true));
        let others = request
            .intermediates
            .iter()
            .chain(request.evidence.certificates())
            .map(|other| (other, false));
        if total > SMALL {
            numbers.insert(request.leaf.sha256(), 0);
        }
        for (certificate, is_anchor) in anchors.chain(others) {
            // Each certificate once: a few are compared, many are looked up by their hash.
            let known = if total > SMALL {
                numbers.get(certificate.sha256()).copied()
            } else {
                certificates.iter().position(|known| *known == certificate)
            };
            match known {
                Some(at) => {
                    if let Some(mark) = anchor.get_mut(at) {
                        *mark |= is_anchor;
                    }
                }
                None if certificates.len() == limits::POOL => left_out += 1,
                None => {
                    if total > SMALL {
                        numbers.insert(certificate.sha256(), certificates.len());
                    }
                    certificates.push(certificate);
                    anchor.push(is_anchor);
                }
            }
        }
        let mut trace = Recorder::new(request.now);
        if left_out > 0 {
            trace.note(
                Mark::Skipped,
                Check::Pool,
                None,
                Detail::Text("there are too many; some were ignored"),
            );
        }
        Self {
            evidence: request.evidence,
            now: request.now,
            policy: request.policy,
            asking,
            pool: certificates.len(),
            certificates,
            anchor,
            name_numbers: None,
            distance: None,
            edges: Vec::new(),
            signatures: limits::SIGNATURES,
            steps: limits::STEPS,
            paths: limits::PATHS,
            name_work: limits::NAME_COMPARISONS,
            exhausted: None,
            needs: Vec::new(),
            known: Vec::new(),
            signers_in_progress: Vec::new(),
            trace,
        }
    }

    /// The certificates of the path, the needs and the trace.
    pub(crate) fn finish(self, built: &Built) -> (Vec<Certificate>, Vec<Need>, Trace) {
        let path = match built {
            Built::Valid(found) => found
                .path
                .iter()
                .filter_map(|at| self.at(*at).cloned())
                .collect(),
            _ => Vec::new(),
        };
        (path, self.needs, self.trace.finish())
    }

    pub(crate) fn at(&self, at: u32) -> Option<&'a Certificate> {
        self.certificates.get(at as usize).copied()
    }

    /// Looks for a valid path from `leaf` to an anchor, or to the one anchor `only`.
    pub(crate) fn build(&mut self, leaf: u32, role: Role, only: Option<u32>, nesting: u8) -> Built {
        let Some(leaf_certificate) = self.at(leaf) else {
            return Built::Refused(limit(WorkLimit::Steps));
        };
        let leaf_problem = self.check_leaf(leaf_certificate, role).err();
        let needs_before = self.needs.len();
        let mut search = Search {
            best: None,
            undecided: None,
            reached_anchor: false,
            issuer_needs: Vec::new(),
        };
        let mut path = vec![leaf];
        let mut frames = Vec::new();
        if self.is_anchor(leaf, only) {
            if let Some(found) =
                self.judge_path(&path, role, nesting, leaf_problem.as_ref(), &mut search)
            {
                return Built::Valid(found);
            }
        } else {
            frames.push(self.frame(leaf, only));
        }

        while let Some(frame) = frames.last_mut() {
            if let Some(exhausted) = self.exhausted {
                self.trace.note(
                    Mark::Failed,
                    Check::Limit,
                    None,
                    Detail::Reason(Box::new(limit(exhausted))),
                );
                return Built::Refused(limit(exhausted));
            }
            let child = path.last().copied().unwrap_or(leaf);
            let Some(candidate) = frame.candidates.get(frame.next).copied() else {
                // Every candidate was tried.
                if !frame.issuer_known {
                    self.dead_end(child, path.len(), &mut search);
                }
                frames.pop();
                path.pop();
                continue;
            };
            frame.next += 1;
            self.steps = self.steps.saturating_sub(1);
            if self.steps == 0 {
                self.exhausted = Some(WorkLimit::Steps);
                continue;
            }
            // A subject and key that is already in the path would only go round in a circle.
            if self.is_in(candidate, &path) {
                continue;
            }
            let is_anchor = self.is_anchor(candidate, only);
            match self.step(child, candidate, is_anchor) {
                Ok(()) => frame.issuer_known = true,
                Err((reason, issuer_known)) => {
                    frame.issuer_known |= issuer_known;
                    search.refused(Progress::Candidate(path.len()), reason);
                    continue;
                }
            }
            if is_anchor {
                path.push(candidate);
                search.reached_anchor = true;
                if let Some(found) =
                    self.judge_path(&path, role, nesting, leaf_problem.as_ref(), &mut search)
                {
                    return Built::Valid(found);
                }
                path.pop();
                continue;
            }
            let allowed = self.policy.max_intermediates.min(limits::INTERMEDIATES);
            if path.len() > usize::from(allowed) {
                let reason = Reason::PathTooLong { limit: allowed };
                self.note_candidate(candidate, Err(&reason));
                search.refused(Progress::Candidate(path.len()), reason);
                continue;
            }
            self.note_candidate(candidate, Ok(()));
            path.push(candidate);
            frames.push(self.frame(candidate, only));
        }

        if let Some(exhausted) = self.exhausted {
            return Built::Refused(limit(exhausted));
        }
        let nothing_known = || Reason::ChainNotTrusted {
            certificate: leaf_certificate.label(),
            issuer: leaf_certificate.issuer().to_string(),
        };
        let reason = search.best.map_or_else(nothing_known, |(_, reason)| reason);
        // What the leaf lacks no evidence can mend.
        if let Some(problem) = leaf_problem {
            self.needs.truncate(needs_before);
            return Built::Refused(if search.reached_anchor {
                problem
            } else {
                reason
            });
        }
        if let Some(reason) = search.undecided {
            return Built::Undecided(reason);
        }
        // An issuer is asked for only when no path reached an anchor.
        if !search.reached_anchor
            && self.asking == Asking::ForNeeds
            && !search.issuer_needs.is_empty()
        {
            for need in search.issuer_needs {
                self.need(need);
            }
            return Built::Undecided(reason);
        }
        Built::Refused(reason)
    }

    /// Judges a path whose signatures reach an anchor.
    fn judge_path(
        &mut self,
        path: &[u32],
        role: Role,
        nesting: u8,
        leaf_problem: Option<&Reason>,
        search: &mut Search,
    ) -> Option<Found> {
        self.paths = self.paths.saturating_sub(1);
        if self.paths == 0 {
            self.exhausted = Some(WorkLimit::Paths);
            return None;
        }
        let certificates: Vec<Certificate> =
            path.iter().filter_map(|at| self.at(*at).cloned()).collect();
        let group = self
            .trace
            .open(Check::Path, None, Detail::Path(certificates));
        let needs_before = self.needs.len();
        let judged = self.judge_members(path, role, nesting, leaf_problem, search);
        self.trace.close(
            group,
            if judged.is_some() {
                Mark::Ok
            } else {
                Mark::Failed
            },
        );
        if judged.is_some() {
            self.needs.truncate(needs_before);
        }
        judged
    }

    fn judge_members(
        &mut self,
        path: &[u32],
        role: Role,
        nesting: u8,
        leaf_problem: Option<&Reason>,
        search: &mut Search,
    ) -> Option<Found> {
        let policies = match self.validate(path, role) {
            Ok(policies) => policies,
            Err(reason) => {
                search.refused(Progress::ReachedAnchor, reason);
                return None;
            }
        };
        if let Some(problem) = leaf_problem {
            search.refused(Progress::WellFormed, problem.clone());
            return None;
        }
        let mut expires = UnixTime::NO_EXPIRY;
        for certificate in path.iter().filter_map(|at| self.at(*at)) {
            expires = expires.min(certificate.not_after());
        }
        match self.check_revocation(path, nesting) {
            crate::revocation::PathStatus::Good {
                expires: evidence_expires,
                checked,
            } => Some(Found {
                path: path.to_vec(),
                expires: expires.min(evidence_expires),
                revocation_checked: checked,
                policies,
            }),
            crate::revocation::PathStatus::Undecided(reason) => {
                search.refused(Progress::WellFormed, reason.clone());
                search.undecided.get_or_insert(reason);
                None
            }
            crate::revocation::PathStatus::Refused(reason) => {
                search.refused(Progress::WellFormed, reason);
                None
            }
        }
    }

    /// Whether `issuer` may have issued `child` and its key made the signature. The refusal says whether the
    /// key is the issuer's all the same.
    fn step(&mut self, child: u32, issuer: u32, is_anchor: bool) -> Result<(), (Reason, bool)> {
        let (Some(child_certificate), Some(issuer_certificate)) = (self.at(child), self.at(issuer))
        else {
            return Err((limit(WorkLimit::Steps), false));
        };
        if let Err(error) = child_certificate.signature_scheme() {
            let reason = Reason::AlgorithmRefused {
                certificate: child_certificate.label(),
                error: error.clone(),
            };
            self.note_candidate(issuer, Err(&reason));
            return Err((reason, true));
        }
        if let Err(error) = issuer_certificate.public_key() {
            let reason = Reason::KeyRefused {
                certificate: issuer_certificate.label(),
                error: error.clone(),
            };
            self.note_candidate(issuer, Err(&reason));
            return Err((reason, false));
        }
        // An anchor's right to issue is judged with its path. Any other candidate is not worth a signature check
        // unless it may issue.
        if !is_anchor && let Err(reason) = crate::validate::may_issue(issuer_certificate) {
            self.note_candidate(issuer, Err(&reason));
            return Err((reason, false));
        }
        match self.edge(child, issuer) {
            Ok(()) => Ok(()),
            Err(error) => {
                let reason = Reason::SignatureInvalid {
                    certificate: child_certificate.label(),
                    issuer: issuer_certificate.label(),
                    error,
                };
                self.note_candidate(issuer, Err(&reason));
                Err((reason, false))
            }
        }
    }

    /// Whether the key of `issuer` made the signature on `child`; worked out once.
    pub(crate) fn edge(&mut self, child: u32, issuer: u32) -> Result<(), SignatureError> {
        let (Some(child_certificate), Some(issuer_certificate)) = (self.at(child), self.at(issuer))
        else {
            return Err(SignatureError::Invalid);
        };
        let Ok(key) = issuer_certificate.public_key() else {
            return Err(SignatureError::KeyMalformed);
        };
        if child_certificate.known_signed_by(key) {
            return Ok(());
        }
        let same_key = |other: u32| {
            other == issuer
                || self
                    .at(other)
                    .is_some_and(|at| at.spki_der() == key.spki_der())
        };
        if let Some((_, _, good)) = self
            .edges
            .iter()
            .find(|(from, to, _)| *from == child && same_key(*to))
        {
            return if *good {
                Ok(())
            } else {
                Err(SignatureError::Invalid)
            };
        }
        if !self.spend_signature() {
            return Err(SignatureError::Invalid);
        }
        let result = child_certificate.verify_signed_by(key);
        self.edges.push((child, issuer, result.is_ok()));
        result
    }

    /// One signature check less; `false` when there are none left.
    pub(crate) fn spend_signature(&mut self) -> bool {
        match self.signatures.checked_sub(1) {
            Some(left) => {
                self.signatures = left;
                true
            }
            None => {
                self.exhausted = Some(WorkLimit::Signatures);
                false
            }
        }
    }

    pub(crate) fn need(&mut self, need: Need) {
        if self.needs.len() < limits::NEEDS && !self.needs.contains(&need) {
            self.needs.push(need);
        }
    }

    pub(crate) fn is_unavailable(&self, need: &Need) -> bool {
        self.evidence.unavailable().contains(need)
    }

    fn dead_end(&mut self, child: u32, depth: usize, search: &mut Search) {
        let Some(certificate) = self.at(child) else {
            return;
        };
        let reason = Reason::ChainNotTrusted {
            certificate: certificate.label(),
            issuer: certificate.issuer().to_string(),
        };
        self.trace.note(
            Mark::Failed,
            Check::NoIssuer,
            Some(certificate),
            Detail::Reason(Box::new(reason.clone())),
        );
        search.refused(Progress::DeadEnd(depth), reason);
        if certificate.is_self_issued() {
            return;
        }
        let mut needs = certificate
            .ca_issuer_urls()
            .iter()
            .map(|url| Need::Issuer { url: url.clone() });
        if let Some(need) = needs.find(|need| !self.is_unavailable(need)) {
            search.issuer_needs.push(need);
        }
    }

    fn note_candidate(&mut self, candidate: u32, result: Result<(), &Reason>) {
        let Some(certificate) = self.at(candidate) else {
            return;
        };
        match result {
            Ok(()) => self
                .trace
                .note(Mark::Ok, Check::Issuer, Some(certificate), Detail::None),
            Err(reason) => {
                let detail = Detail::Reason(Box::new(reason.clone()));
                self.trace
                    .note(Mark::Failed, Check::Issuer, Some(certificate), detail);
            }
        }
    }

    pub(crate) fn is_anchor(&self, at: u32, only: Option<u32>) -> bool {
        match only {
            Some(only) => at == only,
            None => self.anchor.get(at as usize).copied().unwrap_or(false),
        }
    }

    fn is_in(&self, candidate: u32, path: &[u32]) -> bool {
        let Some(certificate) = self.at(candidate) else {
            return true;
        };
        path.iter().any(|at| {
            *at == candidate
                || self.at(*at).is_some_and(|other| {
                    other.spki_der() == certificate.spki_der()
                        && other.subject() == certificate.subject()
                })
        })
    }

    /// Every certificate whose subject is the issuer of `child`, the most promising first: anchors, then those
    /// whose key identifier fits, then those nearest to an anchor, then those that are valid now, then the
    /// newest. The order saves work and decides nothing.
    fn frame(&mut self, child: u32, only: Option<u32>) -> Frame {
        let mut candidates = self.issuers_of(child);
        if candidates.len() > 1 {
            let distance = self.distances();
            let wanted = self.at(child).and_then(Certificate::authority_key_id);
            let now = self.now;
            candidates.sort_by_cached_key(|at| {
                let certificate = self.at(*at);
                let misfit = match (wanted, certificate.and_then(Certificate::subject_key_id)) {
                    (Some(wanted), Some(found)) if wanted == found => 0_u8,
                    (Some(_), Some(_)) => 2,
                    _ => 1,
                };
                let out_of_date = certificate
                    .is_none_or(|issuer| now < issuer.not_before() || now > issuer.not_after());
                let age = certificate.map_or(0, |issuer| issuer.not_before().0.saturating_neg());
                let far = distance.get(*at as usize).copied().unwrap_or(u8::MAX);
                (!self.is_anchor(*at, only), misfit, far, out_of_date, age)
            });
            self.distance = Some(distance);
        }
        Frame {
            candidates,
            next: 0,
            issuer_known: false,
        }
    }

    /// The certificates of the pool whose subject is the issuer of `child`.
    pub(crate) fn issuers_of(&mut self, child: u32) -> Vec<u32> {
        let Some(certificate) = self.at(child) else {
            return Vec::new();
        };
        self.named(certificate.issuer(), child)
    }

    /// The certificates of the pool with this subject. `like` is a certificate with that issuer.
    fn named(&mut self, name: &crate::Name, like: u32) -> Vec<u32> {
        let pool = 0..u32::try_from(self.pool).unwrap_or(u32::MAX);
        if self.pool <= SMALL || like as usize >= self.pool {
            return pool
                .filter(|at| self.at(*at).is_some_and(|issuer| issuer.subject() == name))
                .collect();
        }
        let numbers = self.numbers();
        let wanted = numbers.get(like as usize).map(|(_, issuer)| *issuer);
        let found = pool
            .filter(|at| numbers.get(*at as usize).map(|(subject, _)| *subject) == wanted)
            .collect();
        self.name_numbers = Some(numbers);
        found
    }

    /// The certificates of the pool with this subject, whoever asks.
    pub(crate) fn subjects(&self, name: &crate::Name) -> Vec<u32> {
        let pool = 0..u32::try_from(self.pool).unwrap_or(u32::MAX);
        pool.filter(|at| self.at(*at).is_some_and(|found| found.subject() == name))
            .collect()
    }

    fn numbers(&mut self) -> Vec<(u32, u32)> {
        if let Some(numbers) = self.name_numbers.take() {
            return numbers;
        }
        let mut known: BTreeMap<&[u8], u32> = BTreeMap::new();
        let mut number = |name: &'a crate::Name| {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry(name.canonical()).or_insert(next)
        };
        self.certificates
            .iter()
            .take(self.pool)
            .map(|certificate| (number(certificate.subject()), number(certificate.issuer())))
            .collect()
    }

    /// How many certificates lie between each one and an anchor, judged by names alone.
    fn distances(&mut self) -> Vec<u8> {
        if let Some(distance) = self.distance.take() {
            return distance;
        }
        let numbers = self.numbers();
        let mut distance = vec![u8::MAX; self.pool];
        let mut by_issuer: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, (_, issuer)) in numbers.iter().enumerate() {
            by_issuer.entry(*issuer).or_default().push(at);
        }
        let mut reached: Vec<usize> = (0..self.pool)
            .filter(|at| self.anchor.get(*at) == Some(&true))
            .collect();
        let mut hops = 0_u8;
        while !reached.is_empty() && hops < u8::MAX {
            let mut next = Vec::new();
            for at in reached {
                let Some(place) = distance.get_mut(at).filter(|place| **place == u8::MAX) else {
                    continue;
                };
                *place = hops;
                // Each name is followed once.
                let below = numbers
                    .get(at)
                    .and_then(|(subject, _)| by_issuer.remove(subject));
                next.extend(below.unwrap_or_default());
            }
            reached = next;
            hops += 1;
        }
        self.name_numbers = Some(numbers);
        distance
    }
}

/// What a search has met so far.
struct Search {
    best: Option<(Progress, Reason)>,
    undecided: Option<Reason>,
    reached_anchor: bool,
    issuer_needs: Vec<Need>,
}

impl Search {
    fn refused(&mut self, progress: Progress, reason: Reason) {
        if self
            .best
            .as_ref()
            .is_none_or(|(best, _)| progress_key(progress) > progress_key(*best))
        {
            self.best = Some((progress, reason));
        }
    }
}

/// Nearer to an anchor is further; at one distance, a candidate that failed says more than none.
fn progress_key(progress: Progress) -> (u8, usize, u8) {
    match progress {
        Progress::DeadEnd(depth) => (0, depth, 0),
        Progress::Candidate(depth) => (0, depth, 1),
        Progress::ReachedAnchor => (1, 0, 0),
        Progress::WellFormed => (2, 0, 0),
    }
}

pub(crate) fn limit(limit: WorkLimit) -> Reason {
    Reason::WorkLimit(limit)
}

/// Up to here, comparing one by one is cheaper than an index.
const SMALL: usize = 16;
