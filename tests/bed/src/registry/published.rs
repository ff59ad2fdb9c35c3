//! What a registry holds after an image was published, by digests.

use std::collections::BTreeMap;

use crate::image::{BuiltImage, Platform};

/// What a tag points to after an image was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The digest of the index, or of the only manifest of an image without one: what a `HEAD` of the tag answers.
    pub digest: String,
    /// The digests of the manifest of each platform.
    pub children: BTreeMap<Platform, ChildDigests>,
    /// The digests of the manifests of platform `unknown/unknown`.
    pub attestations: Vec<String>,
}

/// The digests by which one platform of an image may be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildDigests {
    /// The manifest's.
    pub manifest: String,
    /// The image configuration's.
    pub config: String,
}

impl From<&BuiltImage> for Published {
    fn from(image: &BuiltImage) -> Self {
        let children = image.children.iter().map(|child| {
            let digests = ChildDigests {
                manifest: child.manifest.blob.digest.clone(),
                config: child.config_digest.clone(),
            };
            (child.platform.clone(), digests)
        });
        Self {
            digest: image.root.blob.digest.clone(),
            children: children.collect(),
            attestations: image
                .attestations
                .iter()
                .map(|manifest| manifest.blob.digest.clone())
                .collect(),
        }
    }
}
