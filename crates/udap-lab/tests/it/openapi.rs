//! Every endpoint of the data holder fuzzed through its OpenAPI documents, by a tool that nobody here wrote:
//! whatever comes, no answer is a 5xx, and each is one that the document has.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::program::Home;

/// What is asked of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,negative_data_rejection";

/// Seed of what is sent. The same one always, so that a change is judged by the same requests as the one before
/// it; `UDAP_FUZZ_SEED` sets another, to look for more.
fn seed() -> String {
    env::var("UDAP_FUZZ_SEED").unwrap_or_else(|_| "1".to_owned())
}

/// How long each document is fuzzed, in seconds: its generator would go on for many minutes. With one seed a
/// slower machine sends the beginning of what a faster one sends, and nothing else.
fn seconds() -> String {
    env::var("UDAP_FUZZ_SECS").unwrap_or_else(|_| "40".to_owned())
}

#[test]
#[ignore = "needs schemathesis, which `./check openapi` installs"]
fn openapi_documents_hold_whatever_is_sent() {
    let home = Home::new();
    let mut running = home.start(&[]);
    running.until_up();
    let sandbox = home.path().join("udap-sandbox");
    let base_url = format!("https://localhost:{}/fhir", home.port_base);
    let config = sandbox.join("data-holder/udap.toml");
    let config = config.to_str().unwrap();
    let run = |args: &[&str]| {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
        ran.out
    };

    // With an app that is there, and a token of it.
    run(&["get", &format!("{base_url}/Patient?_count=1")]);
    let access = run(&["token", &base_url]);
    let apps = run(&[
        "admin", "apps", "--state", "active", "--json", "--config", config,
    ]);
    let apps: Value = serde_json::from_str(&apps).unwrap();
    let client_id = apps["apps"][0]["client_id"].as_str().unwrap();
    let token = run(&[
        "admin",
        "token",
        "create",
        "fuzz",
        "--operator",
        "--config",
        config,
    ]);

    let public = run(&["admin", "openapi", "public"])
        .replace("https://fhir.example.org/r4", &base_url)
        .replace("/r4", "/fhir");
    let public = written(&home, "public.json", &public);
    // A token where the gateway wants one; elsewhere such a header is refused before anything else.
    let origin = format!("https://localhost:{}", home.port_base);
    let fuzz = |document: &Path, url: &str, token: Option<&str>, which: [&str; 2]| {
        let mut tool = Command::new("python3");
        tool.args(["-m", "schemathesis.cli", "run"])
            .arg(document)
            .args(["--url", url, "--checks", CHECKS, "--tls-verify"])
            .arg(sandbox.join("tls-root.pem"))
            .args(["--phases", "examples,coverage,fuzzing"])
            .args([
                "--max-examples",
                "20",
                "--max-time",
                &seconds(),
                "--continue-on-failure",
            ])
            .args(["--seed", &seed(), "--no-color", "--warnings", "off"])
            .args(which)
            .env("PYTHONPATH", project().join("target/schemathesis"))
            .current_dir(home.path());
        if let Some(token) = token {
            let header = format!("Authorization: Bearer {}", token.trim());
            tool.args(["-H", &header]);
        }
        let output = tool.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}{error}");
        let tested = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("Tested: "));
        tested
            .and_then(|count| count.parse::<usize>().ok())
            .unwrap_or_else(|| panic!("{said}"))
    };
    let gateway = ["--include-path-regex", "/fhir/(metadata|\\{type\\})"];
    let others = ["--exclude-path-regex", "/fhir/(metadata|\\{type\\})"];
    assert_eq!(fuzz(&public, &origin, Some(&access), gateway), 4);
    assert_eq!(fuzz(&public, &origin, None, others), 10);

    // Operators' API, with an app that is there among those that are not.
    let mut document: Value = serde_json::from_str(&run(&["admin", "openapi"])).unwrap();
    for item in document["paths"].as_object_mut().unwrap().values_mut() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            // By `get_mut`, since an index would put an empty list where there is none.
            let parameters = operation
                .get_mut("parameters")
                .and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                if parameter["name"] == "client_id" && parameter["in"] == "path" {
                    let known = json!({ "const": client_id });
                    parameter["schema"] = json!({ "anyOf": [known, parameter["schema"]] });
                }
            }
        }
    }
    let admin = written(&home, "admin.json", &document.to_string());
    let url = format!("http://localhost:{}", home.port_base + 6);
    let all = ["--include-path-regex", "/api/"];
    assert_eq!(fuzz(&admin, &url, Some(&token), all), 12);

    running.signal("INT");
    assert_eq!(running.end().0, Some(0));
}

fn written(home: &Home, name: &str, text: &str) -> PathBuf {
    let path = home.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
