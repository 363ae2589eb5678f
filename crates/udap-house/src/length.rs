//! How long a file may be.

use crate::Source;

/// From here on a file holds two things.
pub const MOST_LINES: usize = 700;

/// Each program file that is longer.
#[must_use]
pub fn too_long(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.is_program())
        .map(|source| (source.path(), source.text().lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{path} has {lines} lines, more than {MOST_LINES}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_hundred_lines_are_enough() {
        let of = |lines| [Source::new("crates/a/src/lib.rs", &"x\n".repeat(lines))];
        assert!(too_long(&of(700)).is_empty());
        assert_eq!(
            too_long(&of(701)),
            ["crates/a/src/lib.rs has 701 lines, more than 700"]
        );
        assert!(too_long(&[Source::new("Cargo.lock", &"x\n".repeat(4000))]).is_empty());
    }
}
