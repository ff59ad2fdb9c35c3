//! The admission webhook that plays the kubelet's pull on fake nodes.
//!
//! At the creation of a pod it asks the registry what each image means at that moment, and writes the answer into the
//! annotations that the pod stages turn into `imageID`. So a pod on a fake node behaves as under a kubelet with pull policy
//! `Always`: after a tag was moved, new pods run the new content and old ones stay as they are. Nothing is remembered between
//! two pods. An index that was made to steer the pods that run it does so ([`crate::Image::steering`]). Only the bed's own registry is asked; an image from anywhere else cannot be pulled, as on a machine without internet.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::api::{Api, ApiError};
use crate::certificate::{Authority, CertificateError};
use crate::kwok::{ANNOTATION_PREFIX, NODE_LABEL};
use crate::loopback::{Body, BoxError, Connection, LoopbackServer, ServerIdentity, full};
use crate::registry::Registry;

/// Why there is no webhook.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// Its certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The API server did not take its registration.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It could not listen.
    #[error("cannot serve the admission webhook")]
    Serve(#[source] io::Error),
}

/// A running webhook. It ends with this value; pods are then created without annotations of ours.
#[derive(Debug)]
pub struct Admission {
    _server: LoopbackServer,
}

impl Admission {
    /// Serves the webhook and registers it with the API server.
    pub fn start(api: &Api, registry: &Registry) -> Result<Self, AdmissionError> {
        let authority = Authority::new("bed-admission")?;
        let pair = authority.server("bed-admission", &["127.0.0.1"])?;
        let identity = ServerIdentity {
            certificate_pem: pair.certificate,
            key_pem: pair.key,
            client_authority_pem: None,
        };
        let registry = registry.clone();
        let server = LoopbackServer::start(Some(&identity), move |_reset| Reviewer {
            registry: registry.clone(),
        })
        .map_err(AdmissionError::Serve)?;
        let registration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "bed-image-ids"},
            "webhooks": [{
                "name": "image-ids.bed.tracebloc.io",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "timeoutSeconds": 10,
                "clientConfig": {
                    "url": format!("https://{}/pods", server.address()),
                    "caBundle": STANDARD.encode(authority.certificate()),
                },
                // On a real node the kubelet pulls.
                "namespaceSelector": {"matchExpressions": [{"key": NODE_LABEL, "operator": "NotIn", "values": ["real"]}]},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
            }],
        });
        api.create(
            "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
            &registration,
        )?;
        Ok(Self { _server: server })
    }
}

/// The server's side of a connection.
struct Reviewer {
    registry: Registry,
}

impl Connection for Reviewer {
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>> {
        Box::pin(async move {
            let bytes = request.into_body().collect().await?.to_bytes();
            let review: Value = serde_json::from_slice(&bytes)?;
            let patch = patch(&self.registry, &review["request"]["object"]).await;
            let answer = json!({
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {
                    "uid": review["request"]["uid"],
                    "allowed": true,
                    "patchType": "JSONPatch",
                    "patch": STANDARD.encode(Value::Array(patch).to_string()),
                },
            });
            Ok(Response::builder()
                .header("Content-Type", "application/json")
                .body(full(answer.to_string()))?)
        })
    }
}

/// The JSON patch (RFC 6902) that adds the annotations to a pod.
async fn patch(registry: &Registry, pod: &Value) -> Vec<Value> {
    let present = pod["metadata"]["annotations"].as_object();
    let has = |name: &str| {
        present.is_some_and(|annotations| {
            annotations.contains_key(&format!("{ANNOTATION_PREFIX}{name}"))
        })
    };
    let mut added: BTreeMap<String, String> = BTreeMap::new();
    let mut failing: Vec<&str> = Vec::new();
    let mut containers: Vec<&Value> = Vec::new();
    for key in ["initContainers", "containers"] {
        containers.extend(pod["spec"][key].as_array().into_iter().flatten());
    }
    for container in containers {
        let (Some(name), Some(image)) = (container["name"].as_str(), container["image"].as_str())
        else {
            continue;
        };
        let annotation = format!("image-id.{name}");
        if has(&annotation) {
            continue;
        }
        match pull(registry, image).await {
            Some(Pulled { id, steering }) => {
                added.insert(annotation, id);
                added.extend(steering.into_iter().filter(|(name, _)| !has(name)));
            }
            None => failing.push(name),
        }
    }
    if !failing.is_empty() && !has("pull-error") {
        added.insert("pull-error".to_owned(), failing.join(","));
    }
    let mut operations = Vec::new();
    if present.is_none() && !added.is_empty() {
        operations.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    operations.extend(added.into_iter().map(|(name, value)| {
        let path = format!(
            "/metadata/annotations/{}{name}",
            ANNOTATION_PREFIX.replace('/', "~1")
        );
        json!({"op": "add", "path": path, "value": value})
    }));
    operations
}

/// What a container pulled.
struct Pulled {
    /// What it reports as its `imageID`.
    id: String,
    /// How the image steers its pods: names and values of annotations.
    steering: BTreeMap<String, String>,
}

/// What a container that starts now pulls; nothing where it cannot be pulled.
async fn pull(registry: &Registry, image: &str) -> Option<Pulled> {
    let (host, repository, reference) = local_reference(image)?;
    let digest = registry
        .resolve(repository, reference)
        .await
        .ok()
        .flatten()?;
    let steering = registry
        .annotations(repository, &digest)
        .await
        .into_iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(ANNOTATION_PREFIX)?.to_owned(), value)))
        .collect();
    Some(Pulled {
        id: format!("{host}/{repository}@{digest}"),
        steering,
    })
}

/// The host, the repository, and the tag or digest of an image in the bed; nothing where it lies elsewhere. Every loopback address leads to the
/// bed's registry: a proxy of a test stands in front of it.
fn local_reference(image: &str) -> Option<(&str, &str, &str)> {
    let (host, path) = image.split_once('/')?;
    if !host.starts_with("127.0.0.1:") {
        return None;
    }
    if let Some((named, digest)) = path.split_once('@') {
        // Where a tag and a digest are given, only the digest counts.
        return Some((
            host,
            named
                .split_once(':')
                .map_or(named, |(repository, _tag)| repository),
            digest,
        ));
    }
    let (repository, tag) = path.split_once(':').unwrap_or((path, "latest"));
    Some((host, repository, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_into_the_bed_are_taken_apart() {
        let host = "127.0.0.1:5000";
        for (image, repository, reference) in [
            ("127.0.0.1:5000/t/api:prod", "t/api", "prod"),
            ("127.0.0.1:5000/t/api", "t/api", "latest"),
            ("127.0.0.1:5000/t/api@sha256:ab", "t/api", "sha256:ab"),
            ("127.0.0.1:5000/t/api:prod@sha256:ab", "t/api", "sha256:ab"),
        ] {
            assert_eq!(
                local_reference(image),
                Some((host, repository, reference)),
                "{image}"
            );
        }
    }

    #[test]
    fn images_from_elsewhere_are_never_looked_up() {
        for image in [
            "busybox:1.35",
            "docker.io/tracebloc/api:prod",
            "127.0.0.1:5000",
            "10.0.0.1:5000/a",
        ] {
            assert_eq!(local_reference(image), None, "{image}");
        }
    }
}
