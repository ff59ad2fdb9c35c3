//! What is kept for the next run: manifests by digest, and pages of lists of tags where their server can be asked about them.
//!
//! A manifest is kept under the digest alone, whoever gave it and with whatever credentials: its file names neither registry nor repository, and
//! what it holds is digests, sizes and platforms. A list of tags is kept only of a repository that answers everyone alike.

use serde::{Deserialize, Serialize};
use tracebloc_core::image::{Digest, Repository};
use tracebloc_core::manifest::Manifest;

use super::{Registry, digest_of};
use crate::cache::{Kept, Kind, Validators};
use crate::http::SafeUrl;

/// What stands before the bytes of a manifest, on a line of its own.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Label {
    /// The type under which it was served: the digest does not cover it.
    media_type: Option<String>,
}

/// A page of a list of tags, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptPage {
    /// Its tags, as the registry wrote them.
    pub(super) tags: Vec<String>,
    /// Where the next page is; none after the last.
    pub(super) next: Option<String>,
}

impl Registry {
    /// The manifest of a digest, where the cache has it whole.
    pub(super) fn kept_manifest(&self, digest: &Digest) -> Option<Manifest> {
        let mut bytes = self
            .cache
            .as_ref()?
            .read(Kind::Manifest, &digest.to_string())?;
        let line_end = bytes.iter().position(|byte| *byte == b'\n')?;
        let body = bytes.split_off(line_end + 1);
        let label: Label = serde_json::from_slice(&bytes).ok()?;
        // A damaged file is none: it is fetched again and written anew.
        if digest_of(digest.algorithm(), &body) != *digest {
            return None;
        }
        let manifest = Manifest::parse(label.media_type.as_deref(), &body).ok()?;
        self.remember_manifest(digest, &manifest);
        Some(manifest)
    }

    /// Keeps a manifest whose digest was checked.
    pub(super) fn keep_manifest(&self, digest: &Digest, media_type: Option<&str>, body: &[u8]) {
        let Some(cache) = &self.cache else { return };
        let label = Label {
            media_type: media_type.map(str::to_owned),
        };
        if let Ok(mut bytes) = serde_json::to_vec(&label) {
            bytes.push(b'\n');
            bytes.extend_from_slice(body);
            cache.keep(Kind::Manifest, &digest.to_string(), &bytes);
        }
    }

    /// A page of a list of tags as it was, with what to ask with whether it still is.
    pub(super) fn kept_page(&self, url: &SafeUrl) -> Option<(Validators, KeptPage)> {
        let kept = self
            .cache
            .as_ref()?
            .copy(Kind::Tags, url.as_url().as_str())?;
        let page = serde_json::from_slice(&kept.body).ok()?;
        Some((kept.validators, page))
    }

    /// Keeps a page of a list of tags.
    pub(super) fn keep_page(
        &self,
        repository: &Repository,
        url: &SafeUrl,
        validators: Validators,
        page: &KeptPage,
    ) {
        if let (Some(cache), true) = (&self.cache, self.is_anonymous(repository))
            && let Ok(body) = serde_json::to_vec(page)
        {
            let kept = Kept {
                validators,
                charts: None,
                body,
            };
            cache.keep_copy(Kind::Tags, url.as_url().as_str(), kept);
        }
    }
}
