//! Every code there is, with its meaning.

use udap_host::audit::Event;
use udap_pki::Explanation;

/// The catalogues of all crates, one after the other.
pub(crate) fn all() -> impl Iterator<Item = &'static Explanation> {
    udap_lab::explanations().chain(CATALOGUE)
}

/// The meaning of one code.
pub(crate) fn find(code: &str) -> Option<&'static Explanation> {
    all().find(|entry| entry.code == code)
}

/// The codes most like a word that is none, best first, at most three.
pub(crate) fn nearest(word: &str) -> Vec<&'static str> {
    nearest_of(word, all().map(|entry| entry.code))
}

/// What people are told of a code that is none: nothing where it is one, or where there is none like it.
pub(crate) fn did_you_mean(word: &str) -> Option<String> {
    meant(word, find(word).is_some(), &nearest(word))
}

/// The same of an audit trail's event.
pub(crate) fn did_you_mean_event(word: &str) -> Option<String> {
    let names = Event::NAMES;
    meant(
        word,
        names.contains(&word),
        &nearest_of(word, names.into_iter()),
    )
}

fn meant(word: &str, known: bool, near: &[&str]) -> Option<String> {
    let said = || format!("there is no `{word}`: did you mean {}?", near.join(", "));
    (!known && !near.is_empty()).then(said)
}

fn nearest_of(word: &str, names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut codes: Vec<(usize, &str)> = names
        .map(|name| {
            let contained = name.contains(word) || word.contains(name);
            let far = if contained { 0 } else { distance(word, name) };
            (far, name)
        })
        .collect();
    codes.sort_unstable();
    codes.dedup();
    let bound = (word.len() / 2).max(2);
    codes
        .into_iter()
        .filter(|(distance, _)| *distance <= bound)
        .map(|(_, code)| code)
        .take(3)
        .collect()
}

/// How many letters have to be put in, left out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(80).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(x != *y))
                .min(left + 1)
                .min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The codes of the command line itself.
