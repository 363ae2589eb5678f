//! The explanation of a verdict.

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// ✓
    Ok,
    /// ✗
    Failed,
    /// –
    Skipped,
}

/// One check, or a group of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How it went.
    pub mark: Mark,
    /// What was checked, in words.
    pub title: String,
    /// What was looked at: name and value.
    pub data: Vec<(&'static str, String)>,
    /// Where the rule is written.
    pub section: &'static str,
    /// The code of the refusal, when it failed.
    pub code: Option<&'static str>,
    /// The parts of this step.
    pub children: Vec<Step>,
}

/// Every candidate path and every check of one verification. `Display` prints it as a tree.
#[derive(Clone, Debug, Default)]
pub struct Trace;

impl Trace {
    /// The tree, to walk or print as JSON.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        todo!()
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
