//! From discovery to data and back out again.

use crate::community::{APP, COMMUNITY, Community, until};

/// One community for all: starting one takes a second or two.
#[test]
fn the_whole_way() {
    let watch = "resource_servers = [\"https://watch.example\"]\n";
    let community = Community::start_with(watch);
    let base = community.base_url.clone();
    let patients = format!("{base}/Patient?_count=1");

    // Offline, nothing is known yet.
    let said = community.client(&[
        "token",
        &base,
        "--offline",
        "--json",
        "--contact",
        "mailto:a@b.example",
        "--purpose",
        "TREAT",
    ]);
    assert_eq!((said.code, said.error().as_str()), (1, "offline-unknown"));

    let said = community.client(&["discover", &base, "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let found = said.json();
    assert_eq!(found["trusted"], true);
    assert_eq!(found["community"], COMMUNITY);
    assert_eq!(found["revocation_checked"], true);
    assert_eq!(found["metadata"]["token_endpoint"], found["token_endpoint"]);

    // A near miss: the two values stand under one another, the first difference marked.
    let said = community.client(&["discover", &format!("{base}/")]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.starts_with("error[iss-mismatch]: "),
        "{}",
        said.err
    );
    assert!(said.err.contains("see: udap explain iss-mismatch"));
    let mark = said.err.lines().find(|line| line.trim() == "^").unwrap();
    assert_eq!(mark.find('^').unwrap(), 12 + base.len());

    // What is asserted to others is never made up.
    let said = community.client(&[
        "get",
        &patients,
        "--json",
        "--contact",
        "mailto:a@b.example",
    ]);
    assert_eq!((said.code, said.error().as_str()), (2, "option-missing"));
    let said = community.client(&["get", &patients, "--json", "--purpose", "TREAT"]);
    assert_eq!((said.code, said.error().as_str()), (2, "option-missing"));

    // A community is known by its anchor.
    let host = base.trim_start_matches("https://");
    let host = host.trim_end_matches("/fhir");
    let known = ["--tls-root", "tls-root.pem", "--allow-host", host, "--json"];
    let args = [&["discover", &base, "--community", COMMUNITY][..], &known].concat();
    let said = crate::community::udap(community.dir(), &args);
    assert_eq!((said.code, said.error().as_str()), (2, "community-unknown"));
    assert!(said.out.contains("--anchor FILE"), "{said:?}");

    // A value that cannot be used is told from its option, and nothing is sent.
    for (args, code, hint) in [
        (
            &["register", &base, "--contact", "foo"][..],
            "parameter-invalid",
            "mailto:ops@",
        ),
        (
            &["register", &base, "--contact", "https://a.example"],
            "parameter-invalid",
            "mailto:ops@",
        ),
        (
            &["token", &base, "--organization-id", "foo"],
            "extension-member-malformed",
            "an absolute URI",
        ),
        (
            &["token", &base, "--subject-id", "s#1"],
            "extension-member-malformed",
            "whose system is an absolute URI",
        ),
        (
            &["token", &base, "--subject-role", "s#1"],
            "extension-member-malformed",
            "whose system is an absolute URI",
        ),
    ] {
        let purpose = ["--purpose", "TREAT", "--json"];
        let contact = ["--contact", "mailto:a@b.example"];
        let more = match args[0] {
            "token" => [&purpose[..], &contact].concat(),
            _ => vec!["--json"],
        };
        let said = community.client(&[args, &more].concat());
        assert_eq!((said.code, said.error().as_str()), (2, code), "{said:?}");
        let told = said.json()["error"]["hint"].to_string();
        assert!(told.contains(hint), "{told}");
    }

    // `get` does everything by itself, and remembers it.
    let full = [
        "get",
        &patients,
        "--contact",
        "mailto:a@b.example",
        "--purpose",
        "TREAT",
    ];
    let said = community.client(&full);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.starts_with("registered as "), "{}", said.err);
    let bundle = said.json();
    assert_eq!(bundle["resourceType"], "Bundle");
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 1);
    let said = community.client(&["get", &patients, "--purpose", "TREAT"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (0, ""),
        "registered already: {said:?}"
    );

    // A further page, by the link in the answer.
    let next = bundle["link"]
        .as_array()
        .unwrap()
        .iter()
        .find(|link| link["relation"] == "next");
    let next = next.unwrap()["url"].as_str().unwrap();
    let said = community.client(&["get", next, "--purpose", "TREAT"]);
    assert_eq!(said.json()["resourceType"], "Bundle");

    // The scopes decide.
    let observations = format!("{base}/Observation?patient=1");
    let said = community.client(&[
        "get",
        &observations,
        "--purpose",
        "TREAT",
        "--scope",
        "system/Patient.rs",
        "--json",
    ]);
    assert_eq!((said.code, said.error().as_str()), (1, "fhir-refused"));
    let error = &said.json()["error"];
    assert_eq!(error["peer"]["status"], 403);
    let code = error["peer"]["code"].as_str().unwrap();
    let explained = community.ok(&["explain", code, "--json"]).json();
    assert_eq!(error["hint"], explained["hint"], "{explained}");

    // Shown, not sent.
    let said = community.client(&["get", &patients, "--purpose", "TREAT", "--curl"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("client_assertion=CLIENT_ASSERTION"));
    assert!(said.out.contains("Bearer ACCESS_TOKEN"));
    assert!(!said.out.contains("# register"), "it is registered already");
    let said = community.client(&[
        "token",
        &base,
        "--purpose",
        "TREAT",
        "--offline",
        "--show-secrets",
        "--json",
    ]);
    let form = said.json()["requests"][0]["body"]
        .as_str()
        .unwrap()
        .to_owned();
    let assertion = form
        .split("client_assertion=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    assert_eq!(assertion.split('.').count(), 3, "{form}");

    // Registering again changes the registration, and keeps its identifier.
    let said = community.client(&[
        "register",
        &base,
        "--json",
        "--contact",
        "mailto:a@b.example",
    ]);
    let changed = said.json();
    assert_eq!(changed["registration"], "changed");
    assert_eq!(changed["uri"], APP);
    let said = community.client(&["token", &base, "--json", "--purpose", "TREAT"]);
    assert_eq!(said.json()["client_id"], changed["client_id"]);

    about_a_token(&community);

    // Somebody cancels behind our back: what is remembered is not believed for long.
    let elsewhere = community.path("elsewhere");
    let said = community.client(&[
        "register",
        &base,
        "--cancel",
        "--json",
        "--state-dir",
        elsewhere.to_str().unwrap(),
    ]);
    assert_eq!(said.json()["registration"], "cancelled");
    let said = community.client(&full);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("registering again"), "{}", said.err);

    // Leaving, once and not twice.
    let said = community.client(&["unregister", &base, "--curl"]);
    assert!(
        said.out.contains("# cancel") && said.out.contains("SOFTWARE_STATEMENT"),
        "{said:?}"
    );
    let said = community.client(&["unregister", &base, "--json"]);
    assert_eq!(
        (said.code, &said.json()["registration"]),
        (0, &"cancelled".into()),
        "{said:?}"
    );
    for again in [
        &["unregister", &base, "--json"][..],
        &["register", &base, "--cancel", "--json"],
    ] {
        let said = community.client(again);
        assert_eq!(
            (said.code, said.error().as_str()),
            (1, "registration-refused")
        );
    }
    std::fs::write(community.path("token.txt"), "x.y.z").unwrap();
    let file = community.path("token.txt");
    let said = community.client(&[
        "revoke",
        &base,
        "--token-file",
        file.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!((said.code, said.error().as_str()), (1, "not-registered"));

    revoked(&community);
    outsiders(&community);
    other_protocols(&community);
    audited(&community);
}

/// A token is asked about, ended, and asked about again.
fn about_a_token(community: &Community) {
    let base = &community.base_url;
    let said = community.client(&["token", base, "--purpose", "TREAT"]);
    let file = community.path("token.txt");
    std::fs::write(&file, &said.out).unwrap();
    let file = file.to_str().unwrap();
    let introspect = ["introspect", base, "--token-file", file, "--json"];

    // Offline nobody knows yet where to ask.
    let offline = [
        "introspect",
        base,
        "--token-file",
        file,
        "--json",
        "--offline",
    ];
    let said = community.client(&offline);
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "endpoint-not-offered")
    );
    let said = community.client(&introspect);
    assert_eq!(said.code, 0, "{said:?}");
    let answer = said.json();
    assert_eq!(
        (&answer["active"], &answer["udap"]["uri"]),
        (&true.into(), &APP.into())
    );
    let said = community.client(&introspect[..4]);
    assert!(said.out.contains("the token counts"), "{said:?}");
    // Now it is remembered.
    let said = community.client(&offline);
    let requests = said.json()["requests"].clone();
    assert_eq!(requests.as_array().unwrap().len(), 1, "{requests}");
    assert!(
        requests[0]["url"]
            .as_str()
            .unwrap()
            .ends_with("/oauth/introspect")
    );
    // Without a token, one is asked for first; shown, both steps are.
    let said = community.client(&["introspect", base, "--purpose", "TREAT", "--json"]);
    assert_eq!(
        (said.code, &said.json()["active"]),
        (0, &true.into()),
        "{said:?}"
    );
    let said = community.client(&["introspect", base, "--purpose", "TREAT", "--curl"]);
    for part in ["# token", "# introspect", "token=ACCESS_TOKEN"] {
        assert!(said.out.contains(part), "{part}: {said:?}");
    }

    let revoke = ["revoke", base, "--token-file", file];
    let curl = [&revoke[..], &["--curl"]].concat();
    let said = community.client(&curl);
    assert!(
        said.out.contains("token=ACCESS_TOKEN") && !said.out.contains("eyJ"),
        "{said:?}"
    );
    let said = community.client(&introspect);
    assert_eq!(said.code, 0, "showing ends nothing: {said:?}");
    // The server takes a request about another app's token, or about none, just the same.
    community.issue("app", "https://second.example", "second");
    let contact = ["--contact", "mailto:a@b.example"];
    let registered = community.client_as("second", &[&["register", base], &contact[..]].concat());
    assert_eq!(registered.code, 0, "{registered:?}");
    let said = community.client_as("second", &[&revoke[..], &["--json"]].concat());
    assert_eq!((said.code, said.json()["revoked"].is_null()), (0, true));
    assert_eq!(said.json()["active"], false);
    std::fs::write(community.path("garbage.txt"), "garbage").unwrap();
    let garbage = community.client(&["revoke", base, "--token-file", "garbage.txt"]);
    assert_eq!(garbage.code, 0, "{garbage:?}");
    for said in [
        garbage,
        community.client_as("second", &[&revoke[..], &[]].concat()),
    ] {
        assert!(
            !said.out.contains('✓') && said.out.contains("may never have"),
            "{said:?}"
        );
    }
    // One that is told about every token sees that nothing happened.
    community.issue("app", "https://watch.example", "watch");
    let registered = community.client_as("watch", &[&["register", base], &contact[..]].concat());
    assert_eq!(registered.code, 0, "{registered:?}");
    let said = community.client_as("watch", &[&revoke[..], &["--json"]].concat());
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "token-still-active")
    );
    let said = community.client(&introspect);
    assert_eq!(said.code, 0, "another app ended nothing: {said:?}");

    let said = community.client(&[&revoke[..], &["--json"]].concat());
    assert_eq!(
        (said.code, &said.json()["revoked"]),
        (0, &true.into()),
        "{said:?}"
    );
    let said = community.client(&introspect);
    assert_eq!(
        (said.code, &said.json()["active"]),
        (1, &false.into()),
        "{said:?}"
    );
    let said = community.client(&revoke);
    assert_eq!(said.code, 0, "ended already, which is as well: {said:?}");
    assert!(!said.out.contains('✓'), "{said:?}");

    // What is no token is not sent anywhere.
    for none in ["two words", r#"{"access_token":"abc"}"#, ""] {
        std::fs::write(file, none).unwrap();
        let said = community.client(&[&revoke[..], &["--json"]].concat());
        assert_eq!(
            (said.code, said.error().as_str()),
            (2, "file-unusable"),
            "{none}"
        );
    }
}

