//! Whether a certificate is below an anchor at all, whatever else is wrong with the paths that were tried.

use super::Engine;
use crate::validate::{anchor_may_issue, may_issue};
use crate::verify::limits;

impl Engine<'_> {
    /// Whether signatures of CAs lead from an anchor to the certificate that was asked about. Dates, constraints
    /// and revocation are left aside.
    ///
    /// From the anchors down, and each certificate once: one that was sent along counts only if a CA below an
    /// anchor signed it. So nobody who sends more hides that there is no way, or keeps the one there is from
    /// being found, as he could by wearing out the search for paths.
    pub(crate) fn is_below_an_anchor(&mut self) -> bool {
        self.signatures = limits::SIGNATURES;
        self.exhausted = None;
        let names = self.numbers();
        let mut below = self.anchor.clone();
        let mut issuers: Vec<u32> = (0..)
            .zip(&below)
            .filter_map(|(at, is)| is.then_some(at))
            .collect();
        while let Some(issuer) = issuers.pop() {
            let (Some(certificate), Some((subject, _))) =
                (self.at(issuer), names.get(issuer as usize))
            else {
                continue;
            };
            let may = if self.is_anchor(issuer, None) {
                anchor_may_issue(certificate)
            } else {
                may_issue(certificate)
            };
            if may.is_err() {
                continue;
            }
            for (child, (_, named)) in (0..).zip(&names) {
                if named == subject
                    && below.get(child as usize) == Some(&false)
                    && self.edge(child, issuer).is_ok()
                    && let Some(place) = below.get_mut(child as usize)
                {
                    *place = true;
                    issuers.push(child);
                }
            }
        }
        // Where even this cannot be told, nothing is said to be lost.
        below.first() == Some(&true) || self.exhausted.is_some()
    }
}
