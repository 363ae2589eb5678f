//! Every code that this crate can answer with, in words.

use udap_pki::Explanation;

/// The hint of a code, for errors that have none of their own.
pub(crate) fn hint(code: &str) -> &'static str {
    CATALOGUE
        .iter()
        .find(|entry| entry.code == code)
        .map_or("", |entry| entry.hint)
}

/// What `udap explain CODE` prints.
pub const CATALOGUE: &[Explanation] = &[
    // The listener.
    Explanation {
        code: "address-in-use",
        title: "the port is taken",
        meaning: "Another process, perhaps an earlier start of this one, listens on the address and port. Two servers never share a port, also when the system would let them.",
        hint: "stop what listens there or choose another port",
        section: "udap.toml: listen",
    },
    Explanation {
        code: "address-unavailable",
        title: "the address is not of this machine",
        meaning: "A server can only listen on an address that one of the machine's interfaces has.",
        hint: "listen on 0.0.0.0, [::] or an address that `ip address` shows",
        section: "udap.toml: listen",
    },
    Explanation {
        code: "address-forbidden",
        title: "the port needs a privilege",
        meaning: "Ports below 1024 are reserved for privileged processes.",
        hint: "choose a port from 1024 up, or give the service CAP_NET_BIND_SERVICE",
        section: "udap.toml: listen",
    },
    Explanation {
        code: "listen-failed",
        title: "the port cannot be opened",
        meaning: "The system refused the socket for the reason given.",
        hint: "the reason after the colon is the system's own; check address family and limits",
        section: "udap.toml: listen",
    },
    Explanation {
        code: "tls-certificate-unreadable",
        title: "the TLS certificate cannot be read",
        meaning: "The file is missing or this user may not read it.",
        hint: "check the path, which is relative to the configuration file, and its permissions",
        section: "udap.toml: tls.cert",
    },
    Explanation {
        code: "tls-certificate-malformed",
        title: "the TLS certificate file has no usable certificate",
        meaning: "The file must hold PEM blocks: the server's certificate first, then its intermediates.",
        hint: "`udap x509 show FILE` shows what is in it",
        section: "RFC 7468 §5; udap.toml: tls.cert",
    },
    Explanation {
        code: "tls-key-unreadable",
        title: "the TLS key cannot be read",
        meaning: "The file is missing or this user may not read it.",
        hint: "check the path, which is relative to the configuration file, and who owns the file",
        section: "udap.toml: tls.key_file",
    },
    Explanation {
        code: "tls-key-exposed",
        title: "other users can read or write the TLS key",
        meaning: "Whoever can read the key can pretend to be this server, and whoever can write it can put their own in its place, so a key that is open to group or others is not used.",
        hint: "leave it to its owner alone: chmod 600",
        section: "udap.toml: tls.key_file",
    },
    Explanation {
        code: "tls-key-malformed",
        title: "the TLS key file has no private key",
        meaning: "The file must hold one unencrypted PEM private key: PKCS#8, PKCS#1 or SEC1.",
        hint: "an encrypted key is decrypted with `openssl pkey -in FILE -out NEW`",
        section: "RFC 7468 §10; udap.toml: tls.key_file",
    },
    Explanation {
        code: "tls-key-unsupported",
        title: "the TLS key is of a kind that cannot be used",
        meaning: "TLS keys are RSA from 2048 bits, ECDSA on P-256, P-384 or P-521, or Ed25519.",
        hint: "make an ECDSA P-256 key and have a certificate issued for it",
        section: "RFC 9325 §4.5",
    },
    Explanation {
        code: "tls-key-mismatch",
        title: "TLS key and certificate do not belong together",
        meaning: "The public key in the certificate is not that of the private key.",
        hint: "check which key the certificate was requested with; after a renewal replace both files",
        section: "udap.toml: tls",
    },
    Explanation {
        code: "tls-setup",
        title: "TLS cannot be set up",
        meaning: "The cryptographic library refused its configuration; the system's randomness may be missing.",
        hint: "the text after the colon is the library's own; please report it if the machine is healthy",
        section: "udap.toml: tls",
    },
    Explanation {
        code: "system-resources",
        title: "the system gave no thread or signal handler",
        meaning: "A limit of threads, memory or file descriptors is reached.",
        hint: "raise the limit of tasks of the service, or lower `workers`",
        section: "udap.toml: workers",
    },
    Explanation {
        code: "worker-failed",
        title: "a worker thread ended",
        meaning: "A part of the server failed in a way it should not; the others were stopped in good order.",
        hint: "the log holds the cause; please report it",
        section: "udap serve",
    },
    // The database.
    Explanation {
        code: "database-unwritable",
        title: "the database file cannot be opened for writing",
        meaning: "The file or its directory cannot be made or written by this user.",
        hint: "check `state_dir`, its owner, and whether the file system is mounted read-only",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-missing",
        title: "there is no database yet",
        meaning: "Nothing has run with this state directory, or it is another one.",
        hint: "compare `state_dir` with what the server runs with (`udap config show`)",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-not-recognised",
        title: "the file is not a database",
        meaning: "Something else is stored under the name of the database.",
        hint: "point `state_dir` to a directory of its own, or move the file away",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "disk-full",
        title: "the disk is full",
        meaning: "Nothing was written; what was there before is intact.",
        hint: "free some space on the disk that holds `state_dir`; the server goes on by itself",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-read-only",
        title: "the database cannot be written",
        meaning: "The file system became read-only, or a write took a connection that is for reading.",
        hint: "check the mount and the kernel log of the machine",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-damaged",
        title: "the database is damaged",
        meaning: "The file's contents are not consistent; something else wrote to it, or the disk lost data.",
        hint: "stop the server and restore the last backup; keep the damaged file for analysis",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "disk-failing",
        title: "the disk reports errors",
        meaning: "Reading or writing the database failed below the database.",
        hint: "check the kernel log and the health of the disk",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-busy",
        title: "another process holds the database",
        meaning: "A write waited five seconds for a lock that another process did not give back.",
        hint: "SQLite: find it with `fuser FILE`, and back up by the online backup; PostgreSQL: look for open transactions in pg_stat_activity",
        section: "udap.toml: state_dir, database",
    },
    Explanation {
        code: "database-overloaded",
        title: "too much waits for the database",
        meaning: "A request waited as long as it may for a connection, or the server has no more to give.",
        hint: "check the speed of the disk, since registrations are bound by its fsync, and PostgreSQL's max_connections: a node takes up to 8",
        section: "udap.toml: state_dir, database",
    },
    Explanation {
        code: "database-unreachable",
        title: "the database server does not answer",
        meaning: "No connection can be made, or it broke. Requests are answered with 503 until there is one again; nothing is accepted meanwhile that the database would have to know of.",
        hint: "check that PostgreSQL runs, its address, and what lies in between; the server connects again by itself",
        section: "udap.toml: database",
    },
    Explanation {
        code: "database-denied",
        title: "the database server does not let this program in",
        meaning: "User or password are wrong, pg_hba.conf has no line for it, or it may not do what it has to.",
        hint: "check user and password in `database`, and that the user owns the database",
        section: "udap.toml: database",
    },
    Explanation {
        code: "database-untrusted",
        title: "the database server does not prove who it is",
        meaning: "Over a network the server's certificate is verified, its name included. Whoever answers in its place would be told every registration.",
        hint: "name the CA of the server by `sslrootcert=FILE` in the URL; `sslmode` says what is to be verified",
        section: "udap.toml: database",
    },
    Explanation {
        code: "database-text",
        title: "the database cannot hold a text",
        meaning: "PostgreSQL stores no U+0000 in texts, and a database that is not in UTF8 has no place for most others.",
        hint: "make the database with ENCODING 'UTF8'; if it is, please report it",
        section: "udap.toml: database",
    },
    Explanation {
        code: "database-behind",
        title: "the schema of the database is not up to date",
        meaning: "This program needs steps that were not applied yet, and is told not to apply them itself.",
        hint: "run `udap db migrate`, or set `migrations = \"at-start\"`",
        section: "udap.toml: migrations",
    },
    Explanation {
        code: "database-closed",
        title: "the database is closed",
        meaning: "The server is stopping.",
        hint: "try again once it has started",
        section: "udap serve",
    },
    Explanation {
        code: "database-newer",
        title: "the database was made by a newer version",
        meaning: "Its schema has steps that this program does not know, so it must not write there.",
        hint: "run the newer version again, or restore the backup from before the upgrade",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-foreign",
        title: "the database belongs to another role",
        meaning: "Its schema is not the one of this command: each role has a directory of its own.",
        hint: "check `state_dir`",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-migration-failed",
        title: "the schema cannot be brought up to date",
        meaning: "A step failed; all steps were undone, the database is as it was before.",
        hint: "run the version before this one, and report the text after the colon",
        section: "udap.toml: state_dir",
    },
    Explanation {
        code: "database-conflict",
        title: "the row exists already",
        meaning: "Two requests made the same thing at the same time; one of them won.",
        hint: "try again",
        section: "udap serve",
    },
    Explanation {
        code: "database-error",
        title: "the database refused a statement",
        meaning: "This is a fault in the program or in the file.",
        hint: "the log holds the text; please report it",
        section: "udap serve",
    },
    Explanation {
        code: "state-directory-exposed",
        title: "other users can enter the state directory",
        meaning: "It holds keys, the database and the record of seen JWTs, and is for one user alone. It is not changed, since it may be a directory of somebody else.",
        hint: "give it a directory of its own and run `chmod 700` on it; with systemd, `StateDirectoryMode=0700`",
        section: "udap.toml: state_dir",
    },
    // Secrets in the database.
    Explanation {
        code: "secrets-key-missing",
        title: "there is no key to seal secrets with",
        meaning: "The key that signs access tokens is in the database, where nodes share one, or where `secrets_key_file` was set before. It is stored sealed and never in the clear, so the key for that has to be there.",
        hint: "`openssl rand -base64 32 > secrets.key`, chmod 600, `secrets_key_file = \"secrets.key\"`, the same file on each node",
        section: "udap.toml: secrets_key_file",
    },
    Explanation {
        code: "secrets-key-unusable",
        title: "the file holds no key for secrets",
        meaning: "It has to be 32 random bytes in base64, and nothing else.",
        hint: "`openssl rand -base64 32` makes one",
        section: "udap.toml: secrets_key_file",
    },
    Explanation {
        code: "secrets-key-wrong",
        title: "secrets of the database were sealed under another key",
        meaning: "Each node of one database has the same key for secrets.",
        hint: "copy the file from a node that works, or restore it from the backup",
        section: "udap.toml: secrets_key_file",
    },
    Explanation {
        code: "secret-unusable",
        title: "a secret of the database cannot be opened",
        meaning: "It was changed, or stands in another place than it was sealed for.",
        hint: "restore the table from the backup; if somebody else can write there, find out who",
        section: "udap.toml: secrets_key_file",
    },
    // The configuration.
    Explanation {
        code: "config-unreadable",
        title: "a file cannot be read",
        meaning: "The configuration or a file that it names is missing, not text, or not readable by this user.",
        hint: "check path and permissions; paths in the configuration are relative to it",
        section: "udap.toml",
    },
    Explanation {
        code: "config-syntax",
        title: "the configuration is not TOML",
        meaning: "The file breaks a rule of the TOML format at the place given.",
        hint: "text needs quotes, a setting stands in the file once, and settings of the top come before the first [[community]]",
        section: "https://toml.io/en/v1.1.0",
    },
    Explanation {
        code: "config-unknown-key",
        title: "there is no such setting",
        meaning: "An unknown setting is refused, since a typing error would otherwise silently leave a default in force.",
        hint: "`udap config show` lists all settings; those of the top come before the first [[community]]",
        section: "udap.toml",
    },
    Explanation {
        code: "config-missing-key",
        title: "a setting is missing",
        meaning: "Nothing works without it and no default can be right.",
        hint: "add it",
        section: "udap.toml",
    },
    Explanation {
        code: "config-wrong-type",
        title: "a setting has the wrong type",
        meaning: "Text stands in quotes, lists in brackets, numbers and true or false stand alone.",
        hint: "`udap config show` shows the type by example",
        section: "udap.toml",
    },
    Explanation {
        code: "config-invalid-value",
        title: "a setting has a value that cannot be",
        meaning: "The value has the right type but breaks the rule given after it.",
        hint: "change the value as the message says",
        section: "udap.toml",
    },
    Explanation {
        code: "config-out-of-range",
        title: "a number is too small or too large",
        meaning: "Each number has limits beyond which the server would not work or not be safe; durations are in seconds.",
        hint: "choose a value within the limits given",
        section: "udap.toml",
    },
    Explanation {
        code: "config-secret-twice",
        title: "a secret is given twice",
        meaning: "A secret is either in the configuration or in a file of its own; with both, one would be ignored.",
        hint: "keep the one that ends in _file",
        section: "udap.toml",
    },
    Explanation {
        code: "config-community-twice",
        title: "a community is configured twice",
        meaning: "A community is known by its URI; two tables with one URI leave open which is meant.",
        hint: "merge the two; `anchors` and `intermediates` take lists",
        section: "udap.toml: community.uri",
    },
    Explanation {
        code: "config-bases-overlap",
        title: "two FHIR base URLs overlap",
        meaning: "Requests are told apart by the path alone, never by the host that they name: two base URLs must not have one path, and none may lie within another, whatever their hosts.",
        hint: "give each data holder a path of its own, such as /r4 and /r4b",
        section: "udap.toml: data_holder.base_url",
    },
    Explanation {
        code: "config-shared-anchor",
        title: "two communities have one trust anchor",
        meaning: "A certificate below it would belong to both, and a registration is in exactly one community.",
        hint: "keep the anchor in one community, or use the issuing CAs below it as anchors",
        section: "HL7 SSRAA §2.4",
    },
    Explanation {
        code: "config-certifiers-unnamed",
        title: "every member would be a certifier",
        meaning: "A trust anchor of the community is also listed in `certifier_anchors`, so any app could certify any other.",
        hint: "name the certifiers' URIs in `certifiers`, or give them an anchor of their own",
        section: "UDAP Certifications and Endorsements §4",
    },
    Explanation {
        code: "config-tls-is-identity",
        title: "one certificate for TLS and for the community",
        meaning: "The certificate of the web server proves a host, that of the community a member; one key must not serve both.",
        hint: "use a certificate of a web CA for `tls`",
        section: "udap.toml: tls",
    },
    Explanation {
        code: "config-certificate-file",
        title: "a file does not hold certificates",
        meaning: "Anchors, intermediates and identities are PEM files with certificates, or one DER certificate.",
        hint: "`udap x509 show FILE` shows what is in it",
        section: "RFC 7468 §5",
    },
    Explanation {
        code: "config-key-exposed",
        title: "other users can read or write a private file",
        meaning: "Whoever can read a key can pretend to be its owner, and whoever can write it can put their own in its place, so a file with a secret that is open to group or others is not used.",
        hint: "leave it to its owner alone: chmod 600",
        section: "udap.toml: community.identity",
    },
    // Client certificates and proofs of possession.
    Explanation {
        code: "client-cert-header-refused",
        title: "a certificate header from somebody who is not believed",
        meaning: "`Client-Cert` and `Client-Cert-Chain` say which certificate a TLS client showed to a proxy. Anybody can write them, so they count from `trusted_proxies` only.",
        hint: "list the proxy's address in `trusted_proxies`, or do not send the header",
        section: "RFC 9440 §4",
    },
    Explanation {
        code: "client-certificate-unreadable",
        title: "the TLS client's certificate cannot be read",
        meaning: "The handshake proved possession of its key, but the certificate is not in the form that RFC 5280 demands.",
        hint: "`udap x509 show FILE` says what is wrong with it",
        section: "RFC 5280 §4.1",
    },
    Explanation {
        code: "dpop-proof-missing",
        title: "the request has no DPoP proof",
        meaning: "Each request with a token that is bound to a key carries a proof made for it; a community can demand one for each token.",
        hint: "send a proof in the header `DPoP`, made for this request",
        section: "RFC 9449 §5, §7",
    },
    Explanation {
        code: "dpop-proof-ambiguous",
        title: "there is more than one DPoP header",
        meaning: "Only one proof can be the request's own.",
        hint: "send one",
        section: "RFC 9449 §4.3",
    },
    Explanation {
        code: "dpop-nonce-missing",
        title: "the DPoP proof lacks the server's nonce",
        meaning: "This server demands that proofs repeat a text that it gives out, which shows that they were made just now.",
        hint: "take the value of `DPoP-Nonce` from the answer as claim `nonce`, and send the request again",
        section: "RFC 9449 §8, §9",
    },
    Explanation {
        code: "dpop-nonce-unknown",
        title: "the nonce of the DPoP proof has lapsed",
        meaning: "A nonce is good for two to four minutes, with the process that gave it out.",
        hint: "take the value of `DPoP-Nonce` from the answer as claim `nonce`, and send the request again",
        section: "RFC 9449 §8, §9",
    },
    Explanation {
        code: "dpop-proof-replayed",
        title: "this DPoP proof was sent before",
        meaning: "A proof serves for one request. The same `jti` by the same key is another copy of it.",
        hint: "make a proof with a new random `jti` for each request, also when one is sent again",
        section: "RFC 9449 §11.1",
    },
    Explanation {
        code: "dpop-proofs-too-many",
        title: "more DPoP proofs came than are remembered",
        meaning: "Proofs that were taken are remembered, so that none serves twice, and memory for them has a limit. While half of it is taken, no client has more than a sixteenth.",
        hint: "try again in a minute; a client that sends thousands of requests in a second should slow down",
        section: "RFC 9449 §11.1",
    },
    // Requests and logs.
    Explanation {
        code: "body-too-large",
        title: "the request body is too large",
        meaning: "More bytes came than the endpoint takes.",
        hint: "send less; `limits.max_body_bytes` of the server sets the limit",
        section: "RFC 9110 §15.5.14",
    },
    Explanation {
        code: "body-too-slow",
        title: "the request body came too slowly",
        meaning: "The body did not end within the time that a request may take.",
        hint: "check the connection and try again",
        section: "RFC 9110 §15.5.9",
    },
    Explanation {
        code: "body-broken",
        title: "the request body ended early",
        meaning: "The connection broke, or the body's framing is not HTTP.",
        hint: "check what sends the request",
        section: "RFC 9112 §8",
    },
    Explanation {
        code: "server-error",
        title: "the server met a fault of its own",
        meaning: "Nothing is wrong with the request as far as is known; what went wrong is not for peers to read.",
        hint: "try again later; the operator's log holds the cause",
        section: "RFC 9110 §15.6.1",
    },
    Explanation {
        code: "temporarily-unavailable",
        title: "the server cannot answer for the moment",
        meaning: "It is stopping, its disk is full, or too much waits for it.",
        hint: "try again later",
        section: "RFC 9110 §15.6.4",
    },
    Explanation {
        code: "log-filter-invalid",
        title: "UDAP_LOG is not a filter",
        meaning: "The variable holds a level (error, warn, info, debug, trace) or a list such as `info,udap_server=debug`.",
        hint: "unset UDAP_LOG or set it to a level",
        section: "environment: UDAP_LOG",
    },
    Explanation {
        code: "log-already-set",
        title: "logging is set up twice",
        meaning: "A process sets its log up once, at its start.",
        hint: "this is a fault in the program; please report it",
        section: "environment: UDAP_LOG",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Codes stand in the sources as literals of `code()`; none may lack its entry, none be dead.
    #[test]
    fn every_code_is_explained_once() {
        let sources = [
            include_str!("listen/error.rs"),
            include_str!("db/error.rs"),
            include_str!("config/error.rs"),
            include_str!("limits.rs"),
            include_str!("telemetry.rs"),
            include_str!("problem.rs"),
            include_str!("seal.rs"),
            include_str!("dpop.rs"),
            include_str!("listen/client_certificate.rs"),
            include_str!("files.rs"),
        ];
        let mut used = BTreeSet::new();
        for source in sources {
            let source = source.split("#[cfg(test)]").next().unwrap_or(source);
            for line in source.lines() {
                let right = line
                    .split_once("=> \"")
                    .or_else(|| line.split_once("code: \""))
                    // An arm of several variants has its code on a line of its own.
                    .or_else(|| Some(("", line.trim().strip_prefix('"')?)));
                let Some((_, right)) = right else { continue };
                let Some((code, _)) = right.split_once('"') else {
                    continue;
                };
                if code.contains('-') && !code.contains(' ') {
                    used.insert(code);
                }
            }
        }
        let explained: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.code).collect();
        assert_eq!(
            explained.len(),
            CATALOGUE.len(),
            "a code is explained twice"
        );
        assert_eq!(used, explained);
        assert!(CATALOGUE.iter().all(|entry| {
            [entry.title, entry.meaning, entry.hint, entry.section]
                .iter()
                .all(|text| !text.is_empty())
        }));
    }
}
