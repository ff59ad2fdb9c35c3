//! Plans: the unit of change (DESIGN §1.2). A plan is made from a snapshot and a wish, without I/O; what `--dry-run` prints is what a real run does.

mod ground;
mod guards;
mod pin;
mod refresh;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ground::WishError;
pub use pin::{PinWish, Pinning, pin};
pub use refresh::{RefreshWish, WishedAction, refresh};

use crate::change::{Change, ContainerChange};
use crate::image::Digest;
use crate::name::{ChartName, Namespace, ReleaseId};
use crate::report::{ContextReport, ImageState};
use crate::workload::{WorkloadId, WorkloadKind};

/// What a command is about to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The format's version: `tracebloc.io/v1alpha1`.
    pub api_version: String,
    /// `Plan`.
    pub kind: String,
    /// The command whose plan it is, such as `refresh`.
    pub command: String,
    /// The cluster that is changed.
    pub context: ContextReport,
    /// The release that is changed.
    pub release: ReleaseId,
    /// What was decided about each image, and why.
    pub images: Vec<ImagePlan>,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// What becomes of a step that does not come to what it is for.
    pub on_failure: OnFailure,
    /// Why nothing is done: guards that say no. A plan with any of them is not carried out.
    pub refusals: Vec<Refusal>,
    /// What should be known before it is approved.
    pub warnings: Vec<String>,
}

impl Plan {
    /// True if there is nothing to do, and nothing that keeps anything from being done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refusals.is_empty()
    }

    /// True if some image that the command is about could not be judged.
    pub fn is_incomplete(&self) -> bool {
        self.images
            .iter()
            .any(|image| image.decision == Decision::Unknown)
    }

    /// True if both do the same: what was approved still holds, whatever else was seen meanwhile.
    pub fn does_the_same(&self, other: &Self) -> bool {
        let acts = |plan: &Self| {
            plan.steps
                .iter()
                .map(|step| (step.object.clone(), step.act.clone()))
                .collect::<Vec<_>>()
        };
        self.release == other.release
            && self.context == other.context
            && self.on_failure == other.on_failure
            && acts(self) == acts(other)
    }
}

/// What was decided about an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImagePlan {
    /// Its name, as in reports.
    pub name: String,
    /// Registry and repository.
    pub repository: String,
    /// The tag that it is compared under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How it stands.
    pub state: ImageState,
    /// What is done about it.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// What its tag points to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Digest>,
    /// What the annotation says was rolled out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Digest>,
    /// What pods run, each content once.
    pub running: Vec<Digest>,
}

/// What is done about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing: pods run what is published.
    Current,
    /// Pods are brought to what is published.
    Move,
    /// Only what runs is recorded; no pod is touched.
    Record,
    /// It is held at what runs.
    Pin,
    /// It is let go, and follows its tag again.
    Unpin,
    /// Nothing: a digest in the values holds it.
    Pinned,
    /// Nothing: no pin holds it.
    NotPinned,
    /// Nothing: the chart holds it behind its tag on purpose.
    Held,
    /// Nothing: the values tell the chart's own refresh to leave it.
    OptedOut,
    /// Nothing: it moves with the chart's versions only.
    MovesWithChart,
    /// Nothing: nothing of it runs.
    Idle,
    /// Nothing: it was not asked for.
    NotAskedFor,
    /// Nothing: how it stands could not be established.
    Unknown,
}

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
    /// Has a job of the chart start nothing more.
    Suspend(Suspension),
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
            Self::Record(_) | Self::Annotate(_) | Self::SetValue(_) | Self::Suspend(_) => None,
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
    /// SHA-256 of the package, by the repository's index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// What is set, by path; null takes the user's value away, so that the chart's default counts again.
    pub values: BTreeMap<String, Option<Digest>>,
    /// What Helm's history says of it.
    pub description: String,
    /// What rolls out by it.
    pub rollouts: Vec<Rollout>,
}

/// A `CronJob` that is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// The job.
    pub workload: WorkloadId,
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

/// A guard that says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which guard.
    pub guard: Guard,
    /// What it is about: a workload, an image, the release.
    pub subject: String,
    /// Why, in words.
    pub message: String,
    /// The ways out, each a flag or a whole command line.
    pub advice: Vec<String>,
}

/// The reasons to say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// A Helm operation is under way, or was killed.
    ReleasePending,
    /// Another tool looks after the release, and would change it back.
    ManagedElsewhere,
    /// A Job of the chart that changes the same workloads runs.
    JobRunning,
    /// The chart's own job starts in a moment, and would not see that a rollout is under way.
    TickNear,
    /// Rollouts failed again and again.
    Flapping,
    /// The workload has not settled.
    Unsettled,
    /// The Deployment is paused.
    Paused,
    /// The workload replaces pods only as somebody deletes them.
    OnDelete,
    /// The workload is not there, or could not be read.
    Unreadable,
    /// What is published is not for the platform of a node that needs it.
    PlatformMissing,
    /// The cache that nodes pull through still serves the old content.
    CacheStale,
    /// Nothing would pull the new content.
    RestartInVain,
    /// Pods run different content, so that there is no one to hold.
    Skewed,
    /// What runs cannot be named by a digest that a registry serves.
    NotPinnable,
    /// The chart's own refresh would move it all the same.
    RefreshActive,
    /// Somebody else owns fields that Helm applies, and its upgrade would fail at them.
    FieldsOwned,
    /// The package of the chart version that is deployed cannot be had, or not be checked.
    ChartUnavailable,
    /// An earlier run did not end.
    Unfinished,
}

impl Guard {
    /// True if time alone may lift it.
    pub fn may_pass(self) -> bool {
        match self {
            Self::JobRunning | Self::TickNear | Self::Unsettled => true,
            Self::ReleasePending
            | Self::ManagedElsewhere
            | Self::Flapping
            | Self::Paused
            | Self::OnDelete
            | Self::Unreadable
            | Self::PlatformMissing
            | Self::CacheStale
            | Self::RestartInVain
            | Self::Skewed
            | Self::NotPinnable
            | Self::RefreshActive
            | Self::FieldsOwned
            | Self::ChartUnavailable
            | Self::Unfinished => false,
        }
    }

    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReleasePending => "release-pending",
            Self::ManagedElsewhere => "managed-elsewhere",
            Self::JobRunning => "job-running",
            Self::TickNear => "tick-near",
            Self::Flapping => "flapping",
            Self::Unsettled => "unsettled",
            Self::Paused => "paused",
            Self::OnDelete => "on-delete",
            Self::Unreadable => "unreadable",
            Self::PlatformMissing => "platform-missing",
            Self::CacheStale => "cache-stale",
            Self::RestartInVain => "restart-in-vain",
            Self::Skewed => "skewed",
            Self::NotPinnable => "not-pinnable",
            Self::RefreshActive => "refresh-active",
            Self::FieldsOwned => "fields-owned",
            Self::ChartUnavailable => "chart-unavailable",
            Self::Unfinished => "unfinished",
        }
    }
}
