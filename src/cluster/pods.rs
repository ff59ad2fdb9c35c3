//! Pods: which count, whose they are, and what their containers run. One list a namespace, no request per pod (DESIGN §6).

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use tracebloc_core::image::RunningImage;
use tracebloc_core::name::Namespace;
use tracebloc_core::workload::{Pod, PodContainer, WorkloadId, WorkloadKind};

use super::list::Query;
use super::{Cluster, ClusterError};

#[derive(Deserialize)]
struct PodObject {
    metadata: PodMetadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMetadata {
    name: String,
    namespace: String,
    #[serde(default)]
    labels: HashMap<String, String>,
    #[serde(default)]
    owner_references: Vec<OwnerReference>,
    deletion_timestamp: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct OwnerReference {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    node_name: Option<String>,
    #[serde(default)]
    init_containers: Vec<Named>,
    #[serde(default)]
    containers: Vec<Named>,
    #[serde(default)]
    image_pull_secrets: Vec<Referred>,
}

/// A reference to an object of the same namespace, whose name may be missing.
#[derive(Deserialize)]
struct Referred {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(default)]
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    message: String,
}

#[derive(Deserialize)]
struct ContainerStatus {
    name: String,
    #[serde(default)]
    ready: bool,
    #[serde(default, rename = "imageID")]
    image_id: String,
    #[serde(default)]
    state: ContainerState,
    #[serde(default, rename = "lastState")]
    last_state: ContainerState,
    #[serde(default, rename = "restartCount")]
    restart_count: u32,
}

#[derive(Deserialize, Default)]
struct ContainerState {
    waiting: Option<Reason>,
    terminated: Option<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

impl Cluster {
    /// The pods of a namespace that count, each with the workload that it belongs to.
    pub(crate) async fn pods(&self, namespace: &Namespace) -> Result<Vec<Pod>, ClusterError> {
        let pods: Vec<PodObject> = self
            .list(&Query {
                api: "/api/v1",
                resource: "pods",
                namespace: Some(namespace),
                labels: None,
                fields: None,
                accept: None,
            })
            .await?;
        Ok(pods.into_iter().filter_map(read).collect())
    }

    /// The last lines that a container of a pod wrote, before it ended last or since it began.
    pub(crate) async fn last_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        ended: bool,
    ) -> Result<Vec<String>, ClusterError> {
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&tailLines=5&limitBytes=4000&previous={ended}"
        );
        let answer = self
            .fetch(&path, super::JSON_OR_TEXT, "get", "the log of a pod")
            .await?;
        let text = String::from_utf8_lossy(&answer.body);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// A pod that is neither being deleted nor ended, with its workload.
fn read(pod: PodObject) -> Option<Pod> {
    let PodObject {
        metadata,
        spec,
        status,
    } = pod;
    let ended = matches!(status.phase.as_str(), "Succeeded" | "Failed");
    if metadata.deletion_timestamp.is_some() || ended {
        return None;
    }
    let workload = owner(&metadata)?;
    let mut containers: BTreeMap<String, PodContainer> = spec
        .init_containers
        .into_iter()
        .chain(spec.containers)
        .map(|container| (container.name, PodContainer::default()))
        .collect();
    for status in status
        .init_container_statuses
        .into_iter()
        .chain(status.container_statuses)
    {
        // An image ID that names no content tells no more than a missing one.
        let running = RunningImage::parse(&status.image_id).unwrap_or(None);
        let said = |why: Option<Reason>| why.map(|why| why.reason).filter(|text| !text.is_empty());
        let container = PodContainer {
            running,
            ready: status.ready,
            waiting: said(status.state.waiting),
            restarts: status.restart_count,
            ended: said(status.last_state.terminated),
        };
        containers.insert(status.name, container);
    }
    Some(Pod {
        name: metadata.name,
        workload,
        node: spec.node_name,
        unscheduled: status
            .conditions
            .into_iter()
            .find(|condition| condition.kind == "PodScheduled" && condition.status == "False")
            .map(|condition| condition.message),
        containers,
        pull_secrets: spec
            .image_pull_secrets
            .into_iter()
            .map(|secret| secret.name)
            .filter(|name| !name.is_empty())
            .collect(),
    })
}

/// The workload of a pod: its controller, or for a `ReplicaSet` the Deployment whose name and template hash make the `ReplicaSet`'s name.
fn owner(metadata: &PodMetadata) -> Option<WorkloadId> {
    let namespace = Namespace::parse(&metadata.namespace).ok()?;
    let controller = metadata
        .owner_references
        .iter()
        .find(|owner| owner.controller);
    let (kind, name) = match controller {
        None => (WorkloadKind::Pod, metadata.name.clone()),
        Some(owner) if owner.kind == "ReplicaSet" => {
            let hash = metadata.labels.get("pod-template-hash")?;
            let deployment = owner.name.strip_suffix(hash.as_str())?.strip_suffix('-')?;
            (WorkloadKind::Deployment, deployment.to_owned())
        }
        Some(owner) => (WorkloadKind::parse(&owner.kind)?, owner.name.clone()),
    };
    Some(WorkloadId {
        kind,
        namespace,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(metadata: &serde_json::Value, phase: &str) -> Option<Pod> {
        let mut whole = json!({"name": "p", "namespace": "edge"});
        whole
            .as_object_mut()
            .unwrap()
            .extend(metadata.as_object().unwrap().clone());
        let object = json!({
            "metadata": whole,
            "spec": {"nodeName": "n", "containers": [{"name": "api"}, {"name": "late"}]},
            "status": {"phase": phase, "containerStatuses": [{"name": "api", "imageID": "r@sha256:1111111111111111111111111111111111111111111111111111111111111111", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
        });
        read(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn pods_belong_to_their_controllers() {
        let controller =
            |kind: &str, name: &str| json!({"kind": kind, "name": name, "controller": true});
        for (metadata, expected) in [
            (json!({}), Some("pod/p")),
            (
                json!({"ownerReferences": [controller("DaemonSet", "monitor")]}),
                Some("daemonset/monitor"),
            ),
            (
                json!({"ownerReferences": [controller("ReplicaSet", "edge-jobs-manager-abc")], "labels": {"pod-template-hash": "abc"}}),
                Some("deployment/edge-jobs-manager"),
            ),
            (
                json!({"ownerReferences": [controller("ReplicaSet", "bare")]}),
                None,
            ),
            (
                json!({"ownerReferences": [controller("Workflow", "x")]}),
                None,
            ),
        ] {
            let found = pod(&metadata, "Running").map(|pod| pod.workload.to_string());
            assert_eq!(found.as_deref(), expected);
        }
    }

    #[test]
    fn ended_and_terminating_pods_do_not_count() {
        assert!(pod(&json!({}), "Succeeded").is_none());
        assert!(pod(&json!({}), "Failed").is_none());
        assert!(
            pod(
                &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
                "Running"
            )
            .is_none()
        );
        assert!(pod(&json!({}), "Pending").is_some());
    }

    #[test]
    fn containers_without_a_status_have_no_content() {
        let pod = pod(&json!({}), "Running").unwrap();
        assert_eq!(pod.containers["late"].running, None);
        assert!(pod.containers["api"].running.is_some());
        assert_eq!(
            pod.containers["api"].waiting.as_deref(),
            Some("CrashLoopBackOff")
        );
    }
}
