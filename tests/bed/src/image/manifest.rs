//! The JSON documents of an image.

use serde_json::{Value, json};

use super::{Blob, BuiltImage, Child, Format, Image, Layer, Manifest, Platform};
use crate::payload::{Payload, PayloadError};

/// A fixed time, because a creation date that moves would move every digest.
const CREATED: &str = "2026-01-01T00:00:00Z";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media types of one family.
struct MediaTypes {
    index: &'static str,
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

impl Format {
    fn media_types(self) -> MediaTypes {
        match self {
            Self::Oci => MediaTypes {
                index: "application/vnd.oci.image.index.v1+json",
                manifest: OCI_MANIFEST,
                config: "application/vnd.oci.image.config.v1+json",
                layer: "application/vnd.oci.image.layer.v1.tar+gzip",
            },
            Self::Docker => MediaTypes {
                index: "application/vnd.docker.distribution.manifest.list.v2+json",
                manifest: "application/vnd.docker.distribution.manifest.v2+json",
                config: "application/vnd.docker.container.image.v1+json",
                layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
            },
        }
    }
}

pub(super) fn build(image: &Image, payload: &Payload) -> Result<BuiltImage, PayloadError> {
    let media_types = image.format.media_types();
    let content = Layer::of_files(&[("content", 0o644, image.content.as_bytes())]);
    let mut blobs = vec![content.blob.clone()];
    let mut children = Vec::new();
    for platform in &image.platforms {
        let program = payload.layer(&platform.architecture)?;
        let config = configuration(image, platform, &[program, &content]);
        children.push(Child {
            platform: platform.clone(),
            manifest: manifest(&media_types, &config, &[program, &content]),
            config_digest: config.digest.clone(),
        });
        blobs.extend([program.blob.clone(), config]);
    }
    let mut attestations = Vec::new();
    if image.attestations {
        for child in &children {
            let (manifest, parts) = attestation(&child.manifest.blob.digest);
            attestations.push(manifest);
            blobs.extend(parts);
        }
    }
    blobs.sort_by(|left, right| left.digest.cmp(&right.digest));
    blobs.dedup();
    let root = match children.first() {
        Some(child) if image.single => child.manifest.clone(),
        Some(_) | None => index(image, &media_types, &children, &attestations),
    };
    Ok(BuiltImage {
        root,
        children,
        attestations,
        blobs,
    })
}

fn configuration(image: &Image, platform: &Platform, layers: &[&Layer]) -> Blob {
    let environment: &[&str] = if image.listens {
        &["PATH=/", "PORT=8080"]
    } else {
        &["PATH=/"]
    };
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    let mut config = json!({
        "Entrypoint": ["/payload"],
        "Env": environment,
        "Labels": {"bed.tracebloc.io/content": image.content},
        "WorkingDir": "/",
    });
    if !image.arguments.is_empty() {
        config["Cmd"] = json!(image.arguments);
    }
    document(&json!({
        "created": CREATED,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [
            {"created": CREATED, "created_by": "payload"},
            {"created": CREATED, "created_by": "content"},
        ],
    }))
}

fn manifest(media_types: &MediaTypes, config: &Blob, layers: &[&Layer]) -> Manifest {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| descriptor(media_types.layer, &layer.blob))
        .collect();
    Manifest {
        media_type: media_types.manifest,
        blob: document(&json!({
            "schemaVersion": 2,
            "mediaType": media_types.manifest,
            "config": descriptor(media_types.config, config),
            "layers": layers,
        })),
    }
}

/// What build tools attach: an image manifest whose one layer is a statement about `subject`.
fn attestation(subject: &str) -> (Manifest, [Blob; 2]) {
    let statement = document(&json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "bed", "digest": {"sha256": subject.trim_start_matches("sha256:")}}],
        "predicate": {},
    }));
    let config = document(&json!({
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [statement.digest]},
    }));
    let manifest = Manifest {
        media_type: OCI_MANIFEST,
        blob: document(&json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.in-toto+json", &statement)],
        })),
    };
    (manifest, [statement, config])
}

fn index(
    image: &Image,
    media_types: &MediaTypes,
    children: &[Child],
    attestations: &[Manifest],
) -> Manifest {
    let mut manifests = Vec::new();
    for child in children {
        let mut entry = descriptor(child.manifest.media_type, &child.manifest.blob);
        entry["platform"] =
            json!({"architecture": child.platform.architecture, "os": child.platform.os});
        manifests.push(entry);
    }
    for (attestation, child) in attestations.iter().zip(children) {
        let mut entry = descriptor(attestation.media_type, &attestation.blob);
        entry["annotations"] = json!({
            "vnd.docker.reference.digest": child.manifest.blob.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        });
        entry["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        manifests.push(entry);
    }
    let mut index =
        json!({"schemaVersion": 2, "mediaType": media_types.index, "manifests": manifests});
    if !image.index_annotations.is_empty() {
        index["annotations"] = json!(image.index_annotations);
    }
    Manifest {
        media_type: media_types.index,
        blob: document(&index),
    }
}

/// Returns how one document names another: type, size and digest.
pub(crate) fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({"mediaType": media_type, "size": blob.bytes.len(), "digest": blob.digest})
}

fn document(value: &Value) -> Blob {
    Blob::new(value.to_string())
}
