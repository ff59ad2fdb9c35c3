//! Charts as OCI artefacts, with the media types that Helm uses.

use serde_json::json;

use crate::chart::Chart;
use crate::image::{Blob, Manifest, descriptor};
use crate::registry::{Registry, RegistryError};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";
const CONTENT_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Pushes a chart as `<prefix>/<name>:<version>` and returns the digest of its manifest.
///
/// A `+` of the version becomes `_` in the tag, where `+` is not allowed.
pub fn push_oci(registry: &Registry, prefix: &str, chart: &Chart) -> Result<String, RegistryError> {
    let repository = format!("{}/{}", prefix.trim_matches('/'), chart.name);
    let config = Blob::new(chart.metadata.to_string());
    let content = Blob::new(chart.bytes.clone());
    registry.push_blob(&repository, &config)?;
    registry.push_blob(&repository, &content)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, &config),
        "layers": [descriptor(CONTENT_TYPE, &content)],
        "annotations": {
            "org.opencontainers.image.title": chart.name,
            "org.opencontainers.image.version": chart.version,
        },
    });
    let manifest = Manifest {
        media_type: MANIFEST_TYPE,
        blob: Blob::new(manifest.to_string()),
    };
    registry.push_manifest(&repository, &chart.version.replace('+', "_"), &manifest)?;
    Ok(manifest.blob.digest)
}
