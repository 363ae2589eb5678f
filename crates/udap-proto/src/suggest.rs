//! What somebody may have meant to type.

/// The known name nearest to what was typed, if it is near enough to be a slip.
#[must_use]
pub fn suggest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, name) = known
        .iter()
        .map(|name| (edit_distance(typed, name), *name))
        .min_by_key(|(d, _)| *d)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(name)
}

/// Levenshtein distance; `-` and `_` are one, since nobody remembers which.
fn edit_distance(a: &str, b: &str) -> usize {
    let fold = |s: &str| {
        // Nobody slips that far; and the work is the product of both lengths.
        let s = s.chars().take(64).collect::<String>();
        s.to_lowercase()
            .replace('-', "_")
            .chars()
            .collect::<Vec<_>>()
    };
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX - 1);
            let before = next.last().copied().unwrap_or(usize::MAX - 1);
            next.push(
                (diagonal + usize::from(x != y))
                    .min(above + 1)
                    .min(before + 1),
            );
            diagonal = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["certifications", "credential_providers", "scopes", "uri"];
        assert_eq!(suggest("certificatons", &known), Some("certifications"));
        assert_eq!(
            suggest("credential-provider", &known),
            Some("credential_providers")
        );
        assert_eq!(suggest("Scope", &known), Some("scopes"));
        assert_eq!(suggest("url", &known), Some("uri"));
        assert_eq!(suggest("anchors", &known), None);
        assert_eq!(suggest("x", &[]), None);
    }
}
