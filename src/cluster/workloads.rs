//! Workloads as they are: present images, the product's annotations, and how the rollout stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Deserialize;
use tracebloc_core::cronjob::CronFacts;
use tracebloc_core::edit::{Edit, Part};
use tracebloc_core::name::Namespace;
use tracebloc_core::ownership::{self, Marks};
use tracebloc_core::workload::{
    Container, EnvironmentVariable, LiveWorkload, Replicas, Rollout, Shape, Trouble, Workload,
    WorkloadId, WorkloadKind,
};

use super::list::Query;
use super::managed_fields::ManagedField;
use super::{Cluster, ClusterError};

/// The annotation of the pod template by which kubectl asks for a restart (kubectl `rollout restart`).
pub(super) const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    generation: i64,
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    annotations: HashMap<String, String>,
    #[serde(default)]
    labels: HashMap<String, String>,
    #[serde(default)]
    managed_fields: Vec<ManagedField>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    replicas: Option<i64>,
    #[serde(default)]
    paused: bool,
    schedule: Option<String>,
    time_zone: Option<String>,
    #[serde(default)]
    suspend: bool,
    #[serde(default)]
    update_strategy: UpdateStrategy,
    template: Option<Template>,
    job_template: Option<JobTemplate>,
    #[serde(default)]
    init_containers: Vec<ContainerObject>,
    #[serde(default)]
    containers: Vec<ContainerObject>,
}

