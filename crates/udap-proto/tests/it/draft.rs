//! Issuing certifications: what is drafted is what a reader accepts, and the rest is refused.

use crate::{map, verdict, with};
use serde_json::{Map, Value, json};
use udap_proto::Refusal as _;
use udap_proto::certification::{self, Certifier, Definition, Draft, Kind, Verified};
use udap_proto::jws::JwsAlg;
use udap_proto::registration::Grant;
use udap_testkit::{DAY, Member, NOW, TestPki};

const CERTIFIER: &str = "https://certifier.example";
const APP: &str = "https://app.example";

fn definition() -> Value {
    json!({
        "uri": "https://community.example/audit", "name": "Audit", "description": "It was looked at.",
        "signed_by": "certifier", "max_days": 365, "extension": "audit", "questions": {
            "passed": {"text": "Whether it passed", "answer": "yes-no"},
            "by": {"text": "Who looked", "answer": "text", "required": false},
            "parts": {"text": "At what", "answer": "texts", "required": false},
        },
    })
}

fn own_definition() -> Value {
    with(&definition(), "signed_by", json!("app"))
}

/// A draft as a test changes it.
struct Wish {
    definition: Value,
    iss: &'static str,
    own: bool,
    grant: Grant,
    answers: Value,
    restrictions: Value,
    days: i64,
    status: Option<&'static str>,
}

impl Wish {
    fn good() -> Self {
        Self {
            definition: definition(),
            iss: CERTIFIER,
            own: false,
            grant: Grant::ClientCredentials,
            answers: json!({"passed": true, "parts": ["the app", "its server"]}),
            restrictions: json!({"scope": "system/Patient.rs", "ip_allowed": ["192.0.2.0/24"]}),
            days: 20,
            status: Some("https://certifier.example/status"),
        }
    }

    fn draft(&self, signer: &Member) -> Result<String, &'static str> {
        let definition = Definition::read(&map(self.definition.clone())).map_err(|e| e.code())?;
        let (answers, restrictions) = (map(self.answers.clone()), map(self.restrictions.clone()));
        let certifier = Certifier {
            uri: self.iss,
            name: "The certifier",
            status_endpoint: self.status,
        };
        let draft = Draft {
            definition: &definition,
            app: APP,
            certifier: (!self.own).then_some(certifier),
            grant: self.grant,
            audience: &["https://holder.example/register".to_owned()],
            answers: &answers,
            restrictions: &restrictions,
            lifetime_secs: self.days * DAY,
        };
        let unsigned = draft
            .unsigned(JwsAlg::ES256, &signer.chain, NOW, "c-1")
            .map_err(|e| e.code())?;
        let signature = signer
            .signer
            .sign_now(JwsAlg::ES256.scheme(), unsigned.signing_input());
        Ok(unsigned.with_signature(&signature.unwrap()))
    }
}

fn read(pki: &TestPki, signer: &Member, compact: &str) -> Verified {
    certification::verify_signature(compact, &[JwsAlg::ES256])
        .unwrap()
        .verify(
            &verdict(pki, &signer.chain),
            APP,
            "https://holder.example/register",
            NOW,
        )
        .unwrap()
}

fn claims(compact: &str) -> Map<String, Value> {
    let jws = udap_proto::jws::Jws::parse(compact).unwrap();
    jws.payload().clone()
}

