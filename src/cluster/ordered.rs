//! Pods of a `StatefulSet` that come one after the other: its controller waits for a broken one for ever, also after the template was brought back
//! (Kubernetes, "StatefulSets": forced rollback). The broken one must be deleted.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use tracebloc_core::workload::WorkloadId;

use super::list::Query;
use super::write::{Change, How};
use super::{Cluster, ClusterError, words, workloads};

/// The label of a pod with the revision of the template that it was made from.
const REVISION: &str = "controller-revision-hash";

#[derive(Deserialize)]
struct Controller {
    metadata: ControllerMetadata,
    #[serde(default)]
    status: ControllerStatus,
}

#[derive(Deserialize)]
struct ControllerMetadata {
    uid: String,
    #[serde(default)]
    generation: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ControllerStatus {
    observed_generation: i64,
    update_revision: String,
}

#[derive(Deserialize)]
struct OrderedPod {
    metadata: PodMetadata,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMetadata {
    name: String,
    uid: String,
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    uid: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodStatus {
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl OrderedPod {
    /// True if it is the controller's, not ready, and not on its way out.
    fn hangs(&self, controller: &Controller) -> bool {
        let is_ready = self
            .status
            .conditions
            .iter()
            .any(|condition| condition.kind == "Ready" && condition.status == "True");
        let owners = &self.metadata.owner_references;
        !is_ready
            && self.metadata.deletion_timestamp.is_none()
            && owners
                .iter()
                .any(|owner| owner.uid == controller.metadata.uid)
    }
}

impl Cluster {
    /// Deletes pods of a `StatefulSet` that are not ready and not of its present template, once its controller knows that one; their names.
    pub(crate) async fn delete_hanging(
        &self,
        id: &WorkloadId,
    ) -> Result<Vec<String>, ClusterError> {
        let path = workloads::path(id);
        let controller: Controller = self.get(&path, None, "get", &words(id)).await?;
        let status = &controller.status;
        if status.observed_generation < controller.metadata.generation
            || status.update_revision.is_empty()
        {
            return Ok(Vec::new());
        }
        let others = format!("{REVISION},{REVISION}!={}", status.update_revision);
        let pods: Vec<OrderedPod> = self
            .list(&Query {
                api: "/api/v1",
                resource: "pods",
                namespace: Some(&id.namespace),
                labels: Some(others),
                fields: None,
                accept: None,
            })
            .await?;
        let mut deleted = Vec::new();
        for pod in pods.into_iter().filter(|pod| pod.hangs(&controller)) {
            let name = pod.metadata.name;
            // That very pod, and none that came in its place meanwhile.
            let options = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": {"uid": pod.metadata.uid},
            });
            let outcome: Result<IgnoredAny, _> = self
                .send(&Change {
                    path: &format!("/api/v1/namespaces/{}/pods/{name}", id.namespace),
                    how: How::Delete,
                    body: &options,
                    object: &format!("pod {name} in namespace {}", id.namespace),
                })
                .await;
            match outcome {
                Ok(_) => deleted.push(name),
                // It went by itself.
                Err(ClusterError::NotFound { .. } | ClusterError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }
}
