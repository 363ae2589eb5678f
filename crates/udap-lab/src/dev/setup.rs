//! What a sandbox consists of, made if it is missing and renewed if it is over.
//!
//! Every file is written whole under another name and renamed, and every piece is looked at before it
//! is used: so a second run reuses what serves, and a run that was killed is completed by the next.

use std::{fs, path::Path};

use udap_ca::{Ca, CaError, CaKeyType, Clock, Hierarchy, InitOptions};
use udap_host::db::DbError;
use udap_pki::{UnixTime, issue::Profile};
use udap_trust::keys::KeyType;

use super::{
    error::DevError,
    files::{self, Readers},
    layout::{Community, Layout},
    manifest,
    member::{State, Wanted},
    smart,
};

/// Makes or renews everything. `upstream` is the FHIR server behind the gateway.
pub(crate) async fn setup(layout: &Layout, upstream: &str, clock: &Clock) -> Result<(), DevError> {
    let now = clock();
    let (tls, one, two, rogue) = tokio::try_join!(
        tls_servers(layout, clock, now),
        community(layout, Community::One, clock, now),
        community(layout, Community::Two, clock, now),
        rogue(layout, clock, now),
    )?;
    smart::make(layout)?;
    let data_holder = manifest::data_holder_config(layout, upstream);
    files::write(
        &layout.data_holder_config(),
        data_holder.as_bytes(),
        Readers::Everybody,
    )?;
    let phisher = manifest::phisher_config(layout);
    files::write(
        &layout.phisher_config(),
        phisher.as_bytes(),
        Readers::Everybody,
    )?;
    // Last: whoever finds it finds everything it names.
    let manifest = manifest::sandbox_json(layout, &[&one, &two]);
    files::write(
        &layout.path("sandbox.json"),
        manifest.as_bytes(),
        Readers::Everybody,
    )?;
    for ca in [tls, one, two, rogue] {
        ca.close().await;
    }
    Ok(())
}

/// The root of the sandbox's TLS certificates, apart from every community, and what it certifies.
async fn tls_servers(layout: &Layout, clock: &Clock, now: UnixTime) -> Result<Ca, DevError> {
    let ca = authority(
        &layout.path("tls/ca"),
        "the TLS root",
        options(
            Hierarchy::TlsServers,
            "Sandbox TLS",
            CaKeyType::EcdsaP256,
            clock,
            now,
        ),
    )
    .await?;
    for name in ["data-holder", "phisher", "ca-1"] {
        let (cert, key) = (format!("tls/{name}.pem"), format!("tls/{name}.key"));
        let wanted = Wanted::tls(layout.path(&cert), layout.path(&key), "localhost");
        wanted.ensure(&ca, now).await?;
    }
    let root = ca.root_certificate().to_pem();
    files::write(&layout.tls_root(), root.as_bytes(), Readers::Everybody)?;
    Ok(ca)
}

/// A community's CA, the data holder's certificate in it, and its apps.
async fn community(
    layout: &Layout,
    community: Community,
    clock: &Clock,
    now: UnixTime,
) -> Result<Ca, DevError> {
    let number = community.number();
    let hierarchy = Hierarchy::Community {
        uri: community.uri().to_owned(),
        base_url: layout.ca_url(community),
    };
    // One of each, so that both kinds of chain are in use.
    let key_type = match community {
        Community::One => CaKeyType::EcdsaP256,
        Community::Two => CaKeyType::Rsa2048,
    };
    let name = format!("Sandbox community {number}");
    let what = format!("the certificate authority of community {number}");
    let ca = authority(
        &layout.ca_dir(community),
        &what,
        options(hierarchy, &name, key_type, clock, now),
    )
    .await?;
    let anchor = ca.root_certificate().to_pem();
    files::write(
        &layout.anchor(community),
        anchor.as_bytes(),
        Readers::Everybody,
    )?;
    let issuing = ca.issuing_certificate().to_pem();
    files::write(
        &layout.issuing_ca(community),
        issuing.as_bytes(),
        Readers::Everybody,
    )?;

    let identity = (
        layout.path(&format!("data-holder/community-{number}.pem")),
        layout.path(&format!("data-holder/community-{number}.key")),
    );
    let base_url = layout.data_holder_url();
    Wanted::member(
        Profile::DataHolder,
        identity,
        "Sandbox data holder",
        base_url,
        KeyType::Rsa2048,
    )
    .ensure(&ca, now)
    .await?;
    if community == Community::One {
        auditor(layout).ensure(&ca, now).await?;
    }
    for app in apps(layout)
        .into_iter()
        .filter(|app| app.community == community)
    {
        app.wanted.ensure(&ca, now).await?;
    }
    Ok(ca)
}

