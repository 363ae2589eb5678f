//! Every code of this crate, explained.

/// What `udap explain CODE` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The stable code in words.
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub hint: &'static str,
    /// Where the rule is written.
    pub section: &'static str,
}

/// Every code that an error of this crate can have.
pub const CATALOGUE: &[Explanation] = &[];
