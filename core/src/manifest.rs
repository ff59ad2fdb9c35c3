//! What a registry serves under a digest: an index of images per platform, or the manifest of one image.

mod compare;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::Digest;

pub use compare::{ContentVerdict, Document, Documents, How, Need, Undecided, Verdict, compare};

/// The most children read from one index: real ones have a few dozen at most.
pub const CHILDREN_LIMIT: usize = 1000;

/// The media types of manifests that we read, in the order in which they are asked for.
///
/// All of them are to be in one `Accept` header: a registry that misses one may answer with another manifest (Docker's
/// `linux/amd64` child in place of its list), or that there is none.
pub const MEDIA_TYPES: [&str; 4] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The layer of a Helm chart's package (Helm's `pkg/registry`, `ChartLayerMediaType`).
const CHART_CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// The annotation by which `BuildKit` marks children that are attestations about other children.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// Why bytes are no manifest that we can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are no JSON of a manifest's shape.
    #[error("not a manifest: the JSON is malformed at line {line}, column {column}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is of a type that names no platform's content by digest, such as schema 1.
    #[error("manifests of type `{media_type}` are not supported")]
    Unsupported {
        /// The type given by the registry or the document.
        media_type: String,
    },
    /// It is index and image manifest at once, so that readers would disagree about its content (CVE-2021-41190).
    #[error("the manifest is ambiguous: an index and an image at once")]
    Ambiguous,
    /// It has the type of an index or of an image, and lacks its content.
    #[error("the manifest lacks `{field}`")]
    Incomplete {
        /// The missing field.
        field: &'static str,
    },
    /// It lists more children than any real index.
    #[error("the index has {count} entries, more than {CHILDREN_LIMIT}")]
    TooMany {
        /// How many it lists.
        count: usize,
    },
}

/// The platform that an image is for, or that a node has.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Platform {
    /// Operating system in Go's words, such as `linux`.
    pub os: String,
    /// Architecture in Go's words, such as `amd64`.
    pub architecture: String,
    /// Variant of the architecture, such as `v7`; nodes do not tell theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// A platform in normal form: other spellings of an architecture and variants that mean the default are replaced, as container runtimes do.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let architecture = architecture.to_ascii_lowercase();
        let architecture = match architecture.as_str() {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let implied = match architecture {
            "amd64" => "v1",
            "arm64" => "v8",
            _ => "",
        };
        let variant = variant.filter(|variant| !variant.is_empty() && *variant != implied);
        Self {
            os: os.to_ascii_lowercase(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_ascii_lowercase),
        }
    }

    /// True where an image of this platform is one for `node`. A variant that one of the two does not tell excludes nothing.
    pub fn serves(&self, node: &Self) -> bool {
        let Self {
            os,
            architecture,
            variant,
        } = self;
        let variants_agree = match (variant, &node.variant) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        *os == node.os && *architecture == node.architecture && variants_agree
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// An entry of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its platform, where the index says one.
    pub platform: Option<Platform>,
    /// True where it is no image but a statement about one (provenance, SBOM): no node runs it.
    pub attestation: bool,
}

/// A manifest, as far as content is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manifest {
    /// An image for several platforms (OCI index, Docker manifest list).
    Index {
        /// Its entries in their order.
        children: Vec<Child>,
    },
    /// An image for one platform.
    Image {
        /// The digest of its configuration.
        config: Digest,
    },
}

impl Manifest {
    /// Reads a manifest. `media_type` is the registry's `Content-Type`; where it names no manifest type, the document's own
    /// `mediaType` counts, and then its shape.
    pub fn parse(media_type: Option<&str>, body: &[u8]) -> Result<Self, ManifestError> {
        let raw: RawManifest =
            serde_json::from_slice(body).map_err(|error| ManifestError::Malformed {
                line: error.line(),
                column: error.column(),
            })?;
        if raw.manifests.is_some() && (raw.config.is_some() || raw.layers.is_some()) {
            return Err(ManifestError::Ambiguous);
        }
        let outer = media_type.map(essence);
        let outer = outer
            .as_deref()
            .filter(|media_type| media_type.starts_with("application/vnd."));
        let is_index = match outer.or(raw.media_type.as_deref()) {
            Some(OCI_INDEX | DOCKER_LIST) => true,
            Some(OCI_MANIFEST | DOCKER_MANIFEST) => false,
            Some(other) => {
                return Err(ManifestError::Unsupported {
                    media_type: other.to_owned(),
                });
            }
            None if raw.schema_version == Some(1) => {
                return Err(ManifestError::Unsupported {
                    media_type: "schema 1".to_owned(),
                });
            }
            None => raw.manifests.is_some(),
        };
        if is_index {
            let manifests = raw
                .manifests
                .ok_or(ManifestError::Incomplete { field: "manifests" })?;
            if manifests.len() > CHILDREN_LIMIT {
                return Err(ManifestError::TooMany {
                    count: manifests.len(),
                });
            }
            Ok(Self::Index {
                children: manifests.into_iter().map(RawChild::into_child).collect(),
            })
        } else {
            let config = raw
                .config
                .ok_or(ManifestError::Incomplete { field: "config" })?;
            Ok(Self::Image {
                config: config.digest,
            })
        }
    }
}

/// The package in the manifest of a Helm chart; `None` where it is something else's.
pub fn chart_content(body: &[u8]) -> Option<Digest> {
    let manifest: ChartManifest = serde_json::from_slice(body).ok()?;
    let is_content = |layer: &RawLayer| essence(&layer.media_type) == CHART_CONTENT;
    manifest
        .layers
        .into_iter()
        .find(is_content)
        .map(|layer| layer.digest)
}

/// A media type without its parameters, in lower case.
fn essence(media_type: &str) -> String {
    media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<Vec<RawChild>>,
    config: Option<RawDescriptor>,
    layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct ChartManifest {
    layers: Vec<RawLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLayer {
    media_type: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct RawDescriptor {
    digest: Digest,
}

#[derive(Deserialize)]
struct RawChild {
    digest: Digest,
    platform: Option<RawPlatform>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

impl RawChild {
    fn into_child(self) -> Child {
        let platform = self
            .platform
            .map(|platform| {
                Platform::new(
                    &platform.os,
                    &platform.architecture,
                    platform.variant.as_deref(),
                )
            })
            .filter(|platform| !platform.os.is_empty() && !platform.architecture.is_empty());
        let nobody = platform
            .as_ref()
            .is_some_and(|platform| platform.os == "unknown" && platform.architecture == "unknown");
        let marked = self
            .annotations
            .is_some_and(|annotations| annotations.contains_key(REFERENCE_TYPE));
        Child {
            digest: self.digest,
            platform,
            attestation: nobody || marked,
        }
    }
}

#[cfg(test)]
mod tests;