/// Everything that happened is in the audit trail, for people, for programs and as FHIR.
fn audited(community: &Community) {
    let end = udap_trust::clock::now().plus_secs(1).to_string();
    let list = [
        "audit", "list", "--json", "--limit", "1000", "--until", &end,
    ];
    let export = [
        "audit",
        "export",
        "--event",
        "token-issued",
        "--until",
        &end,
    ];
    let events = [
        "registration-created",
        "token-issued",
        "access-allowed",
        "registration-refused",
    ];
    let (mut counts, mut exported) = ([0; 4], String::new());
    // Entries are gathered for a moment before they are written.
    until(|| {
        let listed = community.ok(&list).json();
        let entries = listed["entries"].as_array().unwrap();
        counts = events.map(|event| {
            let such = entries.iter().filter(|entry| entry["event"] == event);
            such.count()
        });
        exported = community.ok(&export).out;
        !counts.contains(&0) && exported.lines().count() == counts[1]
    });
    assert!(!counts.contains(&0), "{events:?} {counts:?}");
    let refused = [
        "audit",
        "list",
        "--event",
        "registration-refused",
        "--since",
        "1h",
    ];
    let said = community.ok(&refused);
    assert!(said.out.contains("[registration-unknown]"), "{}", said.out);
    assert!(!said.out.contains("token-issued"));
    let said = community.ok(&["audit", "list", "--code", "no-such-code"]);
    assert_eq!(
        (said.out.as_str(), said.err.trim()),
        ("", "no entry is like that")
    );

    assert_eq!(exported.lines().count(), counts[1]);
    for line in exported.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["resourceType"], "AuditEvent");
        assert_eq!(event["outcome"], "0");
        assert_eq!(event["agent"][0]["who"]["identifier"]["value"], APP);
        assert_eq!(event["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
        // No token is in it, nor any part of one: longer than an id, which may look like its beginning.
        let long = |text: &str| {
            let word = |c: &char| c.is_ascii_alphanumeric() || ['-', '_'].contains(c);
            text.chars().take_while(word).count() > 30
        };
        let mut begins = line.match_indices("eyJ");
        assert!(!begins.any(|(at, _)| long(&line[at..])), "{line}");
    }
    // The export tells up to when it is, and only such a time is taken.
    let export = ["audit", "export", "--event", "none-such", "--until", "2d"];
    let said = community.ok(&export).err;
    let until = said.trim().strip_prefix("entries from before ").unwrap();
    let pruned = community.ok(&["audit", "prune", "--until", until, "--json"]);
    assert_eq!(pruned.json()["pruned"], 0);
    let pruned = community
        .ok(&["audit", "list", "--event", "audit-pruned", "--json"])
        .json();
    // Before that, that it begins.
    assert_eq!(pruned["entries"].as_array().map(Vec::len), Some(2));
    let reason = pruned["entries"][1]["data"]["reason"].as_str();
    assert!(
        reason.is_some_and(|said| said.starts_with("0 entries from before ")),
        "{pruned}"
    );

    for wrong in [
        ["list", "--since", "yesterday"],
        ["prune", "--until", "9999-01-01T00:00:00Z"],
        ["prune", "--until", "1h"],
    ] {
        let args = [&["audit"], &wrong[..], &["--json"]].concat();
        let wrong = crate::community::udap(community.dir(), &args);
        assert_eq!((wrong.code, wrong.error().as_str()), (2, "usage"));
    }
    let wrong = ["audit", "prune", "--until", until, "--config", "other.toml"];
    let wrong = crate::community::udap(community.dir(), &wrong);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

/// A revoked app is refused, in the server's own words.
fn revoked(community: &Community) {
    community.issue("app", "https://revoked.example", "revoked");
    community.ok(&[
        "ca",
        "revoke",
        "revoked.pem",
        "--dir",
        "ca",
        "--reason",
        "key-compromise",
    ]);
    let listed = community
        .ok(&["ca", "list", "--dir", "ca", "--json"])
        .json();
    let states = listed["certificates"].as_array().unwrap();
    assert_eq!(
        states
            .iter()
            .filter(|row| row["state"] == "revoked")
            .count(),
        1
    );
    // The server has a CRL in hand already and looks again by itself; a fresh one sees it at once.
    let said = community.ok(&["ca", "revoke", "app.pem", "--dir", "ca", "--json"]);
    assert_eq!(said.json()["reason"], "unspecified");
    let twice = crate::community::udap(
        community.dir(),
        &["ca", "revoke", "app.pem", "--dir", "ca", "--json"],
    );
    assert_eq!(
        (twice.code, twice.error().as_str()),
        (1, "ca-already-revoked")
    );
    let verify = [
        "x509",
        "verify",
        "--anchor",
        "ca/root.pem",
        "--cert",
        "revoked.pem",
        "--fetch",
        "--json",
    ];
    let mut args = verify.to_vec();
    let host = community.ca_host();
    args.extend(["--allow-host", host]);
    // The authority's server sees within a second what another process revoked, and the answer has
    // three to be there, which a machine that is busy otherwise may not manage.
    let mut said = crate::community::udap(community.dir(), &args);
    for _ in 0..20 {
        if said.json()["code"] == "certificate-revoked" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
        said = crate::community::udap(community.dir(), &args);
    }
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.json()["code"], "certificate-revoked", "{said:?}");
}

