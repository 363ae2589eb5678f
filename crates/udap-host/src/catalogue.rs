//! Every code that this crate can answer with, in words.

use udap_pki::Explanation;

pub(crate) fn hint(code: &str) -> &'static str {
    CATALOGUE
        .iter()
        .find(|entry| entry.code == code)
        .map_or("", |entry| entry.hint)
}

pub const CATALOGUE: &[Explanation] = &[];
