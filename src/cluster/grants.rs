//! Roles and bindings of the whole cluster, by name: metadata is enough.

use std::collections::BTreeSet;

use futures_util::future::try_join;
use serde::Deserialize;
use tracebloc_core::snapshot::Grants;

use super::list::Query;
use super::{Cluster, ClusterError, METADATA_LIST};

#[derive(Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl Cluster {
    /// The cluster-wide roles and bindings with this `app.kubernetes.io/component`.
    pub(crate) async fn grants(&self, component: &str) -> Result<Grants, ClusterError> {
        let (roles, bindings) = try_join(
            self.names("clusterroles", component),
            self.names("clusterrolebindings", component),
        )
        .await?;
        Ok(Grants { roles, bindings })
    }

    async fn names(
        &self,
        resource: &'static str,
        component: &str,
    ) -> Result<BTreeSet<String>, ClusterError> {
        let objects: Vec<Named> = self
            .list(&Query {
                api: "/apis/rbac.authorization.k8s.io/v1",
                resource,
                namespace: None,
                labels: Some(format!("app.kubernetes.io/component={component}")),
                fields: None,
                accept: Some(METADATA_LIST),
            })
            .await?;
        Ok(objects
            .into_iter()
            .map(|object| object.metadata.name)
            .collect())
    }
}
