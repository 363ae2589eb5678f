//! Every code of this crate, explained: the table that `udap explain` and the documentation are made from.

use udap_pki::Explanation;

macro_rules! catalogue {
    ($($code:literal: $title:literal, $meaning:literal, $hint:literal, $section:literal;)*) => {
        /// Every code that an error of this crate can have, but for those that come from elsewhere:
        /// of an access token's form and signature (`udap_proto`) and of the end of a token.
        pub const CATALOGUE: &[Explanation] = &[
            $(Explanation { code: $code, title: $title, meaning: $meaning, hint: $hint, section: $section },)*
        ];
    };
}

catalogue! {
    "path-too-long":
        "The path is too long",
        "No FHIR address needs a path of more than 2,048 bytes.",
        "Look at how the client builds its addresses.",
        "RFC 9110 §15.5.15";
    "path-not-absolute":
        "The path does not begin with a slash",
        "A request target such as `*` names no resource.",
        "Send a path below the FHIR base URL.",
        "RFC 9112 §3.2.1";
    "path-empty-segment":
        "Two slashes in a row",
        "Some servers take `//` for `/` and some do not, so what was checked might not be what is opened.",
        "Join the base URL and the rest with exactly one slash.",
        "RFC 3986 §3.3";
    "path-bad-encoding":
        "A percent sign without two digits",
        "`%` must be followed by two hexadecimal digits; servers differ in what they make of anything else.",
        "Encode a percent sign as `%25` where one is meant; resource ids never have one.",
        "RFC 3986 §2.1";
    "path-not-utf8":
        "The path is not UTF-8",
        "The decoded bytes are no text, or hide another character in an overlong form.",
        "Encode the path as UTF-8.",
        "RFC 3986 §2.5";
    "path-encoded-twice":
        "The path is encoded twice",
        "After decoding once there still is a percent sign, which the next server might decode again.",
        "Encode the path once.",
        "RFC 3986 §2.4";
    "path-encoded-slash":
        "An encoded slash",
        "`%2F` is a part of a name to one server and a separator to another.",
        "Use a plain slash between segments; resource ids have none.",
        "RFC 3986 §3.3";
    "path-backslash":
        "A backslash",
        "Some servers take a backslash for a slash.",
        "Use a slash.",
        "RFC 3986 §3.3";
    "path-dot-segment":
        "A dot segment",
        "`.` and `..`, encoded or not, mean another path than the one that is written.",
        "Send the path that is meant.",
        "RFC 3986 §5.2.4";
    "path-parameter":
        "A semicolon in the path",
        "Some servers cut a path parameter off and open what is left; others do not.",
        "Leave `;` out of the path.",
        "RFC 3986 §3.3";
    "path-control-character":
        "A control character in the path",
        "Control characters split lines and hide text in logs; no FHIR address has one.",
        "Look at how the client builds its addresses.",
        "RFC 3986 §3.3";
    "query-too-long":
        "The parameters are too long",
        "A query may have 16 KiB and a search form 64 KiB.",
        "Send a long search as POST to `_search`, and a longer one in parts.",
        "RFC 9110 §15.5.15";
    "query-too-many-parameters":
        "Too many parameters",
        "A request may have 128 parameters.",
        "Join alternatives of one parameter with commas.",
        "FHIR R4 §3.1.1";
    "query-bad-encoding":
        "A percent sign without two digits",
        "`%` in a parameter must be followed by two hexadecimal digits.",
        "Encode a percent sign as `%25`.",
        "RFC 3986 §2.1";
    "query-not-utf8":
        "A parameter is not UTF-8",
        "The decoded bytes of a name or a value are no text.",
        "Encode parameters as UTF-8.",
        "RFC 3986 §2.5";
    "query-control-character":
        "A control character in a parameter",
        "A name or a value has a control character once it is decoded.",
        "Leave it out.",
        "FHIR R4 §3.1.1";
    "outside-base":
        "Nothing at this address",
        "The address is not below the FHIR base URL of this gateway.",
        "Compare the address with the base URL, letter by letter.",
        "FHIR R4 §3.1.0.1.1";
    "well-known-unknown":
        "No such discovery document",
        "Discovery documents come from the authorization server in front of the gateway; the FHIR server's own ones are not passed on.",
        "Ask for `/.well-known/udap`.",
        "HL7 SSRAA §2.1";
    "resource-type-unknown":
        "No such resource type",
        "The address does not begin with a resource type of FHIR R4. Types that a server adds of its own are not served.",
        "Look at the spelling, capitals included.",
        "FHIR R4 §2.1.0.1";
    "resource-id-malformed":
        "No resource id",
        "An id has 1 to 64 letters, digits, hyphens and full stops.",
        "Send the id as the server gave it.",
        "FHIR R4 §2.24.0.1";
    "method-not-supported":
        "Another method",
        "Only GET, HEAD, POST, PUT, PATCH and DELETE belong to FHIR's interactions.",
        "Use one of them.",
        "FHIR R4 §3.1.0";
    "method-override":
        "The request asks for another method",
        "A parameter `_method` would make some servers do something else than the request's method says.",
        "Send the request with the method that is meant.",
        "RFC 9110 §9";
    "token-in-query":
        "The access token is a parameter",
        "A token in an address ends in logs and histories, so it is not accepted there.",
        "Send it in the Authorization header, and have this one revoked.",
        "RFC 6750 §2.3";
    "format-not-supported":
        "Neither JSON nor XML",
        "`_format` asks for a form in which the gateway cannot replace the FHIR server's address.",
        "Ask for `application/fhir+json`.",
        "FHIR R4 §3.1.0.1.11";
    "write-undecided":
        "Writes are refused",
        "Creating, updating, patching and deleting are not decided by this gateway yet, whatever the token says.",
        "Only read and search for now.",
        "FHIR R4 §3.1.0";
    "batch-undecided":
        "Batches are refused",
        "A batch or transaction holds interactions of its own, each of which would have to be decided.",
        "Send the interactions one by one.",
        "FHIR R4 §3.1.0.11";
    "history-undecided":
        "History is refused",
        "Versions may hold what was since removed, and are not decided by this gateway yet.",
        "Read the current version.",
        "FHIR R4 §3.1.0.12";
    "operation-undecided":
        "Operations are refused",
        "What an operation reads and changes depends on the operation, and none is decided by this gateway yet.",
        "Use read and search.",
        "FHIR R4 §3.2.0";
    "compartment-undecided":
        "Compartment searches are refused",
        "`Patient/1/Observation` and `Patient/1/*` search in a compartment, which this gateway does not decide yet.",
        "Search the type and name the patient as a parameter: `Observation?patient=1`.",
        "FHIR R4 §3.1.1.2";
    "system-search-undecided":
        "Searches over all types are refused",
        "A search at the base reaches every type at once.",
        "Search type by type.",
        "FHIR R4 §3.1.1.2";
    "page-link-undecided":
        "The page link names a search that only the server knows",
        "`_getpages` is the name of a search kept by the FHIR server. The gateway cannot see what it would answer, nor who made it.",
        "Configure the FHIR server to write page links that repeat the search (`Type?…`).",
        "FHIR R4 §3.1.1.5.1";
    "include-undecided":
        "_include is refused",
        "It brings resources of other types into the answer, which the scopes may not cover.",
        "Read the referenced resources one by one.",
        "FHIR R4 §3.1.1.5.4";
    "revinclude-undecided":
        "_revinclude is refused",
        "It brings resources of other types into the answer, which the scopes may not cover.",
        "Search the other type by the reference.",
        "FHIR R4 §3.1.1.5.4";
    "has-undecided":
        "_has is refused",
        "It asks about resources of other types, which the scopes may not cover: an answer tells about them even when it does not show them.",
        "Search the other type, then read what it refers to.",
        "FHIR R4 §3.1.1.4.12";
    "chain-undecided":
        "Chained parameters are refused",
        "`subject.name` asks about resources of other types, which the scopes may not cover. Sorting by a chain tells their order.",
        "Search the other type, then use its ids.",
        "FHIR R4 §3.1.1.4.10";
    "filter-undecided":
        "_filter is refused",
        "It is a language of its own that can ask about other types.",
        "Use plain parameters.",
        "FHIR R4 §3.1.3";
    "named-query-undecided":
        "_query is refused",
        "It names a search whose meaning only the FHIR server knows.",
        "Use plain parameters.",
        "FHIR R4 §3.1.1.4.6";
    "type-list-undecided":
        "_type is refused",
        "It searches several types at once.",
        "Search type by type.",
        "FHIR R4 §3.1.1.2";
    "membership-undecided":
        "_list and _in are refused",
        "They ask about the members of a list, a group or a care team, which the scopes may not cover.",
        "Read the list, then the members.",
        "FHIR R4 §3.1.1.4.9";
    "contained-undecided":
        "_contained is refused",
        "It brings containing resources, of other types, into the answer.",
        "Search the containing type.",
        "FHIR R4 §3.1.1.5.5";
    "modifier-undecided":
        "The modifier is refused",
        "Only modifiers that look at the searched resource itself pass: `missing`, `exact`, `contains`, `text`, `not`, `identifier`, `of-type`, `code-text`, and a resource type behind a reference.",
        "Search without the modifier, or list the values.",
        "FHIR R4 §3.1.1.4.1";
    "parameter-undecided":
        "The parameter is refused",
        "Parameters that begin with `_` pass when the gateway knows what they do; a read takes only those that change how the answer looks.",
        "Leave it out, or look at its spelling.",
        "FHIR R4 §3.1.1.4";
    "path-undecided":
        "No interaction has this path and method",
        "The path and the method together name nothing that FHIR defines.",
        "Compare with the list of interactions.",
        "FHIR R4 §3.1.0";
    "token-missing":
        "No access token",
        "The request has no `Authorization: Bearer` header.",
        "Register, ask for a token at the token endpoint, and send it.",
        "RFC 6750 §2.1";
    "authorization-ambiguous":
        "Several Authorization headers",
        "Two programs may pick different ones.",
        "Send one.",
        "RFC 6750 §3.1";
    "token-malformed":
        "No well-formed token",
        "What follows `Bearer` is not one word of letters, digits and `-._~+/=`.",
        "Send the token exactly as it was issued.",
        "RFC 6750 §2.1";
    "token-too-long":
        "The token is too long",
        "At most 8 KiB are read.",
        "Ask for fewer scopes, or shorter extension objects.",
        "RFC 6750 §2.1";
    "insufficient-scope":
        "The scopes do not permit this",
        "The token was issued, and is good, for other things.",
        "Ask for a token with the scope that the answer names.",
        "RFC 6750 §3.1";
    "scope-query-undecided":
        "Only a narrowed scope would permit this",
        "The scope has a query, `system/Observation.rs?category=…`, which this gateway cannot enforce yet. Without enforcing it, it would give away too much.",
        "Ask for the scope without a query, if it is granted.",
        "SMART App Launch 2.2 §3.0.2";
    "scope-context-undecided":
        "The scope is for a patient or a user",
        "`patient/` and `user/` scopes are good for one patient's record, or what one user may see, and this gateway does not know whom yet.",
        "Ask for a `system/` scope.",
        "SMART App Launch 2.2 §3.0.2";
    "form-expected":
        "Not a search form",
        "A search is posted as `application/x-www-form-urlencoded`, without content encoding.",
        "Set the Content-Type.",
        "FHIR R4 §3.1.1.4.2";
    "form-too-large":
        "The search form is too large",
        "At most 64 KiB are read.",
        "Search in parts.",
        "FHIR R4 §3.1.1.4.2";
    "form-incomplete":
        "The search form broke off",
        "The connection ended before the form was complete.",
        "Send it again.",
        "RFC 9112 §8";
    "form-slow":
        "The search form came too slowly",
        "It did not arrive within the time for it.",
        "Send it again.",
        "RFC 9110 §15.5.9";
    "upstream-unreachable":
        "The FHIR server cannot be reached",
        "Nothing accepts connections at the configured address.",
        "For the operator: see that the FHIR server runs and that `upstream` names it. The log has the address and the cause.",
        "RFC 9110 §15.6.3";
    "upstream-tls":
        "TLS with the FHIR server failed",
        "Its certificate is not trusted, has another name, or the handshake failed.",
        "For the operator: compare the certificate with `upstream` and with the configured trust.",
        "RFC 9110 §15.6.3";
    "upstream-connect-timeout":
        "The FHIR server does not accept connections in time",
        "It, or a firewall in between, stays silent.",
        "For the operator: see that the way to the FHIR server is open.",
        "RFC 9110 §15.6.5";
    "upstream-timeout":
        "The FHIR server does not answer in time",
        "It took the request, and the time for the answer is over.",
        "Ask for less at once. For the operator: see what the FHIR server is doing.",
        "RFC 9110 §15.6.5";
    "upstream-broken":
        "The FHIR server broke off",
        "It closed the connection, or spoke something else than HTTP.",
        "Try again. For the operator: the FHIR server's log.",
        "RFC 9110 §15.6.3";
    "upstream-busy":
        "Too many requests at once",
        "As many connections to the FHIR server are open as are allowed.",
        "Try again later.",
        "RFC 9110 §15.6.4";
    "upstream-redirect":
        "The FHIR server redirects",
        "A redirection would lead the client around the gateway.",
        "For the operator: set `upstream` to the address that the FHIR server redirects to.",
        "RFC 9110 §15.4";
    "upstream-unauthorized":
        "The FHIR server does not accept the gateway",
        "It asks for credentials of its own.",
        "For the operator: let the FHIR server trust the gateway, or forward the token if it judges the same one.",
        "RFC 9110 §15.5.2";
    "upstream-failed":
        "The FHIR server failed",
        "It answered with a server error. Its text stays behind, since such texts tell about the inside.",
        "Try again. For the operator: the FHIR server's log.",
        "RFC 9110 §15.6.1";
    "upstream-unavailable":
        "The FHIR server is not available",
        "It says that it cannot answer at the moment.",
        "Try again later.",
        "RFC 9110 §15.6.4";
    "upstream-refused":
        "The FHIR server refused the request",
        "Its reason was not in FHIR JSON or XML, so only the status is passed on.",
        "Look at the status.",
        "FHIR R4 §3.1.0.1.2";
    "upstream-media-type":
        "The FHIR server answered with something else",
        "Neither FHIR JSON nor XML, in which alone the server's address can be replaced; other media types are only for a Binary.",
        "Ask for `application/fhir+json` in the Accept header.",
        "FHIR R4 §3.1.0.1.11";
    "upstream-compressed":
        "The FHIR server compressed its answer",
        "It was asked not to, since addresses cannot be replaced in compressed text.",
        "For the operator: switch compression off in the FHIR server; clients that want it get it from the gateway's side.",
        "RFC 9110 §12.5.3";
    "upstream-charset":
        "The FHIR server answered in another encoding than UTF-8",
        "FHIR's JSON and XML are UTF-8, and in other encodings the server's address cannot be replaced.",
        "For the operator: let the FHIR server answer in UTF-8 only.",
        "FHIR R4 §2.6.1";
    "gateway-url-malformed":
        "Not a URL",
        "`base_url`, `upstream` or an alias cannot be read as a URL.",
        "Write it with its scheme: `https://fhir.example.org/r4`.",
        "RFC 3986 §3";
    "gateway-url-not-a-base":
        "Not a base URL",
        "A base URL is http or https, with a host and without user, query and fragment.",
        "Leave the rest out.",
        "FHIR R4 §3.1.0.1.1";
    "gateway-url-path-not-plain":
        "The base URL is not in its plain form",
        "It has capitals in the host, a default port, dots, `//`, `;` or encoded characters, so that it would not equal what clients, tokens and answers have.",
        "Write it in lower case, without default port, and with a plain path.",
        "RFC 3986 §6.2";
    "gateway-upstream-trust-missing":
        "Nobody to trust for the FHIR server",
        "`upstream` is https, and nothing says which certificates are trusted for it.",
        "Configure the roots for the upstream.",
        "RFC 9110 §4.3.4";
    "gateway-loop":
        "The gateway would call itself",
        "`upstream` and `base_url` are the same.",
        "Set `upstream` to the address of the FHIR server.",
        "RFC 9110 §7.6.3";
    "token-bound-to-certificate":
        "The access token is bound to a certificate",
        "It serves only on a connection whose TLS client shows the very certificate with which it was asked for, and this connection shows none.",
        "Use the base URL at which the server asks for certificates, and give the TLS library the certificate and its key.",
        "UDAP Mutual TLS §4; RFC 8705 §3";
    "token-certificate-mismatch":
        "The access token is bound to another certificate",
        "The TLS client shows a certificate, and it is not the one with which the token was asked for. Another certificate of the same app does not do.",
        "After a certificate was renewed, ask for a new token.",
        "UDAP Mutual TLS §4; RFC 8705 §3";
    "token-bound-to-key":
        "The access token is bound to a key",
        "It serves only with a proof, made for the request by the key with which the token was asked for.",
        "Send `Authorization: DPoP …` and a proof in the header `DPoP`.",
        "RFC 9449 §7.1";
    "token-not-bound-to-key":
        "The access token is bound to no key",
        "It was presented as if a proof belonged to it. A proof of a key that the token does not name proves nothing.",
        "Send a proof with the token request, or present the token as `Bearer`.",
        "RFC 9449 §7.1";
    "token-key-mismatch":
        "The access token is bound to another key",
        "The DPoP proof is good, and its key is not the one with which the token was asked for.",
        "Sign proofs with the key that signed the one of the token request.",
        "RFC 9449 §7.1";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variants are written once more in the sources, as `=> "code"`; each must be explained.
    #[test]
    fn each_code_is_explained_once() {
        let sources = [
            include_str!("binding.rs"),
            include_str!("config.rs"),
            include_str!("forward.rs"),
            include_str!("interaction.rs"),
            include_str!("path.rs"),
            include_str!("query.rs"),
            include_str!("refusal.rs"),
            include_str!("scopes.rs"),
            include_str!("token.rs"),
        ];
        let mut codes = Vec::new();
        for source in sources {
            // Each `fn code` is one match whose arms end in a literal.
            for body in source.split("fn code(&self)").skip(1) {
                let body = body.split("\n    }\n").next().unwrap_or_default();
                codes.extend(
                    body.lines()
                        .filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")),
                );
            }
        }
        // The host's own, as of every server.
        codes.retain(|code| *code != "temporarily-unavailable");
        codes.sort_unstable();
        let mut explained: Vec<&str> = CATALOGUE.iter().map(|e| e.code).collect();
        explained.sort_unstable();
        assert_eq!(codes, explained);
        assert!(codes.len() > 60);
    }
}
