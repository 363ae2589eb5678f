//! Signed bundles: from whom they are taken, about whom, and what may be in them.

use crate::{map, verdict};
use serde_json::{Value, json};
use udap_pki::Valid;
use udap_proto::Refusal as _;
use udap_proto::bundle::{self, Bundle, MAX_LIFETIME_SECS, MAX_SEQUENCE, Pinned, Verified};
use udap_proto::jws::{JwsAlg, Unsigned};
use udap_testkit::{Member, NOW, TestPki};

const URI: &str = "https://community.example";

struct World {
    pki: TestPki,
    member: Member,
    verdict: Valid,
}

impl World {
    /// A signer with these names, by a CA that is trusted to sign bundles.
    fn new(uri: &str) -> Self {
        let pki = TestPki::new(URI);
        let member = pki.leaf(uri);
        Self {
            verdict: verdict(&pki, &member.chain),
            member,
            pki,
        }
    }

    fn sign(&self, unsigned: Unsigned) -> String {
        let scheme = JwsAlg::ES256.scheme();
        let signature = self
            .member
            .signer
            .sign_now(scheme, unsigned.signing_input());
        unsigned.with_signature(&signature.unwrap())
    }

    fn description(&self) -> Value {
        let anchor = self.pki.anchor().certificate().to_pem();
        json!({"uri": URI, "profile": "ssraa-2.0", "anchors": [anchor]})
    }

    /// A good bundle with some claims changed; null takes one away.
    fn changed(&self, changes: &Value) -> String {
        let description = self.description();
        let bundle = Bundle {
            community: URI,
            sequence: 7,
            iat: NOW,
            exp: NOW.plus_secs(86_400),
            jti: "b-7",
            description: description.as_object().unwrap(),
        };
        let good = self.sign(bundle.unsigned(JwsAlg::ES256, &self.member.chain));
        let good = udap_proto::jws::Jws::parse(&good).unwrap();
        let mut claims = good.payload().clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
        self.sign(Unsigned::new(good.header(), &claims))
    }

