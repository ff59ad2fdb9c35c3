//! Small real images made without a container engine: layers, configurations, manifests and indexes as bytes.
//!
//! Everything is deterministic: an image with the same content, platforms and format has the same digests on every run,
//! so a test can tell "the tag moved" from "the tag was pushed again".

mod archive;
mod manifest;

use std::collections::BTreeMap;
use std::fmt;

use hyper::body::Bytes;
use sha2::{Digest as _, Sha256};

pub use archive::Layer;
pub(crate) use archive::gzip_tar;
pub(crate) use manifest::descriptor;

use crate::payload::{Payload, PayloadError};

/// Bytes that a registry stores under their digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:` and the hexadecimal SHA-256 of the bytes.
    pub digest: String,
    /// The bytes themselves.
    pub bytes: Bytes,
}

impl Blob {
    /// Takes bytes and computes their digest.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: format!("sha256:{}", sha256_hex(&bytes)),
            bytes,
        }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({} bytes)", self.digest, self.bytes.len())
    }
}

/// A manifest or an index, with the media type under which it is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The value of `Content-Type` when pushed and pulled.
    pub media_type: &'static str,
    /// The document.
    pub blob: Blob,
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// As Go names it, `linux` here.
    pub os: String,
    /// As Go names it: `amd64`, `arm64`.
    pub architecture: String,
}

impl Platform {
    /// Returns Linux on an architecture.
    pub fn linux(architecture: &str) -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)
    }
}

/// Which family of media types an image uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The OCI image specification 1.1.
    #[default]
    Oci,
    /// Docker's schema 2 and its manifest list.
    Docker,
}

/// The recipe of an image.
///
/// By default: OCI, one index over `linux/amd64` and `linux/arm64`, no attestations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    content: String,
    platforms: Vec<Platform>,
    format: Format,
    single: bool,
    attestations: bool,
    listens: bool,
    arguments: Vec<String>,
    index_annotations: BTreeMap<String, String>,
}

impl Image {
    /// Starts a recipe. `content` is what the running program prints, and what makes the digests differ.
    pub fn new(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            platforms: crate::payload::ARCHITECTURES
                .iter()
                .map(|architecture| Platform::linux(architecture))
                .collect(),
            format: Format::Oci,
            single: false,
            attestations: false,
            listens: true,
            arguments: Vec::new(),
            index_annotations: BTreeMap::new(),
        }
    }

    /// Names the platforms of the index, in the order in which it lists them.
    #[must_use]
    pub fn platforms(mut self, platforms: impl IntoIterator<Item = Platform>) -> Self {
        self.platforms = platforms.into_iter().collect();
        self
    }

    /// Uses Docker's media types in place of OCI's.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.format = Format::Docker;
        self
    }

    /// Leaves the index out: the tag names the manifest of the one `platform`.
    #[must_use]
    pub fn single(mut self, platform: Platform) -> Self {
        self.platforms = vec![platform];
        self.single = true;
        self
    }

    /// Adds a child of platform `unknown/unknown` for each platform, as build tools do for provenance.
    #[must_use]
    pub fn attestations(mut self) -> Self {
        self.attestations = true;
        self
    }

    /// Annotates the index only: its digest changes while all children stay the same.
    #[must_use]
    pub fn index_annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.index_annotations.insert(key.into(), value.into());
        self
    }

    /// Steers the pods on fake nodes that run it, by an annotation of `tests/bed/stages/pod.yaml` such as `crash`. The index carries it.
    #[must_use]
    pub fn steering(self, name: &str, value: &str) -> Self {
        self.index_annotation(format!("{}{name}", crate::kwok::ANNOTATION_PREFIX), value)
    }

    /// Makes the program open no port, as a sandbox (pause) image must not: otherwise it listens on 8080.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.listens = false;
        self
    }

    /// Makes the program fail after so long, such as `3s`, wherever it really runs.
    #[must_use]
    pub fn crashing_after(mut self, time: &str) -> Self {
        self.arguments = vec!["crash".to_owned(), time.to_owned()];
        self
    }

    /// Makes the bytes of the image out of the test bed's payload.
    pub fn build(&self, payload: &Payload) -> Result<BuiltImage, PayloadError> {
        manifest::build(self, payload)
    }
}

/// The manifest of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// What it runs on.
    pub platform: Platform,
    /// The manifest.
    pub manifest: Manifest,
    /// The digest of the image configuration, which some runtimes report as the image's identity.
    pub config_digest: String,
}

/// An image as bytes, ready to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// What a tag points to: the index, or the only manifest of an image without one.
    pub root: Manifest,
    /// The manifests of the platforms, in the order of the index.
    pub children: Vec<Child>,
    /// The manifests of platform `unknown/unknown`.
    pub attestations: Vec<Manifest>,
    /// Layers and configurations, each once.
    pub blobs: Vec<Blob>,
}

