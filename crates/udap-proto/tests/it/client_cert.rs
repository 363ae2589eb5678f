//! What a proxy says of its client's certificate (RFC 9440).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use udap_proto::Refusal as _;
use udap_proto::client_cert::{self, MAX_CHAIN};
use udap_testkit::TestPki;

fn read(certificate: &[&str], chain: &[&str]) -> Result<(usize, usize), &'static str> {
    let bytes = |lines: &[&str]| {
        lines
            .iter()
            .map(|l| l.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let (certificate, chain) = (bytes(certificate), bytes(chain));
    client_cert::read(
        certificate.iter().map(Vec::as_slice),
        chain.iter().map(Vec::as_slice),
    )
    .map(|(leaf, chain)| (leaf.der().len(), chain.len()))
    .map_err(|e| e.code())
}

#[test]
fn the_forms_of_both_headers() {
    let pki = TestPki::new("https://community.example");
    let member = pki.leaf("https://app.example");
    let der = member.leaf().der();
    let one = format!(":{}:", STANDARD.encode(der));
    let one = one.as_str();
    assert_eq!(read(&[one], &[]), Ok((der.len(), 0)));
    let list = format!("{one}, {one},{one}");
    assert_eq!(
        read(&[&format!("  {one} ")], &[&list, one]),
        Ok((der.len(), 4))
    );

    let refused = Err("client-cert-header-malformed");
    let bare = STANDARD.encode(der);
    let urlsafe = format!(":{}:", URL_SAFE.encode(der));
    let unpadded = format!(":{}:", bare.trim_end_matches('='));
    let pem = format!("-----BEGIN CERTIFICATE-----{bare}-----END CERTIFICATE-----");
    let cut = format!(":{}:", STANDARD.encode(&der[1..]));
    let more = format!(":{}:", STANDARD.encode([der, b"x"].concat()));
    let parameters = format!("{one};x=1");
    for wrong in [
        "",
        ":",
        "::",
        &bare,
        &pem,
        &cut,
        &more,
        &parameters,
        &list,
        ":AAAA:",
        ":!:",
    ] {
        assert_eq!(read(&[wrong], &[]), refused, "{wrong}");
        if wrong != list.as_str() {
            assert_eq!(read(&[one], &[wrong]), refused, "{wrong}");
        }
    }
    for other in [&urlsafe, &unpadded] {
        // Equal to the right form where nothing in it differs.
        let same = other.as_str() == one;
        assert_eq!(read(&[other], &[]).is_ok(), same);
    }
    assert_eq!(read(&[], &[one]), refused);
    assert_eq!(read(&[one, one], &[]), refused);
    let most = vec![one; MAX_CHAIN];
    assert_eq!(read(&[one], &most), Ok((der.len(), MAX_CHAIN)));
    let too_many = vec![one; MAX_CHAIN + 1];
    assert_eq!(read(&[one], &too_many), refused);
}
