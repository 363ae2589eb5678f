//! `udap bench`, for a moment: what it prints, and that it leaves nothing behind.

use crate::program::Home;

const MEMBERS: [&str; 9] = [
    "what",
    "alg",
    "rps",
    "p50_ms",
    "p99_ms",
    "server_cpu_us",
    "floor_us",
    "ratio",
    "errors",
];

#[test]
fn one_object_with_the_same_members_whatever_is_measured() {
    let home = Home::new();
    for (args, what, alg) in [
        (
            &["bench", "token", "--seconds", "1", "--json"][..],
            "token",
            "ES256",
        ),
        (
            &[
                "bench",
                "token",
                "--alg",
                "RS256",
                "--seconds",
                "1",
                "--json",
            ],
            "token",
            "RS256",
        ),
        (
            &["bench", "register", "--seconds", "1", "--json"],
            "register",
            "ES256",
        ),
        (
            &["bench", "metadata", "--seconds", "1", "--json"],
            "metadata",
            "-",
        ),
        (
            &["bench", "gateway", "--seconds", "1", "--json"],
            "gateway",
            "ES256",
        ),
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let [measured] = &ran.json()[..] else {
            panic!("{ran:?}");
        };
        let members: Vec<_> = measured.as_object().unwrap().keys().collect();
        assert_eq!(members, MEMBERS);
        assert_eq!(measured["what"], what);
        assert_eq!(measured["alg"], alg);
        assert_eq!(measured["errors"], 0);
        for member in [
            "rps",
            "p50_ms",
            "p99_ms",
            "server_cpu_us",
            "floor_us",
            "ratio",
        ] {
            assert!(measured[member].as_f64().unwrap() > 0.0, "{measured}");
        }
        assert_eq!(home.processes(), []);
    }
}

#[test]
fn starting_is_measured_beside_the_same_program_with_an_empty_handler() {
    let home = Home::new();
    let ran = home.run(&["bench", "start", "--starts", "1", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let measured = &ran.json()[0];
    let member = |name: &str| measured[name].as_f64().unwrap_or_default();
    assert_eq!(measured["what"], "start");
    assert!(
        member("first_answer_ms") > 0.0 && member("floor_ms") > 0.0,
        "{measured}"
    );
    for of in ["", "floor_"] {
        let (all, own) = (format!("{of}idle_mib"), format!("{of}idle_anonymous_mib"));
        assert!(
            member(&all) > member(&own) && member(&own) > 0.0,
            "{measured}"
        );
    }
    assert_eq!(home.processes(), []);
}

#[test]
fn growing_is_measured_in_registrations_and_in_revoked_serials() {
    let home = Home::new();
    let growth = ["bench", "growth", "--registrations", "2000"];
    let ran = home.run(
        &[
            &growth[..],
            &["--revoked", "500", "--seconds", "1", "--json"],
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.json();
    let (compared, measured) = lines.split_last().unwrap();
    assert_eq!(measured.len(), 5, "{ran:?}");
    for measured in measured {
        let members: Vec<_> = measured.as_object().unwrap().keys().collect();
        assert_eq!(members, MEMBERS);
        assert_eq!(
            (&measured["what"], &measured["errors"]),
            (&"token".into(), &0.into())
        );
    }
    let members: Vec<_> = compared.as_object().unwrap().keys().collect();
    let expected = [
        "what",
        "registrations",
        "few_us",
        "many_us",
        "uniform_us",
        "ratio",
        "revoked",
        "revoked_us",
        "revoked_uniform_us",
        "revoked_ratio",
        "revoked_uniform_ratio",
        "both_ratio",
        "memory_mib",
        "disk_bytes_each",
    ];
    assert_eq!(members, expected);
    assert_eq!(compared["what"], "growth");
    assert_eq!(compared["registrations"], 2000);
    assert_eq!(compared["revoked"], 500);
    // So small a database may grow by nothing.
    for member in &expected[2..expected.len() - 1] {
        assert!(compared[member].as_f64().unwrap() > 0.0, "{compared}");
    }
    // The ratios are those of what is printed, to the digits that are.
    let value = |name: &str| compared[name].as_f64().unwrap();
    for (ratio, after, before) in [
        ("ratio", "many_us", "few_us"),
        ("revoked_ratio", "revoked_us", "many_us"),
        ("revoked_uniform_ratio", "revoked_uniform_us", "uniform_us"),
        ("both_ratio", "revoked_us", "few_us"),
    ] {
        let off = value(ratio) / (value(after) / value(before)) - 1.0;
        assert!(off.abs() < 0.02, "{ratio}: {compared}");
    }
    assert_eq!(home.processes(), []);
}

#[test]
fn trust_is_measured_beside_its_signatures() {
    let ran = Home::new().run(&["bench", "trust", "--seconds", "1", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let measured: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let measured = measured.as_object().unwrap();
    let members: Vec<_> = measured.keys().collect();
    let expected = [
        "cold_us",
        "cold_floor_us",
        "cold_ratio",
        "warm_us",
        "rsa_cold_us",
        "rsa_cold_floor_us",
        "rsa_cold_ratio",
        "revoked_10_us",
        "revoked_100000_us",
        "revoked_ratio",
    ];
    assert_eq!(members, expected);
    for (member, value) in measured {
        assert!(value.as_f64().unwrap() > 0.0, "{member}: {value}");
    }
}

#[test]
fn it_aims_at_a_server_that_is_running() {
    let home = Home::new();
    let mut running = home.start(&[]);
    let url = running.until_up()["up"].as_str().unwrap().to_owned();
    let target = |more: &[&str]| {
        let base = [
            "bench",
            "token",
            "--seconds",
            "1",
            "--json",
            "--url",
            &url,
            "--cert",
            "udap-sandbox/apps/good-ec.pem",
            "--key",
            "udap-sandbox/apps/good-ec.key",
            "--tls-root",
            "udap-sandbox/tls-root.pem",
        ];
        home.run(&[&base, more].concat())
    };
    let ran = target(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let measured = &ran.json()[0];
    assert!(
        measured["server_cpu_us"].is_null() && measured["ratio"].is_null(),
        "{measured}"
    );
    assert!(measured["floor_us"].as_f64().unwrap() > 0.0);

    let (pid, _) = home
        .processes()
        .into_iter()
        .find(|(_, args)| args.contains("data-holder"))
        .unwrap();
    let ran = target(&["--pid", &pid.to_string()]);
    assert!(
        ran.json()[0]["server_cpu_us"].as_f64().unwrap() > 0.0,
        "{ran:?}"
    );

    // A refusal is an error, not a fast answer.
    let ran = home.run(&[
        "bench",
        "token",
        "--seconds",
        "1",
        "--json",
        "--url",
        &url,
        "--cert",
        "udap-sandbox/apps/revoked.pem",
        "--key",
        "udap-sandbox/apps/revoked.key",
        "--tls-root",
        "udap-sandbox/tls-root.pem",
    ]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.json()[0]["code"], "bench-refused");
    assert!(ran.out.contains("certificate-revoked"), "{}", ran.out);
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
    // And nobody there is no measurement.
    let ran = target(&[]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.json()[0]["code"], "bench-failed");
}

#[test]
fn numbers_have_a_range() {
    let home = Home::new();
    for args in [
        &["bench", "token", "--seconds", "61", "--json"][..],
        &["bench", "gateway", "--connections", "2000", "--json"],
        &["bench", "register", "--seconds", "61", "--json"],
        &["bench", "metadata", "--seconds", "601", "--json"],
        &["bench", "growth", "--seconds", "61", "--json"],
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert_eq!(ran.json()[0]["code"], "bench-range");
    }
}