    fn read(&self, pinned: Pinned<'_>, compact: &str) -> Result<Verified, &'static str> {
        bundle::verify_signature(compact, &[JwsAlg::ES256])
            .map_err(|e| e.code())?
            .verify(pinned, URI, NOW)
            .map_err(|e| e.code())
    }
}

#[test]
fn a_good_one_says_what_the_community_says() {
    let world = World::new(URI);
    let compact = world.changed(&json!({}));
    let bundle = world
        .read(Pinned::Certificate(&world.verdict), &compact)
        .unwrap();
    assert_eq!(bundle.community(), URI);
    assert_eq!((bundle.sequence(), bundle.iat()), (7, NOW));
    assert_eq!(bundle.exp(), NOW.plus_secs(86_400));
    assert_eq!(bundle.anchors(), [world.pki.anchor().certificate().clone()]);
    assert!(bundle.intermediates().is_empty() && bundle.certifier_anchors().is_empty());
    assert_eq!(
        bundle.rules(),
        map(json!({"uri": URI, "profile": "ssraa-2.0"}))
    );
    assert_eq!(
        bundle.description().get("anchors"),
        world.description().get("anchors")
    );
    assert_eq!(bundle.compact(), compact);
}

#[test]
fn only_who_is_pinned_can_have_signed_it() {
    let world = World::new(URI);
    let good = world.changed(&json!({}));
    // By its key, whatever its certificate says.
    let pin = *world.member.leaf().public_key().unwrap().sha256();
    assert!(world.read(Pinned::Key(&pin), &good).is_ok());
    let stranger = World::new("https://member.example");
    let by_stranger = stranger.changed(&json!({}));
    assert_eq!(
        world.read(Pinned::Key(&pin), &by_stranger).unwrap_err(),
        "bundle-key-mismatch"
    );
    let pin = *stranger.member.leaf().public_key().unwrap().sha256();
    assert!(world.read(Pinned::Key(&pin), &by_stranger).is_ok());
    // By its certificate: a member's, though trusted, is not the community's.
    assert_eq!(
        stranger
            .read(Pinned::Certificate(&stranger.verdict), &by_stranger)
            .unwrap_err(),
        "bundle-signer-mismatch"
    );
    for uri in [
        "https://community.example/",
        "https://COMMUNITY.example",
        "https://community.example/app",
    ] {
        let near = World::new(uri);
        let compact = near.changed(&json!({}));
        assert_eq!(
            near.read(Pinned::Certificate(&near.verdict), &compact)
                .unwrap_err(),
            "bundle-signer-mismatch",
            "{uri}"
        );
    }
    // A verdict about somebody else opens nothing.
    assert_eq!(
        world
            .read(Pinned::Certificate(&world.verdict), &by_stranger)
            .unwrap_err(),
        "verdict-mismatch"
    );
}

#[test]
fn a_member_that_has_the_communitys_name_beside_its_own_is_a_member() {
    let world = World::new(URI);
    let both = world.pki.member("https://member.example").uri(URI).issue();
    let verdict = verdict(&world.pki, &both.chain);
    let other = World {
        pki: world.pki,
        member: both,
        verdict,
    };
    let compact = other.changed(&json!({}));
    assert_eq!(
        other
            .read(Pinned::Certificate(&other.verdict), &compact)
            .unwrap_err(),
        "bundle-signer-mismatch"
    );
}

#[test]
fn each_rule_refuses() {
    let world = World::new(URI);
    let description = |key: &str, value: Value| {
        let mut description = world.description();
        description[key] = value;
        json!({"community": description})
    };
    let day = 86_400;
    let pem = world.pki.anchor().certificate().to_pem();
    let many: Vec<_> = std::iter::repeat_n(pem.clone(), bundle::MAX_CERTIFICATES + 1).collect();
    for (changes, expected) in [
        (json!({"iss": "https://other.example"}), "iss-mismatch"),
        (json!({"iss": null}), "claim-missing"),
        (json!({"sub": "https://other.example"}), "sub-not-iss"),
        (json!({"iat": null}), "claim-missing"),
        (json!({"exp": null}), "claim-missing"),
        (
            json!({"iat": NOW.0 - 2 * day, "exp": NOW.0 - day}),
            "jwt-expired",
        ),
        (
            json!({"iat": NOW.0 + day, "exp": NOW.0 + 2 * day}),
            "jwt-from-the-future",
        ),
        (json!({"exp": NOW.0 - 5}), "exp-before-iat"),
        (
            json!({"exp": NOW.0 + MAX_LIFETIME_SECS + 1}),
            "jwt-lifetime",
        ),
        (json!({"sequence": null}), "claim-missing"),
        (json!({"sequence": 0}), "claim-malformed"),
        (json!({"sequence": -1}), "claim-malformed"),
        (json!({"sequence": 1.5}), "claim-malformed"),
        (json!({"sequence": "7"}), "claim-malformed"),
        (json!({"sequence": MAX_SEQUENCE + 1}), "claim-malformed"),
        (json!({"community": null}), "claim-missing"),
        (json!({"community": "ssraa-2.0"}), "claim-malformed"),
        (json!({"community": {}}), "bundle-community-mismatch"),
        (
            description("uri", json!("https://other.example")),
            "bundle-community-mismatch",
        ),
        (
            description("uri", json!([URI])),
            "bundle-community-mismatch",
        ),
        // Files would be those of whoever reads it.
        (
            description("anchors", json!(["/etc/udap/other.pem"])),
            "bundle-certificates",
        ),
        (
            description("anchors", json!("community.pem")),
            "bundle-certificates",
        ),
        (description("anchors", json!({})), "bundle-certificates"),
        (description("anchors", json!([5])), "bundle-certificates"),
        (
            description(
                "anchors",
                json!(["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]),
            ),
            "bundle-certificates",
        ),
        (
            description("intermediates", json!(["x"])),
            "bundle-certificates",
        ),
        (
            description("certifier_anchors", json!(["-----BEGIN PRIVATE KEY-----"])),
            "bundle-certificates",
        ),
    ] {
        let compact = world.changed(&changes);
        let answer = world.read(Pinned::Certificate(&world.verdict), &compact);
        assert_eq!(answer.unwrap_err(), expected, "{changes}");
    }
    // So many do not fit one JWT either.
    let compact = world.changed(&description("anchors", many.into()));
    assert_eq!(
        world
            .read(Pinned::Certificate(&world.verdict), &compact)
            .unwrap_err(),
        "jwt-too-large"
    );
}

#[test]
fn another_kind_is_no_bundle() {
    let world = World::new(URI);
    let good = world.changed(&json!({}));
    let jws = udap_proto::jws::Jws::parse(&good).unwrap();
    for (typ, expected) in [
        (Some("udap-bundle+jwt"), Ok(())),
        (Some("application/udap-bundle+jwt"), Ok(())),
        (Some("JWT"), Err("not-a-bundle")),
        (Some("at+jwt"), Err("not-a-bundle")),
        (None, Err("not-a-bundle")),
    ] {
        let mut header = jws.header().clone();
        header.remove("typ");
        header.extend(typ.map(|typ| ("typ".to_owned(), Value::from(typ))));
        let compact = world.sign(Unsigned::new(&header, jws.payload()));
        let answer = world.read(Pinned::Certificate(&world.verdict), &compact);
        assert_eq!(answer.map(|_| ()), expected, "{typ:?}");
    }
}
