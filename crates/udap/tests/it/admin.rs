//! The administration from the command line: on the data holder's files, and on its API.

use crate::community::{APP, COMMUNITY, Community, Said, udap};
use std::os::unix::fs::MetadataExt as _;

fn id(community: &Community) -> String {
    let said = community.client(&[
        "register",
        &community.base_url,
        "--json",
        "--contact",
        "mailto:a@b.example",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    said.json()["client_id"].as_str().unwrap().to_owned()
}

fn state(said: &Said) -> String {
    assert_eq!(said.code, 0, "{said:?}");
    said.json()["state"].as_str().unwrap().to_owned()
}

#[test]
fn on_the_files_and_on_the_api() {
    let community = Community::start();
    let id = id(&community);
    let files = |args: &[&str]| {
        let mut all = vec!["admin"];
        all.extend(args);
        all.push("--json");
        udap(community.dir(), &all)
    };
    let api = |args: &[&str], token: &str| {
        let mut all = args.to_vec();
        all.extend(["--url", &community.admin_url, "--token-file", token]);
        files(&all)
    };

    // A token goes into a file that only its owner can read, and nothing is overwritten.
    for (name, more) in [("watch", &[][..]), ("act", &["--operator"])] {
        let file = format!("{name}.token");
        let mut args = vec!["token", "create", name, "--out", &file];
        args.extend(more);
        let said = files(&args);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(!said.out.contains("udap_admin_"), "{said:?}");
        let mode = std::fs::metadata(community.path(&file)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = files(&["token", "create", "twice", "--out", "watch.token"]);
    assert_eq!((again.code, again.error().as_str()), (2, "file-unusable"));
    let listed = files(&["token", "list"]).json();
    let counts = |name: &str| {
        let tokens = listed["tokens"].as_array().unwrap().iter();
        let states = tokens.filter(|one| one["name"] == name);
        states.map(|one| one["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(counts("watch"), ["good"]);
    assert!(counts("twice").is_empty(), "none was made");

    // Both ways show the same.
    for said in [files(&["apps"]), api(&["apps"], "watch.token")] {
        assert_eq!(said.code, 0, "{said:?}");
        let apps = said.json()["apps"].clone();
        assert_eq!(apps.as_array().unwrap().len(), 1, "{apps}");
        assert_eq!(apps[0]["client_id"], id.as_str());
        assert_eq!(apps[0]["uri"], APP);
        assert_eq!(apps[0]["community"], COMMUNITY);
    }
    let to_read = api(&["refusals"], "watch.token");
    assert_eq!(to_read.json()["refusals"], serde_json::json!([]));

    for (since, code) in [("12h", 0), ("2026-11-24T00:00:00Z", 0), ("yesterday", 2)] {
        assert_eq!(files(&["refusals", "--since", since]).code, code, "{since}");
        let said = api(&["refusals", "--since", since], "watch.token");
        assert_eq!(said.code, code, "{since}");
    }

    // Who only watches changes nothing.
    let why = ["--reason", "asked by the vendor"];
    let suspend = |token| api(&["suspend", &id, why[0], why[1]], token);
    assert_eq!(suspend("watch.token").error(), "admin-role");
    assert_eq!(state(&api(&["app", &id], "watch.token")), "active");
    assert_eq!(state(&suspend("act.token")), "suspended");
    let token = community.client(&[
        "token",
        &community.base_url,
        "--json",
        "--contact",
        "mailto:a@b.example",
        "--purpose",
        "TREAT",
    ]);
    assert_eq!(token.error(), "token-refused", "{token:?}");
    let told = token.json()["error"]["message"].to_string();
    assert!(told.contains("[registration-suspended]"), "{told}");
    // Registering again would not help, and is not tried.
    assert_eq!(token.err, "");
    assert_eq!(state(&files(&["restore", &id, why[0], why[1]])), "active");
    assert_eq!(
        state(&api(&["cancel", &id, why[0], why[1]], "act.token")),
        "cancelled"
    );
    assert_eq!(suspend("act.token").error(), "app-state");

    // Others could read the token.
    std::fs::copy(community.path("act.token"), community.path("open.token")).unwrap();
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    std::fs::set_permissions(community.path("open.token"), mode).unwrap();
    let exposed = api(&["apps"], "open.token");
    assert_eq!(
        (exposed.code, exposed.error().as_str()),
        (2, "config-key-exposed")
    );
}

#[test]
fn a_file_that_the_configuration_names_and_nobody_can_read_is_2_wherever_it_is_met() {
    let community = Community::start();
    let config = std::fs::read_to_string(community.path("udap.toml")).unwrap();
    let anchors = config.lines().find(|line| line.starts_with("anchors"));
    let config = config.replace(anchors.unwrap(), "anchors = \"nothing.pem\"");
    std::fs::write(community.path("broken.toml"), config).unwrap();
    for command in [
        &["config", "check"][..],
        &["serve"],
        &["admin", "communities"],
        &["admin", "certificates"],
    ] {
        let said = udap(
            community.dir(),
            &[command, &["--config", "broken.toml", "--json"]].concat(),
        );
        let met = (said.code, said.error());
        assert_eq!(met, (2, "config-unreadable".to_owned()), "{command:?}");
    }
}
