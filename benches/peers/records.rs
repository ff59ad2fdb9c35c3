//! Release records without Helm: a real one, unpacked, changed and packed again.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use serde_json::{Value, json};
use tracebloc_bed::api::Api;

/// How long the record of the first revision is while packed, and what is in it.
pub(crate) fn read(api: &Api, namespace: &str, release: &str) -> (usize, Value) {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/sh.helm.release.v1.{release}.v1");
    let secret = api.get(&path).unwrap();
    let packed = STANDARD
        .decode(secret["data"]["release"].as_str().unwrap())
        .unwrap();
    let packed = STANDARD.decode(packed).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    (packed.len(), serde_json::from_slice(&bytes).unwrap())
}

/// The Secret that holds a record.
pub(crate) fn secret(record: &Value) -> Value {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(record.to_string().as_bytes()).unwrap();
    let data = STANDARD.encode(STANDARD.encode(encoder.finish().unwrap()));
    let (name, revision) = (record["name"].as_str().unwrap(), &record["version"]);
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {
            "name": format!("sh.helm.release.v1.{name}.v{revision}"),
            "labels": {"owner": "helm", "name": name, "version": revision.to_string(), "status": record["info"]["status"]},
        },
        "data": {"release": data},
    })
}

/// Stores a record like that of a release in a namespace, under another name and with another manifest.
pub(crate) fn stand_in(
    api: &Api,
    (namespace, release): (&str, &str),
    (place, name): (&str, &str),
    manifest: &str,
) {
    let (_, mut record) = read(api, namespace, release);
    record["name"] = json!(name);
    record["namespace"] = json!(place);
    record["manifest"] = json!(manifest);
    api.create(
        &format!("/api/v1/namespaces/{place}/secrets"),
        &secret(&record),
    )
    .unwrap();
}

/// An object as a document of a manifest, in the block style in which charts write.
pub(crate) fn document(object: &Value) -> String {
    format!("---\n{}\n", serde_saphyr::to_string(object).unwrap())
}

/// Makes a record another release's, in the namespace of its own name.
pub(crate) fn rename(record: &mut Value, name: &str) {
    let old = record["name"].as_str().unwrap();
    let manifest = record["manifest"].as_str().unwrap().replace(
        &format!("{old}-jobs-manager"),
        &format!("{name}-jobs-manager"),
    );
    record["name"] = json!(name);
    record["namespace"] = json!(name);
    record["manifest"] = json!(manifest);
}