const CATALOGUE: &[Explanation] = &[
    Explanation {
        code: "usage",
        title: "The command line cannot be understood",
        meaning: "An option is unknown, missing, or cannot be together with another.",
        hint: "`--help` after the command shows its options, and examples.",
        section: "—",
    },
    Explanation {
        code: "file-unusable",
        title: "A file cannot be read or written",
        meaning: "A file named on the command line is not there, may not be read or written, or holds something else than it should.",
        hint: "The message says what is wrong with it, or what it should hold: see that the right file is named.",
        section: "—",
    },
    Explanation {
        code: "certificate-lost",
        title: "A certificate was issued and could not be written",
        meaning: "The authority has it in its books, and the file for it or for its key could not be written: the disk may be full. The key is gone.",
        hint: "Take it back with `udap ca revoke SERIAL`, then issue another.",
        section: "—",
    },
    Explanation {
        code: "bundle-file-lost",
        title: "A bundle is published and could not be written",
        meaning: "The authority's server gives it out and members follow it, but the file for another web server could not be written: the disk may be full.",
        hint: "Fetch it from the authority's server, or sign another: its sequence is higher.",
        section: "—",
    },
    Explanation {
        code: "output-unwritable",
        title: "The output cannot be written",
        meaning: "Standard output is a file or a pipe that takes no more: the disk may be full.",
        hint: "Write somewhere else.",
        section: "—",
    },
    Explanation {
        code: "community-draft",
        title: "The rules of a community are a draft",
        meaning: "The profile or description says that its document is not final; both may change with every version.",
        hint: "Follow the community's announcements, and update with them.",
        section: "—",
    },
    Explanation {
        code: "sandbox-unusable",
        title: "There is no sandbox",
        meaning: "The directory holds no `sandbox.json`, or one that cannot be read, or lacks the app that was named.",
        hint: "Make one with `udap dev`, or name its directory with `--sandbox DIR`.",
        section: "—",
    },
    Explanation {
        code: "offline-unknown",
        title: "Nothing is known of this server yet",
        meaning: "Without a connection a request can only be built from metadata that was verified before.",
        hint: "Run `udap discover URL` once with a connection.",
        section: "—",
    },
    Explanation {
        code: "not-registered",
        title: "This app is not registered with the server, as far as is remembered here",
        meaning: "Questions about a token are asked by the app that got it, under the client_id of its registration.",
        hint: "Run `udap register URL`, or name the directory that remembers the registration with `--state-dir`.",
        section: "—",
    },
    Explanation {
        code: "token-still-active",
        title: "The token still counts",
        meaning: "The server took the request to end it and says, asked again, that it counts. A token is ended only for the app that got it.",
        hint: "Ask as the app that got the token; else tell the server's operator. Cancelling that app's registration ends all of its tokens: `udap unregister URL`.",
        section: "RFC 7009 §2.2",
    },
    Explanation {
        code: "base-url-unclear",
        title: "It is not clear where the FHIR base URL ends",
        meaning: "A FHIR URL is a base URL and a resource type behind it (`…/r4/Patient/1`). No segment of this URL is a resource type of FHIR R4.",
        hint: "Say it with `--base URL`.",
        section: "FHIR R4 §3.1.0.1.1",
    },
    Explanation {
        code: "option-missing",
        title: "Something has to be said that has no safe default",
        meaning: "Whom to reach about an app, for which purpose it asks, which of several names it has: that is not guessed.",
        hint: "The message names the option.",
        section: "—",
    },
    Explanation {
        code: "code-unknown",
        title: "There is no such code",
        meaning: "Codes are words with hyphens, as they stand in brackets behind `error`.",
        hint: "`udap explain --all` lists them.",
        section: "—",
    },
    Explanation {
        code: "passphrase-too-short",
        title: "The passphrase is too short",
        meaning: "What it protects can be copied and guessed at without limit, so twelve characters are the least.",
        hint: "Take a sentence, or `openssl rand -base64 24`.",
        section: "—",
    },
    Explanation {
        code: "runtime-unavailable",
        title: "The program cannot start its work",
        meaning: "The operating system gives no thread, timer or signal handler.",
        hint: "Look at the limits of this process (`ulimit -a`).",
        section: "—",
    },
    Explanation {
        code: "base-url-slash",
        title: "The base URL ends with a slash",
        meaning: "Base URLs are compared byte for byte with a certificate's URI name, with `iss` and with `aud`. Most servers have theirs without a slash, and some clients take one away.",
        hint: "Leave the slash off, in the URL as in the certificate.",
        section: "HL7 SSRAA §2.3",
    },
    Explanation {
        code: "clock-off",
        title: "The two clocks differ too much",
        meaning: "A JWT lives five minutes at most and names when it was made. With clocks more than 30 seconds apart it comes from the future or is over too soon.",
        hint: "Compare both machines with a time server (`timedatectl`, `chronyc tracking`).",
        section: "HL7 SSRAA §1.2.3",
    },
    Explanation {
        code: "certificate-expires-soon",
        title: "A certificate ends within 21 days",
        meaning: "From its last day on every partner refuses it. A registration is bound to the certificate's URI and stays as it is when a new certificate has the same one.",
        hint: "Ask its issuer for a new one with the same names now.",
        section: "RFC 5280 §4.1.2.5",
    },
    Explanation {
        code: "tls-weak",
        title: "The host accepts weak TLS",
        meaning: "Beside what was agreed on, it would accept an older version or a weaker cipher suite.",
        hint: "See which with `udap tls inspect HOST`, and switch them off.",
        section: "RFC 9325 §3",
    },
    Explanation {
        code: "revocation-not-checked",
        title: "Nobody knows whether it is revoked",
        meaning: "No CRL and no OCSP response could be had, and the policy lets that pass. A partner with a stricter one refuses.",
        hint: "See that the CA's CRL is published and reachable (`udap x509 verify --fetch --explain`).",
        section: "RFC 5280 §6.3",
    },
    Explanation {
        code: "scopes-not-said",
        title: "The server does not say which scopes it has",
        meaning: "Without `scopes_supported` an app can only guess what to register for and to ask for.",
        hint: "For the operator: list them in the metadata.",
        section: "HL7 SSRAA §2.2",
    },
    Explanation {
        code: "input-unreadable",
        title: "The input is not what it should be",
        meaning: "A certificate, CRL, OCSP response, token or request could not be read at all, so that nothing can be said of it.",
        hint: "The message says what was expected.",
        section: "—",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_one_thing() {
        let mut seen = std::collections::HashMap::new();
        for entry in all() {
            if let Some(earlier) = seen.insert(entry.code, entry) {
                assert_eq!(
                    earlier.title, entry.title,
                    "`{}` has two meanings",
                    entry.code
                );
            }
            let words = entry.code.split('-').all(|word| {
                !word.is_empty()
                    && word
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            });
            assert!(words, "`{}` is not in words", entry.code);
            assert!(
                !entry.hint.is_empty() && !entry.meaning.is_empty(),
                "{}",
                entry.code
            );
        }
    }

    #[test]
    fn a_word_that_is_no_code_finds_its_neighbours() {
        assert_eq!(
            nearest("san-uri-mismach").first(),
            Some(&"san-uri-mismatch")
        );
        assert!(nearest("revoked").contains(&"certificate-revoked"));
        assert!(nearest("qqqqqqqqqqqqqqqqqqqqqq").is_empty());
        assert_eq!(did_you_mean("jwt-replayed"), None);
        let meant = did_you_mean("jwt-replyed").unwrap_or_default();
        assert!(meant.contains("did you mean jwt-replayed"), "{meant}");
        let meant = did_you_mean_event("token-refusd").unwrap_or_default();
        assert!(meant.contains("did you mean token-refused"), "{meant}");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
