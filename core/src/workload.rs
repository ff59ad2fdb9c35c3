//! Workloads: the objects that run containers, as a manifest declares them and as the cluster holds them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cronjob::CronFacts;
use crate::edit::Edit;
use crate::image::{CarriedImage, ImageRef, RunningImage, carried};
use crate::name::Namespace;
use crate::ownership::Marks;

/// The kinds of objects whose pod template names images.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` `StatefulSet`.
    StatefulSet,
    /// `apps/v1` `DaemonSet`.
    DaemonSet,
    /// `batch/v1` `CronJob`.
    CronJob,
    /// `batch/v1` Job.
    Job,
    /// `v1` Pod, written in a chart without a controller.
    Pod,
}

impl WorkloadKind {
    /// Every kind, in the order in which reports show them.
    pub const ALL: [Self; 6] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::CronJob,
        Self::Job,
        Self::Pod,
    ];

    /// The `kind` as in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::CronJob => "CronJob",
            Self::Job => "Job",
            Self::Pod => "Pod",
        }
    }

    /// The kind of that name, if it is one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The resource name that kubectl takes, as in `deployment/NAME`.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::CronJob => "cronjob",
            Self::Job => "job",
            Self::Pod => "pod",
        }
    }

    /// The group of the API that has it; empty for the core.
    pub fn group(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::CronJob | Self::Job => "batch",
            Self::Pod => "",
        }
    }

    /// True where `kubectl rollout restart` works.
    pub fn rolls_out(self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet | Self::DaemonSet)
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One workload of a cluster.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct WorkloadId {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace, which need not be its release's.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind.resource(), self.name)
    }
}

/// When a kubelet asks the registry again for an image that it has (`imagePullPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At each start of a container: a restart picks up moved tags.
    Always,
    /// Only if the node lacks it: a restart keeps old content where the node has the tag.
    IfNotPresent,
    /// Never.
    Never,
}

impl PullPolicy {
    /// The policy of that name; `None` for an unknown one.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Always" => Some(Self::Always),
            "IfNotPresent" => Some(Self::IfNotPresent),
            "Never" => Some(Self::Never),
            _ => None,
        }
    }

    /// What the API server fills in where a container names none: Always for `:latest` and for no tag, else `IfNotPresent`
    /// (Kubernetes, "Images": default image pull policy).
    pub fn default_for(image: &ImageRef) -> Self {
        match (image.tag(), image.digest()) {
            (None, None) => Self::Always,
            (Some(tag), None) if tag.as_str() == "latest" => Self::Always,
            (_, Some(_)) | (Some(_), None) => Self::IfNotPresent,
        }
    }
}

/// A container of a pod template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name, unique in the pod.
    pub name: String,
    /// The image as written; `Err` holds the text of one that is no image reference.
    pub image: Result<ImageRef, String>,
    /// True for an init container, which runs only when a pod starts.
    pub init: bool,
    /// The pull policy in force.
    pub pull_policy: PullPolicy,
    /// Images that its environment names for others to run, by the beginning of the variables' names.
    #[serde(default)]
    pub carries: BTreeMap<String, CarriedImage>,
}

/// A variable of a container's environment; without a value where it comes from elsewhere, such as a Secret.
#[derive(Debug, Deserialize)]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: String,
    /// Its value. The API takes texts only; anything else is none.
    #[serde(default, deserialize_with = "text_only")]
    pub value: Option<String>,
}

fn text_only<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value {
        Text(String),
        Other(IgnoredAny),
    }
    Ok(match Option::deserialize(deserializer)? {
        Some(Value::Text(text)) => Some(text),
        Some(Value::Other(IgnoredAny)) | None => None,
    })
}

impl Container {
    /// A container from the fields that stored manifests and live objects share; a pull policy that is missing is the API server's default.
    pub fn declared(name: String, image: &str, pull_policy: Option<&str>, init: bool) -> Self {
        let image = ImageRef::parse(image).map_err(|_| image.to_owned());
        let pull_policy = pull_policy.and_then(PullPolicy::parse).unwrap_or_else(|| {
            image
                .as_ref()
                .map_or(PullPolicy::IfNotPresent, PullPolicy::default_for)
        });
        Self {
            name,
            image,
            init,
            pull_policy,
            carries: BTreeMap::new(),
        }
    }

