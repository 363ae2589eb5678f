//! Vectors that others made: RFC 7515 appendix A, RFC 7520 §4, RFC 8037 appendix A. Those of Project
//! Wycheproof are about the schemes beneath, ECDSA's fixed form among them, and run in `udap-pki`.

use crate::keys::b64;
use crate::map;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use udap_proto::Refusal as _;
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::{Jws, JwsAlg, JwsError};

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RFC7515_RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RFC7515_RS256: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RFC7520_RSA_N: &str = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";
const RFC7520_PAYLOAD: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
const RFC7520_RS256: &str = "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg";
const RFC7520_ES512: &str = "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2";

fn jwk(value: Value) -> Jwk {
    Jwk::from_json(&map(value)).unwrap()
}

fn rfc7515_p256() -> Jwk {
    jwk(json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }))
}

#[test]
fn rfc7515_examples_with_claims_verify() {
    let rsa = jwk(json!({"kty": "RSA", "n": RFC7515_RSA_N, "e": "AQAB"}));
    let a2 = format!("eyJhbGciOiJSUzI1NiJ9.{JOE}.{RFC7515_RS256}");
    let a3 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    for (compact, key) in [(a2, rsa), (a3, rfc7515_p256())] {
        let jws = Jws::parse(&compact).unwrap();
        assert_eq!(jws.payload().get("iss"), Some(&json!("joe")));
        assert_eq!(JwkSet::new(vec![key]).verify(&jws), Ok(()));
        assert_eq!(JwkSet::new(Vec::new()).verify(&jws), Err(JwsError::NoKey));
    }
}

#[test]
fn rfc7515_examples_without_a_public_key_are_refused() {
    // A.1 (HMAC) and A.5 (no signature).
    for compact in [
        format!(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        ),
        format!("eyJhbGciOiJub25lIn0.{JOE}."),
    ] {
        assert_eq!(Jws::parse(&compact).unwrap_err().code(), "jwt-alg-refused");
    }
}

/// Examples whose payload is text and no JSON object: the token is refused, its signature is right.
#[test]
fn signatures_over_other_payloads_verify_and_the_tokens_are_no_jwts() {
    for (key, alg, header, payload, signature) in [
        (
            jwk(json!({"kty": "RSA", "n": RFC7520_RSA_N, "e": "AQAB"})),
            JwsAlg::RS256,
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            RFC7520_PAYLOAD,
            RFC7520_RS256,
        ),
        (
            jwk(json!({
                "kty": "EC", "crv": "P-521",
                "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
                "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
            })),
            JwsAlg::ES512,
            "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            RFC7520_PAYLOAD,
            RFC7520_ES512,
        ),
        (
            jwk(json!({
                "kty": "EC", "crv": "P-521",
                "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
                "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
            })),
            JwsAlg::ES512,
            "eyJhbGciOiJFUzUxMiJ9",
            "UGF5bG9hZA",
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        ),
        (
            jwk(
                json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            ),
            JwsAlg::EdDSA,
            "eyJhbGciOiJFZERTQSJ9",
            "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ] {
        let input = format!("{header}.{payload}");
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert_eq!(
            key.key().verify(alg.scheme(), input.as_bytes(), &bytes),
            Ok(()),
            "{alg}"
        );
        let refused = Jws::parse(&format!("{input}.{signature}")).unwrap_err();
        assert_eq!(refused.code(), "jwt-malformed");
    }
}

/// RFC 8037 appendix A.3 and RFC 7638 §3.1: what a thumbprint is the SHA-256 of.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let ed = jwk(
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
    );
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ed.thumbprint_input().as_bytes());
    assert_eq!(b64(digest), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_key_set_that_holds_a_private_key_is_refused() {
    for member in ["d", "p", "k"] {
        let mut key = map(rfc7515_p256().to_json());
        key.insert(member.into(), json!("AQAB"));
        let refused = JwkSet::from_json(&map(json!({"keys": [key]}))).unwrap_err();
        assert_eq!(refused.code(), "jwk-invalid");
    }
    for set in [
        json!({}),
        json!({"keys": {}}),
        json!({"keys": vec![json!({}); 65]}),
    ] {
        assert_eq!(
            JwkSet::from_json(&map(set)).unwrap_err().code(),
            "jwk-invalid"
        );
    }
    // Keys of other kinds are left out (RFC 7517 §5).
    let odd = json!({"keys": [{"kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ"}, {"kty": "new"}, 7]});
    assert!(JwkSet::from_json(&map(odd)).unwrap().keys().is_empty());
}
