//! Text as FHIR's string search compares it: without regard to case or accents
//! (<https://hl7.org/fhir/R4/search.html#string>).

/// Lower case, with the accents of Latin letters taken off.
pub(super) fn folded(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .filter(|c| !is_combining(*c))
        .map(plain)
        .collect()
}

/// The letter under the accent, for the letters of Latin-1 and their neighbours in use in European names.
fn plain(letter: char) -> char {
    ACCENTED
        .iter()
        .find(|(accented, _)| accented.contains(letter))
        .map_or(letter, |(_, plain)| *plain)
}

fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

const ACCENTED: [(&str, char); 17] = [
    ("àáâãäåāăą", 'a'),
    ("çćč", 'c'),
    ("ďđ", 'd'),
    ("èéêëēęě", 'e'),
    ("ğ", 'g'),
    ("ìíîïīı", 'i'),
    ("ł", 'l'),
    ("ñńň", 'n'),
    ("òóôõöøōő", 'o'),
    ("ř", 'r'),
    ("śşš", 's'),
    ("ťţ", 't'),
    ("ùúûüūůű", 'u'),
    ("ýÿ", 'y'),
    ("źżž", 'z'),
    ("ß", 's'),
    ("ŵ", 'w'),
];

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn case_and_accents_do_not_count() {
        assert_eq!(folded("Núñez"), "nunez");
        assert_eq!(folded("NU\u{301}N\u{303}EZ"), "nunez");
        assert_eq!(folded("Van Houten"), "van houten");
    }
}