#[test]
fn what_is_drafted_is_accepted() {
    let pki = TestPki::new("https://certifiers.example");
    let signer = pki.member(CERTIFIER).uri(APP).issue();
    let compact = Wish::good().draft(&signer).unwrap();
    let verified = read(&pki, &signer, &compact);
    assert_eq!(verified.uris(), ["https://community.example/audit"]);
    assert_eq!(verified.issuer_name(), Some("The certifier"));
    assert_eq!(verified.kind(), Kind::Certification);
    let payload = claims(&compact);
    assert_eq!(
        payload["extensions"],
        json!({"audit": {"passed": true, "parts": ["the app", "its server"]}})
    );
    assert_eq!(payload["grant_types"], json!(["client_credentials"]));
    assert!(!payload.contains_key("response_types"));
    assert_eq!(payload["exp"], json!(NOW.0 + 20 * DAY));

    let own = Wish {
        definition: with(&own_definition(), "kind", json!("endorsement")),
        own: true,
        grant: Grant::AuthorizationCodeWithRefresh,
        restrictions: json!({"redirect_uris": ["https://app.example/*/cb"]}),
        days: 300,
        ..Wish::good()
    };
    let compact = own.draft(&signer).unwrap();
    let verified = read(&pki, &signer, &compact);
    assert!(verified.is_self_signed());
    assert_eq!(verified.kind(), Kind::Endorsement);
    let payload = claims(&compact);
    assert_eq!(
        payload["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(payload["response_types"], json!(["code"]));
    // Never beyond the certificate that signs.
    assert_eq!(payload["exp"], json!(signer.leaf().not_after().0));
}

#[test]
fn each_rule_of_a_draft_refuses() {
    let pki = TestPki::new("https://certifiers.example");
    let signer = pki.member(CERTIFIER).uri(APP).issue();
    let good = Wish::good;
    let answers = |answers: Value| Wish { answers, ..good() };
    let restricted = |restrictions: Value| Wish {
        restrictions,
        ..good()
    };
    let defined = |key: &str, value: Value| Wish {
        definition: with(&definition(), key, value),
        ..good()
    };
    let asked = |question: Value| defined("questions", json!({"passed": question}));
    let cases = [
        (
            "definition-signer",
            Wish {
                own: true,
                ..good()
            },
        ),
        (
            "definition-signer",
            Wish {
                definition: own_definition(),
                ..good()
            },
        ),
        ("definition-answers", answers(json!({}))),
        ("definition-answers", answers(json!({"passed": "yes"}))),
        (
            "definition-answers",
            answers(json!({"passed": true, "by": ""})),
        ),
        (
            "definition-answers",
            answers(json!({"passed": true, "parts": []})),
        ),
        (
            "definition-answers",
            answers(json!({"passed": true, "x": 1})),
        ),
        ("restriction-unknown", restricted(json!({"iss": "x"}))),
        (
            "restriction-unknown",
            restricted(json!({"grant_types": []})),
        ),
        ("restriction-unknown", restricted(json!({"jwks_uri": "x"}))),
        (
            "claim-malformed",
            restricted(json!({"ip_allowed": ["here"]})),
        ),
        ("claim-malformed", restricted(json!({"scope": ""}))),
        (
            "certification-claim-misplaced",
            restricted(json!({"redirect_uris": ["https://app.example/cb"]})),
        ),
        (
            "claim-malformed",
            Wish {
                status: Some("http://certifier.example/status"),
                ..good()
            },
        ),
        (
            "jwt-lifetime",
            Wish {
                days: 366,
                ..good()
            },
        ),
        ("exp-before-iat", Wish { days: 0, ..good() }),
        (
            "san-uri-mismatch",
            Wish {
                iss: "https://somebody.example",
                ..good()
            },
        ),
        ("definition-malformed", defined("uri", json!("audit"))),
        ("definition-malformed", defined("name", json!(" "))),
        ("definition-malformed", defined("signed_by", json!("us"))),
        ("definition-malformed", defined("kind", json!(true))),
        ("definition-malformed", defined("max_days", json!(1097))),
        ("definition-malformed", defined("extension", Value::Null)),
        ("definition-malformed", defined("questions", json!([]))),
        ("definition-malformed", defined("colour", json!("blue"))),
        ("definition-malformed", asked(json!("x"))),
        ("definition-malformed", asked(json!({"answer": "text"}))),
        (
            "definition-malformed",
            asked(json!({"text": "x", "answer": "y"})),
        ),
        (
            "definition-malformed",
            asked(json!({"text": "x", "answer": "text", "required": 1})),
        ),
        (
            "definition-malformed",
            asked(json!({"text": "x", "answer": "text", "default": "y"})),
        ),
    ];
    for (at, (code, wish)) in cases.into_iter().enumerate() {
        assert_eq!(wish.draft(&signer), Err(code), "case {at}");
    }
}
