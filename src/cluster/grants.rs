//! Roles and bindings: metadata is enough.

use std::collections::BTreeSet;

use futures_util::future::try_join;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tracebloc_core::release::{AccessId, AccessKind};
use tracebloc_core::snapshot::Grants;
use url::form_urlencoded;

use super::list::Query;
use super::{Cluster, ClusterError, METADATA, METADATA_LIST};

/// The API of roles and bindings.
const API: &str = "/apis/rbac.authorization.k8s.io/v1";

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

    /// Whether an object that gives rights is there.
    pub(crate) async fn has_access(&self, id: &AccessId) -> Result<bool, ClusterError> {
        let resource = match id.kind {
            AccessKind::RoleBinding => "rolebindings",
            AccessKind::Role => "roles",
            AccessKind::ClusterRoleBinding => "clusterrolebindings",
            AccessKind::ClusterRole => "clusterroles",
        };
        let scope = id
            .namespace
            .as_ref()
            .map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
        let name: String = form_urlencoded::byte_serialize(id.name.as_bytes()).collect();
        let path = format!("{API}{scope}/{resource}/{name}");
        match self
            .get::<IgnoredAny>(&path, Some(METADATA), "get", &id.to_string())
            .await
        {
            Ok(_) => Ok(true),
            Err(ClusterError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn names(
        &self,
        resource: &'static str,
        component: &str,
    ) -> Result<BTreeSet<String>, ClusterError> {
        let objects: Vec<Named> = self
            .list(&Query {
                api: API,
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
