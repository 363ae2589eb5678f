//! The meaning of what `udap tls inspect` finds, apart from what is wrong with certificates.

use udap_pki::Explanation;

/// One entry for each code.
pub const CATALOGUE: &[Explanation] = &[
    entry(
        "tls-target-invalid",
        "This is not a host that can be inspected",
        "A host is a name or an address, with a port after a colon where it is not 443. An IPv6 address stands in brackets.",
        "Write `fhir.example.org`, `fhir.example.org:8443` or `[2001:db8::1]:443`, without a scheme or path.",
        "RFC 3986 §3.2",
    ),
    entry(
        "tls-handshake-failed",
        "No TLS 1.2 or 1.3 handshake came about",
        "A current TLS library offered TLS 1.3 and 1.2 with ephemeral key exchange and AEAD suites, and the host did not go on. Either it speaks only what is refused here, or what listens on this port is not TLS.",
        "See which older versions and weak suites it accepts, and have it offer TLS 1.3.",
        "RFC 9325 §3.1",
    ),
    entry(
        "tls-host-refused",
        "The TLS library refuses the host",
        "Every outbound connection is judged by rustls: whether a root vouches for the host, whether the certificate is in date and for this name.",
        "The other findings say what is wrong. If they are all good, the two judges differ over this chain, and the host is refused until they agree.",
        "RFC 9325 §3",
    ),
    entry(
        "tls-staple-unreadable",
        "The OCSP response that came with the certificate cannot be read",
        "A server may send its certificate's OCSP response with the handshake. This one is no OCSP response, or says that the responder could not answer.",
        "Restart the server's OCSP stapling, and see whether its responder can be reached.",
        "RFC 6066 §8",
    ),
    entry(
        "tls-possession-unproven",
        "The server did not prove that it has the certificate's key",
        "A certificate is public; who sends it proves to be its owner by signing the handshake. That signature is missing or does not verify.",
        "Have the server's certificate and key compared: they may belong to different renewals.",
        "RFC 8446 §4.4.3",
    ),
    entry(
        "tls-version-old",
        "The host still speaks an old version of TLS",
        "SSL 3.0, TLS 1.0 and TLS 1.1 are deprecated: their hashes and modes of encryption are broken, and an attacker who can make a client fall back gets them.",
        "Allow TLS 1.2 and 1.3 only (nginx: `ssl_protocols TLSv1.2 TLSv1.3;`, Apache: `SSLProtocol -all +TLSv1.2 +TLSv1.3`).",
        "RFC 8996 §4",
    ),
    entry(
        "tls-suite-weak",
        "The host still accepts weak cipher suites",
        "RSA key exchange has no forward secrecy, CBC invites padding oracles, RC4, 3DES and export suites can be broken, NULL does not encrypt, anonymous suites prove nobody's identity.",
        "Allow ECDHE with AES-GCM or ChaCha20-Poly1305 only (nginx: `ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;`).",
        "RFC 9325 §4",
    ),
    entry(
        "tls-probe-undetermined",
        "It cannot be told whether something weak is offered",
        "The host gave no answer to some questions, or one that answers nothing. What is not known to be refused is not taken as refused.",
        "Ask again, from a place where nothing stands between you and the host.",
        "RFC 9325 §3",
    ),
];

const fn entry(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    hint: &'static str,
    section: &'static str,
) -> Explanation {
    Explanation {
        code,
        title,
        meaning,
        hint,
        section,
    }
}

/// The hint of a code of this catalogue.
pub(super) fn hint(code: &str) -> Option<&'static str> {
    CATALOGUE
        .iter()
        .find(|known| known.code == code)
        .map(|known| known.hint)
}
