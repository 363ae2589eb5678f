//! What must not be found in the state directory, however one looks.

use crate::support::{Holder, assertion, encoded, form, request, statement, world, write_private};
use http::Method;
use std::sync::Arc;

#[tokio::test]
async fn no_token_and_no_assertion_is_written_down() {
    let holder = Holder::new().await;
    let app = world().a.app("https://secrets.app.example");
    let kept = statement(&app).sign();
    let id = holder.register(&kept).await.text("client_id");
    let mut secrets = vec![("a statement that was accepted", kept)];
    // One that is accepted, one that is refused late, one early, one in the wrong place.
    let good = assertion(&app, &id).sign();
    let token = holder.token(&good).await.text("access_token");
    secrets.extend([("the token", token), ("a good assertion", good.clone())]);
    assert_eq!(holder.token(&good).await.status, 400);
    let late = assertion(&app, &id).without("extensions").sign();
    assert_eq!(holder.token(&late).await.status, 400);
    secrets.push(("an assertion refused late", late));
    let early = assertion(&app, "nobody").sign();
    assert_eq!(holder.token(&early).await.status, 400);
    secrets.push(("an assertion refused early", early));
    for misplaced in ["client_assertion_type", "udap", "grant_type", "scope"] {
        let jwt = assertion(&app, &id).sign();
        let mut fields = form(&jwt);
        for field in &mut fields {
            if field.0 == misplaced {
                field.1 = &jwt;
            }
        }
        assert_eq!(holder.post_form(&fields).await.status, 400);
        secrets.push(("a misplaced assertion", jwt));
    }
    let jwt = assertion(&app, &id).sign();
    let mut fields = form(&jwt);
    fields.push(("client_secret", "a-secret-that-should-not-have-been-sent"));
    assert_eq!(holder.post_form(&fields).await.status, 400);
    secrets.push(("a client secret", fields[5].1.to_owned()));
    let refused = statement(&app).claim("scope", "system/*.rs").sign();
    assert_eq!(holder.register(&refused).await.status, 400);
    secrets.push(("a statement that was refused", refused));

    // Asking about a token, and ending it, writes down neither.
    for target in ["/fhir/oauth/introspect", "/fhir/oauth/revoke"] {
        let jwt = assertion(&app, &id).sign();
        let fields = [
            ("token", &*secrets[1].1),
            ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
            ("client_assertion", &jwt),
        ];
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let reply = holder
            .send(request(Method::POST, target, &kind, encoded(&fields)))
            .await;
        assert_eq!(reply.status, 200, "{reply}");
        secrets.push((target, jwt));
    }

    holder.server.close().await.unwrap();
    let state = holder.kept();
    let anywhere = |what: &str| {
        let found = state.iter().find(|(_, bytes)| {
            bytes
                .windows(what.len())
                .any(|window| window == what.as_bytes())
        });
        found.map(|(path, _)| path.display().to_string())
    };
    for (what, secret) in &secrets {
        // The signature is what makes it one.
        let signature = secret.rsplit('.').next().unwrap();
        let part = &signature[..signature.len().min(40)];
        assert_eq!(anywhere(part), None, "{what}");
    }
    // What was registered is, and that shows that this test can see.
    assert!(anywhere("https://secrets.app.example").is_some());
    // And the audit trail tells all of it in its own words.
    for code in [
        "jwt-replayed",
        "extension-missing",
        "client-unknown",
        "client-secret-refused",
        "token-issued",
        "token-introspected",
        "token-revoked",
        "registration-created",
    ] {
        assert!(anywhere(code).is_some(), "{code}");
    }
}

#[tokio::test]
async fn nobody_else_can_read_the_state() {
    use std::os::unix::fs::PermissionsExt as _;
    let holder = Holder::new().await;
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&holder.config.state_dir), 0o700);
    for (path, _) in holder.state() {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

/// A small request must not make a large row of every refusal.
#[tokio::test]
async fn what_a_stranger_writes_is_kept_short() {
    let holder = Holder::new().await;
    let long = format!("https://{}.example", "x".repeat(20_000));
    let rogue = world().rogue.app("https://rogue.app.example");
    let before: usize = size(&holder).await;
    for _ in 0..20 {
        let jwt = statement(&rogue)
            .claim("iss", long.clone())
            .claim("sub", "y".repeat(1000));
        assert_eq!(holder.register(&jwt.sign()).await.status, 400);
        let jwt = assertion(&rogue, &long).claim("sub", long.clone());
        assert_eq!(holder.token(&jwt.sign()).await.status, 400);
        let jwt = assertion(&rogue, "x").sign();
        let mut fields = form(&jwt);
        fields.push(("client_id", &long));
        assert_eq!(holder.post_form(&fields).await.status, 400);
    }
    let grown = size(&holder).await - before;
    assert!(grown < 60 * 4096, "{grown} bytes for 60 refusals");
}

async fn size(holder: &Holder) -> usize {
    holder.server.audit().flush().await.unwrap();
    let query =
        "SELECT COALESCE(SUM(LENGTH(more) + LENGTH(COALESCE(client_id, ''))), 0) FROM audit";
    let size: i64 = udap_host::db::sqlx::query_scalar(query)
        .fetch_one(&mut holder.database().await)
        .await
        .unwrap();
    usize::try_from(size).unwrap()
}

#[tokio::test]
async fn the_key_of_access_tokens_is_sealed_once_there_is_a_key_to_seal_it_with() {
    let holder = Holder::new().await;
    if holder.config.database.is_some() {
        // There it is sealed from the start: see `nodes`.
        return;
    }
    let jwks = holder.get("/fhir/oauth/jwks").await.json();
    let file = holder.config.state_dir.join("access-token.key");
    let text = std::fs::read(&file).unwrap();
    let clear = udap_pki::pem::private_key_pkcs8(&text).unwrap();
    // Its beginning, with the private number, and that as text.
    let clear = [&clear[..68], &text[30..90]];
    let lies_about = |holder: &Holder| {
        let state = holder.state();
        let mut files = state.iter();
        files.any(|(_, bytes)| {
            clear
                .iter()
                .any(|part| bytes.windows(part.len()).any(|window| window == *part))
        })
    };
    assert!(lies_about(&holder), "or this test cannot see");

    let sealing = holder.directory().join("secrets.key");
    write_private(&sealing, b"HxwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEAAQI=");
    let mut holder = holder
        .restarted_with(|config| config.secrets_key_file = Some(sealing.clone()))
        .await;
    let now = holder.get("/fhir/oauth/jwks").await.json();
    assert_eq!(now, jwks, "tokens go on counting");
    assert!(!file.exists() && !lies_about(&holder));

    // And it is not lost with the line of the configuration.
    Arc::make_mut(&mut holder.config).secrets_key_file = None;
    let refused = holder.killed_and_not_started_again().await;
    assert_eq!(refused, "secrets-key-missing");
}
