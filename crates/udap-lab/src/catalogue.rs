use udap_pki::Explanation;

/// Every code that the sandbox and the benchmarks themselves can give. Those of the actors and of the
/// client are in the catalogues of their crates.
pub const CATALOGUE: &[Explanation] = &[
    entry(
        "port-base-invalid",
        "The sandbox's ports do not exist",
        "A sandbox takes nine ports in a row from --port-base on, none below 1024, where only the administrator may listen.",
        "Choose a number from 1024 to 65527, or leave it at 8440.",
    ),
    entry(
        "upstream-invalid",
        "That cannot be the FHIR server behind the gateway",
        "The gateway writes every request anew below this URL, so it is http or https with a host and a path and nothing else.",
        "Give the server's FHIR base URL, for example http://localhost:8080/fhir.",
    ),
    entry(
        "sandbox-directory",
        "The sandbox's directory cannot be used",
        "Certificates, keys, databases and logs are kept there, so that it must be possible to write to it.",
        "Look at its owner and permissions, or choose another with --dir.",
    ),
    entry(
        "sandbox-locked",
        "Another sandbox is running in this directory",
        "Two of them would renew each other's certificates.",
        "End the other one, or choose another directory with --dir and other ports with --port-base.",
    ),
    entry(
        "sandbox-file",
        "A file of the sandbox cannot be used",
        "It was there when the sandbox was made and is not what it was any more.",
        "Start again: what is missing or damaged is made anew.",
    ),
    entry(
        "port-in-use",
        "Somebody listens where an actor of the sandbox would",
        "Each actor has its port; nothing is started when one of them is taken, on either address of localhost.",
        "End the program that listens there, or move every port with --port-base N.",
    ),
    entry(
        "actor-not-started",
        "A process of the sandbox could not be started",
        "The operating system refused to run this program once more.",
        "Look whether the program's file is still there, and whether processes or memory are used up.",
    ),
    entry(
        "actor-ended",
        "A process of the sandbox ended by itself",
        "The last lines of its log are shown; they say why.",
        "Read its log in the directory's logs/. What is damaged beyond repair can be removed: it is made anew.",
    ),
    entry(
        "actor-not-ready",
        "A process of the sandbox does not answer",
        "It runs, and did not begin to serve in time.",
        "Read its log in the directory's logs/; on a busy machine try again.",
    ),
    entry(
        "actor-left-behind",
        "A process of the sandbox does not end",
        "It was asked to end, then killed, and is still there; it waits for a device, most likely.",
        "Look at the process with the system's own tools.",
    ),
    entry(
        "system-refused",
        "The operating system refused something",
        "Without it the sandbox cannot run.",
        "The message says what; limits of the user or of a container are the usual cause.",
    ),
    entry(
        "step-failed",
        "A step of the main job did not do what it must",
        "Something was accepted that has to be refused, or refused otherwise than it has to be.",
        "The logs of the actors are in the directory's logs/. Please report it: the sandbox is made so that every step succeeds.",
    ),
    entry(
        "bench-range",
        "A benchmark cannot run with this number",
        "Assertions are signed in advance and end after five minutes, and a connection takes a file descriptor.",
        "Choose a number within the range that the message names.",
    ),
    entry(
        "bench-refused",
        "The measured server refused",
        "Its answer is shown.",
        "Check that the certificate belongs to a community of that server, or give --client-id and the token endpoint.",
    ),
    entry(
        "bench-failed",
        "Nothing could be measured",
        "The message says what was missing.",
        "Check that the server can be reached and that the client's files are what they should be.",
    ),
];

/// What this crate and those below it explain.
pub fn explanations() -> impl Iterator<Item = &'static Explanation> {
    [
        udap_pki::CATALOGUE,
        udap_pki::issue::CATALOGUE,
        udap_pki::lint::CATALOGUE,
        udap_proto::CATALOGUE,
        udap_trust::CATALOGUE,
        udap_client::CATALOGUE,
        udap_client::inspect::CATALOGUE,
        udap_host::CATALOGUE,
        udap_server::CATALOGUE,
        udap_server::ADMIN_CATALOGUE,
        udap_gateway::CATALOGUE,
        udap_ca::CATALOGUE,
        CATALOGUE,
    ]
    .into_iter()
    .flatten()
}

/// The meaning of a code, whichever actor gave it.
pub(crate) fn find(code: &str) -> Option<&'static Explanation> {
    explanations().find(|entry| entry.code == code)
}

const fn entry(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    hint: &'static str,
) -> Explanation {
    Explanation {
        code,
        title,
        meaning,
        hint,
        section: "—",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_as_they_are_said_to_be() {
        let entry = CATALOGUE
            .iter()
            .find(|known| known.code == "port-base-invalid");
        let bases = crate::dev::PORT_BASES;
        let said = format!("from {} to {},", bases.start(), bases.end());
        assert!(
            entry.is_some_and(|entry| entry.hint.contains(&said)),
            "{said}"
        );
    }

    /// Every code that stands in the sources is explained here or in a crate below, and every
    /// explanation is of such a code.
    #[test]
    fn the_catalogue_and_the_errors_agree() {
        let sources = [
            include_str!("dev/error.rs"),
            include_str!("bench.rs"),
            include_str!("dev/job/step.rs"),
        ];
        let mut found: Vec<&str> = Vec::new();
        for line in sources.iter().flat_map(|source| source.lines()) {
            let quoted = match line.split_once("=> \"") {
                Some((_, rest)) => rest,
                None => match line.trim().strip_prefix("code: \"") {
                    Some(rest) => rest,
                    None => continue,
                },
            };
            found.extend(quoted.split('"').next());
        }
        let below = |code: &str| udap_host::CATALOGUE.iter().any(|known| known.code == code);
        for code in &found {
            let here = CATALOGUE.iter().any(|known| known.code == *code);
            assert!(here || below(code), "{code} is not explained");
        }
        for entry in CATALOGUE {
            assert!(found.contains(&entry.code), "nothing gives {}", entry.code);
        }
    }
}