/// Who audits apps and keeps what they agreed to: a member of community 1 whom the data holder names.
pub(crate) fn auditor(layout: &Layout) -> Wanted {
    let files = (
        layout.path("auditor/auditor.pem"),
        layout.path("auditor/auditor.key"),
    );
    Wanted::member(
        Profile::App,
        files,
        "Sandbox auditor",
        AUDITOR,
        KeyType::P256,
    )
}

/// The auditor's URI.
pub(crate) const AUDITOR: &str = "https://localhost/auditor";

/// An app of the sandbox.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) name: &'static str,
    /// What it says it is called. Only for `wrong-san` does its certificate say something else.
    pub(crate) uri: String,
    pub(crate) community: Community,
    pub(crate) wanted: Wanted,
    pub(crate) listed: Listed,
}

/// Whether an app is for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// In `sandbox.json`.
    ForEverybody,
    /// Only the main job needs it.
    ForTheJob,
}

/// Every app that one of the communities certifies.
pub(crate) fn apps(layout: &Layout) -> Vec<App> {
    let app = |name: &'static str, community, uri: String, san: String, key_type, state| App {
        name,
        uri,
        community,
        wanted: Wanted::member(Profile::App, layout.app(name), name, san, key_type).in_state(state),
        listed: Listed::ForEverybody,
    };
    let simple = |name: &'static str, key_type, state| {
        let uri = Layout::app_uri(name);
        app(name, Community::One, uri.clone(), uri, key_type, state)
    };
    let good = Layout::app_uri("good");
    let wrong = Layout::app_uri("wrong-san");
    // A slash too many: two URIs to everybody who compares them, one to most people who read them.
    let wrong_san = format!("{wrong}/");
    let revoked = Layout::app_uri("revoked");
    let tour = Layout::app_uri(TOUR);
    let for_the_job = |app: App| App {
        listed: Listed::ForTheJob,
        ..app
    };
    vec![
        simple("good", KeyType::Rsa2048, State::Good),
        simple("good-ec", KeyType::P256, State::Good),
        simple("revoked", KeyType::P256, State::Revoked),
        simple("expired", KeyType::P256, State::Expired),
        app(
            "wrong-san",
            Community::One,
            wrong,
            wrong_san,
            KeyType::P256,
            State::Good,
        ),
        app(
            "other-community",
            Community::Two,
            good.clone(),
            good,
            KeyType::Rsa2048,
            State::Good,
        ),
        // The certificate by which `revoked` is registered, and which replaced the revoked one.
        for_the_job(app(
            REPLACEMENT,
            Community::One,
            revoked.clone(),
            revoked,
            KeyType::P256,
            State::Good,
        )),
        for_the_job(simple(TOUR, KeyType::Rsa2048, State::Good)),
        for_the_job(app(
            NAMESAKE,
            Community::Two,
            tour.clone(),
            tour,
            KeyType::Rsa2048,
            State::Good,
        )),
    ]
}

/// The app that does the main job. The listed ones are whoever plays with the sandbox: what is registered,
/// suspended or cancelled of them there is not the job's to change, and the job does not rest on it.
pub(crate) const TOUR: &str = "tour";

/// The app of the second community that has the URI of [`TOUR`].
pub(crate) const NAMESAKE: &str = "tour-other-community";