    /// The same with the images that its environment names.
    #[must_use]
    pub fn carrying(mut self, environment: &[EnvironmentVariable]) -> Self {
        let variables = environment
            .iter()
            .filter_map(|variable| Some((variable.name.as_str(), variable.value.as_deref()?)));
        self.carries = carried(variables);
        self
    }
}

/// A workload and its containers, as the stored manifest of a release declares it or as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Which one.
    pub id: WorkloadId,
    /// Init containers first, in their order of running.
    pub containers: Vec<Container>,
    /// How many pods it has, and how they give way to new ones.
    #[serde(default)]
    pub shape: Shape,
}

/// How many pods a workload has, and how they give way to new ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// How many; `None` where it does not say, and for kinds that do not say it.
    pub replicas: Option<u32>,
    /// True for a Deployment that starts new pods before old ones end. Known of stored manifests only.
    pub overlaps: bool,
    /// The names of the claims that its pods mount. Known of stored manifests only.
    pub claims: Vec<String>,
}

impl Workload {
    /// The container of that name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.name == name)
    }
}

/// A workload as the cluster holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveWorkload {
    /// Its present template.
    pub workload: Workload,
    /// What tells it from another of the same name, before or after it.
    #[serde(default)]
    pub uid: String,
    /// True if its pods are replaced only as somebody deletes them (update strategy `OnDelete`): a changed template alone does nothing.
    #[serde(default)]
    pub on_delete: bool,
    /// The product's own annotations (`tracebloc.io/…`) on its metadata, which hold no secrets.
    pub records: BTreeMap<String, String>,
    /// How its rollout stands.
    pub rollout: Rollout,
    /// What its controller says is in the way of the present rollout.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// Its pods, as its controller counts them; `None` for a kind whose controller does not.
    #[serde(default)]
    pub replicas: Option<Replicas>,
    /// When `kubectl rollout restart`, or a job that does the same, last restarted it.
    #[serde(default)]
    pub restarted_at: Option<Timestamp>,
    /// True where an autoscaler wrote how many pods it has.
    #[serde(default)]
    pub autoscaled: bool,
    /// The marks of tools that look after it.
    #[serde(default)]
    pub marks: Marks,
    /// What other programs than Helm and the cluster's controllers wrote of it.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// When it runs, for a `CronJob`.
    #[serde(default)]
    pub cron: Option<CronFacts>,
}

/// What a controller says is in the way of a rollout (a condition of the workload).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// True once the controller counts the rollout as failed (`ProgressDeadlineExceeded`).
    pub gave_up: bool,
    /// In its words.
    pub message: String,
}

/// The pods of a workload, as its controller counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replicas {
    /// How many there are to be; for a `DaemonSet` one for each node that fits.
    pub desired: u32,
    /// How many are of the present template.
    pub updated: u32,
    /// How many are ready.
    pub ready: u32,
}

/// How a workload's rollout stands: kubectl's `rollout status`, as a value (FACTS 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rollout {
    /// All replicas are of the present template and available.
    Settled,
    /// The controller is still replacing pods.
    Progressing,
    /// A Deployment that was paused by `kubectl rollout pause`: it replaces nothing.
    Paused,
    /// A kind that has no rollouts (`CronJob`, Job, Pod).
    None,
}

/// A pod that counts: not being deleted, and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// The workload that it belongs to.
    pub workload: WorkloadId,
    /// The node it was scheduled to.
    pub node: Option<String>,
    /// Why no node took it, in the scheduler's words.
    #[serde(default)]
    pub unscheduled: Option<String>,
    /// Its containers and init containers by name.
    pub containers: BTreeMap<String, PodContainer>,
    /// The names of the Secrets that its images are pulled with, those of its service account included.
    #[serde(default)]
    pub pull_secrets: Vec<String>,
}

/// What the kubelet says while it waits before it starts a container again that ended.
pub const BACKING_OFF: &str = "CrashLoopBackOff";

/// What one container of a pod runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodContainer {
    /// The content it runs (`imageID`); `None` until a runtime has pulled it.
    pub running: Option<RunningImage>,
    /// True if the kubelet says that it is ready; of one that ends by itself, that it did so well.
    #[serde(default)]
    pub ready: bool,
    /// Why it waits, as the kubelet says it (`ImagePullBackOff`), where it does.
    pub waiting: Option<String>,
    /// How often it was started again in this pod.
    #[serde(default)]
    pub restarts: u32,
    /// Why it ended last, as the kubelet says it (`OOMKilled`), where it did.
    #[serde(default)]
    pub ended: Option<String>,
}