/// Another authority's app, and a server of no community that is known.
fn outsiders(community: &Community) {
    community.ok(&[
        "ca",
        "init",
        "--dir",
        "other",
        "--community",
        "https://other.example",
        "--base-url",
        "http://localhost:1",
    ]);
    community.ok(&[
        "ca",
        "issue",
        "--dir",
        "other",
        "--profile",
        "app",
        "--name",
        "x",
        "--uri",
        APP,
        "--out",
        "outsider",
    ]);
    let base = &community.base_url;
    let said = community.client_as(
        "outsider",
        &[
            "register",
            base,
            "--json",
            "--contact",
            "mailto:a@b.example",
        ],
    );
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "identity-other-community"),
        "the client has the community's anchors: {said:?}"
    );

    let said = crate::community::udap(
        community.dir(),
        &[
            "discover",
            base,
            "--json",
            "--community",
            "https://other.example",
            "--anchor",
            "other/root.pem",
            "--tls-root",
            "tls-root.pem",
            "--allow-host",
            base.trim_start_matches("https://")
                .trim_end_matches("/fhir"),
        ],
    );
    assert_eq!(said.code, 1);
    // The server serves another community: it says so, or its certificate does.
    assert!(
        ["community-not-served", "chain-not-trusted"].contains(&said.error().as_str()),
        "{said:?}"
    );
}

