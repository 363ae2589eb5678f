//! The cipher suites that are asked for one class at a time, by their registered numbers and names.

/// Numbers and names (without `TLS_`) of one class.
pub(super) type Suites = &'static [(u16, &'static str)];

/// The name of a suite that one of these classes has.
pub(super) fn name(code: u16) -> Option<&'static str> {
    let all = [MODERN, RSA, CBC, RC4, TRIPLE_DES, NULL, EXPORT, ANONYMOUS];
    let found = all.into_iter().flatten().find(|(known, _)| *known == code);
    found.map(|(_, name)| *name)
}

/// Ephemeral key exchange and AEAD: what is left of TLS 1.2.
pub(super) const MODERN: Suites = &[
    (0xc02b, "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xc02c, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xc02f, "ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc030, "ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xcca8, "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xcca9, "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0x009e, "DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xccaa, "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];

/// The secret is sent encrypted to the server's key: no forward secrecy (RFC 9325 §4.1).
pub(super) const RSA: Suites = &[
    (0x009d, "RSA_WITH_AES_256_GCM_SHA384"),
    (0x009c, "RSA_WITH_AES_128_GCM_SHA256"),
    (0xc09d, "RSA_WITH_AES_256_CCM"),
    (0xc09c, "RSA_WITH_AES_128_CCM"),
    (0x003d, "RSA_WITH_AES_256_CBC_SHA256"),
    (0x003c, "RSA_WITH_AES_128_CBC_SHA256"),
    (0x0035, "RSA_WITH_AES_256_CBC_SHA"),
    (0x002f, "RSA_WITH_AES_128_CBC_SHA"),
    (0x0084, "RSA_WITH_CAMELLIA_256_CBC_SHA"),
    (0x0041, "RSA_WITH_CAMELLIA_128_CBC_SHA"),
];

/// Ephemeral, with CBC: MAC, then encrypt, and padding oracles since 2002.
pub(super) const CBC: Suites = &[
    (0xc024, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc023, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc028, "ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc00a, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc009, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc013, "ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x006b, "DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, "DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x0039, "DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x0033, "DHE_RSA_WITH_AES_128_CBC_SHA"),
];

/// RFC 7465 prohibits it.
pub(super) const RC4: Suites = &[
    (0xc007, "ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xc011, "ECDHE_RSA_WITH_RC4_128_SHA"),
    (0x0005, "RSA_WITH_RC4_128_SHA"),
    (0x0004, "RSA_WITH_RC4_128_MD5"),
];

/// Blocks of 64 bits.
pub(super) const TRIPLE_DES: Suites = &[
    (0xc008, "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc012, "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x000a, "RSA_WITH_3DES_EDE_CBC_SHA"),
];

/// No encryption at all.
pub(super) const NULL: Suites = &[
    (0xc006, "ECDHE_ECDSA_WITH_NULL_SHA"),
    (0xc010, "ECDHE_RSA_WITH_NULL_SHA"),
    (0x003b, "RSA_WITH_NULL_SHA256"),
    (0x0002, "RSA_WITH_NULL_SHA"),
    (0x0001, "RSA_WITH_NULL_MD5"),
];

/// Keys of 40 and 56 bits.
pub(super) const EXPORT: Suites = &[
    (0x0014, "DHE_RSA_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0008, "RSA_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0006, "RSA_EXPORT_WITH_RC2_CBC_40_MD5"),
    (0x0003, "RSA_EXPORT_WITH_RC4_40_MD5"),
    (0x0015, "DHE_RSA_WITH_DES_CBC_SHA"),
    (0x0009, "RSA_WITH_DES_CBC_SHA"),
];

/// Nobody proves to be anybody.
pub(super) const ANONYMOUS: Suites = &[
    (0x00a7, "DH_anon_WITH_AES_256_GCM_SHA384"),
    (0x00a6, "DH_anon_WITH_AES_128_GCM_SHA256"),
    (0xc019, "ECDH_anon_WITH_AES_256_CBC_SHA"),
    (0xc018, "ECDH_anon_WITH_AES_128_CBC_SHA"),
    (0xc017, "ECDH_anon_WITH_3DES_EDE_CBC_SHA"),
    (0xc016, "ECDH_anon_WITH_RC4_128_SHA"),
    (0xc015, "ECDH_anon_WITH_NULL_SHA"),
    (0x006d, "DH_anon_WITH_AES_256_CBC_SHA256"),
    (0x006c, "DH_anon_WITH_AES_128_CBC_SHA256"),
    (0x003a, "DH_anon_WITH_AES_256_CBC_SHA"),
    (0x0034, "DH_anon_WITH_AES_128_CBC_SHA"),
    (0x001b, "DH_anon_WITH_3DES_EDE_CBC_SHA"),
    (0x0018, "DH_anon_WITH_RC4_128_MD5"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_suite_is_in_two_classes() {
        let all = [MODERN, RSA, CBC, RC4, TRIPLE_DES, NULL, EXPORT, ANONYMOUS].concat();
        let mut codes: Vec<u16> = all.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all.len());
        assert_eq!(name(0xc02f), Some("ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        assert_eq!(name(0xffff), None);
    }
}
