//! Names that are nearly the host's.

/// In what the name nearest to `host` differs, as a sentence; `None` when none is near.
pub(super) fn near_miss(host: &str, names: &[String], common_names: &[String]) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    for name in names {
        let plain = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(base) = plain.strip_prefix("*.") {
            if host == base {
                return Some(format!(
                    "{name} stands for names below {base}, not for {base} itself"
                ));
            }
            if host
                .strip_suffix(base)
                .is_some_and(|rest| rest.ends_with('.') && rest.matches('.').count() > 1)
            {
                return Some(format!(
                    "the * of {name} stands for one label, and {host} has more before {base}"
                ));
            }
        }
        if plain.strip_prefix("www.") == Some(&host) || host.strip_prefix("www.") == Some(&plain) {
            return Some(format!("{name} differs from {host} in `www.`"));
        }
        if host
            .strip_suffix(&plain)
            .is_some_and(|rest| rest.ends_with('.'))
        {
            return Some(format!(
                "{name} is the domain above {host} and does not stand for it"
            ));
        }
        if differs_in_one(&host, &plain) {
            return Some(format!("{name} differs from {host} in one character"));
        }
    }
    let common = common_names
        .iter()
        .find(|name| name.eq_ignore_ascii_case(&host));
    common.map(|name| {
        format!("only the common name of the subject is {name}; names are read from subjectAltName alone")
    })
}

/// One character more, less, or another.
fn differs_in_one(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tails = |skip_a: usize, skip_b: usize| a.get(same + skip_a..) == b.get(same + skip_b..);
    match a.len().abs_diff(b.len()) {
        0 => same < a.len() && tails(1, 1),
        1 => tails(
            usize::from(a.len() > b.len()),
            usize::from(b.len() > a.len()),
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(host: &str, name: &str) -> Option<String> {
        near_miss(host, &[name.to_owned()], &[])
    }

    #[test]
    fn each_near_miss_is_named() {
        for (host, name, expected) in [
            ("example.org", "*.example.org", "stands for names below"),
            ("a.b.example.org", "*.example.org", "stands for one label"),
            ("example.org", "www.example.org", "in `www.`"),
            ("www.example.org", "example.org", "in `www.`"),
            ("fhir.example.org", "example.org", "is the domain above"),
            ("fhir.example.org", "fhir.exarnple.org", ""),
            ("fhir.example.org", "fhir.exemple.org", "in one character"),
            ("fhir.example.org", "fhirs.example.org", "in one character"),
            ("fhir.example.org", "hir.example.org", "in one character"),
        ] {
            let found = near(host, name);
            match expected {
                "" => assert_eq!(found, None),
                _ => assert!(
                    found.as_ref().is_some_and(|f| f.contains(expected)),
                    "{host} {name} {found:?}"
                ),
            }
        }
        let common = near_miss("fhir.example.org", &[], &["fhir.example.org".to_owned()]);
        assert!(common.is_some_and(|text| text.contains("subjectAltName")));
    }

    #[test]
    fn other_names_are_not_near() {
        assert_eq!(near("fhir.example.org", "other.example.com"), None);
        assert_eq!(near("fhir.example.org", "notexample.org"), None);
        assert_eq!(near("a.example.org", "*.example.com"), None);
    }
}