/// The app of the main job that has the URI of `revoked` and a certificate that is good.
pub(crate) const REPLACEMENT: &str = "revoked-replacement";

/// A CA that nobody trusts, and whom it certifies: the look-alike data holder and the outsider's app.
async fn rogue(layout: &Layout, clock: &Clock, now: UnixTime) -> Result<Ca, DevError> {
    let hierarchy = Hierarchy::Community {
        // It claims to be the real one.
        uri: Community::One.uri().to_owned(),
        base_url: layout.ca_url(Community::One),
    };
    let ca = authority(
        &layout.path("phisher/ca"),
        "the phisher's certificate authority",
        options(
            hierarchy,
            "Sandbox look-alike",
            CaKeyType::EcdsaP256,
            clock,
            now,
        ),
    )
    .await?;
    let anchor = ca.root_certificate().to_pem();
    files::write(
        &layout.path("phisher/anchor.pem"),
        anchor.as_bytes(),
        Readers::Everybody,
    )?;
    let identity = (
        layout.path("phisher/identity.pem"),
        layout.path("phisher/identity.key"),
    );
    let url = layout.phisher_url();
    Wanted::member(
        Profile::DataHolder,
        identity,
        "Sandbox data holder",
        url,
        KeyType::Rsa2048,
    )
    .ensure(&ca, now)
    .await?;
    let uri = Layout::app_uri(OUTSIDER);
    Wanted::member(
        Profile::App,
        layout.app(OUTSIDER),
        OUTSIDER,
        uri,
        KeyType::P256,
    )
    .ensure(&ca, now)
    .await?;
    Ok(ca)
}

/// The app that no community certified.
pub(crate) const OUTSIDER: &str = "outsider";

fn options(
    hierarchy: Hierarchy,
    name: &str,
    key_type: CaKeyType,
    clock: &Clock,
    now: UnixTime,
) -> InitOptions {
    InitOptions {
        key_type,
        name: name.to_owned(),
        // Before the certificate that is over already: none can begin before its issuer.
        not_before: Some(now.plus_secs(-60 * DAY)),
        clock: clock.clone(),
        ..InitOptions::new(hierarchy)
    }
}

/// The CA in this directory; a new one if there is none, if it was made for other ports, if it is
/// damaged, or if it is about to end. What an earlier one certified is then certified anew.
async fn authority(dir: &Path, what: &str, options: InitOptions) -> Result<Ca, DevError> {
    let failed = |error: CaError| DevError::Ca {
        authority: what.to_owned(),
        error,
    };
    if let Some(parent) = dir.parent() {
        files::make_dir(parent)?;
    }
    let now = (options.clock)();
    match Ca::init(dir, options.clone()).await {
        Ok(ca) if now.plus_secs(CA_RENEW_BEFORE) < ca.issuing_certificate().not_after() => {
            return Ok(ca);
        }
        Ok(ca) => ca.close().await,
        Err(error) if is_beyond_repair(&error) => {
            tracing::warn!(code = error.code(), %error, "{what} is made anew");
        }
        Err(error) => return Err(failed(error)),
    }
    fs::remove_dir_all(dir).map_err(|error| DevError::io(dir, "removed", &error))?;
    Ca::init(dir, options).await.map_err(failed)
}

/// Whether what is in the directory will never be a CA again, or not the one that is wanted. A full
/// disk or a directory that cannot be written is no reason to throw anything away.
const fn is_beyond_repair(error: &CaError) -> bool {
    matches!(
        error,
        CaError::AlreadyInitialised { .. }
            | CaError::Key { .. }
            | CaError::Certificate(_)
            | CaError::NotInitialised { .. }
            | CaError::Damaged { .. }
            | CaError::Database(
                DbError::NotADatabase { .. }
                    | DbError::Damaged { .. }
                    | DbError::SchemaForeign { .. }
                    | DbError::Migration { .. }
            )
    )
}

const CA_RENEW_BEFORE: i64 = 60 * DAY;
const DAY: i64 = 86_400;
