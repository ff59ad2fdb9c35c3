//! Claims and volumes: phases and reclaim policies.

use std::collections::BTreeMap;

use serde::Deserialize;
use tracebloc_core::claim::{ClaimId, LiveClaim, ReclaimPolicy};
use tracebloc_core::name::Namespace;

use super::list::Query;
use super::{Cluster, ClusterError};

#[derive(Deserialize)]
struct Object {
    metadata: Name,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    volume_name: Option<String>,
    #[serde(default)]
    persistent_volume_reclaim_policy: String,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    phase: String,
}

impl Cluster {
    /// The claims of a namespace.
    pub(crate) async fn claims(
        &self,
        namespace: &Namespace,
    ) -> Result<Vec<LiveClaim>, ClusterError> {
        let objects = self
            .storage("persistentvolumeclaims", Some(namespace))
            .await?;
        Ok(objects
            .into_iter()
            .map(|object| LiveClaim {
                id: ClaimId {
                    namespace: namespace.clone(),
                    name: object.metadata.name,
                },
                phase: object.status.phase,
                volume: object.spec.volume_name.filter(|name| !name.is_empty()),
            })
            .collect())
    }

    /// What becomes of each volume of the cluster when its claim is deleted.
    pub(crate) async fn volumes(&self) -> Result<BTreeMap<String, ReclaimPolicy>, ClusterError> {
        let objects = self.storage("persistentvolumes", None).await?;
        Ok(objects
            .into_iter()
            .map(|object| {
                let policy = ReclaimPolicy::parse(&object.spec.persistent_volume_reclaim_policy);
                (object.metadata.name, policy)
            })
            .collect())
    }

    async fn storage(
        &self,
        resource: &'static str,
        namespace: Option<&Namespace>,
    ) -> Result<Vec<Object>, ClusterError> {
        self.list(&Query {
            api: "/api/v1",
            resource,
            namespace,
            labels: None,
            fields: None,
            accept: None,
        })
        .await
    }
}