/// How a `DaemonSet` or `StatefulSet` replaces its pods.
#[derive(Deserialize, Default)]
struct UpdateStrategy {
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
pub(super) struct Template {
    #[serde(default)]
    metadata: TemplateMetadata,
    #[serde(default)]
    pub(super) spec: PodSpec,
}

#[derive(Deserialize, Default)]
struct TemplateMetadata {
    #[serde(default)]
    annotations: HashMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct JobTemplate {
    pub(super) spec: JobSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobSpec {
    active_deadline_seconds: Option<i64>,
    pub(super) template: Template,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    #[serde(default)]
    init_containers: Vec<ContainerObject>,
    #[serde(default)]
    containers: Vec<ContainerObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerObject {
    name: String,
    #[serde(default)]
    image: String,
    image_pull_policy: Option<String>,
    #[serde(default)]
    env: Vec<EnvironmentVariable>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    available_replicas: i64,
    ready_replicas: i64,
    desired_number_scheduled: i64,
    number_ready: i64,
    updated_number_scheduled: i64,
    number_available: i64,
    last_schedule_time: Option<Timestamp>,
    last_successful_time: Option<Timestamp>,
    active: Active,
    conditions: Vec<Condition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
}

/// A `CronJob` lists the Jobs that run, a Job counts its pods: only the list is of interest.
#[derive(Deserialize)]
#[serde(untagged)]
enum Active {
    Jobs(Vec<serde::de::IgnoredAny>),
    Pods(serde::de::IgnoredAny),
}

impl Default for Active {
    fn default() -> Self {
        Self::Jobs(Vec::new())
    }
}

impl Cluster {
    /// The workloads of one kind in a namespace. Of the annotations only those with the prefix are kept: others may hold anything.
    pub(crate) async fn workloads(
        &self,
        namespace: &Namespace,
        kind: WorkloadKind,
        record_prefix: &str,
    ) -> Result<Vec<LiveWorkload>, ClusterError> {
        let (api, resource) = place(kind);
        let objects: Vec<Object> = self
            .list(&Query {
                api,
                resource,
                namespace: Some(namespace),
                labels: None,
                fields: None,
                accept: None,
            })
            .await?;
        Ok(objects
            .into_iter()
            .map(|object| read(object, namespace, kind, record_prefix))
            .collect())
    }
}

/// Where the API keeps a kind: its prefix, and the resource in the plural.
pub(super) fn place(kind: WorkloadKind) -> (&'static str, &'static str) {
    match kind {
        WorkloadKind::Deployment => ("/apis/apps/v1", "deployments"),
        WorkloadKind::StatefulSet => ("/apis/apps/v1", "statefulsets"),
        WorkloadKind::DaemonSet => ("/apis/apps/v1", "daemonsets"),
        WorkloadKind::CronJob => ("/apis/batch/v1", "cronjobs"),
        WorkloadKind::Job => ("/apis/batch/v1", "jobs"),
        WorkloadKind::Pod => ("/api/v1", "pods"),
    }
}

/// The path of one object.
pub(super) fn path(id: &WorkloadId) -> String {
    let (api, resource) = place(id.kind);
    format!("{api}/namespaces/{}/{resource}/{}", id.namespace, id.name)
}

/// The same in words.
pub(crate) fn words(id: &WorkloadId) -> String {
    format!("{id} in namespace {}", id.namespace)
}

/// What is known of one whole object; `None` where it is not what the API sends.
pub(super) fn read_value(
    object: &serde_json::Value,
    id: &WorkloadId,
    record_prefix: &str,
) -> Option<LiveWorkload> {
    let object = Object::deserialize(object).ok()?;
    Some(read(object, &id.namespace, id.kind, record_prefix))
}

fn read(
    object: Object,
    namespace: &Namespace,
    kind: WorkloadKind,
    record_prefix: &str,
) -> LiveWorkload {
    let rollout = rollout(&object, kind);
    let replicas = replicas(&object, kind);
    let cron = cron(&object, kind);
    let trouble = trouble(&object);
    let Object { metadata, spec, .. } = object;
    let restarted_at = spec.template.as_ref().and_then(restarted_at);
    let pod = match (spec.template, spec.job_template) {
        (Some(template), _) => template.spec,
        (None, Some(job)) => job.spec.template.spec,
        (None, None) => PodSpec {
            init_containers: spec.init_containers,
            containers: spec.containers,
        },
    };
    let autoscaled = metadata
        .managed_fields
        .iter()
        .any(ManagedField::is_autoscaler);
    let edits: Vec<Edit> = metadata
        .managed_fields
        .iter()
        .filter_map(ManagedField::edit)
        .collect();
    let mut image_owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for edit in &edits {
        for part in &edit.parts {
            if let Part::Image { container } = part {
                let owners = image_owners.entry(container.clone()).or_default();
                owners.insert(edit.manager.clone());
            }
        }
    }
    let marks = Marks {
        image_owners,
        notes: metadata
            .labels
            .iter()
            .chain(&metadata.annotations)
            .filter(|(key, _)| ownership::is_mark(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        instance: metadata.labels.get("app.kubernetes.io/instance").cloned(),
        managers: metadata
            .managed_fields
            .into_iter()
            .map(|field| field.manager)
            .collect(),
    };
    LiveWorkload {
        workload: Workload {
            id: WorkloadId {
                kind,
                namespace: namespace.clone(),
                name: metadata.name,
            },
            containers: pod.containers(),
            shape: Shape {
                replicas: spec.replicas.and_then(|count| u32::try_from(count).ok()),
                ..Shape::default()
            },
        },
        uid: metadata.uid,
        on_delete: spec.update_strategy.kind == "OnDelete",
        autoscaled,
        records: metadata
            .annotations
            .into_iter()
            .filter(|(key, _)| key.starts_with(record_prefix))
            .collect::<BTreeMap<_, _>>(),
        rollout,
        trouble,
        replicas,
        restarted_at,
        marks,
        edits,
        cron,
    }
}

impl PodSpec {
    /// Its containers, init containers first.
    pub(super) fn containers(self) -> Vec<Container> {
        let read = |object: ContainerObject, init: bool| {
            Container::declared(
                object.name,
                &object.image,
                object.image_pull_policy.as_deref(),
                init,
            )
            .carrying(&object.env)
        };
        let init = self.init_containers.into_iter();
        let main = self.containers.into_iter();
        init.map(|object| read(object, true))
            .chain(main.map(|object| read(object, false)))
            .collect()
    }

    /// Those variables of its containers that are wanted; the rest of an environment may hold anything, and is dropped here.
    pub(super) fn variables(&self, wanted: &BTreeSet<&str>) -> BTreeMap<String, String> {
        let all = self.containers.iter().flat_map(|container| &container.env);
        all.filter(|variable| wanted.contains(variable.name.as_str()))
            .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
            .collect()
    }
}

/// When a rollout was asked for by hand. A text that is no time was not written by kubectl, and says nothing.
fn restarted_at(template: &Template) -> Option<Timestamp> {
    template.metadata.annotations.get(RESTARTED)?.parse().ok()
}

/// What is in the way of the present rollout; what a condition says of an earlier one does not count.
fn trouble(object: &Object) -> Option<Trouble> {
    let Object {
        metadata, status, ..
    } = object;
    if status.observed_generation < metadata.generation {
        return None;
    }
    let has = |condition: &&Condition, kind: &str, status: &str| {
        condition.kind == kind && condition.status == status
    };
    let gave_up = status.conditions.iter().find(|condition| {
        has(condition, "Progressing", "False") && condition.reason == "ProgressDeadlineExceeded"
    });
    let refused = status
        .conditions
        .iter()
        .find(|condition| has(condition, "ReplicaFailure", "True"));
    // That pods may not be made says more than that there are none in time.
    let message = refused.or(gave_up)?.message.clone();
    Some(Trouble {
        gave_up: gave_up.is_some(),
        message,
    })
}

/// The counts of the kinds that keep some.
fn replicas(object: &Object, kind: WorkloadKind) -> Option<Replicas> {
    let Object { spec, status, .. } = object;
    let (desired, updated, ready) = match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet => (
            spec.replicas.unwrap_or(1),
            status.updated_replicas,
            status.ready_replicas,
        ),
        WorkloadKind::DaemonSet => (
            status.desired_number_scheduled,
            status.updated_number_scheduled,
            status.number_ready,
        ),
        WorkloadKind::CronJob | WorkloadKind::Job | WorkloadKind::Pod => return None,
    };
    // The API's numbers are 32 bits wide and never negative.
    let count = |number: i64| u32::try_from(number).unwrap_or_default();
    Some(Replicas {
        desired: count(desired),
        updated: count(updated),
        ready: count(ready),
    })
}

/// What a `CronJob` says of its runs.
fn cron(object: &Object, kind: WorkloadKind) -> Option<CronFacts> {
    if kind != WorkloadKind::CronJob {
        return None;
    }
    let Object {
        metadata,
        spec,
        status,
    } = object;
    Some(CronFacts {
        schedule: spec.schedule.clone().unwrap_or_default(),
        time_zone: spec.time_zone.clone(),
        suspended: spec.suspend,
        created_at: metadata.creation_timestamp,
        last_scheduled: status.last_schedule_time,
        last_succeeded: status.last_successful_time,
        active: match &status.active {
            Active::Jobs(jobs) => jobs.len(),
            Active::Pods(_) => 0,
        },
        deadline_seconds: spec
            .job_template
            .as_ref()
            .and_then(|job| job.spec.active_deadline_seconds),
    })
}

/// kubectl's `rollout status` (FACTS 10).
fn rollout(object: &Object, kind: WorkloadKind) -> Rollout {
    let Object {
        metadata,
        spec,
        status,
    } = object;
    let observed = status.observed_generation >= metadata.generation;
    let settled = match kind {
        WorkloadKind::Deployment if spec.paused => return Rollout::Paused,
        WorkloadKind::Deployment => {
            observed
                && status.updated_replicas >= spec.replicas.unwrap_or(1)
                && status.replicas <= status.updated_replicas
                && status.available_replicas >= status.updated_replicas
        }
        WorkloadKind::DaemonSet => {
            observed
                && status.updated_number_scheduled >= status.desired_number_scheduled
                && status.number_available >= status.desired_number_scheduled
        }
        WorkloadKind::StatefulSet => {
            let replicas = spec.replicas.unwrap_or(1);
            observed && status.ready_replicas >= replicas && status.updated_replicas >= replicas
        }
        WorkloadKind::CronJob | WorkloadKind::Job | WorkloadKind::Pod => return Rollout::None,
    };
    if settled {
        Rollout::Settled
    } else {
        Rollout::Progressing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rollout_of(
        kind: WorkloadKind,
        spec: &serde_json::Value,
        status: &serde_json::Value,
    ) -> Rollout {
        let object =
            json!({"metadata": {"name": "x", "generation": 2}, "spec": spec, "status": status});
        rollout(&serde_json::from_value(object).unwrap(), kind)
    }

    #[test]
    fn rollouts_are_judged_as_kubectl_does() {
        use WorkloadKind::{CronJob, DaemonSet, Deployment, StatefulSet};
        let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(
            rollout_of(Deployment, &json!({"replicas": 2}), &done),
            Rollout::Settled
        );
        assert_eq!(
            rollout_of(Deployment, &json!({"replicas": 3}), &done),
            Rollout::Progressing
        );
        assert_eq!(
            rollout_of(Deployment, &json!({"replicas": 2, "paused": true}), &done),
            Rollout::Paused
        );
        let unseen = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        assert_eq!(
            rollout_of(Deployment, &json!({}), &unseen),
            Rollout::Progressing
        );
        let old = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2});
        assert_eq!(
            rollout_of(Deployment, &json!({"replicas": 1}), &old),
            Rollout::Progressing
        );
        let daemon = json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2});
        assert_eq!(
            rollout_of(DaemonSet, &json!({}), &daemon),
            Rollout::Progressing
        );
        assert_eq!(
            rollout_of(DaemonSet, &json!({}), &json!({"observedGeneration": 2})),
            Rollout::Settled
        );
        let stateful = json!({"observedGeneration": 2, "readyReplicas": 1, "updatedReplicas": 1});
        assert_eq!(
            rollout_of(StatefulSet, &json!({"replicas": 1}), &stateful),
            Rollout::Settled
        );
        assert_eq!(rollout_of(CronJob, &json!({}), &json!({})), Rollout::None);
    }
}
