use udap_host::db::Migration;

/// Times are seconds since 1970, serial numbers lower-case hexadecimal without leading zeros.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "certificate authority",
        sql: "
        -- What the CA was made with; one row, there once `init` is complete.
        CREATE TABLE ca (
            id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
            community TEXT,
            base_url TEXT,
            key_type TEXT NOT NULL,
            crl_seconds BIGINT NOT NULL,
            created_at BIGINT NOT NULL
        );
        -- The certificates the CA signs with.
        CREATE TABLE authority (
            role TEXT NOT NULL PRIMARY KEY,
            certificate BLOB NOT NULL
        );
        CREATE TABLE certificate (
            serial TEXT NOT NULL PRIMARY KEY,
            issuer TEXT NOT NULL,
            profile TEXT NOT NULL,
            subject TEXT NOT NULL,
            names TEXT NOT NULL,
            not_before BIGINT NOT NULL,
            not_after BIGINT NOT NULL,
            issued_at BIGINT NOT NULL,
            der BLOB NOT NULL,
            revoked_at BIGINT,
            reason TEXT
        );
        CREATE INDEX certificate_issued ON certificate (issued_at);
        CREATE INDEX certificate_revoked ON certificate (issuer, revoked_at);
        -- The newest CRL of each authority.
        CREATE TABLE crl (
            issuer TEXT NOT NULL PRIMARY KEY,
            number BIGINT NOT NULL,
            this_update BIGINT NOT NULL,
            next_update BIGINT NOT NULL,
            der BLOB NOT NULL
        );
        -- Grows with every change of what is published; a serving process polls it.
        CREATE TABLE epoch (
            id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
            value BIGINT NOT NULL
        );
        INSERT INTO epoch (id, value) VALUES (1, 1);
    ",
    },
    Migration {
        version: 2,
        name: "certifications",
        sql: "
        CREATE TABLE certification (
            jti TEXT NOT NULL PRIMARY KEY,
            expires BIGINT NOT NULL,
            app TEXT NOT NULL,
            name TEXT NOT NULL,
            kept_at BIGINT NOT NULL,
            withdrawn_at BIGINT
        );
    ",
    },
    Migration {
        version: 3,
        name: "the community's bundle",
        sql: "
        CREATE TABLE bundle (
            id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
            sequence BIGINT NOT NULL,
            compact TEXT NOT NULL,
            signed_at BIGINT NOT NULL,
            expires BIGINT NOT NULL
        );
    ",
    },
];