/// Returns the SHA-256 of bytes in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> Payload {
        Payload::from_programs(
            ["amd64", "arm64"]
                .map(|architecture| (architecture.to_owned(), architecture.as_bytes().to_vec())),
        )
    }

    fn build(image: &Image) -> BuiltImage {
        image
            .build(&payload())
            .expect("both architectures have a program")
    }

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        let blob = Blob::new(Bytes::new());
        assert_eq!(
            blob.digest,
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn the_same_content_has_the_same_digests() {
        assert_eq!(build(&Image::new("one")), build(&Image::new("one")));
    }

    #[test]
    fn other_content_changes_the_index_and_each_child() {
        let one = build(&Image::new("one"));
        let two = build(&Image::new("two"));
        assert_ne!(one.root.blob.digest, two.root.blob.digest);
        for (before, after) in one.children.iter().zip(&two.children) {
            assert_ne!(before.manifest.blob.digest, after.manifest.blob.digest);
            assert_ne!(before.config_digest, after.config_digest);
        }
    }

    #[test]
    fn the_index_lists_its_children_by_digest_size_and_platform() {
        let image = build(&Image::new("one"));
        let index: serde_json::Value =
            serde_json::from_slice(&image.root.blob.bytes).expect("an index is JSON");
        assert_eq!(
            index["mediaType"],
            "application/vnd.oci.image.index.v1+json"
        );
        let listed = index["manifests"].as_array().expect("a list");
        assert_eq!(listed.len(), 2);
        for (entry, child) in listed.iter().zip(&image.children) {
            assert_eq!(entry["digest"], child.manifest.blob.digest.as_str());
            assert_eq!(entry["size"], child.manifest.blob.bytes.len());
            assert_eq!(
                entry["platform"]["architecture"],
                child.platform.architecture.as_str()
            );
        }
    }

    #[test]
    fn more_platforms_attestations_or_annotations_leave_the_children_alone() {
        let small = build(&Image::new("one").platforms([Platform::linux("amd64")]));
        let recipes = [
            Image::new("one"),
            Image::new("one").attestations(),
            Image::new("one").index_annotation("org.example.build", "2"),
        ];
        for recipe in recipes {
            let larger = build(&recipe);
            assert_ne!(
                small.root.blob.digest, larger.root.blob.digest,
                "{recipe:?}"
            );
            assert_eq!(small.children[0], larger.children[0], "{recipe:?}");
        }
    }

    #[test]
    fn attestations_are_children_of_an_unknown_platform() {
        let image = build(&Image::new("one").attestations());
        let index: serde_json::Value =
            serde_json::from_slice(&image.root.blob.bytes).expect("an index is JSON");
        let last = &index["manifests"][3];
        assert_eq!(last["platform"]["os"], "unknown");
        assert_eq!(last["platform"]["architecture"], "unknown");
        assert_eq!(
            last["annotations"]["vnd.docker.reference.digest"],
            image.children[1].manifest.blob.digest.as_str()
        );
        assert_eq!(last["digest"], image.attestations[1].blob.digest.as_str());
    }

    #[test]
    fn docker_images_use_dockers_media_types_throughout() {
        let image = build(&Image::new("one").docker());
        assert_eq!(
            image.root.media_type,
            "application/vnd.docker.distribution.manifest.list.v2+json"
        );
        let child: serde_json::Value =
            serde_json::from_slice(&image.children[0].manifest.blob.bytes)
                .expect("a manifest is JSON");
        assert_eq!(
            child["mediaType"],
            "application/vnd.docker.distribution.manifest.v2+json"
        );
        assert_eq!(
            child["config"]["mediaType"],
            "application/vnd.docker.container.image.v1+json"
        );
        assert_eq!(
            child["layers"][0]["mediaType"],
            "application/vnd.docker.image.rootfs.diff.tar.gzip"
        );
        assert_eq!(
            child["config"]["digest"],
            image.children[0].config_digest.as_str()
        );
    }

    #[test]
    fn an_image_without_an_index_is_its_only_manifest() {
        let image = build(&Image::new("one").single(Platform::linux("arm64")));
        assert_eq!(image.children.len(), 1);
        assert_eq!(image.root, image.children[0].manifest);
    }

    #[test]
    fn every_digest_that_a_manifest_names_is_among_the_blobs() {
        let image = build(&Image::new("one").attestations());
        let manifests = image
            .children
            .iter()
            .map(|child| &child.manifest)
            .chain(&image.attestations);
        for manifest in manifests {
            let document: serde_json::Value =
                serde_json::from_slice(&manifest.blob.bytes).expect("a manifest is JSON");
            let layers = document["layers"].as_array().expect("layers are a list");
            for named in layers.iter().chain([&document["config"]]) {
                let held = image
                    .blobs
                    .iter()
                    .any(|blob| named["digest"] == blob.digest.as_str());
                assert!(held, "{named} is missing");
            }
        }
    }
}
