//! The steps of a plan, and what becomes of one that does not come to what it is for.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::change::{Change, ContainerChange};
use crate::image::{Digest, Tag};
use crate::name::{ChartName, Namespace};
use crate::workload::{WorkloadId, WorkloadKind};

/// One step of a plan. It can be run again: what is done already is not done twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What it is called within the plan.
    pub id: String,
    /// The object that it changes.
    pub object: ObjectRef,
    /// What it does, in words.
    pub summary: String,
    /// True if something may be lost by it.
    pub destructive: bool,
    /// How it is undone; absent where it cannot be, or need not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// The wave of rollouts that it is under way with; absent where one rollout is carried out after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<usize>,
    /// How far it is.
    pub state: StepState,
    /// What it does.
    #[serde(flatten)]
    pub act: Act,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Done.
    Done,
    /// Not done, because it was done already or an earlier step failed.
    Skipped,
    /// It did not come to what it is for.
    Failed,
}

/// An object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Its API group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

impl From<&WorkloadId> for ObjectRef {
    fn from(id: &WorkloadId) -> Self {
        let api_version = match id.kind {
            WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
                "apps/v1"
            }
            WorkloadKind::CronJob | WorkloadKind::Job => "batch/v1",
            WorkloadKind::Pod => "v1",
        };
        Self {
            api_version: api_version.to_owned(),
            kind: id.kind.as_str().to_owned(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "action",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Act {
    /// Starts the pods anew, by an annotation of the pod template that no chart renders, and waits until they run what is wanted.
    Restart(Rollout),
    /// Sets images, waits until the pods run what is wanted, and hands the fields back.
    SetImage(Rollout),
    /// Sets variables of an environment, waits until the pods run with them, and hands the fields back.
    SetEnvironment(Rollout),
    /// Finishes what another run began and did not live to see.
    Finish(Rollout),
    /// Has a job of the chart start nothing more, for as long as the plan is carried out or for good.
    Suspend(Suspension),
    /// Lets a job of the chart run again that was suspended for as long as a plan is carried out: this one, or one that did not come to its end.
    Resume(Suspension),
    /// Writes the annotations in which the chart's own refresh keeps its records.
    Record(Record),
    /// Writes annotations that tell another tool what to leave.
    Annotate(Record),
    /// Sets values of the release by a Helm upgrade that changes nothing else, and waits until the pods run with them.
    SetValue(ValueChange),
}

impl Act {
    /// The rollout, where it is one.
    pub fn rollout(&self) -> Option<&Rollout> {
        match self {
            Self::Restart(rollout)
            | Self::SetImage(rollout)
            | Self::SetEnvironment(rollout)
            | Self::Finish(rollout) => Some(rollout),
            Self::Record(_)
            | Self::Annotate(_)
            | Self::SetValue(_)
            | Self::Suspend(_)
            | Self::Resume(_) => None,
        }
    }

    /// The word, as in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Restart(_) => "restart",
            Self::SetImage(_) => "set-image",
            Self::SetEnvironment(_) => "set-environment",
            Self::Finish(_) => "finish",
            Self::Suspend(_) => "suspend",
            Self::Resume(_) => "resume",
            Self::Record(_) => "record",
            Self::Annotate(_) => "annotate",
            Self::SetValue(_) => "set-value",
        }
    }
}

/// One rollout of one workload, however many of its containers change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The workload.
    pub workload: WorkloadId,
    /// What tells it from another of the same name.
    pub uid: String,
    /// What changes.
    pub containers: Vec<ContainerChange>,
    /// The change of another run that this one finishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finishes: Option<Change>,
}

/// Annotations of the main workload that are written together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The workload.
    pub workload: WorkloadId,
    /// What tells it from another of the same name.
    pub uid: String,
    /// What is written, by key.
    pub annotations: BTreeMap<String, String>,
    /// The keys that are taken away.
    pub clears: Vec<String>,
}

/// Values of a release that are set by a Helm upgrade to the chart version that is deployed already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueChange {
    /// The newest revision, which must still be the newest.
    pub revision: u32,
    /// The chart's name.
    pub chart: ChartName,
    /// The version that is deployed, and stays.
    pub version: String,
    /// Where its package is; absent where no repository is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// SHA-256 of the package, by the repository's index; absent for a registry, which names it by its digest itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// What is set, by path; null takes the user's value away, so that the chart's default counts again.
    pub values: BTreeMap<String, Option<Setting>>,
    /// What Helm's history says of it.
    pub description: String,
    /// What rolls out by it.
    pub rollouts: Vec<Rollout>,
}

/// What a value of a release is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Setting {
    /// Exact content.
    Digest(Digest),
    /// A tag.
    Tag(Tag),
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(formatter),
            Self::Tag(tag) => tag.fmt(formatter),
        }
    }
}

/// A `CronJob` that is suspended, or let run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// The job.
    pub workload: WorkloadId,
    /// True if it is only for as long as the plan is carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub meanwhile: bool,
}

/// What becomes of a step that does not come to what it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnFailure {
    /// True if pods are brought back to what they ran; false if they are left as they are.
    pub undo: bool,
    /// Where the chart's own refresh counts what failed, so that it gives up too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<AttemptCounter>,
    /// The chart's own job that would do the same again, and has no count to be told by: it is suspended once something was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspends: Option<WorkloadId>,
    /// What may have come to other content beside what was to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    /// The command line that goes back also from rollouts that came to what they are for before another one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<String>,
}

/// A container that is not to change, and starts anew with those that do: it pulls its tag, which may move between plan and rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Beside {
    /// The workload.
    pub workload: WorkloadId,
    /// The container's name.
    pub container: String,
    /// The image's name, as in reports.
    pub image: String,
    /// What it ran when the plan was made, in a form that can be pulled.
    pub former: Digest,
}

/// The annotations with which the chart's own refresh counts rollouts that failed (DOMAIN §4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptCounter {
    /// The workload that carries them.
    pub workload: WorkloadId,
    /// The annotation that counts.
    pub attempts: String,
    /// The annotation that says it gave up.
    pub mark: String,
    /// How many stand there now.
    pub failed: u32,
    /// With so many it gives up.
    pub limit: u32,
}
