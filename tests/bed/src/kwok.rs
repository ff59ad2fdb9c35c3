//! Fake nodes: pods that are scheduled, start, crash and end without a machine, as the stages in `tests/bed/stages/` say.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, ApiError};
use crate::control_plane::ControlPlane;
use crate::process::{Process, ProcessError, Run, isolated};
use crate::tools::{Tool, Toolbox};

/// The label of every node of the bed: `kwok` on a fake one, `real` on a real one.
pub const NODE_LABEL: &str = "bed.tracebloc.io/node";
/// What begins every annotation that steers a pod on a fake node.
pub const ANNOTATION_PREFIX: &str = "bed.tracebloc.io/";
/// The storage class whose volumes go with their claims. It is the cluster's default.
pub const STORAGE_CLASS_DELETE: &str = "bed-delete";
/// The storage class whose volumes stay when their claims go.
pub const STORAGE_CLASS_RETAIN: &str = "bed-retain";

/// The life of nodes, volumes and pods. They are part of the program: the bed runs from any folder.
const STAGES: [(&str, &str); 3] = [
    ("node.yaml", include_str!("../stages/node.yaml")),
    ("volume.yaml", include_str!("../stages/volume.yaml")),
    ("pod.yaml", include_str!("../stages/pod.yaml")),
];

/// Starts kwok on the nodes with [`NODE_LABEL`]` = kwok`.
pub fn start(
    run: &Run,
    tools: &Toolbox,
    control_plane: &ControlPlane,
) -> Result<Process, ProcessError> {
    let mut command = isolated(tools.path(Tool::Kwok));
    command
        .env("HOME", run.directory())
        .arg(format!(
            "--kubeconfig={}",
            control_plane.kubeconfig.display()
        ))
        .arg(format!(
            "--manage-nodes-with-label-selector={NODE_LABEL}=kwok"
        ))
        .args([
            "--node-ip=127.0.0.1",
            "--cidr=10.200.0.0/16",
            "--node-lease-duration-seconds=40",
        ]);
    for (name, content) in STAGES {
        let path = run
            .write(format!("stages/{name}"), content)
            .map_err(|source| ProcessError::Start {
                name: "kwok".to_owned(),
                source,
            })?;
        command.arg(format!("--config={}", path.display()));
    }
    run.spawn("kwok", &command)
}

/// Adds fake nodes `<prefix>-0`, `<prefix>-1`, … of a processor architecture (`amd64`, `arm64`).
pub fn add_nodes(
    api: &Api,
    prefix: &str,
    architecture: &str,
    count: usize,
) -> Result<Vec<String>, ApiError> {
    (0..count)
        .map(|number| {
            let name = format!("{prefix}-{number}");
            let node = json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "labels": {
                        NODE_LABEL: "kwok",
                        "kubernetes.io/arch": architecture,
                        "kubernetes.io/os": "linux",
                        "kubernetes.io/hostname": name,
                    },
                    "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
                },
            });
            api.create("/api/v1/nodes", &node)?;
            Ok(name)
        })
        .collect()
}

/// Creates the two storage classes.
pub fn add_storage_classes(api: &Api) -> Result<(), ApiError> {
    for (name, policy, provisioner, default) in [
        (
            STORAGE_CLASS_DELETE,
            "Delete",
            "bed.tracebloc.io/delete",
            "true",
        ),
        (
            STORAGE_CLASS_RETAIN,
            "Retain",
            "bed.tracebloc.io/retain",
            "false",
        ),
    ] {
        let class = json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}},
            "provisioner": provisioner,
            "reclaimPolicy": policy,
            "volumeBindingMode": "Immediate",
            "allowVolumeExpansion": true,
        });
        api.create("/apis/storage.k8s.io/v1/storageclasses", &class)?;
    }
    Ok(())
}

/// How long a fake node may take to be ready.
pub const NODE_DEADLINE: Duration = Duration::from_secs(60);

/// Whether a node is ready, and Kubernetes itself keeps no pods from it. The bed's own taint of a real node does not count.
pub fn is_ready(node: &Value) -> bool {
    let untainted = node["spec"]["taints"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|taint| taint["key"] == NODE_LABEL);
    let ready = node["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    untainted && ready
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fake_nodes_say_the_version_that_is_built() {
        let pins = include_str!("../tools/kubernetes/go.mod");
        let pinned = pins
            .lines()
            .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap();
        let said = format!("kubeletVersion: {pinned}\n");
        assert!(STAGES[0].1.contains(&said), "{pinned} in stages/node.yaml");
    }
}
