//! The certificates that this data holder lives by, and how long each still holds.

use super::Admin;
use super::access::{Person, Program};
use super::certificate::Shown;
use super::communities::CommunityList;
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use std::path::{Path, PathBuf};
use udap_host::config::Config;
use udap_pki::{Certificate, UnixTime, pem};
use udap_trust::clock;

/// A certificate and what it is for.
#[derive(Debug, Serialize)]
pub(super) struct CertificateRow {
    /// `identity`, `anchor`, `certifier anchor`, `TLS` or `TLS of this page`.
    pub(super) used_for: &'static str,
    pub(super) community: Option<String>,
    #[serde(flatten)]
    pub(super) certificate: Shown,
}

#[derive(Debug, Serialize)]
pub(super) struct CertificateList {
    /// Those that end first come first.
    pub(super) certificates: Vec<CertificateRow>,
    /// Files that hold none although they should.
    pub(super) unreadable: Vec<String>,
}

/// The TLS certificates that a server shows, by what for.
pub(crate) fn tls_files(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let admin = config.admin.as_ref().and_then(|admin| admin.tls.as_ref());
    [(TLS, config.tls.as_ref()), (ADMIN_TLS, admin)]
        .into_iter()
        .filter_map(|(name, files)| Some((name, files?.cert.clone())))
        .collect()
}

/// The first certificate of a file as it is now: a listener takes a new one within moments.
pub(crate) fn leaf(path: &Path) -> Option<Certificate> {
    let bytes = std::fs::read(path).ok()?;
    pem::certificates(&bytes).ok()?.into_iter().next()
}

/// Where partners come in.
const TLS: &str = "TLS";
/// Where operators do.
pub(crate) const ADMIN_TLS: &str = "TLS of this page";

pub(super) fn list(
    communities: CommunityList,
    tls: &[(&'static str, PathBuf)],
    now: UnixTime,
) -> CertificateList {
    let mut certificates = Vec::new();
    let mut unreadable = Vec::new();
    for (used_for, path) in tls {
        match leaf(path) {
            Some(leaf) => certificates.push(CertificateRow {
                used_for,
                community: None,
                certificate: Shown::new(&leaf, now),
            }),
            None => unreadable.push(format!("{used_for}: {}", path.display())),
        }
    }
    for community in communities.communities {
        let uri = community.uri;
        let identity = community
            .identities
            .into_iter()
            .map(|one| ("identity", one));
        let anchors = community.anchors.into_iter().map(|one| ("anchor", one));
        let certifiers = community.certifier_anchors.into_iter();
        let certifiers = certifiers.map(|one| ("certifier anchor", one));
        for (used_for, certificate) in identity.chain(anchors).chain(certifiers) {
            certificates.push(CertificateRow {
                used_for,
                community: Some(uri.clone()),
                certificate,
            });
        }
    }
    certificates.sort_by_key(|row| row.certificate.not_after.at);
    CertificateList {
        certificates,
        unreadable,
    }
}

/// Of a running server.
pub(super) fn of_server(admin: &Admin, now: UnixTime) -> CertificateList {
    let communities = super::communities::of_server(&admin.server, now);
    list(communities, &admin.tls, now)
}

/// Certificates as JSON.
pub(super) async fn api(State(admin): State<Admin>, _: Program) -> Response {
    page::api(Ok::<_, AdminError>(of_server(&admin, clock::now())))
}

#[derive(Template)]
#[template(path = "certificates.html")]
struct CertificatesPage {
    frame: Frame,
    list: CertificateList,
}

/// Certificates as a page.
pub(super) async fn page(State(admin): State<Admin>, person: Person) -> Result<Response, Rejected> {
    let page = CertificatesPage {
        frame: Frame::new(&admin, &person, "/certificates"),
        list: of_server(&admin, clock::now()),
    };
    Ok(page::html(StatusCode::OK, &page))
}
