//! What we may do: asked of the API server itself, which everybody may ask about themselves.

use serde::Deserialize;
use serde_json::json;
use tracebloc_core::name::Namespace;
use tracebloc_core::workload::{WorkloadId, WorkloadKind};

use super::write::{Change, How};
use super::{Cluster, ClusterError};

#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    allowed: bool,
}

impl Cluster {
    /// Whether we may do that to a workload, or, where no name is given, to all of that kind in a namespace.
    pub(crate) async fn may(
        &self,
        verb: &str,
        kind: WorkloadKind,
        namespace: &Namespace,
        name: Option<&str>,
    ) -> Result<bool, ClusterError> {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "namespace": namespace,
                "verb": verb,
                "group": kind.group(),
                "resource": format!("{}s", kind.resource()),
                "name": name.unwrap_or_default(),
            }},
        });
        let review: Review = self
            .send(&Change {
                path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                how: How::Create,
                body: &body,
                object: "the review of our rights",
            })
            .await?;
        Ok(review.status.allowed)
    }

    /// The same of one workload.
    pub(crate) async fn may_to(&self, verb: &str, id: &WorkloadId) -> Result<bool, ClusterError> {
        self.may(verb, id.kind, &id.namespace, Some(&id.name)).await
    }
}
