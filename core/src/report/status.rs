//! One release in full: the answer of `status`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChangeReport, ContextReport, ReleaseReport, Summary, TagSource, UnknownReason};
use crate::finding::Finding;
use crate::manifest::Platform;
use crate::workload::{Replicas, WorkloadId};

/// One release in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The format's version: `tracebloc.io/v1alpha1`.
    pub api_version: String,
    /// `StatusReport`.
    pub kind: String,
    /// The cluster asked.
    pub context: ContextReport,
    /// The API server's version; absent where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// When the facts were observed.
    #[schemars(with = "String")]
    pub checked_at: Timestamp,
    /// The release: its chart, images, automation and storage.
    pub release: ReleaseReport,
    /// What it consists of, and where that runs.
    pub workloads: Vec<WorkloadReport>,
    /// The values that keep an image from moving.
    pub pins: Vec<PinReport>,
    /// What was done to it last, newest first.
    pub changes: Vec<ChangeReport>,
    /// Counts over the release.
    pub summary: Summary,
    /// What is worth attention, worst first.
    pub findings: Vec<Finding>,
}

/// How a workload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadState {
    /// All its pods are of the present template and available.
    Settled,
    /// Its controller is still replacing pods, or pods are not ready.
    Progressing,
    /// Paused by `kubectl rollout pause`: nothing is replaced.
    Paused,
    /// Scaled to no pod at all.
    Idle,
    /// A `CronJob` that starts Jobs at its times.
    Scheduled,
    /// A `CronJob` that starts nothing.
    Suspended,
    /// There, and of a kind that has no rollouts.
    Present,
    /// In the stored manifest, and not in the cluster.
    Missing,
    /// It could not be established.
    Unknown,
}

/// A workload of the stored manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReport {
    /// Which one.
    pub workload: WorkloadId,
    /// How it stands.
    pub state: WorkloadState,
    /// Its pods, as its controller counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// Where its pods are; empty also where pods may not be listed.
    #[serde(default)]
    pub nodes: Vec<NodeReport>,
    /// Why containers of its pods wait, in the kubelet's words.
    #[serde(default)]
    pub waiting: Vec<String>,
    /// Why the state is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
}

/// A node with pods of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Its name; absent for pods that are not scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its platform, where nodes may be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// How many of the pods.
    pub pods: u32,
}

/// In which way a value keeps an image from moving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PinKind {
    /// It names a digest.
    Digest,
    /// It names a digest that the chart holds behind its tag on purpose.
    Held,
    /// It tells the chart's refresh to leave the image.
    OptOut,
}

/// A value that keeps an image from moving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinReport {
    /// The image, by its name in the profile.
    pub image: String,
    /// In which way.
    pub pin: PinKind,
    /// The value's path.
    pub value: String,
    /// What it holds: a digest, or the word that opts out.
    pub text: String,
    /// Who set it.
    pub source: TagSource,
}
