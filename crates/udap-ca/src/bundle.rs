//! What the community publishes about itself: signed here with a sequence that rises by itself, and
//! handed out at `GET /bundle`.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use udap_pki::{Certificate, UnixTime};
use udap_proto::{
    Refusal as _,
    bundle::{self, Bundle, MAX_LIFETIME_SECS, Pinned},
    jws::JwsAlg,
};
use udap_trust::{
    random,
    signer::{KeySigner, Signer as _, sign_jws},
};

use crate::{Ca, CaError, Hierarchy, publication::Publication, store};

/// The path of the bundle, behind the base URL.
pub(crate) const PATH: &str = "/bundle";

/// A bundle to be signed.
#[derive(Debug)]
pub struct BundleOptions<'a> {
    /// The description. `uri` is the community's, and `anchors` and `intermediates` are this CA's, where
    /// it does not say otherwise.
    pub description: Map<String, Value>,
    /// Who signs: the certificate for the community's URI, with its issuers.
    pub chain: &'a [Certificate],
    /// Its key.
    pub signer: &'a KeySigner,
    /// How long it holds, in seconds.
    pub lifetime_secs: i64,
}

/// A bundle that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedBundle {
    /// Rises with each.
    pub sequence: i64,
    /// As members get it.
    pub compact: String,
    /// When it was signed.
    pub signed_at: UnixTime,
    /// Until when it holds.
    pub expires: UnixTime,
}

impl Ca {
    /// Signs a bundle with the next sequence and publishes it. It is kept before anybody gets it, so that
    /// no sequence is ever used twice.
    ///
    /// # Errors
    /// [`CaError::Setting`] for a CA without a community, and for a lifetime or description that no member
    /// would take; [`CaError::Sign`].
    pub async fn publish_bundle(
        &self,
        options: BundleOptions<'_>,
    ) -> Result<PublishedBundle, CaError> {
        let Hierarchy::Community { uri, .. } = self.hierarchy() else {
            return Err(setting("community", "", "this CA has none"));
        };
        let lifetime = options.lifetime_secs;
        if !(1..=MAX_LIFETIME_SECS).contains(&lifetime) {
            let lifetime = lifetime.to_string();
            return Err(setting(
                "bundle lifetime",
                &lifetime,
                "it must be 1 to 90 days",
            ));
        }
        let mut description = options.description;
        let mut usual = |key: &str, value: Value| {
            description.entry(key).or_insert(value);
        };
        usual("uri", uri.as_str().into());
        usual("anchors", Value::from(vec![self.root.certificate.to_pem()]));
        let issuing = self
            .issuing
            .iter()
            .map(|issuing| issuing.certificate.to_pem());
        usual("intermediates", issuing.collect::<Vec<_>>().into());

        let now = self.now();
        let mut write = self.store.write().await?;
        let last = store::bundle_for_update(&mut write).await?;
        let sequence = last.map_or(1, |last| last.sequence + 1);
        let jti = random::id();
        let bundle = Bundle {
            community: &uri,
            sequence: u64::try_from(sequence).map_err(store::damaged)?,
            iat: now,
            exp: now.plus_secs(lifetime),
            jti: &jti,
            description: &description,
        };
        let alg = options.signer.jws_alg();
        let unsigned = bundle.unsigned(alg, options.chain);
        let compact = sign_jws(options.signer, alg, unsigned).await;
        let compact = compact.map_err(|e| sign(e.to_string()))?;
        // As a member will read it: what nobody would take is not published.
        read(&compact, options.signer, &uri, now)?;
        let published = PublishedBundle {
            sequence,
            compact,
            signed_at: now,
            expires: now.plus_secs(lifetime),
        };
        store::put_bundle(&mut write, &published).await?;
        store::raise_epoch(&mut write).await?;
        store::commit(write).await?;
        self.reload().await?;
        Ok(published)
    }
}

fn read(compact: &str, signer: &KeySigner, uri: &str, now: UnixTime) -> Result<(), CaError> {
    let signed = bundle::verify_signature(compact, &JwsAlg::SSRAA);
    let signed = signed.map_err(|e| sign(e.to_string()))?;
    if signed.signer().leaf().uri_names() != [uri] {
        let names = signed.signer().leaf().uri_names().join(", ");
        return Err(setting(
            "signer of the bundle",
            &names,
            "its certificate must have the community's URI as its only URI name",
        ));
    }
    let verified = signed.verify(Pinned::Key(signer.public_key().sha256()), uri, now);
    verified.map(|_| ()).map_err(|error| CaError::Bundle {
        code: error.code(),
        detail: error.to_string(),
    })
}

fn setting(what: &'static str, value: &str, problem: &'static str) -> CaError {
    CaError::Setting {
        what,
        value: value.to_owned(),
        problem,
    }
}

fn sign(detail: String) -> CaError {
    CaError::Sign {
        role: "bundle",
        detail,
    }
}

/// The last bundle; 404 while there is none.
pub(crate) async fn get(State(ca): State<Arc<Ca>>, headers: HeaderMap) -> Response {
    let published = ca.published.load();
    let Some(bundle) = published.bundle() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let publication = Publication {
        body: Bytes::copy_from_slice(bundle.compact.as_bytes()),
        content_type: "application/jwt",
        tag: format!("{}", bundle.sequence),
        modified: bundle.signed_at,
        // Members ask by the hour.
        max_age: 300,
        now: ca.now(),
    };
    publication.answer(&headers)
}