/// A port that speaks another protocol is said to do so.
fn other_protocols(community: &Community) {
    let plain = format!("https://{}/fhir", community.ca_host());
    let host = community.base_url.trim_start_matches("https://");
    let host = host.trim_end_matches("/fhir");
    let tls = format!("http://{host}/x.crl");
    let inspect = ["tls", "inspect", community.ca_host(), "--allow-host"];
    let show = ["crl", "show", &tls, "--allow-host", host];
    let dir = community.dir();
    for (said, words) in [
        (
            community.client(&["discover", &plain]),
            "does not speak TLS (is it http?)",
        ),
        (
            community.client(&["doctor", &plain]),
            "does not speak TLS (is it http?)",
        ),
        (
            crate::community::udap(dir, &[&inspect[..], &[community.ca_host()]].concat()),
            "does not speak TLS (is it http?)",
        ),
        (
            crate::community::udap(dir, &show),
            "does not speak HTTP (is it TLS?)",
        ),
    ] {
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            format!("{}{}", said.out, said.err).contains(words),
            "{said:?}"
        );
    }
    // One name for the file of TLS roots, and the older one.
    for name in ["--tls-root", "--ca"] {
        let roots = [name, "tls-root.pem", "--allow-host", host];
        let said = crate::community::udap(dir, &[&["tls", "inspect", host][..], &roots].concat());
        assert!(said.out.contains("the server answers"), "{said:?}");
    }
}
