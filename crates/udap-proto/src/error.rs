//! What every refusal of this crate can say about itself.

/// A refusal with a stable code in words, for programs, logs and `udap explain CODE`.
///
/// The sentence is the error's `Display`; what it means and the section it comes from stand in the
/// catalogue of its crate under the same code.
pub trait Refusal: std::error::Error {
    /// The stable code, for example `aud-mismatch`.
    fn code(&self) -> &'static str;
    /// What to do about it, with this refusal's own values; `None` where the catalogue's general
    /// hint says as much.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Renders two values that should have been equal one under the other, with a mark under the first
/// character that differs, so that a trailing slash or a letter's case can be seen.
#[must_use]
pub fn first_difference(expected: &str, found: &str) -> String {
    let same = expected
        .chars()
        .zip(found.chars())
        .take_while(|(a, b)| a == b)
        .count();
    format!(
        "expected {expected}\n   found {found}\n         {}^",
        " ".repeat(same)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_difference_is_marked() {
        assert_eq!(
            super::first_difference("https://a/b", "https://a/b/"),
            "expected https://a/b\n   found https://a/b/\n                    ^"
        );
    }
}
