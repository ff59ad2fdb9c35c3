//! Workloads by the labels that Helm writes, for those who may not read its records.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tracebloc_core::labels::{CHART, HELM, LabelledWorkload, MANAGED_BY, owner};
use tracebloc_core::name::Namespace;
use tracebloc_core::workload::{Shape, Workload, WorkloadId, WorkloadKind};

use super::list::Query;
use super::workloads::{JobTemplate, Template, place};
use super::{Cluster, ClusterError};

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    template: Option<Template>,
    job_template: Option<JobTemplate>,
}

impl Cluster {
    /// The workloads of one kind that are a release's by Helm's own rule, in a namespace or in all. Of environments only the wanted variables are kept.
    pub(crate) async fn labelled(
        &self,
        namespace: Option<&Namespace>,
        kind: WorkloadKind,
        variables: &BTreeSet<&str>,
    ) -> Result<Vec<LabelledWorkload>, ClusterError> {
        let (api, resource) = place(kind);
        let objects: Vec<Object> = self
            .list(&Query {
                api,
                resource,
                namespace,
                labels: Some(format!("{MANAGED_BY}={HELM}")),
                fields: None,
                accept: None,
            })
            .await?;
        Ok(objects
            .into_iter()
            .filter_map(|object| read(object, kind, variables))
            .collect())
    }
}

/// `None` for what only looks like a release's.
fn read(
    object: Object,
    kind: WorkloadKind,
    variables: &BTreeSet<&str>,
) -> Option<LabelledWorkload> {
    let Object { metadata, spec } = object;
    let release = owner(&metadata.labels, &metadata.annotations)?;
    let pod = match (spec.template, spec.job_template) {
        (Some(template), _) => template.spec,
        (None, Some(job)) => job.spec.template.spec,
        (None, None) => return None,
    };
    Some(LabelledWorkload {
        release,
        chart: metadata.labels.get(CHART).cloned(),
        variables: pod.variables(variables),
        workload: Workload {
            id: WorkloadId {
                kind,
                namespace: Namespace::parse(&metadata.namespace).ok()?,
                name: metadata.name,
            },
            containers: pod.containers(),
            shape: Shape::default(),
        },
    })
}
