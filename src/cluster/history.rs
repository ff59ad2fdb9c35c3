//! The past of a release as objects keep it: our own history, and what controllers left of earlier rollouts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use tracebloc_core::change::{self, HistoryEntry};
use tracebloc_core::name::{Namespace, ReleaseId};
use tracebloc_core::snapshot::{KeptEntry, PastRollout};
use tracebloc_core::workload::{WorkloadId, WorkloadKind};

use super::list::Query;
use super::{Cluster, ClusterError, METADATA_LIST};

/// Why a rollout was made, in the words of its author (`kubectl annotate`, and once `kubectl --record`).
const CAUSE: &str = "kubernetes.io/change-cause";

/// The object that holds the history.
#[derive(Deserialize)]
pub(super) struct ConfigMap {
    #[serde(default)]
    pub(super) data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

impl Cluster {
    /// The entries of the history that this product keeps of a release; none where there is none.
    pub(crate) async fn history(
        &self,
        release: &ReleaseId,
    ) -> Result<Vec<KeptEntry>, ClusterError> {
        let ReleaseId { namespace, name } = release;
        let object = change::history_name(name);
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{object}");
        let asked = format!("configmaps in namespace {namespace}");
        match self.get::<ConfigMap>(&path, None, "get", &asked).await {
            Ok(kept) => Ok(kept
                .data
                .into_iter()
                .map(|(key, text)| KeptEntry {
                    entry: HistoryEntry::parse(&text),
                    key,
                })
                .collect()),
            Err(ClusterError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What is left of the rollouts of Deployments (`replicasets`), or of the other kinds (`controllerrevisions`). Metadata is enough.
    pub(crate) async fn rollouts(
        &self,
        namespace: &Namespace,
        resource: &'static str,
    ) -> Result<Vec<PastRollout>, ClusterError> {
        let objects: Vec<Object> = self
            .list(&Query {
                api: "/apis/apps/v1",
                resource,
                namespace: Some(namespace),
                labels: None,
                fields: None,
                accept: Some(METADATA_LIST),
            })
            .await?;
        let kind = resource.trim_end_matches('s');
        Ok(objects
            .into_iter()
            .filter_map(|object| read(object.metadata, namespace, kind))
            .collect())
    }
}

/// `None` for an object that belongs to no workload, and for one that tells nothing.
fn read(mut metadata: Metadata, namespace: &Namespace, kind: &str) -> Option<PastRollout> {
    let owner = metadata
        .owner_references
        .into_iter()
        .find(|owner| owner.controller)?;
    let cause = metadata
        .annotations
        .remove(CAUSE)
        .filter(|text| !text.is_empty());
    let change = metadata.annotations.remove(change::ANNOTATION);
    if cause.is_none() && change.is_none() {
        return None;
    }
    Some(PastRollout {
        workload: WorkloadId {
            kind: WorkloadKind::parse(&owner.kind)?,
            namespace: namespace.clone(),
            name: owner.name,
        },
        object: format!("{kind}/{}", metadata.name),
        made_at: metadata.creation_timestamp,
        cause,
        change,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rollouts_that_tell_nothing_or_belong_to_nobody_are_left_out() {
        let read_json = |annotations: serde_json::Value, owners: serde_json::Value| {
            let metadata = json!({"name": "edge-api-5d8f", "creationTimestamp": "2026-08-21T10:00:00Z", "annotations": annotations, "ownerReferences": owners});
            let metadata = serde_json::from_value(metadata).unwrap();
            read(metadata, &Namespace::parse("edge").unwrap(), "replicaset")
        };
        let owned = json!([{"kind": "Deployment", "name": "edge-api", "controller": true}]);
        let caused = json!({"kubernetes.io/change-cause": "image two", "deployment.kubernetes.io/revision": "3"});
        let rollout = read_json(caused.clone(), owned.clone()).unwrap();
        assert_eq!(rollout.workload.to_string(), "deployment/edge-api");
        assert_eq!(rollout.object, "replicaset/edge-api-5d8f");
        assert_eq!(rollout.cause.as_deref(), Some("image two"));
        assert_eq!(read_json(json!({}), owned), None);
        assert_eq!(read_json(caused.clone(), json!([])), None);
        let foreign = json!([{"kind": "Rollout", "name": "edge-api", "controller": true}]);
        assert_eq!(read_json(caused, foreign), None);
    }
}
